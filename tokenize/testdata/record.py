"""Records what the Python library `tokenizers` answers, for tokenizers and texts of our own.

    python tokenize/testdata/record.py

writes tokenize/testdata/cases.jsonl.gz: one tokenizer a line, with texts encoded under several options. The tests hold
this package against it.
"""
import gzip, io, itertools, json, os
from tokenizers import Tokenizer, models, trainers, pre_tokenizers, normalizers, AddedToken

from texts import TEXTS

HERE = os.path.dirname(os.path.abspath(__file__))

WORDS = [["Hello", "world", "!"], ["don't", "New York", "", "  x ", "İ"], ["漢字", "naïve", "[MASK]", "foo"], ["a b c d e f g h i j k"] * 2, [], [""], ["x"] * 12]


def answer(e, top=True):
    out = {"ids": e.ids, "off": e.offsets, "w": e.word_ids, "ty": e.type_ids, "sp": e.special_tokens_mask}
    if show_tokens:
        out["tok"] = e.tokens
    if show_sequences and top:
        out["seq"] = e.sequence_ids
    if e.overflowing:
        out["over"] = [answer(o, False) for o in e.overflowing]
    return out


show_tokens = show_sequences = False  # what else answer tells


def encode(tok, a, b=None, words=False, special=True, **cut):
    tok.no_truncation()
    case = {"a": a}
    if b is not None:
        case["b"] = b
    if not special:
        case["bare"] = True
    if cut:
        case["cut"] = cut
    try:
        if cut:
            tok.enable_truncation(**cut)
        e = tok.encode(a, b, is_pretokenized=words, add_special_tokens=special)
        if not words and any(o[1] > max(len(a), len(b or "")) for o in e.offsets):
            return None  # of bytes that a suffix brought in; we stay within the text
        case["want"] = answer(e)
    except BaseException as e:
        if isinstance(e, KeyboardInterrupt):
            raise
        case["want"] = {"err": True}
    return case


def spec(model, normalizer=None, pre=None, post=None, decoder=None, added=()):
    return {"version": "1.0", "truncation": None, "padding": None, "added_tokens": list(added), "normalizer": normalizer,
            "pre_tokenizer": pre, "post_processor": post, "decoder": decoder, "model": model}


def token(content, special=False, id=0, **flags):
    base = {"id": id, "content": content, "single_word": False, "lstrip": False, "rstrip": False, "normalized": not special, "special": special}
    return {**base, **flags}


LEVEL = {"type": "WordLevel", "unk_token": "<unk>", "vocab": {"<unk>": 0, "a": 1, "the": 2, "foo": 3, "x": 4, "world": 5}}
CHARS = {"type": "FixedLength", "length": 1}
out = []


def record(name, s, texts=TEXTS, cases=None, decode=None):
    tok = Tokenizer.from_str(json.dumps(s))
    got = [encode(tok, t) for t in texts] if cases is None else cases(tok)
    line = {"name": name, "tokenizer": s, "cases": [c for c in got if c]}
    if decode:
        line["decode"] = [{"tokens": t, "want": tok.decoder.decode(t)} for t in decode]
    out.append(line)


