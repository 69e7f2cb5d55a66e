package tokenize

import (
	"strings"
	"testing"

	"github.com/seed-aefebe89/graft/internal/testutil"
)

// BenchmarkEncode encodes the fixtures' texts of up to 400 bytes one by one.
func BenchmarkEncode(b *testing.B) {
	var texts []string
	for _, text := range fixtureTexts(b) {
		if len(text) > 0 && len(text) <= 400 {
			texts = append(texts, text)
		}
	}
	for _, f := range fixtureTokenizers {
		b.Run(f.name, func(b *testing.B) {
			tok, err := Load(testutil.Shared(b, f.path))
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			tokens, i := 0, 0
			for b.Loop() {
				e, err := tok.Encode(texts[i%len(texts)], Options{})
				if err != nil {
					b.Fatal(err)
				}
				tokens += e.Len()
				i++
			}
			b.ReportMetric(float64(tokens)/b.Elapsed().Seconds(), "tokens/s")
		})
	}
}

// BenchmarkWordPiece compares our model with sugarme's on single words.
func BenchmarkWordPiece(b *testing.B) {
	tok, err := Load(testutil.Shared(b, "models", "mini"))
	if err != nil {
		b.Fatal(err)
	}
	words := strings.Fields(strings.Join(fixtureTexts(b), " "))
	b.Run("ours", func(b *testing.B) {
		b.ReportAllocs()
		var s scratch
		for i := 0; b.Loop(); i++ {
			word := []byte(words[i%len(words)])
			s.tokens = s.tokens[:0]
			if err := tok.model.tokenize(&s, word, 0, len(word)); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("sugarme", func(b *testing.B) {
		b.ReportAllocs()
		theirs := sugarmeWordPiece(tok.Model())
		for i := 0; b.Loop(); i++ {
			if _, err := theirs.Tokenize(words[i%len(words)]); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkLoad(b *testing.B) {
	for _, f := range fixtureTokenizers {
		b.Run(f.name, func(b *testing.B) {
			path := testutil.Shared(b, f.path)
			for b.Loop() {
				if _, err := Load(path); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
