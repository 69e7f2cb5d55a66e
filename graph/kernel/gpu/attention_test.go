//go:build gpu && cgo && linux

package gpu

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/seed-aefebe89/graft/graph/kernel"
	"github.com/seed-aefebe89/graft/internal/cuda/cudatest"
)

// attending are the operands of attention and of its gradients on a device, and all results.
type attending struct {
	q, k, v, dy, bounds, bias, out, grads, dbias kernel.Tensor
	relative                                     kernel.Relative
	dkeys, dqueries                              kernel.Tensor
	o                                            kernel.Attention
}

func random(t testing.TB, k *kernels, r *rand.Rand, shape ...int) kernel.Tensor {
	n := 1
	for _, d := range shape {
		n *= d
	}
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	at := vector(t, k, n, x...)
	return kernel.F32(at.F32, shape...)
}

func integers(t testing.TB, k *kernels, x ...int32) kernel.Tensor {
	at := vector(t, k, len(x))
	d := kernel.I32(kernel.Int32s(at.F32), len(x))
	k.Upload(d, kernel.I32(x, len(x)))
	return d
}

// newAttending draws operands of rows tokens in len(bounds)−1 sequences of up to reach tokens.
func newAttending(t testing.TB, k *kernels, rows, heads, d, reach int, p kernel.Precision, bounds ...int32) *attending {
	r, width := rand.New(rand.NewPCG(1, 2)), heads*d
	a := &attending{o: kernel.Attention{Heads: heads, Scale: 0.3, Precision: p}, bounds: integers(t, k, bounds...)}
	for _, x := range []*kernel.Tensor{&a.q, &a.k, &a.v, &a.dy, &a.out} {
		*x = random(t, k, r, rows, width)
	}
	a.grads = random(t, k, r, 3, rows, width)
	a.bias, a.dbias = random(t, k, r, 2*reach-1, heads), random(t, k, r, 2*reach-1, heads)
	const positions = 6
	table := make([]int32, 2*reach-1)
	for i := range table {
		table[i] = int32(i * positions / len(table))
	}
	at := integers(t, k, table...)
	a.relative.Keys = kernel.Positions{X: random(t, k, r, positions, width), Rows: at}
	a.relative.Queries = kernel.Positions{X: random(t, k, r, positions, width), Rows: at}
	a.dkeys, a.dqueries = random(t, k, r, positions, width), random(t, k, r, positions, width)
	return a
}

// plain, biased and related call what attention has: the results are in out, grads and more.
func (a *attending) plain(k *kernels) {
	k.Attention(a.out, a.q, a.k, a.v, a.bounds, a.o)
	k.AttentionGrad(a.grads, a.q, a.k, a.v, a.bounds, a.dy, a.o)
}

func (a *attending) biased(k *kernels) {
	o := a.o
	o.Bias = a.bias
	k.Attention(a.out, a.q, a.k, a.v, a.bounds, o)
	k.AttentionGrad(a.grads, a.q, a.k, a.v, a.bounds, a.dy, o)
	k.AttentionBiasGrad(a.dbias, a.q, a.k, a.v, a.bounds, a.dy, o)
}

func (a *attending) related(k *kernels) {
	k.RelativeAttention(a.out, a.q, a.k, a.v, a.bounds, a.relative, a.o)
	k.RelativeAttentionGrad(a.grads, a.dkeys, a.dqueries, a.q, a.k, a.v, a.bounds, a.relative, a.dy, a.o)
}

// results are all of them: clear overwrites them, read returns them.
func (a *attending) results() []kernel.Tensor {
	return []kernel.Tensor{a.out, a.grads, a.dbias, a.dkeys, a.dqueries}
}

func (a *attending) clear(k *kernels) {
	for _, x := range a.results() {
		k.Fill(x, -9)
	}
}

func (a *attending) read(t testing.TB, k *kernels) (all []float32) {
	for _, x := range a.results() {
		all = append(all, read(t, k, x)...)
	}
	return all
}

// free gives the memory back.
func (a *attending) free(k *kernels) {
	for _, x := range append(a.results(), a.q, a.k, a.v, a.dy, a.bias, a.relative.Keys.X, a.relative.Queries.X) {
		k.Free(x.F32)
	}
	for _, x := range []kernel.Tensor{a.bounds, a.relative.Keys.Rows} {
		k.Free(floats(address(x), len(x.I32)))
	}
}

// kinds are the ways to call attention.
var kinds = map[string]func(a *attending, k *kernels){
	"plain": (*attending).plain, "biased": (*attending).biased, "related": (*attending).related,
}

// The kernels find the sequences on the device: a recording serves any bounds of its shape, to the same bits as a call.
func TestRecordedAttentionTakesOtherBounds(t *testing.T) {
	cudatest.Orders(t, func(t *testing.T) {
		k := open(t).fresh(t)
		for name, call := range kinds {
			for _, p := range []kernel.Precision{kernel.Float32, kernel.BFloat16} {
				a := newAttending(t, k, 150, 2, 20, 150, p, 0, 0, 70, 150)
				r, err := k.Record(func() { call(a, k) })
				if err != nil {
					t.Fatal(err)
				}
				for _, bounds := range [][]int32{
					{0, 0, 70, 150}, {0, 150, 150, 150}, {3, 4, 68, 149}, {150, 150, 150, 150}, {0, 64, 128, 150},
				} {
					k.Upload(a.bounds, kernel.I32(bounds, len(bounds)))
					a.clear(k)
					call(a, k)
					want := a.read(t, k)
					a.clear(k)
					r.Replay()
					if got := a.read(t, k); !slices.Equal(got, want) {
						t.Errorf("%s, %v, %v: the recording gives other results", name, p, bounds)
					}
				}
				r.Release()
			}
		}
	})
}

// Heads that are taken in turns, since their terms take much memory, give what all at once give.
func TestHeadsTakeTurns(t *testing.T) {
	for name, call := range kinds {
		for _, p := range []kernel.Precision{kernel.Float32, kernel.BFloat16} {
			k := open(t).fresh(t)
			a := newAttending(t, k, 90, 5, 16, 90, p, 0, 20, 90)
			a.clear(k)
			call(a, k)
			want := a.read(t, k)
			for _, limit := range []int{1, 4 * 90 * 6 * 4 * 2, 4 * 90 * 6 * 4 * 3} {
				k.maxTerms = limit
				a.clear(k)
				call(a, k)
				if got := a.read(t, k); !slices.Equal(got, want) {
					t.Errorf("%s, %v, %d bytes: other results", name, p, limit)
				}
			}
		}
	}
}

func TestAttentionRefusesLongHeads(t *testing.T) {
	k := open(t).fresh(t)
	a := newAttending(t, k, 4, 1, 257, 4, kernel.BFloat16, 0, 4)
	a.plain(k)
	if err := k.Sync(); err == nil || !strings.Contains(err.Error(), "257 columns") {
		t.Errorf("error %v", err)
	}
}
