package app

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// Write prints the result as a table.
func (r *BenchResult) Write(w io.Writer) error {
	if r.Lengths == "" {
		fmt.Fprintf(w, "%s: %d tokens in sequences of %.0f", r.Model, r.Tokens, r.Length)
	} else {
		fmt.Fprintf(w, "%s: %d tokens in %d sequences of %.1f on average (%s)", r.Model, r.Tokens, r.Sequences, r.Length, r.Lengths)
	}
	fmt.Fprintf(w, ", %d threads, %s, %s, medians of %d runs taken in turn\n", r.Threads, r.Kernels, r.Precision, r.Runs)
	if r.PeakGFLOPS > 0 {
		fmt.Fprintf(w, "in this run: peak of matrix products %.0f GFLOP/s, memory %.0f GB/s; other processes took %.0f %% of the machine\n", r.PeakGFLOPS, r.TriadGBPS,
			100*r.Others)
	}
	if r.Lengths != "" {
		fmt.Fprintln(w, "graft takes the sequences as they come, packed; onnxruntime sorted by length and padded to a batch's longest")
	}
	peers := false
	for _, x := range r.Rows {
		peers = peers || x.Of != ""
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	head := "\tsteps\tms/step\tmin\tmax\ttokens/s\t× onnxruntime\t% of peak\tprivate MB\t"
	if peers {
		head += "graft in turn\tgraft / peer\tmemory / peer\t"
	}
	fmt.Fprintln(tw, head)
	for _, x := range r.Rows {
		cells := []string{x.Name, fmt.Sprint(x.Steps), fmt.Sprintf("%.1f", 1e3*x.Seconds), fmt.Sprintf("%.1f", 1e3*x.Min),
			fmt.Sprintf("%.1f", 1e3*x.Max), fmt.Sprintf("%.0f", x.TokensPS), cell("%.2f", x.Ratio), cell("%.0f", 100*x.Share),
			cell("%.0f", x.PrivateMB)}
		if peers {
			cells = append(cells, cell("%.0f", x.Ours), cell("%.2f", x.Speedup), cell("%.2f", x.MemoryOf))
		}
		fmt.Fprintln(tw, strings.Join(cells, "\t")+"\t")
	}
	return tw.Flush()
}

// cell is a number, and nothing where there is none.
func cell(format string, v float64) string {
	if v == 0 {
		return ""
	}
	return fmt.Sprintf(format, v)
}
