"""What interop.py checks: graft's command, encoders as graft takes them and in transformers, export folders in Python's
onnxruntime."""
import contextlib, json, os, pathlib, re, subprocess, tempfile, unicodedata, warnings

import adapters, numpy as np, onnx, onnx.numpy_helper, onnxruntime, tokenizers, torch
from transformers import AutoConfig, AutoModel, AutoModelForTokenClassification

ROOT = pathlib.Path(__file__).resolve().parent.parent
NER = ROOT / "testdata/demo/ner"
BOUND = 1e-4  # of the largest logit, and of a probability: both sides sum in float32, in different orders
TAGS = ["O", "B-LOC", "I-LOC", "B-ORG", "I-ORG", "B-PER", "I-PER"]


class Failed(Exception):
    """A check does not hold."""


class Skipped(Exception):
    """A check cannot be made here."""


class Refused(Exception):
    """graft refused something and said why."""


def near(got, want):
    """Says how far two lists of arrays are apart; fails beyond the bound, or where there is nothing to compare."""
    if [g.shape for g in got] != [w.shape for w in want]:
        raise Failed(f"the shapes differ: {[g.shape for g in got][:3]} and {[w.shape for w in want][:3]}")
    got, want = (np.concatenate([x.ravel() for x in xs]).astype(np.float64) for xs in (got, want))
    big, diff = np.abs(want).max(), np.abs(got - want).max()
    text = f"{diff / big:.1e} of the largest value apart at most, {len(got)} values"
    if not (diff <= BOUND * big and big > 0.1):
        raise Failed(text)
    return text


def graft(*args, stdin=None):
    """Runs bin/graft and returns what it prints."""
    p = subprocess.run([str(ROOT / "bin/graft"), *map(str, args)], input=stdin, capture_output=True, text=True, cwd=ROOT)
    if p.returncode:
        said = p.stderr.strip()
        if not said.startswith("graft: ") or "goroutine" in said:
            raise Failed(f"graft {args[0]} ended with {p.returncode}: {said[-300:]}")
        for folder in f"{ROOT}/", rf"{tempfile.gettempdir()}/[^/]+/":
            said = re.sub(folder, "", said)
        raise Refused(said.removeprefix("graft: "))
    return p.stdout


def read_sentences(lang, split, limit):
    """Sentences of the demo's corpus, as texts."""
    blocks = (NER / lang / f"{split}.iob2").read_text(encoding="utf8").split("\n\n")
    return [" ".join(line.split("\t")[0] for line in b.splitlines()) for b in blocks if b.strip()][:limit]


def split_words(text):
    """(start, end) of each word as graft predict splits texts: punctuation and symbols at a word's edges stand alone."""
    def mark(i):
        return unicodedata.category(text[i])[0] in "PS"
    out = []
    for m in re.finditer(r"\S+", text):
        a, b = m.span()
        while a < b and mark(a):
            out.append((a, a + 1))
            a += 1
        c = b
        while a < c and mark(c - 1):
            c -= 1
        out += [(a, c)] * (a < c) + [(i, i + 1) for i in range(c, b)]
    return out


def entities(text, words, logits, labels):
    """What graft predict prints for the words' logits: words joined as IOB2 says, the score their mean probability."""
    out, kind = [], None
    for (start, end), x in zip(words, logits):
        label = labels[int(x.argmax())] if x is not None else "O"
        if label == "O":
            kind = None
            continue
        p = float(np.exp(x.max() - np.logaddexp.reduce(x.astype(np.float64))))
        prefix, this = label.split("-", 1) if "-" in label else ("I", label)
        if this != kind or prefix == "B":
            out.append([this, start, end, []])
        out[-1][2], kind = end, this
        out[-1][3].append(p)
    return [(k, a, b, text[a:b], sum(ps) / len(ps)) for k, a, b, ps in out]


