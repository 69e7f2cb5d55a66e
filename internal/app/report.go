package app

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"text/tabwriter"

	"github.com/seed-aefebe89/graft/train/metric"
)

// Table is a comparison of settings over languages, from saved evaluations.
type Table struct {
	Settings  []string                     `json:"settings"`
	Languages []string                     `json:"languages"`
	Cells     map[string]map[string][]Cell `json:"cells"` // by setting and language: one a run
}

// Cell is one evaluation of a table.
type Cell struct {
	F1        float64 `json:"f1"`
	Unseen    float64 `json:"unseen_f1,omitempty"`
	Runtime   float64 `json:"onnxruntime_f1,omitempty"`
	Equal     int     `json:"equal"`
	Sentences int     `json:"sentences"`
}

// ReadTable collects files that evaluations were saved to. Settings and languages keep their first order.
func ReadTable(paths []string) (*Table, error) {
	t := &Table{Cells: map[string]map[string][]Cell{}}
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		var r EvalResult
		if err := json.Unmarshal(b, &r); err != nil {
			return nil, fmt.Errorf("reading %s: %w", path, err)
		}
		if r.Graph == nil && r.Runtime == nil {
			return nil, fmt.Errorf("%s holds no evaluation", path)
		}
		if r.Setting == "" {
			r.Setting = r.Delta
		}
		t.Add(&r)
	}
	return t, nil
}

// Add adds an evaluation.
func (t *Table) Add(r *EvalResult) {
	if t.Cells == nil {
		t.Cells = map[string]map[string][]Cell{}
	}
	if !slices.Contains(t.Settings, r.Setting) {
		t.Settings = append(t.Settings, r.Setting)
		t.Cells[r.Setting] = map[string][]Cell{}
	}
	if !slices.Contains(t.Languages, r.Language) {
		t.Languages = append(t.Languages, r.Language)
	}
	c := Cell{F1: r.F1(), Sentences: r.Sentences, Equal: -1}
	if r.Unseen != nil {
		c.Unseen = r.Unseen.Micro.F1
	}
	if r.Graph != nil && r.Runtime != nil {
		c.Runtime, c.Equal = r.Runtime.Micro.F1, *r.Equal
	}
	t.Cells[r.Setting][r.Language] = append(t.Cells[r.Setting][r.Language], c)
}

// Write prints the table: F1 in per cent, mean and standard deviation over runs, and whether onnxruntime gave the same
// predictions.
func (t *Table) Write(w io.Writer) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprint(tw, "F1")
	for _, l := range t.Languages {
		fmt.Fprintf(tw, "\t%s", l)
	}
	fmt.Fprintln(tw)
	unseen := false
	row := func(name string, f func(Cell) float64) {
		fmt.Fprint(tw, name)
		for _, l := range t.Languages {
			var xs []float64
			for _, c := range t.Cells[t.settingOf(name)][l] {
				xs = append(xs, f(c))
				unseen = unseen || c.Unseen > 0
			}
			if len(xs) == 0 {
				fmt.Fprint(tw, "\t–")
			} else {
				fmt.Fprintf(tw, "\t%s", metric.Summarise(xs).Percent())
			}
		}
		fmt.Fprintln(tw)
	}
	for _, s := range t.Settings {
		row(s, func(c Cell) float64 { return c.F1 })
	}
	if unseen {
		for _, s := range t.Settings {
			row(s+unseenSuffix, func(c Cell) float64 { return c.Unseen })
		}
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	equal, compared, runs := t.agreement()
	if runs > 0 {
		fmt.Fprintf(w, "onnxruntime gave the predictions of the graph on %d of %d sentences in %d evaluations\n", equal, compared, runs)
	}
	return nil
}

// unseenSuffix marks the rows of scores over sentences that do not stand in the training file.
const unseenSuffix = ", unseen sentences"

func (t *Table) settingOf(row string) string {
	if _, ok := t.Cells[row]; ok {
		return row
	}
	return row[:len(row)-len(unseenSuffix)]
}

// agreement counts the sentences on which graph and onnxruntime were compared.
func (t *Table) agreement() (equal, compared, runs int) {
	for _, byLanguage := range t.Cells {
		for _, cs := range byLanguage {
			for _, c := range cs {
				if c.Equal >= 0 {
					equal += c.Equal
					compared += c.Sentences
					runs++
				}
			}
		}
	}
	return equal, compared, runs
}
