"""Trains small SentencePiece models on texts of our own and records what they answer.

    python tokenize/testdata/record_spm.py PYTHON

needs sentencepiece 0.2.3 and tokenizers 0.23.3. PYTHON is an interpreter with transformers 4.57, the last whose converters
make the fast tokenizers, and sentencepiece. It writes tokenize/testdata/spm.jsonl.gz: the models as base64, one a line,
then folders with such a model, with texts encoded by sentencepiece itself or, for folders that name a class of tokenizer,
by `tokenizers` with the tokenizer.json that transformers makes of it.
"""
import base64, gzip, io, json, os, subprocess, sys, tempfile

import sentencepiece as spm
from sentencepiece import sentencepiece_model_pb2 as proto
from tokenizers import Tokenizer

from texts import TEXTS

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
TEXTS = TEXTS + [
    "<s> a </s> <unk> <pad> <mask>x [CLS] [SEP]", "naïve @@ naïveté@@x a @@", "``quoted'' ''twice``", "1,000,000 und 5, 6² ٣, x", "NEW York. Istanbul'da 3,",
    "e\u0301\u0323 ... ....... \u3000x\u3000\u3000y \u00a8z \u200bw\u200b", "<0x41> <0xC3><0xA9>", "<extra_id_0> in <extra_id_99>x <extra_id_100>", "<s>NOTUSED <unk>NOTUSED <special> plain", "Volgens Kimberley Nuus bedank Leon.",
    "a\tb  c   d    e     f", "   ", "\u2581 \u2581\u2581a \u2581", "漢字漢字かな漢",
]

# The rules of the models that normalise: source and target as code points.
RULES = {
    "ﬁ": "fi", "ﬂ": "fl", "Ⅷ": "VIII", "①": "1", "½": "1\u20442", "㎏": "kg", "２": "2", "\t": " ", "\n": " ", "\r": " ", "\u00a0": " ", "\u2009": " ",
    "\u3000": " ", "\u200b": "", "\ufeff": "", "\x07": "", "e\u0301": "é", "e\u0301\u0323": "ẹ\u0301", "a\u0323": "ạ", "a\u0323\u0302": "ậ", "...": "…",
    ".......": "…… ", "\u00a8": " \u0308", "ﷺ": "a b c", "\u212b": "\u00e5", "ẞ": "SS",
}


def corpus():
    for lang in ("af", "de", "en", "et", "hi", "tr"):
        words = []
        with open(os.path.join(ROOT, "testdata", "demo", "ner", lang, "train.iob2"), encoding="utf-8") as f:
            for line in f.read().split("\n")[:4000]:
                if line:
                    words.append(line.split("\t")[0])
                elif words:
                    yield " ".join(words)
                    words = []
    for text in TEXTS:
        for part in text.split("\n"):
            for _ in range(3):
                yield part


CORPUS = list(corpus())


def train(kind, size, rules=True, **options):
    with tempfile.TemporaryDirectory() as d:
        def tsv(name, rules):
            path = os.path.join(d, name)
            with open(path, "w", encoding="utf-8") as f:
                for a, b in rules.items():
                    f.write(" ".join("%X" % ord(c) for c in a) + "\t" + " ".join("%X" % ord(c) for c in b) + "\n")
            return path
        if options.pop("denormalise", False):
            options["denormalization_rule_tsv"] = tsv("back.tsv", {"…": "...", "kg": "㎏"})
        if rules:
            options["normalization_rule_tsv"] = tsv("rules.tsv", RULES)
        else:
            options["normalization_rule_name"] = "identity"
        out = io.BytesIO()
        spm.SentencePieceTrainer.train(sentence_iterator=iter(CORPUS), model_writer=out, model_type=kind, vocab_size=size, character_coverage=0.985, num_threads=1, minloglevel=2, hard_vocab_limit=False, **options)
    m = proto.ModelProto()
    m.ParseFromString(out.getvalue())
    m.trainer_spec.ClearField("input")
    m.normalizer_spec.ClearField("normalization_rule_tsv")
    m.denormalizer_spec.ClearField("normalization_rule_tsv")
    return m


def unuse(m, every):
    for i, p in enumerate(m.pieces):
        if p.type == 1 and i % every == 0:
            p.type = 5
    return m


out, known = [], {}


def line(name, m, files, cases, load="", path="spiece.model"):
    blob = m.SerializeToString()
    if blob not in known:
        known[blob] = len(known)
        out.append({"name": "model", "model": base64.b64encode(blob).decode()})
    out.append({"name": name, "use": known[blob], "path": path, "files": files, "load": load, "cases": cases})


def words_of(pieces, suffix):
    """Numbers words: one begins at a token that begins with the mark or, in suffix models, after one that ends with it."""
    n, words = -1, []
    for i, p in enumerate(pieces):
        begins = i == 0 or (pieces[i - 1].endswith("▁") if suffix else p.startswith("▁"))
        n += begins
        words.append(n)
    return words


