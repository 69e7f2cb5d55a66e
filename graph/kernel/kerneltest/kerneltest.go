// Package kerneltest holds every implementation of kernel.Kernels to one reference: naive float64 arithmetic, written
// here, one file per subject. An implementation's test calls Run with its constructor.
//
// Every case runs on outputs that hold NaN before the call and lie between guard zones, twice on each of two values,
// and must give the same bits each time; inputs must stay as they were. A comment beside each tolerance derives it;
// u = 2⁻²⁴ is the unit roundoff of float32 throughout.
package kerneltest

import (
	"testing"

	"github.com/seed-aefebe89/graft/graph/kernel"
)

// Open returns a new value of the implementation under test.
type Open func() kernel.Kernels

// Run runs every test of this package on the Kernels that open returns.
func Run(t *testing.T, open func() kernel.Kernels) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, Open)
	}{
		{"Name", Name},
		{"MatMul", MatMul},
		{"MatMulOptions", MatMulOptions},
		{"MatMulRounding", MatMulRounding},
		{"MatMulPacked", MatMulPacked},
		{"BFloat16", BFloat16},
		{"BFloat16Rounding", BFloat16Rounding},
		{"TensorFloat32", TensorFloat32},
		{"MatMulPrecision", MatMulPrecision},
		{"PackAgain", PackAgain},
		{"BatchMatMul", BatchMatMul},
		{"ColSum", ColSum},
		{"Add", Add},
		{"Mul", Mul},
		{"Scale", Scale},
		{"AddRow", AddRow},
		{"MulRow", MulRow},
		{"Copy", Copy},
		{"Fill", Fill},
		{"Shift", Shift},
		{"Rotary", Rotary},
		{"Activate", Activate},
		{"ActivateGrad", ActivateGrad},
		{"LayerNorm", LayerNorm},
		{"LayerNormGrad", LayerNormGrad},
		{"LayerNormParamGrad", LayerNormParamGrad},
		{"Embed", Embed},
		{"EmbedGrad", EmbedGrad},
		{"Rows", Rows},
		{"RowsGrad", RowsGrad},
		{"AddRows", AddRows},
		{"OneHot", OneHot},
		{"Attention", Attention},
		{"AttentionExtremes", AttentionExtremes},
		{"AttentionGrad", AttentionGrad},
		{"AttentionBFloat16", AttentionBFloat16},
		{"AttentionGradBFloat16", AttentionGradBFloat16},
		{"RelativeAttention", RelativeAttention},
		{"RelativeAttentionGrad", RelativeAttentionGrad},
		{"RelativeAttentionBFloat16", RelativeAttentionBFloat16},
		{"RelativeAttentionGradBFloat16", RelativeAttentionGradBFloat16},
		{"Scores", Scores},
		{"Mix", Mix},
		{"CrossEntropy", CrossEntropy},
		{"CrossEntropyGrad", CrossEntropyGrad},
		{"Map", Map},
		{"Combine", Combine},
		{"Select", Select},
		{"Reduce", Reduce},
		{"Softmax", Softmax},
		{"AdamW", AdamW},
		{"AddScaled", AddScaled},
		{"Clip", Clip},
		{"Allocations", Allocations},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, open) })
	}
}

// Name checks that the implementation says what it is.
func Name(t *testing.T, open Open) {
	if open().Name() == "" {
		t.Error("the name is empty")
	}
}
