package importer

import (
	"strings"

	"github.com/seed-aefebe89/graft/importer/onnx"
)

// module is a parameter's name without its last part: "encoder.layer.0.attention.self.query.weight" gives
// "encoder.layer.0.attention.self.query".
func module(parameter string) string {
	if i := strings.LastIndexByte(parameter, '.'); i >= 0 {
		return parameter[:i]
	}
	return parameter
}

// anonymous tells whether an exporter gave an initialiser a name of its own making: "onnx::MatMul_378", "val_12", "17".
func anonymous(name string) bool {
	return strings.Contains(name, "::") || !strings.Contains(name, ".") || strings.HasPrefix(name, "/")
}

// scope is the module that a node belongs to by the path that TorchScript's exporter writes into its name:
// "/encoder/layer.0/attention/self/query/MatMul" gives "encoder.layer.0.attention.self.query". It is empty for other names.
func scope(n *onnx.Node) string {
	path, ok := strings.CutPrefix(n.Name, "/")
	if !ok {
		return ""
	}
	i := strings.LastIndexByte(path, '/')
	if i < 0 {
		return ""
	}
	return strings.ReplaceAll(path[:i], "/", ".")
}

// linearName recovers the Hugging Face name of a linear map's weight: its own, else its bias's module, else the node's
// scope. It keeps the file's name where none of them tells.
func linearName(w, bias *onnx.Tensor, n *onnx.Node) string {
	switch {
	case !anonymous(w.Name):
		return w.Name
	case bias != nil && !anonymous(bias.Name):
		return module(bias.Name) + ".weight"
	case scope(n) != "":
		return scope(n) + ".weight"
	}
	return w.Name
}
