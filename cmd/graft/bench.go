package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"

	"github.com/spf13/cobra"

	"github.com/seed-aefebe89/graft/internal/app"
	"github.com/seed-aefebe89/graft/internal/atomicfile"
)

// peerScript is where the script of a peer is looked for unless one is named.
const peerScript = "../shared/peers/torch_step.py"

func benchCommand() *cobra.Command {
	o := app.BenchOptions{}
	var jsonFile, profile string
	var memory, quiet bool
	c := &cobra.Command{
		Use:   "bench",
		Short: "Measure forward passes and training steps beside onnxruntime on this machine",
		Long: `Measure on the same tokens with the same threads: onnxruntime's forward pass and graft's; steps of training
of a head, a top adapter (through the encoder, and on stored hidden states), Pfeiffer's bottlenecks (of a
sixteenth of the hidden size), LoRA (rank 8 on queries and values) and all weights but the embedding tables;
an outer step of priming. Each is taken in turn with onnxruntime's forward pass and the peak of the machine's
matrix product. Tokens are real ones, padding does not count. Private memory is that of a process of its own
for each.

With --lengths, graft takes batches of up to --tokens tokens (or of --batch sequences with --tokens 0) as they
come, packed; onnxruntime takes batches of --batch sequences sorted by length and padded.

With --peer, steps of LoRA, Pfeiffer's bottlenecks and full fine-tuning are also taken by a Python script, as
processes of its own in turn with ours, on the same sizes, lengths and threads.`,
		Example: `  graft bench --model models/e5-small
  graft bench --random base --methods ort,forward,lora --scaling
  graft bench --random base --lengths panx-en.lengths --methods lora,pfeiffer \
    --peer .interop/venv/bin/python --peer-script torch_step.py`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			o.Progress = reporter(quiet)
			if memory && !o.Solo {
				o.Memory = solo
			}
			if _, err := os.Stat(peerScript); err == nil && o.Peers.Python != "" && len(o.Peers.Scripts) == 0 {
				o.Peers.Scripts = []string{peerScript}
			}
			var r *app.BenchResult
			err := app.Profiled(c.Context(), profile, c.ErrOrStderr(), func(ctx context.Context) (err error) {
				r, err = app.Bench(ctx, o)
				return err
			})
			if err != nil {
				return err
			}
			if jsonFile == "-" {
				return printJSON(c.OutOrStdout(), r)
			}
			if jsonFile != "" {
				if err := atomicfile.Write(jsonFile, func(w io.Writer) error { return printJSON(w, r) }); err != nil {
					return err
				}
			}
			return r.Write(c.OutOrStdout())
		},
	}
	f := c.Flags()
	f.StringVarP(&o.Model, "model", "m", "", "model folder, or ONNX file")
	f.StringVar(&o.Random, "random", "", fmt.Sprintf("in place of a model, a random encoder of a size: %s", strings.Join(app.BenchSizes, " or ")))
	f.StringSliceVar(&o.Methods, "methods", nil, "rows to measure (default all): "+strings.Join(app.BenchKeys(), ","))
	f.IntVar(&o.Tokens, "tokens", 2048, "most tokens of a batch; with --lengths, 0 means batches of --batch sequences")
	f.IntVar(&o.Length, "length", 128, "tokens of a sequence")
	f.StringVar(&o.Lengths, "lengths", "", "file of sequence lengths, one a line, in place of --length")
	f.IntVar(&o.Batch, "batch", 32, "with --lengths, sequences of a batch of onnxruntime, of peers and of priming")
	f.IntVar(&o.Batches, "batches", 8, "with --lengths, how many such batches are taken from the file")
	f.IntVar(&o.Runs, "runs", 9, "runs of each, after one that warms up")
	f.BoolVar(&o.Scaling, "scaling", false, "also measure with one thread, and with all threads beside a process that keeps one processor busy")
	f.BoolVar(&memory, "memory", true, "measure the memory of each, in a process of its own")
	f.StringVar(&o.Peers.Python, "peer", "", "Python with torch, to measure peers with")
	f.StringArrayVar(&o.Peers.Scripts, "peer-script", nil, "script of a peer that prints its tokens_per_s; give it once for each (default "+peerScript+")")
	f.IntVar(&o.Peers.Runs, "peer-runs", 3, "runs of each peer, in turn with ours")
	f.IntVar(&o.Peers.Steps, "peer-steps", 4, "steps of a peer's run at a constant length")
	f.StringVar(&jsonFile, "json", "", "also write the result to a file as JSON; - prints it in place of the table")
	f.BoolVar(&o.Solo, "solo", false, "measure the memory of one row in this process")
	f.MarkHidden("solo")
	profileFlag(f, &profile)
	threadsFlag(f, &o.Threads)
	deviceFlag(f, &o.Device)
	precisionFlag(f, &o.Precision)
	quietFlag(f, &quiet)
	c.MarkFlagsOneRequired("model", "random")
	c.MarkFlagsMutuallyExclusive("model", "random")
	return c
}

// solo measures the memory of one row in a process of its own.
func solo(ctx context.Context, o app.BenchOptions) (float64, error) {
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	c := exec.CommandContext(ctx, self, "bench", "--solo", "--model", o.Model, "--methods", strings.Join(o.Methods, ","),
		"--tokens", fmt.Sprint(o.Tokens), "--length", fmt.Sprint(o.Length), "--lengths", o.Lengths, "--batch", fmt.Sprint(o.Batch),
		"--batches", fmt.Sprint(o.Batches), "--threads", fmt.Sprint(o.Threads), "--precision", o.Precision, "--device", o.Device.Name,
		"--json", "-", "--quiet")
	c.Stderr = os.Stderr
	out, err := c.Output()
	if err != nil {
		return 0, err
	}
	var r app.BenchResult
	if err := json.Unmarshal(out, &r); err != nil {
		return 0, err
	}
	return r.Rows[0].PrivateMB, nil
}
