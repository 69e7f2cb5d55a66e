// Package meta primes an encoder for parameter-efficient fine-tuning: meta-learning over source languages whose inner
// loop trains only what the coming fine-tuning will train (Gheini, Ma and May, Findings of ACL 2023), and plain
// fine-tuning on the same sources as its control.
package meta

import (
	"errors"
	"fmt"
	"time"

	"github.com/seed-aefebe89/graft/graph"
	"github.com/seed-aefebe89/graft/graph/kernel"
	"github.com/seed-aefebe89/graft/internal/progress"
	"github.com/seed-aefebe89/graft/train"
)

// Method says how the encoder is primed.
type Method string

const (
	// MAML simulates adapter tuning in its inner loop and moves the encoder, and the adapter's start, by the gradient
	// at the adapted point (first order).
	MAML Method = "maml"
	// FineTuning trains encoder, adapter and head together on the sources: the control for having seen their data.
	FineTuning Method = "ft"
)

// Head says what becomes of the head, which has no meta-gradient unless it is learned.
type Head string

const (
	Carry   Head = "carry"   // the adapted head of the first task goes on
	Restart Head = "restart" // it is drawn anew at each outer step
	Zero    Head = "zero"    // it is zero at each outer step
	Learn   Head = "learn"   // it is meta-learned like the adapter
)

// AdapterStart says where the adapter stands at a task's start.
type AdapterStart string

const (
	Learned AdapterStart = "learned" // at the meta-learned values, which the coming fine-tuning takes over
	Fresh   AdapterStart = "fresh"   // drawn anew at each outer step, and not learned
)

// Settings are those of priming. Numbers that are zero mean what is said; see the paper for the defaults.
type Settings struct {
	Method      Method       `json:"method"`       // maml
	OuterSteps  int          `json:"outer_steps"`  // 300
	OuterLR     float64      `json:"outer_lr"`     // 5e-5, by AdamW with warm-up and linear decay
	Warmup      int          `json:"warmup"`       // outer steps in which the rate rises; 0 means 20, at most a tenth
	WeightDecay float64      `json:"weight_decay"` //
	Clip        float64      `json:"clip"`         // largest norm of the outer gradient; 0 clips nothing
	InnerSteps  int          `json:"inner_steps"`  // S: 5
	InnerLR     float64      `json:"inner_lr"`     // α: 0.03, by plain gradient descent
	Batch       int          `json:"batch"`        // sentences of a support or query batch: 32
	Tasks       int          `json:"tasks"`        // languages sampled for an outer step; 0 means all
	Head        Head         `json:"head"`         // carry
	Adapter     AdapterStart `json:"adapter"`      // learned
	Embeddings  bool         `json:"embeddings"`   // train the embedding tables too
	Seed        uint64       `json:"seed"`
}

// DefaultInnerSteps is S, the steps of the inner loop, unless another number is asked for.
const DefaultInnerSteps = 5

func (s *Settings) defaults() {
	def := func(p *int, v int) {
		if *p == 0 {
			*p = v
		}
	}
	if s.Method == "" {
		s.Method = MAML
	}
	def(&s.OuterSteps, 300)
	def(&s.Warmup, min(20, s.OuterSteps/10))
	def(&s.InnerSteps, DefaultInnerSteps)
	def(&s.Batch, 32)
	if s.OuterLR == 0 {
		s.OuterLR = 5e-5
	}
	if s.InnerLR == 0 {
		s.InnerLR = 0.03
	}
	if s.Head == "" {
		s.Head = Carry
	}
	if s.Adapter == "" {
		s.Adapter = Learned
	}
}

// check returns an error for settings that mean nothing.
func (s *Settings) check(tasks int) error {
	switch {
	case s.Method != MAML && s.Method != FineTuning:
		return fmt.Errorf("there is no way of priming called %q: there are %q and %q", s.Method, MAML, FineTuning)
	case s.Head != Carry && s.Head != Restart && s.Head != Zero && s.Head != Learn:
		return fmt.Errorf("the head can be %q, %q, %q or %q, not %q", Carry, Restart, Zero, Learn, s.Head)
	case s.Adapter != Learned && s.Adapter != Fresh:
		return fmt.Errorf("the adapter's start can be %q or %q, not %q", Learned, Fresh, s.Adapter)
	case s.Tasks < 0 || s.Tasks > tasks:
		return fmt.Errorf("%d tasks a step were asked for, there are %d", s.Tasks, tasks)
	case s.OuterSteps < 1 || s.InnerSteps < 1 || s.Batch < 1 || s.Warmup < 0:
		return errors.New("steps and batch sizes must be positive")
	}
	return nil
}

// Task is one source language.
type Task struct {
	Name     string
	Examples []*train.Example
}

// Prime primes the encoder of Params.
type Prime struct {
	Settings
	Params  *graph.Params
	Tasks   []Task
	Kernels []kernel.Kernels // one a thread

	Checkpoint string        // the file that the state is kept in, none if empty
	Every      time.Duration // how often it is saved; 0 means a minute
	Progress   *progress.Reporter
	// Stepped, if it is set, is called after each outer step with the number taken so far. An error ends the run.
	Stepped func(step int) error

	streams []*train.Stream
	outer   []*graph.Param // what the outer step moves
	inner   []*graph.Param // what the inner loop moves
	query   *graph.Session // gradients of outer (and inner) at the adapted point
	support *graph.Session // gradients of inner
	encode  *graph.Session // hidden states for the support loop, where all adapters sit on top
	opt     *train.AdamW
	grads   *graph.Vector
	small   *graph.Vector
	start   *graph.Vector // of inner, where an outer step starts
	before  *graph.Vector // of inner, before begin
	carried *graph.Vector // the head after the first task
	state   state
	saved   time.Time
}

// Result is what priming came to.
type Result struct {
	Steps     int       `json:"steps"`
	Trainable int       `json:"trainable"` // elements that the outer step moved
	Sentences int       `json:"sentences"` // instances seen
	Query     []float64 `json:"query"`     // mean query loss of each tenth of the steps
	Support   []float64 `json:"support"`   // mean support loss, likewise
}
