package export

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/seed-aefebe89/graft/graph/kernel"
	"github.com/seed-aefebe89/graft/graph/peft"
	"github.com/seed-aefebe89/graft/importer"
	"github.com/seed-aefebe89/graft/internal/safetensors"
)

// The layout of AdapterHub's library adapters: adapter_config.json and adapter.safetensors, whose names are
// bert.encoder.layer.0.output.adapters.<name>.adapter_down.0.weight and so on, and head_config.json and
// model_head.safetensors.
//
// An adapter after the last layer is one in that layer alone which works on the layer's normalised output:
// original_ln_after and residual_before_ln are false, and leave_out names all other layers.

const (
	hubTensors     = "adapter.safetensors"
	hubHeadTensors = "model_head.safetensors"
	hubTop         = "top"            // graft's own architecture, which AdapterHub does not know
	hubVersion     = "adapters.1.3.0" // whose names and defaults these are
)

// hubFile is adapter_config.json.
type hubFile struct {
	Config     hubConfig `json:"config"`
	HiddenSize int       `json:"hidden_size"`
	ModelClass string    `json:"model_class"`
	ModelName  string    `json:"model_name"`
	ModelType  string    `json:"model_type"`
	Name       string    `json:"name"`
	Version    string    `json:"version"`
}

// hubConfig is what graft writes and reads of AdapterHub's BnConfig.
type hubConfig struct {
	Architecture            *string  `json:"architecture"`
	MHAdapter               bool     `json:"mh_adapter"`
	OutputAdapter           bool     `json:"output_adapter"`
	ReductionFactor         float64  `json:"reduction_factor"`
	NonLinearity            string   `json:"non_linearity"`
	OriginalLNBefore        bool     `json:"original_ln_before"`
	OriginalLNAfter         bool     `json:"original_ln_after"`
	LNBefore                bool     `json:"ln_before"`
	LNAfter                 bool     `json:"ln_after"`
	InitWeights             string   `json:"init_weights"`
	IsParallel              bool     `json:"is_parallel"`
	Scaling                 hubScale `json:"scaling"`
	UseGating               bool     `json:"use_gating"`
	ResidualBeforeLN        any      `json:"residual_before_ln"`
	AdapterResidualBeforeLN bool     `json:"adapter_residual_before_ln"`
	InvAdapter              *string  `json:"inv_adapter"`
	LeaveOut                []int    `json:"leave_out"`
	PHMLayer                bool     `json:"phm_layer"`
	CrossAdapter            bool     `json:"cross_adapter"`
	Dropout                 float64  `json:"dropout"`
}

// hubScale is a factor, or "learned" or "channel", which are refused.
type hubScale float64

// MarshalJSON implements json.Marshaler: AdapterHub takes a number for a factor only if it has a decimal point.
func (s hubScale) MarshalJSON() ([]byte, error) {
	b := strconv.AppendFloat(nil, float64(s), 'g', -1, 64)
	if !bytes.ContainsAny(b, ".e") {
		b = append(b, ".0"...)
	}
	return b, nil
}

// UnmarshalJSON implements json.Unmarshaler.
func (s *hubScale) UnmarshalJSON(b []byte) error {
	var f float64
	if err := json.Unmarshal(b, &f); err != nil {
		return fmt.Errorf("scaling %s is no number", b)
	}
	*s = hubScale(f)
	return nil
}

// hubHead is head_config.json.
type hubHead struct {
	Config     *hubNamedHead  `json:"config"` // null for the one head of a transformers class
	HiddenSize int            `json:"hidden_size"`
	Label2ID   map[string]int `json:"label2id"`
	ModelClass string         `json:"model_class"`
	ModelName  string         `json:"model_name"`
	ModelType  string         `json:"model_type"`
	Name       any            `json:"name"`
	NumLabels  int            `json:"num_labels"`
	Version    string         `json:"version"`
}

// hubNamedHead is the configuration of a head of AdapterHub's own model classes, whose tensors are
// heads.<name>.1.weight and heads.<name>.1.bias, behind a dropout at 0.
type hubNamedHead struct {
	HeadType string         `json:"head_type"`
	Layers   int            `json:"layers"`
	Label2ID map[string]int `json:"label2id"`
}

// hubActivations are AdapterHub's names.
var hubActivations = map[kernel.Activation]string{
	kernel.ReLU: "relu", kernel.GELU: "gelu", kernel.GELUTanh: "gelu_new", kernel.SiLU: "swish", kernel.Tanh: "tanh",
}

