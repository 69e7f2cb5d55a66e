package onnx

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
)

// msg is a message in the making: field adds records to it.
type msg []byte

func (m msg) bytes(n protowire.Number, b []byte) msg {
	return protowire.AppendBytes(protowire.AppendTag(m, n, protowire.BytesType), b)
}

func (m msg) text(n protowire.Number, s string) msg { return m.bytes(n, []byte(s)) }

func (m msg) varint(n protowire.Number, v uint64) msg {
	return protowire.AppendVarint(protowire.AppendTag(m, n, protowire.VarintType), v)
}

func (m msg) fixed32(n protowire.Number, v uint32) msg {
	return protowire.AppendFixed32(protowire.AppendTag(m, n, protowire.Fixed32Type), v)
}

// inModel wraps a graph into the least valid model.
func inModel(graph msg) []byte {
	return msg(nil).varint(1, 8).bytes(7, graph).bytes(8, msg(nil).varint(2, 17))
}

// inGraph wraps a tensor into a model as its only initialiser.
func inGraph(tensor msg) []byte { return inModel(msg(nil).bytes(5, tensor)) }

func TestDecodeReportsWhereAFileIsFaulty(t *testing.T) {
	node := func(attribute msg) msg { return msg(nil).text(4, "Relu").bytes(5, attribute) }
	deep := msg(nil)
	for range 10_000 {
		deep = msg(nil).bytes(1, msg(nil).bytes(5, msg(nil).bytes(6, deep)))
	}
	groups := bytes.Repeat([]byte{30<<3&0x7f | 0x80 | 3, 30 >> 4}, 500)
	for name, tc := range map[string]struct {
		b    []byte
		want string
	}{
		"empty": {nil, "model at byte 0: the file is empty"},
		"no graph": {
			msg(nil).varint(1, 8), "model at byte 2: not an ONNX model, or cut short: it has no graph",
		},
		"no opset":           {msg(nil).varint(1, 8).bytes(7, nil), "IR version 8 without opset_import"},
		"Git LFS pointer":    {[]byte("version https://git-lfs.github.com/spec/v1\noid sha256:00"), "Git LFS pointer"},
		"onnxruntime format": {[]byte("\x18\x00\x00\x00ORTM\x00\x00\x00\x00"), ".ort format"},
		"web page":           {[]byte("\n<!DOCTYPE html><html>"), "a web page"},
		"zip archive":        {[]byte("PK\x03\x04\x00\x00"), "a zip archive"},
		"length past the end": {
			inModel(msg(nil).bytes(1, node([]byte{0x0a, 100, 'x'}))),
			"graph.node[0].attribute[0] at byte 14: field 1: 100 bytes, but only 1 are left",
		},
		"length of 2⁶⁴-1": {
			protowire.AppendVarint([]byte{7<<3 | 2}, 1<<64-1), "18446744073709551615 bytes, but only 0 are left",
		},
		"varint of 11 bytes":   {bytes.Repeat([]byte{0x88}, 11), "variable length integer overflow"},
		"field number 0":       {[]byte{0x00, 0x01}, "field number 0 is out of range"},
		"field number too big": {protowire.AppendVarint(nil, 1<<40), "field number"},
		"wire type 7":          {[]byte{1<<3 | 7}, "field 1: wire type 7 has no place here"},
		"lonely end of group":  {[]byte{1<<3 | 4}, "field 1: wire type 4 has no place here"},
		"nesting":              {inModel(deep), "messages nest deeper than 100"},
		"nesting of groups":    {groups, "groups nest deeper than 100"},
		"group that ends as another": {
			[]byte{3<<3 | 3, 4<<3 | 4}, "group 3 ends as group 4",
		},
		"group without an end": {[]byte{3<<3 | 3, 1 << 3, 0}, "unexpected EOF"},
		"packed floats": {
			inModel(msg(nil).bytes(1, node(msg(nil).bytes(7, []byte{1, 2, 3})))), "3 bytes of packed floats are no multiple of 4",
		},
		"packed integers": {
			inModel(msg(nil).bytes(1, node(msg(nil).bytes(8, []byte{1, 0x80})))), "packed integer is malformed or cut short",
		},
		"packed tensor data": {
			inGraph(msg(nil).bytes(7, []byte{0x80})), "graph.initializer[0] at byte 8: field 7: packed",
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Decode(tc.b)
			var fault *DecodeError
			if !errors.As(err, &fault) || !strings.Contains(err.Error(), tc.want) {
				t.Fatalf("got error %v, want a DecodeError with %q", err, tc.want)
			}
		})
	}
}

func TestDecodeBoundsItsMemory(t *testing.T) {
	b := inModel(bytes.Repeat([]byte{5<<3 | 2, 0}, 2<<20)) // 4 MiB of empty initialisers: 900 MB
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := Decode(b)
	runtime.ReadMemStats(&after)
	if err == nil || !strings.Contains(err.Error(), "too many messages") {
		t.Errorf("got %v, want an error", err)
	}
	// Beside the messages there is the slice of pointers to them, which grows.
	if got, most := after.TotalAlloc-before.TotalAlloc, uint64(2*allowance(len(b))); got > most {
		t.Errorf("allocated %d bytes, want at most %d", got, most)
	}
}

