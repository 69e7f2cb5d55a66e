package importer

import (
	"fmt"
	"slices"
)

// terms takes what is added to the scores apart: masks, and at most one bias by position. It tells whether that is all.
func (r *recogniser) terms(sc *scores, name string) bool {
	name = r.s.g.resolve(name)
	v := r.s.value(name)
	if v == nil || v.kind == parameter {
		return false
	}
	n := r.s.g.producer(name)
	a, b, sum := r.operands(n, "Add")
	sum = sum && len(sc.nodes) < maxChain
	apart := func() bool {
		sc.nodes = append(slices.Clone(sc.nodes), n)
		return r.terms(sc, a) && r.terms(sc, b)
	}
	switch {
	case v.positional && (v.kind == activation || !r.isMask(name, sc.scale)):
		ok := sc.bias == "" && sc.scale == 1
		sc.bias = name
		return ok
	case v.kind == activation:
		return sum && apart()
	case sum && r.isPositional(a) != r.isPositional(b) && !(r.isMask(a, sc.scale) && r.isMask(b, sc.scale)):
		return apart()
	}
	sc.masks = append(sc.masks, mask{name, added, sc.scale})
	return true
}

// isMask tells whether a value that no weight enters and that is added to the scores hides some of them and leaves the
// others as they are, for sequences without padding.
func (r *recogniser) isMask(name string, scale float64) bool {
	a, err := r.s.compute(name, r.s.feeds(slices.Repeat([]int{r.s.seq}, r.s.batch)))
	if err != nil {
		return true // which checking the masks tells more of
	}
	for i := range a.Size() {
		if x := a.At(i) * scale; x != 0 && !(x <= hidden) {
			return false
		}
	}
	return true
}

// bias recognises what is added to the scores of h heads by the distance of key and query: rows of a table, one for each
// bucket of distances, moved to [batch, head, query, key] (Raffel et al. 2020, T5; MPNet). It returns nil where there is no
// table.
func (r *recogniser) bias(name string, h int) (*Weight, int, error) {
	from, chain := r.s.g.resolve(name), []move(nil)
	for {
		n := r.s.g.producer(from)
		if len(chain) == maxChain || !r.moves(n) {
			break
		}
		chain = append([]move{{n, slices.Index(n.Outputs, from)}}, chain...)
		from = r.s.g.resolve(n.Inputs[0])
	}
	n := r.s.g.producer(from)
	table, rows, ok := r.operands(n, "Gather")
	if !ok || r.s.value(table).kind != parameter {
		return nil, 0, nil
	}
	t, i := r.s.value(table), r.s.value(rows)
	seq := r.s.seq
	if a := n.Attribute("axis"); a != nil && a.I != 0 || t.param.trans || len(t.Shape) != 2 ||
		t.Shape[1] != h || i.kind > index || !slices.Equal(i.Shape, []int{seq, seq}) {
		return nil, 0, fmt.Errorf("%v adds rows of %v by %v to the scores, want a column for each of %d heads, by query "+
			"and key", n, t.Array, i.Array, h)
	}
	at, err := r.trace(from, chain)
	if err != nil {
		return nil, 0, err
	}
	for k, x := range at {
		key, query, head := k%seq, k/seq%seq, k/(seq*seq)%h
		if len(at)%(h*seq*seq) != 0 || x != int64((query*seq+key)*h+head) {
			return nil, 0, fmt.Errorf("%v: the bias %q is not by head, query and key", n, name)
		}
	}
	buckets, err := r.bucketsOf(rows)
	if err != nil {
		return nil, 0, err
	}
	return r.weight(t.param, parameterName(t.param.tensor.Name, n, "weight")), buckets, nil
}
