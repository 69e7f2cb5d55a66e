package graph

import (
	"fmt"
	"math/rand/v2"

	"github.com/seed-aefebe89/graft/graph/kernel"
	"github.com/seed-aefebe89/graft/graph/peft"
	"github.com/seed-aefebe89/graft/importer"
)

// Group is what a parameter belongs to.
type Group int

// The groups that are trained or frozen together.
const (
	Base Group = iota
	Adapter
	Head
)

// String is the group's name in reports.
func (g Group) String() string { return [...]string{"base", "adapter", "head"}[g] }

// Param is a parameter of a network, shared by all graphs that use it.
type Param struct {
	Name  string
	Shape []int
	Group Group
	// Data holds the elements. Those of a base weight are a read-only view of the file until Thaw; who changes them
	// after that calls Changed. While kernels move them in the memory of a device, Fetch brings Data up to date.
	Data []float32
	// Weight is the base weight that this is, nil for adapters and heads.
	Weight *importer.Weight

	embedding bool
	thawed    bool
	packs     packs
	place     *place // on a device, nil where there is none
	moves     int    // how often the elements were given other memory
	flat      [1]int // Size, as a shape
}

// Size is the number of elements.
func (p *Param) Size() int { return len(p.Data) }

// Embedding tells whether the parameter is a table that tokens are looked up in.
func (p *Param) Embedding() bool { return p.embedding }

// Thaw gives a base weight memory of its own, so that it can be trained.
func (p *Param) Thaw() {
	if p.Weight != nil && !p.thawed {
		p.Data = append([]float32(nil), p.Data...)
		p.dropPacks()
		p.thawed, p.packs = true, packs{version: p.packs.version}
		p.moves++
	}
}

// Vector is x, which has the parameter's size, as an operand of one dimension. It allocates nothing.
func (p *Param) Vector(x []float32) kernel.Tensor {
	if p.flat[0] != len(p.Data) {
		p.flat[0] = len(p.Data)
	}
	return kernel.Tensor{Shape: p.flat[:], F32: x}
}

// tensor is the parameter as an operand.
func (p *Param) tensor() kernel.Tensor {
	t := kernel.F32(p.Data, p.Shape...)
	if p.place != nil {
		t.F32 = p.place.x
	}
	if p.packs.Plain != nil || p.packs.Trans != nil {
		t.Packed = &p.packs.Packed
	}
	return t
}

// Params are the parameters of an encoder with adapters and a head, by what they are called in it.
type Params struct {
	Model   *importer.Model
	Method  peft.Method // nil for none
	Labels  int         // classes of the head, 0 for no head
	Base    []*Param    // in the order of importer.Encoder.Weights
	Adapter []*Param
	Head    []*Param
	Memory  Memory // how the sessions of these parameters trade memory for time

	// Precision is that of products with the base's matrices, and on GPUs of all products but the head's (kernel.MatMul's
	// Precision). It is set before the first session is made. Sums, losses and the values that are trained are float32.
	Precision kernel.Precision

	weights map[*importer.Weight]*Param
	named   map[string]*Param
}

// NewParams makes the parameters: those of the base as the model has them, those of the method and the head as they
// start, drawn from the seed.
func NewParams(m *importer.Model, method peft.Method, labels int, seed uint64) (*Params, error) {
	p := &Params{Model: m, Method: method, Labels: labels, weights: map[*importer.Weight]*Param{}, named: map[string]*Param{}}
	tables := map[*importer.Weight]bool{}
	for _, o := range m.Ops {
		if e, ok := o.(*importer.Embedding); ok {
			for _, t := range e.Tables {
				tables[t] = true
			}
		}
	}
	if m.Padded != nil {
		for w := range m.Padded.Tables {
			tables[w] = true
		}
	}
	for _, w := range m.Weights {
		x, err := w.Float32s()
		if err != nil {
			return nil, fmt.Errorf("reading weight %q: %w", w.Name, err)
		}
		b := &Param{Name: w.Name, Shape: w.Shape, Group: Base, Data: x, Weight: w, embedding: tables[w], flat: [1]int{len(x)}}
		p.weights[w] = b
		p.Base = append(p.Base, b)
	}
	places := Places(m.Encoder)
	if method != nil {
		if err := method.Check(places); err != nil {
			return nil, err
		}
		p.Adapter = p.start(peft.Params(method, places), Adapter, seed)
	}
	if labels > 0 {
		if hiddenStates(m.Encoder) == 0 {
			return nil, fmt.Errorf("the encoder's layers were not recognised, so that there is no last hidden state to put a head on")
		}
		p.Head = p.start(peft.HeadParams(labels, HiddenSize(m.Encoder)), Head, seed)
	}
	return p, nil
}

