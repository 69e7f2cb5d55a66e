package lower_test

import (
	"cmp"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/seed-aefebe89/graft/graph/lower"
	"github.com/seed-aefebe89/graft/importer/fold"
	"github.com/seed-aefebe89/graft/internal/testutil"
)

var update = flag.Bool("update", false, "write docs/operators.md anew")

// docs/operators.md is what the tables of the code say. The last column is recorded where ONNX's node tests are at hand.
func TestOperatorsAreDocumented(t *testing.T) {
	path := filepath.Join(testutil.Root(t), "docs", "operators.md")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, _ := strings.Cut(string(b), "<!-- table -->\n")
	old, after, ok := strings.Cut(rest, "<!-- end -->\n")
	if !ok {
		t.Fatalf("%s has no place for the table", path)
	}
	recorded, reasons := map[string]string{}, ""
	for _, m := range regexp.MustCompile(`(?m)^\| (\S+) \|.*\| ([^|]*) \|$`).FindAllStringSubmatch(old, -1) {
		recorded[m[1]] = m[2]
	}
	if dir := os.Getenv(NodeTests); dir != "" {
		recorded, reasons = tally(t, dir)
	}
	var table strings.Builder
	fmt.Fprint(&table, "| operator | opset | in the graph | gradient | ONNX's tests |\n|---|---|---|---|---|\n")
	for _, o := range fold.Operators() {
		name := o.Name
		if o.Domain != "" {
			name = o.Domain + "." + name
		}
		graph, gradient := "host", ""
		if slices.Contains(lower.Operators(), name) {
			graph, gradient = "yes", "yes"
			if slices.Contains(flat, name) {
				gradient = "zero"
			}
		}
		tests := recorded[name]
		if tests == "" {
			tests = "–"
		}
		since := strings.Trim(strings.ReplaceAll(fmt.Sprint(o.Since), " ", ", "), "[]")
		fmt.Fprintf(&table, "| %s | %s | %s | %s | %s |\n", name, since, graph, gradient, tests)
	}
	want := before + "<!-- table -->\n" + table.String() + "<!-- end -->\n" + after
	if before, rest, ok := strings.Cut(want, "<!-- refused -->\n"); ok && reasons != "" {
		_, after, _ := strings.Cut(rest, "<!-- end of refused -->\n")
		want = before + "<!-- refused -->\n" + reasons + "<!-- end of refused -->\n" + after
	}
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if want != string(b) {
		t.Error("docs/operators.md is not what the code says: run this test with -update")
	}
}

// tally counts the node tests of each operator, and those that are refused by kinds of reasons.
func tally(t *testing.T, dir string) (byOperator map[string]string, byReason string) {
	passed, refused, reasons := nodeTests(t, dir)
	out := map[string]string{}
	total := 0
	for op, n := range passed {
		out[op] = fmt.Sprintf("%d", n)
		if r := refused[op]; r > 0 {
			out[op] += fmt.Sprintf(", %d refused", r)
		}
		total += n
	}
	kinds := map[string]int{}
	for reason, n := range reasons {
		kinds[kind(reason)] += n
	}
	var b strings.Builder
	fmt.Fprintf(&b, "| passed | %d |\n|---|---|\n", total)
	for _, k := range slices.SortedFunc(maps.Keys(kinds), func(a, b string) int { return cmp.Or(kinds[b]-kinds[a], cmp.Compare(a, b)) }) {
		fmt.Fprintf(&b, "| %s | %d |\n", k, kinds[k])
	}
	return out, b.String()
}

// kind is what a reason for a refusal says, without what differs from test to test.
func kind(reason string) string {
	for _, k := range []struct{ part, kind string }{
		{"graft does not know this operator", "refused: an operator that graft does not know"},
		{"arrays of", "refused: strings, float8 or 4-bit numbers"}, {"a cast to", "refused: strings, float8 or 4-bit numbers"},
		{"no tensors", "refused: sequences or optional values as inputs or outputs"},
		{"quantised", "refused: quantised arithmetic outside of an encoder"}, {"Graph is empty", "refused: quantised arithmetic outside of an encoder"},
		{"nothing makes the output", "refused: quantised arithmetic outside of an encoder"},
		{"training mode", "refused: training mode"}, {"recorded otherwise", "recorded otherwise than onnxruntime computes it"},
		{"graft has no arithmetic of integers", "refused: integers computed from floating-point inputs"},
		{"If ", "refused: a condition that depends on the inputs"}, {"the number of its parts", "refused: a sequence of unknown length"},
	} {
		if strings.Contains(reason, k.part) {
			return k.kind
		}
	}
	return "refused: " + reason
}
