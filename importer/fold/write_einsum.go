package fold

import (
	"slices"
	"strings"
)

// labelled is an operand of an Einsum with a label for each axis: a letter, or −1, −2, … for the axes that an ellipsis
// stands for, counted from its last one.
type labelled struct {
	*Array
	labels []rune
}

// einsum multiplies its operands, from the left, two at a time: axes of both that the rest still needs are a batch,
// those that it does not need are summed up by a matrix product.
func einsum(w *writer) []*Array {
	equation := strings.ReplaceAll(w.str("equation", ""), " ", "")
	left, right, explicit := strings.Cut(equation, "->")
	terms := strings.Split(left, ",")
	if len(terms) != len(w.In) {
		return w.fail("the equation %q has %d terms for %d inputs", equation, len(terms), len(w.In))
	}
	var xs []labelled
	sizes := map[rune]int{}
	hidden := 0 // axes that the longest ellipsis stands for
	for i, t := range terms {
		labels, dots, ok := termLabels(t, len(w.In[i].Shape))
		if !ok {
			return w.fail("the term %q of the equation %q does not fit %v", t, equation, w.In[i])
		}
		hidden = max(hidden, dots)
		for k, l := range labels {
			d := w.In[i].Shape[k]
			if old, known := sizes[l]; known && old != d && old != 1 && d != 1 {
				return w.fail("the label %q of the equation %q is an axis of %d and of %d", l, equation, old, d)
			}
			sizes[l] = max(sizes[l], d)
		}
		xs = append(xs, labelled{w.In[i], labels})
	}
	var out []rune
	if explicit {
		dots := strings.Count(right, "...")
		labels, _, ok := termLabels(right, len(right)-3*dots+dots*hidden)
		if !ok {
			return w.fail("the output %q of the equation %q cannot be read", right, equation)
		}
		out = labels
	} else {
		out = implicit(xs, hidden)
	}
	for i, l := range out {
		if sizes[l] == 0 || slices.Contains(out[:i], l) {
			return w.fail("the label %q of the output of the equation %q is new, or comes twice, or is of an empty axis", l, equation)
		}
	}
	for i := range xs {
		if xs[i] = w.diagonals(xs[i]); w.err != nil {
			return nil
		}
		xs[i] = w.stretched(xs[i], sizes)
	}
	acc := w.kept(xs[0], slices.Concat(out, labelsOf(xs[1:])))
	for i, x := range xs[1:] {
		needed := slices.Concat(out, labelsOf(xs[i+2:]))
		acc = w.contracted(acc, w.kept(x, slices.Concat(needed, acc.labels)), needed)
		if w.err != nil {
			return nil
		}
	}
	return one1(w.ordered(acc, out).Array)
}

func labelsOf(xs []labelled) (labels []rune) {
	for _, x := range xs {
		labels = append(labels, x.labels...)
	}
	return labels
}

// termLabels are those of a term for an operand of a rank; dots is the number of axes that its ellipsis stands for.
func termLabels(term string, rank int) (labels []rune, dots int, ok bool) {
	before, after, ellipsis := strings.Cut(term, "...")
	if dots = rank - len(before) - len(after); dots < 0 || dots > 0 && !ellipsis {
		return nil, 0, false
	}
	for _, l := range before {
		labels = append(labels, l)
	}
	for i := range dots {
		labels = append(labels, rune(i-dots))
	}
	for _, l := range after {
		labels = append(labels, l)
	}
	for _, l := range before + after {
		if !(l >= 'a' && l <= 'z' || l >= 'A' && l <= 'Z') {
			return nil, 0, false
		}
	}
	return labels, dots, true
}

// implicit is the output of an equation that names none: the ellipsis, and the labels that come once, in their order.
func implicit(xs []labelled, hidden int) []rune {
	var out []rune
	for i := range hidden {
		out = append(out, rune(i-hidden))
	}
	all := labelsOf(xs)
	slices.Sort(all)
	for _, l := range all {
		if n := slices.Index(all, l); l > 0 && all[n] == l && (n+1 == len(all) || all[n+1] != l) {
			out = append(out, l)
		}
	}
	return out
}

