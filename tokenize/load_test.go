package tokenize

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestParseErrorsNameThePlace(t *testing.T) {
	model := `"model":{"type":"WordLevel","unk_token":"u","vocab":{"u":0}}`
	bpe := func(merges string) string {
		return `{"model":{"type":"BPE","vocab":{"a":0,"b":1,"ab":2},"merges":` + merges + `}}`
	}
	for _, c := range []struct{ data, want string }{
		{``, "$"},
		{`[]`, "$"},
		{`null`, "$"},
		{`{}`, "$.model"},
		{`{"version":"2.0",` + model + `}`, "$.version"},
		{`{"model":{"type":"Word"}}`, `$.model.type: the type "Word" is not known`},
		{`{"model":{}}`, "$.model.type"},
		{`{"model":{"type":"WordLevel","unk_token":"u","vocab":{"u":-1}}}`, "$.model.vocab"},
		{`{"model":{"type":"WordLevel","unk_token":"u","vocab":{"u":3000000000}}}`, "$.model.vocab"},
		{`{"model":{"type":"WordLevel","unk_token":"u"}}`, "$.model.vocab: the field is missing"},
		{`{"model":{"type":"WordPiece","unk_token":"u","vocab":{},"continuing_subword_prefix":"##"}}`, "$.model.max_input_chars_per_word"},
		{`{"model":{"type":"Unigram","vocab":[["a"]]}}`, "$.model.vocab"},
		{`{"model":{"type":"Unigram","unk_id":1,"vocab":[["a",0]]}}`, "$.model.unk_id"},
		{bpe(`[["a","c"]]`), `$.model.merges[0]: the token "c" is not in the vocabulary`},
		{bpe(`["a b","a b c"]`), "$.model.merges[1]"},
		{bpe(`[["b","a"]]`), `$.model.merges[0]: the token "ba"`},
		{bpe(`[3]`), "$.model.merges[0]"},
		{
			`{` + model + `,"pre_tokenizer":{"type":"Sequence","pretokenizers":[{"type":"Whitespace"},{"type":"Jieba"}]}}`,
			`$.pre_tokenizer.pretokenizers[1].type: the type "Jieba" is not known`,
		},
		{`{` + model + `,"pre_tokenizer":{"type":"Sequence","pretokenizers":[3]}}`, "$.pre_tokenizer.pretokenizers[0]"},
		{
			`{` + model + `,"pre_tokenizer":{"type":"Split","pattern":{"Regex":"(a"},"behavior":"Removed","invert":false}}`,
			"$.pre_tokenizer.pattern.Regex",
		},
		{
			`{` + model + `,"pre_tokenizer":{"type":"Split","pattern":{},"behavior":"Removed","invert":false}}`,
			"$.pre_tokenizer.pattern.Regex",
		},
		{
			`{` + model + `,"pre_tokenizer":{"type":"Split","pattern":{"String":"a"},"behavior":"removed","invert":false}}`,
			"$.pre_tokenizer.behavior",
		},
		{
			`{` + model + `,"pre_tokenizer":{"type":"Split","pattern":{"String":"a"},"behavior":"Removed"}}`,
			"$.pre_tokenizer.invert",
		},
		{`{` + model + `,"pre_tokenizer":{"type":"CharDelimiterSplit","delimiter":"ab"}}`, "$.pre_tokenizer.delimiter"},
		{`{` + model + `,"pre_tokenizer":{"type":"FixedLength","length":0}}`, "$.pre_tokenizer.length"},
		{
			`{` + model + `,"pre_tokenizer":{"type":"Metaspace","replacement":"_","add_prefix_space":false}}`,
			"$.pre_tokenizer.add_prefix_space",
		},
		{
			`{` + model + `,"pre_tokenizer":{"type":"Metaspace","replacement":"_","prepend_scheme":"last"}}`,
			"$.pre_tokenizer.prepend_scheme",
		},
		{
			`{` + model + `,"normalizer":{"type":"Sequence","normalizers":[{"type":"NFX"}]}}`,
			"$.normalizer.normalizers[0].type",
		},
		{`{` + model + `,"normalizer":` + strings.Repeat(`{"type":"Sequence","normalizers":[`, 60) + strings.Repeat(`]}`, 60) + `}`, "nested"},
		{`{` + model + `,"normalizer":{"type":"BertNormalizer","clean_text":null}}`, "$.normalizer.clean_text"},
		{
			`{` + model + `,"normalizer":{"type":"Precompiled","precompiled_charsmap":"!"}}`,
			"$.normalizer.precompiled_charsmap",
		},
		{
			`{` + model + `,"normalizer":{"type":"Precompiled","precompiled_charsmap":"/////w=="}}`,
			"$.normalizer.precompiled_charsmap",
		},
		{`{` + model + `,"post_processor":{"type":"BertProcessing","cls":["a"],"sep":["b",1]}}`, "$.post_processor.cls"},
		{
			`{` + model + `,"post_processor":{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"x","type_id":0}}],"pair":[],"special_tokens":{}}}`,
			"$.post_processor.single[0]",
		},
		{
			`{` + model + `,"post_processor":{"type":"TemplateProcessing","single":[{"Sequence":{"id":"B","type_id":0}}],"pair":[],"special_tokens":{}}}`,
			"$.post_processor.single[0]",
		},
		{
			`{` + model + `,"post_processor":{"type":"TemplateProcessing","single":[],"pair":[{}],"special_tokens":{}}}`,
			"$.post_processor.pair[0]",
		},
		{
			`{` + model + `,"post_processor":{"type":"TemplateProcessing","single":[],"pair":[],"special_tokens":{"x":{"id":"x","ids":[1],"tokens":[]}}}}`,
			"$.post_processor.special_tokens",
		},
		{
			`{` + model + `,"decoder":{"type":"Sequence","decoders":[{"type":"Strip","content":"ab","start":0,"stop":0}]}}`,
			"$.decoder.decoders[0].content",
		},
		{`{` + model + `,"added_tokens":[{"content":3}]}`, "$.added_tokens[0]"},
		{
			`{` + model + `,"padding":{"strategy":"Longest","direction":"Right","pad_id":0,"pad_type_id":0,"pad_token":"p"}}`,
			"$.padding.strategy",
		},
		{`{` + model + `,"truncation":{"max_length":8,"stride":0,"strategy":"Longest"}}`, "$.truncation.strategy"},
	} {
		_, err := Parse([]byte(c.data))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("parsing %s: error %v, want one with %q", c.data, err, c.want)
		}
	}
}

