package tokenize

import (
	"reflect"
	"sync"
	"testing"
)

func TestOneTokenizerServesManyGoroutines(t *testing.T) {
	texts := []string{
		"The quick brown fox", "漢字とカナ naïve [MASK] e\u0301", "don't 1234 \xff", "  two  spaces\u00a0", "नमस्ते दुनिया", "x",
		"",
	}
	recorded := func(name string) func() *Tokenizer {
		return func() *Tokenizer { return recordedTokenizer(t, name) }
	}
	makers := map[string]func() *Tokenizer{}
	for _, name := range []string{
		"post_processor/roberta", "post_processor/template", "words/unigram", "model/unigram-bytes",
		"pre_tokenizer/llama3", "normalizer/mixed",
		"normalizer/bert-True-True-None-True",
	} {
		makers[name] = recorded(name)
	}
	_, folders := spmFolders()
	for _, f := range folders {
		if f.Name == "plain/unigram" || f.Name == "plain/bpe-unused" || f.Name == "albert" {
			path := f.write(t)
			makers[f.Name] = func() *Tokenizer {
				tok, err := Load(path)
				if err != nil {
					t.Fatal(err)
				}
				return tok
			}
		}
	}
	for name, makeTokenizer := range makers {
		tok := makeTokenizer()
		want := make([]*Encoding, len(texts))
		for i, text := range texts {
			var err error
			if want[i], err = tok.EncodePair(text, texts[0], Options{}); err != nil {
				t.Fatal(err)
			}
		}
		fresh := makeTokenizer()
		var all sync.WaitGroup
		for g := range 16 {
			all.Go(func() {
				for k := range 20 {
					i := (g + k) % len(texts)
					got, err := fresh.EncodePair(texts[i], texts[0], Options{})
					if err != nil || !reflect.DeepEqual(got, want[i]) {
						t.Errorf("%s: %q gives %+v, %v, want %+v", name, texts[i], got, err, want[i])
					}
					if fresh.Decode(got.IDs, true) != tok.Decode(want[i].IDs, true) {
						t.Errorf("%s: decoding %q differs", name, texts[i])
					}
				}
			})
		}
		all.Wait()
	}
}
