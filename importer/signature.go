package importer

import (
	"crypto/sha256"
	"fmt"

	"github.com/seed-aefebe89/graft/importer/onnx"
)

// signature is a digest of how a value is computed: of the operators, their attributes and constants, and the model's
// inputs, whatever the nodes and values are called. Shapes enter it as numbers, so that two values of one signature are
// equal at the probe's batch size and sequence length, and at others where their signatures agree at both probes.
type signature [sha256.Size]byte

// signature is the digest of a value that no weight's elements enter.
func (r *recogniser) signature(name string) signature {
	name = r.s.g.resolve(name)
	if d, ok := r.signatures[name]; ok {
		return d
	}
	h := sha256.New()
	n := r.s.g.maker[name]
	switch {
	case n == nil && r.s.g.inits[name] != nil:
		writeTensor(h, r.s.g.inits[name])
	case n == nil:
		fmt.Fprintf(h, "input %q", name)
	case n.Domain == "" && (n.OpType == "Shape" || n.OpType == "Size"):
		fmt.Fprintf(h, "shape %v", r.s.value(name).Ints)
	default:
		fmt.Fprintf(h, "%q %q", n.Domain, n.OpType)
		for i, o := range n.Outputs {
			if o == name {
				fmt.Fprintf(h, " output %d", i)
			}
		}
		for _, a := range n.Attributes {
			fmt.Fprintf(h, " %q %d %d %x %q %v %v %q", a.Name, a.Type, a.I, a.F, a.S, a.Ints, a.Floats, a.Strings)
			if a.T != nil {
				writeTensor(h, a.T)
			}
			if a.G != nil || len(a.Graphs) > 0 {
				fmt.Fprintf(h, " graphs of %q", name)
			}
		}
		for _, in := range n.Inputs {
			if in == "" {
				h.Write([]byte(" none"))
				continue
			}
			d := r.signature(in)
			h.Write(d[:])
		}
	}
	d := signature(h.Sum(nil))
	r.signatures[name] = d
	return d
}

// writeTensor writes what a tensor holds; one whose elements cannot be read counts by its name.
func writeTensor(h interface{ Write([]byte) (int, error) }, t *onnx.Tensor) {
	fmt.Fprintf(h, "tensor %v %v ", t.Type, t.Dims)
	if b, err := t.Bytes(); err == nil {
		h.Write(b)
	} else {
		fmt.Fprintf(h, "%q", t.Name)
	}
}
