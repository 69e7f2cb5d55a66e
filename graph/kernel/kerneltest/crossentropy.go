package kerneltest

import (
	"math"
	"slices"
	"testing"

	"github.com/seed-aefebe89/graft/graph/kernel"
)

// A labelling is a case of CrossEntropy: logits [t,c] and labels, some of which are negative.
type labelling struct {
	t, c   int
	logits func(r *trial, n int) []float32
	labels func(r *trial, t, c int) []int32
}

func normalLogits(r *trial, n int) []float32 { return r.normal(n, 2) }

// farLogits are whole numbers within 20 of −10⁴: nothing is left of exp without the row's maximum.
func farLogits(r *trial, n int) []float32 {
	x := r.integers(n, 20)
	for i := range x {
		x[i] -= 1e4
	}
	return x
}

func wideLogits(r *trial, n int) []float32 { return r.integers(n, 10000) }

// someLabels leaves about a third of the rows out.
func someLabels(r *trial, t, c int) []int32 {
	labels := r.indices(t, c)
	for i := range labels {
		if r.rng.IntN(3) == 0 {
			labels[i] = -100
		}
	}
	return labels
}

func noLabels(_ *trial, t, _ int) []int32 { return slices.Repeat([]int32{-1}, t) }

// labellings crosses numbers of classes with vector widths; one class has no loss.
func labellings() []labelling {
	cases := []labelling{
		{0, 7, normalLogits, someLabels}, {5, 7, normalLogits, noLabels}, {64, 7, normalLogits, someLabels},
		{9, 9, farLogits, someLabels}, {9, 33, wideLogits, someLabels}, {200, 2, normalLogits, someLabels},
	}
	for _, c := range []int{1, 2, 3, 8, 15, 16, 17, 33, 64, 127, 1000, 1500} {
		cases = append(cases, labelling{7, c, normalLogits, someLabels})
	}
	return cases
}

// softmax returns the probabilities of one row and their sum's logarithm plus the maximum.
func softmax(row []float64) (p []float64, logSum float64) {
	largest, sum := slices.Max(row), 0.0
	p = make([]float64, len(row))
	for j, v := range row {
		p[j] = math.Exp(v - largest)
		sum += p[j]
	}
	for j := range p {
		p[j] /= sum
	}
	return p, math.Log(sum) + largest
}

// crossEntropy is the reference of the loss.
func crossEntropy(logits []float64, labels []int32, c int, weight float64) (loss, magnitude float64) {
	for t, label := range labels {
		if label < 0 {
			continue
		}
		row := logits[t*c : (t+1)*c]
		_, logSum := softmax(row)
		loss += weight * (logSum - row[label])
		// The row's loss is a logarithm, with c roundings of the sum and some of exp and log, plus the difference
		// from the maximum, which rounds once at its own size.
		magnitude += weight * (float64(c+20) + (logSum - row[label])) * u
	}
	return loss, magnitude
}

// CrossEntropy checks the loss; rows without a label count for nothing, whatever they hold.
func CrossEntropy(t *testing.T, open Open) {
	for i, c := range labellings() {
		r := newTrial(t, open, uint64(i)).unaligned(i % 4)
		x, labels := c.logits(r, c.t*c.c), c.labels(r, c.t, c.c)
		const scale = float32(0.125)
		weight := r.input([]float32{scale}, 1)
		want, tol := crossEntropy(wide(x), labels, c.c, float64(scale))
		run := func() []float32 {
			logits, y := r.input(x, c.t, c.c), r.index(labels, c.t)
			return r.fresh(1, func(k kernel.Kernels, out []float32) {
				k.CrossEntropy(kernel.F32(out, 1), logits, y, weight)
			})
		}
		within(t, run(), []float64{want}, []float64{tol + u*math.Abs(want)})
		// NaN, first where there is no label, then where there is one.
		for _, labelled := range []bool{false, true} {
			if row := slices.IndexFunc(labels, func(l int32) bool { return l >= 0 == labelled }); row >= 0 {
				x[row*c.c+c.c/2] = float32(math.NaN())
				allNaN(t, run(), func(int) bool { return labelled })
			}
		}
		if t.Failed() {
			t.Fatal(label("rows, classes", c.t, c.c))
		}
	}
}

// CrossEntropyGrad checks the gradient against the formula, and the formula against finite differences.
func CrossEntropyGrad(t *testing.T, open Open) {
	for i, c := range labellings() {
		r := newTrial(t, open, uint64(i)).unaligned(i % 4)
		x, labels := c.logits(r, c.t*c.c), c.labels(r, c.t, c.c)
		const scale, up = float32(0.125), float32(-3)
		weight, dout := r.input([]float32{scale}, 1), r.input([]float32{up}, 1)
		want, tol := make([]float64, len(x)), make([]float64, len(x))
		for row, label := range labels {
			if label < 0 {
				continue
			}
			p, _ := softmax(wide(x[row*c.c : (row+1)*c.c]))
			for j, v := range p {
				at := row*c.c + j
				if j == int(label) {
					v--
				}
				want[at] = float64(up) * float64(scale) * v
				// p errs relatively by c roundings of its sum, the difference from the maximum (90u) and exp (16u).
				tol[at] = math.Abs(float64(up)*float64(scale))*float64(c.c+110)*u*p[j] + 4*u*math.Abs(want[at]) + 1e-37
			}
		}
		if n := len(x); n > 0 && n < 600 && math.Abs(float64(x[0])) < 100 {
			numeric := central(func(x []float64) float64 {
				loss, _ := crossEntropy(x, labels, c.c, float64(scale))
				return float64(up) * loss
			}, wide(x))
			for j, v := range numeric {
				if math.Abs(v-want[j]) > 1e-8 {
					t.Fatalf("the reference's gradient at %d is %g, by differences %g", j, want[j], v)
				}
			}
		}
		run := func() []float32 {
			logits, y := r.input(x, c.t, c.c), r.index(labels, c.t)
			apart := r.fresh(len(x), func(k kernel.Kernels, out []float32) {
				k.CrossEntropyGrad(kernel.F32(out, c.t, c.c), logits, y, weight, dout)
			})
			inPlace := r.from(x, func(k kernel.Kernels, out []float32) {
				k.CrossEntropyGrad(kernel.F32(out, c.t, c.c), kernel.F32(out, c.t, c.c), y, weight, dout)
			})
			if d := differingBits(apart, inPlace); d >= 0 {
				t.Errorf("in place of the logits, element %d is %g, elsewhere %g", d, inPlace[d], apart[d])
			}
			return apart
		}
		within(t, run(), want, tol)
		for row := range labels {
			x[row*c.c+c.c/2] = float32(math.NaN())
		}
		allNaN(t, run(), func(j int) bool { return labels[j/c.c] >= 0 })
		if t.Failed() {
			t.Fatal(label("rows, classes", c.t, c.c))
		}
	}
}
