package importer

import (
	"slices"

	"github.com/seed-aefebe89/graft/importer/onnx"
)

// matrix tells whether a value is a matrix of the model's weights as it stands.
func (r *recogniser) matrix(name string) bool {
	v := r.s.value(name)
	return v != nil && v.kind == parameter && len(v.Shape) == 2 && !v.param.trans
}

// positionTable adds a matrix of weights whose rows belong to no token.
func (r *recogniser) positionTable(name string, n *onnx.Node) (Value, error) {
	v := r.s.value(name)
	own := v.param.tensor.Name
	if n != nil {
		own = parameterName(own, n, "weight")
	}
	return r.put(&PositionTable{Origin: Origin{Output: name}, W: r.weight(v.param, own)})
}

// rowsOfWeights is the shape [.., rows, width] of a matrix that is computed of weights alone.
func (r *recogniser) rowsOfWeights(name string) (rows, width int, ok bool) {
	v := r.s.value(name)
	if v == nil || v.kind < parameter || len(v.Shape) < 2 {
		return 0, 0, false
	}
	k := len(v.Shape)
	rows, width = v.Shape[k-2], v.Shape[k-1]
	if v.Size() != rows*width {
		return 0, 0, false
	}
	_, byLength := r.s.g.closure(name)
	return rows, width, byLength
}

// positionRows recognises moves that leave a matrix of weights as it is: all of its rows in their order.
func (r *recogniser) positionRows(name string, n *onnx.Node) (Value, error) {
	from, chain := r.path(name)
	if n := r.s.g.producer(from); n != nil && n.Domain == "" && slices.Contains(moves, n.OpType) && n.OpType != "Split" &&
		r.matrix(n.Inputs[0]) && r.constants(n.Inputs[1:]) {
		from, chain = r.s.g.resolve(n.Inputs[0]), append([]move{{n, 0}}, chain...)
	}
	if len(chain) == 0 {
		return None, nil
	}
	rows, width, ok := r.rowsOfWeights(from)
	if !ok {
		return None, nil
	}
	at, err := r.trace(from, chain)
	if err != nil || len(at) != rows*width {
		return None, err
	}
	for i, k := range at {
		if k != int64(i) {
			return None, nil
		}
	}
	return r.value(from)
}

// constants tells whether values, those that are there, are known.
func (r *recogniser) constants(names []string) bool {
	for _, name := range names {
		if name != "" && r.s.value(name).kind != constant {
			return false
		}
	}
	return true
}
