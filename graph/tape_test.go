package graph_test

import (
	"context"
	"math"
	"testing"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seed-aefebe89/graft/graph"
	"github.com/seed-aefebe89/graft/graph/kernel"
	"github.com/seed-aefebe89/graft/graph/kernel/portable"
)

// gorgonia's TapeMachine runs the same expression graph, every node of it, with memory of its own for each value. On the
// same kernels our executor must give the same bits: order, buffers and hand-over change no number.
func TestTapeMachineAgrees(t *testing.T) {
	m := open(t, "fixtures", "onnx", "bert", "model.opset17.eager.onnx")
	for name, method := range methods(m) {
		t.Run(name, func(t *testing.T) {
			p, err := graph.NewParams(m, method, 4, 3)
			if err != nil {
				t.Fatal(err)
			}
			shake(p, 5)
			train := p.Of(graph.Adapter, graph.Head)
			for _, b := range p.Base {
				if b.Name == "encoder.layer.0.output.LayerNorm.weight" || b.Name == "encoder.layer.1.attention.self.key.weight" ||
					b.Name == "embeddings.word_embeddings.weight" {
					b.Thaw()
					train = append(train, b)
				}
			}
			seqs, count := labelled(500, 4, 5, 8)
			s := graph.NewTrainer(p, []kernel.Kernels{portable.New()}, train)
			loss, err := s.Step(context.Background(), seqs, 1/float32(count))
			if err != nil {
				t.Fatal(err)
			}

			var ids, types, positions, rows, targets []int32
			bounds := []int32{0}
			for _, q := range seqs {
				for _, r := range q.Rows {
					rows = append(rows, int32(len(ids))+r)
				}
				for i := range q.IDs {
					positions = append(positions, int32(i))
				}
				ids, types, targets = append(ids, q.IDs...), append(types, q.Types...), append(targets, q.Targets...)
				bounds = append(bounds, int32(len(ids)))
			}
			n, err := graph.New(p, graph.Capacity{Tokens: len(ids), Sequences: len(seqs), Rows: len(rows)})
			if err != nil {
				t.Fatal(err)
			}
			grads, err := n.Gradients(train)
			if err != nil {
				t.Fatal(err)
			}
			let := func(node *G.Node, x any, shape ...int) {
				if err := G.Let(node, tensor.New(tensor.WithShape(shape...), tensor.WithBacking(x))); err != nil {
					t.Fatal(err)
				}
			}
			for i, x := range m.Indexes {
				v := positions
				switch x.Input {
				case "input_ids":
					v = ids
				case "token_type_ids":
					v = types
				}
				let(n.Index[i], v, len(v))
			}
			let(n.Bounds, bounds, len(bounds))
			let(n.Firsts, bounds[:len(seqs)], len(seqs))
			let(n.Rows, rows, len(rows))
			let(n.Targets, targets, len(targets))
			let(n.Weight, []float32{1 / float32(count)}, 1)
			let(n.Seed, []float32{1}, 1)
			for _, q := range p.Of(graph.Base, graph.Adapter, graph.Head) {
				if node := n.Node(q); node != nil {
					let(node, append([]float32(nil), q.Data...), q.Shape...)
				}
			}
			vm := G.NewTapeMachine(n.Graph)
			defer vm.Close()
			if err := vm.RunAll(); err != nil {
				t.Fatal(err)
			}
			if got := float64(n.Loss.Value().Data().([]float32)[0]); got != loss {
				t.Errorf("the TapeMachine's loss is %v, the executor's %v", got, loss)
			}
			for i, q := range train {
				got := grads[i].Value().Data().([]float32)
				want := make([]float32, q.Size())
				if err := s.Grad(i, want); err != nil {
					t.Fatal(err)
				}
				worst, big := 0.0, 0.0
				for k := range want {
					worst = math.Max(worst, math.Abs(float64(got[k]-want[k])))
					big = math.Max(big, math.Abs(float64(want[k])))
				}
				if worst != 0 || big == 0 {
					t.Errorf("gradient of %s: differs by %.2g of %.2g", q.Name, worst, big)
				}
			}
		})
	}
}
