package meta_test

import (
	"context"
	"errors"
	"math"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/seed-aefebe89/graft/graph"
	"github.com/seed-aefebe89/graft/graph/kernel"
	"github.com/seed-aefebe89/graft/graph/kernel/kerneltest"
	"github.com/seed-aefebe89/graft/graph/kernel/portable"
	"github.com/seed-aefebe89/graft/graph/peft"
	"github.com/seed-aefebe89/graft/train"
	"github.com/seed-aefebe89/graft/train/meta"
)

// Priming on a device with memory of its own moves the parameters as on the host, up to the rounding of a few steps whose
// size is the learning rate, 1e-3, whatever the gradient's is; and goes on from a checkpoint to the same bits.
func TestPrimingOnADevice(t *testing.T) {
	m := encoder(t)
	all := []graph.Group{graph.Base, graph.Adapter, graph.Head}
	run := func(method peft.Method, change func(*meta.Settings), k kernel.Kernels, ctx context.Context, checkpoint string) (*graph.Params, *meta.Result, error) {
		s := settings
		change(&s)
		p := params(t, m, method)
		r, err := (&meta.Prime{Settings: s, Params: p, Tasks: tasks(), Kernels: []kernel.Kernels{k}, Checkpoint: checkpoint}).Run(ctx)
		return p, r, err
	}
	for name, c := range map[string]struct {
		method peft.Method
		change func(*meta.Settings)
	}{
		"top":               {top, func(s *meta.Settings) {}},
		"lora":              {lora, func(s *meta.Settings) { s.Embeddings = true }},
		"restart and fresh": {lora, func(s *meta.Settings) { s.Head, s.Adapter = meta.Restart, meta.Fresh }},
		"zero":              {top, func(s *meta.Settings) { s.Head = meta.Zero }},
		"learned head":      {top, func(s *meta.Settings) { s.Head, s.Tasks = meta.Learn, 1 }},
		"fine-tuning":       {lora, func(s *meta.Settings) { s.Method = meta.FineTuning }},
	} {
		t.Run(name, func(t *testing.T) {
			ctx := context.Background()
			want, r, err := run(c.method, c.change, portable.New(), ctx, "")
			if err != nil {
				t.Fatal(err)
			}
			d := kerneltest.NewDevice(t, portable.New(), 1<<25)
			got, o, err := run(c.method, c.change, d, ctx, "")
			if err != nil {
				t.Fatal(err)
			}
			for i := range r.Query {
				if math.Abs(r.Query[i]-o.Query[i]) > 1e-3 || math.Abs(r.Support[i]-o.Support[i]) > 1e-3 {
					t.Errorf("losses %v %v, on the host %v %v", o.Query, o.Support, r.Query, r.Support)
				}
			}
			for i, q := range want.Of(all...) {
				for j, v := range q.Data {
					if x := got.Of(all...)[i].Data[j]; !(math.Abs(float64(x-v)) <= 1e-3) {
						t.Fatalf("%s[%d] is %v, on the host %v", q.Name, j, x, v)
					}
				}
			}
			if err := graph.Leave(got.Of(all...)); err != nil {
				t.Error(err)
			}
			if free, total, _ := d.Room(); free != total {
				t.Errorf("%d of %d bytes are free in the end", free, total)
			}
			checkpoint, interruptions := filepath.Join(t.TempDir(), "checkpoint"), 0
			for asks := int64(7); ; asks = asks*2 + 5 {
				stop := countdown{ctx, &atomic.Int64{}}
				stop.left.Store(asks)
				again, _, err := run(c.method, c.change, kerneltest.NewDevice(t, portable.New(), 1<<25), stop, checkpoint)
				if errors.Is(err, train.ErrInterrupted) {
					interruptions++
					continue
				}
				if err != nil {
					t.Fatal(err)
				}
				for i, q := range got.Of(all...) {
					for j, v := range q.Data {
						if x := again.Of(all...)[i].Data[j]; x != v {
							t.Fatalf("after interruptions %s[%d] is %v, want %v", q.Name, j, x, v)
						}
					}
				}
				break
			}
			if interruptions < 1 {
				t.Error("the run was not interrupted, which tests little")
			}
		})
	}
}
