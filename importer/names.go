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

// scopesKey is the metadata in which PyTorch's dynamo exporter keeps the modules that a node lies in, as a list in
// Python's notation that ends with the function.
const scopesKey = "pkg.torch.onnx.name_scopes"

// scope is the module that a node belongs to: by the path that TorchScript's exporter writes into its name, of which
// "/encoder/layer.0/attention/self/query/MatMul" gives "encoder.layer.0.attention.self.query", or by the metadata of the
// dynamo exporter. It is empty for other nodes.
func scope(n *onnx.Node) string {
	if path, ok := strings.CutPrefix(n.Name, "/"); ok {
		if i := strings.LastIndexByte(path, '/'); i >= 0 {
			return strings.ReplaceAll(path[:i], "/", ".")
		}
	}
	for _, p := range n.Metadata {
		if p.Key == scopesKey {
			scopes := strings.Split(strings.Trim(p.Value, "[]"), ", ")
			if len(scopes) > 1 {
				return strings.Trim(scopes[len(scopes)-2], "'\"")
			}
		}
	}
	return ""
}

// parameterName is the name of a parameter of a node's module: its own unless that is the exporter's, else by the
// node's scope, if that tells.
func parameterName(own string, n *onnx.Node, kind string) string {
	if !anonymous(own) {
		return own
	}
	if s := scope(n); s != "" {
		return s + "." + kind
	}
	return ""
}

// linearNames lists what the weight of a linear map, nil for one that is computed, may be called in Hugging Face's model,
// the most trustworthy first: its own name, its bias's module and the node's scope. The scope goes first where it lies
// within the bias's module: a bias may belong to a module around that of the weight. A bias with more users than the weight
// does not tell, since exporters keep one of several that are equal, unless they are known to be one map.
func (g *graph) linearNames(w, bias *onnx.Tensor, n *onnx.Node, one bool) []string {
	own, most := "", 1
	if w != nil {
		own, most = w.Name, len(g.users[w.Name])
	}
	if w != nil && !anonymous(own) {
		return []string{own}
	}
	byScope := parameterName(own, n, "weight")
	if bias == nil || anonymous(bias.Name) || len(g.users[bias.Name]) > most && !one {
		return []string{byScope}
	}
	byBias := module(bias.Name) + ".weight"
	if strings.HasPrefix(byScope, module(bias.Name)+".") {
		return []string{byScope, byBias}
	}
	return []string{byBias, byScope}
}

// oneMap tells whether all users of a bias add it to the product with one weight, or with copies of it.
func (r *recogniser) oneMap(w, bias *onnx.Tensor) bool {
	if bias == nil {
		return false
	}
	for _, n := range r.s.g.users[bias.Name] {
		p := r.product(n)
		if act, _, ok := r.sides(n, "Add"); p == nil && ok {
			p = r.plain(act)
		}
		if p == nil || p.w.tensor != w && !sameTensor(p.w.tensor, w) {
			return false
		}
	}
	return true
}

// first is a name by the scope of one of several calls of a module, as of the first one: TorchScript's exporter writes
// "attention.query_1.weight" for the second.
func first(name string) string {
	parts := strings.Split(name, ".")
	for i, p := range parts {
		if k := strings.LastIndexByte(p, '_'); k > 0 && k+1 < len(p) && strings.Trim(p[k+1:], "0123456789") == "" {
			parts[i] = p[:k]
		}
	}
	return strings.Join(parts, ".")
}
