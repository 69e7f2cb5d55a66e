package ort

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"

	ort "github.com/yalue/onnxruntime_go"

	"github.com/seed-aefebe89/graft/importer/onnx"
)

// folderKey is the configuration key for the folder that external data is read from where a model comes as bytes.
const folderKey = "session.model_external_initializers_file_folder_path"

// Options are those of a session.
type Options struct {
	Threads int // of one run; 0 leaves it to onnxruntime
	Folder  string
	// Outputs names the outputs to compute; nil means all.
	Outputs []string
	// Plain runs the graph as it stands, without onnxruntime's optimisations.
	Plain bool
}

// Session is a model in onnxruntime. It may be used by several goroutines. Close it after use.
type Session struct {
	s       *ort.DynamicAdvancedSession
	inputs  []string
	outputs []string
}

// Open starts a session of a model. Its external data lies in o.Folder.
func Open(m *onnx.Model, o Options) (*Session, error) {
	b, err := m.Encode()
	if err != nil {
		return nil, err
	}
	if err := inside(o.Folder, m.ExternalFiles()); err != nil {
		return nil, err
	}
	s := &Session{outputs: o.Outputs}
	defaults := map[string]bool{}
	for _, t := range m.Graph.Initializers {
		defaults[t.Name] = true
	}
	for _, in := range m.Graph.Inputs {
		if !defaults[in.Name] {
			s.inputs = append(s.inputs, in.Name)
		}
	}
	if s.outputs == nil {
		for _, out := range m.Graph.Outputs {
			s.outputs = append(s.outputs, out.Name)
		}
	}
	return s, s.start(o, func(so *ort.SessionOptions) (*ort.DynamicAdvancedSession, error) {
		return ort.NewDynamicAdvancedSessionWithONNXData(b, s.inputs, s.outputs, so)
	})
}

// inside refuses external data that leaves its folder, by its path or by a link.
func inside(folder string, files []string) error {
	if len(files) == 0 || folder == "" {
		return nil // without a folder onnxruntime refuses external data
	}
	root, err := os.OpenRoot(folder)
	if err != nil {
		return err
	}
	defer root.Close()
	for _, f := range files {
		if f == "" { // which onnxruntime refuses
			continue
		}
		if _, err := root.Stat(filepath.FromSlash(f)); err != nil {
			return fmt.Errorf("external data %q in %s: %w", f, folder, err)
		}
	}
	return nil
}

// OpenFile starts a session of a model's file, decoded as m.
func OpenFile(path string, m *onnx.Model, o Options) (*Session, error) {
	s := &Session{outputs: o.Outputs}
	for _, in := range m.Graph.Inputs {
		if m.Graph.Initializer(in.Name) == nil {
			s.inputs = append(s.inputs, in.Name)
		}
	}
	if s.outputs == nil {
		for _, out := range m.Graph.Outputs {
			s.outputs = append(s.outputs, out.Name)
		}
	}
	return s, s.start(o, func(so *ort.SessionOptions) (*ort.DynamicAdvancedSession, error) {
		return ort.NewDynamicAdvancedSession(path, s.inputs, s.outputs, so)
	})
}

// start makes the session with its options.
func (s *Session) start(o Options, open func(*ort.SessionOptions) (*ort.DynamicAdvancedSession, error)) error {
	if err := Load(); err != nil {
		return err
	}
	so, err := ort.NewSessionOptions()
	if err != nil {
		return err
	}
	defer so.Destroy()
	if o.Threads > 0 {
		err = errors.Join(err, so.SetIntraOpNumThreads(o.Threads), so.SetInterOpNumThreads(1))
	}
	if o.Folder != "" {
		err = errors.Join(err, so.AddSessionConfigEntry(folderKey, o.Folder))
	}
	if o.Plain {
		err = errors.Join(err, so.SetGraphOptimizationLevel(ort.GraphOptimizationLevelDisableAll))
	}
	if err != nil {
		return err
	}
	s.s, err = open(so)
	return err
}

// Close ends the session.
func (s *Session) Close() error {
	if s.s == nil {
		return nil
	}
	return s.s.Destroy()
}

// Adapter is a delta that is loaded into onnxruntime. Close it after use.
type Adapter struct{ a *ort.LoraAdapter }

// LoadAdapter loads the bytes of an .onnx_adapter.
func LoadAdapter(b []byte) (*Adapter, error) {
	if err := Load(); err != nil {
		return nil, err
	}
	a, err := ort.NewLoraAdapterWithData(b)
	if err != nil {
		return nil, fmt.Errorf("loading the adapter: %w", err)
	}
	return &Adapter{a}, nil
}

// Close unloads the adapter.
func (a *Adapter) Close() error { return a.a.Destroy() }

// Output is a float32 output of a run.
type Output struct {
	Shape []int64
	Data  []float32
}

// Run computes the session's outputs for a batch, with an adapter or without (nil). When ctx ends the run is stopped
// and the context's error returned.
func (s *Session) Run(ctx context.Context, b *Batch, a *Adapter) (map[string]Output, error) {
	var in []ort.Value
	defer destroy(&in)
	for _, name := range s.inputs {
		x, err := b.input(name)
		if err != nil {
			return nil, err
		}
		t, err := ort.NewTensor(ort.NewShape(int64(b.Size), int64(b.Length)), x)
		if err != nil {
			return nil, fmt.Errorf("input %q: %w", name, err)
		}
		in = append(in, t)
	}
	res := map[string]Output{}
	return res, s.run(ctx, in, a, func(name string, v ort.Value) error {
		if t, ok := v.(*ort.Tensor[float32]); ok { // of another type: a caller that wants it finds it missing
			res[name] = Output{append([]int64(nil), t.GetShape()...), append([]float32(nil), t.GetData()...)}
		}
		return nil
	})
}

// destroy frees values.
func destroy(in *[]ort.Value) {
	for _, v := range *in {
		v.Destroy()
	}
}

// run computes the outputs and shows each of them to take.
func (s *Session) run(ctx context.Context, in []ort.Value, a *Adapter, take func(name string, v ort.Value) error) error {
	ro, err := ort.NewRunOptions()
	if err != nil {
		return err
	}
	defer ro.Destroy()
	if a != nil {
		if err := ro.AddActiveLoraAdapter(a.a); err != nil {
			return err
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	ended := make(chan struct{})
	stop := context.AfterFunc(ctx, func() { ro.Terminate(); close(ended) })
	out := make([]ort.Value, len(s.outputs))
	err = s.s.RunWithOptions(in, out, ro)
	if !stop() { // the callback has begun, and must be done before the options go
		<-ended
	}
	defer func() {
		for _, v := range out {
			// The binding gives a nil tensor for an output that it cannot hold: in half precision, or a scalar.
			if v != nil && !reflect.ValueOf(v).IsNil() {
				v.Destroy()
			}
		}
	}()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return err
	}
	for i, v := range out {
		if err := take(s.outputs[i], v); err != nil {
			return fmt.Errorf("output %q: %w", s.outputs[i], err)
		}
	}
	return nil
}
