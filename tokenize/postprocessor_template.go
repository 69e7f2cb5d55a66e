package tokenize

import (
	"encoding/json"
	"fmt"
)

// template lists, for one text and for two, the texts and special tokens of the output in order, each with its type id.
type template struct {
	single, pair []templatePiece
	tokens       map[string]templateToken
}

// templatePiece is either a text or a special token.
type templatePiece struct {
	Sequence     *templateRef // A or B
	SpecialToken *templateRef // in tokens
}

type templateRef struct {
	ID     string `json:"id"`
	TypeID int32  `json:"type_id"`
}

// templateToken is a special token, which may stand for several.
type templateToken struct {
	IDs    []int32  `json:"ids"`
	Tokens []string `json:"tokens"`
}

func newTemplate(o object) (postProcessor, error) {
	t := &template{}
	if err := o.decode("special_tokens", &t.tokens); err != nil {
		return nil, err
	}
	for name, s := range t.tokens {
		if len(s.IDs) != len(s.Tokens) {
			return nil, o.errorf("special_tokens", "%q has %d ids, but %d tokens", name, len(s.IDs), len(s.Tokens))
		}
	}
	var err error
	if t.single, err = t.read(o, "single"); err != nil {
		return nil, err
	}
	t.pair, err = t.read(o, "pair")
	return t, err
}

func (t *template) read(o object, name string) ([]templatePiece, error) {
	var raws []json.RawMessage
	if err := o.decode(name, &raws); err != nil {
		return nil, err
	}
	pieces := make([]templatePiece, len(raws))
	for i, raw := range raws {
		p := &pieces[i]
		place := fmt.Sprintf("%s[%d]", name, i)
		if err := json.Unmarshal(raw, p); err != nil {
			return nil, o.errorf(place, "%w", err)
		}
		switch {
		case (p.Sequence == nil) == (p.SpecialToken == nil):
			return nil, o.errorf(place, "neither a Sequence nor a SpecialToken")
		case p.Sequence != nil && p.Sequence.ID != "A" && p.Sequence.ID != "B":
			return nil, o.errorf(place, "the sequence %q is neither A nor B", p.Sequence.ID)
		case p.Sequence != nil && p.Sequence.ID == "B" && name == "single":
			return nil, o.errorf(place, "one text has no sequence B")
		case p.SpecialToken != nil:
			if _, ok := t.tokens[p.SpecialToken.ID]; !ok {
				return nil, o.errorf(place, "%q is not in special_tokens", p.SpecialToken.ID)
			}
		}
	}
	return pieces, nil
}

func (t *template) pieces(pair bool) []templatePiece {
	if pair {
		return t.pair
	}
	return t.single
}

func (t *template) added(pair bool) int {
	n := 0
	for _, p := range t.pieces(pair) {
		if p.SpecialToken != nil {
			n += len(t.tokens[p.SpecialToken.ID].IDs)
		}
	}
	return n
}

func (t *template) process(members []member, special bool) ([]member, error) {
	if len(members) > 2 {
		return nil, fmt.Errorf("post-processing: a template takes one or two parts, but gets %d", len(members))
	}
	var out []member
	for _, p := range t.pieces(len(members) == 2) {
		if p.Sequence != nil {
			m := append(member(nil), members[bit(p.Sequence.ID == "B")]...)
			for i := range m {
				m[i].typeID = p.Sequence.TypeID
			}
			out = append(out, m)
		} else if special {
			var m member
			s := t.tokens[p.SpecialToken.ID]
			for i := range s.IDs {
				m = append(m, namedID{s.Tokens[i], s.IDs[i]}.run(p.SpecialToken.TypeID))
			}
			out = append(out, m)
		}
	}
	return out, nil
}
