# SPDX-License-Identifier: Apache-2.0
"""usage: clauses.py SPEC.mlir FOLDER: runs every kernel of a spec that has a case below through the interpreter and
compares with reference.py to 1e-12. A case is called like its kernel; the spec says which clause it is about."""
import math
import os
import random
import subprocess
import sys

sys.dont_write_bytecode = True
from reference import ROUND, Tensor, attention, check_kernels, difference, f32, read_npy, write_npy  # noqa: E402

NAN, INF = math.nan, math.inf


def causal(b, h, q, kv, row, column):
    return kv <= q


def nothing(*where):
    return False


class Case:
    """Arguments of a kernel, with what the formula needs to know about them. q, k, v are random unless given."""

    def __init__(self, q=(2, 3, 2, 8), k=(2, 5, 2, 8), v=None, dtype="f32", tensors=None, scalars=None, **formula):
        self.shapes = {"q": q, "k": k} | ({} if v is None else {"v": v})
        self.dtype, self.formula = dtype, formula
        self.tensors, self.scalars = tensors or {}, scalars or {}
        self.results = formula.pop("results", ("o", "lse"))
        self.single = formula.pop("single", False)     # keys are their own values: there is no v
        self.places = formula.pop("places", {})        # numbers put into q, k or v: {name: {index: number}}
        if v is None and not self.single:
            self.shapes["v"] = k

    def arguments(self, name):
        """Tensors by name, rounded to the type of the kernel's arguments."""
        numbers = random.Random(name)
        made = {}
        for argument, shape in self.shapes.items():
            tensor = Tensor(shape, [f32(numbers.gauss(0, 1)) for _ in range(math.prod(shape))], self.dtype)
            for index, value in self.places.get(argument, {}).items():
                strides = [math.prod(shape[d + 1:]) for d in range(len(shape))]
                for n in range(len(tensor.values)):
                    at = tuple(n // s % size for s, size in zip(strides, shape))
                    if all(i is None or i == a for i, a in zip(index, at)):
                        tensor.values[n] = value
            made[argument] = tensor
        return made

    def rounded(self, arguments):
        return {name: t.map(lambda x: x if math.isnan(x) or math.isinf(x) else ROUND[t.dtype](x))
                for name, t in arguments.items()}

    def expected(self, arguments, **more):
        exact = self.rounded(arguments)
        return attention(exact["q"], exact["k"], exact.get("v", exact["k"]), **(self.formula | more))


SLOPES = Tensor((2,), [0.5, -0.25])
SINK = Tensor((2,), [0.75, -1.5])
LENS = Tensor((2,), [3, 5], "i32")
BIAS = Tensor((2, 3, 5), [f32(math.sin(n)) for n in range(30)])
ODD = Tensor((2, 5), [n % 3 == 0 for n in range(10)], "bool")


def capped(cap):
    return lambda s, *where: cap * math.tanh(s / cap)


def bucket(s, b, h, q, kv, row, column):
    return s + (q // 2 - kv // 2) * 0.125


CASES = {
    # order.mlir
    "modifications_in_order": Case(modify=[lambda s, *w: s + 1.5, capped(2.0)]),
    "modifications_swapped": Case(modify=[capped(2.0), lambda s, *w: s + 1.5]),
    "mask_before_modify": Case(modify=[lambda s, b, h, q, kv, *w: s + h - 0.5 * kv], mask=[causal]),
    "masks_are_and": Case(mask=[causal, lambda b, h, q, kv, *w: (q - kv) % 2 == 0]),
    "default_scale": Case(),
    "constant_scale": Case(scale=0.25),
    "argument_scale": Case(scalars={"scale": 0.375}, scale=0.375),
    "zero_scale": Case(scalars={"scale": 0}, scale=0.0, mask=[causal]),
    "negative_scale": Case(scalars={"scale": -0.7}, scale=f32(-0.7), modify=[capped(2.0)]),
    "computed_scale": Case(scalars={"scale": 0.5, "n": 3}, scale=1.5),
    # softmax.mlir
    "empty_rows": Case(q=(2, 7, 2, 8), mask=[causal]),
    "no_key_at_all": Case(mask=[nothing]),
    "sink": Case(tensors={"sink": SINK}, sink=SINK.values),
    "sink_of_empty_rows": Case(q=(2, 7, 2, 8), tensors={"sink": SINK}, sink=SINK.values, mask=[causal]),
    "sink_far_above": Case(tensors={"sink": Tensor((2,), [800.0, -800.0])}, sink=[800.0, -800.0]),
    "scores_of_minus_infinity": Case(modify=[lambda s, b, h, q, kv, row, c: -INF if row == 1 or kv == 0 else s]),
    "large_logits": Case(scale=1.0, modify=[lambda s, *w: 1e4 * s - 2.45e5]),
    "lse_alone": Case(single=True, results=["lse"]),
    # memory.mlir
    "hidden_keys_are_nothing": Case(mask=[lambda b, h, q, kv, *w: kv != 2],
                                    places={"k": {(None, 2, None, None): NAN}}),
    "beyond_lens_is_never_read": Case(tensors={"lens": LENS}, kv_lens=LENS.values,
                                      places={x: {(0, 3, None, None): NAN, (0, 4, None, None): NAN} for x in "kv"}),
    "lens_are_clamped": Case(tensors={"lens": Tensor((2,), [-3, 9], "i64")}, kv_lens=[-3, 9], mask=[causal]),
    "query_lens": Case(tensors={"q_lens": Tensor((2,), [2, 0], "i32"), "lens": LENS}, q_lens=[2, 0],
                       kv_lens=LENS.values, mask=[causal], places={"q": {(0, 2, None, None): NAN}}),
    "groups_of_three": Case(q=(1, 2, 6, 8), k=(1, 4, 2, 8)),
    "one_key_head": Case(q=(1, 2, 3, 8), k=(1, 4, 1, 8), v=(1, 4, 1, 16)),
    "keys_are_values": Case(q=(2, 1, 4, 16), k=(2, 5, 1, 16), single=True, width=8),
    "no_keys": Case(k=(2, 0, 2, 8), mask=[causal]),
    "no_queries": Case(q=(2, 0, 2, 8)),
    "no_batch": Case(q=(0, 3, 2, 8), k=(0, 5, 2, 8)),
    # positions.mlir
    "align_end": Case(mask=[causal]),
    "align_end_by_length": Case(tensors={"lens": LENS}, kv_lens=LENS.values, mask=[causal]),
    "align_start": Case(align="start", mask=[causal]),
    "negative_positions": Case(q=(1, 7, 2, 8), k=(1, 4, 2, 8), modify=[bucket],
                               mask=[lambda b, h, q, kv, *w: q // 2 >= kv // 2 - 2]),
    "row_and_column": Case(tensors={"bias": BIAS, "odd": ODD},
                           modify=[lambda s, b, h, q, kv, row, column: s + BIAS[b, row, column]],
                           mask=[lambda b, h, q, kv, row, column: ODD[b, column] or kv == q]),
    # functions.mlir
    "parameters": Case(scalars={"cap": 3.5, "window": 2, "shift": 1, "slope": 0.25}, tensors={"slopes": SLOPES},
                       modify=[lambda s, b, h, q, kv, *w: s + SLOPES[h] * (kv - q) + 0.25, capped(3.5)],
                       mask=[lambda b, h, q, kv, *w: 0 <= q - kv + 1 <= 2]),
    "calls": Case(mask=[lambda b, h, q, kv, *w: (kv < 1 and kv <= q) or 0 <= q - kv <= 1]),
    "library": Case(modify=[capped(50.0)], mask=[causal]),
    "inputs_are_rounded": Case(dtype="bf16"),
    "halves": Case(dtype="f16"),
}


def run(spec, folder, kernel, case, arguments, option="--output", more=()):
    """Results by name of a call of the interpreter."""
    os.makedirs(folder, exist_ok=True)
    command = ["attnc", "--interpret", spec, "--kernel", kernel, *more]
    for name, tensor in arguments.items():
        write_npy(f"{folder}/{name}.npy", tensor)
        command += ["--input", f"{name}={folder}/{name}.npy"]
    for name, number in case.scalars.items():
        command += ["--scalar", f"{name}={number}"]
    for name in case.results:
        command += [option, f"{name}={folder}/{name}.npy"]
    subprocess.run(command, check=True)
    return {name: read_npy(f"{folder}/{name}.npy") for name in case.results}


def check(spec, folder, kernel, case):
    arguments = case.arguments(kernel)
    o, lse = case.expected(arguments)
    got = run(spec, folder, kernel, case, arguments | case.tensors)
    faults = []
    for name, tensor in got.items():
        fault = difference(tensor, {"o": o, "lse": lse}[name], 1e-12)
        if fault:
            faults.append(f"@{kernel}: {name}: {fault}")
    return faults


if __name__ == "__main__":
    check_kernels(lambda spec, folder, kernel: check(spec, folder, kernel, CASES[kernel]))
