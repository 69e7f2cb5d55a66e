package export

import (
	"strings"

	"github.com/seed-aefebe89/graft/importer"
)

// prefixes are what Hugging Face's task models call their encoder, by model_type.
var prefixes = map[string]string{
	"bert": "bert", "roberta": "roberta", "xlm-roberta": "roberta", "camembert": "roberta", "distilbert": "distilbert",
	"electra": "electra", "albert": "albert", "deberta-v2": "deberta", "mpnet": "mpnet", "modernbert": "model",
	"roformer": "roformer", "rembert": "rembert", "xlm-roberta-xl": "roberta",
}

// prefix is what stands before a base's names in a task model: "bert." for a bare BertModel, nothing where the file
// has it already.
func prefix(m *importer.Model) string {
	p := prefixes[m.Config.ModelType]
	if p == "" {
		return ""
	}
	for _, w := range m.Weights {
		if strings.HasPrefix(w.Name, p+".") {
			return ""
		}
	}
	return p + "."
}

// local is a task model's name for something as the base has it: without the encoder's name where the base lacks it.
func local(m *importer.Model, name string) string {
	return strings.TrimPrefix(name, prefix(m))
}

// taskClasses are transformers' classes for token classification, by model_type.
var taskClasses = map[string]string{
	"bert": "BertForTokenClassification", "roberta": "RobertaForTokenClassification", "xlm-roberta": "XLMRobertaForTokenClassification",
	"camembert": "CamembertForTokenClassification", "distilbert": "DistilBertForTokenClassification",
	"electra": "ElectraForTokenClassification", "albert": "AlbertForTokenClassification",
	"deberta-v2": "DebertaV2ForTokenClassification", "mpnet": "MPNetForTokenClassification",
	"modernbert": "ModernBertForTokenClassification", "roformer": "RoFormerForTokenClassification",
	"rembert": "RemBertForTokenClassification", "xlm-roberta-xl": "XLMRobertaXLForTokenClassification",
}
