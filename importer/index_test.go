package importer_test

import (
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/seed-aefebe89/graft/importer"
	"github.com/seed-aefebe89/graft/importer/onnx"
	"github.com/seed-aefebe89/graft/internal/testutil"
)

// positions puts other positions into the small random encoder.
func positions(f func(e *editor) string) func(t *testing.T, m *onnx.Model) {
	return func(t *testing.T, m *onnx.Model) {
		const gather = "/embeddings/position_embeddings/Gather"
		e := before(t, m, gather)
		node(t, m, gather).Inputs[1] = f(e)
	}
}

// rows checks the row numbers of the position table for tokens.
func rows(want []int32, ids ...int32) func(t *testing.T, e *importer.Encoder) {
	return func(t *testing.T, e *importer.Encoder) {
		if got, err := positionIndex(t, e).Rows(ids, nil); err != nil || !slices.Equal(got, want) {
			t.Errorf("positions %v (%v), want %v", got, err, want)
		}
	}
}

// positionIndex is the index of the embedding's table whose name tells of positions.
func positionIndex(t *testing.T, e *importer.Encoder) *importer.Index {
	t.Helper()
	for _, o := range e.Ops {
		if x, ok := o.(*importer.Embedding); ok {
			for k, w := range x.Tables {
				if strings.Contains(w.Name, "position_embeddings") {
					return &e.Indexes[x.Index[k]]
				}
			}
		}
	}
	t.Fatal("there are no position embeddings")
	return nil
}

func TestPositionsAreComputedAsTheGraphSays(t *testing.T) {
	run(t, []change{
		{name: "from 0 on", edit: func(*testing.T, *onnx.Model) {}, check: rows([]int32{0, 1, 2}, 9, 8, 7)},
		{name: "from 2 on", edit: positions(func(e *editor) string {
			return e.add("Add", []string{"/embeddings/Slice_output_0", e.int(2)})
		}), check: rows([]int32{2, 3, 4}, 9, 8, 7), even: true}, // the table of 16 rows is too short for 16 tokens
		{name: "of the tokens that are not padding", edit: positions(func(e *editor) string { // as RoBERTa does
			real := e.to(onnx.Int64, e.add("Not", []string{e.add("Equal", []string{"input_ids", e.int(1)})}))
			at := e.add("Mul", []string{e.add("CumSum", []string{real, e.int(1)}), real})
			return e.add("Sub", []string{at, e.add("Sub", []string{real, e.int(0)})})
		}), check: rows([]int32{0, 0, 1, 2, 0, 0, 3}, 5, 1, 6, 7, 1, 1, 8)},
		{name: "by the mask", edit: positions(func(e *editor) string {
			at := e.add("CumSum", []string{"attention_mask", e.int(1)})
			return e.add("Max", []string{e.add("Sub", []string{at, e.int(1)}), e.int(0)})
		}), check: rows([]int32{0, 1, 2}, 5, 1, 6)},
		{name: "by the type", edit: positions(func(e *editor) string { return "token_type_ids" }), check: rows([]int32{0, 0}, 5, 6)},
		{name: "from an input", edit: func(t *testing.T, m *onnx.Model) {
			in := *m.Graph.Inputs[0]
			in.Name = "position_ids"
			m.Graph.Inputs = append(m.Graph.Inputs, &in)
			node(t, m, "/embeddings/position_embeddings/Gather").Inputs[1] = "position_ids"
		}, check: rows([]int32{0, 1, 2}, 9, 8, 7)},
		{name: "from the end of the padding", edit: positions(func(e *editor) string {
			length := e.add("Gather", []string{e.add("Shape", []string{"input_ids"}), e.int(1)})
			at := e.add("Sub", []string{e.add("Sub", []string{length, e.int(1)}), "/embeddings/Slice_output_0"})
			return e.add("Add", []string{at, e.add("Mul", []string{"input_ids", e.int(0)})})
		}), check: rows([]int32{2, 1, 0}, 9, 8, 7), want: "something else where the sequence is padded"},
		{name: "by the sequence's place in the batch", edit: positions(func(e *editor) string {
			return e.add("CumSum", []string{"attention_mask", e.int(0)})
		}), want: "something else where the sequence is padded"},
		{name: "negative", edit: positions(func(e *editor) string {
			return e.add("Sub", []string{"/embeddings/Slice_output_0", e.int(3)})
		}), want: "is -3 for token 0"},
		{name: "beyond int32", edit: positions(func(e *editor) string {
			return e.add("Add", []string{e.add("Mul", []string{"input_ids", e.int(1 << 32)}), "/embeddings/Slice_output_0"})
		}), want: "for token 0"},
	})
}

