package portable

import "github.com/seed-aefebe89/graft/graph/kernel"

// Rotary implements kernel.Kernels.
func (*kernels) Rotary(out, x, cos, sin kernel.Tensor, o kernel.Rotary) {
	half, width := cos.Cols(), x.Cols()
	next, step := half, 1 // from a to b, and from a pair to the next
	if o.Interleaved {
		next, step = 1, 2
	}
	for t := range x.Rows() {
		c, s := cos.F32[t*half:t*half+half], sin.F32[t*half:t*half+half]
		for col := 0; col < width; col += 2 * half {
			from, to := x.F32[t*width+col:], out.F32[t*width+col:]
			for i, cosine := range c {
				sine := s[i]
				if o.Inverse {
					sine = -sine
				}
				a, b := from[i*step], from[i*step+next]
				to[i*step], to[i*step+next] = a*cosine-b*sine, b*cosine+a*sine
			}
		}
	}
}
