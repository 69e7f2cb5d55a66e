package export

import (
	"fmt"

	"github.com/seed-aefebe89/graft/graph/kernel"
	"github.com/seed-aefebe89/graft/graph/peft"
)

// Every slot of a slotted graph is called after the place it belongs to, below this prefix, which no exporter uses.
const slotPrefix = "graft/"

// Names of slots.
func loraSlots(place string) (a, b string) {
	return slotPrefix + place + ".lora_A", slotPrefix + place + ".lora_B"
}

func bottleneckSlots(place string, f kernel.Activation) (down, downBias, up, upBias string) {
	p := slotPrefix + place + ".adapter." + f.String()
	return p + ".down.weight", p + ".down.bias", p + ".up.weight", p + ".up.bias"
}

const (
	headWeightSlot = slotPrefix + "classifier.weight"
	headBiasSlot   = slotPrefix + "classifier.bias"
)

// Slots are the values that the delta gives to a slotted graph: its matrices turned to [in,out], as MatMul wants them,
// and LoRA's scale folded into the second one.
func (d *Delta) Slots(places []peft.Place) (Slots, error) {
	var out Slots
	var failed error
	get := func(name string) Tensor {
		t, err := d.Get(name)
		if err != nil && failed == nil {
			failed = err
		}
		return t
	}
	matrix := func(slot, name string, scale float32) { out = append(out, turned(slot, get(name), scale)) }
	vector := func(slot, name string) {
		t := get(name)
		out = append(out, Slot{slot, []int64{int64(len(t.Data))}, t.Data})
	}
	for _, p := range places {
		if d.Method.At(p) == nil {
			continue
		}
		switch m := d.Method.(type) {
		case peft.LoRA:
			a, b := loraSlots(p.Name)
			scale, _ := m.Scale(p)
			matrix(a, p.Name+".lora_A.weight", 1)
			matrix(b, p.Name+".lora_B.weight", scale)
		case peft.Bottleneck:
			down, downBias, up, upBias := bottleneckSlots(p.Name, m.Activation)
			matrix(down, p.Name+".adapter_down.weight", 1)
			vector(downBias, p.Name+".adapter_down.bias")
			matrix(up, p.Name+".adapter_up.weight", 1)
			vector(upBias, p.Name+".adapter_up.bias")
		default:
			return nil, fmt.Errorf("there are no slots for %T", d.Method)
		}
	}
	matrix(headWeightSlot, "classifier.weight", 1)
	vector(headBiasSlot, "classifier.bias")
	return out, failed
}

// turned is a matrix's transpose times scale.
func turned(slot string, t Tensor, scale float32) Slot {
	if len(t.Shape) != 2 {
		return Slot{Name: slot}
	}
	rows, cols := t.Shape[0], t.Shape[1]
	x := make([]float32, len(t.Data))
	for i := range rows {
		for j := range cols {
			x[j*rows+i] = scale * t.Data[i*cols+j]
		}
	}
	return Slot{slot, []int64{int64(cols), int64(rows)}, x}
}
