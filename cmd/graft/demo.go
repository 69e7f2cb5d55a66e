package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/seed-aefebe89/graft/internal/app"
	"github.com/seed-aefebe89/graft/train/meta"
)

func demoCommand() *cobra.Command {
	d := demo{}
	c := &cobra.Command{
		Use:   "demo",
		Short: "Run the whole chain on a small encoder and corpus, showing each command",
		Long: `Run the main job on the demo's own encoder and corpus: prime the encoder on English and Spanish, train
adapters for four other languages on the plain and on the primed encoder, evaluate and export them, and run the
exported files in onnxruntime. Each step is a graft command, shown as it is run.`,
		Example: "  graft demo --assets testdata/demo --out runs/demo",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			d.command = c
			return d.run(c.Context())
		},
	}
	f := c.Flags()
	f.StringVar(&d.assets, "assets", filepath.Join("testdata", "demo"), "folder with the demo's encoder (e5-mini) and corpus (ner)")
	f.StringVarP(&d.out, "out", "o", filepath.Join("runs", "demo"), "folder for all results; those of an earlier demo are removed")
	f.StringSliceVar(&d.targets, "targets", []string{"af", "et", "hi", "sw"}, "target languages")
	f.IntVar(&d.steps, "steps", 80, "outer steps of priming")
	f.BoolVar(&d.control, "control", false, "also prime by plain fine-tuning on the same sentences in as many steps, the control")
	threadsFlag(f, &d.threads)
	quietFlag(f, &d.quiet)
	return c
}

// demo runs graft commands one after another.
type demo struct {
	assets, out    string
	targets        []string
	steps, threads int
	control, quiet bool
	command        *cobra.Command
}

// texts are what the demo finds entities in at the end.
var texts = map[string]string{
	"af": "Nelson Mandela het in 1990 in Kaapstad met die Universiteit van Stellenbosch gepraat.",
	"et": "Kersti Kaljulaid külastas eile Tartu Ülikooli ja sõitis siis Pärnusse.",
	"hi": "अमिताभ बच्चन ने मुंबई में भारतीय रिज़र्व बैंक के बारे में बात की।",
	"sw": "Wangari Maathai alizaliwa Nyeri na alifanya kazi katika Chuo Kikuu cha Nairobi.",
}

