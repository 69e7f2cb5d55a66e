package importer

import (
	"fmt"

	"github.com/seed-aefebe89/graft/importer/onnx"
)

// rotary writes RotaryEmbedding, ONNX's of opset 23 and onnxruntime's: for the halves x₁ and x₂ of each head,
// y = [x₁ cos − x₂ sin, x₂ cos + x₁ sin], with the cosines and sines of each token's position.
func rotary(e *emitter, n *onnx.Node, know knowledge) error {
	if err := e.need(3); err != nil {
		return err
	}
	for _, name := range []string{"interleaved", "rotary_embedding_dim", "is_packed_batching"} {
		if e.intOr(name, 0) != 0 && n.Domain == "" {
			return nil // it stays as it is, as no encoder has it
		}
		if e.intOr(name, 0) != 0 {
			return fmt.Errorf("graft does not know rotary embeddings with %s", name)
		}
	}
	if e.floatOr("scale", 1) != 1 {
		return fmt.Errorf("graft does not know scaled rotary embeddings")
	}
	if know == nil {
		return errLate
	}
	x := n.Inputs[0]
	cos, sin, at := e.input(1), e.input(2), e.input(3)
	if n.Domain == microsoft {
		at, cos, sin = e.input(1), e.input(2), e.input(3)
	}
	if cos == "" || sin == "" {
		return fmt.Errorf("it lacks its cosines or sines")
	}
	v, err := know(x)
	if err != nil && n.Domain == "" {
		return e.stays(err)
	}
	if err != nil {
		return err
	}
	heads := e.intOr("num_heads", 0)
	apart := len(v.Shape) == 4
	if !apart && (len(v.Shape) != 3 || heads <= 0 || v.Shape[2]%int(heads) != 0) {
		return fmt.Errorf("%q is %v, which %d heads do not divide", x, v, heads)
	}
	d := v.Shape[len(v.Shape)-1]
	if !apart {
		d /= int(heads)
		x = e.add("Transpose", []string{e.add("Reshape", []string{x, e.ints(0, 0, heads, -1)})}, intsAttribute("perm", 0, 2, 1, 3))
	}
	if d%2 != 0 {
		return fmt.Errorf("its heads have %d columns, which is odd", d)
	}
	if at != "" {
		p, err := know(at)
		if err != nil && n.Domain == "" {
			return e.stays(err)
		}
		if err != nil {
			return err
		}
		if len(p.Shape) != 2 {
			return fmt.Errorf("its positions are %v, want one for each token", p)
		}
		cos = e.add("Gather", []string{cos, at}, intAttribute("axis", 0))
		sin = e.add("Gather", []string{sin, at}, intAttribute("axis", 0))
	}
	cos, sin = e.unsqueeze(cos, 1), e.unsqueeze(sin, 1) // [batch, 1, sequence, d/2]
	half := func(from, to int) string {
		return e.add("Slice", []string{x, e.ints(int64(from)), e.ints(int64(to)), e.ints(3)})
	}
	a, b := half(0, d/2), half(d/2, d)
	first := e.add("Sub", []string{e.add("Mul", []string{a, cos}), e.add("Mul", []string{b, sin})})
	second := e.add("Add", []string{e.add("Mul", []string{b, cos}), e.add("Mul", []string{a, sin})})
	if apart {
		e.as(n.Outputs[0], "Concat", "", []string{first, second}, intAttribute("axis", 3))
		return nil
	}
	y := e.add("Transpose", []string{e.add("Concat", []string{first, second}, intAttribute("axis", 3))}, intsAttribute("perm", 0, 2, 1, 3))
	e.as(n.Outputs[0], "Reshape", "", []string{y, e.ints(0, 0, -1)})
	return nil
}
