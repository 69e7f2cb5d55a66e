"""Passes exports of architectures.py through the tools that people put behind the exporters, and exports whole folders with
optimum (see docs/architectures.md):

    python scripts/architectures_tools.py OUT [--only REGEXP]

OUT is architectures.py's. Needs what that needs, and onnxruntime's transformers optimizer, onnxsim, onnxslim, optimum-onnx.
"""

import argparse
import os
import re
import shutil
import warnings

import onnx
import torch
import transformers as t
from fixtures import spread


def keep(source, where):
    os.makedirs(where, exist_ok=True)
    for f in ("config.json", "model.safetensors"):
        if os.path.exists(os.path.join(source, f)):
            shutil.copy(os.path.join(source, f), where)


def optimised(level, half):
    def run(source, target):
        from onnxruntime.transformers import optimizer

        m = optimizer.optimize_model(source, model_type="bert", num_heads=4, hidden_size=32, opt_level=level)
        if half:
            m.convert_float_to_float16(keep_io_types=True)
        m.save_model_to_file(target)

    return run


def runtime(level):
    """The graph as onnxruntime itself rewrites it when it loads the file."""

    def run(source, target):
        import onnxruntime as ort

        o = ort.SessionOptions()
        o.graph_optimization_level = getattr(ort.GraphOptimizationLevel, level)
        o.optimized_model_filepath = target
        ort.InferenceSession(source, o, providers=["CPUExecutionProvider"])

    return run


def quantised(source, target):
    from onnxruntime.quantization import QuantType, quantize_dynamic

    quantize_dynamic(source, target, weight_type=QuantType.QInt8)


def simplified(source, target):
    import onnxsim

    m, ok = onnxsim.simplify(onnx.load(source))
    assert ok
    onnx.save(m, target)


def slimmed(source, target):
    import onnxslim

    onnx.save(onnxslim.slim(onnx.load(source)), target)


def nameless(source, target):
    """The graph as converters leave it that number all values, weights too, and drop the nodes' names."""
    m = onnx.load(source)
    kept, new = {v.name for v in (*m.graph.input, *m.graph.output)} | {""}, {}

    def of(name):
        return name if name in kept else new.setdefault(name, str(len(new)))

    def rename(graph):
        for x in graph.initializer:
            x.name = of(x.name)
        for n in graph.node:
            n.name = ""
            del n.metadata_props[:]
            n.input[:], n.output[:] = [of(x) for x in n.input], [of(x) for x in n.output]
            for a in n.attribute:
                if a.HasField("g"):
                    for v in (*a.g.input, *a.g.output):
                        v.name = of(v.name)
                    rename(a.g)

    rename(m.graph)
    del m.graph.value_info[:]
    onnx.save(m, target)


TOOLS = {
    "optimizer0": optimised(0, False), "optimizer1": optimised(1, False), "optimizer2": optimised(2, False),
    "optimizer1-fp16": optimised(1, True), "basic": runtime("ORT_ENABLE_BASIC"), "extended": runtime("ORT_ENABLE_EXTENDED"),
    "int8": quantised, "onnxsim": simplified, "onnxslim": slimmed, "nameless": nameless,
}

SMALL = dict(vocab_size=60, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=48, max_position_embeddings=160)

