"""Holds what graft writes to Python's libraries, and what they write to graft. Run by interop.sh; prints a table, and
ends with 1 if a check fails."""
import argparse, contextlib, datetime, importlib.metadata, json, logging, pathlib, platform, re, shutil
import subprocess, sys, tempfile, warnings
from dataclasses import dataclass

import adapters, numpy as np, onnx, onnx.numpy_helper, peft, torch
from adapters.models.auto.adapter_model import ADAPTER_MODEL_MAPPING_NAMES
from adapters.wrappers.interfaces import CUSTOM_INTERFACES
from safetensors.numpy import load_file, save_file
from transformers import AutoModel

from interop_models import (NER, ROOT, TAGS, Base, Exported, Failed, Refused, Skipped, graft, near, random_encoder,
                            read_sentences, session)

SHARED = ROOT.parent / "shared"
METHODS = "top", "pfeiffer", "lora"
ARCHITECTURES = "bert", "roberta", "xlm-roberta", "distilbert", "electra", "albert", "deberta-v2", "mpnet", "modernbert"


@dataclass
class Row:
    model: str
    check: str
    state: str = "ok"
    result: str = ""


class Table(logging.Handler):
    """The checks, and what the libraries warn of in them."""

    def __init__(self):
        super().__init__(logging.WARNING)
        self.rows, self.notes = [], {}

    @contextlib.contextmanager
    def row(self, model, check):
        """A check, which any exception ends."""
        r = Row(model, check)
        self.rows.append(r)
        print(f"{model}: {check}", file=sys.stderr, flush=True)
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always", UserWarning)
            try:
                yield r
            except (Skipped, Refused) as e:
                r.state, r.result = type(e).__name__.lower(), str(e)
            except Failed as e:
                r.state, r.result = "FAILED", str(e)
            except Exception as e:
                r.state, r.result = "FAILED", f"{type(e).__name__}: {e}"
        for w in seen:
            if issubclass(w.category, UserWarning):
                self.note(str(w.message))

    def emit(self, record):
        self.note(record.getMessage())

    def note(self, text):
        if self.rows and text.strip():
            self.notes.setdefault(text.strip().splitlines()[0], f"{self.rows[-1].model}: {self.rows[-1].check}")

    def markdown(self):
        def clean(x):
            return " ".join(x.split()).replace("|", "\\|")
        cells = [("", "model", "check", "result")]
        cells += [(r.state, r.model, clean(r.check), clean(r.result[:240])) for r in self.rows]
        width = [max(len(c[i]) for c in cells) for i in range(3)]
        lines = ["| " + " | ".join([x.ljust(w) for x, w in zip(c, width)] + [c[3]]) + " |" for c in cells]
        lines.insert(1, "|---|---|---|---|")
        return "\n".join(lines)


def check_files(t, base, x):
    both = pathlib.Path(tempfile.mkdtemp(dir=x.dir.parent))
    for p in base.onnx, x.slotted:  # the checker looks for external data beside the graph alone
        shutil.copy(p, both)
    with t.row(base.name, "onnx.checker: base, slotted graph") as r:
        for p in base.onnx, both / x.slotted.name:
            onnx.checker.check_model(p, full_check=True)
        m = onnx.load(both / x.slotted.name, load_external_data=False)
        r.result = f"opset {m.opset_import[0].version}, IR {m.ir_version}"
    with t.row(base.name, "the slotted graph's external data are the base's initialisers") as r:
        have = {i.name: onnx.numpy_helper.to_array(i) for i in onnx.load(both / x.slotted.name).graph.initializer}
        want = {i.name: onnx.numpy_helper.to_array(i) for i in onnx.load(base.onnx).graph.initializer}
        for k, v in want.items():
            if not np.array_equal(v, have[k]):
                raise Failed(f"{k} differs")
        graph, whole = (p.stat().st_size >> 10 for p in (x.slotted, base.onnx))
        r.result = f"{len(want)} tensors bit for bit; the graph has {graph} KB, the base {whole} KB"
    with t.row(base.name, "onnxruntime: without an adapter the slotted graph is the base") as r:
        s, n = session(str(base.onnx)), 0
        for out in s.get_outputs():
            for a, b in zip((s.run([out.name], b)[0] for b in base.batches), x.run(out.name), strict=True):
                if not np.array_equal(a, b):
                    raise Failed(f"{out.name} differs by {np.abs(a - b).max():.1e}")
                n += a.size
        r.result = f"{n} values bit for bit"


