package app

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/seed-aefebe89/graft/train"
	"github.com/seed-aefebe89/graft/train/data"
)

// DefaultLength is the length in tokens that sentences are cut to unless another is asked for.
const DefaultLength = 128

// Source is a file of labelled sentences.
type Source struct {
	Path      string
	Sentences []data.Sentence
}

// ReadSource reads the first limit sentences of an IOB2 file, all if limit is 0.
func ReadSource(path string, limit int) (*Source, error) {
	s, err := data.ReadFile(path, data.Options{})
	if err != nil {
		return nil, err
	}
	if len(s) == 0 {
		return nil, fmt.Errorf("%s holds no sentence", path)
	}
	if limit > 0 && len(s) > limit {
		s = s[:limit]
	}
	return &Source{path, s}, nil
}

// Name calls a source after its folder where files are called train, dev and test, as corpora of several languages are
// laid out, else after the file.
func (s *Source) Name() string {
	stem := strings.TrimSuffix(filepath.Base(s.Path), filepath.Ext(s.Path))
	if abs, err := filepath.Abs(s.Path); err == nil && (stem == "train" || stem == "dev" || stem == "test") {
		return filepath.Base(filepath.Dir(abs))
	}
	return stem
}

// encoder makes the encoder for a set of labels.
func (b *Base) encoder(labels []string, length int) (*train.Encoder, error) {
	set, err := data.NewLabelSet(labels)
	if err != nil {
		return nil, err
	}
	if length == 0 {
		length = DefaultLength
	}
	if n := b.MaxLength(); n > 0 && length > n {
		if length != DefaultLength {
			return nil, fmt.Errorf("sentences of %d tokens were asked for, the encoder takes at most %d", length, n)
		}
		length = n
	}
	return &train.Encoder{Tokenizer: b.Tokenizer, Labels: set, MaxLength: length}, nil
}