def plain(name, m, load="", path="spiece.model", files={}, texts=TEXTS):
    """What sentencepiece answers. A character's bytes all get its span."""
    sp = spm.SentencePieceProcessor(model_proto=m.SerializeToString())
    cases = []
    for text in texts:
        if "\0" in text:
            continue
        got = sp.encode(text, return_type="offset_mapping")
        ids, pieces, off = got["ids"], got["pieces"], [list(o) for o in got["offsets"]]
        for i in range(len(ids) - 2, -1, -1):
            if sp.is_byte(ids[i]) and off[i][0] == off[i][1]:
                off[i] = [off[i][0], off[i + 1][1]]
        zeros = [0] * len(ids)
        cases.append({"a": text, "want": {"ids": ids, "tok": pieces, "off": off, "w": words_of(pieces, m.trainer_spec.treat_whitespace_as_suffix), "ty": zeros, "sp": zeros}, "dec": sp.decode(ids)})
    specials = [p for p, x in enumerate(m.pieces) if x.type != 1][:12]
    cases.append({"a": "", "want": {"ids": [], "off": [], "w": [], "ty": [], "sp": []}, "decode": specials, "dec": sp.decode(specials)})
    line(name, m, files, cases, load, path)


CONVERT = "import sys, transformers; print(transformers.AutoTokenizer.from_pretrained(sys.argv[1]).backend_tokenizer.to_str())"


def converted(name, m, path="spiece.model", texts=TEXTS, **files):
    """What the fast tokenizer answers that transformers makes of a folder."""
    files = {n + ".json": f for n, f in files.items()}
    with tempfile.TemporaryDirectory() as d:
        with open(os.path.join(d, path), "wb") as f:
            f.write(m.SerializeToString())
        for n, content in files.items():
            with open(os.path.join(d, n), "w") as f:
                json.dump(content, f)
        tok = Tokenizer.from_str(subprocess.run([sys.argv[1], "-c", CONVERT, d], check=True, capture_output=True).stdout.decode())
    def answer(e):
        return {"ids": e.ids, "tok": e.tokens, "off": e.offsets, "w": e.word_ids, "ty": e.type_ids, "sp": e.special_tokens_mask}
    cases = []
    for i, text in enumerate(texts):
        e = tok.encode(text)
        cases.append({"a": text, "want": answer(e), "dec": tok.decode(e.ids, skip_special_tokens=True)})
        if i % 4 == 0:
            cases.append({"a": text, "b": texts[i - 1], "want": answer(tok.encode(text, texts[i - 1]))})
            words = text.split() + ["", "x y"]
            cases.append({"a": words, "want": answer(tok.encode(words, is_pretokenized=True)), "bare": False})
            cases.append({"a": text, "bare": True, "want": answer(tok.encode(text, add_special_tokens=False)), "dec": tok.decode(e.ids, skip_special_tokens=False), "decode": e.ids, "keep": True})
    line(name, m, files, cases, path=path)


FEW = TEXTS[3:6] + TEXTS[10:13] + TEXTS[27:33] + TEXTS[-14:]
TOKENS = TEXTS[27:29] + TEXTS[-14:-12] + TEXTS[-8:-4]

# as sentencepiece itself
unigram = train("unigram", 260, user_defined_symbols=["@@", "naïve", "<special>"], control_symbols=["<mask>"], denormalise=True)
bpe = train("bpe", 320, user_defined_symbols=["@@", "naïve"])
plain("plain/unigram", unigram)
plain("plain/file", train("unigram", 180, False, unk_surface="??"), load="tokenizer.model", path="tokenizer.model", texts=FEW)
byted = train("unigram", 400, False, byte_fallback=True)
plain("plain/unigram-bytes", byted)
plain("plain/bpe", bpe, path="spm.model")
plain("plain/bpe-bytes", train("bpe", 420, False, byte_fallback=True, remove_extra_whitespaces=False, add_dummy_prefix=False, allow_whitespace_only_pieces=True, user_defined_symbols=["..", "...."]), path="sentencepiece.bpe.model")
plain("plain/spaces", train("unigram", 220, False, split_by_whitespace=False, add_dummy_prefix=False, remove_extra_whitespaces=False), texts=FEW)
plain("plain/suffix", train("unigram", 220, False, treat_whitespace_as_suffix=True, pad_id=3), texts=FEW)
plain("plain/bpe-suffix", train("bpe", 280, False, treat_whitespace_as_suffix=True), texts=FEW)
m = proto.ModelProto()
m.CopyFrom(unigram)
plain("plain/unused", unuse(m, 3))
m = proto.ModelProto()
m.CopyFrom(bpe)
plain("plain/bpe-unused", unuse(m, 3))
m = proto.ModelProto()
m.CopyFrom(unigram)
m.normalizer_spec.escape_whitespaces = False
plain("plain/unescaped", m, texts=FEW)
plain("plain/other-class", unigram, files={"tokenizer_config.json": {"tokenizer_class": "MyTokenizer"}, "config.json": {"model_type": "my"}}, texts=TOKENS)