def check_encoder(t, base):
    with t.row(base.name, "transformers with the file's weights = onnxruntime") as r:
        s = session(str(base.onnx))
        hidden = base.real([s.run(None, b)[0] for b in base.batches])
        r.result = near(base.run(base.fill(AutoModel.from_config(base.config))), hidden)


def check_runtime(t, base, x, name, dir):
    """A delta's .onnx_adapter in Python's onnxruntime."""
    with t.row(base.name, f"{name}: AdapterFormat reads the .onnx_adapter") as r:
        have = x.parameters(name)
        for k, v in have.items():
            slot = x.slots.get(k)
            if slot is None or len(slot) != v.ndim or any(isinstance(d, int) and d != n for d, n in zip(slot, v.shape)):
                raise Failed(f"{k} {v.shape}: the graph has {slot}")
        source = {k: v for f in dir.glob("*.safetensors") for k, v in load_file(f).items()}
        config = json.loads((dir / "adapter_config.json").read_text(encoding="utf8"))
        for k, v in have.items():
            scale = config["lora_alpha"] / config["r"] if k.endswith(".lora_B") else 1
            if not any(v.shape == w.T.shape and np.allclose(v, scale * w.T, rtol=1e-6, atol=0) for w in source.values()):
                raise Failed(f"{k} is no tensor of the delta")
        if len(source) != len(have):
            raise Failed(f"{len(have)} parameters, {len(source)} tensors in the delta")
        r.result = f"{len(have)} parameters, names and shapes those of the graph's slots, values those of the delta"
    with t.row(base.name, f"{name}: onnxruntime + .onnx_adapter = graft predict --engine graph") as r:
        logits = x.logits(name)
        said = base.predict(logits, TAGS, "--model", base.dir, "--delta", dir, engine="graph")
        r.result = f"{said}; {x.moved(name, logits)}"


def check_library(t, base, x, name, dir):
    """A delta in the library that its layout belongs to."""
    if name == "lora":
        with t.row(base.name, "lora: PeftModel.from_pretrained = onnxruntime") as r:
            r.result = near(base.run(peft.PeftModel.from_pretrained(base.classifier(), str(dir)).eval()), x.logits(name))
        return
    kind = base.config.model_type
    if name == "top" and kind == "albert":
        with t.row(base.name, "top: load_adapter refuses it: layers that share weights have no adapter after the last") as r:
            m = base.classifier()
            adapters.init(m)
            try:
                m.load_adapter(str(dir), use_safetensors=True)
            except KeyError as e:
                r.result = repr(e)
                return
            raise Failed("the library takes it for an adapter in every layer")
        return
    with t.row(base.name, f"{name}: adapters.init, load_adapter = onnxruntime") as r:
        if kind not in ADAPTER_MODEL_MAPPING_NAMES and kind not in CUSTOM_INTERFACES:
            raise Skipped(f"adapters does not know {kind}")
        m = base.classifier()
        adapters.init(m)
        r.result = near(run_hub(base, m, dir), x.logits(name))
    if kind in ADAPTER_MODEL_MAPPING_NAMES:
        with t.row(base.name, f"{name}: AutoAdapterModel, load_adapter = onnxruntime") as r:
            r.result = near(run_hub(base, base.classifier(flexible=True), dir), x.logits(name))


def run_hub(base, m, dir):
    m.set_active_adapters(m.load_adapter(str(dir), use_safetensors=True))
    return base.run(m.eval())


