package onnx

import "google.golang.org/protobuf/encoding/protowire"

// Wire is what a message keeps of its encoding beside its known fields. It is embedded in every message; the zero Wire
// is right for new ones.
type Wire struct {
	// Unknown holds the records, tags included, of the fields that this package does not know, in file order.
	Unknown []byte

	// Two sets of field numbers, one bit each. ONNX numbers no field of a known message above 31.
	present uint32 // set explicitly in the file: written even where the value is the default
	form    uint32 // a repeated scalar that is packed where ONNX's schema is not, or the reverse
}

func (w *Wire) wire() *Wire { return w }

func (w *Wire) has(n protowire.Number) bool { return w.present&(1<<n) != 0 }
func (w *Wire) mark(n protowire.Number)     { w.present |= 1 << n }

func (w *Wire) otherForm(n protowire.Number) bool { return w.form&(1<<n) != 0 }
func (w *Wire) markForm(n protowire.Number)       { w.form |= 1 << n }

// message is a protobuf message. fields describes it, field by field in the order of their numbers, to a codec, which
// decodes, measures or writes it: one description serves all three.
type message interface {
	fields(c *codec)
	wire() *Wire
}

// finisher is a message that settles something once all its records are decoded.
type finisher interface {
	finish(d *decoder)
}

// messagePtr is the pointer type of a message of type T.
type messagePtr[T any] interface {
	*T
	message
}

// codec passes through the fields of messages. Exactly one of d and e is set.
type codec struct {
	d *decoder
	e *encoder
	w *Wire // of the message at hand
}

// maxDepth is how deep messages may nest, in files and in models made in memory. A sub-graph takes three levels (node,
// attribute, graph); protobuf libraries stop at 100 as well.
const maxDepth = 100

// step is one step of the path to a message: a field's name, and the index where the field is repeated, else -1.
type step struct {
	name  string
	index int
}
