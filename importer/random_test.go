package importer_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/seed-aefebe89/graft/importer"
	"github.com/seed-aefebe89/graft/importer/onnx/random"
)

func TestRandomEncodersOfEveryOpsetAreRecognised(t *testing.T) {
	for opset := 11; opset <= 23; opset++ {
		t.Run(fmt.Sprint(opset), func(t *testing.T) {
			m := encoder(t, opset)
			e := recognise(t, m)
			checkLayers(t, e, 2)
			if w := weightNames(e); !slices.Equal(w, expectedNames(small)) {
				t.Errorf("weights %q,\nwant %q", w, expectedNames(small))
			}
			if len(e.Outputs) != 2 || e.Outputs[0].Pooled || !e.Outputs[1].Pooled || e.Outputs[0].Width != 12 {
				t.Errorf("outputs %v", e.Outputs)
			}
			for _, l := range e.Layers {
				a := e.Ops[l.Attention].(*importer.Attention)
				if a.Heads != 3 || a.Scale != 0.5 {
					t.Errorf("%d heads, scale %v", a.Heads, a.Scale)
				}
				if n := e.Ops[l.Norm1].(*importer.LayerNorm); n.Eps != 1e-12 || n.Beta == nil {
					t.Errorf("eps %v, beta %v", n.Eps, n.Beta)
				}
			}
			t.Run("numbers", func(t *testing.T) {
				needRuntime(t)
				agree(t, m, e, texts(1, small.VocabSize, 2, 7, 1, 16))
			})
		})
	}
}

// Positions and normalisations other than BERT's, at opsets that differ in how their operators are written.
func TestRandomEncodersOfOtherKindsAreRecognised(t *testing.T) {
	for name, c := range map[string]random.Config{
		"rotary": {PositionEmbeddingType: "rotary"}, "half of it rotary": {PositionEmbeddingType: "rotary", RotaryFraction: 0.5},
		"alibi": {PositionEmbeddingType: "alibi"}, "normalised first": {PreLayerNorm: true},
		"alibi, normalised first": {PositionEmbeddingType: "alibi", PreLayerNorm: true},
	} {
		for _, opset := range []int{11, 13, 17, 23} {
			t.Run(fmt.Sprint(name, " ", opset), func(t *testing.T) {
				c.VocabSize, c.HiddenSize, c.NumHiddenLayers, c.NumAttentionHeads, c.IntermediateSize = 40, 24, 2, 3, 20
				c.Opset, c.MaxPositionEmbeddings = opset, 64
				r, err := random.Encoder(1, c)
				if err != nil {
					t.Fatal(err)
				}
				m := clone(t, r)
				e := recognise(t, m)
				if len(e.Layers) != 2 || len(e.Hidden) != 3 {
					t.Fatalf("%d layers, %d hidden states", len(e.Layers), len(e.Hidden))
				}
				for _, l := range e.Layers {
					if ps := l.Projections(); len(ps) != 6 || slices.Contains(ps, importer.None) {
						t.Errorf("the projections %v", ps)
					}
					a := e.Ops[l.Attention].(*importer.Attention)
					_, turned := e.Ops[a.Q].(*importer.Rotary)
					_, partly := e.Ops[a.Q].(*importer.Concat)
					if rotary := c.PositionEmbeddingType == "rotary"; rotary && c.RotaryFraction == 0.5 != partly || rotary && !partly != turned ||
						(c.PositionEmbeddingType == "alibi") != (a.Slopes != nil) || l.NormFirst != c.PreLayerNorm {
						t.Errorf("turned %t, partly %t, %+v", turned, partly, a)
					}
				}
				needRuntime(t)
				agree(t, m, e, texts(1, c.VocabSize, 2, 7, 1, 16))
			})
		}
	}
}

// expectedNames are Hugging Face's names of the parameters of a BERT with a pooler, sorted.
func expectedNames(c random.Config) []string {
	names := []string{"pooler.dense.weight", "pooler.dense.bias", "embeddings.LayerNorm.weight", "embeddings.LayerNorm.bias"}
	for _, t := range []string{"word", "position", "token_type"} {
		names = append(names, "embeddings."+t+"_embeddings.weight")
	}
	for i := range c.NumHiddenLayers {
		for _, m := range []string{"attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense",
			"attention.output.LayerNorm", "intermediate.dense", "output.dense", "output.LayerNorm"} {
			for _, kind := range []string{"weight", "bias"} {
				names = append(names, fmt.Sprintf("encoder.layer.%d.%s.%s", i, m, kind))
			}
		}
	}
	slices.Sort(names)
	return names
}

