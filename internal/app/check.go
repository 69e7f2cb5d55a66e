package app

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/seed-aefebe89/graft/graph/kernel"
	"github.com/seed-aefebe89/graft/importer"
	"github.com/seed-aefebe89/graft/importer/onnx"
	"github.com/seed-aefebe89/graft/internal/parity"
)

// CheckOptions say what Check looks at.
type CheckOptions struct {
	Seed      uint64
	Gradients bool // gradients beside finite differences too
	Export    bool // an exported delta in onnxruntime too
	Threads   int  // of ours; 0 means one for each processor
}

// Check is how a model runs here beside onnxruntime.
type Check struct {
	Path      string       `json:"path"`
	Status    string       `json:"status"`    // equal, different or refused
	Way       string       `json:"way"`       // fused: the recognised encoder, on packed tokens; or node by node, on padded batches
	Tolerance float64      `json:"tolerance"` // up to which difference, in units of the largest number, all is equal
	MaxAbs    float64      `json:"max_abs"`   // of all outputs and layers
	MaxRel    float64      `json:"max_rel"`
	Reason    string       `json:"reason"`           // why it is refused, is different or runs node by node
	Outputs   []CheckValue `json:"outputs"`          // the model's
	Layers    []CheckValue `json:"layers,omitempty"` // the hidden states of a recognised encoder, where the file computes them
	Drift     []CheckValue `json:"drift,omitempty"`  // from a quantised file's outputs, as it rounds its activations
	Gradients *CheckValue  `json:"gradients,omitempty"`
	Export    *CheckValue  `json:"export,omitempty"`  // an exported delta's logits in onnxruntime, from ours
	Slotted   *CheckValue  `json:"slotted,omitempty"` // the slotted graph without a delta, from the file itself

	options   CheckOptions
	model     *importer.Model
	plain     *onnx.Model // the model without quantised operators, expanded
	quantised bool
	kernels   []kernel.Kernels

	neutralTolerance float64 // of the slotted graph without a delta
}

// CheckValue is the largest difference of a value from what it should be, in all batches together: absolute, and in units
// of the value's largest number. What is infinite is math.MaxFloat64, since JSON has no infinity.
type CheckValue struct {
	Name   string  `json:"name"`
	MaxAbs float64 `json:"max_abs"`
	MaxRel float64 `json:"max_rel"`
}

// The two ways that a model runs.
const (
	fusedWay    = "fused"
	nodewiseWay = "node by node"
)

const (
	// checkTolerance is for float32 on both sides: sums of up to some thousand products in another order, a dozen layers
	// deep, leave 1e-6 to 1e-5 of the largest number.
	checkTolerance = 1e-4
	// halfTolerance is for files that compute in half precision, where onnxruntime rounds each result to 2⁻¹¹ (float16) or
	// 2⁻⁸ (bfloat16) of it and we do not.
	halfTolerance = 1e-2
	// expandedTolerance is for slotted graphs in which a node that onnxruntime's optimiser fused is written out, since a
	// slot lies in it: the two round differently some dozen times on the way. All other slotted graphs are the base bit
	// for bit without a delta.
	expandedTolerance = 1e-5
	// slopeTolerance is for gradients: see parity.Slope. Steep places leave the most, of the fourth order in the step.
	slopeTolerance = 5e-3
)

// RunCheck runs random batches of a model, a folder or an ONNX file, here and in onnxruntime, and tells the largest
// differences. The check is always returned; the error says why it did not find the model equal.
func RunCheck(ctx context.Context, path string, o CheckOptions) (*Check, error) {
	c := &Check{Path: path, Status: "refused", Outputs: []CheckValue{}, options: o, kernels: Threads(o.Threads), Tolerance: checkTolerance}
	m, err := importer.Map(path)
	if err != nil {
		return c.refuse(err)
	}
	defer m.Close()
	c.model, c.Path = m, m.Path
	if c.plain, err = importer.Dequantised(m.File.Model); err != nil {
		return c.refuse(fmt.Errorf("importing %s: %w", m.Path, err))
	}
	c.quantised = importer.Quantised(m.File.Model)
	if halves(m.File.Model) {
		c.Tolerance = halfTolerance
	}
	if err = m.Import(); err == nil && m.Padded == nil {
		c.Way = fusedWay
		err = c.fused(ctx)
	} else {
		if err == nil {
			err = m.Padded.Reason
		}
		c.Way, c.Reason = nodewiseWay, err.Error()
		err = c.nodewise(ctx)
	}
	if ctx.Err() != nil {
		return c, ctx.Err()
	}
	if err != nil {
		return c.refuse(err)
	}
	return c, c.judge()
}

// refuse says why nothing was compared.
func (c *Check) refuse(err error) (*Check, error) {
	if c.Reason != "" && c.Reason != err.Error() {
		err = fmt.Errorf("%s; %s: %w", c.Reason, c.Way, err)
	}
	c.Status, c.Reason, c.MaxAbs, c.MaxRel = "refused", err.Error(), 0, 0
	return c, err
}

// judge sums the differences up.
func (c *Check) judge() error {
	for _, v := range slices.Concat(c.Outputs, c.Layers) {
		c.MaxAbs, c.MaxRel = max(c.MaxAbs, v.MaxAbs), max(c.MaxRel, v.MaxRel)
	}
	var wrong []error
	if !(c.MaxRel <= c.Tolerance) {
		wrong = append(wrong, fmt.Errorf("the results differ from onnxruntime's by %.2g of the largest number, which is more than %.0e",
			c.MaxRel, c.Tolerance))
	}
	if g := c.Gradients; g != nil && !(g.MaxRel <= slopeTolerance) {
		wrong = append(wrong, fmt.Errorf("the gradient of %s differs from finite differences by %.2g of it, which is more than %.0e",
			g.Name, g.MaxRel, slopeTolerance))
	}
	if x := c.Export; x != nil && !(x.MaxRel <= c.Tolerance) {
		wrong = append(wrong, fmt.Errorf("the exported delta's logits in onnxruntime differ by %.2g of the largest one, which is more than %.0e",
			x.MaxRel, c.Tolerance))
	}
	if s := c.Slotted; s != nil && !(s.MaxRel <= c.neutralTolerance) {
		wrong = append(wrong, fmt.Errorf("%s of the slotted graph without a delta differs from the file's by %.2g of the largest number, which is more than %.0e",
			s.Name, s.MaxRel, c.neutralTolerance))
	}
	c.Status = "equal"
	if len(wrong) == 0 {
		return nil
	}
	err := errors.Join(wrong...)
	c.Status, c.Reason = "different", err.Error()
	return err
}

// valueOf is a difference under a name.
func valueOf(name string, d parity.Difference) CheckValue {
	return CheckValue{name, min(d.Abs, math.MaxFloat64), min(d.Rel(), math.MaxFloat64)}
}

// tally collects differences by name, in the order in which the names first came.
type tally struct {
	names []string
	of    map[string]*parity.Difference
}

func (t *tally) at(name string) *parity.Difference {
	if t.of == nil {
		t.of = map[string]*parity.Difference{}
	}
	if t.of[name] == nil {
		t.of[name] = &parity.Difference{}
		t.names = append(t.names, name)
	}
	return t.of[name]
}

func (t *tally) values() []CheckValue {
	out := []CheckValue{}
	for _, n := range t.names {
		out = append(out, valueOf(n, *t.of[n]))
	}
	return out
}