func (d *demo) run(ctx context.Context) error {
	start := time.Now()
	if err := d.clear(); err != nil {
		return err
	}
	model := filepath.Join(d.assets, "e5-mini")
	file := func(lang, split string) string { return filepath.Join(d.assets, "ner", lang, split+".iob2") }
	out := func(elem ...string) string { return filepath.Join(append([]string{d.out}, elem...)...) }
	if _, err := os.Stat(model); err != nil {
		return fmt.Errorf("the demo's encoder is not there: %w; run it in graft's folder, or name the assets with --assets", err)
	}
	if err := os.MkdirAll(out("results"), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(out(demoMark), nil, 0o644); err != nil {
		return err
	}
	d.say("1. What graft sees in the encoder")
	if err := d.graft(ctx, "inspect", model); err != nil {
		return err
	}
	d.say("2. Prime it on English and Spanish: the inner loop simulates adapter tuning")
	if err := d.graft(ctx, "prime", "--model", model, "--source", file("en", "train"), "--source", file("es", "train"),
		"--steps", fmt.Sprint(d.steps), "--outer-lr", "1e-4", "--out", out("primed")); err != nil {
		return err
	}
	if d.control {
		d.say("   and the control: plain fine-tuning on as many sentences in as many steps")
		if err := d.graft(ctx, "prime", "--how", "ft", "--model", model, "--source", file("en", "train"), "--source", file("es", "train"),
			"--steps", fmt.Sprint(d.steps), "--batch", fmt.Sprint(32*(meta.DefaultInnerSteps+1)), "--outer-lr", "1e-4", "--out", out("tuned")); err != nil {
			return err
		}
	}
	d.say("3. Train adapters of a few sentences: on the plain encoder, and on the primed one")
	var exports []string
	for _, l := range d.targets {
		common := []string{"--train", file(l, "train"), "--dev", file(l, "dev"), "--lr", "1e-3,3e-3,1e-2", "--epochs", "40", "--batch", "16"}
		if err := d.graft(ctx, append([]string{"train", "--model", model, "--out", out("at-" + l)}, common...)...); err != nil {
			return err
		}
		if err := d.graft(ctx, append([]string{"train", "--model", out("primed"), "--start", out("primed", app.AdapterDir),
			"--out", out("primed-" + l)}, common...)...); err != nil {
			return err
		}
		exports = append(exports, "--delta", out("primed-"+l))
		if d.control {
			if err := d.graft(ctx, append([]string{"train", "--model", out("tuned"), "--out", out("ft-" + l)}, common...)...); err != nil {
				return err
			}
		}
	}
	d.say("4. Export: one slotted graph, a small delta for each language, the encoder's file untouched")
	if err := d.graft(ctx, append([]string{"export", "--model", out("primed"), "--out", out("served")}, exports...)...); err != nil {
		return err
	}
	d.say("5. Evaluate in graft's graph and, from the exported files, in onnxruntime")
	var summary app.Summary
	if err := summary.Base(filepath.Join(out("primed"), "model.onnx")); err != nil {
		return err
	}
	for _, l := range d.targets {
		at, mp := out("results", "at-"+l+".json"), out("results", "primed-"+l+".json")
		if err := d.graft(ctx, "eval", "--model", model, "--delta", out("at-"+l), "--test", file(l, "test"), "--setting", "AT", "--save", at); err != nil {
			return err
		}
		if err := d.graft(ctx, "eval", "--exported", out("served"), "--delta", "primed-"+l, "--test", file(l, "test"), "--setting", "MP→AT", "--save", mp); err != nil {
			return err
		}
		control := ""
		if d.control {
			control = out("results", "ft-"+l+".json")
			if err := d.graft(ctx, "eval", "--model", out("tuned"), "--delta", out("ft-"+l), "--test", file(l, "test"), "--setting", "FT→AT", "--save", control); err != nil {
				return err
			}
		}
		if err := summary.Add(at, control, mp, out("served")); err != nil {
			return err
		}
	}
	d.say("6. Find entities in texts: the exported files in onnxruntime, and the graph")
	for _, l := range d.targets {
		if texts[l] == "" {
			continue
		}
		for _, engine := range []string{"ort", "graph"} {
			if err := d.graft(ctx, "predict", "--exported", out("served"), "--delta", "primed-"+l, "--engine", engine, texts[l]); err != nil {
				return err
			}
		}
	}
	d.say(fmt.Sprintf("The whole took %.0f s", time.Since(start).Seconds()))
	return summary.Write(d.command.OutOrStdout())
}

// demoMark is the file that tells a demo's folder from others.
const demoMark = ".graft-demo"

// clear removes the results of an earlier demo. A folder that holds something else is left alone.
func (d *demo) clear() error {
	es, err := os.ReadDir(d.out)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(es) == 0 {
		return nil
	}
	if err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(d.out, demoMark)); err != nil {
		return fmt.Errorf("%s is there and is no demo's: name another folder with --out", d.out)
	}
	return os.RemoveAll(d.out)
}

func (d *demo) say(title string) { fmt.Fprintf(d.command.OutOrStdout(), "\n%s\n", title) }

// graft runs a command as the command line would, and shows it.
func (d *demo) graft(ctx context.Context, args ...string) error {
	shown := make([]string, len(args))
	for i, a := range args {
		if strings.ContainsAny(a, " \"'") {
			a = "'" + a + "'"
		}
		shown[i] = a
	}
	fmt.Fprintln(d.command.OutOrStdout(), "$ graft", strings.Join(shown, " "))
	c := command()
	c.SetOut(d.command.OutOrStdout())
	c.SetErr(d.command.ErrOrStderr())
	if sub, _, err := c.Find(args); err == nil {
		if d.threads > 0 && sub.Flags().Lookup("threads") != nil {
			args = append(args, "--threads", fmt.Sprint(d.threads))
		}
		if d.quiet && sub.Flags().Lookup("quiet") != nil {
			args = append(args, "--quiet")
		}
	}
	c.SetArgs(args)
	return c.ExecuteContext(ctx)
}