// weightNames are the names of an encoder's weights, sorted.
func weightNames(e *importer.Encoder) []string {
	var names []string
	for _, w := range e.Weights {
		names = append(names, w.Name)
	}
	slices.Sort(names)
	return names
}

// checkLayers checks that n whole layers were found, one upon the other, and the hidden states between them.
func checkLayers(t *testing.T, e *importer.Encoder, n int) {
	t.Helper()
	if len(e.Layers) != n || len(e.Hidden) != n+1 {
		t.Fatalf("%d layers and %d hidden states, want %d layers", len(e.Layers), len(e.Hidden), n)
	}
	for i, l := range e.Layers {
		if l.NormFirst {
			checkNormFirst(t, e, i, l)
			continue
		}
		for _, v := range []importer.Value{l.Query, l.Key, l.Value, l.Attention, l.AttentionOutput, l.Norm1, l.Up, l.Down, l.Norm2} {
			if v == importer.None {
				t.Fatalf("layer %d lacks a part: %+v", i, l)
			}
		}
		q, k, v := e.Ops[l.Query].(*importer.Linear), e.Ops[l.Key].(*importer.Linear), e.Ops[l.Value].(*importer.Linear)
		a, o := e.Ops[l.Attention].(*importer.Attention), e.Ops[l.AttentionOutput].(*importer.Linear)
		n1, n2 := e.Ops[l.Norm1].(*importer.LayerNorm), e.Ops[l.Norm2].(*importer.LayerNorm)
		up, down := e.Ops[l.Up].(*importer.Linear), e.Ops[l.Down].(*importer.Linear)
		f, isF := e.Ops[down.X].(*importer.Activation)
		in := e.Hidden[i]
		if q.X != in || k.X != in || v.X != in || a.Q != l.Query || a.K != l.Key || a.V != l.Value || o.X != l.Attention ||
			n1.X != l.AttentionOutput || n1.Residual != in || up.X != l.Norm1 || !isF || f.X != l.Up ||
			n2.X != l.Down || n2.Residual != l.Norm1 || e.Hidden[i+1] != l.Norm2 {
			t.Errorf("layer %d is %+v between %v", i, l, e.Hidden)
		}
		if q.In() != k.In() || up.Out() != down.In() || o.Out() != q.In() {
			t.Errorf("layer %d: widths %d %d %d %d", i, q.In(), k.In(), up.Out(), down.In())
		}
	}
}

// checkNormFirst checks a layer that normalises what goes into its parts: what they add up to, and that each starts from
// its normalisation.
func checkNormFirst(t *testing.T, e *importer.Encoder, i int, l importer.Layer) {
	t.Helper()
	for _, v := range []importer.Value{l.Query, l.Key, l.Value, l.Attention, l.AttentionOutput, l.Up, l.Down, l.Norm2, l.Output} {
		if v == importer.None {
			t.Fatalf("layer %d lacks a part: %+v", i, l)
		}
	}
	from := e.Hidden[i]
	if l.Norm1 != importer.None {
		if e.Ops[l.Norm1].(*importer.LayerNorm).X != from {
			t.Errorf("layer %d normalises something else: %+v", i, l)
		}
		from = l.Norm1
	} else if i > 0 {
		t.Errorf("layer %d does not normalise: %+v", i, l)
	}
	out, is := e.Ops[l.Output].(*importer.Add)
	sum := importer.None
	if is {
		if sum = out.A; sum == l.Down {
			sum = out.B
		}
	}
	n2 := e.Ops[l.Norm2].(*importer.LayerNorm)
	first, isSum := e.Ops[n2.X].(*importer.Add)
	if l.Input != e.Hidden[i] || e.Ops[l.Query].(*importer.Linear).X != from || !is || n2.X != sum || !isSum ||
		first.A != l.AttentionOutput && first.B != l.AttentionOutput || first.A != e.Hidden[i] && first.B != e.Hidden[i] ||
		e.Ops[l.Up].(*importer.Linear).X != l.Norm2 || e.Hidden[i+1] != l.Output {
		t.Errorf("layer %d is %+v between %v", i, l, e.Hidden)
	}
	if last, ok := e.Ops[e.Last].(*importer.LayerNorm); !ok || last.X != e.Hidden[len(e.Hidden)-1] {
		t.Errorf("the last hidden state is %T, not the last layer's output normalised", e.Ops[e.Last])
	}
}
