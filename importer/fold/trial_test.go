package fold

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/seed-aefebe89/graft/importer/onnx"
	"github.com/seed-aefebe89/graft/importer/onnx/build"
)

// trial is an operator applied to arrays.
type trial struct {
	opset      int64
	domain, op string
	in         []*Array // nil where left out
	attrs      []build.Option
	outputs    int
}

// String shows the node with its inputs.
func (tr trial) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s (opset %d)", tr.op, tr.opset)
	_, n, err := tr.model(nil)
	if err != nil {
		return b.String()
	}
	for _, a := range n.Attributes {
		fmt.Fprintf(&b, " %s=%v%v%v%s", a.Name, a.I, a.Ints, a.F, a.S)
	}
	for _, a := range tr.in {
		if a == nil {
			b.WriteString(" -")
			continue
		}
		fmt.Fprintf(&b, " %v", a)
		if a.Size() <= 12 {
			fmt.Fprintf(&b, "%v%v", a.Ints, a.Floats)
		}
	}
	return b.String()
}

// fold applies the operator.
func (tr trial) fold() ([]*Array, error) {
	_, n, err := tr.model(nil)
	if err != nil {
		return nil, err
	}
	return tr.apply(n, tr.in)
}

func (tr trial) apply(n *onnx.Node, in []*Array) ([]*Array, error) {
	f, err := Lookup(n, tr.version())
	if err != nil {
		return nil, err
	}
	return f(Call{Node: n, In: in})
}

// version is the operator's opset.
func (tr trial) version() int64 {
	if tr.domain != "" {
		return 1
	}
	return tr.opset
}

// maker makes random applications of one operator. Some may be invalid: then both sides must refuse.
type maker struct {
	name   string
	opsets []int64
	make   func(g *gen) trial
	// stricter tells of trials that fold refuses and onnxruntime accepts, laxer of the contrary, and why.
	stricter, laxer func(tr trial) bool
}

// recent are the opsets at which the operators' forms differ, and some between.
var recent = []int64{11, 12, 13, 14, 16, 17, 18, 19, 20, 21}

// matchRuntime holds an operator to onnxruntime.
func matchRuntime(t *testing.T, makers ...maker) {
	needRuntime(t)
	trials := 60
	if testing.Short() {
		trials = 8
	}
	for _, mk := range makers {
		t.Run(mk.name, func(t *testing.T) {
			compared, refused, missing := 0, 0, 0
			for k := range trials {
				g := newGen(mk.name, k, mk.opsets)
				tr := mk.make(g)
				got, err := tr.fold()
				var types []onnx.DataType
				for _, a := range got {
					types = append(types, a.Type)
				}
				if err == nil && len(got) < tr.outputs {
					t.Errorf("%v: %d outputs, want %d", tr, len(got), tr.outputs)
					continue
				}
				want, ortErr := tr.reference(types)
				switch {
				case err != nil && ortErr != nil:
					refused++
				case ortErr != nil && unsupported(ortErr):
					missing++
				case err != nil:
					if mk.stricter == nil || !mk.stricter(tr) {
						t.Errorf("%v: refused (%v), but onnxruntime gives %v", tr, err, want)
					}
				case ortErr != nil:
					if mk.laxer == nil || !mk.laxer(tr) {
						t.Errorf("%v: gives %v, but onnxruntime refuses: %v", tr, got, ortErr)
					}
				default:
					compared++
					for i, w := range want {
						if msg := differs(got[i], w); msg != "" {
							t.Errorf("%v: output %d: %s", tr, i, msg)
						}
					}
				}
				if err == nil {
					checkUnknown(t, tr, got)
				}
			}
			if compared < trials/4 {
				t.Errorf("only %d of %d trials could be compared (%d refused, %d without a kernel)", compared, trials, refused,
					missing)
			}
		})
	}
}

// differs tells how an array differs from what onnxruntime gives. Elements that fold leaves unknown are not looked at.
func differs(got, want *Array) string {
	if !slices.Equal(got.Shape, want.Shape) {
		return fmt.Sprintf("shape %v, want %v", got.Shape, want.Shape)
	}
	if !got.Known() {
		return ""
	}
	if !slices.Equal(got.Ints, want.Ints) {
		return fmt.Sprintf("%v, want %v", got.Ints, want.Ints)
	}
	for i, x := range got.Floats {
		if w := want.Floats[i]; !near(got.Type, x, w) {
			return fmt.Sprintf("element %d is %v, want %v", i, x, w)
		}
	}
	return ""
}

// near compares numbers with as many bits as the type has less four: onnxruntime computes in the type itself, and its
// transcendental functions are approximations of a few units in the last place.
func near(t onnx.DataType, x, y float64) bool {
	if math.IsNaN(x) || math.IsNaN(y) {
		return math.IsNaN(x) && math.IsNaN(y)
	}
	bits := map[onnx.DataType]int{onnx.Float: 20, onnx.Double: 44, onnx.Float16: 7, onnx.Bfloat16: 4}[t]
	return x == y || math.Abs(x-y) <= math.Ldexp(max(1, math.Abs(y)), -bits)
}

