package graph

import (
	"fmt"
	"slices"

	"github.com/seed-aefebe89/graft/importer"
	"github.com/seed-aefebe89/graft/importer/fold"
)

// padded tells whether the session's network takes padded batches.
func (s *Session) padded() bool { return s.params.Model.Padded != nil && !s.mode.top() }

// addPadded appends sequence number i to a batch of the batch's shape; with all set, every token is wanted.
func (b *batch) addPadded(i int, s *Sequence, all bool) error {
	if err := s.sound(i); err != nil {
		return err
	}
	for _, ids := range [][]int32{s.IDs, s.Types} {
		if k := slices.IndexFunc(ids, func(id int32) bool { return id < 0 }); k >= 0 {
			return fmt.Errorf("sequence %d: token %d has the number %d", i, k, ids[k])
		}
	}
	start := int32(len(b.seqs) * (b.shape.Tokens / b.shape.Sequences))
	b.seqs = append(b.seqs, s)
	if all {
		s = &Sequence{IDs: s.IDs, Types: s.Types}
	}
	b.addRows(i, s, start)
	return nil
}

// feedPadded gives an executor a padded batch: what its network's leaves are for these tokens.
func (s *Session) feedPadded(f *feeder, sh *shard) error {
	m, n := s.params.Model, sh.prog.net
	in, err := sh.batch.inputs(m.Padded, int64(m.Config.PadTokenID))
	if err != nil {
		return err
	}
	host, err := n.program.Host(in)
	if err != nil {
		return err
	}
	for _, l := range n.decided {
		if !f.plan.Takes(l.Node) {
			continue
		}
		t, err := l.Value(host)
		if err != nil {
			return err
		}
		f.feed(l.Node, t)
	}
	return f.err
}

// inputs are the model's, for a batch. Where it has fewer sequences than its shape, the last one stands there several times:
// one of padding alone might have no number for an attention.
func (b *batch) inputs(e *importer.Padded, pad int64) (map[string]*fold.Array, error) {
	var ids, types [][]int32
	for i := range b.shape.Sequences {
		q := b.seqs[min(i, len(b.seqs)-1)]
		ids, types = append(ids, q.IDs), append(types, q.Types)
	}
	length := b.shape.Tokens / b.shape.Sequences
	in := map[string]*fold.Array{}
	for _, o := range e.Inputs {
		x, err := importer.TokenInput(o.Name, ids, types, length, pad)
		if err != nil {
			return nil, err
		}
		a := fold.Ints(x, len(ids), length)
		a.Type = o.Array.Type
		in[o.Name] = a
	}
	return in, nil
}
