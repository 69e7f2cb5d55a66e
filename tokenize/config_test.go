package tokenize

import (
	"strings"
	"testing"
	"testing/fstest"
)

func configOf(files map[string]string) (*tokenizerConfig, error) {
	dir := fstest.MapFS{}
	for name, content := range files {
		dir[name] = &fstest.MapFile{Data: []byte(content)}
	}
	return readTokenizerConfig(dir)
}

func TestConfigNamesTheClass(t *testing.T) {
	for _, c := range []struct{ tokenizer, model, want string }{
		{``, ``, ""},
		{`{"tokenizer_class":"XLMRobertaTokenizer"}`, `{"model_type":"bert"}`, "XLMRobertaTokenizer"},
		{`{"tokenizer_class":"AlbertTokenizerFast"}`, ``, "AlbertTokenizer"},
		{`{"tokenizer_class":null}`, `{"tokenizer_class":"T5Tokenizer","model_type":"mt5"}`, "T5Tokenizer"},
		{`{"tokenizer_class":"PreTrainedTokenizerFast"}`, `{"model_type":"deberta-v2"}`, "DebertaV2Tokenizer"},
		{`{}`, `{"model_type":"camembert"}`, "CamembertTokenizer"},
		{`{}`, `{"model_type":"mine"}`, ""},
	} {
		files := map[string]string{}
		if c.tokenizer != "" {
			files["tokenizer_config.json"] = c.tokenizer
		}
		if c.model != "" {
			files["config.json"] = c.model
		}
		got, err := configOf(files)
		if err != nil || got.class != c.want {
			t.Errorf("%s %s: class %q, %v, want %q", c.tokenizer, c.model, got.class, err, c.want)
		}
	}
}

func TestConfigReadsAddedTokens(t *testing.T) {
	files := map[string]string{
		"tokenizer_config.json":   `{"mask_token":"<mask>","additional_special_tokens":["<a>"]}`,
		"special_tokens_map.json": `{"mask_token":{"content":"<M>","lstrip":true},"additional_special_tokens":["<a>",{"content":"<b>"}]}`,
		"added_tokens.json":       `{"word":7,"<b>":9,"<M>":8}`,
	}
	c, err := configOf(files)
	if err != nil {
		t.Fatal(err)
	}
	if m := c.tokens["mask_token"]; m.Content != "<M>" || !m.LStrip || !m.flagged || m.Normalised {
		t.Errorf("mask_token = %+v", m)
	}
	if len(c.further) != 2 || c.further[1].Content != "<b>" {
		t.Errorf("additional special tokens = %+v", c.further)
	}
	want := []addedToken{{Content: "word", Normalised: true}, {Content: "<M>", Special: true}, {Content: "<b>", Special: true}}
	if len(c.added) != 3 || c.added[0] != want[0] || c.added[1] != want[1] || c.added[2] != want[2] {
		t.Errorf("added tokens = %+v", c.added)
	}
	// added_tokens_decoder says it all by itself
	files["tokenizer_config.json"] = `{"mask_token":"<mask>","added_tokens_decoder":{"12":{"content":"z"},
		"3":{"content":"<mask>","rstrip":true,"special":true}}}`
	if c, err = configOf(files); err != nil {
		t.Fatal(err)
	}
	if m := c.tokens["mask_token"]; m.Content != "<mask>" || !m.RStrip || m.Normalised || c.further != nil {
		t.Errorf("mask_token = %+v, further %v", m, c.further)
	}
	if len(c.added) != 2 || c.added[0].Content != "<mask>" || c.added[1] != (addedToken{Content: "z", Normalised: true}) {
		t.Errorf("added tokens = %+v", c.added)
	}
}

func TestConfigErrorsNameTheFile(t *testing.T) {
	for _, c := range []struct{ name, content, want string }{
		{"tokenizer_config.json", `[`, "reading tokenizer_config.json"},
		{"tokenizer_config.json", `{"tokenizer_class":3}`, "tokenizer_config.json.tokenizer_class"},
		{"tokenizer_config.json", `{"mask_token":3}`, "tokenizer_config.json.mask_token"},
		{"tokenizer_config.json", `{"additional_special_tokens":{}}`, "additional_special_tokens"},
		{"tokenizer_config.json", `{"added_tokens_decoder":{"x":{"content":"a"}}}`, `the id "x" is no number`},
		{"config.json", `{"model_type":[]}`, "config.json.model_type"},
		{"config.json", `null`, "config.json"},
		{"special_tokens_map.json", `{"cls_token":[1]}`, "special_tokens_map.json.cls_token"},
		{"added_tokens.json", `{"a":"b"}`, "added_tokens.json.a"},
		{"added_tokens.json", `{"a":1,"b":1}`, "has the id 1 too"},
	} {
		if _, err := configOf(map[string]string{c.name: c.content}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %s: error %v, want one with %q", c.name, c.content, err, c.want)
		}
	}
}
