package fold

import "math"

// writtenOperators are those that are written in others.
func writtenOperators() table {
	m := table{
		{"", "PRelu"}: {by(7, pRelu, 2, float, same), by(9, pRelu, 2, number, same)},
		{"", "Sum"}:   {byAll(8, sumAll)}, {"", "Mean"}: {byAll(8, meanAll)},

		{"", "ArgMax"}:  {by(1, argument("ReduceMax"), 1, number), by(12, argument("ReduceMax"), 1, number)},
		{"", "ArgMin"}:  {by(1, argument("ReduceMin"), 1, number), by(12, argument("ReduceMin"), 1, number)},
		{"", "Hardmax"}: {by(1, hardmax(1, true), 1, float), by(13, hardmax(-1, false), 1, float)},
		{"", "TopK"}:    {by(1, topK, 1, float), by(10, topK, 2, float, int64s), by(11, topK, 2, number, int64s)},
		{"", "OneHot"}:  {by(9, oneHot, 3, number, number, anyType)},

		{"", "InstanceNormalization"}: {by(6, instanceNormalization, 3, float, same, same)},
		{"", "GroupNormalization"}: {by(18, groupNormalization(false), 3, float, same, same),
			by(21, groupNormalization(true), 3, float, same, same)},
		{"", "BatchNormalization"}: {by(7, batchNormalization, 5, float, float, float, float, float),
			by(14, batchNormalization, 5, float, float, float, float, float)},
		{"", "RMSNormalization"}:          {by(23, rmsNormalization, 2, float, same)},
		{"", "LpNormalization"}:           {by(1, lpNormalization, 1, float)},
		{"", "MeanVarianceNormalization"}: {by(9, meanVarianceNormalization, 1, float)},

		{"", "Trilu"}:        {by(14, trilu, 1, anyType, int64s)},
		{"", "SpaceToDepth"}: {by(1, spaceToDepth, 1, anyType)},
		{"", "DepthToSpace"}: {by(1, depthToSpace, 1, anyType), by(11, depthToSpace, 1, anyType)},
		{"", "Pad"}: {by(2, padAttr, 1, float), by(11, padInput, 2, anyType, int64s, anyType),
			by(18, padInput, 2, anyType, int64s, anyType, index)},
		{"", "Einsum"}: {byAll(12, einsum)},

		{"", "Conv"}:              {by(1, convolution, 2, float, same, same)},
		{"", "MaxPool"}:           {by(1, pooling(math.Inf(-1), maxPool), 1, float)},
		{"", "AveragePool"}:       {by(1, pooling(0, averagePool), 1, float), by(7, pooling(0, averagePool), 1, float)},
		{"", "LpPool"}:            {by(2, pooling(0, lpPool), 1, float)},
		{"", "GlobalAveragePool"}: {by(1, global(globalMean), 1, float)},
		{"", "GlobalMaxPool"}:     {by(1, global(globalMax), 1, float)},
		{"", "GlobalLpPool"}:      {by(2, global(globalNorm), 1, float)},

		{"", "Attention"}: {by(23, attention, 3, float, float, float, anyType, float, float),
			by(24, attention, 3, float, float, float, anyType, float, float, int64s)},
		{"", "RotaryEmbedding"}: {by(23, rotaryEmbedding, 3, float, same, same, int64s)},
	}
	for _, f := range []struct {
		name  string
		since int64
		f     func(w *writer, x *Array) *Array
	}{
		{"Elu", 6, elu}, {"Selu", 6, selu}, {"Celu", 12, celu}, {"LeakyRelu", 6, leakyRelu}, {"ThresholdedRelu", 10, thresholdedRelu},
		{"HardSigmoid", 6, hardSigmoid}, {"HardSwish", 14, hardSwish}, {"Softsign", 1, softsign}, {"Mish", 18, mish},
		{"Swish", 24, swish}, {"Shrink", 9, shrink}, {"Tan", 7, tan}, {"Asin", 7, asin}, {"Acos", 7, acos}, {"Sinh", 9, sinh},
		{"Cosh", 9, cosh}, {"Asinh", 9, asinh}, {"Acosh", 9, acosh}, {"Atanh", 9, atanh}, {"IsInf", 10, isInf},
	} {
		m[opKey{"", f.name}] = []entry{by(f.since, elementwise(f.f), 1, float)}
	}
	for name, f := range map[string]func(w *writer, x *Array, keep bool, axes []int) *Array{
		"ReduceL1": reduceL1, "ReduceL2": reduceL2, "ReduceSumSquare": reduceSumSquare, "ReduceLogSum": reduceLogSum,
		"ReduceLogSumExp": reduceLogSumExp,
	} {
		in := float
		if name == "ReduceL1" || name == "ReduceSumSquare" {
			in = number
		}
		m[opKey{"", name}] = []entry{by(1, reduction(f), 1, in), by(18, reduction(f), 1, in, int64s)}
	}
	return m
}

// byAll is an operator of one or more inputs of one type that is written in others.
func byAll(since int64, f writing) entry {
	e := by(since, f, 1, number, same)
	e.more = true
	return e
}