# normalisers, seen character by character
SMALL = [t for t in TEXTS if 0 < len(t) < 60]
norms = {
    "nfc": {"type": "NFC"}, "nfd": {"type": "NFD"}, "nfkc": {"type": "NFKC"}, "nfkd": {"type": "NFKD"}, "lowercase": {"type": "Lowercase"},
    "strip-accents": {"type": "Sequence", "normalizers": [{"type": "NFD"}, {"type": "StripAccents"}]},
    "strip": {"type": "Strip", "strip_left": True, "strip_right": True}, "strip-left": {"type": "Strip", "strip_left": True, "strip_right": False},
    "strip-right": {"type": "Strip", "strip_left": False, "strip_right": True}, "nmt": {"type": "Nmt"}, "byte-level": {"type": "ByteLevel"},
    "prepend": {"type": "Prepend", "prepend": "▁é"}, "replace": {"type": "Replace", "pattern": {"String": " "}, "content": "▁"},
    "replace-regex": {"type": "Replace", "pattern": {"Regex": "\\s{2,}|[aeiou](?=n)"}, "content": "<>"},
    "replace-nothing": {"type": "Replace", "pattern": {"String": "o"}, "content": ""},
    "llama": {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "▁"}, {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]},
    "mixed": {"type": "Sequence", "normalizers": [{"type": "NFKC"}, {"type": "Lowercase"}, {"type": "NFD"}, {"type": "Replace", "pattern": {"Regex": "\\p{M}+"}, "content": "~"}, {"type": "ByteLevel"}]},
}
for clean, han, accents, lower in itertools.product([True, False], [True, False], [True, False, None], [True, False]):
    if (clean, han) in ((True, True), (False, False)) or accents is None:
        norms["bert-%s-%s-%s-%s" % (clean, han, accents, lower)] = {"type": "BertNormalizer", "clean_text": clean, "handle_chinese_chars": han, "strip_accents": accents, "lowercase": lower}
for name, n in norms.items():
    record("normalizer/" + name, spec(LEVEL, n, CHARS), SMALL)

