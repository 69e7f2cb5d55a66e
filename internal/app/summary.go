package app

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"text/tabwriter"

	"github.com/seed-aefebe89/graft/export"
)

// Summary is what adapters cost and bring, by language: a baseline beside priming and, where it was run, its control.
type Summary struct {
	Rows   []SummaryRow
	BaseMB float64
}

// SummaryRow is one language.
type SummaryRow struct {
	Language         string
	Baseline, Primed *EvalResult
	Control          *EvalResult // nil where it was not run
	DeltaKB          float64     // the .onnx_adapter of the primed one
}

// Add reads the saved evaluations of a language, and the size of the exported delta of the primed one. control may be
// empty.
func (s *Summary) Add(baseline, control, primed, exported string) error {
	var row SummaryRow
	for _, x := range []struct {
		path string
		r    **EvalResult
	}{{baseline, &row.Baseline}, {control, &row.Control}, {primed, &row.Primed}} {
		if x.path == "" {
			continue
		}
		b, err := os.ReadFile(x.path)
		if err != nil {
			return err
		}
		if err := json.Unmarshal(b, x.r); err != nil {
			return fmt.Errorf("reading %s: %w", x.path, err)
		}
	}
	row.Language = row.Primed.Language
	st, err := os.Stat(filepath.Join(exported, row.Primed.Delta, row.Primed.Delta+export.AdapterSuffix))
	if err != nil {
		return err
	}
	row.DeltaKB = float64(st.Size()) / 1024
	s.Rows = append(s.Rows, row)
	return nil
}

// Base notes the size of the base's file.
func (s *Summary) Base(path string) error {
	st, err := os.Stat(path)
	if err != nil {
		return err
	}
	s.BaseMB = float64(st.Size()) / (1 << 20)
	return nil
}

// Write prints the table. F1 is that of onnxruntime where it says so, else of the graph.
func (s *Summary) Write(w io.Writer) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	control := len(s.Rows) > 0 && s.Rows[0].Control != nil
	fmt.Fprint(tw, "language\tAT\tin ort\t")
	if control {
		fmt.Fprint(tw, "FT→AT\tin ort\t")
	}
	fmt.Fprintln(tw, "MP→AT\tin ort\tgain\tequal predictions\ttrained parameters\tdelta KB\tbase MB\t")
	for _, r := range s.Rows {
		var rec TrainRecord
		if err := json.Unmarshal(r.Primed.Record, &rec); err != nil {
			return err
		}
		fmt.Fprintf(tw, "%s\t", r.Language)
		equal, sentences := 0, 0
		for _, e := range []*EvalResult{r.Baseline, r.Control, r.Primed} {
			if e == nil {
				continue
			}
			fmt.Fprintf(tw, "%.1f\t%.1f\t", 100*e.Graph.Micro.F1, 100*e.Runtime.Micro.F1)
			equal, sentences = equal+*e.Equal, sentences+e.Sentences
		}
		fmt.Fprintf(tw, "%+.1f\t%d/%d\t%d\t%.0f\t%.1f\t\n", 100*(r.Primed.Graph.Micro.F1-r.Baseline.Graph.Micro.F1), equal, sentences,
			rec.Result.Trainable, r.DeltaKB, s.BaseMB)
	}
	return tw.Flush()
}
