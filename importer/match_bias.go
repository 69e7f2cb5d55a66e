package importer

import (
	"fmt"
	"slices"
)

// terms takes what is added to the scores apart: masks, and at most one bias by position. It tells whether that is all.
func (r *recogniser) terms(sc *scores, name string) bool {
	name = r.s.g.resolve(name)
	v := r.s.value(name)
	switch {
	case v == nil || v.kind == parameter:
		return false
	case v.kind != activation:
		sc.masks = append(sc.masks, mask{name, added, sc.scale})
		return true
	case v.positional:
		ok := sc.bias == "" && sc.scale == 1
		sc.bias = name
		return ok
	}
	n := r.s.g.producer(name)
	a, b, ok := r.operands(n, "Add")
	if !ok || len(sc.nodes) == maxChain {
		return false
	}
	sc.nodes = append(slices.Clone(sc.nodes), n)
	return r.terms(sc, a) && r.terms(sc, b)
}

// bias recognises what is added to the scores of h heads by the distance of key and query: rows of a table, one for each
// bucket of distances, moved to [batch, head, query, key] (Raffel et al. 2020, T5; MPNet).
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
	if !ok {
		return nil, 0, fmt.Errorf("%v adds %q to the scores, which graft does not recognise: no rows of a table", n, name)
	}
	t, i := r.s.value(table), r.s.value(rows)
	seq := r.s.seq
	if a := n.Attribute("axis"); a != nil && a.I != 0 || t.kind != parameter || t.param.trans || len(t.Shape) != 2 ||
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
