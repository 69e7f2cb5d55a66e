package tokenize

import (
	"errors"
	"fmt"
	"iter"
	"strings"
)

// ParseSentencePiece reads a SentencePiece model (Unigram or BPE), usually sentencepiece.bpe.model, spiece.model,
// spm.model or tokenizer.model.
//
// The class is that of the tokenizer in Hugging Face's transformers, which says what ids and special tokens the pieces
// get, as tokenizer_class in tokenizer_config.json does: AlbertTokenizer, BigBirdTokenizer, CamembertTokenizer,
// DebertaV2Tokenizer, FNetTokenizer, MT5Tokenizer, RemBertTokenizer, T5Tokenizer, XLMRobertaTokenizer or
// XLNetTokenizer, each also with Fast at its end. The tokenizer then gives what the fast tokenizer gives that
// transformers 4 makes of the file.
//
// Without a class, or with one that is not known, it gives what SentencePiece itself gives (version 0.2.3): the file's
// ids, no special tokens, words beginning where U+2581 stands. Then a character that becomes bytes gives its span to all
// of them. A class whose ids transformers arranges in a way that is not known here is an error.
func ParseSentencePiece(data []byte, class string) (*Tokenizer, error) {
	return parseSentencePiece(data, &tokenizerConfig{class: strings.TrimSuffix(class, "Fast")})
}

func parseSentencePiece(data []byte, c *tokenizerConfig) (*Tokenizer, error) {
	f, err := readSPM(data)
	if err != nil {
		return nil, err
	}
	if f.kind != spmUnigramKind && f.kind != spmBPEKind {
		names := map[uint64]string{3: "WORD", 4: "CHAR"}
		return nil, fmt.Errorf("reading the SentencePiece model: the type %d %s is neither UNIGRAM nor BPE", f.kind, names[f.kind])
	}
	if class, ok := spmClasses()[c.class]; ok {
		t, err := class.convert(f, c)
		return t, within(err, "converting the SentencePiece model for the class %s", c.class)
	}
	if otherSPMClasses[c.class] {
		return nil, fmt.Errorf("converting the SentencePiece model: what ids the class %s gives is not known here; "+
			"let transformers save a tokenizer.json", c.class)
	}
	t, err := plainSPM(f)
	return t, within(err, "reading the SentencePiece model")
}

// plainSPM makes the tokenizer that SentencePiece itself is.
func plainSPM(f *spmFile) (*Tokenizer, error) {
	v, err := newSPMVocabulary(f)
	if err != nil {
		return nil, err
	}
	n, err := newSPMNormaliser(f.normal, v.user)
	if err != nil {
		return nil, within(err, "normalizer_spec")
	}
	n.suffix = f.suffix
	d := &spmDecoder{vocabulary: v, spec: f.normal, surface: f.surface}
	if len(f.denormal.charsmap) > 0 {
		if d.denormaliser, err = newSPMNormaliser(f.denormal, nil); err != nil {
			return nil, within(err, "denormalizer_spec")
		}
	}
	t := &Tokenizer{normaliser: n, decoder: d, marks: &markedWords{mark: spaceMark, ends: f.suffix}}
	if f.kind == spmBPEKind {
		t.model = newSPMBPE(v)
	} else {
		t.model = newSPMUnigram(v)
	}
	t.plan(nil)
	t.added, err = newAdded(nil, t.model, nil)
	return t, err
}

// spmVocabulary is the pieces of a SentencePiece model as it looks them up itself.
type spmVocabulary struct {
	pieces       []spmPiece
	trie         *trie            // of those that a text may become
	reserved     map[string]int32 // of the others: control, unknown and bytes
	user         *trie            // of those that are never cut; nil if there are none
	unknown      int32            // or none
	byteFallback bool
	bytes        [256]int32
}

func newSPMVocabulary(f *spmFile) (*spmVocabulary, error) {
	v := &spmVocabulary{pieces: f.pieces, reserved: map[string]int32{}, unknown: none, byteFallback: f.byteFallback}
	keys, users := make([]string, len(f.pieces)), make([]string, len(f.pieces))
	anyUser := false
	for i, p := range f.pieces {
		switch p.kind {
		case userPiece:
			users[i], anyUser = p.text, true
			fallthrough
		case normalPiece, unusedPiece:
			keys[i] = p.text
			continue
		case unknownPieceKind:
			if v.unknown != none {
				return nil, fmt.Errorf("pieces[%d]: the pieces %q and %q are both the unknown one", i, f.pieces[v.unknown].text, p.text)
			}
			v.unknown = int32(i)
		}
		if _, again := v.reserved[p.text]; again {
			return nil, fmt.Errorf("pieces[%d]: the piece %q is there twice", i, p.text)
		}
		v.reserved[p.text] = int32(i)
	}
	if v.unknown == none && !f.byteFallback {
		return nil, errors.New("no piece is the unknown one")
	}
	for c := range v.bytes {
		id, ok := v.reserved[byteName(byte(c))]
		if ok = ok && f.pieces[id].kind == bytePiece; f.byteFallback && !ok {
			return nil, fmt.Errorf("byte_fallback is set, but there is no piece %s", byteName(byte(c)))
		}
		v.bytes[c] = id
	}
	var err error
	if v.trie, err = newTrie(keys); err == nil && anyUser {
		v.user, err = newTrie(users)
	}
	return v, err
}

// byteName is the piece for a byte.
func byteName(c byte) string { return fmt.Sprintf("<0x%02X>", c) }

// find returns the piece that a text may become.
func (v *spmVocabulary) find(text []byte) (int32, bool) {
	node, ok := uint32(root), true
	for i := 0; i < len(text) && ok; i++ {
		node, ok = v.trie.step(node, text[i])
	}
	if !ok {
		return none, false
	}
	id, ok := v.trie.key(node)
	return int32(id), ok
}

// emit appends the tokens of a piece, text[from:to]. Unknown pieces in a row are one token, or each becomes its bytes.
func (v *spmVocabulary) emit(s *scratch, first int, text []byte, id int32, from, to int) {
	if id != v.unknown {
		s.tokens = append(s.tokens, token{id, from, to, v.pieces[id].text})
		return
	}
	if v.byteFallback {
		for _, c := range text[from:to] {
			s.tokens = append(s.tokens, token{v.bytes[c], from, to, v.pieces[v.bytes[c]].text})
		}
		return
	}
	if n := len(s.tokens); n > first && s.tokens[n-1].id == v.unknown {
		s.tokens[n-1].end = to
		return
	}
	s.tokens = append(s.tokens, token{id, from, to, ""})
}

// nameUnknown gives the unknown tokens from the first on their texts, once they have all been put together.
func (v *spmVocabulary) nameUnknown(s *scratch, first int, text []byte) {
	for i := first; i < len(s.tokens); i++ {
		if t := &s.tokens[i]; t.id == v.unknown {
			t.text = string(text[t.start:t.end])
		}
	}
}

// id returns the id of a token's text.
func (v *spmVocabulary) id(text string) (int32, bool) {
	if id, ok := v.reserved[text]; ok {
		return id, true
	}
	return v.find([]byte(text))
}

func (v *spmVocabulary) token(id int32) (string, bool) {
	if id < 0 || int(id) >= len(v.pieces) {
		return "", false
	}
	return v.pieces[id].text, true
}

func (v *spmVocabulary) size() int { return len(v.pieces) }

func (v *spmVocabulary) all() iter.Seq2[string, int32] {
	return func(yield func(string, int32) bool) {
		for i, p := range v.pieces {
			if !yield(p.text, int32(i)) {
				return
			}
		}
	}
}
