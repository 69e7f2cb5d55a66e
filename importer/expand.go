package importer

import (
	"errors"
	"fmt"
	"slices"

	"github.com/seed-aefebe89/graft/importer/fold"
	"github.com/seed-aefebe89/graft/importer/onnx"
)

// expander rewrites a model into the language that recognition knows: local functions and constant Ifs are inlined,
// fused operators written out in core ones, quantised weights replaced by what they stand for. The names of the values
// that the file's own nodes make are kept.
type expander struct {
	model     *onnx.Model // a copy, with a graph of its own
	nodes     []expanded
	written   []expanded // the nodes before quantised ones were replaced
	functions map[functionKey]*onnx.Function
	names     map[string]int          // of values, all of them: how many names like each were made
	called    map[string]int          // likewise of nodes
	inits     map[string]*onnx.Tensor // of the graph
	makers    map[string]*onnx.Node   // of the file's values
	late      map[*onnx.Node]bool     // the nodes that wait until more is known
	copied    int                     // calls, and what was copied of functions, branches and loops
	probed    int                     // nodes looked at for what is known of conditions
	sequences map[string][]string     // values that are sequences → their elements
	sorted    map[any][]*onnx.Node    // the nodes of functions and sub-graphs in order
}

// expanded is a node of the rewritten graph.
type expanded struct {
	*onnx.Node
	source int // which of the file's nodes it comes from
}

// errLate is returned by a rule that has to know more of a node's inputs than their names.
var errLate = errors.New("it is not known yet")

// operator is what a node calls its operator by.
type operator struct{ domain, name string }

// rules are the operators that are written in others. Some apply to a part of their nodes alone.
var rules = map[operator]rule{
	{"", "If"}:                           branch,
	{"", "Attention"}:                    coreAttention,
	{"", "RMSNormalization"}:             rmsNorm,
	{"", "SimplifiedLayerNormalization"}: rmsNorm, // onnxruntime's, in ONNX's domain
	{"", "RotaryEmbedding"}:              rotary,
	{"", "Loop"}:                         unroll,
	{"", "Scan"}:                         scan,
	{"", "SequenceConstruct"}:            sequenceConstruct,
	{"", "SequenceEmpty"}:                sequenceConstruct,
	{"", "SplitToSequence"}:              splitToSequence,
	{"", "SequenceAt"}:                   sequenceAt,
	{"", "SequenceInsert"}:               sequenceEdit,
	{"", "SequenceErase"}:                sequenceEdit,
	{"", "SequenceLength"}:               sequenceLength,
	{"", "ConcatFromSequence"}:           concatFromSequence,
	{"", "Identity"}:                     sequenceCopy,

	{microsoft, "Attention"}:                        packedAttention,
	{microsoft, "MultiHeadAttention"}:               multiHeadAttention,
	{microsoft, "RotaryEmbedding"}:                  rotary,
	{microsoft, "SkipLayerNormalization"}:           skipLayerNorm,
	{microsoft, "EmbedLayerNormalization"}:          embedLayerNorm,
	{microsoft, "SkipSimplifiedLayerNormalization"}: skipRMSNorm,
	{microsoft, "BiasGelu"}:                         biasGelu,
	{microsoft, "FastGelu"}:                         biasGelu,
	{microsoft, "FusedGemm"}:                        fusedGemm,
}

// rule writes a node in others, or leaves it as it is by writing none. It returns errLate where it has to know more of
// the node's inputs than know tells.
type rule func(e *emitter, n *onnx.Node, know knowledge) error

// knowledge tells the type and shape of a value, and its elements where they are constant.
type knowledge func(name string) (*fold.Array, error)

// expand rewrites a model. The model itself is left as it is.
func expand(m *onnx.Model) (*expander, error) {
	x, err := newExpander(m)
	if err != nil {
		return nil, err
	}
	order, err := m.Graph.Order()
	if err != nil {
		return nil, err
	}
	for _, i := range order {
		n := m.Graph.Nodes[i]
		if n == nil {
			return nil, fmt.Errorf("node %d is empty", i)
		}
		c := *n
		c.Domain = canonical(n.Domain)
		nodes, err := x.rewrite(&c, nil, 0)
		if err != nil {
			return nil, err
		}
		for _, n := range nodes {
			x.nodes = append(x.nodes, expanded{n, i})
		}
		if len(x.nodes) > maxNodes {
			return nil, errNodes
		}
	}
	if err := x.settle(); err != nil {
		return nil, err
	}
	x.written = x.nodes
	if err := x.dequantise(); err != nil {
		return nil, err
	}
	x.model.Graph.Nodes = nil
	for _, n := range x.nodes {
		x.model.Graph.Nodes = append(x.model.Graph.Nodes, n.Node)
	}
	return x, nil
}

// ordered are the nodes of a function or a sub-graph in order, which is found once.
func (x *expander) ordered(of interface{ Order() ([]int, error) }, nodes []*onnx.Node) ([]*onnx.Node, error) {
	if x.sorted[of] != nil {
		return x.sorted[of], nil
	}
	order, err := of.Order()
	if err != nil {
		return nil, err
	}
	out := make([]*onnx.Node, len(order))
	for i, k := range order {
		out[i] = nodes[k]
	}
	x.sorted[of] = out
	return out, nil
}

