package tokenize

// segment is a stretch of text that a pattern matches, or that lies between its matches.
type segment struct {
	start, end int
	match      bool
}

// behaviour says what becomes of the matches of a pattern that splits.
type behaviour uint8

const (
	removed behaviour = iota
	isolated
	mergedWithPrevious
	mergedWithNext
	contiguous
)

// behaviourOf reads a behaviour; where the field may be missing it is then isolated.
func behaviourOf(o object, name string, optional bool) (behaviour, error) {
	if optional && !o.has(name) {
		return isolated, nil
	}
	s, err := o.text(name)
	if err != nil {
		return 0, err
	}
	switch s {
	case "Removed":
		return removed, nil
	case "Isolated":
		return isolated, nil
	case "MergedWithPrevious":
		return mergedWithPrevious, nil
	case "MergedWithNext":
		return mergedWithNext, nil
	case "Contiguous":
		return contiguous, nil
	}
	return 0, o.errorf(name, "the behaviour %q is not known", s)
}

// split cuts every part of p by the segments that find appends for it, which cover it without gaps.
func (p *pieces) split(find func(dst []segment, start, end int) ([]segment, error), b behaviour) error {
	return p.cut(func(start, end int) error {
		segs, err := find(p.segments[:0], start, end)
		if err != nil {
			return err
		}
		p.segments = segs
		switch b {
		case removed:
			for _, s := range segs {
				if !s.match {
					p.emit(s.start, s.end)
				}
			}
		case isolated:
			for _, s := range segs {
				p.emit(s.start, s.end)
			}
		case contiguous:
			p.join(segs, func(cur, prev bool) bool { return cur == prev })
		case mergedWithPrevious:
			p.join(segs, func(cur, prev bool) bool { return cur && !prev })
		case mergedWithNext:
			p.joinBackwards(segs)
		}
		return nil
	})
}

// join emits the segments, each joined to the one before it where the rule says so. What comes before the first counts
// as no match.
func (p *pieces) join(segs []segment, rule func(cur, prev bool) bool) {
	prev := false
	for i := 0; i < len(segs); {
		start, end := segs[i].start, segs[i].end
		prev = segs[i].match
		for i++; i < len(segs) && rule(segs[i].match, prev); i++ {
			end, prev = segs[i].end, segs[i].match
		}
		p.emit(start, end)
	}
}

// joinBackwards emits the segments, each match joined to the one after it unless that is a match too.
func (p *pieces) joinBackwards(segs []segment) {
	for i := 0; i < len(segs); i++ {
		start := segs[i].start
		if segs[i].match && i+1 < len(segs) && !segs[i+1].match {
			i++
		}
		p.emit(start, segs[i].end)
	}
}

// findRunes appends the segments of text[start:end] where each character that f accepts is a match by itself.
func findRunes(dst []segment, text []byte, start, end int, f func(rune) bool) []segment {
	from := start
	for i := start; i < end; {
		r, w := runeAt(text, i)
		if f(r) {
			if from < i {
				dst = append(dst, segment{from, i, false})
			}
			dst = append(dst, segment{i, i + w, true})
			from = i + w
		}
		i += w
	}
	if from < end {
		dst = append(dst, segment{from, end, false})
	}
	return dst
}
