package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/seed-aefebe89/graft/graph"
	"github.com/seed-aefebe89/graft/graph/kernel"
	"github.com/seed-aefebe89/graft/importer"
)

// PeerOptions name programs of others that take the same steps, to be measured in turn with ours.
type PeerOptions struct {
	Python  string   // an interpreter with torch; empty for no peers
	Scripts []string // see peerScript
	Runs    int      // of each, in turn with ours
	Steps   int      // of a run at a constant length; with a file of lengths a run takes all its batches
}

// enabled tells whether there are peers.
func (o PeerOptions) enabled() bool { return o.Python != "" }

// peerScript is a Python program that takes steps of training and prints a line of JSON with tokens_per_s and step_ms.
// Which options it takes is read from its add_argument calls: --method (lora, bottleneck, full) or --stack (peft, which
// is LoRA, or adapters, a bottleneck) says what it trains, and of --layers, --hidden, --heads, --ffn, --vocab, --labels,
// --rank, --batch, --steps, --threads, --length, --lengths, --bf16 and --group it is given what it has.
type peerScript struct {
	path, name string
	options    []string
}

// declared matches an option that a script declares.
var declared = regexp.MustCompile(`add_argument\(\s*["']--([a-z0-9][a-z0-9-]*)["']`)

// open reads the scripts' options, and looks for the interpreter.
func (o PeerOptions) open() ([]peerScript, error) {
	if !o.enabled() {
		return nil, nil
	}
	if _, err := exec.LookPath(o.Python); err != nil {
		return nil, fmt.Errorf("a peer needs a Python with torch: %w: name one that is there (make interop makes .interop/venv/bin/python)", err)
	}
	if len(o.Scripts) == 0 {
		return nil, errors.New("no peer's script is named: --peer-script wants a file such as torch_step.py")
	}
	if o.Runs < 1 || o.Steps < 1 {
		return nil, fmt.Errorf("%d runs of %d steps were asked for of the peers, want at least 1", o.Runs, o.Steps)
	}
	var out []peerScript
	for _, path := range o.Scripts {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("reading a peer's script: %w", err)
		}
		s := peerScript{path: path, name: strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))}
		for _, m := range declared.FindAllSubmatch(text, -1) {
			s.options = append(s.options, string(m[1]))
		}
		if !s.has("method") && !s.has("stack") {
			return nil, fmt.Errorf("%s is no peer's script: it declares neither --method nor --stack", path)
		}
		out = append(out, s)
	}
	return out, nil
}

func (s peerScript) has(option string) bool { return slices.Contains(s.options, option) }

// trains are the arguments that make the script train what a row of ours does, and what that is called; none if it
// cannot.
func (s peerScript) trains(key string) (name string, args []string) {
	if s.has("stack") {
		switch key {
		case "lora":
			return s.name + " peft", []string{"--stack", "peft"}
		case "pfeiffer":
			return s.name + " adapters", []string{"--stack", "adapters"}
		}
		return "", nil
	}
	method, ok := map[string]string{"lora": "lora", "pfeiffer": "bottleneck", "full": "full"}[key]
	if !ok {
		return "", nil
	}
	return s.name + " " + method, []string{"--method", method}
}

// peerRun is one way in which a script runs beside a row of ours.
type peerRun struct {
	name, key string
	args      []string
	times     []float64 // of a step
	rates     []float64 // tokens/s
	memory    float64
}

