package picture

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/seed-aefebe89/graft/importer"
)

// label is what stands in an operation's box.
type label struct {
	class, title string
	detail       []string
}

// op makes the box of an operation.
func (p *painter) op(v importer.Value, whole bool) *node {
	l := labelOf(p.m.Ops[v], whole)
	if l.class == "" {
		l.class = "other"
		for _, w := range p.m.WeightsOf(v) {
			l.detail = append(l.detail, role(w.Name)+" "+shape(w.Shape))
		}
	}
	return &node{class: l.class, title: l.title, detail: l.detail, marks: p.marks[v]}
}

// labelOf says what an operation is. Types that are not listed here show their own name. With whole, names are whole;
// otherwise they leave out what differs from layer to layer.
func labelOf(o importer.Op, whole bool) label {
	switch o := o.(type) {
	case *importer.Embedding:
		l := label{class: "embedding", title: "Embedding"}
		for _, t := range o.Tables {
			l.detail = append(l.detail, table(t.Name)+" "+shape(t.Shape))
		}
		return l
	case *importer.Linear:
		l := label{class: "linear", title: role(o.Module()), detail: []string{fmt.Sprintf("Linear %d → %d", o.In(), o.Out())}}
		if o.Bias == nil {
			l.detail[0] += ", no bias"
		}
		return l
	case *importer.LayerNorm:
		l := label{class: "norm", title: "LayerNorm"}
		if o.RMS {
			l.title = "RMSNorm"
		}
		if o.Residual != importer.None {
			l.title = "Add & " + l.title
		}
		return l
	case *importer.Activation:
		names := map[string]string{"gelu": "GELU", "gelu_tanh": "GELU (tanh)", "relu": "ReLU", "silu": "SiLU"}
		if s := names[o.Func]; s != "" {
			return label{class: "activation", title: s}
		}
		return label{class: "activation", title: o.Func}
	case *importer.Add:
		return label{class: "add", title: "Add"}
	case *importer.Attention:
		return label{class: "attention", title: "Attention", detail: append([]string{plural(o.Heads, "head")}, settings(o, "Heads", "Scale")...)}
	case *importer.First:
		return label{class: "other", title: "First token"}
	case *importer.Mean:
		return label{class: "other", title: "Mean of tokens"}
	}
	return label{title: reflect.Indirect(reflect.ValueOf(o)).Type().Name(), detail: settings(o)}
}

// settings lists the numbers and switches of an operation that are set, in the order of its fields, but for some of them.
func settings(o importer.Op, without ...string) []string {
	var out []string
	v := reflect.Indirect(reflect.ValueOf(o))
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if !f.IsExported() || f.Anonymous || v.Field(i).IsZero() || slices.Contains(without, f.Name) {
			continue
		}
		switch x := v.Field(i).Interface().(type) {
		case int, float32, float64:
			out = append(out, fmt.Sprintf("%s %v", strings.ToLower(f.Name), x))
		case bool:
			out = append(out, strings.ToLower(f.Name))
		}
	}
	return out
}

// role is the part of a name behind the layer's number: "attention.self.query" of
// "encoder.layer.3.attention.self.query", without what most roles share.
func role(name string) string {
	parts := strings.Split(name, ".")
	for i := len(parts) - 2; i >= 0; i-- {
		if _, err := strconv.Atoi(parts[i]); err == nil {
			parts = parts[i+1:]
			break
		}
	}
	if len(parts) > 3 {
		parts = parts[len(parts)-3:]
	}
	return short(strings.Join(parts, "."), 40)
}

// table is the last word of an embedding's name: "word_embeddings" of "embeddings.word_embeddings.weight".
func table(name string) string {
	name = strings.TrimSuffix(name, ".weight")
	return short(name[strings.LastIndexByte(name, '.')+1:], 40)
}

func shape(dims []int) string {
	s := make([]string, len(dims))
	for i, d := range dims {
		s[i] = strconv.Itoa(d)
	}
	return strings.Join(s, " × ")
}

func size(w *importer.Weight) int {
	n := 1
	for _, d := range w.Shape {
		n *= d
	}
	return n
}

// number writes a count with three digits: "39.3 M".
func number(n int) string {
	switch {
	case n >= 1e9:
		return fmt.Sprintf("%.3g G", float64(n)/1e9)
	case n >= 1e6:
		return fmt.Sprintf("%.3g M", float64(n)/1e6)
	case n >= 1e4:
		return fmt.Sprintf("%.3g k", float64(n)/1e3)
	}
	return strconv.Itoa(n)
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// short cuts text to so many characters.
func short(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return s
}
