package onnx

// Model is a ModelProto: a graph with what it needs to be understood.
type Model struct {
	IRVersion       int64
	OpsetImport     []OperatorSet
	ProducerName    string
	ProducerVersion string
	Domain          string
	ModelVersion    int64
	DocString       string
	Graph           *Graph // never nil in a decoded model
	Metadata        []StringPair
	Training        []*TrainingInfo
	Functions       []*Function
	Configurations  []*DeviceConfiguration
	Wire
}

func (m *Model) fields(c *codec) {
	varint(c, 1, &m.IRVersion)
	text(c, 2, &m.ProducerName)
	text(c, 3, &m.ProducerVersion)
	text(c, 4, &m.Domain)
	varint(c, 5, &m.ModelVersion)
	text(c, 6, &m.DocString)
	one(c, 7, "graph", &m.Graph)
	values(c, 8, "opset_import", &m.OpsetImport)
	values(c, 14, "metadata_props", &m.Metadata)
	list(c, 20, "training_info", &m.Training)
	list(c, 25, "functions", &m.Functions)
	list(c, 26, "configuration", &m.Configurations)
}

// Opset is the version of the operator set that the model imports for a domain. "" and "ai.onnx" are the same domain.
func (m *Model) Opset(domain string) (int64, bool) {
	for _, o := range m.OpsetImport {
		if canonicalDomain(o.Domain) == canonicalDomain(domain) {
			return o.Version, true
		}
	}
	return 0, false
}

func canonicalDomain(domain string) string {
	if domain == "ai.onnx" {
		return ""
	}
	return domain
}

// OperatorSet is an OperatorSetIdProto: a domain and the version of its operators.
type OperatorSet struct {
	Domain  string // "" is the default domain, ai.onnx
	Version int64
	Wire
}

func (o *OperatorSet) fields(c *codec) {
	text(c, 1, &o.Domain)
	varint(c, 2, &o.Version)
}

// StringPair is a StringStringEntryProto: one entry of a map.
type StringPair struct {
	Key, Value string
	Wire
}

func (p *StringPair) fields(c *codec) {
	text(c, 1, &p.Key)
	text(c, 2, &p.Value)
}

// Graph is a GraphProto: nodes in topological order, and the constants that they read.
type Graph struct {
	Name               string
	DocString          string
	Nodes              []*Node
	Initializers       []*Tensor
	SparseInitializers []*SparseTensor
	Inputs             []*ValueInfo
	Outputs            []*ValueInfo
	ValueInfo          []*ValueInfo
	Quantization       []*TensorAnnotation
	Metadata           []StringPair
	Wire
}

func (g *Graph) fields(c *codec) {
	list(c, 1, "node", &g.Nodes)
	text(c, 2, &g.Name)
	list(c, 5, "initializer", &g.Initializers)
	text(c, 10, &g.DocString)
	list(c, 11, "input", &g.Inputs)
	list(c, 12, "output", &g.Outputs)
	list(c, 13, "value_info", &g.ValueInfo)
	list(c, 14, "quantization_annotation", &g.Quantization)
	list(c, 15, "sparse_initializer", &g.SparseInitializers)
	values(c, 16, "metadata_props", &g.Metadata)
}

// Initializer returns the initialiser of a name, nil if there is none. It searches; keep a map for many names.
func (g *Graph) Initializer(name string) *Tensor {
	for _, t := range g.Initializers {
		if t != nil && t.Name == name {
			return t
		}
	}
	return nil
}

// TensorAnnotation tells which tensors hold the quantisation parameters of a tensor.
type TensorAnnotation struct {
	TensorName string
	Parameters []StringPair // such as SCALE_TENSOR → the tensor's name
	Wire
}

func (a *TensorAnnotation) fields(c *codec) {
	text(c, 1, &a.TensorName)
	values(c, 2, "quant_parameter_tensor_names", &a.Parameters)
}

// Function is a FunctionProto: an operator defined by nodes, local to the model.
type Function struct {
	Name            string
	Domain          string
	Overload        string
	DocString       string
	Inputs, Outputs []string
	AttributeNames  []string     // attributes without a default
	Attributes      []*Attribute // attributes with their defaults
	Nodes           []*Node
	OpsetImport     []OperatorSet
	ValueInfo       []*ValueInfo
	Metadata        []StringPair
	Wire
}

func (f *Function) fields(c *codec) {
	text(c, 1, &f.Name)
	texts(c, 4, &f.Inputs)
	texts(c, 5, &f.Outputs)
	texts(c, 6, &f.AttributeNames)
	list(c, 7, "node", &f.Nodes)
	text(c, 8, &f.DocString)
	values(c, 9, "opset_import", &f.OpsetImport)
	text(c, 10, &f.Domain)
	list(c, 11, "attribute_proto", &f.Attributes)
	list(c, 12, "value_info", &f.ValueInfo)
	text(c, 13, &f.Overload)
	values(c, 14, "metadata_props", &f.Metadata)
}

// TrainingInfo is a TrainingInfoProto: graphs that start and update a model's state.
type TrainingInfo struct {
	Initialization        *Graph
	Algorithm             *Graph
	InitializationBinding []StringPair
	UpdateBinding         []StringPair
	Wire
}

func (t *TrainingInfo) fields(c *codec) {
	one(c, 1, "initialization", &t.Initialization)
	one(c, 2, "algorithm", &t.Algorithm)
	values(c, 3, "initialization_binding", &t.InitializationBinding)
	values(c, 4, "update_binding", &t.UpdateBinding)
}