// As RoBERTa counts: tokens from padding_idx + 1 = 2 on, padding itself is padding_idx, also inside the text.
func TestPositionsOfRobertaSkipPadding(t *testing.T) {
	for _, path := range fixtures(t, "fixtures/onnx/xlm-roberta/*.onnx", "fixtures/onnx/xlm-roberta/torch113/*.onnx",
		"fixtures/onnx-tools/xlm-roberta/*.onnx") {
		m := open(t, path)
		x := positionIndex(t, m.Encoder)
		for _, c := range [][2][]int32{
			{{5, 6, 7}, {2, 3, 4}},
			{{5, 1, 6, 1, 1, 7}, {2, 1, 3, 1, 1, 4}},
			{{1, 1}, {1, 1}},
			{{1, 9}, {1, 2}},
		} {
			if got, err := x.Rows(c[0], nil); err != nil || !slices.Equal(got, c[1]) {
				t.Errorf("%s: positions of %v are %v (%v), want %v", path, c[0], got, err, c[1])
			}
		}
	}
	t.Run("numbers", func(t *testing.T) {
		needRuntime(t)
		m := open(t, "fixtures/onnx/xlm-roberta/model.opset17.sdpa.onnx")
		x := texts(4, 400, 1, 9, 4, 12)
		for _, ids := range x.ids {
			ids[1], ids[3] = 1, 1
		}
		agree(t, clone(t, m.File.Model), m.Encoder, x)
	})
}

// The recorded inputs of the fixtures give the rows that the models were recorded with: their ids, types, and positions
// of what is not padding.
func TestIndexesOfRecordedCases(t *testing.T) {
	for _, path := range []string{"fixtures/onnx/bert/model.opset17.eager.onnx", "fixtures/onnx/distilbert/model.opset11.eager.onnx"} {
		m := open(t, path)
		for _, c := range testutil.Cases(t, testutil.Shared(t, path, "..", "expected.npz")) {
			var ids []int32
			for i, id := range c.Inputs["input_ids"][:c.Seq] {
				if c.Inputs["attention_mask"][i] == 1 {
					ids = append(ids, int32(id))
				}
			}
			got, err := positionIndex(t, m.Encoder).Rows(ids, nil)
			if err != nil || len(got) != len(ids) || !slices.IsSorted(got) || got[0] != 0 || int(got[len(got)-1]) != len(ids)-1 {
				t.Errorf("%s: positions of %d tokens: %v, %v", path, len(ids), got, err)
			}
		}
		for i := range m.Indexes {
			switch x := &m.Indexes[i]; x.Input {
			case "input_ids":
				if got, err := x.Rows([]int32{4, 5}, nil); err != nil || !slices.Equal(got, []int32{4, 5}) {
					t.Errorf("ids %v, %v", got, err)
				}
			case "token_type_ids":
				if got, err := x.Rows([]int32{4, 5}, nil); err != nil || !slices.Equal(got, []int32{0, 0}) {
					t.Errorf("types %v, %v", got, err)
				}
				if got, err := x.Rows([]int32{4, 5}, []int32{1, 0}); err != nil || !slices.Equal(got, []int32{1, 0}) {
					t.Errorf("types %v, %v", got, err)
				}
			}
		}
	}
}

func TestIndexRefusesWhatDoesNotFit(t *testing.T) {
	x := positionIndex(t, recognise(t, encoder(t, 17)))
	if _, err := x.Rows(make([]int32, 17), nil); err == nil || !strings.Contains(err.Error(), "for 17 tokens") {
		t.Errorf("17 tokens with 16 positions: %v", err)
	}
	if _, err := x.Rows(make([]int32, 2), make([]int32, 3)); err == nil {
		t.Error("3 types for 2 tokens are taken")
	}
	if got, err := x.Rows(nil, nil); err != nil || len(got) != 0 {
		t.Errorf("no tokens: %v, %v", got, err)
	}
}

func TestIndexIsSafeForManyGoroutines(t *testing.T) {
	m := encoder(t, 17)
	positions(func(e *editor) string { // of the tokens and of the length
		return e.add("Mod", []string{e.add("Add", []string{"input_ids", "/embeddings/Slice_output_0"}), e.int(16)})
	})(t, m)
	x := positionIndex(t, recognise(t, m))
	var wait sync.WaitGroup
	for k := range 8 {
		wait.Go(func() {
			for n := 1; n <= 16; n++ {
				ids, want := make([]int32, n), make([]int32, n)
				for i := range ids {
					ids[i], want[i] = int32(k), int32((k+i)%16)
				}
				if got, err := x.Rows(ids, nil); err != nil || !slices.Equal(got, want) {
					t.Errorf("%v, %v, want %v", got, err, want)
				}
			}
		})
	}
	wait.Wait()
}
