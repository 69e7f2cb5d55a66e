package importer

// findLayers finds the layers around the attentions, and the hidden states between them.
func (e *Encoder) findLayers() {
	f := finder{e: e, users: make([][]Value, len(e.Ops))}
	for i := range e.Ops {
		for _, v := range e.Operands(Value(i)) {
			f.users[v] = append(f.users[v], Value(i))
		}
	}
	for i, o := range e.Ops {
		if a, ok := o.(*Attention); ok {
			e.Layers = append(e.Layers, f.layer(Value(i), a))
		}
	}
	f.findHidden()
}

// finder finds layers in an encoder.
type finder struct {
	e     *Encoder
	users [][]Value // by operation
}

// layer is the layer of an attention, as far as it is recognised.
func (f *finder) layer(at Value, a *Attention) Layer {
	l := Layer{Query: f.projection(a.Q), Key: f.projection(a.K), Value: f.projection(a.V),
		PositionKey: f.positions(a.Keys), PositionQuery: f.positions(a.Queries), Attention: at, Input: None, AttentionOutput: None, Norm1: None, Up: None, Gate: None, Down: None, Norm2: None, Output: None}
	if l.Query == None {
		return l
	}
	l.Input = f.e.Ops[l.Query].(*Linear).X
	if l.AttentionOutput = only[*Linear](f.e, f.users[at]); l.AttentionOutput == None {
		return l
	}
	if l.Norm1 = f.normOf(l.AttentionOutput); l.Norm1 != None {
		f.feedForward(&l, l.Norm1)
		if l.Down != None {
			if n := f.normOf(l.Down); n != None && f.e.Ops[n].(*LayerNorm).Residual == l.Norm1 {
				l.Norm2, l.Output = n, n
			}
		}
		return l
	}
	f.normFirst(&l)
	return l
}

// normFirst finds the rest of a layer that normalises what goes into its parts, not their sums. The first layer's input
// may be normalised already.
func (f *finder) normFirst(l *Layer) {
	sum, other := f.sumOf(l.AttentionOutput)
	if sum == None {
		return
	}
	if other != l.Input {
		n, ok := f.e.Ops[l.Input].(*LayerNorm)
		if !ok || n.Residual != None || n.X != other {
			return
		}
		l.Norm1, l.Input = l.Input, other
	}
	l.NormFirst = true
	for _, v := range f.users[sum] {
		n, ok := f.e.Ops[v].(*LayerNorm)
		if !ok || n.Residual != None {
			continue
		}
		if l.Norm2 != None {
			l.Norm2 = None
			return
		}
		l.Norm2 = v
	}
	if l.Norm2 == None {
		return
	}
	f.feedForward(l, l.Norm2)
	if l.Down != None {
		if v, other := f.sumOf(l.Down); other == sum {
			l.Output = v
		}
	}
}

// feedForward finds the linear maps of the feed-forward part that starts from a value: up, an activation, and down; with
// a gate, by which the activation is multiplied, from a map of its own or from columns of up's.
func (f *finder) feedForward(l *Layer, from Value) {
	for _, v := range f.users[from] {
		if _, ok := f.e.Ops[v].(*Linear); !ok {
			continue
		}
		down, activated := f.down(v, deepest)
		switch {
		case down == None || l.Down != None && down != l.Down || activated && l.Up != None || !activated && l.Gate != None:
			l.Up, l.Gate, l.Down = None, None, None
			return
		case activated:
			l.Up = v
		default:
			l.Gate = v
		}
		l.Down = down
	}
	if l.Up == None {
		l.Gate, l.Down = None, None
	}
}

// deepest bounds the operations between the maps of a feed-forward part.
const deepest = 6

// down is the linear map that all of a value goes into, through an activation, columns and products. activated tells
// whether there is an activation on the way.
func (f *finder) down(up Value, depth int) (down Value, activated bool) {
	down = None
	if depth == 0 {
		return None, false
	}
	for _, v := range f.users[up] {
		next := None
		switch f.e.Ops[v].(type) {
		case *Linear:
			next = v
		case *Activation, *Columns, *Mul:
			var deep bool
			next, deep = f.down(v, depth-1)
			_, here := f.e.Ops[v].(*Activation)
			activated = activated || deep || here
		}
		if next == None || down != None && next != down {
			return None, false
		}
		down = next
	}
	return down, activated
}

// findHidden fills Hidden and Last: what goes into each layer and what leaves the last, and that normalised where the
// encoder does so.
func (f *finder) findHidden() {
	e := f.e
	e.Hidden, e.Last = nil, None
	for i, l := range e.Layers {
		if l.Input == None || l.Output == None || i > 0 && l.Input != e.Layers[i-1].Output {
			e.Hidden = nil
			return
		}
		e.Hidden = append(e.Hidden, l.Input)
		if i == len(e.Layers)-1 {
			e.Hidden, e.Last = append(e.Hidden, l.Output), l.Output
			if n := only[*LayerNorm](e, f.users[l.Output]); l.NormFirst && n != None {
				e.Last = n
			}
		}
	}
}

// OutputModule is the module that a layer's output belongs to, in Hugging Face's names: "encoder.layer.0.output", that of
// the feed-forward part's last map "encoder.layer.0.output.dense". Layers that share their weights share it. It is empty
// where that map was not recognised.
func (e *Encoder) OutputModule(l Layer) string {
	if l.Down == None {
		return ""
	}
	return module(e.Ops[l.Down].(*Linear).Module())
}

// projection is the linear map that makes an operand of attention, through rotary embeddings and columns.
func (f *finder) projection(v Value) Value {
	for {
		switch o := f.e.Ops[v].(type) {
		case *Linear:
			return v
		case *Rotary:
			v = o.X
		case *Columns:
			v = o.X
		case *Concat:
			from := f.projection(o.Parts[0].X)
			for _, p := range o.Parts[1:] {
				if f.projection(p.X) != from {
					return None
				}
			}
			return from
		default:
			return None
		}
	}
}

// positions is the linear map that makes a matrix of relative positions.
func (f *finder) positions(r *Relative) Value {
	if r == nil {
		return None
	}
	return f.projection(r.X)
}

// normOf is the normalisation of v plus a residual, if v has no other use.
func (f *finder) normOf(v Value) Value {
	n := only[*LayerNorm](f.e, f.users[v])
	if n == None || len(f.users[v]) != 1 || f.e.Ops[n].(*LayerNorm).X != v {
		return None
	}
	return n
}

// sumOf is the sum of v and another value, if v has no other use.
func (f *finder) sumOf(v Value) (sum, other Value) {
	if len(f.users[v]) != 1 {
		return None, None
	}
	o, ok := f.e.Ops[f.users[v][0]].(*Add)
	switch {
	case ok && o.A == v && o.B != v:
		return f.users[v][0], o.B
	case ok && o.B == v && o.A != v:
		return f.users[v][0], o.A
	}
	return None, None
}

// only returns the one operation of type T among some, None if there is none or several.
func only[T Op](e *Encoder, among []Value) Value {
	found := None
	for _, v := range among {
		if _, ok := e.Ops[v].(T); ok {
			if found != None && found != v {
				return None
			}
			found = v
		}
	}
	return found
}
