package importer

import (
	"fmt"

	"github.com/seed-aefebe89/graft/importer/onnx"
)

// microsoft is the domain of onnxruntime's own operators.
const microsoft = "com.microsoft"

// biasGelu writes BiasGelu and FastGelu with a bias as a sum and the function of it.
func biasGelu(e *emitter, n *onnx.Node, _ knowledge) error {
	if e.input(1) == "" {
		return nil
	}
	if err := e.need(2); err != nil {
		return err
	}
	f := map[string]string{"BiasGelu": "Gelu", "FastGelu": "FastGelu"}[n.OpType]
	sum := e.add("Add", []string{n.Inputs[0], n.Inputs[1]})
	e.as(n.Outputs[0], f, "", []string{sum})
	e.nodes[len(e.nodes)-1].Domain = microsoft
	return nil
}

// fusedGemm writes FusedGemm as Gemm and its activation.
func fusedGemm(e *emitter, n *onnx.Node, _ knowledge) error {
	if err := e.need(2); err != nil {
		return err
	}
	var attributes []*onnx.Attribute
	f := ""
	for _, a := range n.Attributes {
		if a == nil {
			continue
		}
		switch a.Name {
		case "activation":
			f = string(a.S)
		case "alpha", "beta", "transA", "transB":
			attributes = append(attributes, a)
		}
	}
	switch f {
	case "":
		e.as(n.Outputs[0], "Gemm", "", n.Inputs, attributes...)
	case "Relu", "Tanh", "Sigmoid":
		e.as(n.Outputs[0], f, "", []string{e.add("Gemm", n.Inputs, attributes...)})
	default:
		return fmt.Errorf("graft does not know the activation %q", f)
	}
	return nil
}
