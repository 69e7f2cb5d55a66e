"""Writes encoders of every architecture that people export, with small random weights, to be held against onnxruntime
(see docs/architectures.md):

    python scripts/architectures.py OUT [--only REGEXP]

Each lies in OUT/NAME/EXPORT: model.onnx and config.json as Hugging Face lays them out, and OUT/NAME/EXPORT/model.safetensors with
the names that its parameters have there. Needs torch, transformers, onnx, onnxscript, onnxruntime, safetensors.
"""

import argparse
import json
import os
import re
import warnings

import torch
import transformers as t
from safetensors.torch import save_file

import architectures_models as own
from fixtures import spread

SMALL = dict(vocab_size=60, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=48,
             max_position_embeddings=160, pad_token_id=1, type_vocab_size=2)
T5 = dict(vocab_size=60, d_model=32, d_kv=8, d_ff=48, num_layers=2, num_heads=4, pad_token_id=0)


def small(cls, **kw):
    return lambda: cls(**dict(SMALL, **kw))


def t5(cls, **kw):
    return lambda: cls(**dict(T5, **kw))


def mine(**kw):
    return lambda: own.Config(**kw)


IM = ("input_ids", "attention_mask")
ITM = ("input_ids", "token_type_ids", "attention_mask")

# name: (model, its configuration, inputs)
MODELS = {
    "bert": (t.BertModel, small(t.BertConfig), ITM),
    "bert-positions": (t.BertModel, small(t.BertConfig), ("input_ids", "attention_mask", "token_type_ids", "position_ids")),
    "bert-ids": (t.BertModel, small(t.BertConfig), ("input_ids",)),
    "bert-mask": (t.BertModel, small(t.BertConfig), IM),
    "bert-nopool": (lambda c: t.BertModel(c, add_pooling_layer=False), small(t.BertConfig), IM),
    "bert-relu": (t.BertModel, small(t.BertConfig, hidden_act="relu"), IM),
    "bert-gelu-new": (t.BertModel, small(t.BertConfig, hidden_act="gelu_new"), IM),
    "bert-silu": (t.BertModel, small(t.BertConfig, hidden_act="silu"), IM),
    "bert-relative-key": (t.BertModel, small(t.BertConfig, position_embedding_type="relative_key"), IM),
    "bert-relative-key-query": (t.BertModel, small(t.BertConfig, position_embedding_type="relative_key_query"), IM),
    "bert-tokencls": (t.BertForTokenClassification, small(t.BertConfig, num_labels=5), ITM),
    "bert-seqcls": (t.BertForSequenceClassification, small(t.BertConfig, num_labels=5), ITM),
    "bert-mlm": (t.BertForMaskedLM, small(t.BertConfig), ITM),
    "bert-qa": (t.BertForQuestionAnswering, small(t.BertConfig), ITM),
    "bert-nsp": (t.BertForNextSentencePrediction, small(t.BertConfig), ITM),
    "roberta": (t.RobertaModel, small(t.RobertaConfig, type_vocab_size=1), IM),
    "roberta-tokencls": (t.RobertaForTokenClassification, small(t.RobertaConfig, type_vocab_size=1, num_labels=5), IM),
    "roberta-seqcls": (t.RobertaForSequenceClassification, small(t.RobertaConfig, type_vocab_size=1, num_labels=5), IM),
    "roberta-mlm": (t.RobertaForMaskedLM, small(t.RobertaConfig, type_vocab_size=1), IM),
    "roberta-qa": (t.RobertaForQuestionAnswering, small(t.RobertaConfig, type_vocab_size=1), IM),
    "camembert": (t.CamembertModel, small(t.CamembertConfig, type_vocab_size=1), IM),
    "xlm-roberta": (t.XLMRobertaModel, small(t.XLMRobertaConfig, type_vocab_size=1), IM),
    "xlm-roberta-xl": (t.XLMRobertaXLModel, small(t.XLMRobertaXLConfig, type_vocab_size=1), IM),
    "xlm-roberta-xl-mlm": (t.XLMRobertaXLForMaskedLM, small(t.XLMRobertaXLConfig, type_vocab_size=1), IM),
    "data2vec-text": (t.Data2VecTextModel, small(t.Data2VecTextConfig, type_vocab_size=1), IM),
    "roberta-prelayernorm": (t.RobertaPreLayerNormModel, small(t.RobertaPreLayerNormConfig, type_vocab_size=1), IM),
    "roberta-prelayernorm-tokencls": (t.RobertaPreLayerNormForTokenClassification, small(t.RobertaPreLayerNormConfig, type_vocab_size=1), IM),
    "xmod": (t.XmodModel, small(t.XmodConfig, type_vocab_size=1, languages=["en_XX", "de_DE"], default_language="en_XX"), IM),
    "xmod-prenorm": (t.XmodModel, small(t.XmodConfig, type_vocab_size=1, languages=["en_XX", "de_DE"], default_language="en_XX", pre_norm=True), IM),
    "distilbert": (t.DistilBertModel, lambda: t.DistilBertConfig(vocab_size=60, dim=32, n_layers=2, n_heads=4, hidden_dim=48, max_position_embeddings=160), IM),
    "distilbert-sinusoidal": (t.DistilBertModel, lambda: t.DistilBertConfig(vocab_size=60, dim=32, n_layers=2, n_heads=4, hidden_dim=48, max_position_embeddings=160, sinusoidal_pos_embds=True), IM),
    "distilbert-tokencls": (t.DistilBertForTokenClassification, lambda: t.DistilBertConfig(vocab_size=60, dim=32, n_layers=2, n_heads=4, hidden_dim=48, max_position_embeddings=160), IM),
    "distilbert-seqcls": (t.DistilBertForSequenceClassification, lambda: t.DistilBertConfig(vocab_size=60, dim=32, n_layers=2, n_heads=4, hidden_dim=48, max_position_embeddings=160), IM),
    "distilbert-mlm": (t.DistilBertForMaskedLM, lambda: t.DistilBertConfig(vocab_size=60, dim=32, n_layers=2, n_heads=4, hidden_dim=48, max_position_embeddings=160), IM),
    "electra": (t.ElectraModel, small(t.ElectraConfig, embedding_size=16), ITM),
    "electra-same": (t.ElectraModel, small(t.ElectraConfig, embedding_size=32), ITM),
    "electra-tokencls": (t.ElectraForTokenClassification, small(t.ElectraConfig, embedding_size=16, num_labels=5), ITM),
    "electra-discriminator": (t.ElectraForPreTraining, small(t.ElectraConfig, embedding_size=16), ITM),
    "electra-mlm": (t.ElectraForMaskedLM, small(t.ElectraConfig, embedding_size=16), ITM),
    "albert": (t.AlbertModel, small(t.AlbertConfig, embedding_size=16), ITM),
    "albert-groups": (t.AlbertModel, small(t.AlbertConfig, embedding_size=16, num_hidden_layers=4, num_hidden_groups=2, inner_group_num=1), ITM),
    "albert-inner": (t.AlbertModel, small(t.AlbertConfig, embedding_size=16, inner_group_num=2), ITM),
    "albert-mlm": (t.AlbertForMaskedLM, small(t.AlbertConfig, embedding_size=16), ITM),
    "mpnet": (t.MPNetModel, small(t.MPNetConfig), IM),
    "mpnet-mlm": (t.MPNetForMaskedLM, small(t.MPNetConfig), IM),
    "rembert": (t.RemBertModel, small(t.RemBertConfig, input_embedding_size=16, output_embedding_size=24), ITM),
    "roformer": (t.RoFormerModel, small(t.RoFormerConfig, embedding_size=32), ITM),
    "deberta": (t.DebertaModel, small(t.DebertaConfig, relative_attention=True, pos_att_type="c2p|p2c", type_vocab_size=0), IM),
    "deberta-absolute": (t.DebertaModel, small(t.DebertaConfig, type_vocab_size=0), IM),
    "deberta-v2": (t.DebertaV2Model, small(t.DebertaV2Config, relative_attention=True, pos_att_type="p2c|c2p", position_buckets=16, share_att_key=True, norm_rel_ebd="layer_norm", position_biased_input=False, type_vocab_size=0), IM),
    "deberta-v2-conv": (t.DebertaV2Model, small(t.DebertaV2Config, relative_attention=True, pos_att_type="p2c|c2p", position_buckets=16, share_att_key=True, norm_rel_ebd="layer_norm", position_biased_input=False, type_vocab_size=0, conv_kernel_size=3, conv_act="gelu"), IM),
    "modernbert": (t.ModernBertModel, small(t.ModernBertConfig, local_attention=16, global_attn_every_n_layers=2, reference_compile=False), IM),
    "megatron-bert": (t.MegatronBertModel, small(t.MegatronBertConfig), ITM),
    "megatron-bert-tokencls": (t.MegatronBertForTokenClassification, small(t.MegatronBertConfig), ITM),
    "ernie": (t.ErnieModel, small(t.ErnieConfig), ITM),
    "ernie-task": (t.ErnieModel, small(t.ErnieConfig, use_task_id=True), ITM),
    "ernie-m": (t.ErnieMModel, small(t.ErnieMConfig), IM),
    "nezha": (t.NezhaModel, small(t.NezhaConfig, max_relative_position=8), ITM),
    "qdqbert": (t.QDQBertModel, small(t.QDQBertConfig), ITM),
    "splinter": (t.SplinterModel, small(t.SplinterConfig), ITM),
    "luke": (t.LukeModel, small(t.LukeConfig, entity_vocab_size=20, entity_emb_size=16), IM),
    "lilt": (t.LiltModel, small(t.LiltConfig, channel_shrink_ratio=2, max_2d_position_embeddings=100), IM),
    "layoutlm": (t.LayoutLMModel, small(t.LayoutLMConfig), ITM),
    "rocbert": (t.RoCBertModel, small(t.RoCBertConfig, enable_pronunciation=False, enable_shape=False), ITM),
    "ibert": (t.IBertModel, small(t.IBertConfig, type_vocab_size=1), IM),
    "convbert": (t.ConvBertModel, small(t.ConvBertConfig, embedding_size=32, head_ratio=2, conv_kernel_size=3), ITM),
    "squeezebert": (t.SqueezeBertModel, small(t.SqueezeBertConfig, embedding_size=32, q_groups=2, k_groups=2, v_groups=2, post_attention_groups=1, intermediate_groups=2, output_groups=2), ITM),
    "squeezebert-1": (t.SqueezeBertModel, small(t.SqueezeBertConfig, embedding_size=32, q_groups=1, k_groups=1, v_groups=1, post_attention_groups=1, intermediate_groups=1, output_groups=1), ITM),
    "mobilebert": (t.MobileBertModel, small(t.MobileBertConfig, embedding_size=16, intra_bottleneck_size=16, num_feedforward_networks=2), ITM),
    "mobilebert-tokencls": (t.MobileBertForTokenClassification, small(t.MobileBertConfig, embedding_size=16, intra_bottleneck_size=16, num_feedforward_networks=4, num_labels=5), ITM),
    "mobilebert-layernorm": (t.MobileBertModel, small(t.MobileBertConfig, embedding_size=16, intra_bottleneck_size=16, num_feedforward_networks=2, normalization_type="layer_norm"), ITM),
    "nystromformer": (t.NystromformerModel, small(t.NystromformerConfig, num_landmarks=4, segment_means_seq_len=16), ITM),
    "bigbird": (t.BigBirdModel, small(t.BigBirdConfig, attention_type="original_full"), ITM),
    "longformer": (t.LongformerModel, small(t.LongformerConfig, attention_window=8), IM),
    "xlm": (t.XLMModel, lambda: t.XLMConfig(vocab_size=60, emb_dim=32, n_layers=2, n_heads=4, max_position_embeddings=160, n_langs=2, pad_index=2), IM),
    "xlm-langs": (t.XLMModel, lambda: t.XLMConfig(vocab_size=60, emb_dim=32, n_layers=2, n_heads=4, max_position_embeddings=160, n_langs=2, pad_index=2), ("input_ids", "attention_mask", "langs")),
    "flaubert": (t.FlaubertModel, lambda: t.FlaubertConfig(vocab_size=60, emb_dim=32, n_layers=2, n_heads=4, max_position_embeddings=160, pad_index=2), IM),
    "flaubert-prenorm": (t.FlaubertModel, lambda: t.FlaubertConfig(vocab_size=60, emb_dim=32, n_layers=2, n_heads=4, max_position_embeddings=160, pad_index=2, pre_norm=True), IM),
    "xlnet": (t.XLNetModel, lambda: t.XLNetConfig(vocab_size=60, d_model=32, n_layer=2, n_head=4, d_inner=48, ff_activation="gelu"), ITM),
    "t5": (t.T5EncoderModel, t5(t.T5Config), IM),
    "t5-gated": (t.T5EncoderModel, t5(t.T5Config, feed_forward_proj="gated-gelu", tie_word_embeddings=False), IM),
    "t5-inner": (t.T5EncoderModel, t5(t.T5Config, d_kv=12), IM),
    "mt5": (t.MT5EncoderModel, t5(t.MT5Config), IM),
    "umt5": (t.UMT5EncoderModel, t5(t.UMT5Config), IM),
    "t5-tokencls": (t.T5ForTokenClassification, t5(t.T5Config, num_labels=5), IM),
    "esm": (t.EsmModel, small(t.EsmConfig, position_embedding_type="rotary", token_dropout=False, mask_token_id=4, emb_layer_norm_before=False), IM),
    "esm-dropout": (t.EsmModel, small(t.EsmConfig, position_embedding_type="rotary", token_dropout=True, mask_token_id=4), IM),
    "esm-mlm": (t.EsmForMaskedLM, small(t.EsmConfig, position_embedding_type="rotary", token_dropout=True, mask_token_id=4), IM),
    "esm-absolute": (t.EsmModel, small(t.EsmConfig, position_embedding_type="absolute", token_dropout=False, mask_token_id=4), IM),
    "canine": (t.CanineModel, small(t.CanineConfig, downsampling_rate=4, num_hash_functions=2, num_hash_buckets=32, local_transformer_stride=8), ITM),
    "fnet": (t.FNetModel, small(t.FNetConfig), ("input_ids", "token_type_ids")),
    "funnel": (t.FunnelBaseModel, lambda: t.FunnelConfig(vocab_size=60, block_sizes=[1, 1], d_model=32, n_head=4, d_head=8, d_inner=48), ITM),
    "yoso": (t.YosoModel, small(t.YosoConfig, use_expectation=True), ITM),
    "clip-text": (t.CLIPTextModel, lambda: t.CLIPTextConfig(vocab_size=60, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4, max_position_embeddings=160, eos_token_id=3), IM),
    "siglip-text": (t.SiglipTextModel, lambda: t.SiglipTextConfig(vocab_size=60, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4, max_position_embeddings=160), IM),
    "altclip-text": (t.AltCLIPTextModel, lambda: t.AltCLIPTextConfig(**dict(SMALL, project_dim=24, type_vocab_size=1)), IM),
    "dpr": (t.DPRQuestionEncoder, small(t.DPRConfig), ITM),
    "bros": (t.BertGenerationEncoder, small(t.BertGenerationConfig), IM),
    "nomic-bert": (own.NomicBertModel, mine(), ITM),
    "nomic-bert-partial": (own.NomicBertModel, mine(rotary_fraction=0.5), IM),
    "jina-bert": (own.JinaBertModel, mine(table=True), ITM),
    "jina-bert-computed": (own.JinaBertModel, mine(table=False), IM),
    "gte-new": (own.NewModel, mine(), ITM),
    "gte-multilingual": (own.NewModel, mine(type_vocab_size=0), IM),
    "eurobert": (own.EuroBertModel, mine(num_key_value_heads=2), IM),
    "eurobert-full": (own.EuroBertModel, mine(), IM),
}