// diagonals takes the diagonal of axes with one label.
func (w *writer) diagonals(x labelled) labelled {
	for i := 0; i < len(x.labels); i++ {
		j := i + 1 + slices.Index(x.labels[i+1:], x.labels[i])
		if j == i {
			continue
		}
		d := x.Shape[i]
		if x.Shape[j] != d {
			w.fail("the label %q is an axis of %d and of %d", x.labels[i], d, x.Shape[j])
			return x
		}
		perm, labels, shape := []int{}, []rune{}, []int{}
		for k := range x.labels {
			if k != i && k != j {
				perm, labels, shape = append(perm, k), append(labels, x.labels[k]), append(shape, x.Shape[k])
			}
		}
		y := w.reshape(w.transpose(x.Array, append(perm, i, j)...), append(shape, d*d)...)
		at := make([]int, d)
		for k := range at {
			at[k] = k * (d + 1)
		}
		x = labelled{w.gather(y, list(at...), len(shape)), append(labels, x.labels[i])}
		if w.err != nil {
			return x
		}
		i = -1
	}
	return x
}

// stretched repeats axes of one element to what another operand has.
func (w *writer) stretched(x labelled, sizes map[rune]int) labelled {
	shape := slices.Clone(x.Shape)
	for i, l := range x.labels {
		shape[i] = sizes[l]
	}
	if w.err == nil && !slices.Equal(shape, x.Shape) {
		x.Array = w.fill(x.Array, shape...)
	}
	return x
}

// kept sums over the axes whose labels nobody needs.
func (w *writer) kept(x labelled, needed []rune) labelled {
	var gone []int
	var labels []rune
	for i, l := range x.labels {
		if slices.Contains(needed, l) {
			labels = append(labels, l)
		} else {
			gone = append(gone, i)
		}
	}
	if len(gone) == 0 {
		return x
	}
	return labelled{w.reduce("ReduceSum", x.Array, false, gone...), labels}
}

// ordered puts the axes in the order of labels, of which x has all.
func (w *writer) ordered(x labelled, labels []rune) labelled {
	perm := make([]int, len(labels))
	for i, l := range labels {
		if perm[i] = slices.Index(x.labels, l); perm[i] < 0 {
			w.fail("the label %q is missing", l)
			return x
		}
	}
	return labelled{w.transpose(x.Array, perm...), labels}
}

// contracted multiplies two operands: [batch, m, k]·[batch, k, n].
func (w *writer) contracted(x, y labelled, needed []rune) labelled {
	var batch, m, k, n []rune
	for _, l := range x.labels {
		switch inY := slices.Contains(y.labels, l); {
		case inY && slices.Contains(needed, l):
			batch = append(batch, l)
		case inY:
			k = append(k, l)
		default:
			m = append(m, l)
		}
	}
	for _, l := range y.labels {
		if !slices.Contains(x.labels, l) {
			n = append(n, l)
		}
	}
	if w.err != nil {
		return x
	}
	a, b := w.ordered(x, slices.Concat(batch, m, k)), w.ordered(y, slices.Concat(batch, k, n))
	if w.err != nil {
		return x
	}
	size := func(v labelled, labels []rune) int {
		s := 1
		for _, l := range labels {
			s *= v.Shape[slices.Index(v.labels, l)]
		}
		return s
	}
	sb, sm, sk, sn := size(a, batch), size(a, m), size(a, k), size(b, n)
	p, q := []int{sb, sm, sk}, []int{sb, sk, sn}
	if len(batch) == 0 {
		p, q = p[1:], q[1:]
	}
	z := w.do("MatMul", []*Array{w.reshape(a.Array, p...), w.reshape(b.Array, q...)})
	shape := []int{}
	for _, l := range batch {
		shape = append(shape, size(a, []rune{l}))
	}
	for _, l := range m {
		shape = append(shape, size(a, []rune{l}))
	}
	for _, l := range n {
		shape = append(shape, size(b, []rune{l}))
	}
	return labelled{w.reshape(z, shape...), slices.Concat(batch, m, n)}
}
