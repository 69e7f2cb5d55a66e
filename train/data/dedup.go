package data

import "encoding/binary"

// Dedup tells which test sentences stand in train too: seen[i] is true where a sentence of train has the words of
// test[i], whatever its tags. Scores over the others tell more of a model, since corpora from Wikipedia repeat up to
// a third of their test sentences in train.
func Dedup(train, test []Sentence) (seen []bool) {
	known := make(map[string]struct{}, len(train))
	var key []byte
	for _, s := range train {
		key = appendKey(key[:0], s.Words)
		known[string(key)] = struct{}{}
	}
	seen = make([]bool, len(test))
	for i, s := range test {
		key = appendKey(key[:0], s.Words)
		_, seen[i] = known[string(key)]
	}
	return seen
}

// appendKey appends bytes that differ for any two different lists of words.
func appendKey(key []byte, words []string) []byte {
	for _, w := range words {
		key = binary.AppendUvarint(key, uint64(len(w)))
		key = append(key, w...)
	}
	return key
}
