package onnx

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"
)

// filled sets every exported field below v, down to a depth, each to a value of its own.
func filled(v reflect.Value, depth int, next *int) {
	*next++
	switch v.Kind() {
	case reflect.String:
		v.SetString(fmt.Sprint("s", *next))
	case reflect.Int32:
		v.SetInt(1)
	case reflect.Int64:
		v.SetInt(int64(*next))
	case reflect.Float32:
		v.SetFloat(float64(*next) / 4)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Uint8:
		v.SetUint(uint64(*next % 256))
	case reflect.Pointer:
		if depth > 0 {
			v.Set(reflect.New(v.Type().Elem()))
			filled(v.Elem(), depth-1, next)
		}
	case reflect.Slice:
		elem := v.Type().Elem()
		if elem.Kind() == reflect.Pointer && depth == 0 {
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range 2 {
			filled(v.Index(i), depth, next)
		}
	case reflect.Struct:
		filledStruct(v, depth, next)
	}
}

func filledStruct(v reflect.Value, depth int, next *int) {
	for i := range v.NumField() {
		if f := v.Type().Field(i); f.IsExported() && f.Type != reflect.TypeFor[Wire]() {
			filled(v.Field(i), depth, next)
		}
	}
	// Where at most one field can be set, one is.
	switch x := v.Addr().Interface().(type) {
	case *Type:
		keep := *next % 6
		for i, p := range []reflect.Value{v.Field(0), v.Field(1), v.Field(2), v.Field(3), v.Field(4), v.Field(5)} {
			if i != keep {
				p.SetZero()
			}
		}
	case *Dim:
		if x.Known = *next%2 == 0; x.Known {
			x.Param = ""
		} else {
			x.Value = 0
		}
	case *SimpleShardedDim:
		if x.Known = *next%2 == 0; x.Known {
			x.Param = ""
		} else {
			x.Value = 0
		}
	}
}

// full is a model in which every field of every message is set somewhere.
func full() *Model {
	m, next := new(Model), 0
	filled(reflect.ValueOf(m).Elem(), 7, &next)
	return m
}

// visit calls f with every message below v.
func visit(v reflect.Value, f func(reflect.Value)) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			visit(v.Elem(), f)
		}
	case reflect.Slice:
		for i := range v.Len() {
			visit(v.Index(i), f)
		}
	case reflect.Struct:
		if _, ok := v.Type().FieldByName("Wire"); ok {
			f(v)
		}
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				visit(v.Field(i), f)
			}
		}
	}
}

// sameExported compares two values by their exported fields.
func sameExported(a, b reflect.Value) error {
	switch a.Kind() {
	case reflect.Pointer:
		if a.IsNil() || b.IsNil() {
			if a.IsNil() != b.IsNil() {
				return fmt.Errorf("%v: %v, want %v", a.Type(), b, a)
			}
			return nil
		}
		return sameExported(a.Elem(), b.Elem())
	case reflect.Slice:
		if a.Len() != b.Len() {
			return fmt.Errorf("%v: %d elements, want %d", a.Type(), b.Len(), a.Len())
		}
		for i := range a.Len() {
			if err := sameExported(a.Index(i), b.Index(i)); err != nil {
				return fmt.Errorf("[%d] %w", i, err)
			}
		}
		return nil
	case reflect.Struct:
		for i := range a.NumField() {
			if f := a.Type().Field(i); f.IsExported() {
				if err := sameExported(a.Field(i), b.Field(i)); err != nil {
					return fmt.Errorf("%v.%s %w", a.Type(), f.Name, err)
				}
			}
		}
		return nil
	}
	if !a.Equal(b) {
		return fmt.Errorf("%v, want %v", b, a)
	}
	return nil
}

func TestEveryFieldOfEveryMessageSurvives(t *testing.T) {
	m := full()
	messages := map[reflect.Type]bool{}
	visit(reflect.ValueOf(m), func(v reflect.Value) { messages[v.Type()] = true })
	if len(messages) != 26 {
		t.Errorf("the model holds %d kinds of messages, want all 26", len(messages))
	}
	b, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	again, err := Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	if err := sameExported(reflect.ValueOf(m), reflect.ValueOf(again)); err != nil {
		t.Error(err)
	}
	if c, err := again.Encode(); err != nil || !bytes.Equal(b, c) {
		t.Errorf("encoding the decoded model gives other bytes (%v)", err)
	}
}

