package onnx

import "google.golang.org/protobuf/encoding/protowire"

// packed is a repeated scalar field of a tensor as the bytes of its packed form: a view where the file has them in one
// piece.
type packed struct {
	b     []byte
	at    int64 // offset of b in the file, where whole is set
	whole bool  // b is one piece of the file
}

// count is the number of entries of a field of varints. The bytes were checked when they were decoded.
func (p packed) count() int {
	n := 0
	for _, c := range p.b {
		if c < 0x80 {
			n++
		}
	}
	return n
}

// scalars is a repeated scalar field that is packed in ONNX's schema; both forms are read, and written as they were
// read.
func scalars(c *codec, n protowire.Number, typ protowire.Type, p *packed) {
	if c.e != nil {
		encodeScalars(c, n, typ, *p)
		return
	}
	d := c.d
	if d.take(n, protowire.BytesType) {
		if !checkPacked(typ, d.payload()) {
			d.failf(d.rec.from, "field %d: packed entries are malformed or cut short", n)
			return
		}
		c.w.mark(n)
		p.whole, p.at = len(p.b) == 0, int64(d.rec.from)
		p.b = appendView(p.b, d.payload())
	} else if d.take(n, typ) {
		c.w.markForm(n)
		p.whole = false
		p.b = append(p.b, d.payload()...)
	}
}

// checkPacked tells whether b consists of whole entries of a wire type.
func checkPacked(typ protowire.Type, b []byte) bool {
	switch typ {
	case protowire.Fixed32Type:
		return len(b)%4 == 0
	case protowire.Fixed64Type:
		return len(b)%8 == 0
	}
	for len(b) > 0 {
		_, k := protowire.ConsumeVarint(b)
		if k < 0 {
			return false
		}
		b = b[k:]
	}
	return true
}

func encodeScalars(c *codec, n protowire.Number, typ protowire.Type, p packed) {
	if !c.w.otherForm(n) {
		if len(p.b) > 0 || c.w.has(n) {
			c.e.blob(n, p.b)
		}
		return
	}
	c.e.upTo(n)
	for b := p.b; len(b) > 0; {
		k := protowire.ConsumeFieldValue(n, typ, b)
		if k < 0 {
			c.e.failf("field %d: %w", n, protowire.ParseError(k))
			return
		}
		c.e.scratch = append(protowire.AppendTag(c.e.scratch[:0], n, typ), b[:k]...)
		c.e.bytes(c.e.scratch)
		b = b[k:]
	}
}
