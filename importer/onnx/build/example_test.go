package build_test

import (
	"fmt"
	"log"

	"github.com/seed-aefebe89/graft/importer/onnx"
	"github.com/seed-aefebe89/graft/importer/onnx/build"
)

func Example() {
	b := build.New(17)
	x := b.Input("x", onnx.Float, "batch", 2)
	w := b.Initializer("classifier.weight", []int64{2, 3}, []float32{1, 2, 3, 4, 5, 6})
	logits := b.In("classifier").Node("MatMul", []string{x, w})
	b.Output(b.Node("Softmax", []string{logits}, build.Int("axis", -1), build.To("y")), onnx.Float, "batch", 3)
	m, err := b.Model()
	if err != nil {
		log.Fatal(err)
	}
	for _, n := range m.Graph.Nodes {
		fmt.Println(n, n.Inputs, "→", n.Outputs)
	}
	// Output:
	// MatMul "/classifier/MatMul" [x classifier.weight] → [/classifier/MatMul_output_0]
	// Softmax "/Softmax" [/classifier/MatMul_output_0] → [y]
}
