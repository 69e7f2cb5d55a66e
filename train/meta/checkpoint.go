package meta

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/seed-aefebe89/graft/graph"
	"github.com/seed-aefebe89/graft/train"
)

// state is where priming stands, beside its tensors.
type state struct {
	Fingerprint string    `json:"fingerprint"`
	Step        int       `json:"step"`
	Dealt       []int     `json:"dealt"` // batches that each task's stream has dealt out
	Sentences   int       `json:"sentences"`
	AdamSteps   int       `json:"adam_steps"`
	Query       []float64 `json:"query"`
	Support     []float64 `json:"support"`
}

// point is what an outer step changes before it is done, beside the parameters in Prime.before.
type point struct {
	dealt     []int
	sentences int
}

func (p *Prime) mark() (point, error) {
	m := point{sentences: p.state.Sentences}
	for _, s := range p.streams {
		m.dealt = append(m.dealt, s.Dealt)
	}
	return m, p.before.Take()
}

// rewind undoes an outer step that was cut short.
func (p *Prime) rewind(m point) {
	p.before.Put()
	p.state.Sentences = m.sentences
	for i, s := range p.streams {
		s.Dealt = m.dealt[i]
	}
}

func (p *Prime) due() bool {
	every := p.Every
	if every == 0 {
		every = time.Minute
	}
	return p.Checkpoint != "" && time.Since(p.saved) >= every
}

func (p *Prime) interrupted(cause error) error {
	if p.Checkpoint == "" {
		return fmt.Errorf("%w: %w", train.ErrInterrupted, cause)
	}
	if err := p.save(); err != nil {
		return err
	}
	return fmt.Errorf("%w: the state is in %s, the same command goes on from it: %w", train.ErrInterrupted, p.Checkpoint, cause)
}

func (p *Prime) save() error {
	if p.Checkpoint == "" {
		return nil
	}
	p.state.AdamSteps = p.opt.Steps()
	p.state.Dealt = p.state.Dealt[:0]
	for _, s := range p.streams {
		p.state.Dealt = append(p.state.Dealt, s.Dealt)
	}
	t, _, _, err := p.tensors()
	if err != nil {
		return err
	}
	err = train.SaveState(p.Checkpoint, p.state, t)
	p.saved = time.Now()
	return err
}

// tensors are the values of all that is trained, and the optimiser's moments m and v: slices that saving reads and
// resuming fills.
func (p *Prime) tensors() (t map[string][]float32, m, v [][]float32, err error) {
	if err = graph.Fetch(slices.Concat(p.outer, p.inner)); err != nil {
		return nil, nil, nil, err
	}
	if m, v, err = p.opt.Moments(); err != nil {
		return nil, nil, nil, err
	}
	t = map[string][]float32{}
	for _, q := range p.inner {
		t["now."+q.Group.String()+"."+q.Name] = q.Data
	}
	for i, q := range p.outer {
		name := q.Group.String() + "." + q.Name
		t["now."+name], t["m."+name], t["v."+name] = q.Data, m[i], v[i]
	}
	return t, m, v, nil
}

func (p *Prime) resume() error {
	p.state = state{Fingerprint: p.fingerprint()}
	if p.Checkpoint == "" {
		return nil
	}
	t, m, v, err := p.tensors()
	if err != nil {
		return err
	}
	var st state
	found, err := train.LoadState(p.Checkpoint, &st, t)
	if err != nil || !found {
		return err
	}
	if st.Fingerprint != p.state.Fingerprint || len(st.Dealt) != len(p.streams) {
		return fmt.Errorf("%s holds the state of a run with other settings, data or parameters: remove it to start anew", p.Checkpoint)
	}
	p.state = st
	p.opt.Resume(m, v, st.AdamSteps)
	for _, q := range slices.Concat(p.outer, p.inner) {
		q.Changed()
	}
	for i, s := range p.streams {
		s.Dealt = st.Dealt[i]
	}
	p.Progress.Printf("going on from %s: outer step %d of %d", p.Checkpoint, st.Step, p.OuterSteps)
	return nil
}

// fingerprint tells runs apart whose state must not be mixed.
func (p *Prime) fingerprint() string {
	h := sha256.New()
	b, _ := json.Marshal(p.Settings) // plain numbers and words
	h.Write(b)
	train.HashParams(h, p.outer)
	train.HashParams(h, p.inner)
	for _, t := range p.Tasks {
		fmt.Fprintln(h, t.Name)
		train.HashExamples(h, t.Examples)
	}
	fmt.Fprintln(h, len(p.Kernels), p.Params.Precision, train.Where(p.Kernels))
	return hex.EncodeToString(h.Sum(nil)[:16])
}
