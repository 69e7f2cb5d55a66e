package kernel

// Relative are the terms of relative positions in the scores of RelativeAttention. One whose X is empty is left out.
type Relative struct {
	Keys    Positions // what queries meet
	Queries Positions // what keys meet
}

// Positions are the vectors of relative positions and which of them is taken at which distance.
type Positions struct {
	X Tensor // [rows, Heads·d]
	// Rows is int32 [2n−1], n at least the length of the longest sequence: the row of X for each distance query − key from
	// −(n−1) to n−1. Rows of X between the least and the largest that a sequence takes are read too.
	Rows Tensor
}

// At returns the rows for the distances of a sequence of n tokens, from −(n−1) on.
func (p Positions) At(n int) []int32 {
	skip := len(p.Rows.I32)/2 - (n - 1)
	return p.Rows.I32[skip : len(p.Rows.I32)-skip]
}

// Span is the least row that a sequence of n ≥ 1 tokens takes, and how many there are from it to the largest; zeros
// where there is no X.
func (p Positions) Span(n int) (first, count int) {
	if p.X.Empty() {
		return 0, 0
	}
	at := p.At(n)
	low, high := at[0], at[0]
	for _, r := range at {
		low, high = min(low, r), max(high, r)
	}
	return int(low), int(high-low) + 1
}
