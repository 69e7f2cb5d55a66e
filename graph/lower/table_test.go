package lower_test

import (
	"flag"
	"fmt"
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
	recorded := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^\| (\S+) \|.*\| ([^|]*) \|$`).FindAllStringSubmatch(old, -1) {
		recorded[m[1]] = m[2]
	}
	if dir := os.Getenv(NodeTests); dir != "" {
		recorded = tally(t, dir)
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
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if want != string(b) {
		t.Error("docs/operators.md is not what the code says: run this test with -update")
	}
}

// tally counts the node tests of each operator.
func tally(t *testing.T, dir string) map[string]string {
	passed, refused := nodeTests(t, dir)
	out := map[string]string{}
	for op, n := range passed {
		out[op] = fmt.Sprintf("%d", n)
		if r := refused[op]; r > 0 {
			out[op] += fmt.Sprintf(", %d refused", r)
		}
	}
	return out
}
