package app

import (
	"context"
	"fmt"
	"slices"

	"github.com/seed-aefebe89/graft/graph"
	"github.com/seed-aefebe89/graft/graph/exec"
	"github.com/seed-aefebe89/graft/graph/kernel"
	"github.com/seed-aefebe89/graft/graph/peft"
	"github.com/seed-aefebe89/graft/importer"
)

// DeviceRun is what a training step of a model came to on a device. Its operators are those of the forward and backward
// pass through all of the encoder, which the device runs or the step fails: none falls back on the CPU.
type DeviceRun struct {
	Device    string   `json:"device"`
	FreeMB    float64  `json:"free_mb,omitempty"` // before the step, of a device with memory of its own
	TotalMB   float64  `json:"total_mb,omitempty"`
	Operators []string `json:"operators"`       // that ran there
	Fails     string   `json:"fails,omitempty"` // what did not
}

// InspectDevice takes a training step of a recognised model on a device: adapters in every layer, the base's weights
// trained too, so that every gradient there is is computed. A device that cannot be opened is an error.
func InspectDevice(ctx context.Context, path string, d Device, say func(string, ...any)) (*DeviceRun, error) {
	m, err := importer.Open(path)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	ks, err := d.kernels(0, say)
	if err != nil {
		return nil, err
	}
	defer closeKernels(ks)
	r := &DeviceRun{Device: ks[0].Name()}
	if memory, ok := ks[0].(kernel.Memory); ok {
		free, total, err := memory.Room()
		if err != nil {
			return nil, err
		}
		r.FreeMB, r.TotalMB = float64(free)/1e6, float64(total)/1e6
	}
	profile := exec.NewProfile()
	if err := stepOn(exec.WithProfile(ctx, profile), m, ks); err != nil {
		r.Fails = err.Error()
	}
	for _, u := range profile.Usages() {
		r.Operators = append(r.Operators, u.Operator)
	}
	slices.Sort(r.Operators)
	if r.Fails != "" {
		return r, fmt.Errorf("a training step on %s: %s", r.Device, r.Fails)
	}
	return r, nil
}

// stepOn takes one step on a few tokens.
func stepOn(ctx context.Context, m *importer.Model, ks []kernel.Kernels) error {
	method := peft.Bottleneck{Where: peft.LayerOutput, Size: 8, Activation: kernel.GELU}
	p, err := graph.NewParams(m, method, 3, 1)
	if err != nil {
		return err
	}
	base := p.Encoding(false)
	for _, q := range base {
		q.Thaw()
	}
	s := graph.NewTrainer(p, ks, append(base, p.Of(graph.Adapter, graph.Head)...))
	defer giveBack(p, s)
	vocab, q := vocabulary(m.Encoder), &graph.Sequence{}
	for i := range 12 {
		q.IDs, q.Targets = append(q.IDs, int32(i%vocab)), append(q.Targets, int32(i%3))
	}
	if _, err := s.Step(ctx, []*graph.Sequence{q}, graph.MeanWeight([]*graph.Sequence{q})); err != nil {
		return err
	}
	return settled(ks)
}