def check_reads(t, base, check, make, may_refuse=False):
    """An adapter made in Python: graft gives the library's numbers, or, if it may, refuses it with a clear word."""
    with t.row(base.name, check) as r:
        dir = base.work / "theirs" / re.sub(r"\W+", "-", check)
        labels, model = make(dir)
        want = base.run(model)
        try:
            x = Exported(base, base.work / "theirs" / f"{dir.name}-export", dir)
        except Refused as e:
            why = str(e).split(": ", 1)[-1]  # behind the folder
            raise Refused(why) if may_refuse else Failed(f"graft refuses it: {why}")
        r.result = near(x.logits(x.manifest["deltas"][0]), want)
        place = "--model", base.dir, "--delta", dir
        for engine in "graph", "ort":
            r.result += f"; {engine}: " + base.predict(want, labels, *place, engine=engine)
        if labels == TAGS:
            test = "--test", NER / "en/test.iob2", "--limit", 60
            scores = json.loads(graft("eval", *place, *test, "--engine", "both", "--json", "--quiet"))
            if (equal := scores["equal"]) != 60:
                raise Failed(f"eval: the engines agree on {equal} of 60 sentences")


def randomise(model, pattern):
    torch.manual_seed(7)
    with torch.no_grad():
        for name, p in model.named_parameters():
            if re.search(pattern, name):
                p.copy_(0.1 * torch.randn(p.shape))
    return model.eval()


def from_peft(base, config=peft.LoraConfig, labels=TAGS, **options):
    def make(dir):
        m = peft.get_peft_model(base.classifier(labels), config(task_type="TOKEN_CLS", **options))
        randomise(m, "lora_|ia3_|classifier").save_pretrained(dir)
        return labels, m
    return make


def from_hub(base, config, flexible=False, use_safetensors=True, **options):
    def make(dir):
        m = base.classifier(flexible=flexible)
        if not flexible:
            adapters.init(m)
        m.add_adapter("theirs", config=adapters.AdapterConfig.load(config, **options))
        if flexible:
            m.add_tagging_head("theirs", num_labels=len(TAGS), id2label=dict(enumerate(TAGS)))
        m.set_active_adapters("theirs")
        randomise(m, r"(adapters|loras)\.theirs|classifier|heads")
        m.save_adapter(str(dir), "theirs", use_safetensors=use_safetensors)
        return TAGS, m
    return make


def check_theirs(t, base):
    # PEFT keeps no labels: they are the model's, in its config.json.
    labelled = Base(base.name, shutil.copytree(base.dir, base.work / "labelled"), base.work, base.state)
    config = json.loads((base.dir / "config.json").read_text(encoding="utf8"))
    (labelled.dir / "config.json").write_text(json.dumps(config | {"id2label": dict(enumerate(TAGS))}))
    two = dict(target_modules=["query", "value"], r=8, lora_alpha=16)
    six = dict(target_modules=["query", "key", "value", "attention.output.dense", "intermediate.dense", "output.dense"],
               r=4, lora_alpha=6, rank_pattern={"key": 2, "layer.1.output.dense": 7})
    check_reads(t, base, "from PEFT: LoRA, labels nowhere", from_peft(base, labels=[f"LABEL_{i}" for i in range(5)], **two))
    for what, options in {"query and value": two, "all linear maps, three ranks": six}.items():
        check_reads(t, labelled, f"from PEFT: LoRA, {what}", from_peft(labelled, **options))
    for options in (dict(use_rslora=True), dict(use_dora=True), dict(alpha_pattern={"query": 3}), dict(bias="lora_only"),
                    dict(layers_to_transform=[1, 2]), dict(target_modules=r".*\.(query|value)")):
        what = ", ".join(f"{k}={v}" for k, v in options.items())
        check_reads(t, labelled, f"from PEFT: LoRA, {what}", from_peft(labelled, **two | options), may_refuse=True)
    ia3 = dict(target_modules=["key", "output.dense"], feedforward_modules=["output.dense"])
    check_reads(t, labelled, "from PEFT: IA3", from_peft(labelled, peft.IA3Config, **ia3), may_refuse=True)

    last = dict(original_ln_after=False, residual_before_ln=False, leave_out=list(range(base.config.num_hidden_layers - 1)))
    check_reads(t, base, "from AdapterHub: seq_bn", from_hub(base, "seq_bn"))
    check_reads(t, base, "from AdapterHub: one after the last layer", from_hub(base, "seq_bn", **last))
    for f in "gelu", "gelu_new", "swish", "tanh":
        check_reads(t, base, f"from AdapterHub: seq_bn, {f}", from_hub(base, "seq_bn", non_linearity=f, reduction_factor=7))
    for what, kind, options in (("seq_bn, AutoAdapterModel's named head", "seq_bn", dict(flexible=True)),
                                ("seq_bn as .bin", "seq_bn", dict(use_safetensors=False)),
                                ("seq_bn, a layer left out", "seq_bn", dict(leave_out=[0])),
                                ("double_seq_bn", "double_seq_bn", {}), ("par_bn", "par_bn", {}), ("lora", "lora", {})):
        check_reads(t, base, f"from AdapterHub: {what}", from_hub(base, kind, **options), may_refuse=True)


