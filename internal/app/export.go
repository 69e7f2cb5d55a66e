package app

import (
	"errors"

	"github.com/seed-aefebe89/graft/export"
)

// ExportOptions say which deltas of a base are exported where.
type ExportOptions struct {
	Model  string
	Deltas []string // folders
	Out    string
}

// Export writes the slotted graph of a base and deltas beside it as .onnx_adapter files. An export folder takes further
// deltas of the same base later.
func Export(o ExportOptions) (*export.Folder, error) {
	if o.Out == "" {
		return nil, errors.New("no output folder is named")
	}
	b, err := OpenBase(o.Model)
	if err != nil {
		return nil, err
	}
	defer b.Close()
	var ds []*export.Delta
	for _, dir := range o.Deltas {
		d, err := b.ReadDelta(dir)
		if err != nil {
			return nil, err
		}
		ds = append(ds, d)
	}
	digest, err := b.Digest()
	if err != nil {
		return nil, err
	}
	return export.WriteFolder(o.Out, b.Model, b.Places, digest, ds)
}
