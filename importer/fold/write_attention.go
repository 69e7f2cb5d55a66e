package fold

import (
	"math"
	"slices"

	"github.com/seed-aefebe89/graft/importer/onnx"
)

// heads makes [batch, heads, sequence, d] of [batch, sequence, heads·d].
func (w *writer) heads(x *Array, n int) *Array {
	if len(x.Shape) == 4 {
		return x
	}
	if len(x.Shape) != 3 || n < 1 || x.Shape[2]%n != 0 {
		w.fail("%v has no %d heads", x, n)
		return Unknown(x.Type, 1, 1, 1, 1)
	}
	return w.transpose(w.reshape(x, x.Shape[0], x.Shape[1], n, x.Shape[2]/n), 0, 2, 1, 3)
}

// together undoes heads.
func (w *writer) together(x *Array) *Array {
	if len(x.Shape) != 4 {
		w.fail("%v has no heads", x)
		return x
	}
	s := x.Shape
	return w.reshape(w.transpose(x, 0, 2, 1, 3), s[0], s[2], s[1]*s[3])
}

// attention is ONNX's Attention of opsets 23 and 24: softmax(softcap(scale·q·kᵀ) + mask)·v for heads that stand apart or
// together, of which several may share keys and values. The softcap comes before the mask, as onnxruntime and later
// texts of the specification have it.
func attention(w *writer) []*Array {
	q := w.heads(w.In[0], int(w.int("q_num_heads", 0)))
	k := w.heads(w.In[1], int(w.int("kv_num_heads", 0)))
	v := w.heads(w.In[2], int(w.int("kv_num_heads", 0)))
	past := 0
	for i, x := range []**Array{&k, &v} {
		if before := w.in(4 + i); before != nil && w.err == nil {
			if len(before.Shape) != 4 {
				return w.fail("its input %d is %v, want four dimensions", 4+i, before)
			}
			past = before.Shape[2]
			*x = w.concat(2, before, *x)
		}
	}
	if w.err != nil {
		return nil
	}
	out := []*Array{nil, k, v}
	groups := q.Shape[1]
	if k.Shape[1] < 1 || groups%k.Shape[1] != 0 || v.Shape[1] != k.Shape[1] || q.Shape[0] != k.Shape[0] || v.Shape[0] != k.Shape[0] {
		return w.fail("queries %v, keys %v and values %v do not fit", q, k, v)
	}
	k, v = w.shared(k, groups/k.Shape[1]), w.shared(v, groups/v.Shape[1])
	scale := w.float("scale", 0)
	if w.Node.Attribute("scale") == nil {
		scale = 1 / math.Sqrt(float64(q.Shape[3]))
	}
	scores := w.do("MatMul", []*Array{w.mul(q, w.num(scale)), w.transpose(k, 0, 1, 3, 2)})
	modes := []*Array{scores}
	if c := w.float("softcap", 0); c > 0 {
		scores = w.mul(w.of("Tanh", w.div(scores, w.num(c))), w.num(c))
	}
	modes = append(modes, scores)
	if w.err != nil {
		return nil
	}
	bias := w.attentionBias(scores, past)
	if bias != nil {
		scores = w.add(scores, bias)
	}
	modes = append(modes, scores)
	p := w.seen(scores, bias)
	modes = append(modes, p)
	y := w.do("MatMul", []*Array{p, v})
	if len(w.In[0].Shape) == 3 {
		y = w.together(y)
	}
	mode := w.int("qk_matmul_output_mode", 0)
	if mode < 0 || mode > 3 {
		return w.fail("there is no qk_matmul_output_mode %d", mode)
	}
	out[0] = y
	return append(out, modes[mode])
}

// shared repeats each head n times.
func (w *writer) shared(x *Array, n int) *Array {
	if n == 1 {
		return x
	}
	s := x.Shape
	y := w.fill(w.unsqueeze(x, 2), s[0], s[1], n, s[2], s[3])
	return w.reshape(y, s[0], s[1]*n, s[2], s[3])
}

// seen is the softmax of scores, and 0 for a query to which the bias hides every key.
func (w *writer) seen(scores, bias *Array) *Array {
	if bias == nil || len(bias.Shape) == 0 {
		return w.do("Softmax", []*Array{scores}, intAttr("axis", -1))
	}
	top := w.reduce("ReduceMax", bias, true, len(bias.Shape)-1)
	blind := w.do("Equal", []*Array{top, w.num(math.Inf(-1))})
	p := w.do("Softmax", []*Array{w.where(blind, w.num(0), scores)}, intAttr("axis", -1))
	return w.where(blind, w.num(0), p)
}

