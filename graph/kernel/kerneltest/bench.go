package kerneltest

import (
	"fmt"
	"math"
	"testing"

	"github.com/seed-aefebe89/graft/graph/kernel"
)

// A job is one call of a kernel, with the work that it does: floating-point operations where arithmetic is the limit,
// else bytes read and written, each operand once.
type job struct {
	name        string
	flop, bytes float64
	run         func(k kernel.Kernels)
}

// Bench measures every kernel at the sizes of small encoders: 1024 tokens, hidden 384 or 768. GFLOP/s are useful
// operations; GB/s count each operand once.
func Bench(b *testing.B, open Open) {
	k := open()
	for _, j := range append(matmulJobs(b, k), jobs(b, 1024, 384, 1536, 128)...) {
		b.Run(j.name, func(b *testing.B) {
			for range b.N {
				j.run(k)
			}
			seconds := b.Elapsed().Seconds()
			if j.flop > 0 {
				b.ReportMetric(float64(b.N)*j.flop/seconds/1e9, "GFLOP/s")
			} else {
				b.ReportMetric(float64(b.N)*j.bytes/seconds/1e9, "GB/s")
			}
		})
	}
}

// Allocations checks that a kernel that has run once on given shapes allocates nothing when it runs on them again.
func Allocations(t *testing.T, open Open) {
	if instrumented {
		t.Skip("the address sanitizer's instrumentation allocates")
	}
	k := open()
	if _, ok := k.(*staged); ok {
		t.Skip("operands are copied to the device and back")
	}
	for _, j := range jobs(t, 40, 64, 96, 20) {
		if got := testing.AllocsPerRun(5, func() { j.run(k) }); got != 0 {
			t.Errorf("%s: %g allocations a call", j.name, got)
		}
	}
}

// matmulJobs are products with a frozen right operand, with one that is packed on the way, and weight gradients.
func matmulJobs(tb testing.TB, k kernel.Kernels) []job {
	var all []job
	for _, c := range []struct {
		m, n, k        int
		packed         bool
		precision      kernel.Precision
		transA, transB bool
	}{
		{m: 1024, n: 1024, k: 1024, packed: true},
		{m: 1024, n: 384, k: 384, packed: true},
		{m: 1024, n: 1536, k: 384, packed: true},
		{m: 1024, n: 384, k: 1536, packed: true},
		{m: 1024, n: 768, k: 768, packed: true},
		{m: 1024, n: 3072, k: 768, packed: true},
		{m: 1024, n: 768, k: 3072, packed: true},
		{m: 600, n: 384, k: 384, packed: true},
		{m: 1024, n: 1024, k: 1024, packed: true, precision: kernel.BFloat16},
		{m: 1024, n: 384, k: 384, packed: true, precision: kernel.BFloat16},
		{m: 1024, n: 1536, k: 384, packed: true, precision: kernel.BFloat16},
		{m: 1024, n: 384, k: 1536, packed: true, precision: kernel.BFloat16},
		{m: 1024, n: 768, k: 768, packed: true, precision: kernel.BFloat16},
		{m: 1024, n: 3072, k: 768, packed: true, precision: kernel.BFloat16},
		{m: 1024, n: 768, k: 3072, packed: true, precision: kernel.BFloat16},
		{m: 16, n: 384, k: 384, packed: true, precision: kernel.BFloat16},
		{m: 16, n: 384, k: 384, packed: true},
		{m: 1024, n: 64, k: 384},
		{m: 1024, n: 384, k: 64},
		{m: 1024, n: 8, k: 384},
		{m: 1024, n: 384, k: 8},
		{m: 1024, n: 384, k: 384},
		{m: 1024, n: 384, k: 384, transB: true},
		{m: 384, n: 1536, k: 1024, transA: true},
		{m: 1536, n: 384, k: 1024, transA: true},
		{m: 64, n: 384, k: 1024, transA: true},
		{m: 384, n: 64, k: 1024, transA: true},
		{m: 8, n: 384, k: 1024, transA: true},
		{m: 384, n: 8, k: 1024, transA: true},
	} {
		r := newTrial(tb, nil, 1)
		p := product{c.m, c.n, c.k, c.transA, c.transB}
		a, b := kernel.F32(r.normal(c.m*c.k, 1), p.shapeA()...), kernel.F32(r.normal(c.k*c.n, 1), p.shapeB()...)
		out, bias := kernel.F32(make([]float32, c.m*c.n), c.m, c.n), kernel.F32(r.normal(c.n, 1), c.n)
		name := fmt.Sprintf("MatMul/%dx%dx%d", c.m, c.n, c.k)
		if c.packed {
			layout := k.Pack(b, false, c.precision, nil)
			tb.Cleanup(func() { release(layout) })
			b.Packed = &kernel.Packed{Plain: layout}
			name += "/packed"
			if c.precision != kernel.Float32 {
				name += "/" + c.precision.String()
			}
		}
		if c.transA {
			name += "/transA"
		}
		if c.transB {
			name += "/transB"
		}
		o := kernel.MatMul{TransA: c.transA, TransB: c.transB}
		if !c.transA {
			o.Bias = bias
		}
		flop := 2 * float64(c.m) * float64(c.n) * float64(c.k)
		all = append(all, job{name: name, flop: flop, run: func(k kernel.Kernels) { k.MatMul(out, a, b, o) }})
	}
	return all
}

