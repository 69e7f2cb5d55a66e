// Command pack stores a model folder in half the space for the repository: every large float32 weight whose values are
// all bfloat16 numbers becomes a bfloat16 initialiser behind a Cast. The model computes the same bits.
//
//	go run ./internal/demo/pack -in MODEL -out testdata/demo/e5-mini
package main

import (
	"flag"
	"fmt"
	"io"
	"log"
	"math"
	"os"
	"path/filepath"

	"github.com/seed-aefebe89/graft/importer/onnx"
	"github.com/seed-aefebe89/graft/internal/atomicfile"
)

// beside are the other files of the folder.
var beside = []string{"config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "LICENSE.txt"}

func main() {
	in := flag.String("in", "", "model folder")
	out := flag.String("out", "", "folder to write")
	flag.Parse()
	if err := pack(*in, *out); err != nil {
		log.Fatal(err)
	}
}

func pack(in, out string) error {
	f, err := onnx.Open(filepath.Join(in, "model.onnx"))
	if err != nil {
		return err
	}
	defer f.Close()
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	packed, err := halve(f.Graph)
	if err != nil {
		return err
	}
	err = atomicfile.Write(filepath.Join(out, "model.onnx"), func(w io.Writer) error { _, err := f.Model.WriteTo(w); return err })
	if err != nil {
		return err
	}
	for _, name := range beside {
		b, err := os.ReadFile(filepath.Join(in, name))
		if err != nil {
			return err
		}
		if err := atomicfile.WriteBytes(filepath.Join(out, name), b); err != nil {
			return err
		}
	}
	fmt.Printf("%d of %d weights packed\n", packed, len(f.Graph.Initializers))
	return nil
}

// smallest is the number of elements from which on a weight is worth a Cast.
const smallest = 1024

// halve packs the weights of a graph and returns how many could be.
func halve(g *onnx.Graph) (int, error) {
	casts := map[string]string{}
	var nodes []*onnx.Node
	for i, t := range g.Initializers {
		n, err := t.Len()
		if err != nil {
			return 0, err
		}
		if t.Type != onnx.Float || n < smallest {
			continue
		}
		x, err := t.Float32s()
		if err != nil {
			return 0, err
		}
		raw, ok := bfloat16s(x)
		if !ok {
			continue
		}
		if g.Initializers[i], err = onnx.NewRawTensor(t.Name, onnx.Bfloat16, t.Dims, raw); err != nil {
			return 0, err
		}
		casts[t.Name] = t.Name + "/float"
		nodes = append(nodes, &onnx.Node{OpType: "Cast", Name: t.Name + "/Cast", Inputs: []string{t.Name}, Outputs: []string{t.Name + "/float"},
			Attributes: []*onnx.Attribute{{Name: "to", Type: onnx.AttrInt, I: int64(onnx.Float)}}})
	}
	for _, n := range g.Nodes {
		for i, name := range n.Inputs {
			if to, ok := casts[name]; ok {
				n.Inputs[i] = to
			}
		}
	}
	g.Nodes = append(nodes, g.Nodes...)
	return len(casts), nil
}

// bfloat16s converts without loss; ok is false where that cannot be.
func bfloat16s(x []float32) (raw []byte, ok bool) {
	raw = make([]byte, 0, 2*len(x))
	for _, v := range x {
		b := math.Float32bits(v)
		if b&0xffff != 0 {
			return nil, false
		}
		raw = append(raw, byte(b>>16), byte(b>>24))
	}
	return raw, true
}