for pooling in ("mean", "cls", "product"):
    for normalise in (False, True):
        name = "sentence-%s%s" % (pooling, "-normalised" if normalise else "")
        MODELS[name] = (lambda c, p=pooling, n=normalise: own.Sentence(t.BertModel(c, add_pooling_layer=False), p, n), small(t.BertConfig), IM)
MODELS["sentence-t5"] = (lambda c: own.Sentence(t.T5EncoderModel(c), "mean", True), t5(t.T5Config), IM)


def plain(model, inputs):
    """The model with a forward pass of tensors alone, in the same names, so that nothing stands around it."""
    cls = type(model)

    def forward(self, *args):
        out = cls.forward(self, **dict(zip(inputs, args)))
        for k in ("sentence_embedding", "logits", "last_hidden_state", "pooler_output"):
            if k in out:
                return out[k]
        if "start_logits" in out:
            return out["start_logits"], out["end_logits"]
        if "prediction_logits" in out:
            return out["prediction_logits"]
        return out[0]

    space = {"run": forward}
    exec("def forward(self, %s):\n    return run(self, %s)" % (", ".join(inputs), ", ".join(inputs)), space)
    model.__class__ = type(cls.__name__, (cls,), {"forward": space["forward"]})
    return model


def make(name, attn):
    cls, config, inputs = MODELS[name]
    c = config()
    if hasattr(c, "type_vocab_size") and isinstance(c, t.PretrainedConfig):
        c.return_dict = True
    c._attn_implementation = attn
    torch.manual_seed(1)
    m = cls(c).eval()
    spread(m, 1)
    return plain(m, inputs), c, inputs


