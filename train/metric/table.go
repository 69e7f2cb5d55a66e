package metric

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// WriteTable writes the report as text in the layout of seqeval's classification_report, with the given number of
// digits after the point (2 there).
func (r Report) WriteTable(w io.Writer, digits int) error {
	if digits < 0 {
		return fmt.Errorf("writing a report: %d digits", digits)
	}
	width := max(len("weighted avg"), digits)
	for _, t := range r.Types {
		width = max(width, utf8.RuneCountInString(t.Type))
	}
	var b strings.Builder
	row := func(name string, s Score) {
		fmt.Fprintf(&b, "%*s  %9.*f %9.*f %9.*f %9d\n",
			width, name, digits, s.Precision, digits, s.Recall, digits, s.F1, s.Support)
	}
	fmt.Fprintf(&b, "%*s  %9s %9s %9s %9s\n\n", width, "", "precision", "recall", "f1-score", "support")
	for _, t := range r.Types {
		row(t.Type, t.Score)
	}
	b.WriteByte('\n')
	row("micro avg", r.Micro)
	row("macro avg", r.Macro)
	row("weighted avg", r.Weighted)
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("writing a report: %w", err)
	}
	return nil
}

// String is the table with two digits.
func (r Report) String() string {
	var b strings.Builder
	_ = r.WriteTable(&b, 2) // a strings.Builder takes everything
	return b.String()
}
