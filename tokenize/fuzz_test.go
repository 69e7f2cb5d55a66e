package tokenize

import (
	"strings"
	"testing"
)

// fuzzTexts are encoded with whatever tokenizer the fuzzer makes.
var fuzzTexts = []string{
	"The quick [MASK] fox", "漢字 naïve e\u0301\u0323 \u0344ｶﾞ", "a\r\n\u200d😀\u00ad\t1234", "\xff\xe2\x82x", "",
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(wordLevelJSON))
	for _, data := range recordedTokenizers() {
		if len(data) < 4000 {
			f.Add([]byte(data))
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		tok, err := Parse(data)
		if err != nil {
			return
		}
		for _, text := range fuzzTexts {
			for _, o := range []Options{{}, {MaxLength: 7, Stride: 1, Side: Left}} {
				e, err := tok.EncodePair(text, fuzzTexts[0], o)
				if err != nil {
					continue
				}
				checkSound(t, tok, e, text, fuzzTexts[0])
				tok.Decode(e.IDs, true)
			}
		}
	})
}

func FuzzVocab(f *testing.F) {
	f.Add([]byte("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\n##b\n"), true)
	f.Fuzz(func(t *testing.T, data []byte, lower bool) {
		tok, err := ParseVocab(data, lower)
		if err != nil {
			return
		}
		for _, text := range fuzzTexts {
			e, err := tok.Encode(text, Options{})
			if err != nil {
				t.Fatal(err)
			}
			checkSound(t, tok, e, text)
		}
	})
}

// smallSPMs are the recorded models that are quick to read.
func smallSPMs() [][]byte {
	models, _ := spmFolders()
	return append(models, smallSPM())
}

func FuzzSentencePiece(f *testing.F) {
	for _, model := range smallSPMs() {
		for _, class := range []string{"", "XLMRobertaTokenizer", "AlbertTokenizer", "T5TokenizerFast"} {
			f.Add(model, class)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte, class string) {
		tok, err := ParseSentencePiece(data, class)
		if err != nil {
			return
		}
		for _, text := range fuzzTexts {
			e, err := tok.EncodePair(text, fuzzTexts[0], Options{})
			if err != nil {
				t.Fatal(err)
			}
			checkSound(t, tok, e, text, fuzzTexts[0])
			tok.Decode(e.IDs, true)
		}
	})
}

func FuzzSentencePieceText(f *testing.F) {
	var toks []*Tokenizer
	for i, model := range smallSPMs() {
		for _, class := range []string{"", "T5Tokenizer"} {
			tok, err := ParseSentencePiece(model, class)
			if err != nil && class == "" {
				f.Fatal(i, err)
			} else if err == nil {
				toks = append(toks, tok)
			}
		}
	}
	for i := range toks {
		for _, text := range fuzzTexts {
			f.Add(text, byte(i))
		}
	}
	f.Fuzz(func(t *testing.T, text string, which byte) {
		tok := toks[int(which)%len(toks)]
		e, err := tok.Encode(text, Options{})
		if err != nil {
			t.Fatal(err)
		}
		checkSound(t, tok, e, text)
		tok.Decode(e.IDs, false)
	})
}

func FuzzTokenizerConfig(f *testing.F) {
	_, folders := spmFolders()
	for _, folder := range folders {
		f.Add([]byte(folder.Files["tokenizer_config.json"]), []byte(folder.Files["special_tokens_map.json"]),
			[]byte(`{"x":9}`), []byte(folder.Files["config.json"]))
	}
	f.Fuzz(func(t *testing.T, tokenizer, special, added, model []byte) {
		files := map[string]string{}
		for name, content := range map[string][]byte{
			"tokenizer_config.json": tokenizer, "special_tokens_map.json": special, "added_tokens.json": added, "config.json": model,
		} {
			if len(content) > 0 {
				files[name] = string(content)
			}
		}
		c, err := configOf(files)
		if err != nil {
			return
		}
		for _, parse := range []func() (*Tokenizer, error){
			func() (*Tokenizer, error) { return parseSentencePiece(smallSPM(), c) },
			func() (*Tokenizer, error) { return parseVocab([]byte("[UNK]\n[CLS]\n[SEP]\na\n"), c) },
		} {
			tok, err := parse()
			if err != nil {
				continue
			}
			for _, text := range fuzzTexts {
				e, err := tok.Encode(text, Options{})
				if err != nil {
					t.Fatal(err)
				}
				checkSound(t, tok, e, text)
			}
		}
	})
}

func FuzzEncode(f *testing.F) {
	names := []string{
		"post_processor/roberta", "words/unigram", "model/bpe-affix-fallback", "model/bpe-some-bytes",
		"model/unigram-fused-piece",
		"normalizer/mixed", "normalizer/bert-True-True-None-True", "normalizer/replace-regex", "pre_tokenizer/llama3",
		"pre_tokenizer/scripts",
		"pre_tokenizer/metaspace-first", "added/2-BertNormalizer", "added/5-Prepend", "model/wordpiece",
	}
	var toks []*Tokenizer
	for _, name := range names {
		toks = append(toks, recordedTokenizer(f, name))
	}
	for _, normalised := range []bool{false, true} {
		toks = append(toks, withAdded(f, normalised, addedToken{Content: " ", LStrip: true}, addedToken{Content: "\n", RStrip: true},
			addedToken{Content: "\t ", LStrip: true, RStrip: true}, addedToken{Content: "x", SingleWord: true, RStrip: true}))
	}
	for i := range toks {
		for _, text := range fuzzTexts {
			f.Add(text, "b [MASK]", byte(i), byte(0), byte(0))
		}
	}
	f.Fuzz(func(t *testing.T, a, b string, which, maxLength, flags byte) {
		tok := toks[int(which)%len(toks)]
		o := Options{
			MaxLength: int(maxLength % 32), Stride: int(flags & 3), Strategy: Truncation(flags >> 2 & 3 % 3),
			Side: Side(flags >> 4 & 1), Full: flags>>5&1 != 0, NoSpecial: flags>>6&1 != 0,
		}
		if o.Stride > 0 && o.MaxLength > 0 && len(a)+len(b) > 200 {
			return // as many overflowing encodings as products of both
		}
		e, err := tok.EncodePair(a, b, o)
		if err == nil {
			checkSound(t, tok, e, a, b)
			tok.Decode(e.IDs, flags>>7 != 0)
		} else if o.MaxLength == 0 {
			t.Fatalf("encoding %q and %q: %v", a, b, err)
		}
		if _, err := tok.EncodeWords(strings.Fields(a), Options{}); err != nil {
			t.Fatal(err)
		}
	})
}

func FuzzRegex(f *testing.F) {
	for name := range recordedTokenizers() {
		if pattern, ok := strings.CutPrefix(name, "regex/"); ok {
			f.Add(pattern, "aab abc 12 漢字é\n")
		}
	}
	f.Add(byteLevelPattern, " don't  stop")
	f.Fuzz(func(t *testing.T, pattern, text string) {
		re, err := compileRegex(newSource(pattern).text)
		if err != nil || len(text) > 1000 {
			return
		}
		text = newSource(text).text
		last := 0
		_ = re.findAll([]byte(text), func(start, end int) {
			if start < last || end < start || end > len(text) {
				t.Fatalf("%q in %q: match [%d, %d) after %d", pattern, text, start, end, last)
			}
			last = end
		})
	})
}
