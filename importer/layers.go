package importer

// findLayers finds the layers around the attentions, and the hidden states between them.
func (e *Encoder) findLayers() {
	users := make([][]Value, len(e.Ops))
	use := func(v, by Value) {
		if v != None {
			users[v] = append(users[v], by)
		}
	}
	for i, o := range e.Ops {
		by := Value(i)
		switch o := o.(type) {
		case *Linear:
			use(o.X, by)
		case *LayerNorm:
			use(o.X, by)
			use(o.Residual, by)
		case *Activation:
			use(o.X, by)
		case *Add:
			use(o.A, by)
			use(o.B, by)
		case *Attention:
			use(o.Q, by)
			use(o.K, by)
			use(o.V, by)
		case *First:
			use(o.X, by)
		}
	}
	for i, o := range e.Ops {
		a, ok := o.(*Attention)
		if !ok {
			continue
		}
		l := Layer{Query: e.linear(a.Q), Key: e.linear(a.K), Value: e.linear(a.V), Attention: Value(i),
			AttentionOutput: None, Norm1: None, Up: None, Down: None, Norm2: None}
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

// linear is v if that is a linear map.
func (e *Encoder) linear(v Value) Value {
	if _, ok := e.Ops[v].(*Linear); ok {
		return v
	}
	return None
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
