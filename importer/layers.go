package importer

// findLayers finds the layers around the attentions, and the hidden states between them.
func (e *Encoder) findLayers() {
	users := make([][]Value, len(e.Ops))
	for i, o := range e.Ops {
		for _, v := range operandsOf(o) {
			if *v != None {
				users[*v] = append(users[*v], Value(i))
			}
		}
	}
	for i, o := range e.Ops {
		a, ok := o.(*Attention)
		if !ok {
			continue
		}
		l := Layer{Query: e.linear(a.Q), Key: e.linear(a.K), Value: e.linear(a.V), PositionKey: e.positions(a.Keys),
			PositionQuery: e.positions(a.Queries), Attention: Value(i), AttentionOutput: None, Norm1: None, Up: None,
			Down: None, Norm2: None}
		l.AttentionOutput = only[*Linear](e, users[i])
		if l.AttentionOutput != None {
			l.Norm1 = e.normOf(users, l.AttentionOutput)
		}
		if l.Norm1 != None {
			l.Up = only[*Linear](e, users[l.Norm1])
		}
		if l.Up != None {
			if f := only[*Activation](e, users[l.Up]); f != None {
				l.Down = only[*Linear](e, users[f])
			}
		}
		if l.Down != None {
			if n := e.normOf(users, l.Down); n != None && e.Ops[n].(*LayerNorm).Residual == l.Norm1 {
				l.Norm2 = n
			}
		}
		e.Layers = append(e.Layers, l)
	}
	e.findHidden()
}

// findHidden fills Hidden for layers that normalise their output: what goes into each layer, and what leaves the last.
func (e *Encoder) findHidden() {
	e.Hidden = nil
	for i, l := range e.Layers {
		if l.Query == None || l.Norm2 == None {
			e.Hidden = nil
			return
		}
		in := e.Ops[l.Query].(*Linear).X
		if i > 0 && in != e.Layers[i-1].Norm2 {
			e.Hidden = nil
			return
		}
		e.Hidden = append(e.Hidden, in)
		if i == len(e.Layers)-1 {
			e.Hidden = append(e.Hidden, l.Norm2)
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

// linear is v if that is a linear map.
func (e *Encoder) linear(v Value) Value {
	if _, ok := e.Ops[v].(*Linear); ok {
		return v
	}
	return None
}

// positions is the linear map that makes a matrix of relative positions.
func (e *Encoder) positions(r *Relative) Value {
	if r == nil {
		return None
	}
	return e.linear(r.X)
}

// normOf is the normalisation of v plus a residual, if v has no other use.
func (e *Encoder) normOf(users [][]Value, v Value) Value {
	n := only[*LayerNorm](e, users[v])
	if n == None || len(users[v]) != 1 || e.Ops[n].(*LayerNorm).X != v {
		return None
	}
	return n
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
