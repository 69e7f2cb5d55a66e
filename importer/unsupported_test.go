package importer_test

import (
	"maps"
	"testing"

	"github.com/seed-aefebe89/graft/importer"
	"github.com/seed-aefebe89/graft/importer/onnx"
)

// What is written out in other operators is supported; a function lacks what stands in it, once for each call.
func TestUnsupportedLooksIntoFunctions(t *testing.T) {
	m := encoder(t, 17)
	x1, y1 := []string{"x"}, []string{"y"}
	function(m, "F", x1, y1, &onnx.Node{OpType: "Wiggle", Inputs: x1, Outputs: []string{"z"}}, &onnx.Node{OpType: "Tanh", Inputs: []string{"z"}, Outputs: y1})
	function(m, "G", x1, y1, call("F", x1, []string{"z"}), call("F", []string{"z"}, y1))
	function(m, "H", x1, y1, call("H", x1, y1)) // which no node calls, or it would be refused for that
	behind(t, m, func(e *editor, x string) string {
		e.contrib("FastGelu", []string{x})
		e.contrib("Wiggle", []string{x})
		e.add("If", []string{x})
		e.add("DynamicQuantizeLinear", []string{x})
		return e.calls("G", e.calls("F", x))
	})
	want := map[string]int{"Wiggle": 3, "com.microsoft.Wiggle": 1}
	if got := importer.Unsupported(m); !maps.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
