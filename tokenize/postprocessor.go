package tokenize

import "fmt"

// postProcessor adds special tokens and sets type ids and offsets right. It says once, when the tokenizer is read, what
// becomes of an input; the plan is then the same for every text.
type postProcessor interface {
	// added returns how many special tokens a text, or a pair, gets.
	added(pair bool) int
	// process rearranges the members of an input, at first one for each text. Without special no tokens are added.
	process(members []member, special bool) ([]member, error)
}

// postProcessorTypes holds the constructor of every type of post-processor.
func postProcessorTypes() map[string]func(object) (postProcessor, error) {
	return map[string]func(object) (postProcessor, error){
		"BertProcessing":     newBertProcessing,
		"ByteLevel":          newByteLevelPostProcessor,
		"RobertaProcessing":  newRobertaProcessing,
		"Sequence":           newPostProcessorSequence,
		"TemplateProcessing": newTemplate,
	}
}

func newPostProcessor(o object) (postProcessor, error) { return build(o, postProcessorTypes()) }

// member is a part of the output that post-processors handle as one: runs of tokens one after another. The overflow of
// its text is its own.
type member []run

// run is either all tokens of a text or one special token.
type run struct {
	text     int8 // 0 or 1, none for a special token
	id       int32
	token    string
	typeID   int32
	overflow int32 // the type id in overflowing encodings, which processors often leave as it was
	unmasked bool  // a special token that the mask no longer shows
	trims    []trim
}

// postProcessorSequence applies several post-processors in turn.
type postProcessorSequence []postProcessor

func newPostProcessorSequence(o object) (postProcessor, error) {
	list, err := buildList(o, "processors", newPostProcessor)
	return postProcessorSequence(list), err
}

func (s postProcessorSequence) added(pair bool) int {
	n := 0
	for _, p := range s {
		n += p.added(pair)
	}
	return n
}

func (s postProcessorSequence) process(members []member, special bool) (_ []member, err error) {
	for _, p := range s {
		if members, err = p.process(members, special); err != nil {
			return nil, err
		}
	}
	return members, nil
}

// plan is what a post-processor makes of an input.
type plan struct {
	members  []member
	err      error // of an input that it cannot take
	specials int
}

// makePlan asks p, which may be nil, what it does.
func makePlan(p postProcessor, pair, special bool) plan {
	members := []member{{{text: 0}}}
	if pair {
		members = append(members, member{{text: 1, typeID: 1, overflow: 1}})
	}
	if p == nil {
		return plan{members: members}
	}
	members, err := p.process(members, special)
	pl := plan{members: members, err: err}
	for _, m := range members {
		for _, r := range m {
			if r.text == none {
				pl.specials++
			}
		}
	}
	return pl
}

// apply puts the texts' windows together: the first of each as the encoding, the others as its overflow.
func (p *plan) apply(texts [2]*sequence, windows [2][]window) (*Encoding, error) {
	if p.err != nil {
		return nil, p.err
	}
	if len(windows[0]) == 1 && len(windows[1]) == 1 {
		n := p.specials
		for _, m := range p.members {
			for _, r := range m {
				if r.text != none {
					n += windows[r.text][0].stop - windows[r.text][0].start
				}
			}
		}
		e := newEncoding(n)
		for _, m := range p.members {
			m.appendTo(e, texts, windows, 0)
		}
		return e, nil
	}
	e, budget := newEncoding(0), maxOverflowTokens
	for _, m := range p.members {
		o := newEncoding(0)
		m.appendTo(o, texts, windows, 0)
		for k := 1; k < m.windows(windows); k++ {
			over := newEncoding(0)
			m.appendTo(over, texts, windows, k)
			o.Overflow = append(o.Overflow, over)
		}
		if e = e.merge(o, &budget); budget < 0 {
			return nil, fmt.Errorf("truncating: the overflow has more than %d tokens", maxOverflowTokens)
		}
	}
	return e, nil
}

// windows returns how many windows the text of a member has; without a text there is only the member itself.
func (m member) windows(windows [2][]window) int {
	for _, r := range m {
		if r.text != none {
			return len(windows[r.text])
		}
	}
	return 1
}

// appendTo adds the member with window k of its text to e.
func (m member) appendTo(e *Encoding, texts [2]*sequence, windows [2][]window, k int) {
	for i := range m {
		r := &m[i]
		typeID := r.typeID
		if k > 0 {
			typeID = r.overflow
		}
		if r.text == none {
			e.addSpecial(r.id, r.token, typeID, !r.unmasked)
		} else {
			r.appendText(e, texts[r.text], windows[r.text][k], typeID)
		}
	}
}

// appendText adds a window of a text.
func (r *run) appendText(e *Encoding, q *sequence, w window, typeID int32) {
	first := e.Len()
	e.IDs = append(e.IDs, q.ids[w.start:w.stop]...)
	e.Tokens = append(e.Tokens, q.tokens[w.start:w.stop]...)
	e.Bytes = append(e.Bytes, q.bytes[w.start:w.stop]...)
	e.Runes = append(e.Runes, q.runes[w.start:w.stop]...)
	e.Words = append(e.Words, q.words[w.start:w.stop]...)
	for range w.stop - w.start {
		e.Sequences = append(e.Sequences, r.text)
		e.TypeIDs = append(e.TypeIDs, typeID)
		e.SpecialMask = append(e.SpecialMask, false)
	}
	for i := w.start; i < w.stop; i++ {
		at := first + i - w.start
		src := q.sourceOf(i)
		for _, t := range r.trims {
			t.apply(q.tokens[i], i == w.start, src, &e.Bytes[at], &e.Runes[at])
		}
		e.Bytes[at] = src.given(e.Bytes[at])
	}
}
