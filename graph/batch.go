package graph

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/seed-aefebe89/graft/importer"
)

// Sequence is one tokenised text with what is wanted of it.
type Sequence struct {
	IDs   []int32
	Types []int32 // token types, nil for zeros
	Rows  []int32 // the tokens whose logits are wanted, such as the first of each word; all if nil
	// Targets are the classes of Rows, −1 for none; nil where there are no labels.
	Targets []int32
	// Features are the last hidden states [rows,H] of Rows, for networks that start from them.
	Features []float32
}

// work is what the sequence costs: its tokens, or its rows where the network starts from features.
func (s *Sequence) work(top bool) int {
	if top {
		return len(s.Targets)
	}
	return len(s.IDs)
}

// rows is the number of rows that the sequence adds to a batch's result.
func (s *Sequence) rows() int {
	if s.Rows == nil {
		return len(s.IDs)
	}
	return len(s.Rows)
}

// Labelled is the number of rows with a class.
func (s *Sequence) Labelled() int {
	n := 0
	for _, t := range s.Targets {
		n += b2i(t >= 0)
	}
	return n
}

// MeanWeight makes the summed loss of some sequences a mean over their labelled rows; it is 0 where there is none.
func MeanWeight(seqs []*Sequence) float32 {
	n := 0
	for _, s := range seqs {
		n += s.Labelled()
	}
	if n == 0 {
		return 0
	}
	return 1 / float32(n)
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// batch is a set of sequences packed for a Network.
type batch struct {
	index    [][]int32
	tables   [][]float32 // by position
	slopes   [][]float32 // by distance, for sequences of up to longest tokens
	buckets  [][]int32   // likewise
	longest  int
	bounds   []int32
	firsts   []int32
	owners   []int32   // by token, the number of its sequence
	shares   []float32 // one over each sequence's tokens
	rows     []int32
	targets  []int32
	features []float32
	width    int   // of features
	tokens   int   // where they are more than those of the sequences
	order    []int // which sequence of the caller's each one is
	relations

	seqs  []*Sequence // of a padded batch
	shape Capacity    // likewise
}

// need is the capacity that the batch asks for.
func (b *batch) need() Capacity {
	return Capacity{max(b.tokens, int(b.bounds[len(b.bounds)-1])), max(len(b.order), len(b.bounds)-1), len(b.rows)}
}

// reset empties the batch and keeps its memory.
func (b *batch) reset(e *importer.Encoder) {
	b.index, b.tables, b.buckets = emptied(b.index, len(e.Indexes)), emptied(b.tables, len(e.Tables)), emptied(b.buckets, len(e.Buckets))
	b.slopes = emptied(b.slopes, len(e.Slopes))
	b.longest, b.tokens, b.width = 0, 0, 0
	b.bounds, b.firsts, b.rows, b.targets = append(b.bounds[:0], 0), b.firsts[:0], b.rows[:0], b.targets[:0]
	b.owners, b.shares = b.owners[:0], b.shares[:0]
	b.features, b.order, b.seqs = b.features[:0], b.order[:0], b.seqs[:0]
}

// emptied are n lists without elements, in the memory of some.
func emptied[T any](x [][]T, n int) [][]T {
	for len(x) < n {
		x = append(x, nil)
	}
	for i := range x {
		x[i] = x[i][:0]
	}
	return x
}

// sound returns an error where sequence number i is none.
func (s *Sequence) sound(i int) error {
	if len(s.IDs) == 0 {
		return fmt.Errorf("sequence %d has no token", i)
	}
	if s.Types != nil && len(s.Types) != len(s.IDs) {
		return fmt.Errorf("sequence %d has %d tokens but %d types", i, len(s.IDs), len(s.Types))
	}
	if s.Targets != nil && len(s.Targets) != s.rows() {
		return fmt.Errorf("sequence %d has %d rows but %d targets", i, s.rows(), len(s.Targets))
	}
	for _, t := range s.Rows {
		if t < 0 || int(t) >= len(s.IDs) {
			return fmt.Errorf("sequence %d: row %d is outside of its %d tokens", i, t, len(s.IDs))
		}
	}
	return nil
}

// add appends sequence number i.
func (b *batch) add(e *importer.Encoder, i int, s *Sequence) error {
	if err := s.sound(i); err != nil {
		return err
	}
	start := b.bounds[len(b.bounds)-1]
	for k := range e.Indexes {
		var err error
		if b.index[k], err = e.Indexes[k].AppendRows(b.index[k], s.IDs, s.Types); err != nil {
			return fmt.Errorf("sequence %d of %d tokens: %w", i, len(s.IDs), err)
		}
	}
	if err := b.addPositions(e, len(s.IDs)); err != nil {
		return fmt.Errorf("sequence %d of %d tokens: %w", i, len(s.IDs), err)
	}
	b.firsts, b.shares = append(b.firsts, start), append(b.shares, 1/float32(len(s.IDs)))
	for range s.IDs {
		b.owners = append(b.owners, int32(len(b.order)))
	}
	b.bounds = append(b.bounds, start+int32(len(s.IDs)))
	b.addRows(i, s, start)
	return nil
}

// addRows appends what is wanted of sequence number i, whose first token is number start.
func (b *batch) addRows(i int, s *Sequence, start int32) {
	if s.Rows == nil {
		for t := range s.IDs {
			b.rows = append(b.rows, start+int32(t))
		}
	}
	for _, t := range s.Rows {
		b.rows = append(b.rows, start+t)
	}
	if s.Targets == nil {
		for range s.rows() {
			b.targets = append(b.targets, -1)
		}
	}
	b.targets = append(b.targets, s.Targets...)
	b.order = append(b.order, i)
}

// addPositions appends what belongs to the positions of a sequence of n tokens.
func (b *batch) addPositions(e *importer.Encoder, n int) error {
	for k := range e.Tables {
		x, err := e.Tables[k].Rows(n)
		if err != nil {
			return err
		}
		b.tables[k] = append(b.tables[k], x...)
	}
	if n <= b.longest {
		return nil
	}
	b.longest = n
	for k, s := range e.Slopes {
		x, err := s.Rows(n)
		if err != nil {
			return err
		}
		b.slopes[k] = append(b.slopes[k][:0], x...)
	}
	for k := range e.Buckets {
		x, err := e.Buckets[k].Rows(n)
		if err != nil {
			return err
		}
		b.buckets[k] = append(b.buckets[k][:0], x...)
	}
	return nil
}

// addFeatures appends sequence number i for a network that starts from features of width h.
func (b *batch) addFeatures(i int, s *Sequence, h int) error {
	n := len(s.Targets)
	if len(s.Features) != n*h || n == 0 {
		return fmt.Errorf("sequence %d has %d features for %d targets of width %d", i, len(s.Features), n, h)
	}
	b.width = h
	b.features = append(b.features, s.Features...)
	b.targets = append(b.targets, s.Targets...)
	for range n {
		b.rows = append(b.rows, 0)
	}
	b.order = append(b.order, i)
	return nil
}

// check returns an error where a row number lies outside of its table.
func (b *batch) check(e *importer.Encoder) error {
	for _, o := range e.Ops {
		switch o := o.(type) {
		case *importer.Embedding:
			for k, t := range o.Tables {
				if err := within(b.index[o.Index[k]], t); err != nil {
					return err
				}
			}
		case *importer.Attention:
			if o.Bias != nil {
				if err := within(b.buckets[o.Buckets], o.Bias); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// within returns an error where a row number lies outside of a table.
func within(rows []int32, t *importer.Weight) error {
	for _, id := range rows {
		if id < 0 || int(id) >= t.Shape[0] {
			return fmt.Errorf("row %d of the table %q, which has %d: the tokens are not this model's, or the text is too long", id, t.Name, t.Shape[0])
		}
	}
	return nil
}

// dealer deals sequences out to shards. It keeps its memory.
type dealer struct {
	order, work, load []int
	shards            [][]int
}

// spread deals sequences out to n shards of about equal work, the longest first, each to the shard with the least. The
// work of a sequence is its tokens, or its rows where the network starts from features. The result depends on the work
// alone and holds until the next call.
func (d *dealer) spread(seqs []*Sequence, n int, top bool) [][]int {
	d.order, d.work, d.load = d.order[:0], d.work[:0], d.load[:0]
	for i, q := range seqs {
		d.order, d.work = append(d.order, i), append(d.work, q.work(top))
	}
	slices.SortStableFunc(d.order, func(a, b int) int { return cmp.Compare(d.work[b], d.work[a]) })
	for len(d.shards) < n {
		d.shards = append(d.shards, nil)
	}
	for k := range n {
		d.shards[k], d.load = d.shards[k][:0], append(d.load, 0)
	}
	for _, i := range d.order {
		least := 0
		for k := range d.load {
			if d.load[k] < d.load[least] {
				least = k
			}
		}
		d.shards[least] = append(d.shards[least], i)
		d.load[least] += d.work[i]
	}
	for _, s := range d.shards[:n] {
		slices.Sort(s)
	}
	return d.shards[:n]
}
