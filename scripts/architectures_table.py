"""Prints the table of docs/architectures.md from the check.json that `graft inspect --check --json` left in each folder of
architectures.py:

    python scripts/architectures_table.py OUT
"""

import collections
import glob
import json
import os
import re
import sys


def reason(check):
    """The first operator or input that is to blame, in few words."""
    text = re.sub(r"importing \S+: ", "", check.get("reason", ""))
    unknown = re.search(r'(\w+) "[^"]*": graft does not know this operator', text)
    if unknown:
        return "no operator " + unknown.group(1)
    for pattern, words in (("onnxruntime refuses the model", "invalid ONNX, which onnxruntime refuses"),
                           ("onnxruntime: Error running", "onnxruntime cannot run it"),
                           ("want a floating-point number", "invalid ONNX: integers where the opset takes none"),
                           ("with a fixed size", "sizes that the file fixes"), ("has an input", "an input that is none of tokens"),
                           ("Error running network", "onnxruntime cannot run it")):
        if pattern in text:
            return words
    part = re.search(r'(\S+) "[^"]*"( \(opset \d+\))?: (the operator|its mask|the operand|its operands|parts)', text)
    if part:
        return {"its mask": "another mask", "the operand": "heads that are split otherwise"}.get(part.group(3), "an unknown block at " + part.group(1))
    return text.split("\n")[0].split(": ")[-1][:80]


rows = collections.OrderedDict()
for file in sorted(glob.glob(os.path.join(sys.argv[1], "*", "*", "check.json"))):
    try:
        check = json.load(open(file))
    except ValueError:
        continue
    check = check.get("check") or check
    rows.setdefault(file.split(os.sep)[-3], []).append(check)

print("| architecture | exports | fused | forward | gradients | exported | others |\n|---|--:|--:|--:|--:|--:|---|")
total = collections.Counter()
for name, checks in rows.items():
    fused = [c for c in checks if c["status"] == "equal" and c["way"] == "fused"]
    others = collections.Counter(("node by node" if c["status"] == "equal" else c["status"]) + ": " + reason(c) for c in checks if c not in fused)

    def worst(key):
        x = [v["max_rel"] for c in fused for v in ([c] if key is None else [c.get(key) or {"max_rel": 0}]) if c["tolerance"] < 1e-3]
        return "%.1e" % max(x) if x else ""

    total.update(exports=len(checks), fused=len(fused))
    print("| %s | %d | %d | %s | %s | %s | %s |" % (name, len(checks), len(fused), worst(None), worst("gradients"), worst("export"),
                                             "; ".join("%d × %s" % (n, o) for o, n in others.items())))
print("| **all** | %d | %d | | | | |" % (total["exports"], total["fused"]))
