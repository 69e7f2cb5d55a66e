package importer

import (
	"errors"
	"fmt"
	"slices"

	"github.com/seed-aefebe89/graft/importer/onnx"
)

// unroll writes a Loop of a constant number of turns as its body's nodes, once for each turn. A loop that may end before
// is refused: how often it turns depends on the batch.
func unroll(e *emitter, n *onnx.Node, know knowledge) error {
	body := e.body()
	if body == nil || len(n.Inputs) < 2 {
		return errors.New("it has no body, or no number of turns and condition")
	}
	carried := len(n.Inputs) - 2
	switch {
	case len(body.Inputs) != 2+carried || len(body.Outputs) < 1+carried:
		return fmt.Errorf("its body has %d inputs and %d outputs for %d values that turns hand on", len(body.Inputs), len(body.Outputs), carried)
	case len(n.Outputs) > len(body.Outputs)-1:
		return fmt.Errorf("it has %d outputs, its body %d", len(n.Outputs), len(body.Outputs))
	case len(body.SparseInitializers) > 0:
		return errors.New("sparse initialisers are not supported")
	case n.Inputs[0] == "":
		return errors.New("it turns until a condition fails, which depends on the batch: graft has no loops")
	}
	turns, err := e.turns(know)
	if err != nil {
		return err
	}
	if n.Inputs[1] != "" {
		c, err := e.constantInput(1, know)
		if err != nil {
			return err
		}
		v, ok := c.Scalar()
		if !ok {
			return fmt.Errorf("its condition %q is not the same for all inputs, batch sizes and lengths", n.Inputs[1])
		}
		if v == 0 {
			turns = 0
		}
	}
	if !goesOn(body) {
		return errors.New("a condition of its body may end it, which depends on the batch: graft has no loops")
	}
	if turns > maxNodes/max(1, len(body.Nodes)) {
		return fmt.Errorf("%d turns of %d nodes are too many to write out", turns, len(body.Nodes))
	}
	state := slices.Clone(n.Inputs[2:])
	scans := make([][]string, len(body.Outputs)-1-carried)
	for i := range turns {
		to := map[string]string{body.Inputs[0].Name: e.int(int64(i)), body.Inputs[1].Name: e.constant("bool/true", nil, []bool{true})}
		for k, in := range body.Inputs[2:] {
			to[in.Name] = state[k]
		}
		out, err := e.turn(body, to)
		if err != nil {
			return err
		}
		state = out[1 : 1+carried]
		for k := range scans {
			scans[k] = append(scans[k], out[1+carried+k])
		}
	}
	for k, out := range n.Outputs {
		switch {
		case out == "":
		case k < carried:
			e.as(out, "Identity", "", []string{state[k]})
		case turns == 0:
			return fmt.Errorf("it makes %q of no turns", out)
		default:
			e.stack(out, scans[k-carried], 0)
		}
	}
	if e.nodes == nil {
		e.nodes = []*onnx.Node{}
	}
	return nil
}

// body is the sub-graph of a Loop or Scan, whose inputs and outputs have names.
func (e *emitter) body() *onnx.Graph {
	a := e.src.Attribute("body")
	if a == nil || a.G == nil || slices.Contains(a.G.Inputs, nil) || slices.Contains(a.G.Outputs, nil) {
		return nil
	}
	return a.G
}

// turns is the number of a Loop's turns.
func (e *emitter) turns(know knowledge) (int, error) {
	a, err := e.constantInput(0, know)
	if err != nil {
		return 0, err
	}
	v, ok := a.Scalar()
	if !ok {
		return 0, fmt.Errorf("its number of turns %q is not the same for all inputs, batch sizes and lengths: graft has no loops", e.input(0))
	}
	return int(min(max(v, 0), 1<<30)), nil
}

// goesOn tells whether a body's condition stays what it was, or is a constant that holds.
func goesOn(body *onnx.Graph) bool {
	name := body.Outputs[0].Name
	for range len(body.Nodes) + 1 {
		if name == body.Inputs[1].Name {
			return true
		}
		for _, t := range body.Initializers {
			if t != nil && t.Name == name {
				return holds(t)
			}
		}
		i := slices.IndexFunc(body.Nodes, func(n *onnx.Node) bool { return n != nil && slices.Contains(n.Outputs, name) })
		if i < 0 {
			return false
		}
		switch n := body.Nodes[i]; {
		case canonical(n.Domain) == "" && n.OpType == "Identity" && len(n.Inputs) == 1:
			name = n.Inputs[0]
		case canonical(n.Domain) == "" && n.OpType == "Constant":
			a := n.Attribute("value")
			return a != nil && a.T != nil && holds(a.T)
		default:
			return false
		}
	}
	return false
}

