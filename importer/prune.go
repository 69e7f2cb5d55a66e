package importer

import "slices"

// operandsOf returns where an operation keeps its operands.
func operandsOf(o Op) []*Value {
	switch o := o.(type) {
	case *Linear:
		return []*Value{&o.X}
	case *LayerNorm:
		return []*Value{&o.X, &o.Residual}
	case *Activation:
		return []*Value{&o.X}
	case *Add:
		return []*Value{&o.A, &o.B}
	case *Mul:
		return []*Value{&o.A, &o.B}
	case *Columns:
		return []*Value{&o.X}
	case *Concat:
		var at []*Value
		for i := range o.Parts {
			at = append(at, &o.Parts[i].X)
		}
		return at
	case *Rotary:
		return []*Value{&o.X}
	case *Attention:
		at := []*Value{&o.Q, &o.K, &o.V}
		for _, r := range o.relatives() {
			at = append(at, &r.X)
		}
		return at
	case *First:
		return []*Value{&o.X}
	case *Mean:
		return []*Value{&o.X}
	case *Normalise:
		return []*Value{&o.X}
	}
	return nil
}

// weightsOf lists an operation's weights; some may be nil.
func weightsOf(o Op) []*Weight {
	switch o := o.(type) {
	case *Embedding:
		return o.Tables
	case *PositionTable:
		return []*Weight{o.W}
	case *Linear:
		return []*Weight{o.W, o.Bias}
	case *LayerNorm:
		return []*Weight{o.Gamma, o.Beta}
	case *Attention:
		return []*Weight{o.Bias}
	}
	return nil
}

// prune drops what no output needs: the operations of outputs that were not recognised to the end, their weights and
// their indexes.
func (e *Encoder) prune() {
	used := make([]bool, len(e.Ops))
	for _, o := range e.Outputs {
		used[o.Value] = true
	}
	for i := len(e.Ops) - 1; i >= 0; i-- { // operands come before
		for _, v := range operandsOf(e.Ops[i]) {
			if used[i] && *v != None {
				used[*v] = true
			}
		}
	}
	now := make([]Value, len(e.Ops)) // where each operation moves
	var ops []Op
	weights := map[*Weight]bool{}
	for i, o := range e.Ops {
		if !used[i] {
			continue
		}
		now[i] = Value(len(ops))
		ops = append(ops, o)
		for _, v := range operandsOf(o) {
			if *v != None {
				*v = now[*v]
			}
		}
		for _, w := range weightsOf(o) {
			weights[w] = true
		}
	}
	for i := range e.Outputs {
		e.Outputs[i].Value = now[e.Outputs[i].Value]
	}
	e.Ops = ops
	e.Weights = slices.DeleteFunc(e.Weights, func(w *Weight) bool { return !weights[w] })
	e.pruneIndexes()
	e.pruneDistances()
}

// pruneIndexes drops the indexes, tables and buckets that no operation refers to.
func (e *Encoder) pruneIndexes() {
	indexes, tables, buckets := &kept[Index]{from: e.Indexes}, &kept[Table]{from: e.Tables}, &kept[Buckets]{from: e.Buckets}
	var slopes []*Slopes
	for _, o := range e.Ops {
		switch o := o.(type) {
		case *Embedding:
			for k := range o.Index {
				indexes.keep(&o.Index[k])
			}
		case *Rotary:
			tables.keep(&o.Cos)
			tables.keep(&o.Sin)
		case *Attention:
			if o.Bias != nil {
				buckets.keep(&o.Buckets)
			}
			if o.Slopes != nil && !slices.Contains(slopes, o.Slopes) {
				slopes = append(slopes, o.Slopes)
			}
		}
	}
	e.Indexes, e.Tables, e.Buckets, e.Slopes = indexes.to, tables.to, buckets.to, slopes
}

// kept are those elements of a list that are referred to, in a new list.
type kept[T any] struct {
	from, to []T
	now      map[int]int
}

// keep changes a number in the old list to the one in the new.
func (k *kept[T]) keep(i *int) {
	if k.now == nil {
		k.now = map[int]int{}
	}
	if _, ok := k.now[*i]; !ok {
		k.now[*i] = len(k.to)
		k.to = append(k.to, k.from[*i])
	}
	*i = k.now[*i]
}

// Operands are the values that an operation is computed of, without those that it lacks.
func (e *Encoder) Operands(v Value) []Value {
	var out []Value
	for _, x := range operandsOf(e.Ops[v]) {
		if *x != None {
			out = append(out, *x)
		}
	}
	return out
}

// WeightsOf are the weights of an operation, without those that it lacks.
func (e *Encoder) WeightsOf(v Value) []*Weight {
	return slices.DeleteFunc(slices.Clone(weightsOf(e.Ops[v])), func(w *Weight) bool { return w == nil })
}

// pruneDistances drops the distances that no attention refers to.
func (e *Encoder) pruneDistances() {
	var distances []*Distance
	now := map[int]int{}
	for _, o := range e.Ops {
		a, ok := o.(*Attention)
		if !ok {
			continue
		}
		for _, r := range a.relatives() {
			if _, ok := now[r.Distance]; !ok {
				now[r.Distance] = len(distances)
				distances = append(distances, e.Distances[r.Distance])
			}
			r.Distance = now[r.Distance]
		}
	}
	e.Distances = distances
}
