package tokenize

import (
	"encoding/json"
	"sync"
	"testing"
	"unicode/utf8"
)

// wordLevelJSON is a tokenizer whose words are tokens by themselves, unknown ones <unk>.
const wordLevelJSON = `{"version":"1.0","added_tokens":[{"id":3,"content":"[MASK]","single_word":false,"lstrip":true,
"rstrip":false,"normalized":false,"special":true}],"normalizer":null,"pre_tokenizer":{"type":"WhitespaceSplit"},
"post_processor":{"type":"BertProcessing","cls":["<s>",1],"sep":["</s>",2]},"decoder":null,
"model":{"type":"WordLevel","unk_token":"<unk>","vocab":{"<unk>":0,"<s>":1,"</s>":2,"[MASK]":3,"a":4,"b":5}}}`

func mustParse(t testing.TB, data string) *Tokenizer {
	t.Helper()
	tok, err := Parse([]byte(data))
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

// recordedTokenizers are the tokenizers of testdata/cases.jsonl.gz, by name.
var recordedTokenizers = sync.OnceValue(func() map[string]json.RawMessage {
	all := map[string]json.RawMessage{}
	lines, err := caseLines()
	if err != nil {
		panic(err)
	}
	for _, line := range lines {
		var r recorded
		if err := json.Unmarshal(line, &r); err != nil {
			panic(err)
		}
		all[r.Name] = r.Tokenizer
	}
	return all
})

func recordedTokenizer(t testing.TB, name string) *Tokenizer {
	t.Helper()
	data, ok := recordedTokenizers()[name]
	if !ok {
		t.Fatalf("no tokenizer %q is recorded", name)
	}
	return mustParse(t, string(data))
}

// checkSound checks what holds for every encoding of a text.
func checkSound(t testing.TB, tok *Tokenizer, e *Encoding, texts ...string) {
	t.Helper()
	n := e.Len()
	if len(e.Tokens) != n || len(e.Bytes) != n || len(e.Runes) != n || len(e.Words) != n || len(e.Sequences) != n ||
		len(e.TypeIDs) != n || len(e.SpecialMask) != n {
		t.Fatalf("fields of different lengths: %+v", e)
	}
	for i := range n {
		if e.Sequences[i] < 0 {
			if e.Words[i] != -1 || e.Bytes[i] != (Span{}) || e.Runes[i] != (Span{}) {
				t.Fatalf("the special token %d has a place: %+v", i, e)
			}
			continue
		}
		text := texts[e.Sequences[i]]
		b, r := e.Bytes[i], e.Runes[i]
		if b.Start < 0 || b.End > len(text) || b.Start > b.End || r.Start < 0 || r.Start > r.End || e.Words[i] < 0 {
			t.Fatalf("token %d of %q: bytes %v, runes %v, word %d", i, text, b, r, e.Words[i])
		}
		if utf8.ValidString(text) {
			if utf8.RuneCountInString(text[:b.Start]) != r.Start || utf8.RuneCountInString(text[:b.End]) != r.End {
				t.Fatalf("token %d of %q: bytes %v are not runes %v", i, text, b, r)
			}
		}
	}
	for _, o := range e.Overflow {
		checkSound(t, tok, o, texts...)
	}
}
