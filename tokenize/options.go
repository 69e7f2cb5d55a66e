package tokenize

import "fmt"

// Truncation says which text of a pair is cut when both together are too long.
type Truncation uint8

const (
	// LongestFirst cuts the longer text, down to the other's length, then both alike.
	LongestFirst Truncation = iota
	// OnlyFirst cuts the first text.
	OnlyFirst
	// OnlySecond cuts the second text.
	OnlySecond
)

// Side is an end of a text.
type Side uint8

const (
	// Right is the end.
	Right Side = iota
	// Left is the beginning.
	Left
)

// Options says how to encode. The zero value adds special tokens and does not truncate.
type Options struct {
	// MaxLength is the largest number of tokens, special tokens included; 0 is no limit.
	MaxLength int
	// Stride is how many tokens an overflowing encoding repeats from the one before it.
	Stride int
	// Strategy says which text of a pair is cut.
	Strategy Truncation
	// Side is the end at which texts are cut.
	Side Side
	// Full asks that texts be tokenised to their end although they will be cut, so that Overflow holds all of them, as the
	// library does up to version 0.22 and from 0.23.3 on. Without it the tokenizer stops once it has MaxLength tokens of a
	// text, as versions 0.23.0 to 0.23.2 do: Overflow then holds only what the last word had too many and, as each
	// text's length counts up to there only, LongestFirst may cut a pair one token further left or right.
	Full bool
	// NoSpecial leaves the special tokens out that the post-processor adds.
	NoSpecial bool
}

// window is the part [start, stop) of the tokens of a text.
type window struct{ start, stop int }

// windows cuts n tokens into parts of at most size, each repeating stride tokens of the one before.
func windows(n, size, stride int, side Side) ([]window, error) {
	switch {
	case size >= n:
		return []window{{0, n}}, nil
	case size == 0:
		return []window{{0, 0}, {0, n}}, nil
	case stride >= size:
		return nil, fmt.Errorf("truncating: the stride %d is not less than the %d tokens that each part may have", stride, size)
	}
	var list []window
	if side == Left {
		for stop := n; ; stop -= size - stride {
			start := max(stop-size, 0)
			list = append(list, window{start, stop})
			if start == 0 {
				return list, nil
			}
		}
	}
	for start := 0; ; start += size - stride {
		stop := min(start+size, n)
		list = append(list, window{start, stop})
		if stop == n {
			return list, nil
		}
	}
}

// truncate decides the windows of a text of na tokens, or of a pair with nb more. The room is MaxLength less the special
// tokens.
func (o Options) truncate(na, nb, room int, pair bool) (a, b []window, err error) {
	a, b = []window{{0, na}}, []window{{0, nb}}
	if room == 0 {
		if a, err = windows(na, 0, 0, o.Side); err == nil {
			b, err = windows(nb, 0, 0, o.Side)
		}
		return a, b, err
	}
	excess := na + nb - room
	if excess <= 0 {
		return a, b, nil
	}
	switch {
	case o.Strategy == LongestFirst && !pair:
		a, err = windows(na, room, o.Stride, o.Side)
	case o.Strategy == LongestFirst:
		sa, sb := shares(na, nb, room)
		if a, err = windows(na, sa, o.Stride, o.Side); err == nil {
			b, err = windows(nb, sb, o.Stride, o.Side)
		}
	case o.Strategy == OnlyFirst:
		if na <= excess {
			return nil, nil, fmt.Errorf("truncating: the first text has %d tokens, %d more than the limit must go", na, excess)
		}
		a, err = windows(na, na-excess, o.Stride, o.Side)
	case !pair:
		err = fmt.Errorf("truncating: only the second text is to be cut, but there is none")
	default:
		if nb <= excess {
			return nil, nil, fmt.Errorf("truncating: the second text has %d tokens, %d more than the limit must go", nb, excess)
		}
		b, err = windows(nb, nb-excess, o.Stride, o.Side)
	}
	return a, b, err
}

// shares divides the room among two texts: the shorter keeps its length if there is room for it.
func shares(na, nb, room int) (sa, sb int) {
	small, large := na, nb
	if na > nb {
		small, large = nb, na
	}
	if small > room {
		large = small
	} else {
		large = max(small, room-small)
	}
	if small+large > room {
		small = room / 2
		large = small + room%2
	}
	if na > nb {
		return large, small
	}
	return small, large
}
