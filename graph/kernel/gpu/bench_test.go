//go:build gpu && cgo && linux

package gpu

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/seed-aefebe89/graft/graph/kernel"
)

// onGPU opens the first GPU, and skips on the emulation too: its times say nothing.
func onGPU(b *testing.B) *kernels {
	k := open(b).fresh(b)
	if strings.Contains(k.Device.Name, "emulat") {
		b.Skip("no GPU: " + k.Device.Name)
	}
	return k
}

// measure runs f once to warm up, then b.N times, and reports useful operations.
func measure(b *testing.B, k *kernels, name string, flop float64, f func()) {
	b.Run(name, func(b *testing.B) {
		f()
		if err := k.Sync(); err != nil {
			b.Fatal(err)
		}
		b.ResetTimer()
		for range b.N {
			f()
		}
		if err := k.Sync(); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(b.N)*flop/b.Elapsed().Seconds()/1e12, "TFLOP/s")
	})
}

// lengths are the sequences of some rows: all of one length, or drawn from 4 to 60 as the sentences of a tagger are.
func lengths(rows, length int) (bounds []int32) {
	r := rand.New(rand.NewPCG(5, 6))
	bounds = []int32{0}
	for at := 0; at < rows; {
		n := length
		if n == 0 {
			n = 4 + r.IntN(57)
		}
		at = min(rows, at+n)
		bounds = append(bounds, int32(at))
	}
	return bounds
}

// BenchmarkAttention measures both directions for 8192 tokens and 768 columns: forward takes two products of n·n·d for each
// sequence of n and head of d, backward five, however many the kernels take.
func BenchmarkAttention(b *testing.B) {
	k := onGPU(b)
	const rows, width = 8192, 768
	for _, p := range []kernel.Precision{kernel.Float32, kernel.BFloat16} {
		for _, c := range []struct{ d, length, window int }{
			{64, 128, 0}, {64, 0, 0}, {64, 512, 0}, {64, 2048, 0}, {64, 2048, 64}, {32, 128, 0}, {96, 128, 0}, {128, 512, 0},
		} {
			bounds := lengths(rows, c.length)
			a := newAttending(b, k, rows, width/c.d, c.d, 2048, p, bounds...)
			a.o.Window = c.window
			flop := 0.0
			for i, end := range bounds[1:] {
				n := float64(end - bounds[i])
				seen := n
				if c.window > 0 {
					seen = min(n, float64(2*c.window+1))
				}
				flop += 2 * n * seen * width
			}
			name := fmt.Sprintf("%v/%dx%d", p, c.length, c.d)
			if c.window > 0 {
				name += fmt.Sprintf("/window%d", c.window)
			}
			measure(b, k, name, 2*flop, func() { k.Attention(a.out, a.q, a.k, a.v, a.bounds, a.o) })
			measure(b, k, name+"/grad", 5*flop, func() { k.AttentionGrad(a.grads, a.q, a.k, a.v, a.bounds, a.dy, a.o) })
			if c.window == 0 {
				measure(b, k, name+"/related", 2*flop, func() {
					k.RelativeAttention(a.out, a.q, a.k, a.v, a.bounds, a.relative, a.o)
				})
				measure(b, k, name+"/related/grad", 5*flop, func() {
					var none kernel.Tensor
					k.RelativeAttentionGrad(a.grads, none, none, a.q, a.k, a.v, a.bounds, a.relative, a.dy, a.o)
				})
			}
			a.free(k)
		}
	}
}

// BenchmarkMatMul measures the products of an encoder's layer, those of LoRA, and a large one for the device's rate.
func BenchmarkMatMul(b *testing.B) {
	k := onGPU(b)
	r := rand.New(rand.NewPCG(7, 8))
	for _, c := range []struct{ m, n, k int }{
		{8192, 8192, 8192}, {8192, 768, 768}, {8192, 3072, 768}, {8192, 768, 3072}, {8192, 8, 768}, {8192, 768, 8},
	} {
		x, w := random(b, k, r, c.m, c.k), random(b, k, r, c.k, c.n)
		out, bias := random(b, k, r, c.m, c.n), random(b, k, r, c.n)
		for _, p := range []kernel.Precision{kernel.Float32, kernel.TensorFloat32, kernel.BFloat16} {
			y := w
			y.Packed = &kernel.Packed{Plain: k.Pack(w, false, p, nil)}
			name, flop := fmt.Sprintf("%v/%dx%dx%d", p, c.m, c.n, c.k), 2*float64(c.m)*float64(c.n)*float64(c.k)
			measure(b, k, name, flop, func() { k.MatMul(out, x, y, kernel.MatMul{}) })
			measure(b, k, name+"/bias", flop, func() { k.MatMul(out, x, y, kernel.MatMul{Bias: bias}) })
			if l, ok := y.Packed.Plain.(*layout); ok {
				l.Release()
			}
		}
		for _, t := range []kernel.Tensor{x, w, out, bias} {
			k.Free(t.F32)
		}
	}
}
