package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/seed-aefebe89/graft/internal/app"
)

func trainCommand() *cobra.Command {
	o := app.TrainOptions{}
	var quiet, dryRun bool
	var profile string
	c := &cobra.Command{
		Use:   "train",
		Short: "Train an adapter and a head on labelled sentences",
		Long: `Train an adapter and a head; the base stays as it is. Of several learning rates the one that is
best on the dev file is kept, and of each the best epoch. The result is a delta: a folder in the layout of
Hugging Face PEFT (lora) or of AdapterHub (top, pfeiffer). An interrupted run goes on where it stopped when
the same command is given again.`,
		Example: `  graft train --model models/e5-small --train panx/af/train.iob2 --dev panx/af/dev.iob2 \
    --method lora --rank 8 --lr 1e-3 --epochs 5 --out runs/ner-af
  graft train --model runs/primed --start runs/primed/adapter --train … --dev … --out runs/ner-af`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			o.Progress = reporter(quiet)
			if dryRun {
				m, err := app.TrainFootprint(o)
				if err != nil {
					return err
				}
				return m.Write(c.OutOrStdout())
			}
			var r *app.TrainRecord
			err := app.Profiled(c.Context(), profile, c.ErrOrStderr(), func(ctx context.Context) (err error) {
				r, err = app.Train(ctx, o)
				return err
			})
			if err != nil {
				return err
			}
			fmt.Fprintf(c.OutOrStdout(), "trained %s: %d parameters, best at lr %g after epoch %d, dev F1 %.1f, %.0f s\n",
				o.Out, r.Result.Trainable, r.Result.LR, r.Result.Epoch, 100*r.Result.DevF1, r.Seconds)
			return nil
		},
	}
	f := c.Flags()
	f.StringVarP(&o.Model, "model", "m", "", modelHelp)
	f.StringVar(&o.Train, "train", "", "IOB2 file to train on")
	f.StringVar(&o.Dev, "dev", "", "IOB2 file to choose learning rate and epoch by")
	f.IntVar(&o.TrainLimit, "limit", 0, "sentences to train on; 0 means all")
	f.IntVar(&o.DevLimit, "dev-limit", 0, "sentences of the dev file; 0 means all")
	f.IntVar(&o.Length, "max-length", 0, fmt.Sprintf("tokens that sentences are cut to; 0 means %d", app.DefaultLength))
	f.StringSliceVar(&o.Labels, "labels", nil, "labels in the order of the classes (default: those of the training file or of --start)")
	f.StringVarP(&o.Out, "out", "o", "", "folder for the delta, which is called after it")
	methodFlags(f, &o.Method)
	f.StringVar(&o.Start, "start", "", "delta whose adapter and method are the start, such as a primed model's folder adapter")
	f.BoolVar(&o.KeepHead, "keep-head", false, "take over the head of --start too")
	f.Float64SliceVar(&o.LRs, "lr", []float64{1e-3}, "learning rates to try, with linear decay")
	f.IntVar(&o.Epochs, "epochs", 15, "epochs")
	f.IntVar(&o.Batch, "batch", 32, "sentences of a step")
	f.Float64Var(&o.Warmup, "warmup", 0, "share of the steps in which the rate rises")
	f.Float64Var(&o.WeightDecay, "weight-decay", 0.01, "weight decay")
	f.Float64Var(&o.Clip, "clip", 1, "largest norm of the gradient; 0 clips nothing")
	f.IntVar(&o.Patience, "patience", 0, "epochs without a better dev score before a rate is given up; 0 means never")
	f.Uint64Var(&o.Seed, "seed", 1, "seed of starting values and order")
	memoryFlags(f, &o.Memory, &dryRun)
	profileFlag(f, &profile)
	threadsFlag(f, &o.Threads)
	deviceFlag(f, &o.Device)
	precisionFlag(f, &o.Precision)
	quietFlag(f, &quiet)
	required(c, "model", "train", "dev", "out")
	return c
}
