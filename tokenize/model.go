package tokenize

import (
	"bytes"
	"iter"
)

// token is one token of a word: bytes [start, end) of the pieces' text.
type token struct {
	id         int32
	start, end int
	text       string
}

// model turns words into tokens. It is safe for use by several goroutines.
type model interface {
	// tokenize appends the tokens of the word text[start:end], which is not empty, to s.tokens.
	tokenize(s *scratch, text []byte, start, end int) error
	// token returns the text of an id.
	token(id int32) (string, bool)
	// id returns the id of a token's text.
	id(text string) (int32, bool)
	// size returns how many tokens there are.
	size() int
	// all yields the tokens with their ids.
	all() iter.Seq2[string, int32]
}

// modelTypes holds the constructor of every type of model.
func modelTypes() map[string]func(object) (model, error) {
	return map[string]func(object) (model, error){
		"BPE":       newBPE,
		"Unigram":   newUnigram,
		"WordLevel": newWordLevel,
		"WordPiece": newWordPiece,
	}
}

// newModel makes the model that o describes. Old files do not name its type; then the fields tell it.
func newModel(o object) (model, error) {
	if o.has("type") {
		return build(o, modelTypes())
	}
	vocab := bytes.TrimSpace(o.fields["vocab"])
	switch {
	case o.has("merges"):
		return newBPE(o)
	case bytes.HasPrefix(vocab, []byte("[")):
		return newUnigram(o)
	case o.has("max_input_chars_per_word"):
		return newWordPiece(o)
	case o.has("unk_token"):
		return newWordLevel(o)
	}
	return nil, o.errorf("type", "%w", errMissing)
}
