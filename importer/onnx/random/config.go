package random

import (
	"fmt"
	"math"
)

// Config describes a BERT encoder. Its names are those of Hugging Face's config.json; a zero field takes the value in
// brackets, so that the zero Config is the encoder of the fixtures.
type Config struct {
	VocabSize             int // [500]
	HiddenSize            int // [32]
	NumHiddenLayers       int // [3]
	NumAttentionHeads     int // [4]
	IntermediateSize      int // [64]
	MaxPositionEmbeddings int // [128]
	TypeVocabSize         int // [2]

	LayerNormEps float64 // [1e-12]
	Opset        int     // 11 to 23 [17]
	NoPooler     bool    // leave the pooler and its output out, as feature extraction does

	// PositionEmbeddingType is how positions enter: "absolute", "rotary" (Su et al. 2021, the halves of a head paired) or
	// "alibi" (Press et al. 2022, to both sides) ["absolute"].
	PositionEmbeddingType string
	RotaryFraction        float64 // the part of each head's columns that rotary embeddings turn [1]
	// PreLayerNorm has layers normalise what goes into their parts, not their sums, and the last hidden state in the end, as
	// Megatron-BERT does, whose names the normalisations have.
	PreLayerNorm bool

	// Spread scales the standard deviations of the weights. At 1, which is the default, they are √(2/n) for a matrix of
	// n inputs, 0.5 for embeddings and 0.2 for biases and around LayerNorm's ones, as in the fixtures: attention is far
	// from uniform, and an error anywhere shows at the output.
	Spread float64
}

// filled is c with its zero fields set, checked.
func (c Config) filled() (Config, error) {
	for _, f := range []struct {
		field *int
		value int
	}{
		{&c.VocabSize, 500}, {&c.HiddenSize, 32}, {&c.NumHiddenLayers, 3}, {&c.NumAttentionHeads, 4},
		{&c.IntermediateSize, 64}, {&c.MaxPositionEmbeddings, 128}, {&c.TypeVocabSize, 2}, {&c.Opset, 17},
	} {
		if *f.field == 0 {
			*f.field = f.value
		}
		if *f.field < 0 {
			return c, fmt.Errorf("random encoder: a size is negative: %+v", c)
		}
	}
	if c.LayerNormEps == 0 {
		c.LayerNormEps = 1e-12
	}
	if c.Spread == 0 {
		c.Spread = 1
	}
	if c.PositionEmbeddingType == "" {
		c.PositionEmbeddingType = "absolute"
	}
	if c.RotaryFraction == 0 {
		c.RotaryFraction = 1
	}
	switch {
	case c.Opset < 11 || c.Opset > 23:
		return c, fmt.Errorf("random encoder: opset %d, want 11 to 23", c.Opset)
	case c.PositionEmbeddingType != "absolute" && c.PositionEmbeddingType != "rotary" && c.PositionEmbeddingType != "alibi":
		return c, fmt.Errorf("random encoder: there are no position embeddings %q", c.PositionEmbeddingType)
	case c.NumHiddenLayers > 1<<12 || c.MaxPositionEmbeddings > 1<<20:
		return c, fmt.Errorf("random encoder: too many layers (%d) or positions (%d)",
			c.NumHiddenLayers, c.MaxPositionEmbeddings)
	case c.HiddenSize%c.NumAttentionHeads != 0:
		return c, fmt.Errorf("random encoder: hidden size %d is no multiple of %d heads", c.HiddenSize, c.NumAttentionHeads)
	case !(c.RotaryFraction > 0 && c.RotaryFraction <= 1) || c.PositionEmbeddingType == "rotary" && (c.turned() < 2 || c.turned()%2 != 0):
		return c, fmt.Errorf("random encoder: rotary embeddings cannot turn %v of %d columns", c.RotaryFraction, c.HiddenSize/c.NumAttentionHeads)
	case !(c.LayerNormEps >= 0 && c.LayerNormEps < 1 && c.Spread >= 0 && c.Spread <= math.MaxFloat32):
		return c, fmt.Errorf("random encoder: LayerNormEps %v, Spread %v", c.LayerNormEps, c.Spread)
	}
	return c, nil
}

// turned is the number of columns of a head that rotary embeddings turn.
func (c Config) turned() int {
	return int(c.RotaryFraction * float64(c.HiddenSize/c.NumAttentionHeads))
}

// configJSON is the config.json of an encoder.
type configJSON struct {
	Architectures             []string `json:"architectures"`
	AttentionProbsDropoutProb float64  `json:"attention_probs_dropout_prob"`
	HiddenAct                 string   `json:"hidden_act"`
	HiddenDropoutProb         float64  `json:"hidden_dropout_prob"`
	HiddenSize                int      `json:"hidden_size"`
	InitializerRange          float64  `json:"initializer_range"`
	IntermediateSize          int      `json:"intermediate_size"`
	LayerNormEps              float64  `json:"layer_norm_eps"`
	MaxPositionEmbeddings     int      `json:"max_position_embeddings"`
	ModelType                 string   `json:"model_type"`
	NumAttentionHeads         int      `json:"num_attention_heads"`
	NumHiddenLayers           int      `json:"num_hidden_layers"`
	PadTokenID                int      `json:"pad_token_id"`
	PositionEmbeddingType     string   `json:"position_embedding_type"`
	TypeVocabSize             int      `json:"type_vocab_size"`
	VocabSize                 int      `json:"vocab_size"`
}

func (c Config) json() configJSON {
	return configJSON{
		Architectures:             []string{"BertModel"},
		AttentionProbsDropoutProb: 0.1,
		HiddenAct:                 "gelu",
		HiddenDropoutProb:         0.1,
		HiddenSize:                c.HiddenSize,
		InitializerRange:          0.02,
		IntermediateSize:          c.IntermediateSize,
		LayerNormEps:              c.LayerNormEps,
		MaxPositionEmbeddings:     c.MaxPositionEmbeddings,
		ModelType:                 "bert",
		NumAttentionHeads:         c.NumAttentionHeads,
		NumHiddenLayers:           c.NumHiddenLayers,
		PositionEmbeddingType:     c.PositionEmbeddingType,
		TypeVocabSize:             c.TypeVocabSize,
		VocabSize:                 c.VocabSize,
	}
}
