package onnx

import (
	"fmt"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
)

// DecodeError tells where in the bytes of a model decoding failed.
type DecodeError struct {
	Path   string // the message, such as "graph.node[3].attribute[0]"; empty for the model itself
	Offset int64  // byte offset in the file
	Err    error
}

func (e *DecodeError) Error() string {
	where := e.Path
	if where == "" {
		where = "model"
	}
	return fmt.Sprintf("%s at byte %d: %v", where, e.Offset, e.Err)
}

func (e *DecodeError) Unwrap() error { return e.Err }

// Decode decodes a model. Its tensors are views of b, which must not change while they are in use. External data can
// only be resolved for a model that was opened by Open. A fault is a *DecodeError.
func Decode(b []byte) (*Model, error) { return decode(b, nil) }

func decode(b []byte, src *source) (*Model, error) {
	d := &decoder{buf: b, src: src, budget: allowance(len(b))}
	m := new(Model)
	if len(b) == 0 {
		d.failf(0, "the file is empty")
	} else if kind := foreign(b); kind != "" {
		d.failf(0, "not an ONNX model: %s", kind)
	}
	if d.err == nil {
		d.rec = record{from: 0, to: len(b)}
		d.message(&codec{d: d}, step{}, m, 0)
	}
	if d.err == nil {
		d.complete(m)
	}
	if d.err != nil {
		return nil, d.err
	}
	return m, nil
}

// allowance bounds the memory that the messages of a file of n bytes may take. A message takes two bytes of a file or
// more, and some hundred in memory, so a small file could ask for a large machine's memory. In the models that tools
// export the ratio is below 10.
func allowance(n int) int { return min(64<<20+32*n, 4<<30) }

// record is one field of a message as it stands in the file.
type record struct {
	num      protowire.Number
	typ      protowire.Type
	value    uint64 // of the varint and fixed types
	start    int    // offset of the tag
	from, to int    // offsets of the payload
	taken    bool   // by a field of the message
}

type decoder struct {
	buf    []byte
	src    *source
	path   []step
	rec    record
	budget int // bytes of memory that messages may still take
	err    error
}

// failf records the first fault, at the offset given.
func (d *decoder) failf(offset int, format string, args ...any) {
	if d.err == nil {
		d.err = &DecodeError{Path: pathString(d.path), Offset: int64(offset), Err: fmt.Errorf(format, args...)}
	}
}

// shownSteps is how many steps of a path are told at either end.
const shownSteps = 8

func pathString(path []step) string {
	var b strings.Builder
	for i, s := range path {
		switch {
		case s.name == "" || i > shownSteps && i < len(path)-shownSteps:
			continue
		case i == shownSteps && len(path) > 2*shownSteps+1:
			b.WriteString(".…")
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('.')
		}
		b.WriteString(s.name)
		if s.index >= 0 {
			fmt.Fprintf(&b, "[%d]", s.index)
		}
	}
	return b.String()
}

// take claims the record at hand for field n of the given wire type. A known field in an unexpected wire type is not
// claimed, so it is kept as an unknown one.
func (d *decoder) take(n protowire.Number, typ protowire.Type) bool {
	if d.rec.num != n || d.rec.typ != typ {
		return false
	}
	d.rec.taken = true
	return true
}

// payload is the record's bytes, clipped so that appending to it copies.
func (d *decoder) payload() []byte { return d.buf[d.rec.from:d.rec.to:d.rec.to] }

// message decodes the payload of the record at hand into m, which takes size bytes.
func (d *decoder) message(c *codec, s step, m message, size uintptr) {
	rec, w := d.rec, c.w
	d.path = append(d.path, s)
	c.w = m.wire()
	d.budget -= int(size)
	switch {
	case len(d.path) > maxDepth:
		d.failf(rec.start, "messages nest deeper than %d", maxDepth)
	case d.budget < 0:
		d.failf(rec.start, "too many messages: they take more than %d MiB of memory", allowance(len(d.buf))>>20)
	}
	for pos := rec.from; pos < rec.to && d.err == nil; pos = d.rec.to {
		if !d.next(pos, rec.to) {
			break
		}
		m.fields(c)
		if !d.rec.taken {
			c.w.Unknown = appendView(c.w.Unknown, d.buf[d.rec.start:d.rec.to:d.rec.to])
		}
	}
	if f, ok := m.(finisher); ok && d.err == nil {
		f.finish(d)
	}
	d.path = d.path[:len(d.path)-1]
	d.rec, c.w = rec, w
}

