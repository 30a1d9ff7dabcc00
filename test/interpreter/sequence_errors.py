# SPDX-License-Identifier: Apache-2.0
"""usage: sequence_errors.py SPEC.mlir FOLDER: what the interpreter says to tables that do not fit, a case per fault."""
import os
import subprocess
import sys

sys.dont_write_bytecode = True
from reference import write_npy  # noqa: E402
from sequences import GARBAGE, ints, memory  # noqa: E402


def data(batch, length):
    return memory(1, (batch, length, 2, 8))


POOL = {"pool": data(3, 4)}
PACKED = {"q": memory(1, (5, 2, 8)), "q_ends": ints([0, 3, 5]), "k": data(2, 3)}
SHARED = {"q": data(3, 1), "k": data(2, 4)}

# (kernel, arguments, line and sentence)
CASES = [
    ("pages", {"q": data(2, 1), **POOL, "table": ints([[0, 3], [1, 2]]), "lens": ints([5, 8])},
     "'attn.pages' op expects pages below 3 in the used part of the table, got 3 for page 1 of sequence 0"),
    ("pages", {"q": data(2, 1), **POOL, "table": ints([[0, 1], [-1, 2]]), "lens": ints([5, 1])},
     "'attn.pages' op expects pages below 3 in the used part of the table, got -1 for page 0 of sequence 1"),
    ("runs", {"q": data(1, 1), **POOL, "runs": ints([[[1, 1], [2, GARBAGE]]]), "lens": ints([GARBAGE])},
     "'attn.pages' op expects pages below 3 in the used part of the table, got 3 for page 2 of sequence 0"),
    ("ragged", {**PACKED, "q_ends": ints([0, 2, 4, 5])},
     "'attn.scores' op expects query and keys with the same batch, got 3 and 2"),
    ("evenly", SHARED, "'attn.share' op expects a batch that is a multiple of the 2 sequences it shares, got 3"),
    ("evenly", {"q": data(3, 1), "k": memory(1, (0, 4, 2, 8))},
     "'attn.share' op expects a batch that is a multiple of the 0 sequences it shares, got 3"),
    ("rows", {**SHARED, "rows": ints([0, 1, 2])}, "'attn.share' op expects rows below 2, got 2 for sequence 2"),
    ("entries", {**SHARED, "lens": ints([4, 4]), "row_of": ints([[0, 0, 0, 0]] * 3)},
     "'attn.share' op expects a length of its own for each of 3 sequences, got 2"),
    ("entries", {"q": data(2, 1), "k": data(2, 4), "lens": ints([4, 2]), "row_of": ints([[0, 1, 0, 0], [0, -1, 7, 7]])},
     "'attn.share' op expects rows below 2, got -1 for sequence 1 and entry 1"),
    ("entries", {"q": data(2, 1), "k": data(2, 4), "lens": ints([4, 2]), "row_of": ints([[0, 1, 1, 0], [0, 0, 7, 7]])},
     "'attn.share' op expects rows that have the entry, got 1 of length 2 for sequence 0 and entry 2"),
    ("parts", {"q": data(2, 1), "k": PACKED["q"], "ends": ints([0, 3, 4, 5]), **POOL, "table": ints([[0], [1]]),
               "lens": ints([1, 2])}, "'attn.concat' op expects parts with the same batch, got 3 and 2"),
    ("first", {"q": PACKED["q"], "ends": ints([0, 3, 5]), "k": PACKED["q"], "first": ints([1, 2, 3])},
     "'attn.at' op expects positions for each sequence, got 2 and 3"),
    ("rows_of_packed", {"q": PACKED["q"], "ends": ints([0, 3, 5]), "k": data(2, 4), "rows": ints([1, 0, 0])},
     "'attn.share' op expects rows for each of 2 sequences, got 3"),
    ("append", {"new": PACKED["q"], "ends": ints([0, 1, 2, 5]), "k": data(2, 4)},
     "'attn.append' op expects new entries and a cache with the same batch, got 3 and 2"),
]


def main():
    spec, folder = sys.argv[1:]
    faults = 0
    for number, (kernel, arguments, wanted) in enumerate(CASES):
        place = f"{folder}/{number}"
        os.makedirs(place, exist_ok=True)
        command = ["attnc", "--interpret", spec, "--kernel", kernel]
        for name, tensor in arguments.items():
            write_npy(f"{place}/{name}.npy", tensor)
            command += ["--input", f"{name}={place}/{name}.npy"]
        output = {"merge": "o", "append": "k"}.get(kernel, "lse")
        ran = subprocess.run(command + ["--output", f"{output}={place}/out.npy"], capture_output=True, text=True)
        if ran.returncode != 1 or not ran.stderr.endswith(wanted + "\n") or os.path.exists(f"{place}/out.npy"):
            faults += 1
            print(f"@{kernel}: status {ran.returncode}, expected '{wanted}', got:\n{ran.stdout}{ran.stderr}")
    print(f"{len(CASES) - faults} of {len(CASES)} as expected")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
