package importer

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/seed-aefebe89/graft/importer/fold"
	"github.com/seed-aefebe89/graft/importer/onnx"
)

// Padded is an encoder that runs node by node, on batches of sequences padded to one length: what an Encoder has in place
// of operations where its blocks are not recognised.
type Padded struct {
	Reason error           // why it is not recognised; nil where nobody looked
	Inputs []Operand       // what a batch is fed, each integers [batch, sequence]: input_ids, attention_mask and such
	Masked bool            // attention_mask is one of them: without it all sequences of a batch must have one length
	Hidden string          // the value that is the last hidden state [batch, sequence, Width]
	Width  int             //
	Maps   []Projection    // the linear maps that it depends on, in order
	Ends   []End           // where its layers end, in order; none where the names of the nodes' modules do not tell
	Tables map[*Weight]int // the weights that rows are looked up in by what a batch is fed, with their rows
	// Frequencies are the weights that are used for angles alone, the arguments of sines and cosines: rotary embeddings'
	// constants, which no training changes.
	Frequencies map[*Weight]bool

	nodes *Nodewise
	mutex sync.Mutex // of nodes, whose weights each program may add to
}

// Projection is a linear map x·W by a matrix that depends on weights alone, before its bias where a node of its own adds that.
type Projection struct {
	Module  string // its Hugging Face name: "encoder.layer.0.attention.self.query"; maps of one weight share it
	Product string // the value x·W [..., Out]
	Input   string // the value x [..., In]
	In, Out int
	Layer   int // from the module's name, −1 where that has no number
}

// End is the value [batch, sequence, Width] that a layer hands on to the next one.
type End struct {
	Module string // that it is made in, without the normalisation: "encoder.layer.0.output"
	Value  string
}

// NodeByNode makes Encoder the network taken node by node, whether or not its blocks could be recognised.
func (m *Model) NodeByNode() error {
	e, err := paddedOf(m.File.Model, m.Config)
	if err != nil {
		return fmt.Errorf("importing %s: node by node: %w", m.Path, err)
	}
	m.Encoder = e
	return nil
}

// paddedOf is a model as an encoder that runs node by node.
func paddedOf(m *onnx.Model, c Config) (*Encoder, error) {
	n, err := NewNodewise(m)
	if err != nil {
		return nil, err
	}
	var specs [len(probes)]*spec
	for i, p := range probes {
		if specs[i], err = n.g.specialise(p.batch, p.seq, nil); err != nil {
			return nil, err
		}
	}
	p := &Padded{nodes: n, Tables: map[*Weight]int{}, Frequencies: map[*Weight]bool{}}
	for _, in := range n.g.inputs {
		p.Inputs = append(p.Inputs, Operand{Source: Host, Name: in.Name, Array: specs[0].values[in.Name].Array})
		p.Masked = p.Masked || in.Name == "attention_mask"
	}
	f := &hiddenFinder{g: n.g, specs: specs[:], width: c.HiddenSize}
	if p.Hidden, p.Width, err = f.find(); err != nil {
		return nil, err
	}
	e := &Encoder{Padded: p, Last: None}
	if e.Weights, err = p.weights(); err != nil {
		return nil, err
	}
	p.findMaps(specs[0])
	p.findEnds(f)
	for _, o := range m.Graph.Outputs {
		if n.g.resolve(o.Name) == p.Hidden {
			e.Outputs = append(e.Outputs, Output{Name: o.Name, Value: None, Width: p.Width})
		}
	}
	e.Expansions, e.Constants = n.g.expander.expansions(m)
	if n.g.hasOtherFloats() {
		_, e.Types, err = n.g.precisions()
	}
	return e, err
}

// maxTried bounds the numbers that a network computes for a few short sequences: those of a large encoder are some ten million.
const maxTried = 1 << 28

// weights are those that the last hidden state depends on: at every shape the same.
func (p *Padded) weights() ([]*Weight, error) {
	for i, at := range probes {
		before := len(p.nodes.Weights)
		prog, err := p.Program(at.batch, at.seq)
		if err != nil {
			return nil, err
		}
		if err := prog.Bound(maxTried); err != nil {
			return nil, err
		}
		if i > 0 && len(p.nodes.Weights) > before {
			return nil, errors.New("the graph reads other weights for other batch sizes or sequence lengths")
		}
		for _, s := range prog.Steps {
			if s.Node.OpType == "Gather" && s.In[0].Source == Parameter && s.In[1].Source != Computed && len(s.In[0].Weight.Shape) == 2 {
				p.Tables[s.In[0].Weight] = s.In[0].Weight.Shape[0]
			}
		}
		p.findFrequencies(prog)
	}
	return slices.Clone(p.nodes.Weights), nil
}

