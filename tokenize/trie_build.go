package tokenize

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// errTwice is the error of keys that are not distinct.
var errTwice = errors.New("there twice")

// newTrie builds a trie of distinct keys; the empty key is never found.
func newTrie(keys []string) (*trie, error) {
	if len(keys) > maxTrieKeys {
		return nil, fmt.Errorf("%d pieces are more than the %d that fit", len(keys), maxTrieKeys)
	}
	list := sortedTrieKeys(keys)
	for i := 1; i < len(list); i++ {
		if list[i-1].text == list[i].text {
			return nil, fmt.Errorf("the piece %q is %w", list[i].text, errTwice)
		}
	}
	b := trieBuilder{keys: list, free: none}
	// a node without children has base 0 and leads into the first block, which therefore stays empty but for the root
	b.units = make([]trieUnit, openBlock)
	for i := range b.units {
		b.units[i] = newTrieUnit(0, noLabel, 0)
	}
	b.next, b.prev, b.taken = make([]int32, openBlock), make([]int32, openBlock), make([]bool, openBlock)
	if err := b.insert(); err != nil {
		return nil, err
	}
	return &trie{slices.Clip(b.units)}, nil
}

// trieKey is a key with its place in the list of keys.
type trieKey struct {
	text  string
	head  uint64 // the first eight bytes, which mostly decide the order
	index int32
}

// sortedTrieKeys returns the keys that are not empty in alphabetical order.
func sortedTrieKeys(keys []string) []trieKey {
	list := make([]trieKey, 0, len(keys))
	for i, text := range keys {
		if text == "" {
			continue
		}
		k := trieKey{text: text, index: int32(i)}
		for j := range 8 {
			k.head <<= 8
			if j < len(text) {
				k.head |= uint64(text[j])
			}
		}
		list = append(list, k)
	}
	slices.SortFunc(list, func(a, b trieKey) int {
		if a.head != b.head {
			return cmp.Compare(a.head, b.head)
		}
		return strings.Compare(a.text, b.text)
	})
	return list
}

// trieBuilder places nodes depth first, so that what a text leads through lies together, each with its children in one
// block of 256 units. Free units of the last few blocks are kept in a list; what is still free in older ones is given
// up, so that building takes linear time.
type trieBuilder struct {
	keys  []trieKey
	units []trieUnit
	next  []int32 // of the list of free units, a ring; free itself where a unit is used
	prev  []int32
	free  int32  // the unit at which the search begins, or none
	taken []bool // as the base of a node
}

const (
	openBlock  = 256
	openBlocks = 16
)

// grow adds a block of free units and closes the oldest open one.
func (b *trieBuilder) grow() {
	from := len(b.units)
	for i := range openBlock {
		b.units = append(b.units, newTrieUnit(0, noLabel, 0))
		b.next = append(b.next, int32(from+i+1))
		b.prev = append(b.prev, int32(from+i-1))
		b.taken = append(b.taken, false)
	}
	last := int32(from + openBlock - 1)
	if b.free == none {
		b.free = int32(from)
		b.next[last], b.prev[from] = int32(from), last
	} else { // before the unit at which the search begins, that is at the end of the ring
		tail := b.prev[b.free]
		b.next[tail], b.prev[from] = int32(from), tail
		b.next[last], b.prev[b.free] = b.free, last
	}
	if old := from - openBlocks*openBlock; old >= openBlock {
		for i := old; i < old+openBlock; i++ {
			if b.units[i].label() == noLabel {
				b.remove(int32(i))
			}
		}
	}
}

// remove takes a unit off the list.
func (b *trieBuilder) remove(at int32) {
	if b.next[at] == at {
		b.free = none
		return
	}
	b.next[b.prev[at]], b.prev[b.next[at]] = b.next[at], b.prev[at]
	if b.free == at {
		b.free = b.next[at]
	}
}

// trieRange is a node with the keys below it, keys[from:to], all equal up to depth.
type trieRange struct {
	node            uint32
	from, to, depth int32
}

func (b *trieBuilder) insert() error {
	stack := []trieRange{{root, 0, int32(len(b.keys)), 0}}
	var labels []byte
	var starts []int32
	for len(stack) > 0 {
		r := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		labels, starts = labels[:0], starts[:0]
		for i := r.from; i < r.to; i++ {
			key := b.keys[i].text
			if int(r.depth) == len(key) { // the first in order
				b.units[r.node] |= trieUnit(b.keys[i].index + 1)
				continue
			}
			if c := key[r.depth]; len(labels) == 0 || labels[len(labels)-1] != c {
				labels = append(labels, c)
				starts = append(starts, i)
			}
		}
		if len(labels) == 0 {
			continue
		}
		if len(b.units) >= 1<<31-openBlock {
			return fmt.Errorf("the pieces do not fit into 2^31 units")
		}
		base := b.place(labels)
		b.units[r.node] |= newTrieUnit(uint64(base), 0, 0)
		starts = append(starts, r.to)
		for i := len(labels) - 1; i >= 0; i-- {
			child := base ^ uint32(labels[i])
			b.remove(int32(child))
			b.units[child] = newTrieUnit(0, uint64(labels[i]), 0)
			stack = append(stack, trieRange{child, starts[i], starts[i+1], r.depth + 1})
		}
	}
	return nil
}

// place finds a base with room for children of the given labels.
func (b *trieBuilder) place(labels []byte) uint32 {
	if b.free != none {
		for at := b.free; ; {
			if base := uint32(at) ^ uint32(labels[0]); b.fits(base, labels) {
				return base
			}
			if at = b.next[at]; at == b.free {
				break
			}
		}
	}
	at := uint32(len(b.units))
	b.grow()
	base := at ^ uint32(labels[0])
	b.taken[base] = true
	return base
}

// fits takes base if it is free to be one and so is the place of every child.
func (b *trieBuilder) fits(base uint32, labels []byte) bool {
	if b.taken[base] {
		return false
	}
	for _, c := range labels {
		if at := base ^ uint32(c); b.units[at].label() != noLabel {
			return false
		}
	}
	b.taken[base] = true
	return true
}
