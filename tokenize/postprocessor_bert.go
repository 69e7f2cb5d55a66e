package tokenize

import (
	"encoding/json"
	"fmt"
)

// namedID is a special token as the older post-processors write it: a pair of its text and its id.
type namedID struct {
	text string
	id   int32
}

// UnmarshalJSON reads an array of a string and a number.
func (n *namedID) UnmarshalJSON(raw []byte) error {
	var pair []json.RawMessage
	if err := json.Unmarshal(raw, &pair); err != nil {
		return err
	}
	if len(pair) != 2 {
		return fmt.Errorf("%.100s is no pair of a token and its id", raw)
	}
	if err := json.Unmarshal(pair[0], &n.text); err != nil {
		return err
	}
	return json.Unmarshal(pair[1], &n.id)
}

func (n namedID) run(typeID int32) run {
	return run{text: none, id: n.id, token: n.text, typeID: typeID, overflow: typeID}
}

// bertProcessing is [CLS] A [SEP] B [SEP], with type 1 for B and the token after it.
type bertProcessing struct{ cls, sep namedID }

func newBertProcessing(o object) (postProcessor, error) {
	var p bertProcessing
	if err := o.decode("cls", &p.cls); err != nil {
		return nil, err
	}
	return p, o.decode("sep", &p.sep)
}

func (bertProcessing) added(pair bool) int { return 2 + bit(pair) }

func (p bertProcessing) process(members []member, special bool) ([]member, error) {
	if !special {
		return members, nil
	}
	for i, m := range members {
		var wrapped member
		if i == 0 {
			wrapped = append(wrapped, p.cls.run(0))
		}
		for _, r := range m {
			r.unmasked = true
			wrapped = append(wrapped, r)
		}
		members[i] = append(wrapped, p.sep.run(int32(min(i, 1))))
	}
	return members, nil
}

// robertaProcessing is <s> A </s></s> B </s>, all of type 0.
type robertaProcessing struct {
	bertProcessing
	trimOffsets bool
	prefixSpace bool
}

func newRobertaProcessing(o object) (postProcessor, error) {
	var p robertaProcessing
	base, err := newBertProcessing(o)
	if err != nil {
		return nil, err
	}
	p.bertProcessing = base.(bertProcessing)
	if p.trimOffsets, err = o.boolean("trim_offsets"); err != nil {
		return nil, err
	}
	p.prefixSpace, err = o.boolean("add_prefix_space")
	return p, err
}

func (robertaProcessing) added(pair bool) int { return 2 + 2*bit(pair) }

func (p robertaProcessing) process(members []member, special bool) ([]member, error) {
	if p.trimOffsets {
		addTrims(members, trim{p.prefixSpace})
	}
	for i, m := range members {
		for k := range m {
			m[k].typeID = 0
			if special {
				m[k].overflow = 0
				m[k].unmasked = true
			}
		}
		if special {
			first := p.cls
			if i > 0 {
				first = p.sep
			}
			members[i] = append(append(member{first.run(0)}, m...), p.sep.run(0))
		}
	}
	return members, nil
}
