"""Writes the small encoders of importer/testdata: random weights, exported by PyTorch's two exporters, with what PyTorch
computes. Run by hand, with torch, transformers, onnx and onnxscript; see importer/testdata/README.md.

    python scripts/fixtures.py importer/testdata/encoders [NAME...]
"""

import json
import os
import sys

import numpy as np
import onnx
import torch
import transformers as t

import architectures_models as own

SMALL = dict(vocab_size=60, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=24,
             max_position_embeddings=160, pad_token_id=1, attn_implementation="eager")
MODERN = dict(SMALL, local_attention=16, global_attn_every_n_layers=2, bos_token_id=2, eos_token_id=3, cls_token_id=2,
              sep_token_id=3, num_labels=3, reference_compile=False)

OWN = dict(vocab_size=60, hidden_size=16, intermediate_size=24, num_attention_heads=2, type_vocab_size=2, attn_implementation="eager")
T5 = t.T5Config(vocab_size=60, d_model=16, d_kv=8, d_ff=24, num_layers=2, num_heads=2, feed_forward_proj="gated-gelu", pad_token_id=1)

SCRIPT, DYNAMO = (False, 17), (True, 18)

# What is exported by TorchScript's exporter alone; the others by both.
ONCE = {"roformer-value", "rembert", "modernbert-seqcls", "modernbert-mlm", "xlm-roberta-mlm", "megatron-bert", "nomic-bert", "jina-bert", "sentence-bert"}


class SentenceBertModel(own.Sentence):
    """The mean of the tokens."""

    def __init__(self, config):
        super().__init__(t.BertModel(config, add_pooling_layer=False), "mean", False)


# The normalisation of the last hidden state, in encoders that have one.
LAST_NORM = {"xlm-roberta-xl": lambda m: m.encoder.LayerNorm, "megatron-bert": lambda m: m.encoder.ln,
             "t5-gated": lambda m: m.encoder.final_layer_norm}

MODELS = {
    "mpnet": (t.MPNetModel, t.MPNetConfig(**SMALL)),
    "roformer": (t.RoFormerModel, t.RoFormerConfig(**dict(SMALL, embedding_size=16, type_vocab_size=2))),
    "roformer-value": (t.RoFormerModel, t.RoFormerConfig(**dict(SMALL, embedding_size=12, type_vocab_size=2, rotary_value=True))),
    "rembert": (t.RemBertModel, t.RemBertConfig(**dict(SMALL, input_embedding_size=12, output_embedding_size=20, type_vocab_size=2))),
    "xlm-roberta-xl": (t.XLMRobertaXLModel, t.XLMRobertaXLConfig(**SMALL)),
    "modernbert-tokencls": (t.ModernBertForTokenClassification, t.ModernBertConfig(**MODERN)),
    "modernbert-seqcls": (t.ModernBertForSequenceClassification, t.ModernBertConfig(**MODERN)),
    "modernbert-mlm": (t.ModernBertForMaskedLM, t.ModernBertConfig(**MODERN)),
    "t5-gated": (t.T5EncoderModel, T5),
    "megatron-bert": (t.MegatronBertModel, t.MegatronBertConfig(**SMALL)),
    "nomic-bert": (own.NomicBertModel, own.Config(model_type="nomic_bert", rotary_fraction=0.5, **OWN)),
    "jina-bert": (own.JinaBertModel, own.Config(model_type="bert", **OWN)),
    "eurobert": (own.EuroBertModel, own.Config(model_type="eurobert", num_key_value_heads=1, **OWN)),
    "sentence-bert": (SentenceBertModel, t.BertConfig(**SMALL)),
    "xlm-roberta-mlm": (t.XLMRobertaForMaskedLM, t.XLMRobertaConfig(**SMALL)),
}


def plain(cls):
    """The class with a forward pass that is a function of tensors, so that nothing is put around the model's names."""

    class Plain(cls):
        def forward(self, input_ids, attention_mask):
            out = super().forward(input_ids=input_ids, attention_mask=attention_mask)
            return out[result(out)]

    return Plain


def result(out):
    """What an output is called."""
    return next(k for k in ("logits", "sentence_embedding", "last_hidden_state") if k in out)


def spread(model, seed):
    """Random weights with a large variance, so that attention is far from uniform; tables of sinusoids stay."""
    g = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, p in model.named_parameters():
            if not p.requires_grad:
                continue
            scale = 0.3 if p.dim() > 1 else 0.2
            noise = torch.randn(p.shape, generator=g) * scale
            p.copy_(1 + noise if "norm" in name.lower() and name.endswith("weight") else noise)