class Base:
    """An encoder's folder as graft takes it, sentences for it, and the same encoder in transformers. What is made of it
    goes to the folder work."""

    def __init__(self, name, dir, work, state=None):
        self.name, self.dir, self.work = name, dir, work
        self.onnx = self.dir / "model.onnx"
        self.state = state or self.weights()
        self.tokenizer = tokenizers.Tokenizer.from_file(str(self.dir / "tokenizer.json"))
        self.config = AutoConfig.from_pretrained(self.dir)
        inputs = [i.name for i in onnx.load(self.onnx, load_external_data=False).graph.input]
        texts = [t for lang, n in (("en", 24), ("af", 8), ("hi", 8), ("tr", 8)) for t in read_sentences(lang, "test", n)]
        self.sentences = []  # text, words, ids, and the first token of each word
        for t in texts:
            words = split_words(t)
            e = self.tokenizer.encode([t[a:b] for a, b in words], is_pretokenized=True)
            if len(e.ids) <= 100:
                first = [e.word_ids.index(i) if i in e.word_ids else None for i in range(len(words))]
                self.sentences.append((t, words, e.ids, first))
        self.batches = [self.batch(self.sentences[i:i + 16], inputs) for i in range(0, len(self.sentences), 16)]

    def weights(self):
        """The file's initialisers under transformers' names. torch's TorchScript exporter turns and renames the matrices;
        the scope of the node that multiplies by one tells its name."""
        g = onnx.load(self.onnx).graph
        init = {i.name: i for i in g.initializer}
        init |= {n.output[0]: init[n.input[0]] for n in g.node if n.op_type == "Cast" and n.input[0] in init}

        def array(i):
            return onnx.numpy_helper.to_array(i).astype(np.float32)
        state = {i.name: array(i) for i in g.initializer if not i.name.startswith("onnx::")}
        for n in g.node:
            if n.op_type == "MatMul" and n.input[1] in init:
                state[".".join(n.name.strip("/").split("/")[:-1]) + ".weight"] = array(init[n.input[1]]).T.copy()
        return {k: torch.tensor(v) for k, v in state.items()}

    def batch(self, sentences, inputs):
        n = max(len(s[2]) for s in sentences)
        ids, mask = np.full((len(sentences), n), self.config.pad_token_id), np.zeros((len(sentences), n), np.int64)
        for i, s in enumerate(sentences):
            ids[i, :len(s[2])], mask[i, :len(s[2])] = s[2], 1
        known = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(mask)}
        return {k: known[k] for k in inputs}

    def real(self, outputs):
        """The rows of real tokens, by sentence."""
        return [x[m > 0] for out, b in zip(outputs, self.batches, strict=True) for x, m in zip(out, b["attention_mask"])]

    def fill(self, encoder):
        """Gives a model of transformers the base's weights."""
        lack, extra = encoder.load_state_dict(self.state, strict=False)
        lack, extra = ([k for k in ks if not re.search("pooler|position_ids|prompt_tuning", k)] for ks in (lack, extra))
        if lack or extra:
            raise Failed(f"the weights do not fit transformers' model: it lacks {lack[:3]}, does not know {extra[:3]}")
        return encoder.eval()

    def classifier(self, labels=TAGS, flexible=False):
        """A token classifier with the base's weights: transformers', or AdapterHub's class whose heads have names."""
        torch.manual_seed(1)
        c = AutoConfig.from_pretrained(self.dir, num_labels=len(labels), id2label=dict(enumerate(labels)),
                                       label2id={x: i for i, x in enumerate(labels)})
        m = (adapters.AutoAdapterModel if flexible else AutoModelForTokenClassification).from_config(c)
        self.fill(getattr(m, m.base_model_prefix))
        return m.eval()

    def run(self, model):
        """A model's first output for the real tokens."""
        with torch.no_grad():
            outputs = [model(**{k: torch.tensor(v) for k, v in b.items()}, return_dict=True) for b in self.batches]
        return self.real([next(iter(o.values())).numpy() for o in outputs])

    def predict(self, logits, labels, *place, engine):
        """Compares graft predict on all sentences with what logits say; place says where the delta is."""
        texts = "\n".join(s[0] for s in self.sentences)
        lines = graft("predict", *place, "--json", "--engine", engine, stdin=texts)
        count, diff = 0, 0.0
        for (text, words, _, first), rows, line in zip(self.sentences, logits, lines.splitlines(), strict=True):
            want = entities(text, words, [None if i is None else rows[i] for i in first], labels)
            got = [tuple(e[k] for k in ("entity_group", "start", "end", "word", "score")) for e in json.loads(line)]
            if [e[:4] for e in got] != [e[:4] for e in want]:
                raise Failed(f"{text!r}: graft finds {got}, want {want}")
            diff, count = max([diff] + [abs(a[4] - b[4]) for a, b in zip(got, want)]), count + len(got)
        said = f"{count} entities, scores {diff:.1e} apart at most"
        if diff > BOUND or count < len(self.sentences) // 4:
            raise Failed(said)
        return said


def session(model, folder=None):
    """An onnxruntime session; folder is where external data lies."""
    o = onnxruntime.SessionOptions()
    o.intra_op_num_threads, o.log_severity_level = 1, 3
    if folder:
        o.add_session_config_entry("session.model_external_initializers_file_folder_path", folder)
    return onnxruntime.InferenceSession(model, o, providers=["CPUExecutionProvider"])