// appendView appends b to dst, which stays a view while it is the only piece.
func appendView(dst, b []byte) []byte {
	if len(dst) == 0 {
		return b
	}
	return append(dst, b...)
}

// next reads the record at pos of a message that ends at end. On a fault it returns false.
func (d *decoder) next(pos, end int) bool {
	b := d.buf[pos:end]
	tag, k := protowire.ConsumeVarint(b)
	if k < 0 {
		d.failf(pos, "field tag: %w", protowire.ParseError(k))
		return false
	}
	num, typ := protowire.DecodeTag(tag)
	if num < protowire.MinValidNumber {
		d.failf(pos, "field number %d is out of range", tag>>3)
		return false
	}
	d.rec = record{num: num, typ: typ, start: pos, from: pos + k, to: pos + k}
	b = b[k:]
	switch typ {
	case protowire.VarintType:
		d.rec.value, k = protowire.ConsumeVarint(b)
	case protowire.Fixed32Type:
		var v uint32
		v, k = protowire.ConsumeFixed32(b)
		d.rec.value = uint64(v)
	case protowire.Fixed64Type:
		d.rec.value, k = protowire.ConsumeFixed64(b)
	case protowire.BytesType:
		var n uint64
		if n, k = protowire.ConsumeVarint(b); k >= 0 {
			if n > uint64(len(b)-k) {
				d.failf(pos, "field %d: %d bytes, but only %d are left", num, n, len(b)-k)
				return false
			}
			d.rec.from += k
			k += int(n)
		}
	case protowire.StartGroupType:
		var err error
		if k, err = groupLength(num, b); err != nil {
			d.failf(pos, "field %d: %w", num, err)
			return false
		}
	default:
		d.failf(pos, "field %d: wire type %d has no place here", num, typ)
		return false
	}
	if k < 0 {
		d.failf(pos, "field %d: %w", num, protowire.ParseError(k))
		return false
	}
	d.rec.to += k
	return true
}

// groupLength is the length of the group num whose start tag stands before b, up to and with its end tag. ONNX has no
// groups: they can only be unknown fields.
func groupLength(num protowire.Number, b []byte) (int, error) {
	open := []protowire.Number{num}
	for pos := 0; ; {
		inner, typ, k := protowire.ConsumeTag(b[pos:])
		if k < 0 {
			return 0, protowire.ParseError(k)
		}
		pos += k
		switch typ {
		case protowire.StartGroupType:
			if open = append(open, inner); len(open) > maxDepth {
				return 0, fmt.Errorf("groups nest deeper than %d", maxDepth)
			}
		case protowire.EndGroupType:
			if inner != open[len(open)-1] {
				return 0, fmt.Errorf("group %d ends as group %d", open[len(open)-1], inner)
			}
			if open = open[:len(open)-1]; len(open) == 0 {
				return pos, nil
			}
		default:
			if k = protowire.ConsumeFieldValue(inner, typ, b[pos:]); k < 0 {
				return 0, protowire.ParseError(k)
			}
			pos += k
		}
	}
}

// complete refuses what parses as protobuf, but lacks what every model has: the mark of a file cut at a field's end,
// and of files that are not ONNX at all.
func (d *decoder) complete(m *Model) {
	switch {
	case m.Graph == nil:
		d.failf(len(d.buf), "not an ONNX model, or cut short: it has no graph")
	case m.IRVersion >= 3 && len(m.OpsetImport) == 0:
		d.failf(len(d.buf), "not an ONNX model, or cut short: IR version %d without opset_import", m.IRVersion)
	}
}

// foreign names other kinds of files that are often taken for ONNX models; it is empty for anything else.
func foreign(b []byte) string {
	head := string(b[:min(len(b), 64)])
	switch {
	case strings.HasPrefix(head, "version https://git-lfs"):
		return "a Git LFS pointer; fetch the file itself (git lfs pull)"
	case len(head) >= 8 && head[4:8] == "ORTM":
		return "onnxruntime's own .ort format; use the .onnx file that it was made from"
	case strings.HasPrefix(strings.ToLower(strings.TrimSpace(head)), "<!doctype html"), strings.HasPrefix(head, "<html"):
		return "a web page"
	case strings.HasPrefix(head, "PK\x03\x04"):
		return "a zip archive (a PyTorch checkpoint?)"
	}
	return ""
}
