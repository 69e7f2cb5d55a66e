package app

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/seed-aefebe89/graft/export/ort"
	"github.com/seed-aefebe89/graft/importer"
	"github.com/seed-aefebe89/graft/importer/onnx"
	"github.com/seed-aefebe89/graft/internal/atomicfile"
	"github.com/seed-aefebe89/graft/internal/testutil"
)

var parityTable = flag.String("parity", "", "write the table of TestParity to this file")

// Every encoder that is here, from the file to onnxruntime and back: forward pass, gradients, an exported delta and the
// slotted graph without one; what onnxruntime refuses is refused here too. Of each family one where time is short.
func TestParity(t *testing.T) {
	needRuntime(t)
	var rows []parityRow
	seen := map[string]bool{}
	for _, f := range encoderFiles(t) {
		family := filepath.Dir(f.path)
		if filepath.Base(family) == "of-fixtures" { // each of these is of its own kind
			family = f.path
		}
		if testing.Short() && *parityTable == "" && seen[family] {
			continue
		}
		seen[family] = true
		t.Run(f.name, func(t *testing.T) {
			r := parityOf(t, f)
			rows = append(rows, r)
			if !r.green {
				t.Error(r.verdict)
			}
		})
	}
	if *parityTable != "" {
		if err := atomicfile.WriteBytes(*parityTable, parityPage(rows)); err != nil {
			t.Error(err)
		}
	}
}

// encoderFile is an encoder to look at, under the name that the table gives it.
type encoderFile struct{ name, path string }

// encoderFiles are the encoders of the repository, and the shared ones where they are.
func encoderFiles(t *testing.T) (out []encoderFile) {
	t.Helper()
	root := testutil.Root(t)
	shared := filepath.Join(filepath.Dir(root), "shared")
	for _, from := range []struct{ base, dir string }{
		{root, "importer/testdata"}, {root, "testdata/demo"},
		{shared, "fixtures/onnx"}, {shared, "fixtures/onnx-tools"}, {shared, "models"},
	} {
		err := filepath.WalkDir(filepath.Join(from.base, filepath.FromSlash(from.dir)), func(path string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() && filepath.Ext(path) == ".onnx" {
				rel, _ := filepath.Rel(from.base, path)
				out = append(out, encoderFile{filepath.ToSlash(rel), path})
			}
			return err
		})
		if err != nil && from.base == root {
			t.Fatal(err)
		}
	}
	return out
}

// parityRow is a line of the table.
type parityRow struct {
	name      string
	opset     int64
	attention string
	half      bool // the file computes in half precision
	numbers   [4]string
	largest   [4]float64 // of forward, gradient, export and slotted graph
	green     bool
	verdict   string
}

// parityOf checks a file in every respect.
func parityOf(t *testing.T, f encoderFile) parityRow {
	t.Helper()
	row := parityRow{name: f.name, attention: "–"}
	file, err := onnx.Open(f.path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	row.opset, _ = file.Opset("")
	for _, kind := range []string{"eager", "sdpa"} {
		if strings.Contains(filepath.Base(f.path), kind) {
			row.attention = kind
		}
	}
	s, refusal := ort.OpenFile(f.path, file.Model, ort.Options{Threads: 1})
	if refusal == nil {
		refusal = s.Close()
	}
	c, err := RunCheck(context.Background(), f.path, CheckOptions{Seed: 4, Gradients: true, Export: true, Threads: 2})
	row.half, row.green = c.Tolerance > checkTolerance, refusal == nil && err == nil && c.Status == "equal"
	row.verdict = c.Status
	switch {
	case refusal != nil && c.Status == "refused" && imports(f.path) != nil:
		row.green, row.verdict = true, "refused, as by onnxruntime: "+strings.ReplaceAll(imports(f.path).Error(), "importing "+f.path+": ", "")
	case err != nil:
		row.verdict = c.Status + ": " + strings.ReplaceAll(c.Reason, "\n", "; ")
	case refusal != nil:
		row.verdict = fmt.Sprintf("onnxruntime refuses what graft takes: %v", refusal)
	}
	for i, v := range []*CheckValue{{MaxRel: c.MaxRel}, c.Gradients, c.Export, c.Slotted} {
		row.numbers[i] = "–"
		if v != nil && len(c.Outputs) > 0 {
			row.numbers[i], row.largest[i] = fmt.Sprintf("%.1e", v.MaxRel), v.MaxRel
		}
	}
	if quantised := strings.Contains(f.path, ".q"); quantised != (len(c.Drift) > 0) {
		t.Errorf("the drift is %v", c.Drift)
	}
	if half := strings.Contains(f.path, ".fp16"); half != row.half {
		t.Errorf("the tolerance is %v", c.Tolerance)
	}
	return row
}

// imports tells why a file is not imported as an encoder.
func imports(path string) error {
	m, err := importer.Open(path)
	if err != nil {
		return err
	}
	return m.Close()
}

// parityPage is docs/parity.md.
func parityPage(rows []parityRow) []byte {
	var b bytes.Buffer
	green, refused := 0, 0
	var worst [4]float64 // of the files in float32
	for _, r := range rows {
		if r.green {
			green++
		}
		if strings.HasPrefix(r.verdict, "refused") {
			refused++
		}
		for i, v := range r.largest {
			if !r.half {
				worst[i] = max(worst[i], v)
			}
		}
	}
	fmt.Fprintf(&b, `# Parity

Made by `+"`make parity PARITY=docs/parity.md`"+`: every encoder file of the repository and of the shared fixtures through
`+"`graft inspect --check --gradients --export-check`"+`. %d of %d are green, %d of them invalid ONNX that onnxruntime and graft refuse.

| column | what is compared | largest in float32 | bound | why |
|---|---|--:|--:|---|
| forward | every output, and every layer where the file computes it, on four padded batches of random tokens: graft and onnxruntime | %.1e | %.0e | both sum up to some thousand products in float32, in another order, a dozen layers deep |
| gradients | the loss along the gradient of each parameter of a LoRA adapter (rank 4, queries and values) and of a head: ours and central differences, extrapolated | %.1e | %.0e | a loss in float32 has 2⁻²⁴ of error, the difference moves it by 0.02; steep places leave the fourth order of the step |
| exported | logits after one exaggerated training step of that adapter, exported: graft and onnxruntime | %.1e | %.0e | as forward |
| slotted | all outputs of the slotted graph without a delta and of the file itself, both in onnxruntime, with its optimisations or without | %.1e | 0 | nothing is added to the base; %.0e where a node that onnxruntime fused is written out since a slot lies in it |

Differences are in units of the value's largest number. Files that compute in half precision have the bound %.0e: onnxruntime
rounds every result to 2⁻¹¹ of it and graft does not. Quantised files are compared without rounded activations, as they are
trained. The kind of attention is what the file's name tells; those of importer/testdata and of-fixtures are eager exports.

| file | opset | attention | forward | gradients | exported | slotted | |
|---|--:|---|--:|--:|--:|--:|---|
`, green, len(rows), refused, worst[0], checkTolerance, worst[1], slopeTolerance, worst[2], checkTolerance, worst[3], expandedTolerance, halfTolerance)
	for _, r := range rows {
		verdict := "green"
		switch {
		case !r.green:
			verdict = "**red**: " + r.verdict
		case r.verdict != "equal":
			verdict += ": " + r.verdict
		}
		cells := slices.Concat([]string{r.name, fmt.Sprint(r.opset), r.attention}, r.numbers[:], []string{strings.ReplaceAll(verdict, "|", "\\|")})
		fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | "))
	}
	return b.Bytes()
}
