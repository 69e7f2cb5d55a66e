package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/seed-aefebe89/graft/internal/app"
	"github.com/seed-aefebe89/graft/train/meta"
)

func primeCommand() *cobra.Command {
	o := app.PrimeOptions{}
	var how, head, adapter, profile string
	var quiet, dryRun bool
	c := &cobra.Command{
		Use:   "prime",
		Short: "Prime an encoder for adapter tuning by meta-learning on source languages",
		Long: `Prime an encoder: meta-learning whose inner loop simulates adapter tuning, on one task a
source language (Gheini, Ma and May 2023), first order. The result is a model folder like the
original, with the adapter's start in its folder "adapter". An interrupted run goes on where it stopped
when the same command is given again.`,
		Example: `  graft prime --model models/e5-small --source panx/en/train.iob2 --source panx/es/train.iob2 \
    --limit 8000 --steps 200 --outer-lr 1e-4 --out runs/primed
  graft prime --how ft …    plain fine-tuning on the same sources, the control`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			o.Settings.Method, o.Head, o.Adapter = meta.Method(how), meta.Head(head), meta.AdapterStart(adapter)
			o.Progress = reporter(quiet)
			if dryRun {
				m, err := app.PrimeFootprint(o)
				if err != nil {
					return err
				}
				return m.Write(c.OutOrStdout())
			}
			var r *app.PrimeRecord
			err := app.Profiled(c.Context(), profile, c.ErrOrStderr(), func(ctx context.Context) (err error) {
				r, err = app.Prime(ctx, o)
				return err
			})
			if err != nil {
				return err
			}
			fmt.Fprintf(c.OutOrStdout(), "primed %s on %v: %d outer steps, %d sentences, %.1f M parameters moved, query loss %.3f → %.3f, %.0f s\n",
				o.Out, r.Sources, r.Result.Steps, r.Result.Sentences, float64(r.Result.Trainable)/1e6,
				r.Result.Query[0], r.Result.Query[len(r.Result.Query)-1], r.Seconds)
			return nil
		},
	}
	f := c.Flags()
	f.StringVarP(&o.Model, "model", "m", "", modelHelp)
	f.StringArrayVar(&o.Sources, "source", nil, "IOB2 file of a source language; give it once for each")
	f.IntVar(&o.Limit, "limit", 0, "sentences of each source; 0 means all")
	f.IntVar(&o.Length, "max-length", 0, fmt.Sprintf("tokens that sentences are cut to; 0 means %d", app.DefaultLength))
	f.StringVarP(&o.Out, "out", "o", "", "folder for the primed model")
	methodFlags(f, &o.Method)
	f.StringVar(&how, "how", "maml", "maml (the method), or ft (plain fine-tuning on the sources)")
	f.IntVar(&o.OuterSteps, "steps", 300, "outer steps")
	f.Float64Var(&o.OuterLR, "outer-lr", 5e-5, "learning rate of the outer optimiser, AdamW with warm-up and linear decay")
	f.IntVar(&o.Warmup, "warmup", 0, "outer steps in which the rate rises; 0 means 20, at most a tenth")
	f.Float64Var(&o.WeightDecay, "weight-decay", 0.01, "weight decay of the outer optimiser")
	f.Float64Var(&o.Settings.Clip, "clip", 1, "largest norm of the outer gradient; 0 clips nothing")
	f.IntVar(&o.InnerSteps, "inner-steps", meta.DefaultInnerSteps, "steps S of the inner loop")
	f.Float64Var(&o.InnerLR, "inner-lr", 0.03, "learning rate α of the inner loop, plain gradient descent")
	f.IntVar(&o.Batch, "batch", 32, "sentences of a support or query batch")
	f.IntVar(&o.Settings.Tasks, "tasks", 0, "languages sampled for an outer step; 0 means all")
	f.StringVar(&head, "head", "carry", "the head: carry (that of the first task goes on), restart, zero or learn")
	f.StringVar(&adapter, "adapter", "learned", "the adapter at a task's start: learned, or fresh at each outer step")
	f.BoolVar(&o.Embeddings, "embeddings", false, "train the embedding tables too")
	f.Uint64Var(&o.Seed, "seed", 1, "seed of starting values and batches")
	memoryFlags(f, &o.Memory, &dryRun)
	profileFlag(f, &profile)
	threadsFlag(f, &o.Threads)
	deviceFlag(f, &o.Device)
	precisionFlag(f, &o.Precision)
	quietFlag(f, &quiet)
	required(c, "model", "source", "out")
	return c
}

// required marks flags that a command cannot do without.
func required(c *cobra.Command, names ...string) {
	for _, n := range names {
		if err := c.MarkFlagRequired(n); err != nil {
			panic(err) // the flag is not defined: a slip in this file
		}
	}
}