func TestUnknownFieldsOfEveryMessageSurvive(t *testing.T) {
	m := full()
	nextNumber := uint64(0)
	visit(reflect.ValueOf(m), func(v reflect.Value) {
		nextNumber++
		// Low and high numbers that no message uses, a group, and a field beyond the range of presence bits.
		u := msg(nil).varint(17, nextNumber).text(18, "unknown").fixed32(29, 7)
		u = append(u, 30<<3&0x7f|0x80|3, 30>>4, 1<<3, 5, 30<<3&0x7f|0x80|4, 30>>4)
		u = u.bytes(31, nil).varint(500_000, 1)
		v.Addr().Interface().(message).wire().Unknown = u
	})
	b, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	again, err := Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	if err := sameExported(reflect.ValueOf(m), reflect.ValueOf(again)); err != nil {
		t.Error(err)
	}
	if c, err := again.Encode(); err != nil || !bytes.Equal(b, c) {
		t.Errorf("encoding the decoded model gives other bytes (%v)", err)
	}
}

func TestExplicitDefaultsSurvive(t *testing.T) {
	tensor := msg(nil).bytes(1, nil).varint(2, 0).bytes(4, nil).text(8, "").bytes(9, nil).varint(14, 0)
	attribute := msg(nil).text(1, "").fixed32(2, 0).varint(3, 0).text(4, "").bytes(7, nil).bytes(8, nil).varint(20, 0)
	info := msg(nil).text(1, "").bytes(2, msg(nil).bytes(1, msg(nil).varint(1, 0).bytes(2, msg(nil).
		bytes(1, nil).bytes(1, msg(nil).varint(1, 0)).bytes(1, msg(nil).text(2, "")))))
	graph := msg(nil).bytes(1, msg(nil).text(1, "").text(3, "").bytes(5, attribute)).text(2, "").
		bytes(5, tensor).bytes(11, info)
	b := msg(nil).varint(1, 0).text(2, "").varint(5, 0).bytes(7, graph).bytes(8, msg(nil).text(1, "").varint(2, 0))
	m, err := Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := m.Encode(); err != nil || !bytes.Equal(again, b) {
		t.Errorf("encoded to\n%x, want\n%x (%v)", again, []byte(b), err)
	}
}

func TestRepeatedScalarsKeepTheirForm(t *testing.T) {
	minus1 := []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1}
	for name, graph := range map[string]msg{
		"dims":            msg(nil).bytes(5, msg(nil).varint(1, 2).varint(1, 300).varint(2, 1)),
		"packed dims":     msg(nil).bytes(5, msg(nil).bytes(1, []byte{2, 0xac, 2}).varint(2, 1)),
		"int32_data":      msg(nil).bytes(5, msg(nil).varint(1, 2).varint(2, 6).bytes(5, append([]byte{7}, minus1...))),
		"loose int32":     msg(nil).bytes(5, msg(nil).varint(1, 2).varint(2, 6).varint(5, 7).varint(5, 1<<64-1)),
		"loose floats":    msg(nil).bytes(5, msg(nil).varint(1, 2).varint(2, 1).fixed32(4, 1).fixed32(4, 2)),
		"attribute ints":  msg(nil).bytes(1, msg(nil).bytes(5, msg(nil).varint(8, 1).varint(8, 1<<63))),
		"packed ints":     msg(nil).bytes(1, msg(nil).bytes(5, msg(nil).bytes(8, append([]byte{1}, minus1...)))),
		"packed floats":   msg(nil).bytes(1, msg(nil).bytes(5, msg(nil).bytes(7, []byte{0, 0, 0, 0, 1, 2, 3, 4}))),
		"attribute float": msg(nil).bytes(1, msg(nil).bytes(5, msg(nil).fixed32(7, 0x7fc00001).fixed32(7, 1))),
	} {
		b := inModel(graph)
		m, err := Decode(b)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := m.Encode(); err != nil || !bytes.Equal(again, b) {
			t.Errorf("%s: encoded to\n%x, want\n%x (%v)", name, again, b, err)
		}
	}
}

