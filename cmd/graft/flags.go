package main

import (
	"encoding/json"
	"io"

	"github.com/spf13/pflag"

	"github.com/seed-aefebe89/graft/graph"
	"github.com/seed-aefebe89/graft/internal/app"
)

// modelHelp says what a model argument is.
const modelHelp = "model folder with model.onnx (or onnx/model.onnx), tokenizer.json and config.json"

func threadsFlag(f *pflag.FlagSet, n *int) {
	f.IntVar(n, "threads", 0, "threads; 0 means one for each processor")
}

func deviceFlag(f *pflag.FlagSet, d *app.Device) {
	f.StringVar(&d.Name, "device", "cpu", "where graft's own engine computes: cpu, gpu, or auto (the GPU where there is one)")
}

func precisionFlag(f *pflag.FlagSet, precision *string) {
	f.StringVar(precision, "precision", "f32", "precision of graft's products with the encoder's weights: f32, tf32 (on a GPU), bf16, or auto (bf16 where the device multiplies it)")
}

func quietFlag(f *pflag.FlagSet, quiet *bool) {
	f.BoolVarP(quiet, "quiet", "q", false, "show no progress")
}

func profileFlag(f *pflag.FlagSet, path *string) {
	f.StringVar(path, "profile", "", "measure every operator: a table on standard error, and a trace for chrome://tracing in this file")
}

// memoryFlags trade memory for time, and tell it.
func memoryFlags(f *pflag.FlagSet, m *graph.Memory, dryRun *bool) {
	f.BoolVar(&m.Unpacked, "low-memory", false, "do without packed copies of frozen weights: smaller and slower")
	f.BoolVar(&m.Recompute, "checkpoint-activations", false, "keep only the layers' inputs for the backward pass and compute the rest again: smaller and slower")
	f.BoolVar(dryRun, "dry-run", false, "tell the memory that it would take, and stop")
}

// methodFlags are the settings of an adapter method.
func methodFlags(f *pflag.FlagSet, m *app.MethodOptions) {
	f.StringVar(&m.Name, "method", "top", "adapter method: top (a bottleneck after the last layer), pfeiffer (one in every layer) or lora")
	f.IntVar(&m.Size, "size", 64, "columns of a bottleneck")
	f.StringVar(&m.Activation, "activation", "relu", "activation of a bottleneck: gelu, gelu_tanh, relu, silu or tanh")
	f.IntVar(&m.Rank, "rank", 8, "rank of LoRA")
	f.Float64Var(&m.Alpha, "alpha", 0, "LoRA's alpha, by which the update is scaled as alpha/rank; 0 means the rank")
	f.StringSliceVar(&m.Targets, "targets", nil, "projections that LoRA changes (default: those of queries and values)")
}

// placeFlags say where a delta is.
func placeFlags(f *pflag.FlagSet, p *app.Place) {
	f.StringVarP(&p.Model, "model", "m", "", modelHelp)
	f.StringVarP(&p.Delta, "delta", "d", "", "folder of the delta; with --exported, its name there")
	f.StringVar(&p.Exported, "exported", "", "export folder to take slotted graph and delta from; it knows its model")
}

// writeLine writes v as one line of JSON.
func writeLine(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}