# pre-tokenizers
pres = {
    "bert": {"type": "BertPreTokenizer"}, "whitespace": {"type": "Whitespace"}, "whitespace-split": {"type": "WhitespaceSplit"},
    "digits": {"type": "Digits", "individual_digits": False}, "digits-each": {"type": "Digits", "individual_digits": True},
    "delimiter": {"type": "CharDelimiterSplit", "delimiter": "-"}, "scripts": {"type": "UnicodeScripts"}, "fixed": {"type": "FixedLength", "length": 5},
    "punctuation": {"type": "Punctuation"},
    "metaspace-old": {"type": "Metaspace", "replacement": "▁", "add_prefix_space": True},
    "metaspace-none": {"type": "Metaspace", "replacement": "_", "prepend_scheme": "never", "split": True},
    "metaspace-whole": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": False},
    "metaspace-first": {"type": "Sequence", "pretokenizers": [{"type": "Punctuation", "behavior": "Isolated"}, {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": True}]},
    "bytes": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True},
    "bytes-prefix": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": False, "use_regex": True},
    "bytes-whole": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": False},
    "llama3": {"type": "Sequence", "pretokenizers": [{"type": "Split", "pattern": {"Regex": "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"}, "behavior": "Isolated", "invert": False}, {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}]},
    "bloom": {"type": "Split", "pattern": {"Regex": " ?[^(\\s|[.,!?…。，、।۔،])]+"}, "behavior": "Isolated", "invert": False},
    "o200k": {"type": "Split", "pattern": {"Regex": "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"}, "behavior": "Removed", "invert": True},
}
for b in "Removed Isolated MergedWithPrevious MergedWithNext Contiguous".split():
    pres["punctuation-" + b] = {"type": "Punctuation", "behavior": b}
    for i, (pat, invert) in enumerate([({"String": "-"}, False), ({"String": "-"}, True), ({"Regex": "\\w+|\\s"}, False), ({"Regex": "\\d|(?<=o)."}, True), ({"Regex": "x*"}, False)]):
        pres["split-%s-%d" % (b, i)] = {"type": "Split", "pattern": pat, "behavior": b, "invert": invert}
for name, p in pres.items():
    record("pre_tokenizer/" + name, spec(LEVEL, None, p), TEXTS)

# added tokens
for i, flags in enumerate([dict(lstrip=True), dict(rstrip=True), dict(lstrip=True, rstrip=True), dict(single_word=True), dict(normalized=False), dict(single_word=True, lstrip=True, normalized=False), {}]):
    added = [token("<unk>", True), token("[MASK]", True, **flags), token("<mask>", False, **flags), token("Foo", False, **flags), token("  ", False), token("ab", False), token("abc", False), token("é", False)]
    for n in (None, {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": None, "lowercase": True}, {"type": "Prepend", "prepend": "▁"}):
        texts = [t for t in TEXTS if "oo" in t or "MASK" in t or "mask" in t] + ["abcd ab abc", "x  [MASK]   <mask>  Foo é E\u0301", "[MASK][MASK] [MASK]  ", "Foo", "FOO foo_"]
        def cases(tok, texts=texts):
            return [encode(tok, t) for t in texts] + [encode(tok, w, words=True) for w in WORDS] + [encode(tok, "x [MASK] a Foo x a", max_length=3, direction=d) for d in ("left", "right")]
        record("added/%d-%s" % (i, n and n["type"]), spec(LEVEL, n, {"type": "WhitespaceSplit"}, added=added), cases=cases)

# models
CORPUS = [t for t in TEXTS if len(t) > 3] * 3


def train(model, trainer, pre=None, norm=None):
    tok = Tokenizer(model)
    if pre:
        tok.pre_tokenizer = pre
    if norm:
        tok.normalizer = norm
    tok.train_from_iterator(CORPUS, trainer)
    return json.loads(tok.to_str())["model"]


ALPHABET = sorted(pre_tokenizers.ByteLevel.alphabet())
BYTES = ["<0x%02X>" % i for i in range(256)]
bpe_bytes = train(models.BPE(), trainers.BpeTrainer(vocab_size=420, initial_alphabet=ALPHABET, show_progress=False), pre_tokenizers.ByteLevel(add_prefix_space=False))
bpe_plain = train(models.BPE(unk_token="<unk>"), trainers.BpeTrainer(vocab_size=220, special_tokens=["<unk>"], limit_alphabet=40, show_progress=False), pre_tokenizers.Whitespace())
bpe_affix = train(models.BPE(unk_token="<unk>", continuing_subword_prefix="##", end_of_word_suffix="</w>"), trainers.BpeTrainer(vocab_size=260, special_tokens=["<unk>"], limit_alphabet=40, continuing_subword_prefix="##", end_of_word_suffix="</w>", show_progress=False), pre_tokenizers.Whitespace())
wordpiece = train(models.WordPiece(unk_token="[UNK]"), trainers.WordPieceTrainer(vocab_size=300, special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"], limit_alphabet=120, show_progress=False), pre_tokenizers.BertPreTokenizer())
unigram = train(models.Unigram(), trainers.UnigramTrainer(vocab_size=520, special_tokens=["<s>", "<pad>", "</s>", "<unk>"], unk_token="<unk>", show_progress=False), pre_tokenizers.Metaspace())


def with_bytes(m):
    m = json.loads(json.dumps(m))
    if isinstance(m["vocab"], list):
        m["vocab"] += [[b, -9.0] for b in BYTES]
    else:
        for b in BYTES:
            m["vocab"][b] = len(m["vocab"])
    return m


def drop_chars(m, chars):
    m = json.loads(json.dumps(m))
    m["vocab"] = [p for p in m["vocab"] if p[0] not in chars]
    return m


SPLIT, META = {"type": "WhitespaceSplit"}, {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True}
BYTE = pres["bytes"]
spaced = [{**bpe_plain, "merges": [" ".join(x) for x in bpe_plain["merges"]]}]
mods = {
    "bpe-bytes": (bpe_bytes, BYTE), "bpe-plain": (bpe_plain, SPLIT), "bpe-legacy": (spaced[0], SPLIT), "bpe-affix": (bpe_affix, {"type": "Whitespace"}),
    "bpe-fuse": ({**bpe_plain, "fuse_unk": True}, SPLIT), "bpe-no-unk": ({**bpe_plain, "unk_token": None}, SPLIT),
    "bpe-fallback": ({**with_bytes(bpe_plain), "byte_fallback": True}, SPLIT), "bpe-affix-fallback": ({**with_bytes(bpe_affix), "byte_fallback": True}, SPLIT),
    "bpe-some-bytes": ({**bpe_plain, "byte_fallback": True, "fuse_unk": True, "vocab": {**bpe_plain["vocab"], "<0xC3>": 500, "<0xA9>": 501, "<0x21>": 502}}, SPLIT),
    "bpe-ignore-merges": ({**bpe_bytes, "ignore_merges": True, "vocab": {**bpe_bytes["vocab"], "Ġquick": 900, "ĠCamelCase": 901}}, BYTE),
    "wordpiece": (wordpiece, {"type": "BertPreTokenizer"}), "wordpiece-short": ({**wordpiece, "max_input_chars_per_word": 5}, SPLIT),
    "wordpiece-no-prefix": ({**wordpiece, "continuing_subword_prefix": ""}, SPLIT), "wordpiece-no-unk": ({**wordpiece, "unk_token": "[NONE]"}, SPLIT),
    "unigram": (unigram, META), "unigram-bytes": ({**with_bytes(unigram), "byte_fallback": True}, META),
    "unigram-fused-piece": ({**drop_chars(unigram, "qz"), "vocab": drop_chars(unigram, "qxz")["vocab"] + [["qz", -3.5], ["<0x78>", -9.0], ["▁the", -1.0], ["▁the", -30.0]], "byte_fallback": True}, META),
    # equal scores but for how the library reads numbers, which makes the two pieces better than the one
    "unigram-tie": ({**unigram, "vocab": [["<unk>", 0.0], ["▁", -1.3862943611198906], ["maal", -9.791673670554541], ["▁maal", -11.177968031674432]], "unk_id": 0}, META),
    "unigram-no-unk": ({**unigram, "unk_id": None}, META), "unigram-whole": (unigram, None),
    "wordlevel": (LEVEL, {"type": "Whitespace"}), "wordlevel-no-unk": ({**LEVEL, "unk_token": "none"}, SPLIT),
}
show_tokens = True
for name, (m, p) in mods.items():
    if name == "wordpiece-no-prefix":
        p = {"type": "BertPreTokenizer"}
    record("model/" + name, spec(m, None, p), TEXTS + ["qzqz xx the the", "é! É"] + ["een maal"] * (name == "unigram-tie"))

show_tokens = False

# post-processors
CLS, SEP = ["[CLS]", 2], ["[SEP]", 3]
special_tokens = {"[CLS]": {"id": "[CLS]", "ids": [2], "tokens": ["[CLS]"]}, "[SEP]": {"id": "[SEP]", "ids": [3], "tokens": ["[SEP]"]}, "two": {"id": "two", "ids": [2, 4], "tokens": ["[CLS]", "[MASK]"]}}
S = lambda i, t=0: {"SpecialToken": {"id": i, "type_id": t}}
Q = lambda i, t=0: {"Sequence": {"id": i, "type_id": t}}
template = {"type": "TemplateProcessing", "single": [S("[CLS]"), Q("A"), S("[SEP]")], "pair": [S("[CLS]"), Q("A"), S("[SEP]"), Q("B", 1), S("[SEP]", 1)], "special_tokens": special_tokens}
odd = {"type": "TemplateProcessing", "single": [Q("A", 3), S("two", 5), Q("A", 4)], "pair": [Q("B", 2), S("two", 1), Q("A", 7)], "special_tokens": special_tokens}
xlmr = {**template, "pair": [S("[CLS]"), Q("A"), S("[SEP]"), S("[SEP]"), Q("B"), S("[SEP]")]}
bytes_post = {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True}
posts = {
    "none": None, "bert": {"type": "BertProcessing", "cls": CLS, "sep": SEP}, "template": template, "odd": odd, "xlmr": xlmr, "bytes": bytes_post,
    "bytes-no-prefix": {**bytes_post, "add_prefix_space": False}, "roberta": {"type": "RobertaProcessing", "cls": CLS, "sep": SEP, "trim_offsets": True, "add_prefix_space": True},
    "roberta-untrimmed": {"type": "RobertaProcessing", "cls": CLS, "sep": SEP, "trim_offsets": False, "add_prefix_space": False},
    "sequence": {"type": "Sequence", "processors": [bytes_post, template]}, "twice": {"type": "Sequence", "processors": [bytes_post, {"type": "RobertaProcessing", "cls": CLS, "sep": SEP, "trim_offsets": True, "add_prefix_space": False}, {"type": "BertProcessing", "cls": CLS, "sep": SEP}]},
    "bert-template": {"type": "Sequence", "processors": [{"type": "BertProcessing", "cls": CLS, "sep": SEP}, odd]}, "template-bert": {"type": "Sequence", "processors": [template, {"type": "BertProcessing", "cls": CLS, "sep": SEP}]},
}
A, B = "The lazy fox jumps", " the  dog\u00a0[MASK]"


def options(tok):
    cases = []
    for a, b in [(A, None), (A, B), (B, A), ("", None), ("", ""), (B, "")]:
        cases += [encode(tok, a, b), encode(tok, a, b, special=False)]
    for n, stride, strategy, side in [(7, 0, "longest_first", "right"), (11, 2, "longest_first", "left"), (13, 3, "longest_first", "right"), (15, 3, "only_first", "right"), (17, 1, "only_second", "right"), (6, 3, "longest_first", "right"), (4, 2, "longest_first", "right")]:
        cut = dict(max_length=n, stride=stride, strategy=strategy, direction=side)
        cases += [encode(tok, A, None, **cut), encode(tok, A, B, **cut), encode(tok, B, A, special=False, **cut)]
    for w in (["Hello", "world", "!"], ["don't", "", "  x ", "İ"], ["漢字", "[MASK]", "foo"], [""], ["x"] * 7):
        cases += [encode(tok, w, words=True), encode(tok, w, ["The", "dog"], words=True), encode(tok, w, words=True, max_length=6, stride=1), encode(tok, ["fo x", "y"], w, words=True, max_length=11, stride=2), encode(tok, w, words=True, special=False)]
    return cases


for name, p in posts.items():
    show_sequences = name in ("bert", "template", "xlmr", "roberta", "bytes", "sequence")
    byteish = name not in ("template", "xlmr", "bert")
    m, pre = (bpe_bytes, pres["bytes-prefix"]) if byteish else (wordpiece, {"type": "BertPreTokenizer"})
    record("post_processor/" + name, spec(m, None, pre, p, added=[token("[MASK]", True, lstrip=True)]), cases=options)
record("words/unigram", spec(unigram, {"type": "NFKC"}, META, xlmr, added=[token("[MASK]", True, lstrip=True)]), cases=options)

show_sequences = False

# decoders
toks = [["[CLS]", "hello", "##wor", "##ld", ".", "do", "n't", "do not", "'s", " ' ", "x"], ["▁Hello", "▁wor", "ld", "▁", "▁▁x"], ["Hello", "Ġwor", "ld", "Ã©", "Ġ", "Ã", "漢", "Ġð"],
        ["h</w>", "el", "lo</w>"], ["<pad>", "h", "h", "<pad>", "h", "e", "l", "l", "<pad>", "l", "o", "|", "|", "w", ".", "|", "."], ["<0xE2>", "<0x96>", "<0x81>", "a", "<0xFF>", "<0xC3>", "b", "<0xZZ>", "<0x+A>"], ["  a b ", " ", "aa", "", "bab", "    x   "], [], [""]]
decoders = {
    "wordpiece": {"type": "WordPiece", "prefix": "##", "cleanup": True}, "wordpiece-raw": {"type": "WordPiece", "prefix": "##", "cleanup": False},
    "bytes": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True}, "metaspace": {"type": "Metaspace", "replacement": "▁", "add_prefix_space": True},
    "metaspace-never": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "never", "split": False}, "bpe": {"type": "BPEDecoder", "suffix": "</w>"},
    "ctc": {"type": "CTC", "pad_token": "<pad>", "word_delimiter_token": "|", "cleanup": True}, "ctc-raw": {"type": "CTC", "pad_token": "<pad>", "word_delimiter_token": "|", "cleanup": False},
    "replace": {"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, "replace-regex": {"type": "Replace", "pattern": {"Regex": "l+|^h"}, "content": "L"}, "fuse": {"type": "Fuse"},
    "strip": {"type": "Strip", "content": " ", "start": 1, "stop": 0}, "fallback": {"type": "ByteFallback"},
    "llama": {"type": "Sequence", "decoders": [{"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0}]},
}
for name, d in decoders.items():
    record("decoder/" + name, spec(LEVEL, decoder=d), texts=[], decode=[t for t in toks if t or name != "bpe"])
record("decoder/strip-both", spec(LEVEL, decoder={"type": "Strip", "content": "a", "start": 2, "stop": 1}), texts=[], decode=[["aaxa", "axaa", "bab", "xa", "ba"]])

# regular expressions
PATTERNS = ["^a", "a$", "\\Aa", "a\\Z", "(?m).", "a.", "a{,2}", "a{2}?", "a{1,2}+", "a++b", "[a-c&&b-d]+", "[a[xy]]+", "\\h+", "[]a]+", "[a-]+", "a{x}", "\\p{^L}+", "[\\w]+", "\\w+", "\\W+", "[\\W]+", "(?i)s+",
            "(?i)[^s]", "(?i)\\p{Ll}+", "(?i)[\\p{Ll}]+", "(a)\\1", "(?<n>a)\\k<n>", "(?<=a)b", "(?<!a)b", "(?<=a+)b", "(?<=b|ac)x", "(?>a+)b", "", "a*", "\\b", "\\B", "\\R", "(?x) a b # c", "\\p{Han}+", "\\p{Letter}+", "\\x41", "\\u0041",
            "\\x{41}", "\\101", "[[:alpha:]]+", "[[:^alpha:]]+", "[[:punct:]]+", "[^[:space:]]+", "\\G.", "(?i:ab)c", "a(?i)b|c", "(?:a*)*b", "(?:a*)+", "\\N", "x{0}", "[&&a]", "[^]a]", "[a-c-e]+", "[--a]", "a*?", "(a|b)*?c", "(?=b)", "(?!b)", "$", "^",
            "\\d{1,3}(?=(?:\\d{3})*\\b)", "(?:(a)|b)*\\1", "(a|ab)(c|bcd)(d*)", "((a)|(b))+?x", "(?:ab|a)+b", "\\s+(?!\\S)|\\s+", "[\\p{L}\\p{M}]+", "\\S+", "(?<![0-9])\\d{2}", "[^\\n]+", "(?:x|(?:y|z){2}){1,2}"]
SUBJECTS = ["a", "aa\nab\na", "aab aaab xaaabb", "abcd abxy axbcx acx bx", "a]b a-ce --", "sSſx ßAB abC ABc aBcC", "a²b ¼ é_1 !", "1234567 1234 12", "漢字 かな ab", " a  b   ", "a\r\nb\u2028c", "xyzyz zzyy", "", "aabcbb xyz"]
for p in PATTERNS:
    record("regex/" + p, spec(LEVEL, None, {"type": "Split", "pattern": {"Regex": p}, "behavior": "Isolated", "invert": False}), SUBJECTS)


raw = "\n".join(json.dumps(line, ensure_ascii=False, separators=(",", ":")) for line in out).encode() + b"\n"
buf = io.BytesIO()
with gzip.GzipFile(fileobj=buf, mode="wb", compresslevel=9, mtime=0) as z:
    z.write(raw)
open(os.path.join(HERE, "cases.jsonl.gz"), "wb").write(buf.getvalue())
print(len(out), "tokenizers,", sum(len(l["cases"]) for l in out), "cases,", len(raw), "bytes,", len(buf.getvalue()), "packed")
