package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/seed-aefebe89/graft/internal/app"
)

func inspectCommand() *cobra.Command {
	var asJSON, places bool
	c := &cobra.Command{
		Use:     "inspect MODEL",
		Short:   "Show what graft sees in a model: layers, places for adapters, what each method would add",
		Example: "  graft inspect models/e5-small\n  graft inspect --places model.onnx",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			r, err := app.Inspect(args[0])
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(c.OutOrStdout(), r)
			}
			return printInspection(c.OutOrStdout(), r, places)
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "write JSON")
	c.Flags().BoolVar(&places, "places", false, "list every place that takes an adapter")
	return c
}

func printInspection(out io.Writer, r *app.Inspection, places bool) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	row := func(name string, format string, args ...any) {
		fmt.Fprintf(w, "%s\t%s\n", name, fmt.Sprintf(format, args...))
	}
	row("file", "%s", r.Path)
	row("architecture", "%s, %d layers, hidden %d, %d heads, vocabulary %d, %.1f M parameters", or(r.ModelType, "unknown"), r.Layers,
		r.HiddenSize, r.Heads, r.Vocabulary, float64(r.Parameters)/1e6)
	row("exporter", "%s, IR %d, opset %s", or(r.Exporter, "unknown"), r.IRVersion, counts(r.Opsets))
	row("operators", "%d nodes: %s", r.Nodes, counts(r.Operators))
	row("recognised", "%s", counts(r.Blocks))
	row("outputs", "%s", strings.Join(r.Outputs, ", "))
	if len(r.ExternalFiles) > 0 {
		row("external data", "%s", strings.Join(r.ExternalFiles, ", "))
	}
	row("digest", "%s", r.SHA256)
	row("places", "%d", len(r.Places))
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