func TestModelWithoutTypeIsToldByItsFields(t *testing.T) {
	for _, c := range []struct{ model, want string }{
		{`{"vocab":{"a":0,"b":1,"ab":2},"merges":["a b"]}`, "ab"},
		{`{"vocab":[["a",-1],["ab",-1.5]],"unk_id":0}`, "ab"},
		{`{"vocab":{"u":0,"ab":1},"unk_token":"u","continuing_subword_prefix":"##","max_input_chars_per_word":9}`, "ab"},
		{`{"vocab":{"u":0,"ab":1},"unk_token":"u"}`, "ab"},
	} {
		e, err := mustParse(t, `{"model":`+c.model+`}`).Encode("ab", Options{})
		if err != nil || !slices.Equal(e.Tokens, []string{c.want}) {
			t.Errorf("%s: %v, %v", c.model, e, err)
		}
	}
}

func TestLoadFindsTheFileOfAFolder(t *testing.T) {
	dir := t.TempDir()
	if _, err := Load(dir); err == nil {
		t.Error("an empty folder is no tokenizer")
	}
	vocab := "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nHello\nhello\n##s\n,\n"
	if err := os.WriteFile(filepath.Join(dir, "vocab.txt"), []byte(vocab), 0o600); err != nil {
		t.Fatal(err)
	}
	tok, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	e, err := tok.EncodePair("Hellos, [MASK]x", "Héllo", Options{})
	if err != nil {
		t.Fatal(err)
	}
	if want := []int32{2, 5, 7, 8, 4, 1, 3, 1, 3}; !slices.Equal(e.IDs, want) {
		t.Errorf("ids = %v, want %v", e.IDs, want)
	}
	if want := []int32{0, 0, 0, 0, 0, 0, 0, 1, 1}; !slices.Equal(e.TypeIDs, want) {
		t.Errorf("type ids = %v, want %v", e.TypeIDs, want)
	}
	lower, err := ParseVocab([]byte(vocab), true)
	if err != nil {
		t.Fatal(err)
	}
	if e, err = lower.Encode("Héllos", Options{}); err != nil || !slices.Equal(e.IDs, []int32{2, 6, 7, 3}) {
		t.Errorf("uncased: %v, %v", e, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "tokenizer.json"), []byte(wordLevelJSON), 0o600); err != nil {
		t.Fatal(err)
	}
	if tok, err = Load(dir); err != nil || tok.VocabSize() != 6 {
		t.Errorf("a tokenizer.json comes first: %v", err)
	}
	if _, err := ParseVocab([]byte("a\nb\n"), false); err == nil {
		t.Error("a vocabulary without [UNK] was taken")
	}
}

