package portable

import (
	"math"

	"github.com/seed-aefebe89/graft/graph/kernel"
)

// rowSoftmax returns a row's maximum and Σ exp(x − maximum), in float64.
func rowSoftmax(row []float32) (largest float32, sum float64) {
	largest = row[0]
	for _, v := range row {
		largest = max(largest, v)
	}
	for _, v := range row {
		sum += math.Exp(float64(v - largest))
	}
	return largest, sum
}

// CrossEntropy implements kernel.Kernels.
func (*kernels) CrossEntropy(out, logits, labels, weight kernel.Tensor) {
	c := logits.Cols()
	var loss float64
	for t, label := range labels.I32 {
		if label < 0 {
			continue
		}
		row := logits.F32[t*c : t*c+c]
		largest, sum := rowSoftmax(row)
		loss += math.Log(sum) + float64(largest-row[label])
	}
	out.F32[0] = float32(float64(weight.F32[0]) * loss)
}

// CrossEntropyGrad implements kernel.Kernels.
func (*kernels) CrossEntropyGrad(out, logits, labels, weight, dout kernel.Tensor) {
	c := logits.Cols()
	scale := dout.F32[0] * weight.F32[0]
	for t, label := range labels.I32 {
		row, to := logits.F32[t*c:t*c+c], out.F32[t*c:t*c+c]
		if label < 0 {
			clear(to)
			continue
		}
		largest, sum := rowSoftmax(row)
		for j, v := range row {
			p := math.Exp(float64(v-largest)) / sum
			if j == int(label) {
				p--
			}
			to[j] = scale * float32(p)
		}
	}
}
