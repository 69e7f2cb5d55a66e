package importer

import (
	"fmt"
	"math"

	"github.com/seed-aefebe89/graft/importer/onnx"
)

// packedAttention writes com.microsoft.Attention: x·[Wq Wk Wv] + [bq bk bv], one product for each of the three, and the
// attention of the heads in them.
func packedAttention(e *emitter, n *onnx.Node, know knowledge) error {
	if err := e.need(2); err != nil {
		return err
	}
	for _, i := range []int{4, 6, 7} { // past, its length, and what more there may be
		if e.input(i) != "" {
			return fmt.Errorf("graft does not know its input %d, %q", i, e.input(i))
		}
	}
	if err := e.unwanted(1); err != nil {
		return err
	}
	for _, name := range []string{"unidirectional", "do_rotary"} {
		if e.intOr(name, 0) != 0 {
			return fmt.Errorf("graft does not know %s attention", name)
		}
	}
	w := e.x.inits[e.input(1)]
	if w == nil || len(w.Dims) != 2 {
		return fmt.Errorf("its weights %q are no matrix of the model", e.input(1))
	}
	sizes := []int64{w.Dims[1] / 3, w.Dims[1] / 3, w.Dims[1] / 3}
	if a := n.Attribute("qkv_hidden_sizes"); a != nil && len(a.Ints) == 3 {
		sizes = a.Ints
	}
	heads := e.intOr("num_heads", 0)
	if heads <= 0 || sizes[0] <= 0 || sizes[0] != sizes[1] || sizes[0]%heads != 0 || sizes[2] <= 0 ||
		sizes[0]+sizes[1]+sizes[2] != w.Dims[1] {
		return fmt.Errorf("its weights %v do not give %d heads of %v columns", w.Dims, heads, sizes)
	}
	masks, err := e.masks(e.input(3), e.input(5), e.input(0), know)
	if err != nil {
		return err
	}
	var parts [3]string
	at := int64(0)
	for i, path := range []string{"query/", "key/", "value/"} {
		cut := func(name string, axis int64) string {
			return e.in(path, "Slice", []string{name, e.ints(at), e.ints(at + sizes[i]), e.ints(axis)})
		}
		parts[i] = e.in(path, "MatMul", []string{n.Inputs[0], cut(n.Inputs[1], 1)})
		if b := e.input(2); b != "" {
			parts[i] = e.in(path, "Add", []string{parts[i], cut(b, 0)})
		}
		at += sizes[i]
	}
	scale := e.floatOr("scale", 0)
	if scale == 0 {
		scale = 1 / math.Sqrt(float64(sizes[0]/heads))
	}
	e.attend(parts, heads, e.float(scale), masks)
	return nil
}

// multiHeadAttention writes com.microsoft.MultiHeadAttention of query, key and value as matrices of tokens.
func multiHeadAttention(e *emitter, n *onnx.Node, know knowledge) error {
	if err := e.need(3); err != nil {
		return fmt.Errorf("%w: graft does not know packed queries, keys and values", err)
	}
	if err := e.unknown(6); err != nil {
		return err
	}
	if err := e.unwanted(1); err != nil {
		return err
	}
	if e.intOr("unidirectional", 0) != 0 {
		return fmt.Errorf("graft does not know unidirectional attention")
	}
	heads := e.intOr("num_heads", 0)
	if heads <= 0 {
		return fmt.Errorf("it has %d heads", heads)
	}
	masks, err := e.masks(e.input(4), e.input(5), e.input(0), know)
	if err != nil {
		return err
	}
	parts := [3]string{n.Inputs[0], n.Inputs[1], n.Inputs[2]}
	if b := e.input(3); b != "" {
		t := e.x.inits[b]
		if t == nil || len(t.Dims) != 1 || t.Dims[0]%3 != 0 {
			return fmt.Errorf("its bias %q is no vector of the model for three maps of one width", b)
		}
		w := t.Dims[0] / 3
		for i, path := range []string{"query/", "key/", "value/"} {
			part := e.in(path, "Slice", []string{b, e.ints(int64(i) * w), e.ints(int64(i+1) * w), e.ints(0)})
			parts[i] = e.in(path, "Add", []string{parts[i], part})
		}
	}
	scale := ""
	if s := e.floatOr("scale", 0); s != 0 {
		scale = e.float(s)
	} else {
		scale = e.scaleOf(parts[0], heads)
	}
	e.attend(parts, heads, scale, masks)
	return nil
}

// scaleOf writes 1/√d for heads whose d columns the last dimension of x holds together.
func (e *emitter) scaleOf(x string, heads int64) string {
	width := e.add("Gather", []string{e.add("Shape", []string{x}), e.int(-1)})
	d := e.add("Cast", []string{width}, intAttribute("to", int64(e.elem())))
	return e.add("Sqrt", []string{e.add("Div", []string{e.float(float64(heads)), d})})
}

