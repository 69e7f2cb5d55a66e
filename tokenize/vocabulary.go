package tokenize

import (
	"cmp"
	"errors"
	"iter"
	"slices"
)

// vocabulary maps the texts of tokens to ids and back. Keys of its trie are indices into texts and ids.
type vocabulary struct {
	trie   *trie
	texts  []string
	ids    []int32
	dense  []int32         // by id, the index of its text or none
	sparse map[int32]int32 // the same where ids are far apart; dense is nil then
}

// vocabularyEntry is a text with its id.
type vocabularyEntry struct {
	text string
	id   int64
}

// readVocabulary reads the field vocab, an object of ids by text.
func readVocabulary(o object) (*vocabulary, error) {
	raw, ok := o.fields["vocab"]
	if !ok {
		return nil, o.errorf("vocab", "%w", errMissing)
	}
	entries, err := scanIDs(raw)
	if err == nil {
		var v *vocabulary
		if v, err = newVocabulary(entries); err == nil {
			return v, nil
		}
	}
	return nil, o.errorf("vocab", "%w", err)
}

// newVocabulary indexes ids by text. Of equal texts the last counts; of two texts with one id the first in alphabetical
// order is the id's.
func newVocabulary(entries []vocabularyEntry) (*vocabulary, error) {
	v, err := indexEntries(entries)
	if errors.Is(err, errTwice) {
		last := make(map[string]int64, len(entries))
		for _, e := range entries {
			last[e.text] = e.id
		}
		entries = entries[:0]
		for text, id := range last {
			entries = append(entries, vocabularyEntry{text, id})
		}
		v, err = indexEntries(entries)
	}
	return v, err
}

// indexEntries is newVocabulary for distinct texts.
func indexEntries(entries []vocabularyEntry) (*vocabulary, error) {
	order := func(a, b vocabularyEntry) int { return cmp.Or(cmp.Compare(a.id, b.id), cmp.Compare(a.text, b.text)) }
	if !slices.IsSortedFunc(entries, order) {
		entries = slices.Clone(entries)
		slices.SortFunc(entries, order)
	}
	v := &vocabulary{texts: make([]string, len(entries)), ids: make([]int32, len(entries))}
	for i, e := range entries {
		v.texts[i], v.ids[i] = e.text, int32(e.id)
	}
	return v, v.index()
}

// index builds the trie and the way back from ids, once texts and ids are there, ids in ascending order.
func (v *vocabulary) index() (err error) {
	if v.trie, err = newTrie(v.texts); err != nil || len(v.ids) == 0 {
		return err
	}
	if top := int(v.ids[len(v.ids)-1]); top < 2*len(v.ids)+1024 {
		v.dense = make([]int32, top+1)
		for i := range v.dense {
			v.dense[i] = none
		}
	} else {
		v.sparse = make(map[int32]int32, len(v.ids))
	}
	for i := len(v.ids) - 1; i >= 0; i-- {
		if v.dense != nil {
			v.dense[v.ids[i]] = int32(i)
		} else {
			v.sparse[v.ids[i]] = int32(i)
		}
	}
	return nil
}

func (v *vocabulary) size() int { return len(v.texts) }

func (v *vocabulary) all() iter.Seq2[string, int32] {
	return func(yield func(string, int32) bool) {
		for i, text := range v.texts {
			if !yield(text, v.ids[i]) {
				return
			}
		}
	}
}

func (v *vocabulary) id(text string) (int32, bool) {
	if i, ok := v.trie.find(text); ok {
		return v.ids[i], true
	}
	if text == "" { // which a trie does not hold
		if i := slices.Index(v.texts, ""); i >= 0 {
			return v.ids[i], true
		}
	}
	return none, false
}

func (v *vocabulary) token(id int32) (string, bool) {
	at, ok := int32(none), false
	if v.dense != nil {
		if ok = id >= 0 && int(id) < len(v.dense); ok {
			at = v.dense[id]
			ok = at != none
		}
	} else {
		at, ok = v.sparse[id]
	}
	if !ok {
		return "", false
	}
	return v.texts[at], true
}
