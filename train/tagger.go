package train

import (
	"context"
	"iter"

	"github.com/seed-aefebe89/graft/graph"
	"github.com/seed-aefebe89/graft/graph/kernel"
	"github.com/seed-aefebe89/graft/internal/progress"
	"github.com/seed-aefebe89/graft/train/metric"
)

// batchTokens is how many tokens go through an encoder at once where nothing is trained: enough to fill its matrix
// products, few enough to stay in cache.
const batchTokens = 2048

// Tagger labels sentences with the present values of a network's parameters.
type Tagger struct {
	Encoder *Encoder
	session *graph.Session
}

// NewTagger returns a tagger with one thread for each of ks. It shares the parameters.
func NewTagger(e *Encoder, p *graph.Params, ks []kernel.Kernels) *Tagger {
	return &Tagger{e, graph.NewTagger(p, ks)}
}

// newTopTagger labels examples that have features.
func newTopTagger(e *Encoder, p *graph.Params, ks []kernel.Kernels) *Tagger {
	return &Tagger{e, graph.NewTopTagger(p, ks)}
}

// Tags returns the tags of each example's words.
func (t *Tagger) Tags(ctx context.Context, xs []*Example, bar *progress.Bar) ([][]string, error) {
	out := make([][]string, 0, len(xs))
	for _, b := range byTokens(xs, batchTokens) {
		ls, err := t.session.Logits(ctx, sequences(b))
		if err != nil {
			return nil, err
		}
		for i, x := range b {
			out = append(out, t.Encoder.Tags(x, ls[i]))
		}
		if bar != nil {
			bar.Add(len(b), "")
		}
	}
	return out, nil
}

// taggerBatches are the batches that Tags and features take.
func taggerBatches(xs []*Example) iter.Seq[[]*graph.Sequence] {
	return func(yield func([]*graph.Sequence) bool) {
		for _, b := range byTokens(xs, batchTokens) {
			if !yield(sequences(b)) {
				return
			}
		}
	}
}

// Evaluate labels the examples and scores them against their sentences' tags.
func (t *Tagger) Evaluate(ctx context.Context, xs []*Example, bar *progress.Bar) (metric.Report, [][]string, error) {
	tags, err := t.Tags(ctx, xs, bar)
	if err != nil {
		return metric.Report{}, nil, err
	}
	r, err := metric.Evaluate(Gold(xs), tags, metric.Conlleval)
	return r, tags, err
}

// Gold are the tags that the examples' sentences carry.
func Gold(xs []*Example) [][]string {
	out := make([][]string, len(xs))
	for i, x := range xs {
		out[i] = x.Sentence.Tags
	}
	return out
}

// features computes the last hidden states of the examples' rows once, for training what sits on top of the encoder.
// The returned examples share everything else with the given ones.
func features(ctx context.Context, s *graph.Session, xs []*Example, bar *progress.Bar) ([]*Example, error) {
	out := make([]*Example, 0, len(xs))
	for _, b := range byTokens(xs, batchTokens) {
		fs, err := s.Features(ctx, sequences(b))
		if err != nil {
			return nil, err
		}
		for i, x := range b {
			y := *x
			y.Seq.Features = fs[i]
			out = append(out, &y)
		}
		if bar != nil {
			bar.Add(len(b), "")
		}
	}
	return out, nil
}
