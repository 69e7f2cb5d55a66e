package train_test

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/seed-aefebe89/graft/graph"
	"github.com/seed-aefebe89/graft/graph/peft"
	"github.com/seed-aefebe89/graft/train"
)

// What is told before the first step is what the run then has: no batch of any epoch makes a session grow.
func TestTheFootprintIsToldAhead(t *testing.T) {
	for name, method := range map[string]peft.Method{"top": top, "lora": lora} {
		for _, base := range []bool{false, true} {
			for _, memory := range []graph.Memory{{}, {Unpacked: true, Recompute: true}} {
				k := newTask(t)
				p := k.params(t, method)
				p.Memory = memory
				f := &train.FineTune{Settings: train.Settings{Epochs: 3, Batch: 7, Base: base}, Params: p, Encoder: k.encoder, Train: k.train,
					Dev: k.dev, Kernels: kernels()}
				told, err := f.Footprint()
				if err != nil {
					t.Fatal(err)
				}
				r, err := f.Run(context.Background())
				if err != nil {
					t.Fatal(err)
				}
				got, err := graph.FootprintOf(p, f.Sessions()...)
				if err != nil {
					t.Fatal(err)
				}
				want := told.Footprint
				if r.OnFeatures { // the encoder's own session was let go
					if want.Arena <= got.Arena || want.Mapped <= got.Mapped || told.Features == 0 {
						t.Errorf("%s: told %+v, with the training sessions alone %+v", name, told, got)
					}
				} else if got != want || told.Features != 0 {
					t.Errorf("%s, base %t: told %+v, got %+v", name, base, want, got)
				}
				moments := 0
				m, v, err := f.Optimiser().Moments()
				if err != nil {
					t.Fatal(err)
				}
				for i := range m {
					moments += 4 * (len(m[i]) + len(v[i]))
				}
				if told.Optimiser != moments || told.Gradients != moments/2 || told.Trained != r.Trainable {
					t.Errorf("%s, base %t: told %+v, the moments take %d bytes", name, base, told, moments)
				}
				if (want.Copied > 0) != base {
					t.Errorf("%s, base %t: %d bytes of base weights have memory of their own", name, base, want.Copied)
				}
				var b bytes.Buffer
				if err := told.Write(&b); err != nil || !strings.Contains(b.String(), "arena") {
					t.Errorf("%s, %v", &b, err)
				}
			}
		}
	}
}
