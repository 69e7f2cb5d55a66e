package tokenize

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// convert makes the tokenizer that transformers makes of the file.
func (class *spmClass) convert(f *spmFile, c *tokenizerConfig) (*Tokenizer, error) {
	t := &Tokenizer{}
	pieces, err := class.pieces(f, c)
	if err != nil {
		return nil, err
	}
	if t.model, err = class.model(f, pieces); err != nil {
		return nil, err
	}
	var charsmap normaliser
	if len(f.normal.charsmap) > 0 {
		if charsmap, err = makePrecompiled(f.normal.charsmap); err != nil {
			return nil, within(err, "normalizer_spec: precompiled_charsmap")
		}
	}
	if t.normaliser, err = class.normaliser(charsmap, c); err != nil {
		return nil, err
	}
	space := metaspace{mark: spaceMark, scheme: "always", split: true}
	if class.scheme != nil {
		if space.scheme, err = class.scheme(c); err != nil {
			return nil, err
		}
	}
	t.preTokenizer, t.decoder = space, space
	if class.words != nil {
		if t.preTokenizer, err = class.words(space, c); err != nil {
			return nil, err
		}
	}
	list, err := class.addedTokens(f, c)
	if err != nil {
		return nil, err
	}
	if t.added, err = newAdded(list, t.model, t.normaliser); err != nil {
		return nil, err
	}
	post, err := class.template(t)
	if err == nil {
		t.plan(post)
	}
	return t, err
}

// model makes the model of the pieces. Byte fallback is left out, as the converters do.
func (class *spmClass) model(f *spmFile, pieces []scoredPiece) (model, error) {
	if f.kind == spmBPEKind {
		return f.bpe(pieces)
	}
	m := &unigram{unknown: class.unknown, cache: newWordCache()}
	if m.unknown == none {
		m.unknown = f.unknownID
	}
	if m.unknown < 0 || m.unknown >= len(pieces) {
		return nil, fmt.Errorf("trainer_spec: the unknown piece %d is not among the %d", m.unknown, len(pieces))
	}
	return m, m.index(pieces)
}

// bpe makes a BPE model of the file's pieces, laid out as the given ones: every way to put a piece together from two
// others is a merge, and those of pieces with larger scores come first.
func (f *spmFile) bpe(pieces []scoredPiece) (model, error) {
	entries := make([]vocabularyEntry, len(pieces))
	scores := make(map[string]float64, len(pieces)) // in the order of pieces, the last of equal ones counting
	var order []string
	for i, p := range pieces {
		if _, again := scores[p.text]; !again {
			order = append(order, p.text)
		}
		entries[i], scores[p.text] = vocabularyEntry{p.text, int64(i)}, p.score
	}
	own := make(map[string]int, len(f.pieces))
	for i, p := range f.pieces {
		own[p.text] = i
	}
	type merge struct {
		left, right string
		score       float64
	}
	var merges []merge
	for _, text := range order {
		first := len(merges)
		for at := range text {
			if at == 0 {
				continue
			}
			_, ok1 := own[text[:at]]
			_, ok2 := own[text[at:]]
			if ok1 && ok2 {
				merges = append(merges, merge{text[:at], text[at:], scores[text]})
			}
		}
		slices.SortStableFunc(merges[first:], func(a, b merge) int {
			if d := own[a.left] - own[b.left]; d != 0 {
				return d
			}
			return own[a.right] - own[b.right]
		})
	}
	slices.SortStableFunc(merges, func(a, b merge) int {
		switch {
		case a.score > b.score:
			return -1
		case a.score < b.score:
			return 1
		}
		if d := utf8.RuneCountInString(b.left) - utf8.RuneCountInString(a.left); d != 0 {
			return d
		}
		return utf8.RuneCountInString(b.right) - utf8.RuneCountInString(a.right)
	})
	m := &bpe{unknown: f.unknownPiece, hasUnknown: true, fuseUnknown: true, cache: newWordCache()}
	var err error
	if m.vocabulary, err = newVocabulary(entries); err != nil {
		return nil, err
	}
	if m.unknownID, m.unknownFound = m.id(m.unknown); !m.unknownFound {
		return nil, fmt.Errorf("trainer_spec: the unknown piece %q is not among the pieces", m.unknown)
	}
	m.merges = make(map[uint64]bpeMerge, len(merges))
	for i, g := range merges {
		if err := m.addMerge(g.left, g.right, int32(i)); err != nil {
			return nil, fmt.Errorf("joining %q and %q: %w", g.left, g.right, err)
		}
	}
	return m, nil
}

