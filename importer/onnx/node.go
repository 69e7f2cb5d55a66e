package onnx

import "fmt"

// Node is a NodeProto: one operator applied to named values.
type Node struct {
	Name      string
	OpType    string
	Domain    string // "" is the default domain, ai.onnx
	Overload  string // of the local function that OpType names
	DocString string

	Inputs  []string // "" is an optional input that is left out
	Outputs []string // "" is an optional output that is not wanted

	Attributes           []*Attribute
	Metadata             []StringPair
	DeviceConfigurations []*NodeDeviceConfiguration
	Wire
}

func (n *Node) fields(c *codec) {
	texts(c, 1, &n.Inputs)
	texts(c, 2, &n.Outputs)
	text(c, 3, &n.Name)
	text(c, 4, &n.OpType)
	list(c, 5, "attribute", &n.Attributes)
	text(c, 6, &n.DocString)
	text(c, 7, &n.Domain)
	text(c, 8, &n.Overload)
	values(c, 9, "metadata_props", &n.Metadata)
	list(c, 10, "device_configurations", &n.DeviceConfigurations)
}

// Attribute returns the attribute of a name, nil if the node has none.
func (n *Node) Attribute(name string) *Attribute {
	for _, a := range n.Attributes {
		if a != nil && a.Name == name {
			return a
		}
	}
	return nil
}

// String names the node for messages: its operator, with the domain unless that is the default, and its name, or the
// first output that has one where it is nameless: `Softmax "/encoder/layer.0/Softmax"`, `com.microsoft.Gelu → "y"`.
func (n *Node) String() string {
	op := short(n.OpType)
	if d := canonicalDomain(n.Domain); d != "" {
		op = short(d) + "." + op
	}
	if n.Name != "" {
		return fmt.Sprintf("%s %q", op, short(n.Name))
	}
	for _, out := range n.Outputs {
		if out != "" {
			return fmt.Sprintf("%s → %q", op, short(out))
		}
	}
	return op
}