def check_tokens(t, base):
    with t.row(base.name, "tokenizers = graft tokenize: texts, pairs, words; decoding") as r:
        langs = sorted(p.name for p in NER.iterdir() if p.is_dir())
        texts = [s for lang in langs for s in read_sentences(lang, "test", 200 // len(langs) + 1)][:200]
        asked, want = [], []
        for a, b in zip(texts, texts[1:] + texts[:1]):
            asked += [{"text": a}, {"text": a, "pair": b}, {"words": a.split()}]
            tok = base.tokenizer
            want += [tok.encode(a), tok.encode(a, b), tok.encode(a.split(), is_pretokenized=True)]
        for q, e, got in zip(asked, want, tokenize(base, asked), strict=True):
            for k in "ids", "tokens", "offsets", "word_ids", "type_ids", "special_tokens_mask":
                w = [list(x) for x in e.offsets] if k == "offsets" else getattr(e, k)
                if got[k] != w:
                    raise Failed(f"{k} of {q}: {got[k]}, want {w}")
        back = tokenize(base, [e.ids for e in want], "--decode")
        for e, got in zip(want, back, strict=True):
            if got["text"] != base.tokenizer.decode(e.ids):
                raise Failed(f"{e.ids} are {got['text']!r}, want {base.tokenizer.decode(e.ids)!r}")
        r.result = f"{len(texts)} sentences in {len(langs)} languages, {sum(len(e.ids) for e in want)} tokens"


def tokenize(base, lines, *options):
    text = "\n".join(json.dumps(x, ensure_ascii=False) for x in lines)
    return [json.loads(x) for x in graft("tokenize", "--jsonl", *options, base.dir, stdin=text).splitlines()]


def train(base, method, *options):
    out = base.work / method
    data = "--train", NER / "en/train.iob2", "--limit", 300, "--dev", NER / "en/dev.iob2", "--dev-limit", 50
    how = "--method", method, "--batch", 16, "--lr", 0.005, *options
    graft("train", "--model", base.dir, *data, *how, "--quiet", "--out", out)
    return out


def train_random(base, method):
    """A delta as graft writes it, with other values: a random encoder learns nothing by which one could tell it works."""
    out = train(base, method, *("--rank", 4, "--alpha", 6) if method == "lora" else ("--size", 8), "--epochs", 1)
    rng = np.random.default_rng(5)
    for f in out.glob("*.safetensors"):
        save_file({k: rng.normal(0, 0.3, v.shape).astype(np.float32) for k, v in load_file(f).items()}, f, {"format": "pt"})
    return out


def check_base(t, work, name, dir, theirs):
    if not dir.exists():
        with t.row(name, "all"):
            raise Skipped(f"{dir.relative_to(ROOT.parent)} is not there")
        return
    base = Base(name, dir, work)
    check_encoder(t, base)
    check_tokens(t, base)
    deltas = {m: train(base, m, "--epochs", 6) for m in METHODS}
    x = Exported(base, work / "export", *deltas.values())
    check_files(t, base, x)
    for m, d in deltas.items():
        check_runtime(t, base, x, m, d)
        check_library(t, base, x, m, x.dir / m)
    if theirs:
        check_theirs(t, base)

    primed = work / "primed"
    sources = [a for lang in ("en", "es") for a in ("--source", NER / lang / "train.iob2")]
    graft("prime", "--model", dir, *sources, "--limit", 200, "--steps", 4, "--outer-lr", 1e-3, "--quiet", "--out", primed)
    p = Base(f"{name}, primed", primed, work)
    with t.row(p.name, "priming moved the encoder") as r:
        moved = [k for k, v in p.state.items() if not torch.equal(v, base.state[k])]
        r.result = f"{len(moved)} of {len(p.state)} tensors differ from the base's"
        if len(moved) < 16 * base.config.num_hidden_layers or set(p.state) != set(base.state):
            raise Failed(r.result)
    check_encoder(t, p)
    check_files(t, p, Exported(p, work / "primed-export", primed / "adapter"))


def check_architecture(t, work, kind):
    base = None
    with t.row(kind, "a random encoder, exported by torch, in graft") as r:
        base, r.result = random_encoder(kind, work)
    if not base:
        return
    check_encoder(t, base)
    for m in METHODS:
        x = None
        with t.row(kind, f"{m}: graft trains and exports") as r:
            d = train_random(base, m)
            x = Exported(base, work / f"{m}-export", d)
            r.result = f"{sum(v.size for v in x.parameters(m).values())} parameters"
        if x:
            check_runtime(t, base, x, m, d)
            check_library(t, base, x, m, d)


def report(t):
    """The table with versions before and warnings behind it."""
    commit = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True, cwd=ROOT).stdout.strip()
    names = "torch", "transformers", "peft", "adapters", "onnxruntime", "onnx", "tokenizers", "safetensors"
    versions = ", ".join(f"{p} {importlib.metadata.version(p)}" for p in names)
    states = ", ".join(f"{sum(r.state == s for r in t.rows)} {s}" for s in ("ok", "FAILED", "refused", "skipped"))
    head = f"{datetime.date.today()}, graft {commit}, Python {platform.python_version()}, {versions}."
    text = f"{head}\n\n{t.markdown()}\n\n{states}.\n"
    if t.notes:
        text += "\nThe libraries warned:\n\n" + "".join(f"- {where}: {what[:200]}\n" for what, where in t.notes.items())
    return text


def main():
    a = argparse.ArgumentParser(description=__doc__)
    a.add_argument("--record", action="store_true", help="put the result into docs/interop.md")
    a.add_argument("--only", default="", help="a model or architecture to check alone")
    o = a.parse_args()
    torch.set_num_threads(1)
    t = Table()
    for name in "", "transformers":
        logging.getLogger(name).handlers = [t]
    logging.getLogger("torch").setLevel(logging.ERROR)
    bases = {"e5-mini": ROOT / "testdata/demo/e5-mini", "mini": SHARED / "models/mini",
             "e5-mini-float32": SHARED / "models/e5-mini"}
    with tempfile.TemporaryDirectory() as tmp:
        for name in *bases, *ARCHITECTURES:
            work = pathlib.Path(tmp) / ("random-" + name if name in ARCHITECTURES else name)
            work.mkdir()
            if o.only not in ("", name):
                continue
            if name in bases:
                check_base(t, work, name, bases[name], theirs=name == "e5-mini")
            else:
                check_architecture(t, work, name)
    text = report(t)
    print(text)
    if o.record:
        doc = ROOT / "docs/interop.md"
        head, _, rest = doc.read_text(encoding="utf8").partition("<!-- result -->\n")
        doc.write_text(f"{head}<!-- result -->\n{text}<!-- end -->{rest.partition('<!-- end -->')[2]}", encoding="utf8")
    return int(any(r.state == "FAILED" for r in t.rows))


if __name__ == "__main__":
    sys.exit(main())
