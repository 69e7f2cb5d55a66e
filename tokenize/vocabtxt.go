package tokenize

import (
	"bytes"
	"fmt"
	"strings"
)

// ParseVocab reads a vocab.txt, one WordPiece a line, as BERT's tokenizer: its normaliser, with lower for models that
// are uncased, its pre-tokenizer, and [CLS] and [SEP] as special tokens.
func ParseVocab(data []byte, lower bool) (*Tokenizer, error) {
	entries := map[string]int64{}
	lines := bytes.Split(bytes.TrimSuffix(data, []byte("\n")), []byte("\n"))
	for i, line := range lines {
		entries[strings.ToValidUTF8(string(trimRightSpace(line)), "\uFFFD")] = int64(i)
	}
	v, err := newVocabulary(entries)
	if err != nil {
		return nil, fmt.Errorf("reading the vocabulary: %w", err)
	}
	for _, special := range []string{"[UNK]", "[CLS]", "[SEP]"} {
		if _, ok := v.id(special); !ok {
			return nil, fmt.Errorf("reading the vocabulary: it has no %s", special)
		}
	}
	n := &bertNormaliser{clean: true, han: true, accents: lower, lower: lower, flags: charFlags()}
	n.init()
	t := &Tokenizer{
		model: makeWordPiece(v, "[UNK]", "##", 100), normaliser: n, preTokenizer: bertPreTokenizer{charFlags()},
		decoder: wordPieceDecoder{"##", true},
	}
	cls, _ := v.id("[CLS]")
	sep, _ := v.id("[SEP]")
	t.plan(bertProcessing{cls: namedID{"[CLS]", cls}, sep: namedID{"[SEP]", sep}})
	var tokens []addedToken
	for _, special := range []string{"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"} {
		if _, ok := v.id(special); ok {
			tokens = append(tokens, addedToken{Content: special, Special: true})
		}
	}
	t.added, err = newAdded(tokens, t.model, n)
	return t, err
}
