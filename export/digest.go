package export

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"runtime"
	"sort"
	"sync"

	"github.com/seed-aefebe89/graft/importer/onnx"
)

// Digest identifies a base by its content, however its file lays that out: the weights one by one, and the nodes.
type Digest struct {
	SHA256  string            `json:"sha256"`  // over all below
	Graph   string            `json:"graph"`   // the nodes, inputs and outputs
	Tensors map[string]string `json:"tensors"` // each initialiser: its type, shape and bytes; of a sparse one, as it is stored
}

// digestBytes is how much of a tensor's SHA-256 is kept: enough to tell tensors apart that differ by accident; the
// whole is kept for all of them together.
const digestBytes = 8

// DigestOf computes the digest of a model. It reads every weight once.
func DigestOf(m *onnx.Model) (*Digest, error) {
	d := &Digest{Tensors: map[string]string{}}
	nodes := &onnx.Model{IRVersion: m.IRVersion, OpsetImport: m.OpsetImport, Functions: m.Functions, Graph: &onnx.Graph{
		Nodes: m.Graph.Nodes, Inputs: m.Graph.Inputs, Outputs: m.Graph.Outputs}}
	h := sha256.New()
	if _, err := nodes.WriteTo(h); err != nil {
		return nil, fmt.Errorf("digesting the graph: %w", err)
	}
	d.Graph = hex.EncodeToString(h.Sum(nil)[:digestBytes])

	tensors := m.Graph.Initializers
	for _, x := range m.Graph.SparseInitializers {
		if x.Values == nil || x.Indices == nil {
			return nil, errors.New("digesting the graph: a sparse initialiser has no values or no indices")
		}
		tensors = append(tensors[:len(tensors):len(tensors)], x.Values)
	}
	sparse := m.Graph.SparseInitializers
	sums := make([][]byte, len(tensors))
	errs := make([]error, len(sums))
	next := make(chan int)
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for i := range next {
				if sums[i], errs[i] = tensorSum(tensors[i]); errs[i] == nil && i >= len(tensors)-len(sparse) {
					sums[i], errs[i] = sparseSum(sums[i], sparse[i-len(tensors)+len(sparse)])
				}
			}
		})
	}
	for i := range sums {
		next <- i
	}
	close(next)
	wg.Wait()

	all := sha256.New()
	all.Write(h.Sum(nil))
	order := make([]int, len(sums))
	for i := range order {
		order[i] = i
	}
	sort.Slice(order, func(a, b int) bool {
		return tensors[order[a]].Name < tensors[order[b]].Name
	})
	for _, i := range order {
		name := tensors[i].Name
		if errs[i] != nil {
			return nil, fmt.Errorf("digesting tensor %q: %w", name, errs[i])
		}
		d.Tensors[name] = hex.EncodeToString(sums[i][:digestBytes])
		fmt.Fprintln(all, name)
		all.Write(sums[i])
	}
	d.SHA256 = hex.EncodeToString(all.Sum(nil))
	return d, nil
}

func tensorSum(t *onnx.Tensor) ([]byte, error) {
	h := sha256.New()
	fmt.Fprintln(h, int(t.Type), t.Dims)
	if t.Type == onnx.String {
		words, err := t.Strings()
		for _, w := range words {
			fmt.Fprintf(h, "%q\n", w)
		}
		return h.Sum(nil), err
	}
	b, err := t.Bytes()
	if err != nil {
		return nil, err
	}
	return write(h, b), nil
}

// sparseSum is that of a sparse tensor whose values have a sum.
func sparseSum(values []byte, x *onnx.SparseTensor) ([]byte, error) {
	indices, err := tensorSum(x.Indices)
	if err != nil {
		return nil, err
	}
	h := sha256.New()
	fmt.Fprintln(h, "sparse", x.Dims)
	h.Write(values)
	return write(h, indices), nil
}

func write(h hash.Hash, b []byte) []byte {
	h.Write(b)
	return h.Sum(nil)
}

// WrongBase is the error of a delta that was made for another base.
type WrongBase struct {
	Delta  string // the delta's name
	Reason string // what differs
}

// Error implements error.
func (e *WrongBase) Error() string {
	return fmt.Sprintf("the delta %q is not based on this model: %s; use the model that it was trained on", e.Delta, e.Reason)
}

// Check returns a *WrongBase naming the first tensor that differs unless got, the digest of a model, is d, that of the
// base that a delta was made for.
func (d *Digest) Check(delta string, got *Digest) error {
	if d.SHA256 == got.SHA256 {
		return nil
	}
	names := make([]string, 0, len(d.Tensors))
	for name := range d.Tensors {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		switch sum, ok := got.Tensors[name]; {
		case !ok:
			return &WrongBase{delta, fmt.Sprintf("it has no tensor %q", name)}
		case sum != d.Tensors[name]:
			return &WrongBase{delta, fmt.Sprintf("the tensor %q differs", name)}
		}
	}
	for name := range got.Tensors {
		if _, ok := d.Tensors[name]; !ok {
			return &WrongBase{delta, fmt.Sprintf("its tensor %q is new", name)}
		}
	}
	if d.Graph != got.Graph {
		return &WrongBase{delta, "the weights are the same but the graph is not"}
	}
	return &WrongBase{delta, "the digests differ"}
}
