package tokenize

import (
	"fmt"
	"slices"
	"strings"
)

// trie is a double array over bytes: the child of a node for byte c stands at the node's base XOR c, if its label is c.
// One unit holds base (31 bits), label (9 bits, noLabel in an empty unit) and value (24 bits, index of the key + 1).
type trie struct {
	units []uint64
}

const (
	noLabel     = 0x100
	maxTrieKeys = 1<<24 - 2
)

func trieUnit(base, label, value uint64) uint64 { return base<<33 | label<<24 | value }

// root is the place of the empty prefix.
const root = 0

// step returns the node for prefix + c, where node is that for prefix.
func (t *trie) step(node uint32, c byte) (uint32, bool) {
	next := uint32(t.units[node]>>33) ^ uint32(c)
	return next, t.units[next]>>24&0x1ff == uint64(c)
}

// key returns the index of the key that ends at node.
func (t *trie) key(node uint32) (int, bool) {
	v := int(t.units[node] & (1<<24 - 1))
	return v - 1, v > 0
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

// newTrie builds a trie of distinct keys; the empty key is never found.
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
	b := trieBuilder{keys: keys, order: order}
	b.grow()
	b.grow()
	// a node without children has base 0 and leads into the first block, which therefore stays empty but for the root
	b.used[root] = true
	b.firstFree = 256
	if err := b.insert(); err != nil {
		return nil, err
	}
	return &trie{b.units}, nil
}

// trieBuilder places nodes breadth first, each with its children in one block of 256 units.
type trieBuilder struct {
	keys      []string
	order     []int32
	units     []uint64
	used      []bool // by a node
	taken     []bool // as the base of a node
	firstFree int    // no unit below is free
}

// grow adds an empty block.
func (b *trieBuilder) grow() {
	for range 256 {
		b.units = append(b.units, trieUnit(0, noLabel, 0))
	}
	b.used = append(b.used, make([]bool, 256)...)
	b.taken = append(b.taken, make([]bool, 256)...)
}

// trieRange is a node with the keys below it, order[from:to], all equal up to depth.
type trieRange struct {
	node     uint32
	from, to int32
	depth    int32
}

func (b *trieBuilder) insert() error {
	queue := []trieRange{{root, 0, int32(len(b.order)), 0}}
	var labels []byte
	var starts []int32
	for len(queue) > 0 {
		r := queue[0]
		queue = queue[1:]
		labels, starts = labels[:0], starts[:0]
		for i := r.from; i < r.to; i++ {
			key := b.keys[b.order[i]]
			if int(r.depth) == len(key) { // the first in order
				b.units[r.node] |= uint64(b.order[i]) + 1
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
		base := b.place(labels)
		if base >= 1<<31 {
			return fmt.Errorf("the pieces do not fit into 2^31 units")
		}
		b.units[r.node] |= uint64(base) << 33
		starts = append(starts, r.to)
		for i, c := range labels {
			child := base ^ uint32(c)
			b.used[child] = true
			b.units[child] = trieUnit(0, uint64(c), 0)
			queue = append(queue, trieRange{child, starts[i], starts[i+1], r.depth + 1})
		}
	}
	return nil
}

// place finds a base with room for children of the given labels. Only the last few blocks are searched, so that
// building stays linear.
func (b *trieBuilder) place(labels []byte) uint32 {
	const window = 16 * 256
	for b.firstFree < len(b.used) && b.used[b.firstFree] {
		b.firstFree++
	}
	for at := max(b.firstFree, len(b.used)-window); ; at++ {
		if at >= len(b.used) {
			b.grow()
		}
		if b.used[at] {
			continue
		}
		base := uint32(at) ^ uint32(labels[0])
		if b.taken[base] || !b.free(base, labels) {
			continue
		}
		b.taken[base] = true
		return base
	}
}

func (b *trieBuilder) free(base uint32, labels []byte) bool {
	for _, c := range labels {
		if b.used[base^uint32(c)] {
			return false
		}
	}
	return true
}
