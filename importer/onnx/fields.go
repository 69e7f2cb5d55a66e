package onnx

import (
	"math"
	"unsafe"

	"google.golang.org/protobuf/encoding/protowire"
)

// The functions below are the kinds of fields. When decoding, each takes the record at hand if its number and wire type
// are the field's own; when encoding, each writes the field where it is not its type's zero or was set explicitly.

// varint is an int64, int32 or enum field.
func varint[T ~int32 | ~int64](c *codec, n protowire.Number, p *T) {
	if c.e != nil {
		if *p != 0 || c.w.has(n) {
			c.e.varint(n, uint64(int64(*p)))
		}
		return
	}
	if c.d.take(n, protowire.VarintType) {
		*p = T(c.d.rec.value)
		c.w.mark(n)
	}
}

// float is a float field.
func float(c *codec, n protowire.Number, p *float32) {
	if c.e != nil {
		if math.Float32bits(*p) != 0 || c.w.has(n) {
			c.e.fixed32(n, math.Float32bits(*p))
		}
		return
	}
	if c.d.take(n, protowire.Fixed32Type) {
		*p = math.Float32frombits(uint32(c.d.rec.value))
		c.w.mark(n)
	}
}

// text is a string field.
func text(c *codec, n protowire.Number, p *string) {
	if c.e != nil {
		if *p != "" || c.w.has(n) {
			c.e.text(n, *p)
		}
		return
	}
	if c.d.take(n, protowire.BytesType) {
		*p = string(c.d.payload())
		c.w.mark(n)
	}
}

// blob is a bytes field; nil is absent. It is decoded as a view.
func blob(c *codec, n protowire.Number, p *[]byte) {
	if c.e != nil {
		if *p != nil {
			c.e.blob(n, *p)
		}
		return
	}
	if c.d.take(n, protowire.BytesType) {
		*p = c.d.payload()
	}
}

// texts is a repeated string field.
func texts(c *codec, n protowire.Number, p *[]string) {
	if c.e != nil {
		for _, s := range *p {
			c.e.text(n, s)
		}
		return
	}
	if c.d.take(n, protowire.BytesType) {
		*p = append(*p, string(c.d.payload()))
	}
}

// blobs is a repeated bytes field. The elements are decoded as views.
func blobs(c *codec, n protowire.Number, p *[][]byte) {
	if c.e != nil {
		for _, b := range *p {
			c.e.blob(n, b)
		}
		return
	}
	if c.d.take(n, protowire.BytesType) {
		*p = append(*p, c.d.payload())
	}
}

// ints is a repeated int64 field, not packed in ONNX's schema; both forms are read, and written as they were read.
func ints(c *codec, n protowire.Number, p *[]int64) {
	if c.e != nil {
		c.e.ints(n, *p, c.w)
		return
	}
	d := c.d
	if d.take(n, protowire.VarintType) {
		*p = append(*p, int64(d.rec.value))
	} else if d.take(n, protowire.BytesType) {
		c.w.mark(n)
		c.w.markForm(n)
		for b := d.payload(); len(b) > 0; {
			v, k := protowire.ConsumeVarint(b)
			if k < 0 {
				d.failf(d.rec.to-len(b), "field %d: packed integer is malformed or cut short", n)
				return
			}
			*p = append(*p, int64(v))
			b = b[k:]
		}
	}
}

// floats is a repeated float field, not packed in ONNX's schema; both forms are read, and written as they were read.
func floats(c *codec, n protowire.Number, p *[]float32) {
	if c.e != nil {
		c.e.floats(n, *p, c.w)
		return
	}
	d := c.d
	if d.take(n, protowire.Fixed32Type) {
		*p = append(*p, math.Float32frombits(uint32(d.rec.value)))
	} else if d.take(n, protowire.BytesType) {
		c.w.mark(n)
		c.w.markForm(n)
		b := d.payload()
		if len(b)%4 != 0 {
			d.failf(d.rec.from, "field %d: %d bytes of packed floats are no multiple of 4", n, len(b))
			return
		}
		for ; len(b) > 0; b = b[4:] {
			v, _ := protowire.ConsumeFixed32(b)
			*p = append(*p, math.Float32frombits(v))
		}
	}
}

// one is a message field; nil is absent. A second record is merged into the first, as protobuf has it.
func one[T any, P messagePtr[T]](c *codec, n protowire.Number, name string, p *P) {
	if c.e != nil {
		if *p != nil {
			c.e.message(c, n, step{name, -1}, *p)
		}
		return
	}
	if c.d.take(n, protowire.BytesType) {
		if *p == nil {
			*p = new(T)
		}
		c.d.message(c, step{name, -1}, *p, unsafe.Sizeof(*new(T)))
	}
}

// list is a repeated message field whose elements are held by pointer.
func list[T any, P messagePtr[T]](c *codec, n protowire.Number, name string, p *[]P) {
	if c.e != nil {
		for i, m := range *p {
			if m == nil {
				c.e.failf("%s[%d] is nil", name, i)
				return
			}
			c.e.message(c, n, step{name, i}, m)
		}
		return
	}
	if c.d.take(n, protowire.BytesType) {
		m := P(new(T))
		*p = append(*p, m)
		c.d.message(c, step{name, len(*p) - 1}, m, unsafe.Sizeof(*m))
	}
}

// values is a repeated message field whose elements are held by value.
func values[T any, P messagePtr[T]](c *codec, n protowire.Number, name string, p *[]T) {
	if c.e != nil {
		for i := range *p {
			c.e.message(c, n, step{name, i}, P(&(*p)[i]))
		}
		return
	}
	if c.d.take(n, protowire.BytesType) {
		var m T
		c.d.message(c, step{name, len(*p)}, P(&m), unsafe.Sizeof(m))
		*p = append(*p, m)
	}
}
