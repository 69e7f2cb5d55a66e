// Package entity turns the classes of words into entities of a text, in the shape of Hugging Face's
// token-classification pipeline with aggregation_strategy "first".
package entity

import (
	"math"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Entity is one entity of a text. Its JSON is that of Hugging Face's pipeline.
type Entity struct {
	Group string  `json:"entity_group"`
	Score float64 `json:"score"` // mean probability over the words
	Word  string  `json:"word"`  // as it stands in the text
	Start int     `json:"start"` // in characters (code points)
	End   int     `json:"end"`
}

// Word is a word of a text.
type Word struct {
	Text       string
	Start, End int // in bytes
}

// Words splits a text as labelled corpora are: at white space, with punctuation at the edges of a word standing alone.
// Punctuation inside a word stays: "Jean-Pierre", "İstanbul'da".
func Words(text string) []Word {
	var out []Word
	add := func(a, b int) {
		if a < b {
			out = append(out, Word{text[a:b], a, b})
		}
	}
	for at := 0; at < len(text); {
		r, n := utf8.DecodeRuneInString(text[at:])
		if unicode.IsSpace(r) {
			at += n
			continue
		}
		end := at + strings.IndexFunc(text[at:], unicode.IsSpace)
		if end < at {
			end = len(text)
		}
		a, b := at, end
		for a < b { // leading punctuation, each mark a word
			r, n := utf8.DecodeRuneInString(text[a:b])
			if !mark(r) {
				break
			}
			add(a, a+n)
			a += n
		}
		var tail []int
		for a < b {
			r, n := utf8.DecodeLastRuneInString(text[a:b])
			if !mark(r) {
				break
			}
			tail = append(tail, b)
			b -= n
		}
		add(a, b)
		for i := len(tail) - 1; i >= 0; i-- {
			add(b, tail[i])
			b = tail[i]
		}
		at = end
	}
	return out
}

func mark(r rune) bool { return unicode.IsPunct(r) || unicode.IsSymbol(r) }

// Group joins words into entities. logits[i] are those of word i, nil where it has none; labels name the classes as
// IOB2 does. A word continues the entity before it if it follows directly, has the same type and an I label.
func Group(text string, words []Word, logits [][]float32, labels []string) []Entity {
	var out []Entity
	var open bool
	var start, end, count int
	closeEntity := func() {
		if open {
			e := &out[len(out)-1]
			e.Score /= float64(count)
			e.Word = text[start:end]
			e.Start = utf8.RuneCountInString(text[:start])
			e.End = e.Start + utf8.RuneCountInString(e.Word)
		}
		open = false
	}
	for i, w := range words {
		class, p := best(logits[i])
		if class < 0 || labels[class] == "O" {
			closeEntity()
			continue
		}
		prefix, kind, ok := strings.Cut(labels[class], "-")
		if !ok { // a label without a prefix continues, as in the pipeline
			prefix, kind = "I", labels[class]
		}
		if !open || prefix == "B" || out[len(out)-1].Group != kind {
			closeEntity()
			out = append(out, Entity{Group: kind})
			open, start, count = true, w.Start, 0
		}
		out[len(out)-1].Score += p
		end = w.End
		count++
	}
	closeEntity()
	return out
}

// best is the most probable class and its probability; −1 for no logits.
func best(logits []float32) (int, float64) {
	if len(logits) == 0 {
		return -1, 0
	}
	at := 0
	for i, v := range logits {
		if v > logits[at] {
			at = i
		}
	}
	sum := 0.0
	for _, v := range logits {
		sum += math.Exp(float64(v - logits[at]))
	}
	return at, 1 / sum
}
