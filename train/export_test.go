package train

import "github.com/seed-aefebe89/graft/graph"

// Sessions are those that a run used, in the order in which Footprint asks them.
func (f *FineTune) Sessions() []*graph.Session { return []*graph.Session{f.session, f.tagger.session} }

// Optimiser is what a run used.
func (f *FineTune) Optimiser() *AdamW { return f.opt }