// start makes parameters with their starting values. Each has a random stream of its own, so that adding one does not
// move the others.
func (p *Params) start(specs []peft.Param, g Group, seed uint64) []*Param {
	var out []*Param
	for _, s := range specs {
		q := &Param{Name: s.Name, Shape: s.Shape, Group: g, Data: s.Init.Values(s.Size(), stream(seed, s.Name))}
		p.named[s.Name] = q
		out = append(out, q)
	}
	return out
}

// stream is the random stream of a seed and a name (FNV-1a, 64 bit).
func stream(seed uint64, name string) *rand.Rand {
	h := uint64(14695981039346656037)
	for _, b := range []byte(name) {
		h = (h ^ uint64(b)) * 1099511628211
	}
	return rand.New(rand.NewPCG(seed, h))
}

// Restart draws the starting values of a group's parameters anew.
func (p *Params) Restart(g Group, seed uint64) {
	specs := peft.HeadParams(p.Labels, HiddenSize(p.Model.Encoder))
	params := p.Head
	if g == Adapter {
		specs, params = peft.Params(p.Method, Places(p.Model.Encoder)), p.Adapter
	}
	for i, q := range params {
		copy(q.Data, specs[i].Init.Values(specs[i].Size(), stream(seed, q.Name)))
		q.Changed()
	}
}

// Of lists the parameters of groups, in a fixed order.
func (p *Params) Of(groups ...Group) []*Param {
	var out []*Param
	for _, g := range groups {
		switch g {
		case Base:
			out = append(out, p.Base...)
		case Adapter:
			out = append(out, p.Adapter...)
		case Head:
			out = append(out, p.Head...)
		}
	}
	return out
}

// Get returns an adapter's or head's parameter by name, nil if there is none.
func (p *Params) Get(name string) *Param { return p.named[name] }

// Snapshot copies the values of some parameters to memory of the host.
func Snapshot(ps []*Param) ([][]float32, error) {
	if err := Fetch(ps); err != nil {
		return nil, err
	}
	out := make([][]float32, len(ps))
	for i, p := range ps {
		out[i] = append([]float32(nil), p.Data...)
	}
	return out, nil
}

// Restore puts copied values back.
func Restore(ps []*Param, values [][]float32) {
	for i, p := range ps {
		copy(p.Data, values[i])
		p.Changed()
	}
}

// Count is the number of elements of some parameters.
func Count(ps []*Param) int {
	n := 0
	for _, p := range ps {
		n += p.Size()
	}
	return n
}

// Encoding lists the base weights that the last hidden state depends on, with or without the embedding tables: what
// there is to train of the base.
func (p *Params) Encoding(embeddings bool) []*Param {
	used := lastNeeds(p.Model.Encoder)
	var out []*Param
	for _, b := range p.Base {
		if used[b.Weight] && (embeddings || !b.embedding) {
			out = append(out, b)
		}
	}
	return out
}

// lastNeeds are the weights that the last hidden state depends on, but for frequencies; none where there is no such state.
func lastNeeds(e *importer.Encoder) map[*importer.Weight]bool {
	used := map[*importer.Weight]bool{}
	if e.Padded != nil {
		for _, w := range e.Weights {
			used[w] = !e.Padded.Frequencies[w]
		}
		return used
	}
	if len(e.Hidden) == 0 {
		return used
	}
	needed := make([]bool, len(e.Ops))
	needed[e.Last] = true
	for i := len(e.Ops) - 1; i >= 0; i-- {
		if !needed[i] {
			continue
		}
		for _, w := range e.WeightsOf(importer.Value(i)) {
			used[w] = true
		}
		for _, v := range e.Operands(importer.Value(i)) {
			needed[v] = true
		}
	}
	return used
}
