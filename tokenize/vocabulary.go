package tokenize

import (
	"cmp"
	"fmt"
	"iter"
	"math"
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

// readVocabulary reads the field vocab, an object of ids by text.
func readVocabulary(o object) (*vocabulary, error) {
	var entries map[string]int64
	if err := o.decode("vocab", &entries); err != nil {
		return nil, err
	}
	v, err := newVocabulary(entries)
	if err != nil {
		return nil, o.errorf("vocab", "%w", err)
	}
	return v, nil
}

// newVocabulary indexes ids by text. Of two texts with one id the first in alphabetical order is the id's.
func newVocabulary(entries map[string]int64) (*vocabulary, error) {
	type entry struct {
		text string
		id   int64
	}
	list := make([]entry, 0, len(entries))
	for text, id := range entries {
		if id < 0 || id > math.MaxInt32 {
			return nil, fmt.Errorf("the id %d of %q is out of range", id, text)
		}
		list = append(list, entry{text, id})
	}
	slices.SortFunc(list, func(a, b entry) int {
		return cmp.Or(cmp.Compare(a.id, b.id), cmp.Compare(a.text, b.text))
	})
	v := &vocabulary{texts: make([]string, len(list)), ids: make([]int32, len(list))}
	for i, e := range list {
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
