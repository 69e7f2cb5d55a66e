package corpus

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"strings"
	"unicode/utf8"

	"github.com/seed-aefebe89/graft/train/data"
)

const (
	tries        = 20 // at a name, or at a sentence, that has not occurred yet
	lowerPerMil  = 15 // sentences that are written in lower case throughout, per thousand
	knownPercent = 15 // names of dev and test that are names of train
)

// generate makes n different sentences of a split, using the templates in turn. An error tells when they give fewer.
// The same arguments give the same sentences.
func (g *grammar) generate(split string, n int, seed uint64) ([]data.Sentence, error) {
	templates := g.templates[split]
	if len(templates) == 0 {
		return nil, fmt.Errorf("%s: no templates for the split %q", g.name, split)
	}
	h := fnv.New64a()
	h.Write([]byte(g.name + "\n" + split))
	d := drawer{g: g, rng: rand.NewPCG(seed, h.Sum64()), heldOut: split != Train}
	seen := map[string]bool{}
	var sentences []data.Sentence
	for len(sentences) < n {
		before := len(sentences)
		for _, i := range d.shuffled(len(templates)) {
			if len(sentences) == n {
				break
			}
			for range tries {
				s, ok := d.sentence(templates[i])
				key := strings.ToLower(strings.Join(s.Words, " "))
				if ok && !seen[key] {
					seen[key] = true
					sentences = append(sentences, s)
					break
				}
			}
		}
		if len(sentences) == before {
			return nil, fmt.Errorf("%s: the templates for %s give only %d different sentences, not %d", g.name, split, before, n)
		}
	}
	return sentences, nil
}

// drawer draws names and fills templates.
type drawer struct {
	g       *grammar
	rng     *rand.PCG
	heldOut bool           // draw mostly names that train has not
	used    map[*item]bool // in the current sentence
}

// below draws a number from 0 up to n. Other ways of drawing may change with Go's release; this one may not.
func (d *drawer) below(n int) int { return int(d.rng.Uint64() % uint64(n)) }

// shuffled is a random order of the numbers below n.
func (d *drawer) shuffled(n int) []int {
	order := make([]int, n)
	for i := range order {
		j := d.below(i + 1)
		order[i], order[j] = order[j], i
	}
	return order
}

// sentence fills a template. It fails where it finds no name that the sentence has not got yet.
func (d *drawer) sentence(t template) (data.Sentence, bool) {
	d.used = map[*item]bool{}
	var s data.Sentence
	for _, p := range t {
		words, ok := d.part(p)
		if !ok {
			return s, false
		}
		for i, w := range words {
			tag := data.Outside
			if p.kind != nil && p.kind.tag != "" {
				tag = "I-" + p.kind.tag
				if i == 0 {
					tag = "B-" + p.kind.tag
				}
			}
			s.Words = append(s.Words, w)
			s.Tags = append(s.Tags, tag)
		}
	}
	if t[0].word == "" { // "van Dijk", "pazartesi": the template's own words are written as they are to be
		r, size := utf8.DecodeRuneInString(s.Words[0])
		s.Words[0] = d.g.upper(r) + s.Words[0][size:]
	}
	if d.below(1000) < lowerPerMil {
		for i, w := range s.Words {
			s.Words[i] = d.g.lower(w)
		}
	}
	return s, true
}

// part fills one part of a template.
func (d *drawer) part(p part) ([]string, bool) {
	var words []string
	switch {
	case p.number != "":
		span := numbers[p.number]
		words = []string{fmt.Sprint(span[0] + d.below(span[1]-span[0]))}
	case p.kind == nil:
		return []string{p.word}, true
	default:
		var ok bool
		if words, ok = d.name(p.kind, p.form); !ok {
			return nil, false
		}
	}
	if p.suffix != "" {
		last := len(words) - 1
		words[last] += d.g.suffix(words[last], p.suffix)
	}
	return words, true
}

// name draws a name of a kind in one of its forms: from a pattern as often as from the atoms, where it has both.
func (d *drawer) name(k *kind, form int) ([]string, bool) {
	it, ok := d.item(k)
	if !ok {
		return nil, false
	}
	t := it.forms[0]
	if len(it.forms) > 1 {
		t = it.forms[form]
	}
	var words []string
	for i, p := range t {
		if i == len(t)-1 && len(it.forms) == 1 && p.kind != nil && p.form == 0 {
			p.form = form // a pattern that has but one form is inflected at its end
		}
		w, ok := d.part(p)
		if !ok {
			return nil, false
		}
		words = append(words, w...)
	}
	return words, true
}

// item draws an item of a kind; an atom only where the sentence has not got it yet.
func (d *drawer) item(k *kind) (*item, bool) {
	if len(k.patterns) > 0 && (len(k.atoms) == 0 || d.below(2) == 0) {
		return k.patterns[d.below(len(k.patterns))], true
	}
	for range tries {
		if it := d.atom(k); !d.used[it] {
			d.used[it] = true
			return it, true
		}
	}
	return nil, false
}

// atom draws one of a kind's names from those that the split may use.
func (d *drawer) atom(k *kind) *item {
	if d.heldOut && len(k.atoms) > 1 && d.below(100) >= knownPercent {
		return k.atoms[1+2*d.below(len(k.atoms)/2)]
	}
	return k.atoms[2*d.below((len(k.atoms)+1)/2)]
}
