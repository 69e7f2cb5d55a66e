package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/seed-aefebe89/graft/internal/app"
	"github.com/seed-aefebe89/graft/train/metric"
)

func evalCommand() *cobra.Command {
	o := app.EvalOptions{}
	var engine, out, profile string
	var asJSON, types, quiet bool
	c := &cobra.Command{
		Use:   "eval",
		Short: "Score a delta on labelled sentences, in graft's graph, in onnxruntime, or in both",
		Example: `  graft eval --model models/e5-small --delta runs/ner-af --test panx/af/test.iob2
  graft eval --exported served --delta ner-af --test panx/af/test.iob2 --engine ort`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			switch engine {
			case "graph":
				o.Graph = true
			case "ort":
				o.Runtime = true
			case "both":
				o.Graph, o.Runtime = true, true
			default:
				return fmt.Errorf("--engine can be graph, ort or both, not %q", engine)
			}
			o.Progress = reporter(quiet)
			var r *app.EvalResult
			err := app.Profiled(c.Context(), profile, c.ErrOrStderr(), func(ctx context.Context) (err error) {
				r, err = app.Eval(ctx, o)
				return err
			})
			if err != nil {
				return err
			}
			if out != "" {
				f, err := os.Create(out)
				if err != nil {
					return err
				}
				if err := printJSON(f, r); err != nil {
					f.Close()
					return err
				}
				if err := f.Close(); err != nil {
					return err
				}
			}
			if asJSON {
				return printJSON(c.OutOrStdout(), r)
			}
			return printEval(c.OutOrStdout(), r, types)
		},
	}
	f := c.Flags()
	placeFlags(f, &o.Place)
	f.StringVar(&o.Test, "test", "", "IOB2 file to score on")
	f.IntVar(&o.Limit, "limit", 0, "sentences; 0 means all")
	f.StringVar(&o.Seen, "seen", "", "IOB2 file that was trained on: test sentences that stand in it are left out of a second score")
	f.StringVar(&engine, "engine", "both", "where to run: graph, ort or both")
	f.StringVar(&o.Setting, "setting", "", "what the row of a table is called, for graft report")
	f.StringVar(&out, "save", "", "file for the result as JSON, for graft report")
	f.BoolVar(&types, "types", false, "print a table of the scores by type of entity")
	f.BoolVar(&asJSON, "json", false, "print JSON")
	profileFlag(f, &profile)
	threadsFlag(f, &o.Threads)
	deviceFlag(f, &o.Device)
	precisionFlag(f, &o.Precision)
	quietFlag(f, &quiet)
	required(c, "delta", "test")
	return c
}

func printEval(w io.Writer, r *app.EvalResult, types bool) error {
	for _, x := range []struct {
		where string
		r     *metric.Report
	}{{"graph", r.Graph}, {"onnxruntime", r.Runtime}} {
		if x.r != nil {
			fmt.Fprintf(w, "%s on %s, %d sentences, in %s: F1 %.2f (precision %.2f, recall %.2f)\n", r.Delta, r.Language, r.Sentences,
				x.where, 100*x.r.Micro.F1, 100*x.r.Micro.Precision, 100*x.r.Micro.Recall)
		}
	}
	if r.Equal != nil {
		fmt.Fprintf(w, "equal predictions on %d of %d sentences\n", *r.Equal, r.Sentences)
	}
	if r.Unseen != nil {
		fmt.Fprintf(w, "on the %d sentences that do not stand in the training file: F1 %.2f\n", r.Unseen.Sentences, 100*r.Unseen.Micro.F1)
	}
	if !types {
		return nil
	}
	report := r.Graph
	if report == nil {
		report = r.Runtime
	}
	return report.WriteTable(w, 3)
}
