package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/seed-aefebe89/graft/internal/app"
	"github.com/seed-aefebe89/graft/internal/atomicfile"
)

func inspectCommand() *cobra.Command {
	var asJSON, places, check bool
	var svg, dot string
	var o app.CheckOptions
	var device app.Device
	c := &cobra.Command{
		Use:   "inspect MODEL",
		Short: "Show what graft sees in a model: layers, places for adapters, what each method would add",
		Long: `Show what graft sees in a model, a folder or an ONNX file with or without config.json: layers, operators, the places
that take adapters and what each method would add there. A model that graft refuses is described as far as its file
tells; why it is refused is the error.

--check runs random batches here and in onnxruntime, several lengths with padding, and prints the largest difference of
each output and layer. What graft recognises runs fused, on packed tokens; what it does not runs node by node, on padded
batches, if its operators are among those of docs/operators.md. The exit status is 0 where no difference is larger than
1e-4 of the largest number (1e-2 for a file that computes in half precision). A quantised file is held against what it
stands for, without rounded activations, which training computes with; how far the file itself drifts from that is printed
too. --gradients adds a gradient beside finite differences, --export-check the logits of an exported delta, and the slotted
graph without a delta beside the file itself.

--svg draws the encoder, layers that are equal once, with the places for adapters marked; --dot writes the same for
Graphviz. The file - is standard output.`,
		Example: `  graft inspect models/e5-small
  graft inspect --places model.onnx
  graft inspect --check --gradients --export-check models/e5-small
  graft inspect --svg e5-small.svg models/e5-small`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if svg != "" || dot != "" {
				return draw(c.OutOrStdout(), args[0], svg, dot)
			}
			if device.Name != "" {
				r, err := app.InspectDevice(c.Context(), args[0], device, func(format string, args ...any) {
					fmt.Fprintf(c.ErrOrStderr(), format+"\n", args...)
				})
				if r == nil {
					return err
				}
				show := printDevice
				if asJSON {
					show = func(w io.Writer, r *app.DeviceRun) error { return printJSON(w, r) }
				}
				return errors.Join(show(c.OutOrStdout(), r), err)
			}
			if check {
				r, err := app.RunCheck(c.Context(), args[0], o)
				show := printCheck
				if asJSON {
					show = func(w io.Writer, r *app.Check) error { return printJSON(w, r) }
				}
				return errors.Join(show(c.OutOrStdout(), r), err)
			}
			if o.Gradients || o.Export {
				return errors.New("--gradients and --export-check are parts of --check")
			}
			r, err := app.Inspect(args[0])
			if r == nil {
				return err
			}
			show := func() error { return printInspection(c.OutOrStdout(), r, places) }
			if asJSON {
				show = func() error { return printJSON(c.OutOrStdout(), r) }
			}
			return errors.Join(show(), err)
		},
	}
	f := c.Flags()
	f.BoolVar(&asJSON, "json", false, "write JSON")
	f.BoolVar(&places, "places", false, "list every place that takes an adapter")
	f.BoolVar(&check, "check", false, "compare with onnxruntime on random batches")
	f.Uint64Var(&o.Seed, "seed", 1, "seed of the random batches")
	f.BoolVar(&o.Gradients, "gradients", false, "with --check: gradients beside finite differences")
	f.BoolVar(&o.Export, "export-check", false, "with --check: an exported delta in onnxruntime")
	f.IntVar(&o.Threads, "threads", 0, "with --check: threads, 0 for one for each processor")
	f.StringVar(&device.Name, "device", "", "take a training step on cpu, gpu or auto, and list the operators that ran there or what failed")
	f.StringVar(&svg, "svg", "", "draw the encoder into this SVG file")
	f.StringVar(&dot, "dot", "", "draw the encoder into this file for Graphviz")
	for _, other := range []string{"json", "check"} {
		c.MarkFlagsMutuallyExclusive(other, "svg")
		c.MarkFlagsMutuallyExclusive(other, "dot")
	}
	c.MarkFlagsMutuallyExclusive("check", "places")
	c.MarkFlagsMutuallyExclusive("check", "device")
	return c
}

// printDevice writes what a training step came to on a device.
func printDevice(out io.Writer, r *app.DeviceRun) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "device\t%s\n", r.Device)
	if r.TotalMB > 0 {
		fmt.Fprintf(w, "memory\t%.0f of %.0f MB free\n", r.FreeMB, r.TotalMB)
	}
	fmt.Fprintf(w, "runs there\t%s\n", strings.Join(r.Operators, ", "))
	fmt.Fprintf(w, "does not\t%s\n", or(r.Fails, "nothing"))
	return w.Flush()
}