// checkUnknown hides the elements of each input, and of all: what comes out has the same type and shape, and elements,
// where it has any, are the same; or the error says that it takes the elements.
func checkUnknown(t *testing.T, tr trial, want []*Array) {
	t.Helper()
	_, n, err := tr.model(nil)
	if err != nil {
		t.Fatal(err)
	}
	for hide := range len(tr.in) + 1 {
		in := slices.Clone(tr.in)
		for i, a := range in {
			if a != nil && (i == hide || hide == len(in)) {
				in[i] = Unknown(a.Type, a.Shape...)
			}
		}
		got, err := tr.apply(n, in)
		if err != nil {
			if !errors.Is(err, errUnknown) {
				t.Errorf("%v: without the elements of input %d: %v", tr, hide, err)
			}
			continue
		}
		for i, w := range want {
			if g := got[i]; g.Type != w.Type || !slices.Equal(g.Shape, w.Shape) {
				t.Errorf("%v: without the elements of input %d: output %d is %v, want %v", tr, hide, i, g, w)
			} else if g.Known() && differs(g, w) != "" {
				t.Errorf("%v: without the elements of input %d: output %d: %s", tr, hide, i, differs(g, w))
			}
		}
	}
}

// gen draws random arrays.
type gen struct {
	*rand.Rand
	opset int64
}

func newGen(name string, k int, opsets []int64) *gen {
	h := uint64(14695981039346656037)
	for _, b := range []byte(name) {
		h = (h ^ uint64(b)) * 1099511628211
	}
	g := &gen{Rand: rand.New(rand.NewPCG(h, uint64(k)))}
	if opsets == nil {
		opsets = recent
	}
	g.opset = opsets[k%len(opsets)]
	return g
}

// chance is true with probability 1/n.
func (g *gen) chance(n int) bool { return g.IntN(n) == 0 }

func pick[T any](g *gen, among ...T) T { return among[g.IntN(len(among))] }

// shape is a random shape of up to four dimensions, now and then zero.
func (g *gen) shape() []int {
	s := make([]int, g.IntN(5))
	for i := range s {
		s[i] = g.dim()
	}
	return s
}

// ranked is a random shape of at least one dimension.
func (g *gen) ranked() []int { return append(g.shape(), g.dim()) }

func (g *gen) dim() int {
	if g.chance(15) {
		return 0
	}
	return 1 + g.IntN(4)
}

// axis is a valid axis of a rank, from either end.
func (g *gen) axis(rank int) int64 {
	k := int64(g.IntN(rank))
	if g.chance(2) {
		k -= int64(rank)
	}
	return k
}

// axes are some different axes of a rank.
func (g *gen) axes(rank int) []int64 {
	var out []int64
	for _, k := range g.Perm(rank)[:g.IntN(rank+1)] {
		x := int64(k)
		if g.chance(2) {
			x -= int64(rank)
		}
		out = append(out, x)
	}
	return out
}

// narrow is a shape that broadcasts with another: some dimensions are 1, leading ones are gone.
func (g *gen) narrow(s []int) []int {
	out := slices.Clone(s[g.IntN(len(s)+1):])
	for i := range out {
		if g.chance(3) {
			out[i] = 1
		}
	}
	return out
}

// array is a random array: small integers, or numbers of a few bits around 0.
func (g *gen) array(t onnx.DataType, shape ...int) *Array {
	a := Unknown(t, shape...)
	if err := a.alloc(); err != nil {
		panic(err)
	}
	for i := range a.Ints {
		switch t {
		case onnx.Bool:
			a.Ints[i] = int64(g.IntN(2))
		case onnx.Uint8, onnx.Uint16, onnx.Uint32, onnx.Uint64:
			a.Ints[i] = int64(g.IntN(12))
		default:
			a.Ints[i] = int64(g.IntN(23)) - 11
		}
	}
	for i := range a.Floats {
		a.Floats[i] = math.Round(64*g.NormFloat64()) / 32
	}
	return a
}

// special puts numbers at the ends of the type's range into an array.
func (g *gen) special(a *Array) *Array {
	for i := range a.Floats {
		if g.chance(4) {
			a.Floats[i] = pick(g, math.Inf(1), math.Inf(-1), math.NaN(), 0, math.Copysign(0, -1), 100, -100)
		}
	}
	for i := range a.Ints {
		if g.chance(4) && a.Type != onnx.Bool {
			bits := a.Type.Bits()
			if v, err := wrap(a.Type, pick(g, int64(math.MaxInt64)>>(64-bits), math.MinInt64>>(64-bits), -1)); err == nil {
				a.Ints[i] = v
			}
		}
	}
	return a
}

// vector is a vector of int64.
func vector(x ...int64) *Array { return Ints(append([]int64{}, x...), len(x)) }

// some types.
var (
	floats  = []onnx.DataType{onnx.Float, onnx.Float, onnx.Double, onnx.Float16}
	numbers = []onnx.DataType{onnx.Int64, onnx.Int64, onnx.Int32, onnx.Float, onnx.Float, onnx.Double, onnx.Float16,
		onnx.Uint8}
	every = append([]onnx.DataType{onnx.Bool, onnx.Bool}, numbers...)
)
