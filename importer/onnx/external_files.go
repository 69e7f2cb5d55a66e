package onnx

import "slices"

// ExternalFiles are the locations of all files that tensors of the model keep their elements in, sorted: paths relative to
// the model's folder, as the file has them. They may be anything: whoever opens them must check that they stay in it.
func (m *Model) ExternalFiles() []string {
	var out []string
	for _, t := range m.Tensors() {
		if t.External != nil {
			out = append(out, t.External.Location)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
