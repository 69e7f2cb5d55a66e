package onnx

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// Encode encodes the model: fields in the order of their numbers, unknown ones among them by theirs. The same model
// gives the same bytes. A model that would take 2 GiB or more is refused, since no protobuf reader takes it: its
// tensors have to move to external data.
func (m *Model) Encode() ([]byte, error) {
	e := new(encoder)
	if err := e.measure(m); err != nil {
		return nil, err
	}
	b := bytes.NewBuffer(make([]byte, 0, e.n))
	if _, err := e.write(m, b); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// WriteTo writes what Encode returns to w, without a copy of it in memory: tensor data goes from where it is (the
// mapped file, say) to w. It returns the number of bytes written.
func (m *Model) WriteTo(w io.Writer) (int64, error) {
	e := new(encoder)
	if err := e.measure(m); err != nil {
		return 0, err
	}
	return e.write(m, w)
}

// encoder goes through a model twice: first to measure every message, then to write, where each length stands before
// its message.
type encoder struct {
	out     *bufio.Writer // nil while measuring
	n       int64         // bytes so far
	sizes   []int64       // of the messages, in the order in which they begin
	path    []step
	unknown []byte // records of the message at hand that are still to be written
	scratch []byte
	err     error
}

func (e *encoder) measure(m *Model) error {
	e.root(m)
	if e.err == nil && e.n > math.MaxInt32 {
		e.err = fmt.Errorf("encoding: the model takes %d bytes, and a protobuf file at most %d: "+
			"keep large tensors as external data", e.n, math.MaxInt32)
	}
	return e.err
}

func (e *encoder) write(m *Model, w io.Writer) (int64, error) {
	count := &counter{w: w}
	e.out, e.n = bufio.NewWriterSize(count, 1<<16), 0
	e.root(m)
	if err := e.out.Flush(); e.err == nil && err != nil {
		e.err = fmt.Errorf("writing the model: %w", err)
	}
	return count.n, e.err
}

// counter counts what reaches w.
type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.n += int64(n)
	return n, err
}

func (e *encoder) failf(format string, args ...any) {
	if e.err == nil {
		e.err = fmt.Errorf("encoding %s: %w", pathString(e.path), fmt.Errorf(format, args...))
	}
}

func (e *encoder) root(m *Model) {
	c := &codec{e: e, w: m.wire()}
	e.unknown = m.Unknown
	m.fields(c)
	e.rest()
}

// message writes m as field n.
func (e *encoder) message(c *codec, n protowire.Number, s step, m message) {
	if e.err != nil {
		return
	}
	if len(e.path) >= maxDepth {
		e.failf("messages nest deeper than %d", maxDepth)
		return
	}
	e.upTo(n)
	w, unknown := c.w, e.unknown
	e.path = append(e.path, s)
	c.w, e.unknown = m.wire(), m.wire().Unknown
	if e.out == nil {
		i, before := len(e.sizes), e.n
		e.sizes = append(e.sizes, 0)
		m.fields(c)
		e.rest()
		size := e.n - before
		e.sizes[i] = size
		e.n += int64(protowire.SizeTag(n) + protowire.SizeVarint(uint64(size)))
	} else {
		size := e.sizes[0]
		e.sizes = e.sizes[1:]
		e.head(n, protowire.BytesType, uint64(size))
		m.fields(c)
		e.rest()
	}
	e.path = e.path[:len(e.path)-1]
	c.w, e.unknown = w, unknown
}

// upTo writes the leading unknown records whose numbers are below n, so that a file in field order stays in order.
func (e *encoder) upTo(n protowire.Number) {
	for len(e.unknown) > 0 && e.err == nil {
		num, typ, k := protowire.ConsumeTag(e.unknown)
		if k >= 0 {
			if num >= n {
				return
			}
			if typ == protowire.StartGroupType {
				length, err := groupLength(num, e.unknown[k:])
				if err != nil {
					e.failf("unknown field %d: %w", num, err)
					return
				}
				k += length
			} else if v := protowire.ConsumeFieldValue(num, typ, e.unknown[k:]); v < 0 {
				k = v
			} else {
				k += v
			}
		}
		if k < 0 {
			e.failf("unknown fields: %w", protowire.ParseError(k))
			return
		}
		e.bytes(e.unknown[:k])
		e.unknown = e.unknown[k:]
	}
}

// rest writes what is left of the unknown records at a message's end.
func (e *encoder) rest() { e.upTo(protowire.MaxValidNumber + 1) }

// bytes writes b as it stands.
func (e *encoder) bytes(b []byte) {
	e.n += int64(len(b))
	if e.out != nil && e.err == nil {
		if _, err := e.out.Write(b); err != nil {
			e.err = fmt.Errorf("writing the model: %w", err)
		}
	}
}

// head writes a tag, and the value that follows it: a number or a length.
func (e *encoder) head(n protowire.Number, typ protowire.Type, v uint64) {
	e.scratch = protowire.AppendVarint(protowire.AppendTag(e.scratch[:0], n, typ), v)
	e.bytes(e.scratch)
}

func (e *encoder) varint(n protowire.Number, v uint64) {
	e.upTo(n)
	e.head(n, protowire.VarintType, v)
}

func (e *encoder) fixed32(n protowire.Number, v uint32) {
	e.upTo(n)
	e.scratch = protowire.AppendFixed32(protowire.AppendTag(e.scratch[:0], n, protowire.Fixed32Type), v)
	e.bytes(e.scratch)
}

func (e *encoder) blob(n protowire.Number, b []byte) {
	e.upTo(n)
	e.head(n, protowire.BytesType, uint64(len(b)))
	e.bytes(b)
}

func (e *encoder) text(n protowire.Number, s string) {
	e.upTo(n)
	e.head(n, protowire.BytesType, uint64(len(s)))
	e.n += int64(len(s))
	if e.out != nil && e.err == nil {
		if _, err := e.out.WriteString(s); err != nil {
			e.err = fmt.Errorf("writing the model: %w", err)
		}
	}
}

func (e *encoder) ints(n protowire.Number, p []int64, w *Wire) {
	if !w.otherForm(n) {
		for _, v := range p {
			e.varint(n, uint64(v))
		}
		return
	}
	if len(p) == 0 && !w.has(n) {
		return
	}
	var b []byte
	for _, v := range p {
		b = protowire.AppendVarint(b, uint64(v))
	}
	e.blob(n, b)
}

func (e *encoder) floats(n protowire.Number, p []float32, w *Wire) {
	if !w.otherForm(n) {
		for _, v := range p {
			e.fixed32(n, math.Float32bits(v))
		}
		return
	}
	if len(p) == 0 && !w.has(n) {
		return
	}
	b := make([]byte, 0, 4*len(p))
	for _, v := range p {
		b = protowire.AppendFixed32(b, math.Float32bits(v))
	}
	e.blob(n, b)
}
