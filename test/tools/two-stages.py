# SPDX-License-Identifier: Apache-2.0
"""usage: two-stages.py SPECS FOLDER TARGET: the ready specs of the folder SPECS whose lists come from the kernel before.

The second stage reads on the simulator what the first one wrote there, and in the interpreter what it wrote there. Lists must be equal, and outputs close. A list of all weight must give dense attention.
"""
import math
import os
import random
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(HERE, "..", "interpreter"))
from reference import Tensor, read_npy, write_npy  # noqa: E402

SPECS, FOLDER, TARGET = sys.argv[1:]
CLOSE = 0.02  # of outputs in bf16 and f16 about 1 in size


def save(name, shape, values, dtype):
    path = f"{FOLDER}/{name}.npy"
    write_npy(path, Tensor(tuple(shape), list(values), dtype))
    return path


def normal(name, shape, seed, dtype):
    numbers = random.Random(seed)
    return save(name, shape, (numbers.gauss(0, 1) for _ in range(math.prod(shape))), dtype)


def run(command, kernel, inputs, results, way, scalars=(), sizes=()):
    """Paths of the results of a stage, in f64 where it was interpreted."""
    for name, path in inputs.items():
        command += ["--input", f"{name}={path}"]
    for name, number in dict(scalars).items():
        command += ["--scalar", f"{name}={number}"]
    paths = {name: f"{FOLDER}/{way}-{kernel}-{name}.npy" for name in results}
    for name, path in paths.items():
        command += ["--output", f"{name}={path}"]
    if sizes:
        command += ["--sizes", ",".join(f"{name}={size}" for name, size in sizes.items())]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return paths


def simulated(spec, kernel, *rest):
    command = ["attn-run", f"{SPECS}/{spec}.mlir", "--kernel", kernel, "--device", "sim", "--target", TARGET]
    return run(command, kernel, *rest[:2], "sim", *rest[2:])


def interpreted(spec, kernel, inputs, results, scalars=(), sizes=()):
    """`results` says the types of those that the next stage reads; sizes follow from the arguments."""
    command = ["attnc", "--interpret", f"{SPECS}/{spec}.mlir", "--kernel", kernel]
    paths = run(command, kernel, inputs, results, "exact", scalars)
    for name, dtype in results.items():
        tensor = read_npy(paths[name])
        write_npy(paths[name], Tensor(tensor.shape, [int(x) if dtype == "i32" else x for x in tensor.values], dtype))
    return paths


def distance(first, second):
    a, b = read_npy(first).values, read_npy(second).values
    return max(abs(x - y) for x, y in zip(a, b)) if len(a) == len(b) else math.inf


def fault_of(got, wanted):
    """What of the lists and outputs of a chain is not that of the other."""
    for name, path in wanted.items():
        far = distance(got[name], path)
        if not far <= (CLOSE if name == "o" else 0):
            return f"{name} is off by {far}"
    return None


def sample_attention(share):
    """Of the rows every third is sampled; with all weight to be held, sums are made up that leave no column out."""
    seq, heads = 150, 32
    tensors = {"q": normal("q", (1, seq, heads, 128), 1, "bf16"), "k": normal("k", (1, seq, 2, 128), 2, "bf16"),
               "v": normal("v", (1, seq, 2, 128), 3, "bf16")}
    numbers = random.Random(4)
    made_up = save("sums", (1, heads, seq), (numbers.expovariate(1) ** 3 for _ in range(heads * seq)), "f32")
    sampled = {"q": tensors["q"], "k": tensors["k"],
               "rows": save("rows", ((seq + 2) // 3,), range(0, seq, 3), "i32")}
    ways = []
    for stage in (simulated, interpreted):
        sums = {"sums": made_up} if share == 1 else stage("sample_attention", "sample_columns", sampled, {"sums": "f32"})
        lists = stage("sample_attention", "select_columns", sums, {"columns": "i32", "column_count": "i32"},
                      {"share": share}, {"most_columns": seq})
        ways.append({**lists, **stage("sample_attention", "sample_attention", {**tensors, **lists}, {"o": "f32"},
                                      {"window_left": 9})})
    got, wanted = ways
    print(f"sample_attention {share}:", fault_of(got, wanted) or "its own chain")
    if share == 1:
        dense = f"{FOLDER}/dense.mlir"
        with open(dense, "w") as file:
            file.write(DENSE)
        run(["attnc", "--interpret", dense], "dense", tensors, ("o",), "exact")
        print("every column:", fault_of({"o": got["o"]}, {"o": f"{FOLDER}/exact-dense-o.npy"}) or "dense")


def alisa_decode():
    """Pages that follow one another; what lies behind a sequence is hidden."""
    pages, heads, longest, window = 12, 32, 96, 10
    lengths = (96, 41)
    tensors = {"q": normal("q1", (2, 1, heads, 128), 5, "f16"),
               "k_pool": normal("k_pool", (pages, 16, heads, 128), 6, "f16"),
               "v_pool": normal("v_pool", (pages, 16, heads, 128), 7, "f16"),
               "page_table": save("page_table", (2, 6), range(pages), "i32"),
               "kv_lens": save("kv_lens", (2,), lengths, "i32")}
    numbers = random.Random(8)
    sums = {"sums": save("sums1", (2, heads, longest), (numbers.random() for _ in range(2 * heads * longest)), "f32"),
            "older": save("older", (2,), (n - window for n in lengths), "i32")}
    ways = []
    for stage in (simulated, interpreted):
        sizes = {"most_heavy": longest}
        lists = stage("alisa_select", "alisa_select", sums, {"heavy": "i32", "heavy_count": "i32"}, {"k": 20}, sizes)
        ways.append({**lists, **stage("alisa_decode", "alisa_decode", {**tensors, **lists}, {"o": "f32"},
                                      {"recent": window})})
    print("alisa_decode:", fault_of(*ways) or "its own chain")


DENSE = """!q  = tensor<1x?x32x128xbf16, #attn.dims<one, seq, heads, head_dim>>
!kv = tensor<1x?x2x128xbf16, #attn.dims<one, seq, kv_heads, head_dim>>
attn.kernel @dense(%q: !q, %k: !kv, %v: !kv) -> (o: !q) {
  %s = attn.scores %q, %k : !q, !kv
  %m = attn.mask %s by @causal
  %p = attn.softmax %m
  %o = attn.output %p, %v : !kv -> !q
  attn.return %o : !q
}
"""


def main():
    os.makedirs(FOLDER, exist_ok=True)
    for share in (0.75, 1):
        sample_attention(share)
    alisa_decode()


if __name__ == "__main__":
    main()
