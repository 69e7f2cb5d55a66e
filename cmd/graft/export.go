package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/seed-aefebe89/graft/export"
	"github.com/seed-aefebe89/graft/internal/app"
)

func exportCommand() *cobra.Command {
	o := app.ExportOptions{}
	c := &cobra.Command{
		Use:   "export",
		Short: "Write a base's slotted graph and deltas for onnxruntime",
		Long: `Write an export folder: the slotted graph of a base, whose weights stay in the base's own file,
and each delta as an .onnx_adapter and in its own layout. An export folder takes further deltas of the same
base later; a delta of another base is refused.`,
		Example: "  graft export --model models/e5-small --delta runs/ner-af --delta runs/ner-hi --out served",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			f, err := app.Export(o)
			if err != nil {
				return err
			}
			fmt.Fprintf(c.OutOrStdout(), "%s: %s for the base %s, deltas %v\n", o.Out, export.SlottedFile, f.BaseDir(), f.Deltas)
			return nil
		},
	}
	f := c.Flags()
	f.StringVarP(&o.Model, "model", "m", "", modelHelp)
	f.StringArrayVarP(&o.Deltas, "delta", "d", nil, "folder of a delta; give it once for each")
	f.StringVarP(&o.Out, "out", "o", "", "export folder")
	required(c, "model", "delta", "out")
	return c
}
