package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"

	"github.com/spf13/cobra"

	"github.com/seed-aefebe89/graft/internal/app"
)

func benchCommand() *cobra.Command {
	o := app.BenchOptions{}
	var asJSON, quiet bool
	var profile string
	c := &cobra.Command{
		Use:   "bench",
		Short: "Measure forward passes and training steps beside onnxruntime on this machine",
		Long: `Measure onnxruntime's forward pass, graft's, and a LoRA step (rank 8 on queries and values) on the same
tokens with the same threads, in one process and in turn, as medians; with the rate of the machine's own
matrix product in the same run. Private memory is that of a process of its own for each.`,
		Example: "  graft bench --model models/e5-small --tokens 1024",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			o.Progress = reporter(quiet)
			if o.Only == "" {
				o.Memory = func(ctx context.Context, only string) (float64, error) { return memory(ctx, o, only) }
			}
			var r *app.BenchResult
			err := app.Profiled(c.Context(), profile, c.ErrOrStderr(), func(ctx context.Context) (err error) {
				r, err = app.Bench(ctx, o)
				return err
			})
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(c.OutOrStdout(), r)
			}
			return r.Write(c.OutOrStdout())
		},
	}
	f := c.Flags()
	f.StringVarP(&o.Model, "model", "m", "", "model folder, or ONNX file")
	f.IntVar(&o.Tokens, "tokens", 1024, "tokens of a batch")
	f.IntVar(&o.Length, "length", 128, "tokens of a sequence")
	f.IntVar(&o.Runs, "runs", 9, "runs of each, after one that warms up")
	f.StringVar(&o.Only, "only", "", fmt.Sprintf("measure one thing alone: %q", app.BenchNames))
	f.BoolVar(&asJSON, "json", false, "print JSON")
	profileFlag(f, &profile)
	threadsFlag(f, &o.Threads)
	quietFlag(f, &quiet)
	required(c, "model")
	return c
}

// memory measures the private memory of one thing in a process of its own.
func memory(ctx context.Context, o app.BenchOptions, only string) (float64, error) {
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	c := exec.CommandContext(ctx, self, "bench", "--model", o.Model, "--tokens", fmt.Sprint(o.Tokens), "--length", fmt.Sprint(o.Length),
		"--threads", fmt.Sprint(o.Threads), "--runs", "2", "--only", only, "--json", "--quiet")
	c.Stderr = os.Stderr
	out, err := c.Output()
	if err != nil {
		return 0, fmt.Errorf("measuring the memory of %s: %w", only, err)
	}
	var r app.BenchResult
	if err := json.Unmarshal(out, &r); err != nil {
		return 0, err
	}
	return r.Rows[0].PrivateMB, nil
}
