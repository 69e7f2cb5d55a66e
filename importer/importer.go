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
	"strings"

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

// FileNames are where a folder may keep its ONNX file, with forward slashes and in the order of preference.
func FileNames() []string { return []string{"model.onnx", "onnx/model.onnx"} }

// Open imports a model: a folder with model.onnx or onnx/model.onnx and perhaps a config.json, or an ONNX file, with or
// without one beside it (or above it, in Hugging Face's DIR/onnx/NAME.onnx). Where its layers are not recognised, it is
// taken node by node.
func Open(path string) (*Model, error) {
	m, err := Map(path)
	if err != nil {
		return nil, err
	}
	if err := m.Import(); err != nil {
		return nil, errors.Join(err, m.File.Close())
	}
	return m, nil
}

// Import finds the encoder in the file by its blocks, or takes it node by node where its layers are not recognised. The
// error is why neither is possible.
func (m *Model) Import() error {
	reason := m.Recognise()
	if reason == nil && len(m.Hidden) > 0 {
		return nil
	}
	if errors.As(reason, new(unlinked)) {
		return reason
	}
	recognised := m.Encoder
	e, err := paddedOf(m.File.Model, m.Config)
	switch {
	case err == nil:
		m.Encoder = e
		if m.Padded.Reason = reason; reason == nil {
			m.Padded.Reason = errors.New("the encoder's layers were not recognised")
		}
	case reason == nil:
		m.Encoder = recognised
	case strings.Contains(reason.Error(), err.Error()):
		return reason
	default:
		return fmt.Errorf("%w; node by node: %w", reason, err)
	}
	return nil
}

// Recognise finds the encoder in the file by its blocks.
func (m *Model) Recognise() (err error) {
	if m.Encoder, err = encoderOf(m.File.Model); err != nil {
		return fmt.Errorf("importing %s: %w", m.Path, err)
	}
	return nil
}

// encoderOf recognises the encoder in a model.
func encoderOf(m *onnx.Model) (*Encoder, error) {
	g, err := newGraph(m)
	if err != nil {
		return nil, err
	}
	e, err := g.recognise()
	if err != nil {
		return nil, err
	}
	e.Expansions, e.Constants = g.expander.expansions(m)
	e.Types = g.types
	return e, nil
}

// Map is Open without Import: the file is decoded, the configuration read, and Encoder nil.
func Map(path string) (*Model, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	m := &Model{Dir: path, Path: path}
	if st.IsDir() {
		if m.Path, err = Find(path); err != nil {
			return nil, err
		}
	} else {
		m.Dir = folderOf(path)
	}
	b, err := os.ReadFile(filepath.Join(m.Dir, configName))
	if err == nil {
		if err := json.Unmarshal(b, &m.Config); err != nil {
			return nil, fmt.Errorf("reading %s: %w", filepath.Join(m.Dir, configName), err)
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if m.File, err = onnx.Open(m.Path); err != nil {
		return nil, err
	}
	return m, nil
}

// shownFiles is how many other files of a folder an error names.
const shownFiles = 8

// Find returns the path of the ONNX file that Open takes of a folder.
func Find(dir string) (string, error) {
	for _, name := range FileNames() {
		if path := filepath.Join(dir, filepath.FromSlash(name)); isFile(path) {
			return path, nil
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", err
	}
	var others []string
	for _, e := range entries {
		if !e.IsDir() && filepath.Ext(e.Name()) == ".onnx" {
			others = append(others, e.Name())
		}
	}
	if len(others) == 0 {
		return "", fmt.Errorf("%s holds neither %s", dir, strings.Join(FileNames(), " nor "))
	}
	if n := len(others); n > shownFiles {
		others = append(others[:shownFiles], fmt.Sprintf("… (%d files)", n))
	}
	return "", fmt.Errorf("%s holds neither %s; name one of its files: %s", dir, strings.Join(FileNames(), " nor "), strings.Join(others, ", "))
}

// folderOf is the model's folder of an ONNX file: the one that it lies in, or the one above of DIR/onnx/NAME.onnx where
// only that has a config.json.
func folderOf(file string) string {
	dir := filepath.Dir(file)
	above := filepath.Dir(dir)
	if filepath.Base(dir) == "onnx" && !isFile(filepath.Join(dir, configName)) && isFile(filepath.Join(above, configName)) {
		return above
	}
	return dir
}

const configName = "config.json"

func isFile(path string) bool {
	st, err := os.Stat(path)
	return err == nil && st.Mode().IsRegular()
}

// Close unmaps the file. The weights must not be used any more.
func (m *Model) Close() error { return m.File.Close() }