// attentionBias is what is added to scores [batch, heads, queries, keys]: −∞ where a key is not seen. It is nil where
// nothing is.
func (w *writer) attentionBias(scores *Array, past int) *Array {
	hidden := w.num(math.Inf(-1))
	n, keys := len(scores.Shape), 0
	if n > 0 {
		keys = scores.Shape[n-1]
	}
	var bias *Array
	also := func(x *Array) {
		if bias != nil {
			x = w.add(bias, x)
		}
		bias = x
	}
	if m := w.in(3); m != nil {
		if len(m.Shape) > 0 && m.Shape[len(m.Shape)-1] > 1 && m.Shape[len(m.Shape)-1] < keys {
			pad := w.num(math.Inf(-1))
			if m.Type == onnx.Bool {
				pad = scalar(onnx.Bool, 0)
			}
			last := len(m.Shape) - 1
			m = w.padAxis(m, last, 0, keys-m.Shape[last], "constant", pad)
		}
		if m.Type == onnx.Bool {
			m = w.where(m, w.num(0), hidden)
		}
		also(m)
	}
	if w.int("is_causal", 0) != 0 {
		rows := scores.Shape[n-2]
		seen := &Array{Type: onnx.Bool, Shape: []int{rows, keys}}
		if w.failed(seen.alloc()) {
			return nil
		}
		for i := range seen.Ints {
			seen.Ints[i] = b2i(i%keys <= i/keys+past)
		}
		also(w.where(seen, w.num(0), hidden))
	}
	if lengths := w.in(6); lengths != nil {
		real := w.less(w.count(keys, 0), w.reshape(lengths, lengths.Size(), 1, 1, 1))
		also(w.where(real, w.num(0), hidden))
	}
	return bias
}

// rotaryEmbedding is ONNX's of opset 23: pairs of columns of each head are turned by angles whose cosines and sines are
// given for each token, or for each position.
func rotaryEmbedding(w *writer) []*Array {
	x := w.heads(w.In[0], int(w.int("num_heads", 0)))
	cos, sin := w.In[1], w.In[2]
	if at := w.in(3); at != nil {
		cos, sin = w.gather(cos, at, 0), w.gather(sin, at, 0)
	}
	if w.err != nil {
		return nil
	}
	s := x.Shape
	d := s[3]
	if n := int(w.int("rotary_embedding_dim", 0)); n > 0 {
		d = n
	}
	if d > s[3] || d%2 != 0 || len(cos.Shape) != 3 || len(sin.Shape) != 3 || cos.Shape[2] < d/2 {
		return w.fail("%v is not turned in %d columns by %v", x, d, cos)
	}
	cos, sin = w.unsqueeze(w.upTo(cos, d/2), 1), w.unsqueeze(w.upTo(sin, d/2), 1) // [batch, 1, sequence, d/2]
	rest := []*Array{}
	turned := x
	if d < s[3] {
		turned, rest = w.window(x, 3, 0, d), []*Array{w.window(x, 3, d, s[3])}
	}
	var a, b *Array
	interleaved := w.int("interleaved", 0) != 0
	if interleaved {
		pairs := w.reshape(turned, s[0], s[1], s[2], d/2, 2)
		a, b = w.gather(pairs, scalar(onnx.Int64, 0), 4), w.gather(pairs, scalar(onnx.Int64, 1), 4)
	} else {
		a, b = w.window(turned, 3, 0, d/2), w.window(turned, 3, d/2, d)
	}
	first, second := w.sub(w.mul(a, cos), w.mul(b, sin)), w.add(w.mul(b, cos), w.mul(a, sin))
	var y *Array
	if interleaved {
		y = w.reshape(w.concat(4, w.unsqueeze(first, 4), w.unsqueeze(second, 4)), s[0], s[1], s[2], d)
	} else {
		y = w.concat(3, first, second)
	}
	y = w.concat(3, slices.Concat([]*Array{y}, rest)...)
	if len(w.In[0].Shape) == 3 {
		y = w.together(y)
	}
	return one1(y)
}

// upTo is the first n elements along the last axis.
func (w *writer) upTo(x *Array, n int) *Array {
	last := len(x.Shape) - 1
	if x.Shape[last] == n {
		return x
	}
	return w.window(x, last, 0, n)
}
