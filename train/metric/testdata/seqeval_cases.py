"""Writes seqeval.json: what the Python package seqeval 1.2.2 answers for random tag sequences.

Run with seqeval installed, in this folder: python3 seqeval_cases.py
One case a line: gold and predicted tags (sentences parted by "|", tags by spaces), and the answers.
"""
import json
import random
import warnings

from seqeval.metrics import accuracy_score, classification_report
from seqeval.metrics.sequence_labeling import get_entities
from seqeval.scheme import IOB2

warnings.filterwarnings("ignore")
rng = random.Random(20230711)


def legal(n, types):
    tags = []
    while len(tags) < n:
        if rng.random() < 0.5:
            tags.append("O")
        else:
            t = rng.choice(types)
            tags += ["B-" + t] + ["I-" + t] * rng.choice([0, 0, 1, 2])
    return tags[:n]


def illegal(n, types, prefixes):
    return [rng.choice(["O"] + [p + rng.choice(["-" + t for t in types] + [""]) for p in prefixes]) for _ in range(n)]


def disturbed(tags, types, rate, prefixes):
    return [illegal(1, types, prefixes)[0] if rng.random() < rate else t for t in tags]


def numbers(report):
    out = {}
    for name, row in report.items():
        out[name] = [round(float(row[k]), 10) for k in ("precision", "recall", "f1-score")] + [int(row["support"])]
    return out


cases = []
while len(cases) < 240:
    k = len(cases)
    types = rng.sample(["PER", "LOC", "ORG", "MISC", "event-sport"], rng.randint(1, 4))
    prefixes = "BIES" if k % 3 == 2 else "BI"
    lengths = [rng.randint(0 if k % 5 == 0 else 1, 9) for _ in range(rng.randint(1, 5))]
    gold = [legal(n, types) if k % 2 else illegal(n, types, prefixes) for n in lengths]
    if rng.random() < 0.2:
        pred = [illegal(n, types, prefixes) for n in lengths]
    else:
        pred = [disturbed(s, types, rng.choice([0, 0.1, 0.4]), prefixes) for s in gold]
    if not sum(lengths) or not (get_entities(gold) or get_entities(pred)):
        continue
    case = {
        "gold": "|".join(" ".join(s) for s in gold),
        "pred": "|".join(" ".join(s) for s in pred),
        "accuracy": round(accuracy_score(gold, pred), 10),
        "conlleval": numbers(classification_report(gold, pred, output_dict=True)),
    }
    if k % 10 == 0:
        case["table"] = classification_report(gold, pred, digits=2 + k % 3)
        case["digits"] = 2 + k % 3
    if prefixes == "BI":
        strict = numbers(classification_report(gold, pred, output_dict=True, mode="strict", scheme=IOB2))
        if len(strict) > 3:  # without entities seqeval's averages are not numbers
            case["strict"] = strict
    cases.append(case)

with open("seqeval.json", "w") as f:
    f.write("[\n" + ",\n".join(json.dumps(c) for c in cases) + "\n]\n")
