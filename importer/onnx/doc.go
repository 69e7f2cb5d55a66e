// Package onnx reads and writes ONNX models (https://onnx.ai, IR versions 1 to 14 and whatever later ones add).
//
// Open maps a file and decodes it; Decode does the same over bytes in memory. The structures mirror onnx.proto message
// by message, with Go's names: a Model holds a Graph, its Nodes, Attributes, Tensors, Types, functions and training
// information. What this package does not know survives: each message keeps the records of unknown fields and writes
// them back byte for byte, a data type or attribute type with a new number stays that number, and a field that was
// written explicitly with its default value is written again. A model that was decoded from a file in field order, as
// the protobuf libraries write it, encodes to the same bytes.
//
// Tensor data is never copied while decoding: Tensor.Bytes and Tensor.Float32s are views of the mapped file wherever
// the file holds little-endian elements, and conversions otherwise. They are read-only and end with File.Close.
//
// Files may be hostile. Nesting, lengths, shapes, and the places of external data are checked, and every fault is an
// error that names the byte and the message, such as "graph.node[3].attribute[0] at byte 4711".
package onnx