// findFrequencies walks from the last hidden state back to the weights, and stops at sines and cosines.
func (p *Padded) findFrequencies(prog *Program) {
	used, seen := map[*Weight]bool{}, map[string]bool{p.Hidden: true}
	for _, s := range slices.Backward(prog.Steps) {
		if s.Node.OpType == "Sin" || s.Node.OpType == "Cos" || !slices.ContainsFunc(s.Out, func(o Operand) bool { return seen[o.Name] }) {
			continue
		}
		for _, o := range s.In {
			seen[o.Name] = seen[o.Name] || o.Source == Computed
			if o.Weight != nil {
				used[o.Weight] = true
			}
		}
	}
	for _, w := range p.nodes.Weights {
		p.Frequencies[w] = !used[w]
	}
}

// Program is the network of the last hidden state, which is its only output, for batches of batch sequences of seq tokens.
// It may be called by several goroutines.
func (p *Padded) Program(batch, seq int) (*Program, error) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	in := map[string]*fold.Array{}
	for _, o := range p.Inputs {
		in[o.Name] = fold.Unknown(o.Array.Type, batch, seq)
	}
	return p.nodes.Program(in, p.Hidden)
}

// hiddenFinder finds the last hidden state in a graph.
type hiddenFinder struct {
	g     *graph
	specs []*spec // at the probes
	width int     // hidden_size of the configuration, 0 if it does not tell
}

// find returns the value that is the last hidden state, and its width: the output of that name, else the first one of the
// width that the configuration tells, else the only one. Where a head covers it, it is the value of that width that is
// nearest to the outputs.
func (f *hiddenFinder) find() (value string, width int, err error) {
	var outputs, found []string
	for _, o := range f.g.model.Graph.Outputs {
		v := f.g.resolve(o.Name)
		w := f.rows(v)
		if w > 0 && (o.Name == "last_hidden_state" || w == f.width) {
			return v, w, nil
		}
		outputs = append(outputs, fmt.Sprintf("%q %v", o.Name, f.specs[0].value(v).Array))
		if w > 0 && !strings.Contains(o.Name, "logits") {
			found = append(found, v)
		}
	}
	if f.width > 0 {
		if v := f.covered(); v != "" {
			return v, f.width, nil
		}
	} else if len(found) == 1 {
		return found[0], f.rows(found[0]), nil
	}
	size := "hidden_size"
	if f.width > 0 {
		size = fmt.Sprint(f.width)
	}
	return "", 0, fmt.Errorf("no output is a hidden state [batch, sequence, %s]; the outputs are %s: export the encoder with its "+
		"last_hidden_state, and put its config.json beside it", size, strings.Join(outputs, ", "))
}

// rows is the width of a value that has one row for each token, [batch, sequence, width], and depends on weights; else 0.
func (f *hiddenFinder) rows(value string) int {
	width := 0
	for i, s := range f.specs {
		v := s.value(value)
		if v == nil || v.kind != activation || !isFloat(v.Type) || len(v.Shape) != 3 || v.Shape[0] != s.batch || v.Shape[1] != s.seq ||
			i > 0 && v.Shape[2] != width {
			return 0
		}
		width = v.Shape[2]
	}
	return width
}

// covered walks back from the outputs, breadth first, to a hidden state.
func (f *hiddenFinder) covered() string {
	var queue []string
	for _, o := range f.g.model.Graph.Outputs {
		queue = append(queue, f.g.resolve(o.Name))
	}
	seen := map[string]bool{}
	for len(queue) > 0 {
		v := queue[0]
		queue = queue[1:]
		if seen[v] {
			continue
		}
		seen[v] = true
		if f.rows(v) == f.width {
			return v
		}
		n := f.g.maker[v]
		if n == nil || n.OpType == "Shape" || n.OpType == "Size" {
			continue
		}
		for _, in := range n.Inputs {
			if in != "" {
				queue = append(queue, f.g.resolve(in))
			}
		}
	}
	return ""
}

// TokenInput is a model's input of a name for sequences of tokens, [batch, length], each filled up with the token pad: ids,
// the mask, which is 1 for real tokens, token types (0 where types has none), or positions. Those of tokens that fill up
// are the last real one's.
func TokenInput(name string, ids, types [][]int32, length int, pad int64) ([]int64, error) {
	if !slices.Contains(modelInputs, name) {
		return nil, fmt.Errorf("the model has an input %q, which graft does not know how to fill", name)
	}
	out := make([]int64, 0, len(ids)*length)
	for i, x := range ids {
		for k := range length {
			v := int64(0)
			switch real := k < len(x); {
			case name == positionIDs:
				v = int64(min(k, len(x)-1))
			case name == "input_ids" && !real:
				v = pad
			case name == "input_ids":
				v = int64(x[k])
			case name == "attention_mask" && real:
				v = 1
			case name == "token_type_ids" && real && types != nil && types[i] != nil:
				v = int64(types[i][k])
			}
			out = append(out, v)
		}
	}
	return out, nil
}
