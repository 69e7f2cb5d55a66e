package app

import (
	"time"

	"github.com/seed-aefebe89/graft/graph"
	"github.com/seed-aefebe89/graft/graph/kernel"
)

// onHost tells whether kernels compute in the host's memory.
func onHost(ks []kernel.Kernels) bool {
	_, ok := ks[0].(kernel.Memory)
	return !ok
}

// settled waits until kernels have done what was asked for.
func settled(ks []kernel.Kernels) error {
	if m, ok := ks[0].(kernel.Memory); ok {
		return m.Sync()
	}
	return nil
}

// probe measures a device with memory of its own by products of n³ and by a triad, on operands that stay there.
type probe struct {
	kernels kernel.Kernels
	memory  kernel.Memory
	block   []float32
	n       int
	packed  kernel.Packed
}

// newProbe takes at most a sixteenth of the device's memory, for matrices of up to 8192².
func newProbe(k kernel.Kernels, p kernel.Precision) (*probe, error) {
	b := &probe{kernels: k, memory: k.(kernel.Memory), n: 8192}
	_, total, err := b.memory.Room()
	if err != nil {
		return nil, err
	}
	for b.n > 64 && 3*4*b.n*b.n > total/16 {
		b.n /= 2
	}
	if b.block, err = b.memory.Alloc(3 * b.n * b.n); err != nil {
		return nil, err
	}
	k.Fill(kernel.F32(b.block, len(b.block)), 1.0/64)
	l := k.Pack(b.matrix(1), false, p, nil)
	if b.packed.Plain = l; l != nil && l.Both() {
		b.packed.Trans = l
	}
	return b, b.memory.Sync()
}

func (b *probe) matrix(i int) kernel.Tensor {
	return kernel.F32(b.block[i*b.n*b.n:(i+1)*b.n*b.n], b.n, b.n)
}

// rates are those of products, in GFLOP/s, and of y += s·x in memory, in GB/s: the best of a few rounds.
func (b *probe) rates() (gflops, gbps float64, err error) {
	w := b.matrix(1)
	w.Packed = &b.packed
	const rounds, times = 3, 3
	best := func(f func()) (seconds float64, err error) {
		for i := range rounds {
			start := time.Now()
			for range times {
				f()
			}
			if err := b.memory.Sync(); err != nil {
				return 0, err
			}
			if s := time.Since(start).Seconds() / times; i == 0 || s < seconds {
				seconds = s
			}
		}
		return seconds, nil
	}
	size := float64(b.n)
	product, err := best(func() { b.kernels.MatMul(b.matrix(2), b.matrix(0), w, kernel.MatMul{}) })
	if err != nil {
		return 0, 0, err
	}
	y, x := kernel.F32(b.matrix(2).F32, b.n*b.n), kernel.F32(b.matrix(0).F32, b.n*b.n)
	triad, err := best(func() { b.kernels.AddScaled(y, x, 1e-6) })
	return 2 * size * size * size / product / 1e9, 12 * size * size / triad / 1e9, err
}

func (b *probe) close() {
	if r, ok := b.packed.Plain.(kernel.Releaser); ok {
		r.Release()
	}
	b.memory.Free(b.block)
}

// rates are those of the machine, before each run.
func (b *bench) rates() (gflops, gbps float64, err error) {
	if b.probe != nil {
		return b.probe.rates()
	}
	return peak(b.ks, b.prec), bandwidth(b.ks, b.arrays), nil
}

// giveBack releases what sessions and parameters have of a device.
func giveBack(p *graph.Params, sessions ...*graph.Session) {
	for _, s := range sessions {
		s.Release()
	}
	_ = graph.Leave(p.Of(graph.Base, graph.Adapter, graph.Head)) // the values are not needed any more
}
