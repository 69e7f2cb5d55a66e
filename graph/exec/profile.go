package exec

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"
)

// Profile collects what every operator takes, on all threads, from the runs whose context carries it. It may be used
// by several goroutines.
type Profile struct {
	start time.Time

	mu     sync.Mutex
	runs   int
	total  map[string]*Usage
	events []event
	missed int // events beyond maxEvents
}

// Usage is what one kind of operator took.
type Usage struct {
	Operator string
	Calls    int
	Time     time.Duration
	FLOP     float64 // multiplications and additions of matrix products; 0 for operators without any
	Bytes    float64 // operands read and results written, each once
}

// event is one run of one operator.
type event struct {
	name, op    string
	shape       []int
	thread      int
	start, took time.Duration // start counts from the profile's
}

// maxEvents bounds the events that a trace keeps, the first ones: some 100 MB of JSON, which viewers still open.
const maxEvents = 500_000

// NewProfile returns an empty profile, whose trace starts now.
func NewProfile() *Profile { return &Profile{start: time.Now(), total: map[string]*Usage{}} }

type profileKey struct{}

// WithProfile returns a context under which every Exec.Run adds to p. Without it a run measures nothing.
func WithProfile(ctx context.Context, p *Profile) context.Context {
	return context.WithValue(ctx, profileKey{}, p)
}

func profileOf(ctx context.Context) *Profile {
	p, _ := ctx.Value(profileKey{}).(*Profile)
	return p
}

// Usages lists what each kind of operator took, the most time first.
func (p *Profile) Usages() []Usage {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := make([]Usage, 0, len(p.total))
	for _, u := range p.total {
		out = append(out, *u)
	}
	slices.SortFunc(out, func(a, b Usage) int {
		return cmp.Or(cmp.Compare(b.Time, a.Time), cmp.Compare(a.Operator, b.Operator))
	})
	return out
}

// runProfiled is Run's loop with a clock.
func (e *Exec) runProfiled(ctx context.Context, p *Profile) error {
	events := make([]event, 0, len(e.plan.steps))
	used := map[string]*Usage{}
	var err error
	for i := range e.plan.steps {
		if err = ctx.Err(); err != nil {
			break
		}
		s := &e.plan.steps[i]
		start := time.Now()
		out, in := e.step(i)
		if e.device != nil {
			if err = e.device.memory.Sync(); err != nil {
				break
			}
			in = e.device.onHost(&e.plan.steps[i], in)
		}
		took := time.Since(start)
		if in == nil { // a view: nothing was computed
			continue
		}
		u := used[s.op.Name()]
		if u == nil {
			u = &Usage{Operator: s.op.Name()}
			used[s.op.Name()] = u
		}
		flop, bytes := s.op.Cost(out, in)
		u.Calls, u.Time, u.FLOP, u.Bytes = u.Calls+1, u.Time+took, u.FLOP+flop, u.Bytes+bytes
		events = append(events, event{s.op.Name(), s.op.String(), slices.Clone(out.Shape), e.Thread, start.Sub(p.start), took})
	}
	p.add(used, events)
	if err == nil && e.then != nil {
		e.then()
	}
	return err
}

// add takes over what one run measured.
func (p *Profile) add(used map[string]*Usage, events []event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.runs++
	for name, u := range used {
		t := p.total[name]
		if t == nil {
			t = &Usage{Operator: name}
			p.total[name] = t
		}
		t.Calls, t.Time, t.FLOP, t.Bytes = t.Calls+u.Calls, t.Time+u.Time, t.FLOP+u.FLOP, t.Bytes+u.Bytes
	}
	room := min(len(events), maxEvents-len(p.events))
	p.events = append(p.events, events[:room]...)
	p.missed += len(events) - room
}