class Exported:
    """An export folder that graft writes for deltas, its slotted graph in Python's onnxruntime."""

    def __init__(self, base, dir, *deltas):
        graft("export", "--model", base.dir, *[x for d in deltas for x in ("--delta", d)], "--out", dir)
        self.base, self.dir = base, dir
        self.manifest = json.loads((dir / "graft.json").read_text(encoding="utf8"))
        self.slotted = dir / "model.slotted.onnx"
        self.session = session(self.slotted.read_bytes(), os.path.normpath(dir / self.manifest["data"]))
        self.slots = {i.name: i.shape for i in self.session.get_overridable_initializers()}

    def path(self, delta):
        return str(self.dir / delta / f"{delta}.onnx_adapter")

    def run(self, output, adapter=None, feed={}):
        options = onnxruntime.RunOptions()
        if adapter:
            options.add_active_adapter(adapter)
        return [self.session.run([output], b | feed, options)[0] for b in self.base.batches]

    def logits(self, delta):
        """The logits [tokens, labels] of each sentence."""
        a = onnxruntime.LoraAdapter()
        a.Load(self.path(delta))
        return self.base.real(self.run(self.manifest["logits"], a))

    def parameters(self, delta):
        """What AdapterFormat reads of the .onnx_adapter; its arrays do not outlive it."""
        f = onnxruntime.AdapterFormat.read_adapter(self.path(delta))
        return {k: v.numpy().copy() for k, v in f.get_parameters().items()}

    def moved(self, delta, logits):
        """How far the adapter moves the logits that the head alone gives; fails if a wrong adapter would not show."""
        feed = {k: v if "/classifier." in k else np.zeros_like(v) for k, v in self.parameters(delta).items()}
        head = self.base.real(self.run(self.manifest["logits"], feed=feed))
        far = max(np.abs(a - b).max() for a, b in zip(head, logits)) / max(np.abs(x).max() for x in logits)
        if far < 100 * BOUND:
            raise Failed(f"the adapter moves the logits by {far:.1e} of the largest only, which tells nothing")
        return f"the adapter moves the logits by {far:.2f} of the largest"


def random_encoder(kind, dir):
    """A small random encoder with a tokenizer, exported by torch: by the exporter of today, or where graft refuses that
    file by the older one."""
    torch.manual_seed(3)
    size = dict(vocab_size=500, hidden_size=32, num_hidden_layers=3, num_attention_heads=4, intermediate_size=64,
                max_position_embeddings=130, initializer_range=0.2, pad_token_id=1)
    if kind == "distilbert":
        size |= dict(dim=32, n_layers=3, n_heads=4, hidden_dim=64)
    c = AutoConfig.for_model(kind, **size)
    m = AutoModel.from_config(c).eval()
    with torch.no_grad():
        for p in m.parameters():
            if p.dim() == 1:
                p += 0.1 * torch.randn(p.shape)  # of equal vectors the exporter keeps one
    c.save_pretrained(dir)
    tok = tokenizers.Tokenizer(tokenizers.models.WordPiece(unk_token="[UNK]"))
    tok.normalizer, tok.pre_tokenizer = tokenizers.normalizers.NFC(), tokenizers.pre_tokenizers.BertPreTokenizer()
    special = ["[CLS]", "[PAD]", "[SEP]", "[UNK]", "[MASK]"]
    trainer = tokenizers.trainers.WordPieceTrainer(vocab_size=500, special_tokens=special, show_progress=False)
    tok.train_from_iterator(read_sentences("en", "train", 400), trainer)
    ends = [("[CLS]", 0), ("[SEP]", 2)]
    tok.post_processor = tokenizers.processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=ends)
    tok.save(str(dir / "tokenizer.json"))

    ids = torch.randint(5, 500, (2, 9))
    args = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    if kind in ("bert", "electra", "albert"):
        args["token_type_ids"] = torch.zeros_like(ids)
    axes = {k: {0: "batch", 1: "sequence"} for k in args}
    dims = {k: {i: torch.export.Dim(n) for i, n in v.items()} for k, v in axes.items()}
    said = ""
    for exporter, how in {"dynamo": dict(dynamo=True, dynamic_shapes=dims, external_data=False, verbose=False),
                          "TorchScript": dict(dynamo=False, dynamic_axes=axes)}.items():
        with contextlib.redirect_stdout(None), warnings.catch_warnings(action="ignore"):
            torch.onnx.export(m, (), str(dir / "model.onnx"), kwargs=args, input_names=list(args),
                              output_names=["last_hidden_state"], opset_version=18, **how)
        try:
            graft("inspect", dir)
            return Base(kind, dir, dir, m.state_dict()), f"{said}exporter {exporter}"
        except Refused as e:
            said += f"{exporter}: {e}; "
    raise Refused(said)
