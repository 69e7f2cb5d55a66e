package app

import (
	"context"
	"fmt"
	"os/exec"
	"sync"
	"time"

	"github.com/seed-aefebe89/graft/graph/kernel"
)

// peak is the rate in GFLOP/s of products of 1024³ with packed matrices of a precision on all threads: the best of a
// few rounds, after one that touches the memory and wakes the processor up.
func peak(ks []kernel.Kernels, p kernel.Precision) float64 {
	const n, rounds, times = 1024, 4, 3
	var runs []func()
	for _, k := range ks {
		a, b, c := make([]float32, n*n), make([]float32, n*n), make([]float32, n*n)
		for i := range a {
			a[i], b[i] = float32(i%7), float32(i%5)
		}
		w := kernel.F32(b, n, n)
		w.Packed = &kernel.Packed{Plain: k.Pack(w, false, p, nil)}
		runs = append(runs, func() {
			for range times {
				k.MatMul(kernel.F32(c, n, n), kernel.F32(a, n, n), w, kernel.MatMul{})
			}
		})
	}
	best := together(runs)
	for range rounds {
		best = min(best, together(runs))
	}
	return float64(len(ks)) * times * 2 * n * n * n / best / 1e9
}

// together is the time in seconds that all of some functions take, each in a goroutine of its own.
func together(runs []func()) float64 {
	var wg sync.WaitGroup
	start := make(chan struct{})
	for _, f := range runs {
		wg.Go(func() {
			<-start
			f()
		})
	}
	t := time.Now()
	close(start)
	wg.Wait()
	return time.Since(t).Seconds()
}

// triad is what one thread reads and writes to measure the memory's bandwidth: too large for any cache.
type triad struct{ y, x []float32 }

const triadElements = 16 << 20

func newTriads(threads int) []triad {
	out := make([]triad, threads)
	for i := range out {
		out[i] = triad{make([]float32, triadElements), make([]float32, triadElements)}
		for k := range out[i].x {
			out[i].x[k], out[i].y[k] = 1, 1
		}
	}
	return out
}

// bandwidth is the rate in GB/s at which all threads compute y += s·x in memory: 12 bytes an element, read and written
// ones together (McCalpin's triad, with the result over one of its operands).
func bandwidth(ks []kernel.Kernels, arrays []triad) float64 {
	var runs []func()
	for i, k := range ks {
		y, x := kernel.F32(arrays[i].y, triadElements), kernel.F32(arrays[i].x, triadElements)
		runs = append(runs, func() { k.AddScaled(y, x, 1e-6) })
	}
	return float64(len(ks)) * 12 * triadElements / together(runs) / 1e9
}

// neighbour starts a process that keeps one processor busy until stop is called.
func neighbour(ctx context.Context) (stop func(), err error) {
	c := exec.CommandContext(ctx, "sh", "-c", "while :; do :; done")
	if err := c.Start(); err != nil {
		return nil, fmt.Errorf("starting a busy neighbour: %w", err)
	}
	time.Sleep(20 * time.Millisecond) // until it runs
	return func() {
		c.Process.Kill()
		c.Wait()
	}, nil
}
