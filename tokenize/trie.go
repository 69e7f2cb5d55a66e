package tokenize

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