# What optimum exports: model, configuration, tasks.
OPTIMUM = {
    "bert": (t.BertConfig(**SMALL), dict(zip(("feature-extraction", "token-classification", "fill-mask", "text-classification", "question-answering"),
             (t.BertModel, t.BertForTokenClassification, t.BertForMaskedLM, t.BertForSequenceClassification, t.BertForQuestionAnswering)))),
    "xlm-roberta": (t.XLMRobertaConfig(**dict(SMALL, type_vocab_size=1, pad_token_id=1)), {"feature-extraction": t.XLMRobertaModel, "fill-mask": t.XLMRobertaForMaskedLM}),
    "distilbert": (t.DistilBertConfig(vocab_size=60, dim=32, n_layers=2, n_heads=4, hidden_dim=48, max_position_embeddings=160), {"feature-extraction": t.DistilBertModel, "token-classification": t.DistilBertForTokenClassification}),
    "electra": (t.ElectraConfig(**dict(SMALL, embedding_size=16)), {"feature-extraction": t.ElectraModel, "token-classification": t.ElectraForTokenClassification}),
    "albert": (t.AlbertConfig(**dict(SMALL, embedding_size=16)), {"feature-extraction": t.AlbertModel}),
    "mpnet": (t.MPNetConfig(**dict(SMALL, pad_token_id=1)), {"feature-extraction": t.MPNetModel}),
    "roformer": (t.RoFormerConfig(**dict(SMALL, embedding_size=32)), {"feature-extraction": t.RoFormerModel}),
    "deberta-v2": (t.DebertaV2Config(**dict(SMALL, relative_attention=True, pos_att_type="p2c|c2p", position_buckets=16, share_att_key=True, norm_rel_ebd="layer_norm", position_biased_input=False, type_vocab_size=0)), {"feature-extraction": t.DebertaV2Model}),
    "camembert": (t.CamembertConfig(**dict(SMALL, type_vocab_size=1, pad_token_id=1)), {"feature-extraction": t.CamembertModel}),
    "modernbert": (t.ModernBertConfig(**dict(SMALL, local_attention=16, global_attn_every_n_layers=2, bos_token_id=2, eos_token_id=3, cls_token_id=2, sep_token_id=3, pad_token_id=1, reference_compile=False)), {"feature-extraction": t.ModernBertModel, "token-classification": t.ModernBertForTokenClassification}),
    "rembert": (t.RemBertConfig(**dict(SMALL, input_embedding_size=16, output_embedding_size=24)), {"feature-extraction": t.RemBertModel}),
    "xlm": (t.XLMConfig(vocab_size=60, emb_dim=32, n_layers=2, n_heads=4, max_position_embeddings=160), {"feature-extraction": t.XLMModel}),
    "flaubert": (t.FlaubertConfig(vocab_size=60, emb_dim=32, n_layers=2, n_heads=4, max_position_embeddings=160), {"feature-extraction": t.FlaubertModel}),
    "esm": (t.EsmConfig(**dict(SMALL, position_embedding_type="rotary", token_dropout=False, mask_token_id=4, pad_token_id=1)), {"feature-extraction": t.EsmModel}),
    "mobilebert": (t.MobileBertConfig(**dict(SMALL, embedding_size=16, intra_bottleneck_size=16, num_feedforward_networks=2)), {"feature-extraction": t.MobileBertModel}),
    "squeezebert": (t.SqueezeBertConfig(**dict(SMALL, embedding_size=32)), {"feature-extraction": t.SqueezeBertModel}),
    "convbert": (t.ConvBertConfig(**dict(SMALL, embedding_size=32)), {"feature-extraction": t.ConvBertModel}),
    "deberta": (t.DebertaConfig(**dict(SMALL, relative_attention=True, pos_att_type="c2p|p2c", type_vocab_size=0)), {"feature-extraction": t.DebertaModel}),
    "ibert": (t.IBertConfig(**dict(SMALL, type_vocab_size=1, pad_token_id=1)), {"feature-extraction": t.IBertModel}),
    "nystromformer": (t.NystromformerConfig(**SMALL), {"feature-extraction": t.NystromformerModel}),
    "splinter": (t.SplinterConfig(**SMALL), {"feature-extraction": t.SplinterModel}),
    "data2vec-text": (t.Data2VecTextConfig(**dict(SMALL, type_vocab_size=1, pad_token_id=1)), {"feature-extraction": t.Data2VecTextModel}),
    "big_bird": (t.BigBirdConfig(**dict(SMALL, attention_type="original_full")), {"feature-extraction": t.BigBirdModel}),
}


def optimum(out, name, task, opset):
    from optimum.exporters.onnx import onnx_export_from_model

    where = os.path.join(out, name, "optimum%d-%s" % (opset, task))
    if os.path.exists(where):
        return
    config, tasks = OPTIMUM[name]
    torch.manual_seed(1)
    m = tasks[task](config).eval()
    spread(m, 1)
    onnx_export_from_model(m, where, task=task, opset=opset, do_validation=False, monolith=True)
    from safetensors.torch import save_file

    save_file({k: v.contiguous().clone() for k, v in m.state_dict().items()}, os.path.join(where, "model.safetensors"))


def attempt(where, f, *args):
    try:
        f(*args)
        print("wrote", where, flush=True)
    except Exception as e:
        shutil.rmtree(where, ignore_errors=True)
        print("failed", where, type(e).__name__, str(e).replace("\n", " ")[:200], flush=True)


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    p = argparse.ArgumentParser()
    p.add_argument("out")
    p.add_argument("--only", default="")
    p.add_argument("--of", default="script17-eager,script14-sdpa,dynamo18-sdpa")
    a = p.parse_args()
    for name in OPTIMUM:
        for task in OPTIMUM[name][1]:
            for opset in (14, 17):
                if re.search(a.only, name):
                    attempt(os.path.join(a.out, name, "optimum%d-%s" % (opset, task)), optimum, a.out, name, task, opset)
    for name in sorted(os.listdir(a.out)):
        for e in a.of.split(","):
            source = os.path.join(a.out, name, e)
            if not re.search(a.only, name) or not os.path.exists(os.path.join(source, "model.onnx")):
                continue
            for tool, f in TOOLS.items():
                where = source + "-" + tool
                if not os.path.exists(where):
                    keep(source, where)
                    attempt(where, f, os.path.join(source, "model.onnx"), os.path.join(where, "model.onnx"))
