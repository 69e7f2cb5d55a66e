package importer

import (
	"github.com/seed-aefebe89/graft/importer/onnx"
)

// emitter collects the nodes that a rule writes for another one.
type emitter struct {
	x     *expander
	src   *onnx.Node
	nodes []*onnx.Node
}
