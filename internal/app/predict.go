package app

import (
	"context"
	"errors"

	"github.com/seed-aefebe89/graft/graph"
	"github.com/seed-aefebe89/graft/internal/entity"
	"github.com/seed-aefebe89/graft/tokenize"
)

// Predictor finds entities in raw text. Close it after use.
type Predictor struct {
	task   *Task
	logits func(ctx context.Context, ids, types []int32) ([]float32, error)
	stop   func() error
}

// OpenPredictor opens a base with a delta for predictions, in onnxruntime or in the graph, there with products of a
// precision: f32 (or empty), tf32, bf16 or auto. say tells why the device auto is the CPU.
func OpenPredictor(p Place, runtime bool, threads int, d Device, precision string, say func(string, ...any)) (*Predictor, error) {
	if runtime {
		if err := runtimeAlone(d, precision); err != nil {
			return nil, err
		}
	}
	t, err := OpenTask(p)
	if err != nil {
		return nil, err
	}
	x := &Predictor{task: t, stop: func() error { return nil }}
	if runtime {
		err = x.inRuntime(threads)
	} else {
		err = x.inGraph(threads, d, precision, say)
	}
	if err != nil {
		t.Close()
		return nil, err
	}
	return x, nil
}

func (p *Predictor) inRuntime(threads int) error {
	d, err := p.task.Runtime(threads)
	if err != nil {
		return err
	}
	p.stop = d.Close
	p.logits = func(ctx context.Context, ids, types []int32) ([]float32, error) {
		ls, err := d.Logits(ctx, [][]int32{ids}, [][]int32{types}, int64(p.task.Config.PadTokenID))
		if err != nil {
			return nil, err
		}
		return ls[0], nil
	}
	return nil
}

func (p *Predictor) inGraph(threads int, d Device, precision string, say func(string, ...any)) error {
	params, err := p.task.Params(p.task.Delta)
	if err != nil {
		return err
	}
	ks, prec, err := d.engine(threads, precision, say)
	if err != nil {
		return err
	}
	params.Precision = prec
	s := graph.NewTagger(params, ks)
	p.stop = func() error {
		s.Release()
		closeKernels(ks)
		return nil
	}
	p.logits = func(ctx context.Context, ids, types []int32) ([]float32, error) {
		ls, err := s.Logits(ctx, []*graph.Sequence{{IDs: ids, Types: types}})
		if err != nil {
			return nil, err
		}
		return ls[0], nil
	}
	return nil
}

// Close ends the session and closes the base.
func (p *Predictor) Close() error { return errors.Join(p.stop(), p.task.Close()) }

// stride is how many tokens the windows of a long text share.
const stride = 64

// Entities finds the entities of a text. It is split into words as labelled corpora are, and a word takes the class of
// its first token, as in training. A text longer than the encoder takes is read in windows; a word that stands in two
// takes its class from the one in which it is farther from the edge.
func (p *Predictor) Entities(ctx context.Context, text string) ([]entity.Entity, error) {
	words := entity.Words(text)
	if len(words) == 0 {
		return nil, nil
	}
	ws := make([]string, len(words))
	for i, w := range words {
		ws[i] = w.Text
	}
	length := p.task.MaxLength()
	if length == 0 {
		length = 512
	}
	enc, err := p.task.Tokenizer.EncodeWords(ws, tokenize.Options{MaxLength: length, Stride: min(stride, length/4), Full: true})
	if err != nil {
		return nil, err
	}
	windows := append([]*tokenize.Encoding{enc}, enc.Overflow...)
	best := make([][]float32, len(words))
	margin := make([]int, len(words))
	n := len(p.task.Delta.Labels)
	for _, w := range windows {
		ls, err := p.logits(ctx, w.IDs, w.TypeIDs)
		if err != nil {
			return nil, err
		}
		for i, word := range w.Words {
			first := word >= 0 && (i == 0 || w.Words[i-1] != word)
			if m := 1 + min(i, len(w.Words)-1-i); first && m > margin[word] {
				margin[word], best[word] = m, ls[i*n:(i+1)*n]
			}
		}
	}
	return entity.Group(text, words, best, p.task.Delta.Labels), nil
}