// draw writes pictures of a model to files, "-" being out.
func draw(out io.Writer, model, svg, dot string) error {
	p, err := app.Picture(model)
	if err != nil {
		return err
	}
	for _, x := range []struct {
		file  string
		write func(io.Writer) error
	}{{svg, p.SVG}, {dot, p.DOT}} {
		switch x.file {
		case "":
		case "-":
			err = errors.Join(err, x.write(out))
		default:
			err = errors.Join(err, atomicfile.Write(x.file, x.write))
		}
	}
	return err
}

func printInspection(out io.Writer, r *app.Inspection, places bool) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	row := func(name string, format string, args ...any) {
		fmt.Fprintf(w, "%s\t%s\n", name, fmt.Sprintf(format, args...))
	}
	row("file", "%s", r.Path)
	switch {
	case r.Refused != "":
	case r.NodeByNode:
		row("architecture", "%s, hidden %d, vocabulary %d, %.1f M parameters", or(r.ModelType, "unknown"), r.HiddenSize, r.Vocabulary,
			float64(r.Parameters)/1e6)
	default:
		row("architecture", "%s, %d layers, hidden %d, %d heads, vocabulary %d, %.1f M parameters", or(r.ModelType, "unknown"), r.Layers,
			r.HiddenSize, r.Heads, r.Vocabulary, float64(r.Parameters)/1e6)
	}
	row("exporter", "%s, IR %d, opset %s", or(r.Exporter, "unknown"), r.IRVersion, counts(r.Opsets))
	row("operators", "%d nodes: %s", r.Nodes, counts(r.Operators))
	if len(r.Generic) > 0 {
		row("  node by node", "%s", counts(r.Generic))
	}
	if len(r.Unsupported) > 0 {
		row("  unsupported", "%s", counts(r.Unsupported))
	}
	switch {
	case r.NodeByNode && r.Refused != "":
		row("  not recognised", "runs node by node, with --check alone")
	case r.NodeByNode:
		row("  not recognised", "runs node by node, on padded batches: %s", strings.ReplaceAll(r.Unrecognised, "\n", "; "))
	case r.Refused == "":
		row("  fused", "%s", counts(r.Fused))
		row("recognised", "%s", counts(r.Blocks))
	}
	row("outputs", "%s", strings.Join(r.Outputs, ", "))
	if len(r.ExternalFiles) > 0 {
		row("external data", "%s", strings.Join(r.ExternalFiles, ", "))
	}
	row("digest", "%s", r.SHA256)
	if r.Refused == "" {
		row("places", "%d", len(r.Places))
	}
	for _, m := range r.Methods {
		row("  "+m.Method, "%d parameters, %.2f %% of the base, %.0f KB", m.Parameters, 100*m.Share, m.KB)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if places {
		for _, p := range r.Places {
			fmt.Fprintln(out, " ", p)
		}
	}
	return nil
}

// printCheck writes a check as a table.
func printCheck(out io.Writer, r *app.Check) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "file\t%s\n", r.Path)
	fmt.Fprintf(w, "status\t%s\n", r.Status)
	if r.Way != "" {
		fmt.Fprintf(w, "way\t%s\n", r.Way)
	}
	if r.Reason != "" {
		fmt.Fprintf(w, "reason\t%s\n", strings.ReplaceAll(r.Reason, "\n", "; "))
	}
	rows := func(what string, values ...app.CheckValue) {
		for i, v := range values {
			if i > 0 {
				what = ""
			}
			fmt.Fprintf(w, "%s\t%s\t%.2g\t%.2g of the largest\n", what, v.Name, v.MaxAbs, v.MaxRel)
		}
	}
	rows("outputs", r.Outputs...)
	rows("layers", r.Layers...)
	rows("drift of the quantised file", r.Drift...)
	if r.Gradients != nil {
		rows("gradients", *r.Gradients)
	}
	if r.Export != nil {
		rows("exported delta", *r.Export)
	}
	if r.Slotted != nil {
		rows("slotted graph without a delta", *r.Slotted)
	}
	return w.Flush()
}

func or(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// counts writes a map as "Add 12, MatMul 8", most first; opsets as "14".
func counts(m map[string]int) string {
	keys := slices.SortedFunc(maps.Keys(m), func(a, b string) int {
		if m[a] != m[b] {
			return m[b] - m[a]
		}
		return strings.Compare(a, b)
	})
	var out []string
	for _, k := range keys {
		out = append(out, strings.TrimSpace(fmt.Sprintf("%s %d", k, m[k])))
	}
	return strings.Join(out, ", ")
}
