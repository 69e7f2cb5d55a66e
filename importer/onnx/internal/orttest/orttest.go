// Package orttest runs models in onnxruntime, for tests.
package orttest

import (
	"fmt"
	"os"
	"sync"
	"testing"

	ort "github.com/yalue/onnxruntime_go"
)

// Library is the environment variable that names onnxruntime's shared library.
const Library = "GRAFT_ORT_LIB"

var start = sync.OnceValue(func() error {
	ort.SetSharedLibraryPath(os.Getenv(Library))
	return ort.InitializeEnvironment(ort.WithLogLevelFatal())
})

// Require skips the test where Library is not set, and starts onnxruntime.
func Require(tb testing.TB) {
	tb.Helper()
	if os.Getenv(Library) == "" {
		tb.Skipf("needs onnxruntime: set %s to its shared library", Library)
	}
	if err := start(); err != nil {
		tb.Fatal(err)
	}
}

// Inputs makes the inputs of an encoder for two rows: ids below vocab, a mask whose second row ends early, and both
// token types.
func Inputs(vocab int64, length int) map[string][]int64 {
	in := map[string][]int64{}
	for i := range 2 * length {
		id, mask := int64(i*i*7+i*3+11)%vocab, int64(1)
		if i >= length+(length+1)/2 {
			id, mask = 0, 0
		}
		in["input_ids"] = append(in["input_ids"], id)
		in["attention_mask"] = append(in["attention_mask"], mask)
		in["token_type_ids"] = append(in["token_type_ids"], int64(i%length)/4%2)
	}
	return in
}

// Output is a tensor that a model gave.
type Output struct {
	Shape []int64
	Data  any // []float32, or []byte for the bits of float16
}

// Load creates a session of a model and releases it.
func Load(path string) error {
	s, err := session(path, nil, nil)
	if err == nil {
		err = s.Destroy()
	}
	return err
}

// Run runs an encoder of int64 inputs of shape [batch, length] on one thread. Inputs that it does not take are left
// out. It returns the outputs by name.
func Run(path string, batch, length int, in map[string][]int64) (map[string]Output, error) {
	inputs, outputs, err := ort.GetInputOutputInfo(path)
	if err != nil {
		return nil, err
	}
	s, err := session(path, names(inputs), names(outputs))
	if err != nil {
		return nil, err
	}
	defer s.Destroy()
	feeds, results := make([]ort.Value, len(inputs)), make([]ort.Value, len(outputs))
	defer destroy(feeds)
	defer destroy(results)
	for i, info := range inputs {
		data, ok := in[info.Name]
		if !ok || info.DataType != ort.TensorElementDataTypeInt64 {
			return nil, fmt.Errorf("no data for the input %v", info.String())
		}
		if feeds[i], err = ort.NewTensor(ort.NewShape(int64(batch), int64(length)), data); err != nil {
			return nil, err
		}
	}
	for i, info := range outputs {
		if info.DataType != ort.TensorElementDataTypeFloat16 {
			continue // allocated by onnxruntime
		}
		shape := resolve(info.Dimensions, batch, length)
		data := make([]byte, 2*shape.FlattenedSize())
		if results[i], err = ort.NewCustomDataTensor(shape, data, info.DataType); err != nil {
			return nil, err
		}
	}
	if err := s.Run(feeds, results); err != nil {
		return nil, err
	}
	return collect(outputs, results)
}

func collect(outputs []ort.InputOutputInfo, results []ort.Value) (map[string]Output, error) {
	out := map[string]Output{}
	for i, info := range outputs {
		o := Output{Shape: results[i].GetShape()}
		switch v := results[i].(type) {
		case *ort.Tensor[float32]:
			o.Data = append([]float32(nil), v.GetData()...)
		case *ort.CustomDataTensor:
			o.Data = append([]byte(nil), v.GetData()...)
		default:
			return nil, fmt.Errorf("output %q is a %T", info.Name, v)
		}
		out[info.Name] = o
	}
	return out, nil
}

// resolve puts the batch into the first free dimension and the length into the others.
func resolve(dims ort.Shape, batch, length int) ort.Shape {
	free, out := int64(batch), dims.Clone()
	for i, d := range out {
		if d < 0 {
			out[i], free = free, int64(length)
		}
	}
	return out
}

func session(path string, inputs, outputs []string) (*ort.DynamicAdvancedSession, error) {
	options, err := ort.NewSessionOptions()
	if err != nil {
		return nil, err
	}
	defer options.Destroy()
	if err := options.SetIntraOpNumThreads(1); err != nil {
		return nil, err
	}
	return ort.NewDynamicAdvancedSession(path, inputs, outputs, options)
}

func names(infos []ort.InputOutputInfo) []string {
	var out []string
	for _, info := range infos {
		out = append(out, info.Name)
	}
	return out
}

func destroy(values []ort.Value) {
	for _, v := range values {
		if v != nil {
			_ = v.Destroy() // memory of a test
		}
	}
}
