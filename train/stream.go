package train

import "math/rand/v2"

// Stream deals the examples of one task out in batches for ever, in an order drawn anew in each pass. Batches are full
// and disjoint within a pass.
type Stream struct {
	Examples []*Example
	Batch    int
	Seed     uint64

	Dealt int // batches dealt out so far: where the stream stands

	pass  int
	order []int
}

// Next returns the next batch.
func (s *Stream) Next() []*Example {
	batch := min(s.Batch, len(s.Examples))
	each := len(s.Examples) / batch
	if pass := s.Dealt/each + 1; pass != s.pass {
		s.pass = pass
		s.order = rand.New(rand.NewPCG(s.Seed, uint64(pass))).Perm(len(s.Examples))
	}
	at := s.Dealt % each * batch
	s.Dealt++
	out := make([]*Example, batch)
	for i := range out {
		out[i] = s.Examples[s.order[at+i]]
	}
	return out
}
