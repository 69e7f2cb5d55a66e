package tokenize

import "fmt"

// trieBuilder places nodes breadth first, each with its children in one block of 256 units. Free units of the last few
// blocks are kept in a list; what is still free in older ones is given up, so that building takes linear time.
type trieBuilder struct {
	keys  []string
	order []int32 // of the keys, alphabetical
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

// trieRange is a node with the keys below it, order[from:to], all equal up to depth.
type trieRange struct {
	node            uint32
	from, to, depth int32
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
				b.units[r.node] |= trieUnit(b.order[i] + 1)
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
		for i, c := range labels {
			child := base ^ uint32(c)
			b.remove(int32(child))
			b.units[child] = newTrieUnit(0, uint64(c), 0)
			queue = append(queue, trieRange{child, starts[i], starts[i+1], r.depth + 1})
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