func TestEncodeRefusesWhatItCannotWrite(t *testing.T) {
	cyclic := &Graph{Nodes: []*Node{{OpType: "If", Attributes: []*Attribute{{Name: "then_branch", Type: AttrGraph}}}}}
	cyclic.Nodes[0].Attributes[0].G = cyclic
	tensor := func(n int64, write func(io.Writer) error) *Graph {
		x, err := NewLazyTensor("w", Float, []int64{n}, write)
		if err != nil {
			t.Fatal(err)
		}
		return &Graph{Initializers: []*Tensor{x}}
	}
	for name, tc := range map[string]struct {
		graph *Graph
		want  string
	}{
		"a graph in itself":     {cyclic, "messages nest deeper than 100"},
		"a nil node":            {&Graph{Nodes: []*Node{{}, nil}}, "encoding graph: node[1] is nil"},
		"broken unknown fields": {&Graph{Wire: Wire{Unknown: []byte{0x0a}}}, "encoding graph: unknown fields"},
		"2 GiB inline": {
			tensor(1<<29, func(io.Writer) error { return nil }), "keep large tensors as external data",
		},
		"a writer that fails": {
			tensor(4, func(io.Writer) error { return io.ErrNoProgress }), io.ErrNoProgress.Error(),
		},
		"a writer of too little": {tensor(4, func(io.Writer) error { return nil }), "its writer gave 0 bytes, want 16"},
		"negative dims when lazy": {
			&Graph{Initializers: []*Tensor{{Dims: []int64{-1}, lazy: func(io.Writer) error { return nil }}}},
			"dimension 0 is -1",
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := &Model{IRVersion: 8, Graph: tc.graph, OpsetImport: []OperatorSet{{Version: 17}}}
			if _, err := m.Encode(); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("Encode: %v, want an error with %q", err, tc.want)
			}
			if _, err := m.WriteTo(io.Discard); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("WriteTo: %v, want an error with %q", err, tc.want)
			}
		})
	}
}

// failing is a writer that takes some bytes and then fails.
type failing int

func (f *failing) Write(b []byte) (int, error) {
	if n := min(len(b), int(*f)); n < len(b) {
		*f = 0
		return n, errors.New("the disk is full")
	}
	*f -= failing(len(b))
	return len(b), nil
}

func TestWriteToReportsTheWritersError(t *testing.T) {
	m := full()
	m.DocString = strings.Repeat("x", 1<<20)
	f := failing(1000)
	n, err := m.WriteTo(&f)
	if n != 1000 || err == nil || !strings.Contains(err.Error(), "the disk is full") {
		t.Errorf("got %d, %v; want 1000 bytes and the writer's error", n, err)
	}
}

func TestNewAttributesWriteTheirValueEvenIfZero(t *testing.T) {
	for _, a := range []*Attribute{
		{Name: "a", Type: AttrInt}, {Name: "a", Type: AttrFloat}, {Name: "a", Type: AttrString},
	} {
		m := &Model{IRVersion: 8, OpsetImport: []OperatorSet{{Version: 17}},
			Graph: &Graph{Nodes: []*Node{{OpType: "Op", Attributes: []*Attribute{a}}}}}
		b, err := m.Encode()
		if err != nil {
			t.Fatal(err)
		}
		again, err := Decode(b)
		if err != nil {
			t.Fatal(err)
		}
		x := again.Graph.Nodes[0].Attributes[0]
		if x.infer() != a.Type {
			t.Errorf("a new attribute of type %v and value zero is read without its value", a.Type)
		}
		// The other way: a decoded attribute without its value field stays so.
		x.Wire, x.S = Wire{present: 1 << attrType}, nil
		if y := x.explicit(); y.infer() != AttrUndefined {
			t.Errorf("a decoded attribute of type %v without a value gained one", a.Type)
		}
	}
}