def cases(vocab):
    """Batches of sequences of some lengths: token ids and masks."""
    g = torch.Generator().manual_seed(7)
    for lengths in ([7, 4], [1], [40, 23]):
        n = max(lengths)
        ids = torch.randint(5, vocab, (len(lengths), n), generator=g)
        mask = torch.tensor([[1] * k + [0] * (n - k) for k in lengths])
        yield torch.where(mask == 1, ids, 1), mask


def make(cls, config):
    """The model, one to export, the name of its output and what names and axes the exporters are told."""
    config._attn_implementation = config.attn_implementation = "eager"
    torch.manual_seed(1)
    model = cls(config).eval()
    spread(model, 1)
    bare = plain(cls)(config).eval()
    bare.load_state_dict(model.state_dict())
    ids, mask = next(iter(cases(config.vocab_size)))
    out = result(model(input_ids=ids, attention_mask=mask))
    names = dict(input_names=["input_ids", "attention_mask"], output_names=[out])
    axes = {k: {0: "batch_size", 1: "sequence_length"} for k in names["input_names"]}
    axes[out] = {0: "batch_size"} if "Sequence" in cls.__name__ or out == "sentence_embedding" else {0: "batch_size", 1: "sequence_length"}
    return model, bare, out, names, axes


def script(bare, inputs, path, opset, names, axes):
    torch.onnx.export(bare, inputs, path, dynamo=False, opset_version=opset, dynamic_axes=axes, do_constant_folding=True, **names)


def invalid(folder):
    """MPNet at opset 11, where Min and Max take no integers: what the exporter writes is not ONNX."""
    os.makedirs(folder, exist_ok=True)
    cls, config = MODELS["mpnet"]
    _, bare, _, names, axes = make(cls, config)
    script(bare, next(iter(cases(config.vocab_size))), os.path.join(folder, "mpnet.opset11.onnx"), 11, names, axes)


def export(folder, name, cls, config):
    model, bare, out, names, axes = make(cls, config)
    where = os.path.join(folder, name)
    os.makedirs(where, exist_ok=True)
    ids, mask = next(iter(cases(config.vocab_size)))
    for dynamo, opset in (SCRIPT,) if name in ONCE else (SCRIPT, DYNAMO):
        path = os.path.join(where, "model.%s%d.onnx" % ("dynamo" if dynamo else "opset", opset))
        if dynamo:
            b, s = torch.export.Dim("batch_size", min=1, max=64), torch.export.Dim("sequence_length", min=1, max=150)
            p = torch.onnx.export(bare, (ids, mask), dynamo=True, opset_version=opset, external_data=False,
                                  dynamic_shapes=({0: b, 1: s}, {0: b, 1: s}), verbose=False, **names)
            p.save(path, external_data=False)
            m = onnx.load(path)
            for n in m.graph.node:  # only the scopes tell something
                keep = [x for x in n.metadata_props if x.key == "pkg.torch.onnx.name_scopes"]
                del n.metadata_props[:]
                n.metadata_props.extend(keep)
            del m.graph.value_info[:]
            onnx.save(m, path)
        else:
            script(bare, (ids, mask), path, opset, names, axes)
    expected, sums = {}, []
    if name in LAST_NORM:  # the last layer's output is wanted too
        LAST_NORM[name](model).register_forward_pre_hook(lambda module, args: sums.append(args[0]))
    for i, (ids, mask) in enumerate(cases(config.vocab_size)):
        with torch.no_grad():
            y = model(input_ids=ids, attention_mask=mask, output_hidden_states=True)
        expected["c%d_in_input_ids" % i], expected["c%d_in_attention_mask" % i] = ids.numpy(), mask.numpy()
        expected["c%d_out_%s" % (i, out)] = y[out].numpy()
        for k, h in enumerate([*y.hidden_states[:-1], *sums] if sums else y.hidden_states):
            expected["c%d_hidden_%d" % (i, k)] = h.numpy()
        sums.clear()
    np.savez_compressed(os.path.join(where, "expected.npz"), **expected)
    keep = ("model_type", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "vocab_size",
            "pad_token_id", "max_position_embeddings")
    with open(os.path.join(where, "config.json"), "w") as f:
        json.dump({k: v for k, v in config.to_dict().items() if k in keep}, f, indent=1, sort_keys=True)
        f.write("\n")


if __name__ == "__main__":
    for name, (cls, config) in MODELS.items():
        if len(sys.argv) < 3 or name in sys.argv[2:]:
            export(sys.argv[1], name, cls, config)
    if len(sys.argv) < 3 or "invalid" in sys.argv[2:]:
        invalid(os.path.join(sys.argv[1], "..", "invalid"))
