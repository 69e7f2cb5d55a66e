package lower_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/seed-aefebe89/graft/importer/fold"
	"github.com/seed-aefebe89/graft/importer/onnx"
)

// NodeTests names a folder of ONNX's backend node tests, as `python -m onnx.backend.test.cmd_tools generate-data` makes
// them: a folder for each test, with model.onnx and test_data_set_0/input_0.pb, output_0.pb, ….
const NodeTests = "GRAFT_ONNX_NODE_TESTS"

// ONNX's own tests of single operators: what graft takes must give the recorded outputs; what it does not take is
// refused with a reason, which the test lists.
func TestNodeTests(t *testing.T) {
	dir := os.Getenv(NodeTests)
	if dir == "" {
		t.Skipf("needs ONNX's node tests: set %s to their folder", NodeTests)
	}
	passed, refused, _ := nodeTests(t, dir)
	for _, op := range slices.Sorted(maps.Keys(passed)) {
		t.Logf("%-24s %3d passed, %d refused", op, passed[op], refused[op])
	}
}

// recordedOtherwise are tests, by a part of their names, of which some version of the package onnx records what neither
// onnxruntime gives, nor graft.
var recordedOtherwise = map[string]string{
	"averagepool_3d_dilations_large_count_include_pad_is_1_ceil_mode_is_True": "what ceil_mode adds is counted, before 1.18",
	"l2normalization_axis_0":                        "0/0 where onnxruntime gives 0",
	"averagepool_2d_ceil_last_window_starts_on_pad": "to four digits",
	"_qk_matmul_bias":                               "the mask is added before the softcap, which later texts of the specification turn round",
	"_qk_matmul_softcap":                            "the mask is added before the softcap, which later texts of the specification turn round",
}

// otherwise is why a test's record does not hold, "" if it does.
func otherwise(name string) string {
	for part, why := range recordedOtherwise {
		if strings.Contains(name, part) {
			return why
		}
	}
	return ""
}

// nodeTests runs the tests of a folder and counts them by operator, and by reasons for which they are refused.
func nodeTests(t *testing.T, dir string) (passed, refused, reasons map[string]int) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	passed, refused, reasons = map[string]int{}, map[string]int{}, map[string]int{}
	for _, e := range entries {
		op, err := nodeTest(filepath.Join(dir, e.Name()))
		var no refusal
		switch {
		case errors.As(err, &no):
			refused[op]++
			reasons[string(no)]++
		case err != nil && otherwise(e.Name()) != "":
			refused[op]++
			reasons["recorded otherwise: "+otherwise(e.Name())]++
		case err != nil:
			t.Errorf("%s: %v", e.Name(), err)
		default:
			passed[op]++
		}
	}
	for _, r := range slices.Sorted(maps.Keys(reasons)) {
		t.Logf("%3d × %s", reasons[r], r)
	}
	return passed, refused, reasons
}

// refusal is why a test is not run.
type refusal string

func (r refusal) Error() string { return string(r) }

func nodeTest(dir string) (op string, err error) {
	file, err := onnx.Open(filepath.Join(dir, "model.onnx"))
	if err != nil {
		return "", err
	}
	defer file.Close()
	m := file.Model
	for _, n := range m.Graph.Nodes {
		op = n.OpType
	}
	set := filepath.Join(dir, "test_data_set_0")
	in := map[string]*fold.Array{}
	for i, v := range m.Graph.Inputs {
		a, err := pb(filepath.Join(set, fmt.Sprintf("input_%d.pb", i)), v)
		if err != nil {
			return op, err
		}
		in[v.Name] = a
	}
	got, err := nodeOutputs(m, in)
	if err != nil {
		return op, refusal(plain(err))
	}
	for i, v := range m.Graph.Outputs {
		want, err := pb(filepath.Join(set, fmt.Sprintf("output_%d.pb", i)), v)
		if err != nil {
			return op, err
		}
		if d := differs(got[i], want, tolerances[want.Type]); d != "" {
			return op, fmt.Errorf("output %q: %s", v.Name, d)
		}
	}
	return op, nil
}

// tolerances follow ONNX's own runner, which allows 1e-3 relative; half-precision results are rounded there and not
// here.
var tolerances = map[onnx.DataType]float64{onnx.Float: 1e-5, onnx.Double: 1e-5, onnx.Float16: 1e-3, onnx.Bfloat16: 1e-2}

// nodeOutputs runs a model; inputs that shapes or indices hang on are made constants, as they are in encoders.
func nodeOutputs(m *onnx.Model, in map[string]*fold.Array) ([]*fold.Array, error) {
	net, err := lowered(m, in)
	if err != nil {
		m, in = withConstants(m, in)
		if net, err = lowered(m, in); err != nil {
			return nil, err
		}
	}
	return net.Run(context.Background(), in)
}

// withConstants makes initialisers of all inputs that are no floating-point numbers.
func withConstants(m *onnx.Model, in map[string]*fold.Array) (*onnx.Model, map[string]*fold.Array) {
	out, g := *m, *m.Graph
	out.Graph = &g
	g.Inputs = nil
	left := map[string]*fold.Array{}
	for _, v := range m.Graph.Inputs {
		a := in[v.Name]
		t, err := tensorFor(v.Name, a)
		if a.Floats != nil && len(a.Shape) > 0 || err != nil {
			g.Inputs, left[v.Name] = append(g.Inputs, v), a
			continue
		}
		g.Initializers = append(slices.Clone(g.Initializers), t)
	}
	return &out, left
}

// pb reads a file of one TensorProto, as the only initialiser of a model that is wrapped around it.
func pb(path string, v *onnx.ValueInfo) (*fold.Array, error) {
	if v.Type == nil || v.Type.Tensor == nil {
		return nil, refusal("inputs and outputs that are no tensors")
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	field := func(to []byte, n protowire.Number, b []byte) []byte {
		return protowire.AppendBytes(protowire.AppendTag(to, n, protowire.BytesType), b)
	}
	model := protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), 8)
	model = field(model, 8, protowire.AppendVarint(protowire.AppendTag(nil, 2, protowire.VarintType), 17))
	m, err := onnx.Decode(field(model, 7, field(nil, 5, b)))
	if err != nil {
		return nil, err
	}
	t := m.Graph.Initializers[0]
	if v.Type.Tensor.Elem == onnx.Bfloat16 && t.Type == onnx.Uint16 { // numpy has no bfloat16: its bits are recorded
		if b, err = t.Bytes(); err != nil {
			return nil, err
		}
		bits := make([]onnx.BF16, len(b)/2)
		for i := range bits {
			bits[i] = onnx.BF16(b[2*i]) | onnx.BF16(b[2*i+1])<<8
		}
		if t, err = onnx.NewTensor(t.Name, t.Dims, bits); err != nil {
			return nil, err
		}
	}
	a, err := fold.FromTensor(t)
	if err != nil {
		return nil, refusal(plain(err))
	}
	return a, nil
}

// plain is an error's text without what differs from test to test.
func plain(err error) string {
	s := err.Error()
	for _, known := range []string{"graft does not know this operator", "is empty, which graft's operators", "depends on the model's inputs in a way",
		"arrays of", "runs only on the host", "graft knows this operator from opset", "graft has no arithmetic of integers"} {
		if i := strings.Index(s, known); i >= 0 {
			if op, _, ok := strings.Cut(s, " "); ok && strings.HasPrefix(known, "graft does not know") {
				return known + ": " + op
			}
			return known
		}
	}
	return s
}