func TestDecodeRefusesAFileCutAnywhere(t *testing.T) {
	for _, path := range models(t, "testdata/edge") {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		// From the end of opset_import on, a cut between two fields leaves a complete model, if one with less in it.
		whole := map[int]bool{}
		for pos, opset := 0, false; pos < len(b); {
			n, _, k := protowire.ConsumeField(b[pos:])
			pos += k
			opset = opset || n == 8
			whole[pos] = opset
		}
		for n := range len(b) {
			_, err := Decode(b[:n:n])
			var fault *DecodeError
			switch {
			case whole[n] && err != nil:
				t.Errorf("%s cut after a field, at byte %d: %v", filepath.Base(path), n, err)
			case !whole[n] && (!errors.As(err, &fault) || fault.Offset > int64(n)):
				t.Errorf("%s cut at byte %d: got %v, want an error with a place in the file", filepath.Base(path), n, err)
			}
		}
	}
}

func TestDecodeInfersMissingAttributeTypes(t *testing.T) {
	empty := msg(nil)
	for _, tc := range []struct {
		value msg
		want  AttributeType
	}{
		{empty.fixed32(2, 0), AttrFloat},
		{empty.varint(3, 0), AttrInt},
		{empty.text(4, ""), AttrString},
		{empty.bytes(5, nil), AttrTensor},
		{empty.bytes(6, nil), AttrGraph},
		{empty.fixed32(7, 0), AttrFloats},
		{empty.varint(8, 3), AttrInts},
		{empty.text(9, ""), AttrStrings},
		{empty.bytes(10, nil), AttrTensors},
		{empty.bytes(11, nil), AttrGraphs},
		{empty.bytes(14, nil), AttrType},
		{empty.bytes(15, nil), AttrTypes},
		{empty.bytes(22, nil), AttrSparseTensor},
		{empty.bytes(23, nil), AttrSparseTensors},
		{empty.text(21, "alpha"), AttrUndefined},
		{empty.varint(3, 1).varint(20, 99), 99},
	} {
		b := inModel(msg(nil).bytes(1, msg(nil).bytes(5, tc.value)))
		m, err := Decode(b)
		if err != nil {
			t.Fatal(err)
		}
		if got := m.Graph.Nodes[0].Attributes[0].Type; got != tc.want {
			t.Errorf("attribute of %x: got %v, want %v", []byte(tc.value), got, tc.want)
		}
		if again, err := m.Encode(); err != nil || !bytes.Equal(again, b) {
			t.Errorf("attribute of %x: encoded to %x, want %x (%v)", []byte(tc.value), again, b, err)
		}
	}
}

func TestDecodeMergesRepeatedMessagesAndKeepsTheLastScalar(t *testing.T) {
	shape := func(dims ...msg) msg {
		s := msg(nil)
		for _, d := range dims {
			s = s.bytes(1, d)
		}
		return msg(nil).varint(1, 1).bytes(2, s)
	}
	typ := msg(nil).bytes(1, shape(msg(nil).varint(1, 4))).bytes(1, shape(msg(nil).varint(1, 5).text(2, "n")))
	b := msg(nil).varint(1, 7).varint(1, 8).
		bytes(7, msg(nil).bytes(11, msg(nil).text(1, "x").bytes(2, typ))).
		bytes(7, msg(nil).bytes(12, msg(nil).text(1, "y").bytes(2, msg(nil).bytes(1, nil).bytes(4, nil)))).
		bytes(8, msg(nil).varint(2, 17))
	m, err := Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	if m.IRVersion != 8 {
		t.Errorf("IR version %d, want the last, 8", m.IRVersion)
	}
	if got, want := m.Graph.Inputs[0].Type.String(), "tensor(float)[4,n]"; got != want {
		t.Errorf("input %s, want %s", got, want)
	}
	if got, want := m.Graph.Outputs[0].Type.String(), "seq(unknown)"; got != want {
		t.Errorf("output %s, want %s: of a oneof the last counts", got, want)
	}
}

func TestKnownFieldsOfAnotherWireTypeAreKeptAsUnknown(t *testing.T) {
	b := inModel(msg(nil).varint(1, 5).text(2, "g"))
	m, err := Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	if len(m.Graph.Nodes) != 0 || !bytes.Equal(m.Graph.Unknown, msg(nil).varint(1, 5)) {
		t.Errorf("got nodes %v, unknown %x", m.Graph.Nodes, m.Graph.Unknown)
	}
	if again, err := m.Encode(); err != nil || !bytes.Equal(again, b) {
		t.Errorf("encoded to %x, want %x (%v)", again, b, err)
	}
}
