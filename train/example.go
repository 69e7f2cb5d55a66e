// Package train optimises: it turns labelled sentences into packed sequences, trains adapters and heads on them with
// checkpoints that resume to the same bits, and scores the result.
package train

import (
	"fmt"
	"slices"

	"github.com/seed-aefebe89/graft/graph"
	"github.com/seed-aefebe89/graft/tokenize"
	"github.com/seed-aefebe89/graft/train/data"
)

// Example is a labelled sentence as a network takes it. Its rows are the first tokens of words, as is usual in token
// classification (Devlin et al. 2019).
type Example struct {
	Sentence *data.Sentence
	Seq      graph.Sequence
	Words    []int // the word that each row stands for
}

// Encoder turns sentences into examples.
type Encoder struct {
	Tokenizer *tokenize.Tokenizer
	Labels    *data.LabelSet
	MaxLength int // tokens, special ones included; longer sentences are cut
}

// Examples encodes the sentences of a file, whose name errors carry.
func (e *Encoder) Examples(file string, sentences []data.Sentence) ([]*Example, error) {
	out := make([]*Example, 0, len(sentences))
	for i := range sentences {
		x, err := e.Example(file, &sentences[i])
		if err != nil {
			return nil, err
		}
		out = append(out, x)
	}
	return out, nil
}

// Example encodes one sentence.
func (e *Encoder) Example(file string, s *data.Sentence) (*Example, error) {
	targets, err := e.Labels.Encode(file, *s)
	if err != nil {
		return nil, err
	}
	enc, err := e.Tokenizer.EncodeWords(s.Words, tokenize.Options{MaxLength: e.MaxLength})
	if err != nil {
		return nil, fmt.Errorf("%s:%d: %w", file, s.Line, err)
	}
	x := &Example{Sentence: s, Seq: graph.Sequence{IDs: enc.IDs, Types: enc.TypeIDs, Rows: []int32{}, Targets: []int32{}}}
	last := -1
	for i, w := range enc.Words {
		if w < 0 || w == last {
			continue
		}
		last = w
		x.Seq.Rows = append(x.Seq.Rows, int32(i))
		x.Seq.Targets = append(x.Seq.Targets, targets[w])
		x.Words = append(x.Words, w)
	}
	if len(x.Seq.IDs) == 0 {
		return nil, fmt.Errorf("%s:%d: the sentence has no token", file, s.Line)
	}
	return x, nil
}

// Tags turns the logits of an example's rows into a tag for every word: the best class, and O for words that the
// tokenizer dropped or that were cut.
func (e *Encoder) Tags(x *Example, logits []float32) []string {
	tags := make([]string, len(x.Sentence.Words))
	for i := range tags {
		tags[i] = data.Outside
	}
	n := e.Labels.Len()
	for i, w := range x.Words {
		tags[w] = e.Labels.Name(best(logits[i*n : (i+1)*n]))
	}
	return tags
}

// best is the index of the largest value, the first of equals.
func best(x []float32) int {
	at := 0
	for i, v := range x {
		if v > x[at] {
			at = i
		}
	}
	return at
}

// sequences are the inputs of some examples.
func sequences(xs []*Example) []*graph.Sequence {
	out := make([]*graph.Sequence, len(xs))
	for i, x := range xs {
		out[i] = &x.Seq
	}
	return out
}

// byTokens cuts examples into batches of at most tokens tokens, one example at least.
func byTokens(xs []*Example, tokens int) [][]*Example {
	var out [][]*Example
	start, n := 0, 0
	for i, x := range xs {
		if n += len(x.Seq.IDs); n > tokens && i > start {
			out = append(out, xs[start:i])
			start, n = i, len(x.Seq.IDs)
		}
	}
	return slices.Clip(append(out, xs[start:]))
}
