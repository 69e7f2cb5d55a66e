package lower_test

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"github.com/seed-aefebe89/graft/graph/kernel"
	"github.com/seed-aefebe89/graft/graph/kernel/cpu"
	"github.com/seed-aefebe89/graft/graph/lower"
	"github.com/seed-aefebe89/graft/importer"
	"github.com/seed-aefebe89/graft/importer/fold"
	"github.com/seed-aefebe89/graft/importer/onnx"
	"github.com/seed-aefebe89/graft/internal/testutil"
)

// operatorCase is one test of an operator: a small model of it, inputs, and what onnxruntime gives. Record
// writes them.
type operatorCase struct {
	Op    string `json:"op"` // with a domain other than ONNX's own before it
	Opset int64  `json:"opset"`
	Type  string `json:"dtype"` // of the operator's first input
	Model []byte `json:"model"`
	Data  []byte `json:"data"` // a model whose initialisers are the model's inputs and outputs

	model *onnx.Model
	data  map[string]*fold.Array
}

func (c *operatorCase) String() string { return fmt.Sprintf("%s, opset %d, %s", c.Op, c.Opset, c.Type) }

// casesFile holds the cases, one JSON object a line.
func casesFile(tb testing.TB) string {
	return filepath.Join(testutil.Root(tb), "graph", "lower", "testdata", "operators.jsonl.gz")
}

// readCases reads the file, and checks that each case is what it says.
func readCases(tb testing.TB) []*operatorCase {
	tb.Helper()
	f, err := os.Open(casesFile(tb))
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		tb.Fatal(err)
	}
	var out []*operatorCase
	for d := json.NewDecoder(bufio.NewReader(z)); ; {
		c := &operatorCase{data: map[string]*fold.Array{}}
		if err := d.Decode(c); errors.Is(err, io.EOF) {
			return out
		} else if err != nil {
			tb.Fatal(err)
		}
		if c.model, err = onnx.Decode(c.Model); err != nil {
			tb.Fatalf("%v: %v", c, err)
		}
		data, err := onnx.Decode(c.Data)
		if err != nil {
			tb.Fatalf("%v: %v", c, err)
		}
		for _, t := range data.Graph.Initializers {
			if c.data[t.Name], err = fold.FromTensor(t); err != nil {
				tb.Fatalf("%v: %v", c, err)
			}
		}
		is := func(n *onnx.Node) bool { return importer.OperatorName(n) == c.Op }
		if !slices.ContainsFunc(c.model.Graph.Nodes, is) || c.model.OpsetImport[0].Version != c.Opset || c.Type == "" {
			tb.Fatalf("%v does not hold that operator at that opset", c)
		}
		out = append(out, c)
	}
}

// inputs are the arrays that are fed.
func (c *operatorCase) inputs() map[string]*fold.Array {
	in := map[string]*fold.Array{}
	for _, v := range c.model.Graph.Inputs {
		in[v.Name] = c.data[v.Name]
	}
	return in
}

// run tells what the outputs differ in from those recorded, "" if in nothing.
func (c *operatorCase) run(k kernel.Kernels) (string, error) {
	n, err := importer.NewNodewise(c.model)
	if err != nil {
		return "", err
	}
	s, err := lower.NewSession(n, k, c.inputs())
	if err != nil {
		return "", err
	}
	got, err := s.Run(context.Background(), c.inputs())
	if err != nil {
		return "", err
	}
	return c.differs(got), nil
}

func (c *operatorCase) differs(got []*fold.Array) string {
	for i, o := range c.model.Graph.Outputs {
		want := c.data[o.Name]
		if d := differs(got[i], want, max(tolerances[want.Type], tolerances[onnx.Float])); d != "" {
			return fmt.Sprintf("output %q: %s", o.Name, d)
		}
	}
	return ""
}

// host computes the model on the host.
func (c *operatorCase) host() ([]*fold.Array, error) {
	values := c.inputs()
	for _, t := range c.model.Graph.Initializers {
		a, err := fold.FromTensor(t)
		if err != nil {
			return nil, err
		}
		values[t.Name] = a
	}
	for _, n := range c.model.Graph.Nodes {
		f, err := fold.Lookup(n, c.Opset)
		if err != nil {
			return nil, err
		}
		in := make([]*fold.Array, len(n.Inputs))
		for i, name := range n.Inputs {
			in[i] = values[name]
		}
		out, err := f(fold.Call{Node: n, In: in})
		if err != nil {
			return nil, err
		}
		for i, name := range n.Outputs {
			values[name] = out[i]
		}
	}
	var out []*fold.Array
	for _, o := range c.model.Graph.Outputs {
		out = append(out, values[o.Name])
	}
	return out, nil
}

