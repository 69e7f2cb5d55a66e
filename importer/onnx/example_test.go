package onnx_test

import (
	"fmt"
	"log"

	"github.com/seed-aefebe89/graft/importer/onnx"
)

func Example() {
	f, err := onnx.Open("testdata/edge/clip_opt.onnx")
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()
	for _, in := range f.Graph.Inputs {
		fmt.Println(in.Name, in.Type)
	}
	for _, n := range f.Graph.Nodes {
		fmt.Printf("%v of %q\n", n, n.Inputs)
	}
	for path, x := range f.Tensors() {
		values, err := x.Float32s()
		fmt.Println(path, x, values, err)
	}
	// Output:
	// x tensor(float)[2,4]
	// Clip → "y" of ["x" "" "mx"]
	// graph.initializer[0] "mx" float[] [3] <nil>
}
