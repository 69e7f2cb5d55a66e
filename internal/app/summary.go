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

// Summary is what adapters cost and bring, by language: a baseline beside another setting.
type Summary struct {
	Rows   []SummaryRow
	BaseMB float64
}

// SummaryRow is one language.
type SummaryRow struct {
	Language         string
	Baseline, Primed *EvalResult
	DeltaKB          float64 // the .onnx_adapter of the primed one
}

// Add reads two saved evaluations of a language, and the size of the exported delta of the second.
func (s *Summary) Add(baseline, primed, exported string) error {
	var row SummaryRow
	for _, x := range []struct {
		path string
		r    **EvalResult
	}{{baseline, &row.Baseline}, {primed, &row.Primed}} {
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

// Write prints the table.
func (s *Summary) Write(w io.Writer) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(tw, "language\tAT F1\tin onnxruntime\tprimed AT F1\tin onnxruntime\tgain\tequal predictions\ttrained parameters\tdelta KB\tbase MB\t")
	for _, r := range s.Rows {
		var rec TrainRecord
		if err := json.Unmarshal(r.Primed.Record, &rec); err != nil {
			return err
		}
		fmt.Fprintf(tw, "%s\t%.1f\t%.1f\t%.1f\t%.1f\t%+.1f\t%d/%d\t%d\t%.0f\t%.1f\t\n", r.Language,
			100*r.Baseline.Graph.Micro.F1, 100*r.Baseline.Runtime.Micro.F1, 100*r.Primed.Graph.Micro.F1, 100*r.Primed.Runtime.Micro.F1,
			100*(r.Primed.Graph.Micro.F1-r.Baseline.Graph.Micro.F1), *r.Baseline.Equal+*r.Primed.Equal, r.Baseline.Sentences+r.Primed.Sentences,
			rec.Result.Trainable, r.DeltaKB, s.BaseMB)
	}
	return tw.Flush()
}
