package train

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/seed-aefebe89/graft/graph"
	"github.com/seed-aefebe89/graft/graph/kernel"
)

// Footprint is the memory that a training run takes, in bytes.
type Footprint struct {
	graph.Footprint
	Gradients int `json:"gradients"`
	Optimiser int `json:"optimiser"` // two moments of every trained parameter
	Copies    int `json:"copies"`    // of parameters, to go back to
	Features  int `json:"features"`  // hidden states that are computed once
	Trained   int `json:"trained"`   // elements

	DeviceCopies int `json:"device_copies,omitempty"` // of parameters, in the memory of a device
}

// Private is the sum of what no file backs.
func (f Footprint) Private() int {
	return f.Copied + f.Packed + f.Adapter + f.Arena + f.Gradients + f.Optimiser + f.Copies + f.Features
}

// OnDevice is what lies in the memory of a device: all but what the host keeps to go back to, and hidden states.
func (f Footprint) OnDevice() int {
	return f.Resident + f.Packed + f.Adapter + f.Arena + f.Gradients + f.Optimiser + f.DeviceCopies
}

// Fits returns an error, in numbers, where a device with memory of its own has too little of it free.
func (f Footprint) Fits(k kernel.Kernels) error {
	m, ok := k.(kernel.Memory)
	if !ok {
		return nil
	}
	free, total, err := m.Room()
	if err != nil {
		return fmt.Errorf("the memory of %s: %w", k.Name(), err)
	}
	if need := f.OnDevice(); need > free {
		return fmt.Errorf("%s has %.1f of %.1f MB of memory free and this needs %.1f MB: %.1f of weights, %.1f of intermediate values, "+
			"%.1f of gradients and moments; take smaller batches, shorter sentences, --checkpoint-activations or --precision bf16",
			k.Name(), float64(free)/1e6, float64(total)/1e6, float64(need)/1e6, float64(f.Resident+f.Packed+f.Adapter)/1e6,
			float64(f.Arena)/1e6, float64(f.Gradients+f.Optimiser+f.DeviceCopies)/1e6)
	}
	return nil
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
	if f.Device {
		row("on the device", f.OnDevice(), fmt.Sprintf("%.1f MB of weights as they are, %.1f MB laid out for products, adapter, arena, gradients, moments",
			float64(f.Resident)/1e6, float64(f.Packed)/1e6))
		return tw.Flush()
	}
	row("in all", f.Private(), "beside the mapped weights")
	return tw.Flush()
}

// GradientBytes is what the gradients of some parameters take.
func GradientBytes(ps []*graph.Param) int { return 4 * graph.Count(ps) }

// OptimiserBytes is what NewAdamW takes.
func OptimiserBytes(ps []*graph.Param) int { return 8 * graph.Count(ps) }