// attend writes softmax(scale·q·kᵀ + masks)·v for the heads in three matrices of tokens, as the node's first output.
func (e *emitter) attend(parts [3]string, heads int64, scale string, masks []string) {
	split := func(x string, perm ...int64) string {
		y := e.add("Reshape", []string{x, e.ints(0, 0, heads, -1)})
		return e.add("Transpose", []string{y}, intsAttribute("perm", perm...))
	}
	q, k, v := split(parts[0], 0, 2, 1, 3), split(parts[1], 0, 2, 3, 1), split(parts[2], 0, 2, 1, 3)
	y := e.weigh(e.x.fresh(e.scope()+"MatMul_output_0"), q, k, v, scale, masks)
	y = e.add("Transpose", []string{y}, intsAttribute("perm", 0, 2, 1, 3))
	e.as(e.output(0), "Reshape", "", []string{y, e.ints(0, 0, -1)})
}

// weigh writes softmax(scale·q·k + masks)·v, the value out, for k that is turned already.
func (e *emitter) weigh(out, q, k, v, scale string, masks []string) string {
	s := e.add("Mul", []string{e.add("MatMul", []string{q, k}), scale})
	for _, m := range masks {
		s = e.add("Add", []string{s, m})
	}
	p := e.add("Softmax", []string{s}, intAttribute("axis", -1))
	return e.as(out, "MatMul", "", []string{p, v})
}

// masks writes what is added to the scores: of a mask by its form, which depends on its rank, and of a bias.
func (e *emitter) masks(mask, bias, x string, know knowledge) ([]string, error) {
	var out []string
	if mask != "" {
		if know == nil {
			return nil, errLate
		}
		m, err := know(mask)
		if err != nil {
			return nil, err
		}
		keep := "" // [batch, 1, 1 or sequence, sequence], true for what is seen
		switch {
		case len(m.Shape) == 1 && m.Shape[0] == probes[0].batch: // the length of each sequence
			length := e.add("Gather", []string{e.add("Shape", []string{x}), e.int(1)})
			at := e.add("Range", []string{e.int(0), length, e.int(1)})
			ends := e.add("Cast", []string{mask}, intAttribute("to", int64(onnx.Int64)))
			keep = e.add("Less", []string{at, e.add("Reshape", []string{ends, e.ints(-1, 1, 1, 1)})})
		case len(m.Shape) == 2: // 1 for each real token
			keep = e.add("Cast", []string{e.add("Reshape", []string{mask, e.ints(0, 1, 1, -1)})}, intAttribute("to", int64(onnx.Bool)))
		case len(m.Shape) == 3: // for each token those that it sees
			keep = e.add("Cast", []string{e.unsqueeze(mask, 1)}, intAttribute("to", int64(onnx.Bool)))
		default:
			return nil, fmt.Errorf("graft does not know a mask of the shape of %q, %v", mask, m)
		}
		out = append(out, e.add("Where", []string{keep, e.float(0), e.float(e.floatOr("mask_filter_value", -10000))}))
	}
	if bias != "" {
		out = append(out, bias)
	}
	return out, nil
}

// unsqueeze writes Unsqueeze, whose axes are an input from opset 13 on.
func (e *emitter) unsqueeze(x string, axis int64) string {
	if e.opset() >= 13 {
		return e.add("Unsqueeze", []string{x, e.ints(axis)})
	}
	return e.add("Unsqueeze", []string{x}, intsAttribute("axes", axis))
}

// coreAttention writes ONNX's Attention of opset 23, of heads that stand apart [batch, heads, sequence, d] or together
// [batch, sequence, heads·d], so that encoders' blocks are recognised. What no encoder has stays as it is.
func coreAttention(e *emitter, n *onnx.Node, know knowledge) error {
	if err := e.need(3); err != nil {
		return err
	}
	heads := e.intOr("q_num_heads", 0)
	if e.unknown(4) != nil || e.unwanted(1) != nil || e.intOr("is_causal", 0) != 0 || e.floatOr("softcap", 0) != 0 ||
		heads < 0 || e.intOr("kv_num_heads", 0) != heads {
		return nil
	}
	if know == nil {
		return errLate
	}
	if heads == 0 {
		q, err := know(n.Inputs[0])
		if err != nil {
			return e.stays(err)
		}
		k, err := know(n.Inputs[1])
		if err != nil {
			return e.stays(err)
		}
		if len(q.Shape) != 4 || len(k.Shape) != 4 || q.Shape[1] != k.Shape[1] {
			return nil
		}
	}
	var masks []string
	if m := e.input(3); m != "" {
		v, err := know(m)
		if err != nil {
			return e.stays(err)
		}
		if v.Type == onnx.Bool {
			m = e.add("Where", []string{m, e.float(0), e.float(-math.MaxFloat32)})
		}
		masks = append(masks, m)
	}
	scale := ""
	if s := e.floatOr("scale", 0); s != 0 {
		scale = e.float(s)
	} else {
		scale = e.scaleOf(n.Inputs[0], max(heads, 1))
	}
	if heads > 0 {
		e.attend([3]string{n.Inputs[0], n.Inputs[1], n.Inputs[2]}, heads, scale, masks)
		return nil
	}
	k := e.add("Transpose", []string{n.Inputs[1]}, intsAttribute("perm", 0, 1, 3, 2))
	e.weigh(n.Outputs[0], n.Inputs[0], k, n.Inputs[2], scale, masks)
	return nil
}