// jobs are calls of every kernel on tokens rows of the given widths, the attention's in sequences of length rows.
func jobs(tb testing.TB, tokens, hidden, inner, length int) []job {
	r := newTrial(tb, nil, 2)
	matrix := func(m, n int) kernel.Tensor { return kernel.F32(r.normal(m*n, 1), m, n) }
	row := func(n int) kernel.Tensor { return kernel.F32(r.normal(n, 1), n) }
	x, y, out, grad := matrix(tokens, hidden), matrix(tokens, hidden), matrix(tokens, hidden), matrix(tokens, hidden)
	gamma, beta, sum, params, clip := row(hidden), row(hidden), row(hidden), matrix(2, hidden), row(1)
	wide, activated, up := matrix(tokens, inner), matrix(tokens, inner), matrix(tokens, inner)
	square := matrix(hidden, hidden)
	size := 4 * float64(tokens) * float64(hidden)
	large := 4 * float64(tokens) * float64(inner)
	all := []job{
		{name: "MatMul", flop: 2 * float64(tokens*hidden*hidden), run: func(k kernel.Kernels) {
			k.MatMul(out, x, square, kernel.MatMul{Bias: beta})
		}},
		{name: "MatMulTrans", flop: 2 * float64(tokens*hidden*hidden), run: func(k kernel.Kernels) {
			k.MatMul(square, x, y, kernel.MatMul{TransA: true, Accumulate: true, Alpha: 1e-9})
		}},
		{name: "ColSum", bytes: size, run: func(k kernel.Kernels) { k.ColSum(sum, x) }},
		{name: "Add", bytes: 3 * size, run: func(k kernel.Kernels) { k.Add(out, x, y) }},
		{name: "Mul", bytes: 3 * size, run: func(k kernel.Kernels) { k.Mul(out, x, y) }},
		{name: "Scale", bytes: 2 * size, run: func(k kernel.Kernels) { k.Scale(out, x, 0.5) }},
		{name: "AddRow", bytes: 2 * size, run: func(k kernel.Kernels) { k.AddRow(out, x, beta) }},
		{name: "MulRow", bytes: 2 * size, run: func(k kernel.Kernels) { k.MulRow(out, x, beta) }},
		{name: "LayerNorm", bytes: 3 * size, run: func(k kernel.Kernels) { k.LayerNorm(out, x, y, gamma, beta, 1e-12) }},
		{name: "LayerNormGrad", bytes: 4 * size, run: func(k kernel.Kernels) {
			k.LayerNormGrad(out, x, y, gamma, grad, 1e-12)
		}},
		{name: "LayerNormParamGrad", bytes: 3 * size, run: func(k kernel.Kernels) {
			k.LayerNormParamGrad(params, x, y, grad, 1e-12)
		}},
		{name: "AddScaled", bytes: 3 * size, run: func(k kernel.Kernels) { k.AddScaled(out, x, 1e-9) }},
		{name: "Clip", bytes: size, run: func(k kernel.Kernels) { k.Clip(clip, x, 1) }},
	}
	for _, f := range kernel.Activations() {
		all = append(all, job{name: "Activate/" + f.String(), bytes: 2 * large, run: func(k kernel.Kernels) {
			k.Activate(activated, wide, f)
		}}, job{name: "ActivateGrad/" + f.String(), bytes: 3 * large, run: func(k kernel.Kernels) {
			k.ActivateGrad(activated, wide, up, f)
		}})
	}
	for _, trans := range []bool{false, true} {
		square := kernel.F32(r.normal(hidden*hidden, 1), hidden, hidden)
		var layout kernel.Layout
		tb.Cleanup(func() { release(layout) })
		name := "Pack/bf16"
		if trans {
			name += "/trans"
		}
		all = append(all, job{name: name, bytes: 6 * float64(hidden*hidden), run: func(k kernel.Kernels) {
			layout = k.Pack(square, trans, kernel.BFloat16, layout)
		}})
	}
	all = append(all, gatherJobs(r, tokens, hidden)...)
	all = append(all, lossJobs(r, tokens, hidden)...)
	for _, d := range []int{32, 64} {
		all = append(all, attentionJobs(r, tokens, hidden, d, length)...)
	}
	return append(all, attentionJobs(r, tokens, hidden, 32, 16)...)
}

