package train

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/seed-aefebe89/graft/graph"
)

// Footprint is the memory that a training run takes, in bytes.
type Footprint struct {
	graph.Footprint
	Gradients int `json:"gradients"`
	Optimiser int `json:"optimiser"` // two moments of every trained parameter
	Copies    int `json:"copies"`    // of parameters, to go back to
	Features  int `json:"features"`  // hidden states that are computed once
	Trained   int `json:"trained"`   // elements
}

// Private is the sum of what no file backs.
func (f Footprint) Private() int {
	return f.Copied + f.Packed + f.Adapter + f.Arena + f.Gradients + f.Optimiser + f.Copies + f.Features
}

// Write prints the memory as a table.
func (f Footprint) Write(w io.Writer) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	row := func(name string, bytes int, what string) {
		fmt.Fprintf(tw, "%s\t%.1f MB\t  %s\n", name, float64(bytes)/1e6, what)
	}
	row("weights, mapped", f.Mapped, "of the model's file, shared and given back under pressure")
	row("weights, own", f.Copied, "base weights that are trained, or that the file holds in another type")
	row("weights, packed", f.Packed, "frozen matrices laid out for products (none with --low-memory)")
	row("adapter and head", f.Adapter, "")
	row("arena", f.Arena, fmt.Sprintf("intermediate values and gradients of %d threads", f.Threads))
	row("gradients", f.Gradients, fmt.Sprintf("%d trained parameters", f.Trained))
	row("optimiser", f.Optimiser, "two moments")
	row("copies", f.Copies, "of parameters, to go back to")
	row("hidden states", f.Features, "computed once")
	row("in all", f.Private(), "beside the mapped weights")
	return tw.Flush()
}

// GradientBytes is what the gradients of some parameters take.
func GradientBytes(ps []*graph.Param) int { return 4 * graph.Count(ps) }

// OptimiserBytes is what NewAdamW takes.
func OptimiserBytes(ps []*graph.Param) int { return 8 * graph.Count(ps) }
