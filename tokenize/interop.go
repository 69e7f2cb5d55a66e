package tokenize

import (
	"errors"

	sugarme "github.com/sugarme/tokenizer"
)

// Model returns the tokenizer's model by itself, without normaliser and pre-tokenizer, as the interface of
// github.com/sugarme/tokenizer has it. Offsets of its tokens count bytes of the sequence.
func (t *Tokenizer) Model() sugarme.Model { return sugarmeModel{t.model} }

type sugarmeModel struct{ model model }

var _ sugarme.Model = sugarmeModel{}

// Tokenize returns the tokens of one word.
func (m sugarmeModel) Tokenize(sequence string) ([]sugarme.Token, error) {
	text := []byte(newSource(sequence).text)
	if len(text) == 0 {
		return nil, nil
	}
	var s scratch
	if err := m.model.tokenize(&s, text, 0, len(text)); err != nil {
		return nil, err
	}
	tokens := make([]sugarme.Token, len(s.tokens))
	for i, k := range s.tokens {
		tokens[i] = sugarme.Token{Id: int(k.id), Value: k.text, Offsets: []int{k.start, k.end}}
	}
	return tokens, nil
}

// TokenToId returns the id of a token.
func (m sugarmeModel) TokenToId(token string) (int, bool) {
	id, ok := m.model.id(token)
	return int(id), ok
}

// IdToToken returns the token with an id.
func (m sugarmeModel) IdToToken(id int) (string, bool) {
	if int(int32(id)) != id {
		return "", false
	}
	return m.model.token(int32(id))
}

// GetVocab returns the ids of all tokens.
func (m sugarmeModel) GetVocab() map[string]int {
	vocab := make(map[string]int, m.model.size())
	for text, id := range m.model.all() {
		vocab[text] = int(id)
	}
	return vocab
}

// GetVocabSize returns how many tokens there are.
func (m sugarmeModel) GetVocabSize() int { return m.model.size() }

// Save is an error: the model lives in the tokenizer's own file.
func (m sugarmeModel) Save(string, ...string) error {
	return errors.New("a model is saved with its tokenizer.json only")
}
