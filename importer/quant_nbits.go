package importer

import (
	"fmt"
	"io"

	"github.com/seed-aefebe89/graft/importer/onnx"
)

// matMulNBits replaces com.microsoft.MatMulNBits: a weight of N columns of K numbers each, in blocks with a scale and a
// zero point, packed in few bits.
func (q *dequantiser) matMulNBits(e *emitter, n *onnx.Node) error {
	if err := e.need(3); err != nil {
		return err
	}
	if e.input(4) != "" {
		return fmt.Errorf("graft does not know its group index %q", e.input(4))
	}
	w := &nBits{k: int(e.intOr("K", 0)), n: int(e.intOr("N", 0)), bits: int(e.intOr("bits", 4)), block: int(e.intOr("block_size", 0)),
		b: q.x.inits[n.Inputs[1]], scale: q.x.inits[n.Inputs[2]], zero: q.x.inits[e.input(3)]}
	if err := w.check(e.input(3) != ""); err != nil {
		return err
	}
	name, err := q.add(n.Inputs[1]+"\x00"+n.Inputs[2], n.Inputs[1], []int64{int64(w.k), int64(w.n)}, w.write)
	if err != nil {
		return err
	}
	e.product(n.Outputs[0], n.Name, n.Inputs[0], name, e.input(5))
	return nil
}

// nBits is a weight of MatMulNBits.
type nBits struct {
	k, n, bits, block int
	b                 *onnx.Tensor // uint8 [n, blocks, block·bits/8]
	scale             *onnx.Tensor // [n, blocks], flat or not
	zero              *onnx.Tensor // nil for the middle; packed like b, each column from a byte on, or floating-point as scale
}

func (w *nBits) blocks() int { return (w.k + w.block - 1) / w.block }

// zeroBytes is the number of bytes of a column's packed zero points.
func (w *nBits) zeroBytes() int { return (w.blocks()*w.bits + 7) / 8 }

func (w *nBits) check(zero bool) error {
	const most = 1 << 24
	switch {
	case w.b == nil || w.scale == nil || zero && w.zero == nil:
		return fmt.Errorf("its weight, scales or zero points are none of the model's")
	case w.bits != 2 && w.bits != 4 && w.bits != 8:
		return fmt.Errorf("graft does not know weights of %d bits", w.bits)
	case w.k <= 0 || w.n <= 0 || w.k > most || w.n > most || w.block < 16 || w.block > most || w.block&(w.block-1) != 0:
		return fmt.Errorf("its weight is %d × %d in blocks of %d", w.k, w.n, w.block)
	case w.b.Type != onnx.Uint8 || !isFloat(w.scale.Type):
		return fmt.Errorf("its weight is %v and its scales %v, want uint8 and floating-point numbers", w.b.Type, w.scale.Type)
	}
	for _, x := range []struct {
		t    *onnx.Tensor
		want int
	}{{w.b, w.n * w.blocks() * w.block * w.bits / 8}, {w.scale, w.n * w.blocks()}} {
		if have, err := x.t.Len(); err != nil || have != x.want {
			return fmt.Errorf("%q has %d elements, want %d (%v)", x.t.Name, have, x.want, err)
		}
	}
	if w.zero == nil {
		return nil
	}
	want := w.n * w.zeroBytes()
	if isFloat(w.zero.Type) {
		want = w.n * w.blocks()
	} else if w.zero.Type != onnx.Uint8 {
		return fmt.Errorf("its zero points are %v", w.zero.Type)
	}
	if have, err := w.zero.Len(); err != nil || have != want {
		return fmt.Errorf("%q has %d elements, want %d (%v)", w.zero.Name, have, want, err)
	}
	return nil
}

// write makes the matrix [k, n], row by row.
func (w *nBits) write(out io.Writer) error {
	b, err := w.b.Bytes()
	if err != nil {
		return err
	}
	scale, err := w.scale.Float32s()
	if err != nil {
		return err
	}
	zero, err := w.zeros()
	if err != nil {
		return err
	}
	blocks, column := w.blocks(), w.blocks()*w.block*w.bits/8
	row := make([]float32, w.n)
	for k := range w.k {
		for j := range row {
			at := j*blocks + k/w.block
			row[j] = (float32(bitsAt(b[j*column:], k, w.bits)) - zero[at]) * scale[at]
		}
		if err := onnx.WriteFloat32s(out, row); err != nil {
			return err
		}
	}
	return nil
}

// zeros are the zero points of all blocks.
func (w *nBits) zeros() ([]float32, error) {
	out := make([]float32, w.n*w.blocks())
	if w.zero == nil {
		for i := range out {
			out[i] = float32(int(1) << (w.bits - 1))
		}
		return out, nil
	}
	if isFloat(w.zero.Type) {
		return w.zero.Float32s()
	}
	b, err := w.zero.Bytes()
	if err != nil {
		return nil, err
	}
	for i := range out {
		out[i] = float32(bitsAt(b[i/w.blocks()*w.zeroBytes():], i%w.blocks(), w.bits))
	}
	return out, nil
}

// bitsAt is number i of numbers of 2, 4 or 8 bits, packed from the lowest bits.
func bitsAt(b []byte, i, bits int) byte {
	return b[i*bits/8] >> (i * bits % 8) & (1<<bits - 1)
}