def batch(c, inputs):
    g = torch.Generator().manual_seed(7)
    ids = torch.randint(5, 60, (2, 16), generator=g)
    mask = torch.tensor([[1] * 16, [1] * 11 + [0] * 5])
    pad = getattr(c, "pad_token_id", None)
    ids = torch.where(mask == 1, ids, 0 if pad is None else pad)
    of = dict(input_ids=ids, attention_mask=mask, token_type_ids=torch.zeros_like(ids), position_ids=torch.arange(16)[None].repeat(2, 1),
              langs=torch.zeros_like(ids))
    return tuple(of[k] for k in inputs)


def export(model, args, inputs, path, dynamo, opset, outputs, fixed=False):
    names = dict(input_names=list(inputs), output_names=outputs)
    if dynamo:
        b, s = torch.export.Dim("batch_size", min=1, max=64), torch.export.Dim("sequence_length", min=2, max=150)
        p = torch.onnx.export(model, args, dynamo=True, opset_version=opset, external_data=False, verbose=False,
                              dynamic_shapes=None if fixed else tuple({0: b, 1: s} for _ in inputs), **names)
        p.save(path, external_data=False)
        return
    axes = None if fixed else {k: {0: "batch_size", 1: "sequence_length"} for k in (*inputs, *outputs)}
    torch.onnx.export(model, args, path, dynamo=False, opset_version=opset, dynamic_axes=axes, do_constant_folding=True, **names)


