package tokenize

import (
	"bytes"
	"fmt"
	"strings"
)

// ParseVocab reads a vocab.txt, one WordPiece a line, as BERT's tokenizer: its normaliser, with lower for models that
// are uncased, its pre-tokenizer, and [CLS] and [SEP] as special tokens.
func ParseVocab(data []byte, lower bool) (*Tokenizer, error) {
	return readVocab(data, &bertNormaliser{clean: true, han: true, accents: lower, lower: lower, flags: charFlags()})
}

// parseVocab reads a vocab.txt with the settings beside it: do_lower_case (where the file has it not, true, as in
// transformers; false without a file), strip_accents (as do_lower_case if null) and tokenize_chinese_chars.
func parseVocab(data []byte, c *tokenizerConfig) (*Tokenizer, error) {
	n := &bertNormaliser{clean: true, flags: charFlags()}
	var err error
	if n.lower, err = c.fields.booleanOr("do_lower_case", c.given); err != nil {
		return nil, err
	}
	if n.accents, err = c.fields.booleanOr("strip_accents", n.lower); err != nil {
		return nil, err
	}
	if n.han, err = c.fields.booleanOr("tokenize_chinese_chars", true); err != nil {
		return nil, err
	}
	return readVocab(data, n)
}

func readVocab(data []byte, n *bertNormaliser) (*Tokenizer, error) {
	lines := bytes.Split(bytes.TrimSuffix(data, []byte("\n")), []byte("\n"))
	entries := make([]vocabularyEntry, len(lines))
	for i, line := range lines {
		entries[i] = vocabularyEntry{strings.ToValidUTF8(string(trimRightSpace(line)), "\uFFFD"), int64(i)}
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
