package app

import (
	"context"

	"github.com/seed-aefebe89/graft/export/ort"
	"github.com/seed-aefebe89/graft/internal/entity"
	"github.com/seed-aefebe89/graft/tokenize"
)

// Predictor finds entities in raw text, in onnxruntime. Close it after use.
type Predictor struct {
	task *Task
	ort  *ort.Delta
}

// OpenPredictor opens a base with a delta for predictions.
func OpenPredictor(p Place, threads int) (*Predictor, error) {
	t, err := OpenTask(p)
	if err != nil {
		return nil, err
	}
	d, err := t.Runtime(threads)
	if err != nil {
		t.Close()
		return nil, err
	}
	return &Predictor{t, d}, nil
}

// Close ends the session and closes the base.
func (p *Predictor) Close() error {
	if err := p.ort.Close(); err != nil {
		return err
	}
	return p.task.Close()
}

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
		ls, err := p.ort.Logits(ctx, [][]int32{w.IDs}, [][]int32{w.TypeIDs}, int64(p.task.Config.PadTokenID))
		if err != nil {
			return nil, err
		}
		for i, word := range w.Words {
			first := word >= 0 && (i == 0 || w.Words[i-1] != word)
			if m := 1 + min(i, len(w.Words)-1-i); first && m > margin[word] {
				margin[word], best[word] = m, ls[0][i*n:(i+1)*n]
			}
		}
	}
	return entity.Group(text, words, best, p.task.Delta.Labels), nil
}