// holds tells whether a tensor is a single condition that is true.
func holds(t *onnx.Tensor) bool {
	x, err := t.Int64s()
	return err == nil && t.Type == onnx.Bool && len(x) == 1 && x[0] != 0
}

// turn writes a body's nodes for one turn and returns the names of its outputs.
func (e *emitter) turn(body *onnx.Graph, to map[string]string) ([]string, error) {
	s := &scoped{x: e.x, to: to}
	for _, t := range body.Initializers {
		if t == nil || t.Name == "" {
			return nil, errors.New("an initialiser of its body has no name")
		}
		c := *t
		c.Name = e.x.fresh(t.Name)
		s.to[t.Name] = c.Name
		e.x.initialiser(&c)
	}
	nodes, err := e.x.ordered(body, body.Nodes)
	if err != nil {
		return nil, fmt.Errorf("its body: %w", err)
	}
	for _, n := range nodes {
		if n == nil {
			return nil, errors.New("a node of its body is empty")
		}
		c, err := s.node(n, "")
		if err != nil {
			return nil, err
		}
		if c.Name != "" {
			c.Name = e.x.freshNode(c.Name)
		}
		e.nodes = append(e.nodes, c)
	}
	var out []string
	for _, o := range body.Outputs {
		name := o.Name
		if y, ok := s.to[name]; ok {
			name = y
		}
		out = append(out, name)
	}
	return out, nil
}

// stack writes values one above the other, along a new axis.
func (e *emitter) stack(out string, parts []string, axis int64) {
	rows := make([]string, len(parts))
	for i, p := range parts {
		rows[i] = e.unsqueeze(p, axis)
	}
	e.as(out, "Concat", "", rows, intAttribute("axis", axis))
}

// scan writes a Scan over an axis of fixed size as its body's nodes, once for each of its slices.
func scan(e *emitter, n *onnx.Node, _ knowledge) error {
	body := e.body()
	inputs := int(e.intOr("num_scan_inputs", 0))
	if v := e.opset(); v < 9 {
		return fmt.Errorf("graft knows this operator from opset 9 on, the model imports opset %d", v)
	}
	if body == nil || inputs < 1 || inputs > len(n.Inputs) || len(body.Inputs) != len(n.Inputs) || slices.Contains(n.Inputs, "") {
		return errors.New("it has no body for its inputs")
	}
	carried := len(n.Inputs) - inputs
	switch {
	case len(body.Outputs) < carried || len(n.Outputs) > len(body.Outputs):
		return fmt.Errorf("it has %d outputs, its body %d", len(n.Outputs), len(body.Outputs))
	case len(body.SparseInitializers) > 0:
		return errors.New("sparse initialisers are not supported")
	}
	outputs := len(body.Outputs) - carried
	list := func(name string, n int) []int64 {
		if a := e.src.Attribute(name); a != nil && len(a.Ints) == n {
			return a.Ints
		}
		return make([]int64, n)
	}
	axes, backwards := list("scan_input_axes", inputs), list("scan_input_directions", inputs)
	turns := int64(0)
	for i, name := range n.Inputs[carried:] {
		d, err := e.dimension(name, axes[i])
		if err != nil {
			return err
		}
		if i > 0 && d != turns {
			return fmt.Errorf("it goes over axes of %d and of %d", turns, d)
		}
		turns = d
	}
	if turns < 1 || turns > int64(maxNodes/max(1, len(body.Nodes))) {
		return fmt.Errorf("%d turns of %d nodes cannot be written out", turns, len(body.Nodes))
	}
	state := slices.Clone(n.Inputs[:carried])
	scans := make([][]string, outputs)
	for t := range turns {
		to := map[string]string{}
		for k, in := range body.Inputs {
			if k < carried {
				to[in.Name] = state[k]
				continue
			}
			at := t
			if backwards[k-carried] != 0 {
				at = turns - 1 - t
			}
			to[in.Name] = e.add("Gather", []string{n.Inputs[k], e.int(at)}, intAttribute("axis", axes[k-carried]))
		}
		out, err := e.turn(body, to)
		if err != nil {
			return err
		}
		state = out[:carried]
		for k := range scans {
			scans[k] = append(scans[k], out[carried+k])
		}
	}
	places, reversed := list("scan_output_axes", outputs), list("scan_output_directions", outputs)
	for k, out := range n.Outputs {
		switch {
		case out == "":
		case k < carried:
			e.as(out, "Identity", "", []string{state[k]})
		default:
			parts := scans[k-carried]
			if reversed[k-carried] != 0 {
				slices.Reverse(parts)
			}
			e.stack(out, parts, places[k-carried])
		}
	}
	return nil
}