// gatherJobs are the kernels that take rows by index.
func gatherJobs(r *trial, tokens, hidden int) []job {
	const words, places = 5000, 512
	matrix := func(m int) kernel.Tensor { return kernel.F32(r.normal(m*hidden, 1), m, hidden) }
	table, out, grad := matrix(words), matrix(tokens), matrix(places)
	ids, positions := kernel.I32(r.indices(tokens, words), tokens), kernel.I32(r.indices(tokens, places), tokens)
	tables, indices := []kernel.Tensor{table, matrix(places)}, []kernel.Tensor{ids, positions}
	size, sums := 4*float64(tokens*hidden), 4*float64(places*hidden)
	return []job{
		{name: "Embed", bytes: 3 * size, run: func(k kernel.Kernels) { k.Embed(out, tables, indices) }},
		{name: "EmbedGrad", bytes: size + sums, run: func(k kernel.Kernels) { k.EmbedGrad(grad, positions, out) }},
		{name: "Rows", bytes: 2 * size, run: func(k kernel.Kernels) { k.Rows(out, table, ids) }},
		{name: "RowsGrad", bytes: size + sums, run: func(k kernel.Kernels) { k.RowsGrad(grad, positions, out) }},
	}
}

// lossJobs are the loss over 7 classes and the optimiser's step on hidden·hidden weights.
func lossJobs(r *trial, tokens, hidden int) []job {
	const classes = 7
	vector := func(n int) kernel.Tensor { return kernel.F32(r.normal(n, 1), n) }
	logits := kernel.F32(r.normal(tokens*classes, 1), tokens, classes)
	dx := kernel.F32(make([]float32, tokens*classes), tokens, classes)
	labels := kernel.I32(r.indices(tokens, classes), tokens)
	loss, weight, dout := vector(1), vector(1), vector(1)
	n := hidden * hidden
	p, g, m, v := vector(n), vector(n), vector(n), kernel.F32(make([]float32, n), n)
	o := kernel.AdamW{LR: 1e-5, Beta1: 0.9, Beta2: 0.999, Eps: 1e-8, GradScale: 1, Step: 5}
	size := 4 * float64(tokens*classes)
	return []job{
		{name: "CrossEntropy", bytes: size, run: func(k kernel.Kernels) { k.CrossEntropy(loss, logits, labels, weight) }},
		{name: "CrossEntropyGrad", bytes: 2 * size, run: func(k kernel.Kernels) {
			k.CrossEntropyGrad(dx, logits, labels, weight, dout)
		}},
		{name: "AdamW", bytes: 28 * float64(n), run: func(k kernel.Kernels) { k.AdamW(p, g, m, v, o) }},
	}
}

// attentionJobs are both directions of attention with heads of d over sequences of length rows. Forward takes two
// products of length·length·d for each sequence and head, backward five.
func attentionJobs(r *trial, tokens, hidden, d, length int) []job {
	matrix := func() kernel.Tensor { return kernel.F32(r.normal(tokens*hidden, 1), tokens, hidden) }
	q, k, v, dy, out := matrix(), matrix(), matrix(), matrix(), matrix()
	grads := kernel.F32(make([]float32, 3*tokens*hidden), 3, tokens, hidden)
	bounds := []int32{0}
	for at := length; at <= tokens; at += length {
		bounds = append(bounds, int32(at))
	}
	b := kernel.I32(bounds, len(bounds))
	o := kernel.Attention{Heads: hidden / d, Scale: float32(1 / math.Sqrt(float64(d)))}
	flop := 2 * float64(len(bounds)-1) * float64(length*length) * float64(hidden)
	name := fmt.Sprintf("/%dx%d", length, d)
	return []job{
		{name: "Attention" + name, flop: 2 * flop, run: func(kernels kernel.Kernels) {
			kernels.Attention(out, q, k, v, b, o)
		}},
		{name: "AttentionGrad" + name, flop: 5 * flop, run: func(kernels kernel.Kernels) {
			kernels.AttentionGrad(grads, q, k, v, b, dy, o)
		}},
	}
}
