//go:build gpu && cgo && linux

package gpu

import (
	"fmt"

	"github.com/seed-aefebe89/graft/graph/kernel"
	"github.com/seed-aefebe89/graft/internal/cuda"
)

// attention are the kernels for heads of up to a number of columns: their names, and how a block is laid out.
type attention struct {
	columns             int
	forward, query, key string
	bias                bool // query gives the bias's gradient too
	rows                int  // of a sequence to a block
	threads             int
	forwardBytes        int // of shared memory
	queryBytes          int
	keyBytes            int
	scratchBytes        int // more for query and key where gradients of relative positions are asked for
}

// attentions are all of them, by precision, the smallest first. Sizes as in attention_f32.cuh and attention_bf16.cuh.
var attentions = func() (all [2][]attention) {
	name := func(kind, precision string, columns int) string {
		return fmt.Sprintf("attention%s_%s_%d", kind, precision, columns)
	}
	for _, c := range []struct{ columns, rows int }{{32, 64}, {64, 64}, {128, 32}, {256, 16}} {
		tile, weights := 4*c.rows*(c.columns+4), 4*c.rows*(c.rows+4)
		all[kernel.Float32] = append(all[kernel.Float32], attention{
			columns: c.columns, rows: c.rows, threads: 256, bias: true, forward: name("", "f32", c.columns),
			query: name("_grad_query", "f32", c.columns), key: name("_grad_key", "f32", c.columns),
			forwardBytes: 2*tile + weights, queryBytes: 4*tile + weights, keyBytes: 4*tile + weights,
		})
	}
	for _, columns := range []int{32, 64, 80, 96, 128} {
		const rows, scratch = 64, 4 * 4 * 16 * 36
		tile := 2 * rows * (columns + 8)
		all[kernel.BFloat16] = append(all[kernel.BFloat16], attention{
			columns: columns, rows: rows, threads: 128, forward: name("", "bf16", columns),
			query: name("_grad_query", "bf16", columns), key: name("_grad_key", "bf16", columns),
			forwardBytes: 2 * tile, queryBytes: 2 * tile, keyBytes: 4*tile + 4*3*rows,
			scratchBytes: scratch,
		})
	}
	return all
}()

// staticShared is the shared memory that a block may have without asking.
const staticShared = 48 << 10

// sharedBytes is the shared memory that attention's kernels may have to ask for, by name.
var sharedBytes = func() map[string]int {
	all := map[string]int{}
	for _, kind := range attentions {
		for _, a := range kind {
			all[a.forward], all[a.query], all[a.key] = a.forwardBytes, a.queryBytes+a.scratchBytes, a.keyBytes+a.scratchBytes
		}
	}
	return all
}()

// allowShared lets a kernel that was loaded have the shared memory that it needs.
func allowShared(f *cuda.Function) error {
	if n := sharedBytes[f.Name]; n > staticShared {
		return f.AllowShared(n)
	}
	return nil
}

// attention are the kernels for heads of d columns. Tensor cores take heads of up to 128 columns at BFloat16.
func (k *kernels) attention(d int, p kernel.Precision) (attention, bool) {
	if p == kernel.TensorFloat32 {
		p = kernel.Float32
	}
	if all := attentions[kernel.BFloat16]; d > all[len(all)-1].columns {
		p = kernel.Float32
	}
	for _, a := range attentions[p] {
		if d <= a.columns {
			return a, true
		}
	}
	k.fail(fmt.Errorf("attention with heads of %d columns: the GPU's kernels take up to 256", d))
	return attention{}, false
}

// call is one call of attention, all of whose kernels begin with the same arguments.
type call struct {
	q, k, v, bounds kernel.Tensor
	o               kernel.Attention
	rows, width, d  int
	relative        kernel.Relative
	keys, queries   cuda.Ptr // the terms of relative positions, of the heads from head on
	head            int
}

func newCall(q, k, v, bounds kernel.Tensor, o kernel.Attention) call {
	return call{q: q, k: k, v: v, bounds: bounds, o: o, rows: q.Rows(), width: q.Cols(), d: q.Cols() / o.Heads}
}

// maxArguments is the most that a kernel of attention takes.
const maxArguments = 28

