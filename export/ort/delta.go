package ort

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/seed-aefebe89/graft/export"
	"github.com/seed-aefebe89/graft/importer/onnx"
)

// Delta is a slotted graph in onnxruntime with one delta active. It may be used by several goroutines. Close it after
// use.
type Delta struct {
	session *Session
	adapter *Adapter
	logits  string
	classes int
	masked  bool // the graph takes an attention mask
}

// OpenDelta starts a slotted graph with a delta of so many classes, given as the bytes of its .onnx_adapter.
func OpenDelta(s *export.Slotted, adapter []byte, classes, threads int) (*Delta, error) {
	d := &Delta{logits: s.Logits, classes: classes}
	d.masked = slices.ContainsFunc(s.Model.Graph.Inputs, func(v *onnx.ValueInfo) bool { return v.Name == "attention_mask" })
	folder, err := filepath.Abs(s.Folder)
	if err != nil {
		return nil, err
	}
	if d.session, err = Open(s.Model, Options{Threads: threads, Folder: folder, Outputs: []string{s.Logits}}); err != nil {
		return nil, err
	}
	if d.adapter, err = LoadAdapter(adapter); err != nil {
		d.session.Close()
		return nil, err
	}
	return d, nil
}

// OpenFolder starts the slotted graph of an export folder with one of its deltas, as the files stand there. data is
// where the base's weights lie; empty means where the manifest says.
func OpenFolder(f *export.Folder, name string, classes int, data string, threads int) (*Delta, error) {
	path, err := f.Adapter(name)
	if err != nil {
		return nil, err
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	m, err := onnx.Open(f.Slotted())
	if err != nil {
		return nil, err
	}
	defer m.Close()
	if data == "" {
		data = f.DataDir()
	}
	return OpenDelta(&export.Slotted{Model: m.Model, Folder: data, Logits: f.Logits}, b, classes, threads)
}

// Close unloads the delta and ends the session.
func (d *Delta) Close() error { return errors.Join(d.adapter.Close(), d.session.Close()) }

// Logits returns the logits [tokens,classes] of each sequence, padded to one length with the token pad. A graph that takes
// no attention mask is given sequences of one length at a time.
func (d *Delta) Logits(ctx context.Context, ids, types [][]int32, pad int64) ([][]float32, error) {
	if d.masked {
		return d.together(ctx, ids, types, pad)
	}
	of := map[int][]int{}
	for i, x := range ids {
		of[len(x)] = append(of[len(x)], i)
	}
	res := make([][]float32, len(ids))
	for _, part := range of {
		var x, y [][]int32
		for _, i := range part {
			x = append(x, ids[i])
			if types != nil {
				y = append(y, types[i])
			}
		}
		ls, err := d.together(ctx, x, y, pad)
		if err != nil {
			return nil, err
		}
		for k, i := range part {
			res[i] = ls[k]
		}
	}
	return res, nil
}

// together is Logits for sequences that are padded to one length.
func (d *Delta) together(ctx context.Context, ids, types [][]int32, pad int64) ([][]float32, error) {
	b := Pad(ids, types, pad)
	out, err := d.session.Run(ctx, b, d.adapter)
	if err != nil {
		return nil, err
	}
	l := out[d.logits]
	if len(l.Data) != b.Size*b.Length*d.classes {
		return nil, fmt.Errorf("onnxruntime gave logits of shape %v for %d classes", l.Shape, d.classes)
	}
	res := make([][]float32, len(ids))
	for i, s := range ids {
		at := i * b.Length * d.classes
		res[i] = l.Data[at : at+len(s)*d.classes]
	}
	return res, nil
}
