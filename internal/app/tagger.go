package app

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"sort"

	"github.com/seed-aefebe89/graft/export"
	"github.com/seed-aefebe89/graft/export/ort"
	"github.com/seed-aefebe89/graft/graph/kernel"
	"github.com/seed-aefebe89/graft/graph/peft"
	"github.com/seed-aefebe89/graft/internal/progress"
	"github.com/seed-aefebe89/graft/train"
)

// Place says where a delta is: in a folder of its own, with the model that it belongs to, or in an export folder.
type Place struct {
	Model    string // the base's folder; empty means the one that Exported names
	Delta    string // the delta's folder; its name in Exported
	Exported string // an export folder
}

// Task is a base with one delta. Close it after use.
type Task struct {
	*Base
	Delta  *export.Delta
	folder *export.Folder
	place  Place
}

// OpenTask opens a base with a delta.
func OpenTask(p Place) (*Task, error) {
	t := &Task{place: p}
	dir := p.Delta
	if p.Exported != "" {
		var err error
		if t.folder, err = export.OpenFolder(p.Exported); err != nil {
			return nil, err
		}
		if dir, err = t.folder.DeltaDir(p.Delta); err != nil {
			return nil, err
		}
		if p.Model == "" {
			p.Model = t.folder.BaseDir()
		}
	}
	if p.Model == "" {
		return nil, errors.New("no model is named")
	}
	b, err := OpenBase(p.Model)
	if err != nil {
		return nil, err
	}
	t.Base = b
	if t.Delta, err = b.ReadDelta(dir); err != nil {
		b.Close()
		return nil, err
	}
	return t, nil
}

// Runtime starts the task in onnxruntime: from the files of the export folder, or made in memory as Export makes them.
func (t *Task) Runtime(threads int) (*ort.Delta, error) {
	classes := len(t.Delta.Labels)
	if t.folder != nil {
		data := ""
		if t.place.Model != "" {
			file, err := filepath.EvalSymlinks(t.Path) // beside which the slotted graph's weights lie
			if err != nil {
				return nil, err
			}
			data = filepath.Dir(file)
		}
		return ort.OpenFolder(t.folder, t.place.Delta, classes, data, threads)
	}
	var o export.SlotOptions
	if m, ok := t.Delta.Method.(peft.Bottleneck); ok {
		o.Activations = []kernel.Activation{m.Activation}
	}
	s, err := export.NewSlotted(t.Model, t.Places, o)
	if err != nil {
		return nil, err
	}
	slots, err := t.Delta.Slots(t.Places)
	if err != nil {
		return nil, err
	}
	return ort.OpenDelta(s, export.EncodeAdapter(slots, 0), classes, threads)
}

// runtimeBatch is how many sentences, of about one length, go through onnxruntime at once.
const runtimeBatch = 32

// runtimeTags labels examples in onnxruntime.
func (t *Task) runtimeTags(ctx context.Context, d *ort.Delta, enc *train.Encoder, xs []*train.Example, bar *progress.Bar) ([][]string, error) {
	order := make([]int, len(xs))
	for i := range order {
		order[i] = i
	}
	sort.SliceStable(order, func(a, b int) bool { return len(xs[order[a]].Seq.IDs) < len(xs[order[b]].Seq.IDs) })
	n := len(t.Delta.Labels)
	out := make([][]string, len(xs))
	for part := range slices.Chunk(order, runtimeBatch) {
		var ids, types [][]int32
		for _, i := range part {
			ids, types = append(ids, xs[i].Seq.IDs), append(types, xs[i].Seq.Types)
		}
		ls, err := d.Logits(ctx, ids, types, int64(t.Config.PadTokenID))
		if err != nil {
			return nil, err
		}
		for k, i := range part {
			var rows []float32
			for _, r := range xs[i].Seq.Rows {
				rows = append(rows, ls[k][int(r)*n:(int(r)+1)*n]...)
			}
			out[i] = enc.Tags(xs[i], rows)
		}
		bar.Add(len(part), "")
	}
	return out, nil
}