// Every operator gives what onnxruntime gave: in the graph, where it takes floating-point inputs, and on the host.
func TestOperatorsGiveWhatWasRecorded(t *testing.T) {
	covered := map[string]int{}
	for _, c := range readCases(t) {
		covered[c.Op]++
		if d, err := c.run(cpu.New()); err != nil || d != "" {
			t.Errorf("%v: %s %v\n%s", c, d, err, show(c.model))
		}
		got, err := c.host()
		if err != nil {
			t.Errorf("%v, on the host: %v\n%s", c, err, show(c.model))
			continue
		}
		if slices.ContainsFunc(got, func(a *fold.Array) bool { return !a.Known() }) {
			continue // the shape alone
		}
		if d := c.differs(got); d != "" {
			t.Errorf("%v, on the host: %s\n%s", c, d, show(c.model))
		}
	}
	unrecorded := []string{"QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "MatMulInteger", // written out of the graph
		"Scatter", // of opsets 9 and 10
	}
	for _, o := range fold.Operators() {
		if o.Domain == "" && covered[o.Name] == 0 && !slices.Contains(unrecorded, o.Name) {
			t.Errorf("no case of %s is recorded", o.Name)
		}
	}
}

// A kernel that is wrong is noticed by the cases.
func TestCasesNoticeFaults(t *testing.T) {
	cases := readCases(t)
	methods := reflect.TypeFor[kernel.Kernels]()
	for _, name := range []string{"MatMul", "BatchMatMul", "Add", "Mul", "Scale", "Copy", "Softmax", "Activate", "LayerNorm",
		"Rows", "RowsGrad", "Map", "Combine", "Select", "Reduce"} {
		if _, ok := methods.MethodByName(name); !ok {
			t.Fatalf("there is no kernel %s", name)
		}
		noticed := slices.ContainsFunc(cases, func(c *operatorCase) bool {
			d, err := c.run(&faulty{Kernels: cpu.New(), method: name})
			return err == nil && d != ""
		})
		if !noticed {
			t.Errorf("no case notices that %s is wrong", name)
		}
	}
}

// faulty are kernels of which one is wrong in its last element.
type faulty struct {
	kernel.Kernels
	method string
}

func (f *faulty) spoil(method string, out kernel.Tensor) {
	if f.method == method && len(out.F32) > 0 {
		out.F32[len(out.F32)-1] += 1
	}
}

func (f *faulty) MatMul(out, a, b kernel.Tensor, o kernel.MatMul) {
	f.Kernels.MatMul(out, a, b, o)
	f.spoil("MatMul", out)
}

func (f *faulty) Add(out, a, b kernel.Tensor) {
	f.Kernels.Add(out, a, b)
	f.spoil("Add", out)
}

func (f *faulty) Mul(out, a, b kernel.Tensor) {
	f.Kernels.Mul(out, a, b)
	f.spoil("Mul", out)
}

func (f *faulty) Scale(out, x kernel.Tensor, s float32) {
	f.Kernels.Scale(out, x, s)
	f.spoil("Scale", out)
}

func (f *faulty) Copy(out, x kernel.Tensor, s kernel.Strides) {
	f.Kernels.Copy(out, x, s)
	f.spoil("Copy", out)
}

func (f *faulty) BatchMatMul(out, a, b kernel.Tensor, o kernel.MatMul) {
	f.Kernels.BatchMatMul(out, a, b, o)
	f.spoil("BatchMatMul", out)
}

func (f *faulty) Softmax(out, x kernel.Tensor, empty float32) {
	f.Kernels.Softmax(out, x, empty)
	f.spoil("Softmax", out)
}

func (f *faulty) Activate(out, x kernel.Tensor, a kernel.Activation) {
	f.Kernels.Activate(out, x, a)
	f.spoil("Activate", out)
}

func (f *faulty) LayerNorm(out, x, residual, gamma, beta kernel.Tensor, eps float32) {
	f.Kernels.LayerNorm(out, x, residual, gamma, beta, eps)
	f.spoil("LayerNorm", out)
}

func (f *faulty) Rows(out, x, idx kernel.Tensor) {
	f.Kernels.Rows(out, x, idx)
	f.spoil("Rows", out)
}

func (f *faulty) RowsGrad(dx, idx, dy kernel.Tensor) {
	f.Kernels.RowsGrad(dx, idx, dy)
	f.spoil("RowsGrad", dx)
}

func (f *faulty) Map(out, x kernel.Tensor, g kernel.Function) {
	f.Kernels.Map(out, x, g)
	f.spoil("Map", out)
}

func (f *faulty) Combine(out, a, b kernel.Tensor, g kernel.Pair) {
	f.Kernels.Combine(out, a, b, g)
	f.spoil("Combine", out)
}

func (f *faulty) Select(out, c, a, b kernel.Tensor) {
	f.Kernels.Select(out, c, a, b)
	f.spoil("Select", out)
}

func (f *faulty) Reduce(out, x kernel.Tensor, g kernel.Reduction) {
	f.Kernels.Reduce(out, x, g)
	f.spoil("Reduce", out)
}