// beside takes runs of a row in turn with those of its peers.
func (b *bench) beside(ctx context.Context, r benchRow, x *running) ([]BenchRow, error) {
	sizes, cleanup, err := b.peerSizes()
	if err != nil {
		return nil, err
	}
	defer cleanup()
	var runs []*peerRun
	for _, s := range b.peers {
		name, args := s.trains(r.key)
		if name == "" {
			continue
		}
		for _, o := range sizes {
			if s.has(o[0]) {
				args = append(args, "--"+o[0], o[1])
			}
		}
		if b.prec == kernel.BFloat16 && s.has("bf16") {
			name, args = name+" bf16", append(args, "--bf16")
		}
		args = append([]string{s.path}, args...)
		key := r.key + "/" + strings.ReplaceAll(name, " ", "-")
		runs = append(runs, &peerRun{name: name, key: key, args: args})
		if b.Lengths != "" && s.has("group") {
			runs = append(runs, &peerRun{name: name + ", grouped", key: key + "/grouped", args: append(slices.Clip(args), "--group")})
		}
	}
	if len(runs) == 0 {
		return nil, nil
	}
	var ours []float64
	for range b.Peers.Runs {
		d, err := timed(ctx, x.run)
		if err != nil {
			return nil, err
		}
		ours = append(ours, float64(x.tokens)/d)
		for _, p := range runs {
			if err := p.take(ctx, b.Peers.Python); err != nil {
				return nil, err
			}
		}
	}
	steps := b.Peers.Steps
	if b.Lengths != "" {
		steps = b.Batches
	}
	var rows []BenchRow
	for _, p := range runs {
		row := BenchRow{Key: p.key, Name: p.name, Threads: len(b.ks), Steps: steps, Seconds: median(p.times), Min: slices.Min(p.times),
			Max: slices.Max(p.times), TokensPS: median(p.rates), PrivateMB: p.memory, Of: r.key, Ours: median(ours)}
		row.Speedup = row.Ours / row.TokensPS
		rows = append(rows, row)
	}
	return rows, nil
}

// peerSizes are options and values that make a peer's encoder and batches those of ours. Its lengths are ours, twice:
// so whatever number of batches it warms up on, those that it measures are all of ours once.
func (b *bench) peerSizes() (sizes [][2]string, cleanup func(), err error) {
	cleanup = func() {}
	if len(b.peers) == 0 {
		return nil, cleanup, nil
	}
	e := b.base.Encoder
	if len(e.Layers) == 0 {
		return nil, cleanup, errors.New("the encoder's layers were not recognised, so that its peers' sizes are not known")
	}
	l := e.Layers[0]
	steps := b.Peers.Steps
	if b.Lengths != "" {
		steps = b.Batches
	}
	add := func(name string, n int) { sizes = append(sizes, [2]string{name, strconv.Itoa(n)}) }
	add("layers", len(e.Layers))
	add("hidden", graph.HiddenSize(e))
	add("heads", e.Ops[l.Attention].(*importer.Attention).Heads)
	add("ffn", e.Ops[l.Up].(*importer.Linear).Out())
	add("vocab", vocabulary(e))
	add("labels", benchClasses)
	add("rank", 8)
	add("threads", len(b.ks))
	add("batch", b.load.batch)
	add("steps", steps)
	if b.Lengths == "" {
		add("length", b.Length)
		return sizes, cleanup, nil
	}
	dir, err := os.MkdirTemp("", "graft-bench-")
	if err != nil {
		return nil, cleanup, err
	}
	cleanup = func() { os.RemoveAll(dir) }
	var text bytes.Buffer
	for range 2 {
		for _, q := range b.load.seqs {
			fmt.Fprintln(&text, len(q.IDs))
		}
	}
	path := filepath.Join(dir, "lengths")
	if err := os.WriteFile(path, text.Bytes(), 0o600); err != nil {
		cleanup()
		return nil, func() {}, err
	}
	return append(sizes, [2]string{"lengths", path}), cleanup, nil
}

// take runs the script once.
func (p *peerRun) take(ctx context.Context, python string) error {
	var out, errs bytes.Buffer
	c := exec.CommandContext(ctx, python, p.args...)
	c.Stdout, c.Stderr = &out, &errs
	if err := c.Start(); err != nil {
		return fmt.Errorf("starting %s: %w", p.name, err)
	}
	stop := watchMemory(c.Process.Pid)
	err := c.Wait()
	p.memory = max(p.memory, stop())
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fmt.Errorf("running %s %s: %w: %s", python, strings.Join(p.args, " "), err, lastLine(errs.String()))
	}
	var r struct {
		Tokens float64 `json:"tokens_per_s"`
		Step   float64 `json:"step_ms"`
	}
	if err := json.Unmarshal([]byte(lastLine(out.String())), &r); err != nil || r.Tokens <= 0 || r.Step <= 0 {
		return fmt.Errorf("running %s: it printed %.200q, want a line of JSON with tokens_per_s and step_ms", p.name, lastLine(out.String()))
	}
	p.times, p.rates = append(p.times, r.Step/1e3), append(p.rates, r.Tokens)
	return nil
}

// lastLine is the last line of a text that is not empty.
func lastLine(s string) string {
	s = strings.TrimSpace(s)
	return s[strings.LastIndexByte(s, '\n')+1:]
}