func writeAdapterHub(dir string, d *Delta, m peft.Bottleneck, base *importer.Model, places []peft.Place) error {
	hidden, layers, last := hubPlaces(places)
	if last == "" && base.Padded == nil {
		return errors.New("the base's layers were not recognised")
	}
	class := taskClasses[base.Config.ModelType]
	file := hubFile{HiddenSize: hidden, ModelClass: class, ModelName: filepath.Base(base.Dir), ModelType: base.Config.ModelType,
		Name: d.Name, Version: hubVersion}
	file.Config = hubConfig{OutputAdapter: true, ReductionFactor: float64(hidden) / float64(m.Size), NonLinearity: hubActivations[m.Activation],
		OriginalLNBefore: true, OriginalLNAfter: true, InitWeights: "bert", Scaling: 1, ResidualBeforeLN: true, LeaveOut: []int{}}
	if m.Where == peft.Top && (layers < len(base.Layers) || base.Padded != nil && layers < 2) {
		// Layers that share their weights share an adapter too: one after the last cannot be said, and AdapterHub is to
		// refuse the file. Nor where it is not known what the last layer is.
		top := hubTop
		file.Config.Architecture = &top
	}
	if base.Padded != nil { // whose adapters work on what leaves a layer, normalised or not
		file.Config.OriginalLNAfter, file.Config.ResidualBeforeLN = false, false
	}
	if m.Where == peft.Top {
		file.Config.OriginalLNAfter, file.Config.ResidualBeforeLN = false, false
		for i := range layers - 1 {
			file.Config.LeaveOut = append(file.Config.LeaveOut, i)
		}
	}
	var adapter, head []safetensors.Tensor
	for _, t := range d.Tensors {
		if strings.HasPrefix(t.Name, "classifier.") {
			head = append(head, safetensors.F32(t.Name, t.Data, t.Shape...))
			continue
		}
		place, part, ok := strings.Cut(t.Name, ".adapter_")
		if !ok {
			return fmt.Errorf("the tensor %q is no part of a bottleneck", t.Name)
		}
		if place == topPlace(places) && last != "" {
			place = last
		}
		place = hubModule(base, place)
		part = strings.Replace(part, "down.", "down.0.", 1)
		adapter = append(adapter, safetensors.F32(fmt.Sprintf("%s%s.adapters.%s.adapter_%s", prefix(base), place, d.Name, part), t.Data, t.Shape...))
	}
	if err := writeTensors(filepath.Join(dir, hubTensors), adapter); err != nil {
		return err
	}
	if err := writeTensors(filepath.Join(dir, hubHeadTensors), head); err != nil {
		return err
	}
	labels := map[string]int{}
	for i, l := range d.Labels {
		labels[l] = i
	}
	h := hubHead{HiddenSize: hidden, Label2ID: labels, ModelClass: class, ModelName: file.ModelName, ModelType: file.ModelType,
		NumLabels: len(d.Labels), Version: hubVersion}
	if err := writeJSON(filepath.Join(dir, "head_config.json"), h); err != nil {
		return err
	}
	return writeJSON(filepath.Join(dir, "adapter_config.json"), file)
}

// hubPlaces are the hidden size, the number of layers, and the name of the last layer's output.
func hubPlaces(places []peft.Place) (hidden, layers int, last string) {
	for _, p := range places {
		switch p.Kind {
		case peft.LayerOutput:
			hidden, layers, last = p.Out, p.Layer+1, p.Name
		case peft.Top:
			hidden = p.Out
		}
	}
	return hidden, layers, last
}

// hubModule is the module in which AdapterHub keeps the adapters of a layer's output.
func hubModule(m *importer.Model, place string) string {
	if m.Padded != nil {
		return place
	}
	switch m.Config.ModelType {
	case "distilbert":
		return strings.TrimSuffix(place, ".ffn") + ".output_adapters"
	case "albert":
		return place + ".output_adapters"
	case "modernbert":
		return strings.TrimSuffix(place, ".mlp") + ".output_adapters"
	}
	return place
}

// fromHubModule is the inverse of hubModule.
func fromHubModule(m *importer.Model, module string) string {
	if m.Padded != nil {
		return module
	}
	place, ok := strings.CutSuffix(module, ".output_adapters")
	switch {
	case ok && m.Config.ModelType == "distilbert":
		return place + ".ffn"
	case ok && m.Config.ModelType == "modernbert":
		return place + ".mlp"
	}
	return place
}

func topPlace(places []peft.Place) string {
	for _, p := range places {
		if p.Kind == peft.Top {
			return p.Name
		}
	}
	return ""
}

