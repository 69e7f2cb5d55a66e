package graph_test

import (
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/seed-aefebe89/graft/graph"
	"github.com/seed-aefebe89/graft/graph/kernel"
	"github.com/seed-aefebe89/graft/graph/peft"
	"github.com/seed-aefebe89/graft/importer"
	"github.com/seed-aefebe89/graft/internal/testutil"
)

// open imports a model of the shared fixtures.
func open(t *testing.T, elem ...string) *importer.Model {
	t.Helper()
	m, err := importer.Open(testutil.Shared(t, elem...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

// methods are the adapter methods as tests use them on an encoder. Their activations are smooth, so that finite
// differences hold.
func methods(m *importer.Model) map[string]peft.Method {
	var targets []string
	for _, v := range []importer.Value{m.Layers[0].Query, m.Layers[0].Value, m.Layers[0].Down} {
		name := m.Ops[v].(*importer.Linear).Module()
		targets = append(targets, filepath.Ext(name)[1:])
	}
	return map[string]peft.Method{
		"lora":     peft.LoRA{R: 3, Alpha: 6, Targets: targets},
		"pfeiffer": peft.Bottleneck{Where: peft.LayerOutput, Size: 5, Activation: kernel.SiLU},
		"top":      peft.Bottleneck{Where: peft.Top, Size: 5, Activation: kernel.GELU},
	}
}

// shake gives every parameter of an adapter and head values away from their start, so that no gradient is zero.
func shake(p *graph.Params, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 1))
	for _, q := range p.Of(graph.Adapter, graph.Head) {
		for i := range q.Data {
			q.Data[i] += float32(0.2 * r.NormFloat64())
		}
	}
}

// labelled makes sequences of random tokens below vocab with random classes.
func labelled(vocab, classes int, lengths ...int) (seqs []*graph.Sequence, count int) {
	r := rand.New(rand.NewPCG(7, uint64(len(lengths))))
	for _, n := range lengths {
		s := &graph.Sequence{}
		for i := range n {
			s.IDs = append(s.IDs, int32(5+r.IntN(vocab-5)))
			s.Types = append(s.Types, int32(r.IntN(2)))
			if i%2 == 0 {
				s.Rows = append(s.Rows, int32(i))
				c := int32(r.IntN(classes+1)) - 1
				s.Targets = append(s.Targets, c)
				if c >= 0 {
					count++
				}
			}
		}
		seqs = append(seqs, s)
	}
	return seqs, count
}
