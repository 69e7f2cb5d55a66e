package exec_test

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"sync"
	"testing"

	"github.com/seed-aefebe89/graft/graph/exec"
	"github.com/seed-aefebe89/graft/graph/kernel/portable"
)

// A profile has every operator of every run, with the shapes and multiplications of the batch that was run, on the
// thread that ran it.
func TestAProfileTellsWhatRan(t *testing.T) {
	n := build(t)
	p, err := exec.NewPlan(n.roots()...)
	if err != nil {
		t.Fatal(err)
	}
	prof := exec.NewProfile()
	ctx := exec.WithProfile(context.Background(), prof)
	const runs = 3
	var wg sync.WaitGroup
	for i := range 2 {
		e := open(t, p, portable.New())
		e.Thread = i
		feed(t, e, n.values(5, 0, 2, 5))
		wg.Go(func() {
			for range runs {
				if err := e.Run(ctx); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	usages := map[string]exec.Usage{}
	calls := 0
	for _, u := range prof.Usages() {
		usages[u.Operator] = u
		calls += u.Calls
	}
	// Two products forward: [5,8]·[8,8]. Attention of sequences of 2 and 3 rows: 4·(2²+3²)·8.
	for name, want := range map[string]exec.Usage{
		"Linear":    {Calls: 2 * 2 * runs, FLOP: 2 * 2 * runs * 2 * 5 * 8 * 8},
		"Attention": {Calls: 2 * runs, FLOP: 2 * runs * 4 * 13 * 8},
		"Activate":  {Calls: 2 * runs, Bytes: 2 * runs * 4 * 2 * 5 * 8},
	} {
		got := usages[name]
		if got.Calls != want.Calls || got.FLOP != want.FLOP || want.Bytes != 0 && got.Bytes != want.Bytes || got.Time <= 0 {
			t.Errorf("%s: %+v, want %+v", name, got, want)
		}
	}
	if calls == 0 || calls > 2*runs*p.Steps() {
		t.Errorf("%d calls in %d runs of %d operators", calls, 2*runs, p.Steps())
	}

	var table, trace bytes.Buffer
	if err := prof.WriteTable(&table); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"GFLOP/s", "Linear", "LayerNormGrad", "all"} {
		if !strings.Contains(table.String(), want) {
			t.Errorf("the table lacks %q:\n%s", want, &table)
		}
	}
	if err := prof.WriteTrace(&trace); err != nil {
		t.Fatal(err)
	}
	var got struct {
		TraceEvents []struct {
			Name, Ph string
			TS, Dur  float64
			TID      int
			Args     struct {
				Op    string
				Shape []int
			}
		}
	}
	if err := json.Unmarshal(trace.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	events, end := 0, map[int]float64{}
	for _, e := range got.TraceEvents {
		if e.Ph != "X" {
			continue
		}
		events++
		if e.TS < end[e.TID] {
			t.Errorf("on thread %d %s begins at %v µs, before the operator in progress ends at %v", e.TID, e.Name, e.TS, end[e.TID])
		}
		end[e.TID] = e.TS + e.Dur - 1e-3 // times are in whole ns
		if e.Name == "Linear" && (len(e.Args.Shape) != 2 || e.Args.Shape[0] != 5 || !strings.HasPrefix(e.Args.Op, "Linear{")) {
			t.Errorf("arguments %+v", e.Args)
		}
	}
	if events != calls || len(end) != 2 {
		t.Errorf("%d events on %d threads, want %d on 2", events, len(end), calls)
	}
}

// Profiling changes no result, and a run that is interrupted is in the profile as far as it came.
func TestProfilingChangesNothing(t *testing.T) {
	n := build(t)
	p, err := exec.NewPlan(n.roots()...)
	if err != nil {
		t.Fatal(err)
	}
	e := open(t, p, portable.New())
	feed(t, e, n.values(rows, 0, 12))
	run(t, e)
	want := copyOf(t, e, n.roots()...)
	prof := exec.NewProfile()
	ctx, cancel := context.WithCancel(exec.WithProfile(context.Background(), prof))
	if err := e.Run(ctx); err != nil {
		t.Fatal(err)
	}
	if !equal(want, copyOf(t, e, n.roots()...)) {
		t.Error("a profiled run gives other results")
	}
	k := &cancelling{idle{}, cancel, 0}
	half := open(t, p, k)
	feed(t, half, n.values(rows, 0, 12))
	before := len(prof.Usages())
	if err := half.Run(ctx); err == nil || before == 0 {
		t.Fatalf("%d operators, error %v", before, err)
	}
	for _, u := range prof.Usages() {
		if u.Operator == "Linear" && u.Calls != 3 {
			t.Errorf("%d products, want two of the whole run and one of the other", u.Calls)
		}
	}
}
