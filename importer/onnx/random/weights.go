package random

import (
	"encoding/binary"
	"hash/fnv"
	"io"
	"math"
	"math/rand/v2"

	"github.com/seed-aefebe89/graft/importer/onnx"
)

// weights makes tensors of random numbers, each from the encoder's seed and the weight's Hugging Face name alone: the
// same weights come out in any order, of any opset, as often as they are asked for.
type weights struct {
	seed   uint64
	spread float64
}

// matrix is the weight of a linear layer of in inputs. dims are [in, out] or [out, in].
func (w weights) matrix(name, as string, in int, dims ...int) (*onnx.Tensor, error) {
	return w.normal(name, as, 0, math.Sqrt(2/float64(in)), dims...)
}

// embedding is a table of embeddings.
func (w weights) embedding(name string, dims ...int) (*onnx.Tensor, error) {
	return w.normal(name, name, 0, 0.5, dims...)
}

// vector is a bias, or the weight of a LayerNorm around a mean of one.
func (w weights) vector(name string, mean float64, n int) (*onnx.Tensor, error) {
	return w.normal(name, name, mean, 0.2, n)
}

// normal is a tensor, called as in the file, of normally distributed numbers that are drawn when they are read.
func (w weights) normal(name, as string, mean, deviation float64, dims ...int) (*onnx.Tensor, error) {
	shape, n := make([]int64, len(dims)), 1
	for i, d := range dims {
		shape[i] = int64(d)
		n *= d
	}
	h := fnv.New64a()
	h.Write([]byte(name))
	stream := h.Sum64()
	deviation *= w.spread
	return onnx.NewLazyTensor(as, onnx.Float, shape, func(out io.Writer) error {
		rng := rand.New(rand.NewPCG(w.seed, stream))
		buf := make([]byte, 0, 1<<15)
		for left := n; left > 0; {
			buf = buf[:0]
			for ; left > 0 && len(buf) < cap(buf); left-- {
				x := float32(mean + deviation*rng.NormFloat64())
				buf = binary.LittleEndian.AppendUint32(buf, math.Float32bits(x))
			}
			if _, err := out.Write(buf); err != nil {
				return err
			}
		}
		return nil
	})
}