// addedTokens lists the tokens that are cut out of texts: the file's control and user-defined pieces, then what the
// folder adds, then the special tokens.
func (class *spmClass) addedTokens(f *spmFile, c *tokenizerConfig) ([]addedToken, error) {
	further, err := class.furtherTokens(c)
	if err != nil {
		return nil, err
	}
	special := map[string]bool{}
	var specials []configToken
	for _, name := range specialAttributes() {
		t, ok := c.tokens[name]
		if !ok {
			t.Content = class.defaults[name]
		}
		if flags, ok := class.flags[name]; ok && !t.flagged {
			content := t.Content
			t = configToken{addedToken: flags, flagged: true}
			t.Content = content
		}
		if t.Content != "" && !special[t.Content] {
			special[t.Content] = true
			specials = append(specials, t)
		}
	}
	for _, t := range further {
		if t.Content != "" && !special[t.Content] {
			special[t.Content] = true
			specials = append(specials, t)
		}
	}
	var list []addedToken
	known := map[string]bool{}
	for _, p := range f.pieces {
		if p.kind == controlPiece || p.kind == userPiece {
			list = append(list, addedToken{Content: p.text, Special: p.kind == controlPiece})
			known[p.text] = true
		}
	}
	for _, t := range c.added {
		t.Special = t.Special || special[t.Content]
		list = append(list, t)
		known[t.Content] = true
	}
	for _, t := range specials {
		if t.flagged || !known[t.Content] {
			t.Special = true
			list = append(list, t.addedToken)
		}
	}
	return list, nil
}

// furtherTokens returns the additional special tokens; T5's sentinels are among them.
func (class *spmClass) furtherTokens(c *tokenizerConfig) ([]configToken, error) {
	list := c.further
	if list == nil {
		for _, text := range class.further {
			list = append(list, configToken{addedToken: addedToken{Content: text}})
		}
	}
	if !class.sentinels {
		return list, nil
	}
	extra, err := c.number("extra_ids", 100, maxSentinels)
	if err != nil {
		return nil, err
	}
	n := 0
	for _, t := range list {
		if strings.Contains(t.Content, "<extra_id_") {
			n++
		}
	}
	if n > 0 && extra > 0 && n != extra {
		return nil, fmt.Errorf("reading tokenizer_config.json: extra_ids is %d, but additional_special_tokens names %d of them", extra, n)
	}
	if n == 0 {
		list = slices.Clone(list)
		for i := range extra {
			list = append(list, configToken{addedToken: addedToken{Content: fmt.Sprintf("<extra_id_%d>", i)}})
		}
	}
	return list, nil
}

// template makes the post-processor.
func (class *spmClass) template(t *Tokenizer) (postProcessor, error) {
	p := &template{tokens: map[string]templateToken{}}
	for text, into := range map[string]*[]templatePiece{class.single: &p.single, class.pair: &p.pair} {
		for _, part := range strings.Fields(text) {
			at := strings.LastIndexByte(part, ':')
			ref := &templateRef{ID: part[:at], TypeID: int32(part[at+1] - '0')}
			if id, ok := strings.CutPrefix(ref.ID, "$"); ok {
				ref.ID = id
				*into = append(*into, templatePiece{Sequence: ref})
				continue
			}
			id, ok := t.TokenID(ref.ID)
			if !ok {
				return nil, fmt.Errorf("there is no token %q, which begins or ends texts", ref.ID)
			}
			p.tokens[ref.ID] = templateToken{IDs: []int32{id}, Tokens: []string{ref.ID}}
			*into = append(*into, templatePiece{SpecialToken: ref})
		}
	}
	return p, nil
}
