// Package exported holds what was trained to what is exported, in onnxruntime.
package exported

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/seed-aefebe89/graft/export"
	"github.com/seed-aefebe89/graft/export/ort"
	"github.com/seed-aefebe89/graft/graph"
	"github.com/seed-aefebe89/graft/graph/kernel"
	"github.com/seed-aefebe89/graft/graph/peft"
	"github.com/seed-aefebe89/graft/importer"
	"github.com/seed-aefebe89/graft/importer/onnx"
	"github.com/seed-aefebe89/graft/internal/atomicfile"
	"github.com/seed-aefebe89/graft/internal/parity"
)

// Parity holds the logits of p for some sequences against those that onnxruntime gives for the delta of p's adapter
// and head, exported, on the slotted graph of p's model. With unrounded the quantised operators of the model are left
// out in onnxruntime (importer.Dequantised), as in training.
func Parity(ctx context.Context, p *graph.Params, d *export.Delta, ks []kernel.Kernels, seqs []*graph.Sequence,
	unrounded bool) (parity.Difference, error) {
	m := p.Model
	var diff parity.Difference
	want, err := graph.NewTagger(p, ks).Logits(ctx, seqs)
	if err != nil {
		return diff, err
	}
	places := graph.Places(m.Encoder)
	slots, err := d.Slots(places)
	if err != nil {
		return diff, err
	}
	o := export.SlotOptions{Activations: []kernel.Activation{kernel.ReLU}}
	if b, ok := p.Method.(peft.Bottleneck); ok && b.Activation != kernel.ReLU {
		o.Activations = append(o.Activations, b.Activation)
	}
	slotted, err := export.NewSlotted(m, places, o)
	if err != nil {
		return diff, err
	}
	if unrounded {
		dir, err := os.MkdirTemp("", "graft-check-")
		if err != nil {
			return diff, err
		}
		defer os.RemoveAll(dir)
		f, err := withoutRounding(dir, slotted)
		if err != nil {
			return diff, err
		}
		defer f.Close()
	}
	run, err := ort.OpenDelta(slotted, export.EncodeAdapter(slots, 7), p.Labels, 1)
	if err != nil {
		return diff, err
	}
	defer run.Close()
	var ids, types [][]int32
	for _, q := range seqs {
		ids, types = append(ids, q.IDs), append(types, q.Types)
	}
	got, err := run.Logits(ctx, ids, types, int64(m.Config.PadTokenID))
	if err != nil {
		return diff, err
	}
	for i, x := range want {
		for k, v := range x {
			diff.Add(float64(v), float64(got[i][k]))
		}
	}
	return diff, nil
}

// withoutRounding takes the quantised operators out of a slotted graph. Its weights come from copies of the model's files
// in dir, which the caller keeps until the file is closed.
func withoutRounding(dir string, s *export.Slotted) (*onnx.File, error) {
	for _, f := range s.Model.ExternalFiles() {
		if err := copyInto(dir, s.Folder, filepath.Join(s.Folder, f)); err != nil {
			return nil, err
		}
	}
	file := filepath.Join(dir, "slotted.onnx")
	if err := atomicfile.Write(file, func(w io.Writer) error { _, err := s.Model.WriteTo(w); return err }); err != nil {
		return nil, err
	}
	f, err := onnx.Open(file)
	if err != nil {
		return nil, err
	}
	if s.Model, err = importer.Dequantised(f.Model); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	s.Folder = dir
	return f, nil
}

// copyInto copies a file below from to the same place below to.
func copyInto(to, from, file string) error {
	rel, err := filepath.Rel(from, file)
	if err != nil || !filepath.IsLocal(rel) {
		return fmt.Errorf("%s does not lie below %s", file, from)
	}
	in, err := os.Open(file)
	if err != nil {
		return err
	}
	defer in.Close()
	if err := os.MkdirAll(filepath.Dir(filepath.Join(to, rel)), 0o755); err != nil {
		return err
	}
	return atomicfile.Write(filepath.Join(to, rel), func(w io.Writer) error { _, err := io.Copy(w, in); return err })
}
