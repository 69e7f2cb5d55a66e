package main

import (
	"github.com/spf13/cobra"

	"github.com/seed-aefebe89/graft/internal/app"
)

func reportCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:     "report FILE …",
		Short:   "Print saved evaluations as a table: settings by languages, mean and deviation over runs",
		Example: "  graft eval … --setting AT --save results/at-af-1.json\n  graft report results/*.json",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			t, err := app.ReadTable(args)
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(c.OutOrStdout(), t)
			}
			return t.Write(c.OutOrStdout())
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}
