package ort

import "fmt"

// Batch is a padded batch of token sequences.
type Batch struct {
	Size, Length int
	IDs          []int64 // [Size, Length]
	Mask         []int64 // 1 for real tokens
	Types        []int64 // token types; nil for zeros
}

// Pad makes a batch of sequences, padded with the token pad. types may be nil, and so may each of it.
func Pad(ids, types [][]int32, pad int64) *Batch {
	b := &Batch{Size: len(ids)}
	for _, x := range ids {
		b.Length = max(b.Length, len(x))
	}
	n := b.Size * b.Length
	b.IDs, b.Mask, b.Types = make([]int64, n), make([]int64, n), make([]int64, n)
	for i, x := range ids {
		for j := range b.Length {
			k := i*b.Length + j
			if j >= len(x) {
				b.IDs[k] = pad
				continue
			}
			b.IDs[k], b.Mask[k] = int64(x[j]), 1
			if types != nil && types[i] != nil {
				b.Types[k] = int64(types[i][j])
			}
		}
	}
	return b
}

// input is the batch's part for an input of a name.
func (b *Batch) input(name string) ([]int64, error) {
	switch name {
	case "input_ids":
		return b.IDs, nil
	case "attention_mask":
		return b.Mask, nil
	case "token_type_ids":
		if b.Types == nil {
			return make([]int64, len(b.IDs)), nil
		}
		return b.Types, nil
	case "position_ids":
		x := make([]int64, len(b.IDs))
		for i := range x {
			x[i] = int64(i % b.Length)
		}
		return x, nil
	}
	return nil, fmt.Errorf("the model has an input %q, which graft does not know how to fill", name)
}
