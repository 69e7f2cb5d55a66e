package tokenize

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
}

// modelTypes holds the constructor of every type of model.
func modelTypes() map[string]func(object) (model, error) {
	return map[string]func(object) (model, error){
		"Unigram":   newUnigram,
		"WordPiece": newWordPiece,
	}
}

func newModel(o object) (model, error) { return build(o, modelTypes()) }
