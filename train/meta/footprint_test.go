package meta_test

import (
	"context"
	"testing"

	"github.com/seed-aefebe89/graft/graph"
	"github.com/seed-aefebe89/graft/graph/peft"
	"github.com/seed-aefebe89/graft/train/meta"
)

// What is told before the first step is what the run then has: no batch of any step makes a session grow.
func TestTheFootprintIsToldAhead(t *testing.T) {
	for name, method := range map[string]peft.Method{"top": top, "lora": lora} {
		for _, how := range []meta.Method{meta.MAML, meta.FineTuning} {
			m := encoder(t)
			p := params(t, m, method)
			s := settings
			s.Method = how
			run := &meta.Prime{Settings: s, Params: p, Tasks: tasks(), Kernels: kernels()}
			told, err := run.Footprint()
			if err != nil {
				t.Fatal(err)
			}
			r, err := run.Run(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			got, err := graph.FootprintOf(p, run.Sessions()...)
			if err != nil {
				t.Fatal(err)
			}
			if got != told.Footprint || told.Trained != r.Trainable || told.Optimiser != 8*r.Trainable || told.Gradients < 4*r.Trainable {
				t.Errorf("%s, %s: told %+v, got %+v and %+v", name, how, told, got, r)
			}
			if (told.Features > 0) != (name == "top" && how == meta.MAML) {
				t.Errorf("%s, %s: hidden states of %d bytes", name, how, told.Features)
			}
		}
	}
}
