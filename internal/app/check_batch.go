package app

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/seed-aefebe89/graft/graph"
	"github.com/seed-aefebe89/graft/importer"
	"github.com/seed-aefebe89/graft/importer/fold"
	"github.com/seed-aefebe89/graft/importer/onnx"
)

// checkBatch is a batch of random sequences, packed and padded.
type checkBatch struct {
	seqs   []*graph.Sequence
	length int // of the padded sequences
	inputs map[string]*fold.Array
}

// checkLengths are those of the sequences of each batch: several with padding, one alone, and one of a single token.
var checkLengths = [][]int{{9, 1, 14}, {11}, {1}, {24, 17}}

// checkClasses is the number of classes of random targets.
const checkClasses = 5

// tokenInputs are the names of inputs that take tokens.
var tokenInputs = []string{"input_ids", "attention_mask", "token_type_ids", "position_ids"}

// batches makes random batches for the model's inputs. Sizes that the file fixes are kept. Where the model tells two
// kinds of tokens apart, the second sequence of each batch, or the only one, is a pair. Sequences are of one length for
// a model without attention_mask. A model with other inputs than tokens gets random numbers.
func (c *Check) batches() ([]*checkBatch, error) {
	fixedSize, fixedLength := 0, 0
	defaults := map[string]bool{}
	for _, t := range c.plain.Graph.Initializers {
		defaults[t.Name] = true
	}
	inputs := map[string]onnx.DataType{}
	var free []*onnx.ValueInfo
	foreign := false
	for _, in := range c.plain.Graph.Inputs {
		if !defaults[in.Name] {
			free = append(free, in)
			foreign = foreign || !slices.Contains(tokenInputs, in.Name)
		}
	}
	if foreign {
		return c.foreignBatches(free)
	}
	for _, in := range free {
		size, length, err := tokenInput(in)
		if err != nil {
			return nil, err
		}
		if size > 0 && fixedSize > 0 && size != fixedSize || length > 0 && fixedLength > 0 && length != fixedLength {
			return nil, fmt.Errorf("input %q has the type %v, which fits no other input", in.Name, in.Type)
		}
		inputs[in.Name], fixedSize, fixedLength = in.Type.Tensor.Elem, max(size, fixedSize), max(length, fixedLength)
	}
	limit := fixedLength
	if limit == 0 {
		limit = (&Base{Model: c.model}).MaxLength()
	}
	vocab, types := rowsOf(c.plain.Graph, "input_ids"), rowsOf(c.plain.Graph, "token_type_ids")
	if vocab == 0 {
		vocab = max(c.model.Config.VocabSize, 1)
	}
	r := rand.New(rand.NewPCG(c.options.Seed, 5))
	var out []*checkBatch
	for _, lengths := range checkLengths {
		lengths = slices.Clone(lengths)
		for fixedSize > 0 && len(lengths) < fixedSize {
			lengths = append(lengths, 1+r.IntN(14))
		}
		if fixedSize > 0 {
			lengths = lengths[:fixedSize]
		}
		if _, masked := inputs["attention_mask"]; !masked { // whoever serves it must not pad
			for i := range lengths {
				lengths[i] = slices.Max(lengths)
			}
		}
		b := &checkBatch{length: fixedLength}
		for i, n := range lengths {
			if limit > 0 {
				n = min(n, limit)
			}
			q := &graph.Sequence{}
			pair := types > 1 && i == min(1, len(lengths)-1)
			for k := range n {
				first := min(5, vocab-1) // behind the special tokens, of which padding is one
				q.IDs = append(q.IDs, int32(first+r.IntN(vocab-first)))
				q.Targets = append(q.Targets, int32(r.IntN(checkClasses)))
				if pair {
					q.Types = append(q.Types, int32(b2i(k > n/2)))
				}
			}
			b.seqs, b.length = append(b.seqs, q), max(b.length, n)
		}
		if err := b.pad(inputs, int64(c.model.Config.PadTokenID)); err != nil {
			return nil, err
		}
		out = append(out, b)
	}
	return out, nil
}

// tokenInput checks an input that is to take tokens, and returns the sizes that it fixes, 0 for what is free.
func tokenInput(in *onnx.ValueInfo) (size, length int, err error) {
	if in.Type == nil || in.Type.Tensor == nil || in.Type.Tensor.Shape == nil || len(in.Type.Tensor.Shape.Dims) != 2 ||
		in.Type.Tensor.Elem != onnx.Int64 && in.Type.Tensor.Elem != onnx.Int32 {
		return 0, 0, fmt.Errorf("input %q has the type %v, want whole numbers [batch, sequence]", in.Name, in.Type)
	}
	for i, n := range []*int{&size, &length} {
		if d := in.Type.Tensor.Shape.Dims[i]; d.Known {
			if d.Value < 1 || d.Value > 1<<12 {
				return 0, 0, fmt.Errorf("input %q has the type %v, which is no batch to try", in.Name, in.Type)
			}
			*n = int(d.Value)
		}
	}
	return size, length, nil
}

// pad makes the model's inputs.
func (b *checkBatch) pad(inputs map[string]onnx.DataType, pad int64) error {
	var ids, types [][]int32
	for _, q := range b.seqs {
		ids, types = append(ids, q.IDs), append(types, q.Types)
	}
	b.inputs = map[string]*fold.Array{}
	for name, t := range inputs {
		x, err := importer.TokenInput(name, ids, types, b.length, pad)
		if err != nil {
			return err
		}
		b.inputs[name] = fold.Ints(x, len(b.seqs), b.length)
		b.inputs[name].Type = t
	}
	return nil
}

// rowsOf is the number of rows of the table that an input of a graph chooses from, 0 if there is none to be seen.
func rowsOf(g *onnx.Graph, input string) int {
	from := map[string]bool{input: true}
	tables := map[string]*onnx.Tensor{}
	for _, t := range g.Initializers {
		tables[t.Name] = t
	}
	for _, n := range g.Nodes {
		switch {
		case (n.OpType == "Cast" || n.OpType == "Identity") && len(n.Inputs) == 1 && from[n.Inputs[0]] && len(n.Outputs) == 1:
			from[n.Outputs[0]] = true
		case (n.OpType == "Identity" || n.OpType == "Cast") && len(n.Inputs) == 1 && tables[n.Inputs[0]] != nil && len(n.Outputs) == 1:
			tables[n.Outputs[0]] = tables[n.Inputs[0]]
		case n.OpType == "Gather" && len(n.Inputs) == 2 && from[n.Inputs[1]] && tables[n.Inputs[0]] != nil:
			if t := tables[n.Inputs[0]]; len(t.Dims) == 2 && t.Dims[0] > 0 && t.Dims[0] < 1<<31 {
				return int(t.Dims[0])
			}
		}
	}
	return 0
}