// attend launches one of attention's kernels for some heads from c.head on: on as many blocks as the sequences can need,
// each of which finds its rows from bounds.
func (k *kernels) attend(c *call, a attention, name string, bytes, heads int, more ...cuda.Arg) {
	positions := func(p kernel.Positions, at cuda.Ptr) (cuda.Arg, cuda.Arg, cuda.Arg, cuda.Arg) {
		if p.X.Empty() {
			return null, null, cuda.I(0), cuda.I(0)
		}
		return cuda.P(at), cuda.P(address(p.Rows)), cuda.I(p.X.Rows()), cuda.I(len(p.Rows.I32) / 2)
	}
	args := [maxArguments]cuda.Arg{
		at(c.q), at(c.k), at(c.v), at(c.bounds), cuda.I(len(c.bounds.I32) - 1), cuda.I(c.rows), cuda.I(c.width), cuda.I(c.o.Heads),
		cuda.I(c.d), cuda.I(c.head), cuda.F(c.o.Scale), cuda.I(c.o.Window), at(c.o.Bias), cuda.I(0),
	}
	if !c.o.Bias.Empty() {
		args[13] = cuda.I(c.o.Bias.Rows() / 2)
	}
	args[14], args[15], args[16], args[17] = positions(c.relative.Keys, c.keys)
	args[18], args[19], args[20], args[21] = positions(c.relative.Queries, c.queries)
	n := 22 + copy(args[22:], more)
	g := cuda.Grid{Blocks: cuda.Dim{X: c.slots(a), Y: heads}, Threads: cuda.Dim{X: a.threads}, Shared: bytes}
	k.launch(name, g, args[:n]...)
}

// slots are the blocks for each head.
func (c *call) slots(a attention) int { return c.rows/a.rows + len(c.bounds.I32) + 1 }

// part is an operand of the call's shape, n of them on.
func (c *call) part(x kernel.Tensor, n int) cuda.Ptr {
	return address(x) + cuda.Ptr(4*n*c.rows*c.width)
}

// Attention implements kernel.Kernels.
func (k *kernels) Attention(out, q, k1, v, bounds kernel.Tensor, o kernel.Attention) {
	c := newCall(q, k1, v, bounds, o)
	if a, ok := k.attention(c.d, o.Precision); ok && c.rows > 0 {
		k.attend(&c, a, a.forward, a.forwardBytes, o.Heads, at(out))
	}
}

// AttentionGrad implements kernel.Kernels.
func (k *kernels) AttentionGrad(out, q, k1, v, bounds, dy kernel.Tensor, o kernel.Attention) {
	c := newCall(q, k1, v, bounds, o)
	if a, ok := k.attention(c.d, o.Precision); ok && c.rows > 0 {
		stats := k.scratch(c.statBytes(o.Heads))[0]
		k.attendGrad(&c, a, o.Heads, out, dy, stats, 0, 0)
	}
}

// statBytes are what the gradients' kernels keep of each row of some heads.
func (c *call) statBytes(heads int) int { return 4 * 3 * heads * c.rows }

// attendGrad launches the gradients' two kernels; of those of relative positions the ones that are not asked for are 0.
func (k *kernels) attendGrad(c *call, a attention, heads int, out, dy kernel.Tensor, stats, keys, queries cuda.Ptr) {
	queryBytes, keyBytes := a.queryBytes, a.keyBytes
	if keys != 0 {
		queryBytes += a.scratchBytes
	}
	if queries != 0 {
		keyBytes += a.scratchBytes
	}
	more, n := [6]cuda.Arg{at(dy), cuda.P(c.part(out, 0)), cuda.P(stats), cuda.P(keys), null, cuda.I(0)}, 4
	if a.bias {
		n = 6
	}
	k.attend(c, a, a.query, queryBytes, heads, more[:n]...)
	k.attend(c, a, a.key, keyBytes, heads, at(dy), cuda.P(c.part(out, 1)), cuda.P(c.part(out, 2)), cuda.P(stats),
		cuda.P(queries))
}

// maxTerms is the memory in bytes that terms of relative positions, or the parts of a bias's gradient, take at a time: where
// there are more, heads are taken in turns.
const maxTerms = 256 << 20

// turns calls f for groups of heads that take at most limit bytes, of so many each; at least one head.
func (c *call) turns(limit, bytes int, f func(heads int)) {
	group := min(c.o.Heads, max(1, limit/max(bytes, 1)))
	for c.head = 0; c.head < c.o.Heads; c.head += group {
		f(min(group, c.o.Heads-c.head))
	}
}

// AttentionBiasGrad implements kernel.Kernels, in float32 at any precision: every block leaves its part, and the parts are
// added up in their order.
func (k *kernels) AttentionBiasGrad(out, q, k1, v, bounds, dy kernel.Tensor, o kernel.Attention) {
	c := newCall(q, k1, v, bounds, o)
	a, ok := k.attention(c.d, kernel.Float32)
	if !ok {
		return
	}
	distances, slots := out.Rows(), c.slots(a)
	c.turns(k.maxTerms, 4*slots*distances, func(heads int) {
		partial := k.scratch(4 * slots * distances * heads)[0]
		k.attend(&c, a, a.query, a.queryBytes, heads, at(dy), null, null, null, cuda.P(partial), cuda.I(distances))
		k.launch("attention_sum_bias", cuda.Line(ceil(heads*distances, 256), 256), cuda.P(partial), at(out), cuda.I(slots),
			cuda.I(heads), cuda.I(distances), cuda.I(o.Heads), cuda.I(c.head))
	})
}
