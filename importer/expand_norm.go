package importer

import (
	"fmt"

	"github.com/seed-aefebe89/graft/importer/onnx"
)

// Normalisations and what onnxruntime fuses into them, by docs/ContribOperators.md of onnxruntime and, of
// RMSNormalization, the ONNX specification.

// normOf writes LayerNormalization over the last axis.
func (e *emitter) normOf(out, x, gamma, beta string, eps float64) {
	in := []string{x, gamma}
	if beta != "" {
		in = append(in, beta)
	}
	e.as(out, "LayerNormalization", "", in, intAttribute("axis", -1),
		&onnx.Attribute{Name: "epsilon", Type: onnx.AttrFloat, F: float32(eps)})
}

// skipEps is the default of SkipLayerNormalization and EmbedLayerNormalization.
const skipEps = 1e-12

// skipLayerNorm writes y = LN((input + bias) + skip). The bias goes to the side that a product makes.
func skipLayerNorm(e *emitter, n *onnx.Node, _ knowledge) error {
	if err := e.need(3); err != nil {
		return err
	}
	sum, err := e.skip(3, 4)
	if err != nil {
		return err
	}
	e.normOf(n.Outputs[0], sum, n.Inputs[2], e.input(3), e.floatOr("epsilon", skipEps))
	return nil
}

// skip writes the sum of input, skip and bias that a normalisation starts from; the bias is input i. It is the output
// sums of the node too.
func (e *emitter) skip(sums, bias int) (string, error) {
	for i := 1; i < len(e.src.Outputs); i++ {
		if i != sums && e.output(i) != "" {
			return "", fmt.Errorf("graft does not know its output %d", i)
		}
	}
	x, skip := e.input(0), e.input(1)
	if b := e.input(bias); b != "" {
		if m := e.x.makers[skip]; m != nil && !isProduct(e.x.makers[x]) && isProduct(m) {
			x, skip = skip, x
		}
		x = e.add("Add", []string{x, b})
	}
	if out := e.output(sums); out != "" {
		return e.as(out, "Add", "", []string{x, skip}), nil
	}
	return e.add("Add", []string{x, skip}), nil
}

// isProduct tells whether a node may be the product of a linear map.
func isProduct(n *onnx.Node) bool {
	if n == nil {
		return false
	}
	switch n.OpType {
	case "MatMul", "Gemm", "FusedMatMul", "MatMulNBits", "MatMulIntegerToFloat", "DynamicQuantizeMatMul":
		return true
	}
	return false
}

// embedLayerNorm writes y = LN(word[ids] + position[p] + segment[s]), with the number of real tokens of each sequence as
// the second output, 0 without a mask.
func embedLayerNorm(e *emitter, n *onnx.Node, _ knowledge) error {
	if err := e.need(1); err != nil {
		return err
	}
	ids, segments, word, position, segment := e.input(0), e.input(1), e.input(2), e.input(3), e.input(4)
	gamma, beta, mask, at := e.input(5), e.input(6), e.input(7), e.input(8)
	if word == "" || position == "" || gamma == "" || (segments == "") != (segment == "") {
		return fmt.Errorf("it lacks an input")
	}
	if at == "" {
		length := e.add("Gather", []string{e.add("Shape", []string{ids}), e.int(1)})
		at = e.add("Range", []string{e.int(0), length, e.int(1)})
	}
	gather := func(path, table, rows string) string {
		return e.in(path, "Gather", []string{table, rows}, intAttribute("axis", 0))
	}
	sum := e.add("Add", []string{gather("word_embeddings/", word, ids), gather("position_embeddings/", position, at)})
	if segments != "" {
		sum = e.add("Add", []string{sum, gather("token_type_embeddings/", segment, segments)})
	}
	if out := e.output(2); out != "" {
		sum = e.as(out, "Identity", "", []string{sum})
	}
	if out := e.output(1); out != "" {
		if mask == "" { // which counts nothing
			mask = e.add("Sub", []string{ids, ids})
		}
		real := e.add("Cast", []string{mask}, intAttribute("to", int64(onnx.Int32)))
		e.as(out, "Identity", "", []string{e.reduce("ReduceSum", 13, real, 1, 0)})
	}
	e.normOf(n.Outputs[0], sum, gamma, beta, e.floatOr("epsilon", skipEps))
	return nil
}

// rmsNorm writes y = x / √(mean(x²) + eps) ⊙ scale over the last axis. ONNX's over more axes stays as it is.
func rmsNorm(e *emitter, n *onnx.Node, _ knowledge) error {
	if err := e.need(2); err != nil {
		return err
	}
	axis := e.intOr("axis", -1)
	if axis != -1 && n.OpType == "RMSNormalization" {
		return nil
	}
	if axis != -1 {
		return fmt.Errorf("it normalises from axis %d on; graft knows the last axis alone", axis)
	}
	if err := e.unwanted(1); err != nil {
		return err
	}
	e.rms(n.Inputs[0], n.Inputs[1], e.floatOr("epsilon", 1e-5))
	return nil
}

// skipRMSNorm is rmsNorm of input + skip (+ bias).
func skipRMSNorm(e *emitter, n *onnx.Node, _ knowledge) error {
	if err := e.need(3); err != nil {
		return err
	}
	sum, err := e.skip(3, 3)
	if err != nil {
		return err
	}
	e.rms(sum, n.Inputs[2], e.floatOr("epsilon", skipEps))
	return nil
}

func (e *emitter) rms(x, scale string, eps float64) {
	mean := e.reduce("ReduceMean", 18, e.add("Mul", []string{x, x}), -1, 1)
	root := e.add("Sqrt", []string{e.add("Add", []string{mean, e.float(eps)})})
	e.as(e.output(0), "Mul", "", []string{e.add("Div", []string{x, root}), scale})
}
