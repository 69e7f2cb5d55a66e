package picture

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/seed-aefebe89/graft/graph"
	"github.com/seed-aefebe89/graft/importer"
	"github.com/seed-aefebe89/graft/importer/onnx"
	"github.com/seed-aefebe89/graft/importer/onnx/random"
)

func open(t *testing.T, c random.Config) *importer.Model {
	t.Helper()
	dir := t.TempDir()
	if err := random.Folder(dir, 1, c); err != nil {
		t.Fatal(err)
	}
	m, err := importer.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

// stack is an encoder of layers that all take a value from before them, beside what each hands to the next.
func stack(layers int) *importer.Model {
	e := &importer.Encoder{}
	put := func(o importer.Op) importer.Value {
		e.Ops = append(e.Ops, o)
		return importer.Value(len(e.Ops) - 1)
	}
	x := put(&importer.Embedding{})
	relative := importer.None
	for i := range layers {
		a := put(&importer.Activation{X: x, Func: "relu"})
		if i == 0 { // where the first layer needs it, as recognition puts it
			relative = put(&importer.Activation{X: put(&importer.Embedding{}), Func: "silu"})
		}
		b := put(&importer.Add{A: a, B: relative})
		x = put(&importer.Add{A: b, B: x})
	}
	e.Outputs = []importer.Output{{Name: "y", Value: x, Width: 8}}
	return &importer.Model{File: &onnx.File{Model: &onnx.Model{Graph: &onnx.Graph{}}}, Encoder: e}
}

func TestEqualLayersAreDrawnOnce(t *testing.T) {
	for _, n := range []int{2, 3, 12} {
		e := open(t, random.Config{VocabSize: 30, NumHiddenLayers: n, Opset: 14}).Encoder
		s := newSequence(e).segments()
		folded := slices.DeleteFunc(slices.Clone(s), func(s segment) bool { return s.count == 1 })
		if len(folded) != 1 || folded[0].count != n || folded[0].period != 10 {
			t.Errorf("%d layers fold to %v", n, folded)
		}
		checkCover(t, s, len(e.Ops))
	}
	// A layer that differs stands for itself: attention, three maps before it and one behind, two normalisations, and so on.
	m := open(t, random.Config{VocabSize: 30, NumHiddenLayers: 7, Opset: 14})
	for _, o := range m.Ops[:40] {
		if a, ok := o.(*importer.Attention); ok {
			a.Heads *= 2
		}
	}
	var counts []int
	for _, s := range newSequence(m.Encoder).segments() {
		if s.count > 1 {
			counts = append(counts, s.count)
		}
	}
	slices.Sort(counts)
	if !slices.Equal(counts, []int{3, 4}) {
		t.Errorf("the layers fold to %v", counts)
	}
	if s := newSequence(open(t, random.Config{VocabSize: 30, NumHiddenLayers: 1, Opset: 14}).Encoder).segments(); slices.ContainsFunc(s, func(s segment) bool { return s.count > 1 }) {
		t.Errorf("one layer folds to %v", s)
	}
}

// checkCover holds segments to stand one after another for all operations.
func checkCover(t *testing.T, s []segment, n int) {
	t.Helper()
	at := 0
	for _, s := range s {
		if s.start != at {
			t.Fatalf("a segment starts at %d, want %d", s.start, at)
		}
		at += s.period * s.count
	}
	if at != n {
		t.Fatalf("segments of %d operations, want %d", at, n)
	}
}

func TestWhatAllLayersTakeIsNamed(t *testing.T) {
	p := Of(stack(5), nil)
	var inner *group
	for _, n := range p.root.nodes {
		if n.inner != nil {
			inner = n.inner
			if n.title != "5 ×" {
				t.Errorf("the group is %q", n.title)
			}
		}
	}
	if inner == nil {
		t.Fatal("nothing was folded")
	}
	ports := map[string]int{}
	for _, n := range inner.nodes {
		if n.class == "port" || n.class == "common" {
			ports[n.class+" "+n.title]++
		}
	}
	if len(ports) != 2 || ports["port "] != 2 || ports["common SiLU"] != 1 {
		t.Errorf("the ports are %v", ports)
	}
}

// relativeBias is an operation that the pictures know nothing of.
type relativeBias struct {
	importer.Origin
	X       importer.Value
	Buckets int
	Scale   float32
	Causal  bool
	Name    string
}

func TestUnknownOperationsShowTheirTypeAndSettings(t *testing.T) {
	m := stack(1)
	m.Ops = append(m.Ops, &relativeBias{X: 3, Buckets: 32, Scale: 0.5, Causal: true, Name: "n"})
	m.Outputs[0].Value = importer.Value(len(m.Ops) - 1)
	var b bytes.Buffer
	if err := Of(m, nil).SVG(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{">relativeBias<", ">buckets 32<", ">scale 0.5<", ">causal<"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the picture lacks %s", want)
		}
	}
}

func TestPicturesAreWellFormed(t *testing.T) {
	m := open(t, random.Config{VocabSize: 30, NumHiddenLayers: 4, Opset: 17})
	hostile := stack(2)
	hostile.Outputs[0].Name = "</text><script>\x00\x1b\"\\ \xff ]]> " + strings.Repeat("ü", 1000)
	hostile.Path = "a\"\\\n"
	for name, p := range map[string]*Picture{
		"encoder": Of(m, graph.Places(m.Encoder)), "hostile": Of(hostile, nil), "empty": Of(stack(0), nil), "no layer": Of(stack(1), nil),
	} {
		var first, again, dot bytes.Buffer
		if err := errors.Join(p.SVG(&first), p.SVG(&again), p.DOT(&dot)); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(first.Bytes(), again.Bytes()) {
			t.Errorf("%s: written twice, the pictures differ", name)
		}
		d := xml.NewDecoder(&first)
		for {
			_, err := d.Token()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		if strings.Contains(again.String(), "<script") || strings.Contains(again.String(), "NaN") {
			t.Errorf("%s: the picture is\n%s", name, again.String())
		}
		checkDOT(t, name, dot.String())
		checkPlaces(t, name, p.root)
	}
}

// checkDOT holds every line to be a statement, and every arrow's ends to be nodes.
func checkDOT(t *testing.T, name, s string) {
	t.Helper()
	statement := regexp.MustCompile(`^\s*(digraph encoder \{|subgraph cluster_n\d+ \{|\}|style=rounded;|label="([^"\\]|\\.)*";|(graph|node|edge) \[.*\];|(n\d+) \[(label|shape)=.*\];|(n\d+) -> (n\d+) \[.*\];)$`)
	nodes := map[string]bool{}
	for _, line := range strings.Split(strings.TrimSpace(s), "\n") {
		m := statement.FindStringSubmatch(line)
		switch {
		case m == nil:
			t.Errorf("%s: no statement: %s", name, line)
		case m[4] != "":
			nodes[m[4]] = true
		case m[6] != "" && (!nodes[m[6]] || !nodes[m[7]]):
			t.Errorf("%s: an arrow between nodes that there are not: %s", name, line)
		}
	}
}

// checkPlaces holds boxes to lie inside their group, apart from each other, and below what they come from.
func checkPlaces(t *testing.T, name string, g *group) {
	t.Helper()
	for i, a := range g.nodes {
		if a.x < -0.01 || a.y < -0.01 || a.x+a.w > g.w+0.01 || a.y+a.h > g.h+0.01 {
			t.Errorf("%s: %q at %.0f, %.0f of size %.0f × %.0f leaves its group of %.0f × %.0f", name, a.title, a.x, a.y, a.w, a.h, g.w, g.h)
		}
		for _, b := range g.nodes[:i] {
			if a.x < b.x+b.w && b.x < a.x+a.w && a.y < b.y+b.h && b.y < a.y+a.h {
				t.Errorf("%s: %q lies on %q", name, a.title, b.title)
			}
		}
		if a.inner != nil {
			checkPlaces(t, name, a.inner)
		}
	}
	for _, e := range g.edges {
		if e.from.y+e.from.h >= e.to.y {
			t.Errorf("%s: the arrow from %q to %q does not go down", name, e.from.title, e.to.title)
		}
	}
}

func TestPlacesAreMarked(t *testing.T) {
	m := open(t, random.Config{VocabSize: 30, NumHiddenLayers: 4, Opset: 14})
	p := Of(m, graph.Places(m.Encoder))
	if got := fmt.Sprint(p.legend); got != "[{lora LoRA (lora) 24} {pfeiffer a bottleneck (pfeiffer) 4} {top a bottleneck (top) 1}]" {
		t.Errorf("the legend is %s", got)
	}
	var b bytes.Buffer
	if err := p.SVG(&b); err != nil {
		t.Fatal(err)
	}
	for mark, n := range map[string]int{"lora": 6, "pfeiffer": 1, "top": 1} { // of one layer, and one of the legend
		if got := strings.Count(b.String(), `class="mark `+mark+`"`); got != n+1 {
			t.Errorf("%s is marked %d times, want %d", mark, got, n+1)
		}
	}
}