func TestVocabTxtTakesTheSettingsBesideIt(t *testing.T) {
	vocab := "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nHéllo\nHello\nhello\nhéllo\n漢\n漢字\n"
	for _, c := range []struct{ config, text, want string }{
		{``, "Héllo 漢字", "Héllo 漢 [UNK]"}, // cased, 漢 apart
		{`{}`, "Héllo", "hello"},          // transformers' default
		{`{"do_lower_case":false}`, "Héllo", "Héllo"},
		{`{"do_lower_case":true}`, "Héllo", "hello"},
		{`{"do_lower_case":true,"strip_accents":false}`, "Héllo", "héllo"},
		{`{"do_lower_case":false,"strip_accents":true}`, "Héllo", "Hello"},
		{`{"do_lower_case":false,"strip_accents":null}`, "Héllo", "Héllo"},
		{`{"do_lower_case":false,"tokenize_chinese_chars":false}`, "漢字", "漢字"},
		{`{"do_lower_case":false,"tokenize_chinese_chars":true}`, "漢字", "漢 [UNK]"},
	} {
		dir := t.TempDir()
		files := map[string]string{"vocab.txt": vocab}
		if c.config != "" {
			files["tokenizer_config.json"] = c.config
		}
		for name, content := range files {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		for _, path := range []string{dir, filepath.Join(dir, "vocab.txt")} {
			tok, err := Load(path)
			if err != nil {
				t.Fatal(err)
			}
			e, err := tok.Encode(c.text, Options{NoSpecial: true})
			if got := strings.Join(e.Tokens, " "); err != nil || !strings.HasPrefix(got, c.want) {
				t.Errorf("%s: %q gives %q, %v, want %q", c.config, c.text, got, err, c.want)
			}
		}
	}
	dir := t.TempDir()
	for name, content := range map[string]string{"vocab.txt": vocab, "tokenizer_config.json": `{"do_lower_case":"no"}`} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Load(dir); err == nil || !strings.Contains(err.Error(), "tokenizer_config.json.do_lower_case") {
		t.Errorf("a broken setting: %v", err)
	}
}

func TestLoadSaysWhatAFolderLacks(t *testing.T) {
	_, err := Load(t.TempDir())
	if err == nil || !strings.Contains(err.Error(), "holds none of tokenizer.json, vocab.txt, sentencepiece.bpe.model") {
		t.Errorf("an empty folder: %v", err)
	}
}

func TestVocabularyAndPadding(t *testing.T) {
	tok := mustParse(t, wordLevelJSON)
	if id, ok := tok.TokenID("[MASK]"); id != 3 || !ok {
		t.Error("TokenID([MASK])", id, ok)
	}
	if s, ok := tok.Token(5); s != "b" || !ok {
		t.Error("Token(5)", s, ok)
	}
	if _, ok := tok.Token(99); ok {
		t.Error("Token(99) is known")
	}
	if _, ok := tok.PadID(); ok {
		t.Error("there is no padding token")
	}
	padded := strings.Replace(wordLevelJSON, `"normalizer":null`, `"padding":{"strategy":{"Fixed":5},"direction":"Left",
		"pad_to_multiple_of":4,"pad_id":9,"pad_type_id":7,"pad_token":"[PAD]"},
		"truncation":{"direction":"Left","max_length":8,"stride":2,"strategy":"OnlyFirst"}`, 1)
	tok = mustParse(t, padded)
	p, ok := tok.Padding()
	if want := (Padding{Length: 5, Multiple: 4, Side: Left, ID: 9, TypeID: 7, Token: "[PAD]"}); !ok || p != want {
		t.Errorf("padding = %+v, want %+v", p, want)
	}
	o, ok := tok.Truncation()
	if want := (Options{MaxLength: 8, Stride: 2, Strategy: OnlyFirst, Side: Left}); !ok || o != want {
		t.Errorf("truncation = %+v, want %+v", o, want)
	}
	if id, ok := tok.PadID(); id != 9 || !ok {
		t.Error("PadID", id, ok)
	}
	e, err := tok.Encode("a b", Options{})
	if err != nil {
		t.Fatal(err)
	}
	p.Apply([]*Encoding{e})
	if want := []int32{9, 9, 9, 9, 1, 4, 5, 2}; !slices.Equal(e.IDs, want) {
		t.Errorf("padded = %v, want %v", e.IDs, want)
	}
	checkSound(t, tok, e, "a b")
	a, _ := tok.Encode("a", Options{})
	b, _ := tok.Encode("a b a b", Options{})
	Padding{ID: 9}.Apply([]*Encoding{a, b})
	if want := []int32{1, 4, 2, 9, 9, 9}; !slices.Equal(a.IDs, want) || b.Len() != 6 {
		t.Errorf("padded to the longest = %v, want %v", a.IDs, want)
	}
}