# as transformers converts them
base = train("unigram", 260)
XLMR = "sentencepiece.bpe.model"
converted("xlm-roberta/tokenizer_config", base, XLMR, tokenizer_config={"tokenizer_class": "XLMRobertaTokenizer", "model_max_length": 512})
converted("xlm-roberta/config", unigram, XLMR, FEW, config={"model_type": "xlm-roberta"})
converted("xlm-roberta/fast-tokens", base, XLMR, TOKENS,
          tokenizer_config={"tokenizer_class": "XLMRobertaTokenizerFast", "mask_token": {"__type": "AddedToken", "content": "<mask>", "lstrip": False, "rstrip": True, "normalized": False, "single_word": False}, "additional_special_tokens": ["<special>"]},
          special_tokens_map={"additional_special_tokens": ["@@"], "cls_token": "<s>"})
converted("xlm-roberta/added", base, XLMR, TOKENS,
          tokenizer_config={"tokenizer_class": "XLMRobertaTokenizer", "added_tokens_decoder": {
              "0": {"content": "<s>", "lstrip": False, "normalized": False, "rstrip": False, "single_word": False, "special": True},
              str(len(base.pieces) + 1): {"content": "<mask>", "lstrip": True, "normalized": False, "rstrip": False, "single_word": False, "special": True},
              str(len(base.pieces) + 2): {"content": "Kimberley", "lstrip": False, "normalized": True, "rstrip": False, "single_word": True, "special": False}}})
converted("xlm-roberta/bpe", bpe, XLMR, tokenizer_config={"tokenizer_class": "XLMRobertaTokenizer"})
converted("xlm-roberta/bytes", byted, XLMR, FEW, config={"model_type": "bert", "tokenizer_class": "XLMRobertaTokenizer"})
converted("camembert", base, XLMR, FEW, tokenizer_config={"tokenizer_class": "CamembertTokenizer"})
converted("camembert/config", base, XLMR, TOKENS, config={"model_type": "camembert"}, tokenizer_config={"mask_token": "@@"})
bert = train("unigram", 260, pad_id=0, unk_id=1, bos_id=-1, eos_id=-1, control_symbols=["[CLS]", "[SEP]", "[MASK]"])
bare = train("unigram", 180, False, pad_id=0, unk_id=1, bos_id=-1, eos_id=-1)
converted("albert", bert, config={"model_type": "albert"})
converted("albert/cased", bert, texts=FEW, tokenizer_config={"tokenizer_class": "AlbertTokenizer", "do_lower_case": False, "keep_accents": True})
converted("albert/no-mask", bare, texts=TOKENS, tokenizer_config={"tokenizer_class": "AlbertTokenizerFast"})
converted("fnet", bert, texts=FEW, config={"model_type": "fnet"})
converted("rembert", bert, "sentencepiece.model", FEW, config={"model_type": "rembert"})
deberta = train("unigram", 260, pad_id=0, bos_id=1, eos_id=2, unk_id=3, pad_piece="[PAD]", bos_piece="[CLS]", eos_piece="[SEP]", unk_piece="[UNK]")
converted("deberta-v2", deberta, "spm.model", config={"model_type": "deberta-v2"})
converted("deberta-v2/punct", deberta, "spm.model", FEW, tokenizer_config={"tokenizer_class": "DebertaV2Tokenizer", "do_lower_case": True, "split_by_punct": True})
t5 = train("unigram", 220, pad_id=0, eos_id=1, unk_id=2, bos_id=-1)
converted("t5", t5, texts=FEW, config={"model_type": "t5"})
converted("t5/new", t5, texts=TOKENS, tokenizer_config={"tokenizer_class": "T5Tokenizer", "legacy": False, "extra_ids": 5})
converted("t5/no-prefix", t5, texts=TOKENS, tokenizer_config={"tokenizer_class": "T5TokenizerFast", "add_prefix_space": False, "extra_ids": 0, "additional_special_tokens": ["<special>"]})
converted("mt5", t5, texts=TOKENS, config={"model_type": "mt5"})
converted("big_bird", train("unigram", 200, False, pad_id=0, eos_id=1, bos_id=2, unk_id=3, control_symbols=["[SEP]", "[MASK]", "[CLS]"]), texts=FEW, config={"model_type": "big_bird"})
converted("xlnet", train("unigram", 200, False, control_symbols=["<cls>", "<sep>", "<pad>", "<mask>", "<eod>", "<eop>"]), texts=FEW, config={"model_type": "xlnet"})

raw = "\n".join(json.dumps(x, ensure_ascii=False, separators=(",", ":")) for x in out).encode() + b"\n"
buf = io.BytesIO()
with gzip.GzipFile(fileobj=buf, mode="wb", compresslevel=9, mtime=0) as z:
    z.write(raw)
open(os.path.join(HERE, "spm.jsonl.gz"), "wb").write(buf.getvalue())
print(len(known), "models,", len(out) - len(known), "folders,", sum(len(x.get("cases", [])) for x in out), "cases,", len(raw), "bytes,", len(buf.getvalue()), "packed")
