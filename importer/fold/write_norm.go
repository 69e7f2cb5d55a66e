package fold

import "slices"

// Normalisations, by the formulas of the ONNX specification.

// standard is (x − mean)/√(variance + eps) along the last axis.
func (w *writer) standard(x *Array, eps float64) *Array {
	n := 0
	if len(x.Shape) > 0 {
		n = x.Shape[len(x.Shape)-1]
	}
	return w.do("LayerNormalization", []*Array{x, w.fill(w.num(1), n)}, intAttr("axis", -1), floatAttr("epsilon", eps))
}

// affine is x·scale + bias, of vectors along an axis.
func (w *writer) affine(x, scale, bias *Array, k, rank int) *Array {
	return w.add(w.mul(x, w.beside(scale, k, rank)), w.beside(bias, k, rank))
}

// channels checks that x is [N, C, …] and that vectors are of one element for each of n.
func (w *writer) channels(x *Array, n int, vectors ...*Array) bool {
	if len(x.Shape) < 2 {
		w.fail("%v has no channels", x)
		return false
	}
	for _, v := range vectors {
		if !slices.Equal(v.Shape, []int{n}) {
			w.fail("%v does not fit %v", v, x)
			return false
		}
	}
	return w.err == nil
}

func (w *writer) channelCount() int {
	if len(w.In[0].Shape) < 2 {
		return 0
	}
	return w.In[0].Shape[1]
}

// instanceNormalization standardises each channel of each instance.
func instanceNormalization(w *writer) []*Array {
	x, c := w.In[0], w.channelCount()
	if !w.channels(x, c, w.In[1:3]...) {
		return nil
	}
	y := w.standard(w.reshape(x, x.Shape[0], c, product(x.Shape[2:])), w.float("epsilon", float64(float32(1e-5))))
	return one1(w.reshape(w.affine(y, w.In[1], w.In[2], 1, 3), x.Shape...))
}

// groupNormalization standardises groups of channels. Scale and bias have an element for each group before opset 21, for
// each channel since.
func groupNormalization(perChannel bool) writing {
	return func(w *writer) []*Array {
		x, c, groups := w.In[0], w.channelCount(), int(w.int("num_groups", 0))
		if groups < 1 || c%groups != 0 {
			return w.fail("%v has no %d equal groups of channels", x, groups)
		}
		n := groups
		if perChannel {
			n = c
		}
		if !w.channels(x, n, w.In[1:3]...) {
			return nil
		}
		y := w.standard(w.reshape(x, x.Shape[0], groups, product(x.Shape[1:])/groups), w.float("epsilon", float64(float32(1e-5))))
		if perChannel {
			y = w.reshape(y, x.Shape[0], c, product(x.Shape[2:]))
		}
		return one1(w.reshape(w.affine(y, w.In[1], w.In[2], 1, 3), x.Shape...))
	}
}

// batchNormalization is that of inference, by mean and variance that are inputs.
func batchNormalization(w *writer) []*Array {
	x, c := w.In[0], w.channelCount()
	if w.int("training_mode", 0) != 0 || len(w.Node.Outputs) > 1 {
		return w.fail("a batch normalisation in training mode")
	}
	if w.int("spatial", 1) == 0 {
		return w.fail("a batch normalisation that is not spatial")
	}
	if !w.channels(x, c, w.In[1:5]...) {
		return nil
	}
	root := w.of("Sqrt", w.add(w.cast(w.In[4], w.typ), w.num(w.float("epsilon", float64(float32(1e-5))))))
	factor := w.div(w.cast(w.In[1], w.typ), root)
	d := w.sub(x, w.beside(w.cast(w.In[3], w.typ), 1, len(x.Shape)))
	return one1(w.affine(d, factor, w.cast(w.In[2], w.typ), 1, len(x.Shape)))
}

// rmsNormalization is x/√(mean x² + eps)·scale, over all axes from one on.
func rmsNormalization(w *writer) []*Array {
	x := w.In[0]
	k := w.axis("axis", -1)
	if _, err := Expand(Unknown(x.Type, w.In[1].Shape...), x.Shape); w.failed(err) {
		return nil
	}
	axes := []int{}
	for i := k; i < len(x.Shape); i++ {
		axes = append(axes, i)
	}
	mean := w.reduce("ReduceMean", w.mul(x, x), true, axes...)
	y := w.div(x, w.of("Sqrt", w.add(mean, w.num(w.float("epsilon", float64(float32(1e-5)))))))
	return one1(w.mul(y, w.In[1]))
}

// lpNormalization divides by a norm along an axis; where that is 0, so is the result.
func lpNormalization(w *writer) []*Array {
	x := w.In[0]
	k := w.axis("axis", -1)
	if w.err != nil {
		return nil
	}
	var norm *Array
	switch p := w.int("p", 2); p {
	case 1:
		norm = reduceL1(w, x, true, []int{k})
	case 2:
		norm = reduceL2(w, x, true, []int{k})
	default:
		return w.fail("there is no norm of order %d", p)
	}
	return one1(w.div(x, w.where(w.do("Equal", []*Array{norm, w.num(0)}), w.num(1), norm)))
}

// meanVarianceNormalization is (x − mean)/(deviation + 1e-9) over some axes.
func meanVarianceNormalization(w *writer) []*Array {
	x := w.In[0]
	given, ok := w.ints("axes")
	if !ok {
		given = []int64{0, 2, 3}
	}
	folded, err := axes(given, len(x.Shape))
	if w.failed(err) {
		return nil
	}
	if len(folded) == 0 {
		return w.fail("there are no axes to normalise over")
	}
	d := w.sub(x, w.reduce("ReduceMean", x, true, folded...))
	deviation := w.of("Sqrt", w.reduce("ReduceMean", w.mul(d, d), true, folded...))
	return one1(w.div(d, w.add(deviation, w.num(1e-9))))
}