def one(out, name, attn, dynamo, opset, fixed=False):
    where = os.path.join(out, name, "%s%d-%s%s" % ("dynamo" if dynamo else "script", opset, attn, "-fixed" if fixed else ""))
    if os.path.exists(os.path.join(where, "model.onnx")) or os.path.exists(os.path.join(where, "failed.txt")):
        return
    os.makedirs(where, exist_ok=True)
    try:
        model, c, inputs = make(name, attn)
        args = batch(c, inputs)
        with torch.no_grad():
            y = model(*args)
        if isinstance(y, tuple):
            outputs = ["start_logits", "end_logits"]
        else:
            outputs = ["logits" if "For" in type(model).__name__ else "last_hidden_state" if y.dim() == 3 else
                       "sentence_embedding" if name.startswith("sentence") else "pooler_output"]
        export(model, args, inputs, os.path.join(where, "model.onnx"), dynamo, opset, outputs, fixed)
        save_file({k: v.contiguous().clone() for k, v in model.state_dict().items()}, os.path.join(where, "model.safetensors"))
        with open(os.path.join(where, "config.json"), "w") as f:
            json.dump({k: v for k, v in c.to_dict().items() if isinstance(v, (int, float, str, bool))}, f, indent=1, sort_keys=True)
        print("wrote", where, flush=True)
    except Exception as e:
        with open(os.path.join(where, "failed.txt"), "w") as f:
            f.write("%s: %s" % (type(e).__name__, e))
        print("failed", where, type(e).__name__, str(e).replace("\n", " ")[:200], flush=True)


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    p = argparse.ArgumentParser()
    p.add_argument("out")
    p.add_argument("--only", default="")
    p.add_argument("--exports", default="script17-eager,script17-sdpa,dynamo18-eager,dynamo18-sdpa")
    a = p.parse_args()
    for e in a.exports.split(","):
        kind, opset, attn, fixed = re.fullmatch(r"(script|dynamo)(\d+)-(eager|sdpa)(-fixed)?", e).groups()
        for name in MODELS:
            if re.search(a.only, name):
                one(a.out, name, attn, kind == "dynamo", int(opset), bool(fixed))
