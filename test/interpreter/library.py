# SPDX-License-Identifier: Apache-2.0
"""usage: library.py SPEC.mlir FOLDER: a kernel for each file of templates/variants, against plain Python."""
import math
import os
import re
import sys
from pathlib import Path

sys.dont_write_bytecode = True
from clauses import Case, causal, check  # noqa: E402
from reference import Tensor  # noqa: E402

# More keys than queries, and in butterfly, same_chunk and dilated some queries before the first key.
MORE, FEWER = ((2, 6, 2, 8), (2, 11, 2, 8)), ((2, 13, 2, 8), (2, 9, 2, 8))
SLOPES = Tensor((2,), [0.5, -0.125])
PREFIX = Tensor((2,), [9, 0], "i32")
DOCUMENT = Tensor((2, 11), [n * n // 7 % 5 for n in range(22)], "i32")
SORTED = Tensor((2, 11), [n // 4 for n in range(22)], "i32")


def within(left, right):
    return lambda b, h, q, kv, *w: -left <= kv - q <= right


def butterfly(block):
    """Numbers of blocks that are one bit apart: no negative one is near one that is not."""
    def visible(b, h, q, kv, *where):
        i, j = q // block, kv // block
        return i >= 0 and bin(i ^ j).count("1") <= 1
    return visible


def streaming(first, left):
    return lambda b, h, q, kv, *w: kv <= q and (kv < first or q - kv <= left)


CASES = {
    "alibi": Case(*MORE, tensors={"slopes": SLOPES}, modify=[lambda s, b, h, q, kv, *w: s + SLOPES[h] * (kv - q)]),
    "band": Case(*MORE, scalars={"left": 3, "right": 1}, mask=[within(3, 1)]),
    "butterfly": Case(*FEWER, scalars={"block": 2}, mask=[butterfly(2)]),
    "causal": Case(*FEWER, mask=[causal]),
    "dilated": Case(*FEWER, scalars={"step": 3}, mask=[lambda b, h, q, kv, *w: (q - kv) % 3 == 0]),
    "same_chunk": Case(*FEWER, scalars={"chunk": 3}, mask=[lambda b, h, q, kv, *w: math.floor(q / 3) == kv // 3]),
    "sliding_window": Case(*MORE, scalars={"window_left": 2}, mask=[within(2, 0)]),
    "streaming": Case(*MORE, scalars={"sink_tokens": 2, "window_left": 3}, mask=[streaming(2, 3)]),
    "prefix_lm": Case(*MORE, tensors={"prefix_lens": PREFIX},
                      mask=[lambda b, h, q, kv, *w: kv < PREFIX[b] or kv <= q]),
    "same_document": Case(*MORE, tensors={"document": DOCUMENT},
                          mask=[lambda b, h, q, kv, row, column: DOCUMENT[b, row] == DOCUMENT[b, kv]]),
    "sorted_documents": Case(*MORE, tensors={"document": SORTED},
                             mask=[lambda b, h, q, kv, row, column: SORTED[b, row] == SORTED[b, kv]]),
    "softcap": Case(*MORE, scalars={"cap": 0.75}, modify=[lambda s, *w: 0.75 * math.tanh(s / 0.75)]),
}


def main():
    spec, folder = sys.argv[1:]
    kernels = re.findall(r"attn\.kernel @with_(\w+)", Path(spec).read_text())
    library = {path.stem for path in (Path(spec).parents[2] / "templates/variants").iterdir()}
    faults = [f"@{name}: no kernel is about it" for name in library - set(kernels)]
    for name in kernels:
        faults += check(spec, os.path.join(folder, name), f"with_{name}", CASES[name])
    print("\n".join(faults) or f"{len(kernels)} kernels agree")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
