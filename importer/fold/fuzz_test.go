package fold

import (
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/seed-aefebe89/graft/importer/onnx"
)

// source reads choices from a fuzzer's bytes; after their end everything is 0.
type source struct{ b []byte }

func (s *source) byte() byte {
	if len(s.b) == 0 {
		return 0
	}
	v := s.b[0]
	s.b = s.b[1:]
	return v
}

// int is a small number mostly, and one at the ends of the range for the last few bytes.
func (s *source) int() int64 {
	switch v := s.byte(); v {
	case 255:
		return math.MaxInt64
	case 254:
		return math.MinInt64
	case 253:
		return math.MaxInt32
	case 252:
		return 1 << 20
	case 251:
		return math.MinInt32
	default:
		return int64(v%16) - 5
	}
}

func (s *source) array() *Array {
	kind := s.byte()
	if kind == 0 {
		return nil
	}
	types := []onnx.DataType{onnx.Int64, onnx.Float, onnx.Bool, onnx.Int32, onnx.Double, onnx.Float16, onnx.Uint8,
		onnx.Uint64, onnx.String}
	a := Unknown(types[int(kind)%len(types)])
	for range s.byte() % 5 {
		d := int(s.byte() % 6)
		if d == 5 {
			d = int(s.int())
		}
		a.Shape = append(a.Shape, d)
	}
	if kind >= 128 || checkShape(a.Shape) != nil || a.Size() > 256 {
		return a
	}
	if a.alloc() != nil {
		return a
	}
	for i := range a.Ints {
		a.Ints[i], _ = wrap(a.Type, s.int())
	}
	for i := range a.Floats {
		a.Floats[i] = round(a.Type, []float64{0, 1, -1.5, math.NaN(), math.Inf(1), math.Inf(-1), 1e30, 3}[s.byte()%8])
	}
	return a
}

func clone(a *Array) *Array {
	if a == nil {
		return nil
	}
	return &Array{a.Type, slices.Clone(a.Shape), slices.Clone(a.Ints), slices.Clone(a.Floats)}
}

// words are what attributes of operators hold, and what they do not.
var words = []string{"", "tanh", "constant", "reflect", "edge", "wrap", "add", "mul", "max", "ij,jk->ik", "i...,...j", "ii->i", "a,a,b->",
	"->", "LEFT", "RIGHT", "CRD", "SAME_UPPER", "SAME_LOWER", "VALID"}

// FuzzOperators applies random operators to random arrays: there is an error or an answer that holds together, which
// is the same the second time, and the inputs stay as they are.
func FuzzOperators(f *testing.F) {
	keys := slices.SortedFunc(maps.Keys(operators), func(a,
		b opKey) int {
		return strings.Compare(a.domain+a.op, b.domain+b.op)
	})
	names := slices.Sorted(maps.Keys(attributeTypes))
	for i := range keys {
		f.Add([]byte{byte(i), 17, 2, 3, 1, 2, 1, 1, 2, 9, 1, 2, 6, 7, 2, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9})
		for w := range words {
			f.Add([]byte{byte(i), 23, 2, 1, byte(9 * w), 1, 2, 3, byte(w), 3, 1, 2, 3, 1, 2, 9, 1, 2, 6, 7, 2, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9})
		}
		f.Add([]byte{byte(i), 11, 0, 2, 2, 1, 3, 1, 2, 3, 1, 0, 2, 1})
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		s := &source{b}
		k := keys[int(s.byte())%len(keys)]
		opset := int64(s.byte() % 26)
		n := &onnx.Node{OpType: k.op, Domain: k.domain, Outputs: []string{"a", "b", "c"}[:s.byte()%4]}
		for range s.byte() % 4 {
			a := &onnx.Attribute{Name: names[int(s.byte())%len(names)]}
			a.Type = attributeTypes[a.Name]
			if v := s.byte(); v > 250 {
				a.Type = onnx.AttributeType(v - 250)
			}
			a.I, a.F = s.int(), float32(s.int())
			a.S = []byte(words[int(s.byte())%len(words)])
			for range s.byte() % 4 {
				a.Ints = append(a.Ints, s.int())
			}
			if a.Type == onnx.AttrTensor {
				a.T = &onnx.Tensor{Type: onnx.DataType(s.byte() % 20), Dims: a.Ints}
			}
			n.Attributes = append(n.Attributes, a)
		}
		c := Call{Node: n}
		for range s.byte() % 6 {
			c.In = append(c.In, s.array())
		}
		fn, err := Lookup(n, opset)
		if err != nil {
			return
		}
		before := each(c.In, clone)
		out, err := fn(c)
		again, err2 := fn(c)
		if (err == nil) != (err2 == nil) || len(out) != len(again) {
			t.Fatalf("%v, then %v", err, err2)
		}
		for i, a := range out {
			if err := a.check(); err != nil {
				t.Errorf("output %d: %v", i, err)
			}
			if a.Type != again[i].Type || a.Known() != again[i].Known() || differs(a, again[i]) != "" {
				t.Errorf("output %d is %v, then %v", i, a, again[i])
			}
		}
		for i, a := range c.In {
			if a != nil && (a.Type != before[i].Type || differs(a, before[i]) != "") {
				t.Errorf("input %d changed from %v to %v", i, before[i], a)
			}
		}
	})
}
