package tokenize

import (
	"fmt"
	"slices"
	"strings"
)

// trie is a double array over bytes: the child of a node for byte c stands at the node's base XOR c, if its label is c.
// One unit holds base (31 bits), label (9 bits, noLabel in an empty unit) and value (24 bits, index of the key + 1).
type trie struct {
	units []trieUnit
}

// trieUnit is a node, or an empty place.
type trieUnit uint64

func newTrieUnit(base, label, value uint64) trieUnit { return trieUnit(base<<33 | label<<24 | value) }

func (u trieUnit) base() uint32  { return uint32(u >> 33) }
func (u trieUnit) label() uint32 { return uint32(u>>24) & 0x1ff }
func (u trieUnit) value() int32  { return int32(u & (1<<24 - 1)) }

const (
	noLabel     = 0x100
	maxTrieKeys = 1<<24 - 2
)

// root is the place of the empty prefix.
const root = 0

// step returns the node for prefix + c, where node is that for prefix.
func (t *trie) step(node uint32, c byte) (uint32, bool) {
	next := t.units[node].base() ^ uint32(c)
	return next, t.units[next].label() == uint32(c)
}

// key returns the index of the key that ends at node.
func (t *trie) key(node uint32) (int, bool) {
	v := t.units[node].value()
	return int(v) - 1, v > 0
}

// walk returns the node for a prefix.
func (t *trie) walk(prefix string) (uint32, bool) {
	node, ok := uint32(root), true
	for i := 0; i < len(prefix) && ok; i++ {
		node, ok = t.step(node, prefix[i])
	}
	return node, ok
}

// find returns the index of a key.
func (t *trie) find(key string) (int, bool) {
	node, ok := t.walk(key)
	if !ok {
		return 0, false
	}
	return t.key(node)
}

// newTrie builds a trie of distinct keys, two equal ones being an error; the empty key is never found.
func newTrie(keys []string) (*trie, error) {
	if len(keys) > maxTrieKeys {
		return nil, fmt.Errorf("%d pieces are more than the %d that fit", len(keys), maxTrieKeys)
	}
	order := make([]int32, 0, len(keys))
	for i, k := range keys {
		if k != "" {
			order = append(order, int32(i))
		}
	}
	slices.SortFunc(order, func(a, b int32) int { return strings.Compare(keys[a], keys[b]) })
	for i := 1; i < len(order); i++ {
		if keys[order[i-1]] == keys[order[i]] {
			return nil, fmt.Errorf("the piece %q is there twice", keys[order[i]])
		}
	}
	b := trieBuilder{keys: keys, order: order, free: none}
	// a node without children has base 0 and leads into the first block, which therefore stays empty but for the root
	b.units = make([]trieUnit, openBlock)
	for i := range b.units {
		b.units[i] = newTrieUnit(0, noLabel, 0)
	}
	b.next, b.prev, b.taken = make([]int32, openBlock), make([]int32, openBlock), make([]bool, openBlock)
	if err := b.insert(); err != nil {
		return nil, err
	}
	return &trie{b.units}, nil
}
