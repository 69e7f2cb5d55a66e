package export

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/seed-aefebe89/graft/graph/peft"
	"github.com/seed-aefebe89/graft/importer"
	"github.com/seed-aefebe89/graft/internal/safetensors"
)

// The layout of Hugging Face PEFT: adapter_config.json and adapter_model.safetensors, whose names are
// base_model.model.<module>.lora_A.weight and base_model.model.classifier.weight (PEFT's checkpoint format guide).

const (
	peftTensors = "adapter_model.safetensors"
	peftPrefix  = "base_model.model."
)

// peftConfig is what graft writes and reads of PEFT's LoraConfig.
type peftConfig struct {
	AlphaPattern  map[string]float64 `json:"alpha_pattern"`
	BaseModel     string             `json:"base_model_name_or_path"`
	Bias          string             `json:"bias"`
	FanInFanOut   bool               `json:"fan_in_fan_out"`
	InferenceMode bool               `json:"inference_mode"`
	Alpha         float64            `json:"lora_alpha"`
	Dropout       float64            `json:"lora_dropout"`
	ModulesToSave []string           `json:"modules_to_save"`
	Type          string             `json:"peft_type"`
	R             int                `json:"r"`
	RankPattern   map[string]int     `json:"rank_pattern"`
	Targets       targets            `json:"target_modules"`
	TaskType      string             `json:"task_type"`
	UseDoRA       bool               `json:"use_dora"`
	UseRSLoRA     bool               `json:"use_rslora"`
	LoRABias      bool               `json:"lora_bias"`
}

// targets are PEFT's target_modules: a list of names. A regular expression, which PEFT takes too, is refused.
type targets []string

// UnmarshalJSON implements json.Unmarshaler.
func (t *targets) UnmarshalJSON(b []byte) error {
	var list []string
	if err := json.Unmarshal(b, &list); err != nil {
		return fmt.Errorf("target_modules %s is no list of names", b)
	}
	*t = list
	return nil
}

func writePEFT(dir string, d *Delta, m peft.LoRA, base *importer.Model) error {
	c := peftConfig{Bias: "none", InferenceMode: true, Alpha: m.Alpha, ModulesToSave: []string{"classifier", "score"}, Type: "LORA",
		R: m.R, RankPattern: m.Ranks, AlphaPattern: map[string]float64{}, Targets: m.Targets, TaskType: "TOKEN_CLS",
		BaseModel: filepath.Base(base.Dir)}
	if c.RankPattern == nil {
		c.RankPattern = map[string]int{}
	}
	var ts []safetensors.Tensor
	for _, t := range d.Tensors {
		name := peftPrefix
		if !strings.HasPrefix(t.Name, "classifier.") {
			name += prefix(base)
		}
		ts = append(ts, safetensors.F32(name+t.Name, t.Data, t.Shape...))
	}
	if err := writeTensors(filepath.Join(dir, peftTensors), ts); err != nil {
		return err
	}
	return writeJSON(filepath.Join(dir, "adapter_config.json"), c)
}

func readPEFT(dir string, config []byte, d *Delta, base *importer.Model, _ []peft.Place) error {
	c := peftConfig{}
	if err := json.Unmarshal(config, &c); err != nil {
		return fmt.Errorf("adapter_config.json: %w", err)
	}
	switch {
	case c.Type != "LORA":
		return fmt.Errorf("adapter_config.json: peft_type %s is a method that graft does not know; it knows LORA", c.Type)
	case c.UseDoRA || c.LoRABias || c.FanInFanOut || c.Bias != "" && c.Bias != "none" || len(c.AlphaPattern) > 0:
		return fmt.Errorf("adapter_config.json: use_dora, lora_bias, bias, fan_in_fan_out and alpha_pattern change LoRA in ways that graft does not know")
	case c.UseRSLoRA:
		return fmt.Errorf("adapter_config.json: use_rslora scales by the root of the rank, which graft does not know")
	}
	d.Method = peft.LoRA{R: c.R, Alpha: c.Alpha, Targets: c.Targets, Ranks: c.RankPattern}
	f, err := safetensors.Read(filepath.Join(dir, peftTensors))
	if os.IsNotExist(err) {
		return fmt.Errorf("it holds no %s", peftTensors)
	}
	if err != nil {
		return err
	}
	for _, t := range f.Tensors {
		name, ok := strings.CutPrefix(t.Name, peftPrefix)
		if !ok {
			return fmt.Errorf("%s: the tensor %q does not begin with %q", peftTensors, t.Name, peftPrefix)
		}
		if strings.Contains(name, ".base_layer.") {
			continue // a weight of the base that PEFT stored beside
		}
		if err := d.take(local(base, name), t); err != nil {
			return fmt.Errorf("%s: %w", peftTensors, err)
		}
	}
	d.Labels = labelNames(nil, d, base)
	return nil
}

// take adds a tensor of a file under its name in graft.
func (d *Delta) take(name string, t safetensors.Tensor) error {
	x, err := t.Float32s()
	if err != nil {
		return err
	}
	d.Tensors = append(d.Tensors, Tensor{name, t.Shape, x})
	return nil
}

// labelNames are the classes by number: from a table where there is one, from the base's configuration where that has
// as many, else LABEL_0, LABEL_1, … as Hugging Face calls them.
func labelNames(table map[int]string, d *Delta, base *importer.Model) []string {
	n := 0
	if t, err := d.Get("classifier.bias"); err == nil {
		n = len(t.Data)
	}
	for _, m := range []map[int]string{table, base.Config.ID2Label} {
		if len(m) != n || n == 0 {
			continue
		}
		keys := slices.Sorted(maps.Keys(m))
		if keys[0] == 0 && keys[n-1] == n-1 {
			out := make([]string, n)
			for i := range out {
				out[i] = m[i]
			}
			return out
		}
	}
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("LABEL_%d", i)
	}
	return out
}