func readAdapterHub(dir string, config []byte, d *Delta, base *importer.Model, places []peft.Place) error {
	var file hubFile
	if err := json.Unmarshal(config, &file); err != nil {
		return fmt.Errorf("adapter_config.json: %w", err)
	}
	hidden, layers, last := hubPlaces(places)
	m, err := file.Config.method(hidden, layers, base.Padded != nil)
	if err != nil {
		return fmt.Errorf("adapter_config.json: %w", err)
	}
	f, err := safetensors.Read(filepath.Join(dir, hubTensors))
	if os.IsNotExist(err) {
		return fmt.Errorf("it holds no %s; save the adapter with use_safetensors=True", hubTensors)
	}
	if err != nil {
		return err
	}
	for _, t := range f.Tensors {
		place, part, ok := strings.Cut(t.Name, ".adapters."+file.Name+".adapter_")
		if !ok {
			return fmt.Errorf("%s: the tensor %q is no part of a bottleneck called %q", hubTensors, t.Name, file.Name)
		}
		place = fromHubModule(base, local(base, place))
		if m.Where == peft.Top && place == last {
			place = topPlace(places)
		}
		if part == "down.0.weight" && len(t.Shape) == 2 {
			m.Size = t.Shape[0]
		}
		if err := d.take(place+".adapter_"+strings.Replace(part, "down.0.", "down.", 1), t); err != nil {
			return fmt.Errorf("%s: %w", hubTensors, err)
		}
	}
	d.Name, d.Method = file.Name, m
	return readHubHead(dir, d, base)
}

// readHubHead reads the head beside the adapter; without one the delta has no classes.
func readHubHead(dir string, d *Delta, base *importer.Model) error {
	f, err := safetensors.Read(filepath.Join(dir, hubHeadTensors))
	if err != nil {
		return err
	}
	var head hubHead
	b, err := os.ReadFile(filepath.Join(dir, "head_config.json"))
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, &head); err != nil {
		return fmt.Errorf("head_config.json: %w", err)
	}
	own := ""
	if c := head.Config; c != nil {
		if c.HeadType != "tagging" || c.Layers != 1 {
			return fmt.Errorf("head_config.json: a head of type %q with %d layers is not known: graft knows tagging with 1", c.HeadType, c.Layers)
		}
		own, head.Label2ID = fmt.Sprintf("heads.%v.1.", head.Name), c.Label2ID
	}
	for _, t := range f.Tensors {
		name := t.Name
		if rest, ok := strings.CutPrefix(name, own); ok && own != "" {
			name = "classifier." + rest
		}
		if err := d.take(name, t); err != nil {
			return fmt.Errorf("%s: %w", hubHeadTensors, err)
		}
	}
	names := map[int]string{}
	for l, i := range head.Label2ID {
		names[i] = l
	}
	d.Labels = labelNames(names, d, base)
	return nil
}

// method is the bottleneck that a configuration means; its size is the reduction's until a tensor tells. ends says that the
// base's adapters work on what leaves a layer, as it runs node by node.
func (c hubConfig) method(hidden, layers int, ends bool) (peft.Bottleneck, error) {
	var m peft.Bottleneck
	arch := ""
	if c.Architecture != nil {
		arch = *c.Architecture
	}
	if arch != "" && arch != hubTop {
		return m, fmt.Errorf("architecture %q is a method that graft does not know in this layout", arch)
	}
	if c.ReductionFactor > 0 {
		m.Size = int(float64(hidden) / c.ReductionFactor)
	}
	known := false
	for a, name := range hubActivations {
		if name == c.NonLinearity {
			m.Activation, known = a, true
		}
	}
	if !known {
		return m, fmt.Errorf("non_linearity %q is not known", c.NonLinearity)
	}
	if c.MHAdapter || !c.OutputAdapter || !c.OriginalLNBefore || c.LNBefore || c.LNAfter || c.IsParallel || c.Scaling != 0 && c.Scaling != 1 ||
		c.UseGating || c.AdapterResidualBeforeLN || c.InvAdapter != nil || c.PHMLayer || c.CrossAdapter {
		return m, errors.New("this kind of bottleneck is not known: graft knows seq_bn, and one after the last layer")
	}
	others := make([]int, max(0, layers-1))
	for i := range others {
		others[i] = i
	}
	leaveOut := slices.Sorted(slices.Values(c.LeaveOut))
	switch {
	case !ends && c.OriginalLNAfter && c.ResidualBeforeLN == true && len(leaveOut) == 0,
		ends && arch == "" && !c.OriginalLNAfter && c.ResidualBeforeLN == false && len(leaveOut) == 0:
		m.Where = peft.LayerOutput
	case !c.OriginalLNAfter && c.ResidualBeforeLN == false && slices.Equal(leaveOut, others):
		m.Where = peft.Top
	default:
		return m, fmt.Errorf("original_ln_after %t, residual_before_ln %v and leave_out %v do not go together in a way that graft knows", c.OriginalLNAfter, c.ResidualBeforeLN, c.LeaveOut)
	}
	return m, nil
}
