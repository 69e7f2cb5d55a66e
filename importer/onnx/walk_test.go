package onnx

import (
	"reflect"
	"testing"
)

func TestTensorsAreFoundEverywhere(t *testing.T) {
	m := full()
	want := map[*Tensor]bool{}
	visit(reflect.ValueOf(m), func(v reflect.Value) {
		if x, ok := v.Addr().Interface().(*Tensor); ok {
			want[x] = true
		}
	})
	paths := map[string]bool{}
	for path, x := range m.Tensors() {
		if !want[x] {
			t.Errorf("%s is yielded twice or is none of the model's", path)
		}
		delete(want, x)
		if paths[path] {
			t.Errorf("two tensors at %s", path)
		}
		paths[path] = true
	}
	if len(want) > 0 {
		t.Errorf("%d tensors are not yielded", len(want))
	}
	for _, path := range []string{
		"graph.initializer[1]", "graph.sparse_initializer[0].values", "graph.node[0].attribute[1].t",
		"graph.node[1].attribute[0].graphs[1].initializer[0]", "graph.node[0].attribute[0].g.node[0].attribute[0].tensors[1]",
		"graph.node[0].attribute[0].sparse_tensors[0].indices", "training_info[1].algorithm.initializer[0]",
		"functions[0].node[0].attribute[0].t", "functions[1].attribute_proto[0].t",
	} {
		if !paths[path] {
			t.Errorf("no tensor at %s", path)
		}
	}
}

func TestTensorsStopsWhenAsked(t *testing.T) {
	m, total := full(), 0
	for range m.Tensors() {
		total++
	}
	for stop := 1; stop <= total; stop++ {
		n := 0
		for range m.Tensors() {
			if n++; n == stop {
				break
			}
		}
		if n != stop {
			t.Fatalf("%d tensors, want %d", n, stop)
		}
	}
}

func TestTensorsOfAnUnfinishedModel(t *testing.T) {
	cyclic := &Graph{Initializers: []*Tensor{nil, {Name: "w"}}, Nodes: []*Node{nil, {Attributes: []*Attribute{nil, {}}}},
		SparseInitializers: []*SparseTensor{nil, {}}}
	cyclic.Nodes[1].Attributes[1].G = cyclic
	m := &Model{Graph: cyclic, Functions: []*Function{nil}, Training: []*TrainingInfo{nil, {}}}
	n := 0
	for range m.Tensors() {
		n++
	}
	if n != maxDepth {
		t.Errorf("%d tensors of a graph in itself, want %d", n, maxDepth)
	}
	if m.Graph.Initializer("w") == nil || m.Graph.Nodes[1].Attribute("x") != nil {
		t.Error("nil entries hide others")
	}
}