func newExpander(m *onnx.Model) (*expander, error) {
	if m.Graph == nil {
		return nil, errors.New("the model has no graph")
	}
	c, g := *m, *m.Graph
	c.Graph = &g
	c.OpsetImport = slices.Clone(m.OpsetImport)
	g.Initializers = slices.Clone(g.Initializers)
	x := &expander{model: &c, functions: map[functionKey]*onnx.Function{}, names: map[string]int{"": 1}, called: map[string]int{},
		inits: map[string]*onnx.Tensor{}, makers: map[string]*onnx.Node{}, late: map[*onnx.Node]bool{}, sequences: map[string][]string{}, sorted: map[any][]*onnx.Node{}}
	for i, s := range g.SparseInitializers {
		t, err := dense(s)
		if err != nil {
			return nil, fmt.Errorf("sparse initialiser %d: %w", i, err)
		}
		g.Initializers = append(g.Initializers, t)
	}
	g.SparseInitializers = nil
	for i, t := range g.Initializers {
		if t == nil {
			return nil, fmt.Errorf("initialiser %d is empty", i)
		}
		x.names[t.Name], x.inits[t.Name] = 1, t
	}
	for _, in := range g.Inputs {
		x.names[in.Name] = 1
	}
	for _, n := range g.Nodes {
		if n == nil {
			continue
		}
		if err := shortNames(n); err != nil {
			return nil, err
		}
		x.called[n.Name] = 1
		for _, name := range slices.Concat(n.Inputs, n.Outputs) {
			x.names[name] = 1
		}
		for _, name := range n.Outputs {
			x.makers[name] = n
		}
	}
	return x, x.addFunctions()
}

// maxSparsity bounds a sparse initialiser's bytes in units of those that it stores, beyond its first megabyte: a model may
// ask for any number of zeros in a few bytes.
const maxSparsity = 256

// dense is a sparse initialiser with its zeros.
func dense(s *onnx.SparseTensor) (*onnx.Tensor, error) {
	if s == nil || s.Values == nil {
		return nil, errors.New("it is empty")
	}
	n, err := (&onnx.Tensor{Name: s.Values.Name, Type: s.Values.Type, Dims: s.Dims}).Len()
	if err != nil {
		return nil, err
	}
	stored, err := s.Values.Len()
	if err != nil {
		return nil, err
	}
	if n/maxSparsity > stored && n > 1<<20 {
		return nil, fmt.Errorf("the tensor %q has %d elements of which %d are stored, fewer than one in %d: store it dense",
			s.Values.Name, n, stored, maxSparsity)
	}
	return s.Dense()
}

// maxName bounds the names of a node's values in bytes: exporters write paths of modules, of some hundred.
const maxName = 1 << 12

// shortNames refuses a node with names that no message could show.
func shortNames(n *onnx.Node) error {
	for _, name := range slices.Concat([]string{n.Name}, n.Inputs, n.Outputs) {
		if len(name) > maxName {
			return fmt.Errorf("a node of type %.40q has a name of %d bytes, which begins %q", n.OpType, len(name), name[:40])
		}
	}
	return nil
}

// errNodes is the error of a graph that is too large, or grows so: a few functions that call each other could make any
// number of nodes.
var errNodes = fmt.Errorf("the graph has more than %d nodes, which is no encoder's", maxNodes)

// maxCopied bounds the nodes, names, attributes and sub-graphs that calls of functions copy, and maxProbed the nodes that
// are looked at to decide Ifs: each of a few bytes may stand for many, and need not leave a node behind.
const (
	maxCopied = 16 * maxNodes
	maxProbed = 1 << 24
)

// spend counts what is copied.
func (x *expander) spend(n int) error {
	if x.copied += n; x.copied > maxCopied {
		return fmt.Errorf("the graph's functions and branches grow to more than %d nodes and names, which is no encoder's", maxCopied)
	}
	return nil
}

// maxNesting bounds functions that call functions, and fused operators in them.
const maxNesting = 64

// rewrite returns the nodes that stand for one, whose domain is canonical.
func (x *expander) rewrite(n *onnx.Node, know knowledge, depth int) ([]*onnx.Node, error) {
	if depth > maxNesting {
		return nil, fmt.Errorf("%v: functions are nested more than %d deep, or call themselves", n, maxNesting)
	}
	if depth > 0 {
		if err := x.spend(1); err != nil {
			return nil, err
		}
	}
	var nodes []*onnx.Node
	if f := x.functions[keyOf(n)]; f != nil {
		var err error
		if nodes, err = x.inline(n, f); err != nil {
			return nil, fmt.Errorf("%v: %w", n, err)
		}
	} else if r := rules[operator{n.Domain, n.OpType}]; r != nil {
		e := &emitter{x: x, src: n}
		err := r(e, n, know)
		if errors.Is(err, errLate) {
			x.late[n] = true
			return []*onnx.Node{n}, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%v: %w", n, err)
		}
		if e.nodes == nil { // it stays as it is
			return []*onnx.Node{n}, nil
		}
		nodes = e.nodes
	} else {
		return []*onnx.Node{n}, nil
	}
	var out []*onnx.Node
	for _, n := range nodes {
		for _, name := range n.Outputs {
			if x.makers[name] == nil {
				x.makers[name] = n
			}
		}
		inner, err := x.rewrite(n, nil, depth+1)
		if err != nil {
			return nil, err
		}
		if out = append(out, inner...); len(out)+len(x.nodes) > maxNodes {
			return nil, errNodes
		}
	}
	return out, nil
}

// fresh returns a name that no value has, like the given one.
func (x *expander) fresh(like string) string { return another(x.names, like) }

// freshNode returns a name that no node has.
func (x *expander) freshNode(like string) string { return another(x.called, like) }

func another(names map[string]int, like string) string {
	name := like
	for names[name] > 0 {
		name = fmt.Sprintf("%s_%d", like, names[like])
		names[like]++
	}
	names[name] = 1
	return name
}

// initialiser adds a tensor to the graph.
func (x *expander) initialiser(t *onnx.Tensor) {
	x.inits[t.Name] = t
	x.model.Graph.Initializers = append(x.model.Graph.Initializers, t)
}
