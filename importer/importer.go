// Package importer turns the ONNX files of pretrained encoders into a form that a graph can be built of: it decodes the
// nodes, recovers the names of weights, specialises shapes, folds what is constant, and recognises the blocks that an
// encoder is made of.
package importer

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/seed-aefebe89/graft/importer/onnx"
)

// Model is an imported encoder: a folder as Hugging Face lays it out, with its ONNX file mapped. Close it after use;
// the weights are views of the file.
type Model struct {
	Dir    string     // the folder
	Path   string     // the ONNX file in it
	File   *onnx.File // the file's content
	Config Config
	*Encoder
}

// Config is what graft reads of a folder's config.json. Fields that are absent are zero.
type Config struct {
	ModelType             string         `json:"model_type"`
	Architectures         []string       `json:"architectures"`
	HiddenSize            int            `json:"hidden_size"`
	NumHiddenLayers       int            `json:"num_hidden_layers"`
	NumAttentionHeads     int            `json:"num_attention_heads"`
	IntermediateSize      int            `json:"intermediate_size"`
	VocabSize             int            `json:"vocab_size"`
	MaxPositionEmbeddings int            `json:"max_position_embeddings"`
	PadTokenID            int            `json:"pad_token_id"`
	LayerNormEps          float64        `json:"layer_norm_eps"`
	ID2Label              map[int]string `json:"id2label"`
}

// files are where a folder may keep its ONNX file, in the order of preference.
var files = []string{"model.onnx", filepath.Join("onnx", "model.onnx")}

// Open imports a model: a folder with model.onnx or onnx/model.onnx and perhaps a config.json, or an ONNX file.
func Open(path string) (*Model, error) {
	m, err := open(path)
	if err != nil {
		return nil, err
	}
	if m.Encoder, err = encoderOf(m.File.Model); err != nil {
		return nil, errors.Join(fmt.Errorf("importing %s: %w", m.Path, err), m.File.Close())
	}
	return m, nil
}

// encoderOf recognises the encoder in a model.
func encoderOf(m *onnx.Model) (*Encoder, error) {
	g, err := newGraph(m)
	if err != nil {
		return nil, err
	}
	return g.recognise()
}

// open maps the file and reads the configuration.
func open(path string) (*Model, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	m := &Model{Dir: path, Path: path}
	if st.IsDir() {
		if m.Path, err = find(path); err != nil {
			return nil, err
		}
	} else {
		m.Dir = filepath.Dir(path)
	}
	b, err := os.ReadFile(filepath.Join(m.Dir, "config.json"))
	if err == nil {
		if err := json.Unmarshal(b, &m.Config); err != nil {
			return nil, fmt.Errorf("reading %s: %w", filepath.Join(m.Dir, "config.json"), err)
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if m.File, err = onnx.Open(m.Path); err != nil {
		return nil, err
	}
	return m, nil
}

func find(dir string) (string, error) {
	for _, name := range files {
		path := filepath.Join(dir, name)
		if st, err := os.Stat(path); err == nil && st.Mode().IsRegular() {
			return path, nil
		}
	}
	return "", fmt.Errorf("%s holds neither %s nor %s", dir, files[0], files[1])
}

// Close unmaps the file. The weights must not be used any more.
func (m *Model) Close() error { return m.File.Close() }
