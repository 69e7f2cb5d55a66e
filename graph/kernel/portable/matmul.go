package portable

import "github.com/seed-aefebe89/graft/graph/kernel"

// Blocks of the product. A tile's 2·4 sums, four columns and one row fit the sixteen registers that the compiler has on
// amd64; 4·4 sums spill and take twice as long. blockK by a strip of tileCols stays in the first cache, blockM by
// blockK in the second; the right operand is packed blockN columns at a time.
const (
	tileRows = 2
	tileCols = 4
	blockM   = 128
	blockN   = 512
	blockK   = 256
)

// A view is a matrix in place: element (i, j) is x[i*row+j*col]. Swapping row and col transposes it.
type view struct {
	x        []float32
	row, col int
}

// from is the part of v that starts at element (i, j).
func (v view) from(i, j int) view { return view{v.x[min(i*v.row+j*v.col, len(v.x)):], v.row, v.col} }

// transposed returns v with rows and columns exchanged.
func (v view) transposed() view { return view{v.x, v.col, v.row} }

// viewOf returns op(t) with cols columns stored in each row of t.
func viewOf(t kernel.Tensor, trans bool, cols int) view {
	if trans {
		return view{t.F32, 1, cols}
	}
	return view{t.F32, cols, 1}
}

// MatMul implements kernel.Kernels.
func (p *kernels) MatMul(out, a, b kernel.Tensor, o kernel.MatMul) {
	m, n := out.Rows(), out.Cols()
	k := a.Cols()
	if o.TransA {
		k = a.Rows()
	}
	alpha := o.Alpha
	if alpha == 0 {
		alpha = 1
	}
	if !o.Accumulate {
		for i := range m {
			row := out.F32[i*n : i*n+n]
			if o.Bias.Empty() {
				clear(row)
			} else {
				copy(row, o.Bias.F32)
			}
		}
	}
	x, y := viewOf(a, o.TransA, a.Cols()), viewOf(b, o.TransB, b.Cols())
	p.multiplyPacked(m, n, k, alpha, x, y, bf16(b, o.TransB), view{out.F32, n, 1})
}

// BatchMatMul implements kernel.Kernels.
func (p *kernels) BatchMatMul(out, a, b kernel.Tensor, o kernel.MatMul) {
	EachMatrix(out, a, b, func(out, a, b kernel.Tensor) { p.MatMul(out, a, b, o) })
}

// EachMatrix calls multiply for the matrices of three operands of three dimensions.
func EachMatrix(out, a, b kernel.Tensor, multiply func(out, a, b kernel.Tensor)) {
	at := func(x kernel.Tensor, i int) kernel.Tensor {
		n := x.Shape[1] * x.Shape[2]
		return kernel.F32(x.F32[i*n:i*n+n], x.Shape[1:]...)
	}
	for i := range out.Shape[0] {
		multiply(at(out, i), at(a, i), at(b, i))
	}
}

// multiply adds alpha·a[m,k]·b[k,n] to c, whose columns are adjacent.
func (p *kernels) multiply(m, n, k int, alpha float32, a, b, c view) {
	p.multiplyPacked(m, n, k, alpha, a, b, nil, c)
}

// multiplyPacked is multiply where packed, if it is not nil, is b in bfloat16: a is rounded then.
func (p *kernels) multiplyPacked(m, n, k int, alpha float32, a, b view, packed *layout, c view) {
	if m == 0 || n == 0 || k == 0 {
		return
	}
	panels := grow(&p.panels, (blockM+blockN)*blockK)
	packedA, packedB := panels[:blockM*blockK], panels[blockM*blockK:]
	for j0 := 0; j0 < n; j0 += blockN {
		nc := min(blockN, n-j0)
		for k0 := 0; k0 < k; k0 += blockK {
			kc := min(blockK, k-k0)
			if packed != nil {
				packed.packColumns(packedB, nc, kc, tileCols, k0, j0)
			} else {
				pack(packedB, nc, kc, tileCols, b.from(k0, j0).transposed())
			}
			for i0 := 0; i0 < m; i0 += blockM {
				mc := min(blockM, m-i0)
				pack(packedA, mc, kc, tileRows, a.from(i0, k0))
				if packed != nil {
					round(packedA[:(mc+tileRows-1)/tileRows*tileRows*(kc+kc%2)])
				}
				block(mc, nc, kc, alpha, packedA, packedB, c.from(i0, j0))
			}
		}
	}
}

// pack lays rows by kc elements of v out in panels of height rows, [panel][kc][height], with zeros below the last row
// and, where kc is odd, after the last column.
func pack(to []float32, rows, kc, height int, v view) {
	even := kc + kc%2
	clear(to[:(rows+height-1)/height*height*even])
	for i := range rows {
		panel := to[i/height*height*even+i%height:]
		at := i * v.row
		for q := range kc {
			panel[q*height] = v.x[at]
			at += v.col
		}
	}
}

// block adds the product of packed panels to c.
func block(mc, nc, kc int, alpha float32, a, b []float32, c view) {
	kc += kc % 2
	for j := 0; j < nc; j += tileCols {
		cols := min(tileCols, nc-j)
		strip := b[j*kc : (j+tileCols)*kc]
		for i := 0; i < mc; i += tileRows {
			sums := tile(a[i*kc:(i+tileRows)*kc], strip)
			for r := range min(tileRows, mc-i) {
				row := c.x[(i+r)*c.row+j:][:cols]
				for q := range row {
					row[q] += alpha * sums[r*tileCols+q]
				}
			}
		}
	}
}

// tile returns the 2×4 sums over the panels' common dimension, which is even.
func tile(a, b []float32) (sums [tileRows * tileCols]float32) {
	var s00, s01, s02, s03, s10, s11, s12, s13 float32
	for len(a) >= 2*tileRows && len(b) >= 2*tileCols {
		b0, b1, b2, b3 := b[0], b[1], b[2], b[3]
		x := a[0]
		s00 += x * b0
		s01 += x * b1
		s02 += x * b2
		s03 += x * b3
		x = a[1]
		s10 += x * b0
		s11 += x * b1
		s12 += x * b2
		s13 += x * b3
		b0, b1, b2, b3 = b[4], b[5], b[6], b[7]
		x = a[2]
		s00 += x * b0
		s01 += x * b1
		s02 += x * b2
		s03 += x * b3
		x = a[3]
		s10 += x * b0
		s11 += x * b1
		s12 += x * b2
		s13 += x * b3
		a, b = a[2*tileRows:], b[2*tileCols:]
	}
	return [...]float32{s00, s01, s02, s03, s10, s11, s12, s13}
}
