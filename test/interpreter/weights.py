# SPDX-License-Identifier: Apache-2.0
"""usage: weights.py SPEC.mlir FOLDER: reweighted outputs, sums of weights and selected lists against plain Python."""
import math
import random
import sys
from itertools import product

sys.dont_write_bytecode = True
from reference import Tensor, difference, f32  # noqa: E402
from sequences import interpret  # noqa: E402

BATCH, ROWS, HEADS, SIZE, KEYS = 2, 5, 2, 8, 7


def made(seed, *shape):
    numbers = random.Random(seed)
    return Tensor(shape, [f32(numbers.gauss(0, 1)) for _ in range(math.prod(shape))])


def ints(values, *shape, dtype="i32"):
    return Tensor(shape, values, dtype)


Q, K, V = made(1, BATCH, ROWS, HEADS, SIZE), made(2, BATCH, KEYS, HEADS, SIZE), made(3, BATCH, KEYS, HEADS, SIZE)
BOOST = made(4, BATCH, KEYS)
SINK = [0.25, -0.5]
LENS = [4, 7]


def weights(lens=(KEYS, KEYS), seen=lambda q, kv: kv <= q, sink=None):
    """Weight of each visible (b, h, i, j), the positions of queries and keys, and the lse of each (b, i, h)."""
    found, lse = {}, {}
    for b, h, i in product(range(BATCH), range(HEADS), range(ROWS)):
        position = i + lens[b] - ROWS
        scores = {j: math.fsum(Q[b, i, h, d] * K[b, j, h, d] for d in range(SIZE)) / math.sqrt(SIZE)
                  for j in range(lens[b]) if seen(position, j)}
        total = math.fsum(math.exp(s) for s in scores.values()) + (math.exp(sink[h]) if sink else 0)
        lse[b, i, h] = math.log(total) if total else -math.inf
        for j, s in scores.items():
            found[b, h, i, j] = math.exp(s) / total
    return found, Tensor((BATCH, ROWS, HEADS), [lse[at] for at in product(range(BATCH), range(ROWS), range(HEADS))])


def output(found):
    return Tensor((BATCH, ROWS, HEADS, SIZE),
                  [math.fsum(found.get((b, h, i, j), 0) * V[b, j, h, e] for j in range(KEYS))
                   for b, i, h, e in product(range(BATCH), range(ROWS), range(HEADS), range(SIZE))])


def sums(found, size, place, counts=lambda i: True):
    """`place(i, j)` says where a weight is added."""
    of = {}
    for (b, h, i, j), weight in found.items():
        if counts(i):
            of.setdefault((b, h, place(i, j)), []).append(weight)
    return Tensor((BATCH, HEADS, size), [math.fsum(of.get(at, []))
                                         for at in product(range(BATCH), range(HEADS), range(size))])


def selected(tensor, number, room, below=None):
    """Lists padded with -1, and their lengths; `number(sums, largest first)` says how many are wanted."""
    lists, counts = [], []
    for b, h in product(range(BATCH), range(HEADS)):
        row = [tensor[b, h, j] for j in range(tensor.shape[2])][:below[b] if below else None]
        order = sorted(range(len(row)), key=lambda j: (-row[j], j))
        chosen = sorted(order[:max(0, min(number([row[j] for j in order]), room))])
        lists += chosen + [-1] * (room - len(chosen))
        counts.append(len(chosen))
    return Tensor((BATCH, HEADS, room), lists), Tensor((BATCH, HEADS), counts)


def covering(share):
    def number(falling):
        total, n = math.fsum(falling), 0
        while n < len(falling) and math.fsum(falling[:n]) < share * total:
            n += 1
        return n
    return number


# Halves and quarters: their sums are exact. Equal ones, zeros, and a row of nothing else.
SUMS = Tensor((BATCH, HEADS, KEYS), [0.5, 0.25, 1, 0.25, 1, 0.5, 0.5, 0, 0, 0, 0, 0, 0, 0,
                                     3, 2, 1, 0.5, 0.25, 0.25, 1, 0.25, 0, 0.25, 0, 0.25, 0, 0.25])


class Checks:
    def __init__(self, spec, folder):
        self.spec, self.folder, self.faults, self.kernels = spec, folder, [], set()

    def run(self, kernel, arguments, scalars, expected, tolerance=1e-12):
        self.kernels.add(kernel)
        got = interpret(self.spec, f"{self.folder}/{kernel}", kernel, arguments, scalars, list(expected))
        for name, tensor in expected.items():
            if fault := difference(got[name], tensor, tolerance):
                self.faults.append(f"@{kernel} {scalars}: {name}: {fault}")


def main():
    checks = Checks(*sys.argv[1:])
    found, lse = weights(sink=SINK)
    boosted = {at: w * (1 + BOOST[at[0], at[3]]) for at, w in found.items()}
    checks.run("reweighted", {"q": Q, "k": K, "v": V, "boost": BOOST, "sink": Tensor((2,), SINK)}, {},
               {"o": output({at: w * w + 0.5 for at, w in boosted.items()}), "lse": lse})

    # A sink beside which every weight is 0, also as a number: functions make 0.5 of it.
    checks.run("reweighted", {"q": Q, "k": K, "v": V, "boost": BOOST, "sink": Tensor((2,), [2000.0, 2000.0])}, {},
               {"o": output({at: 0.5 for at in boosted}), "lse": Tensor(lse.shape, [2000.0] * len(lse.values))})

    found, lse = weights(LENS)
    boosted = {at: w * (1 + BOOST[at[0], at[3]]) for at, w in found.items()}
    checks.run("key_sums", {"q": Q, "k": K, "v": V, "boost": BOOST, "lens": ints(LENS, 2)}, {"step": 2},
               {"o": output(found), "lse": lse, "all": sums(found, KEYS, lambda i, j: j),
                "some": sums(boosted, KEYS, lambda i, j: j, lambda i: i % 2 == 0)})

    found, lse = weights(seen=lambda q, kv: True)
    def distance(i, j):
        return i + KEYS - ROWS - j
    checks.run("distance_sums", {"q": Q, "k": K, "rows": ints([0, 3], 2)}, {},
               {"sums": sums(found, KEYS, distance, lambda i: i in (0, 3)), "near": sums(found, 3, distance), "lse": lse})

    for k in (-1, 0, 1, 2, 3, 5, 99):
        below = [3, 6]
        lists = selected(SUMS, lambda row: k, KEYS, below)
        few = selected(SUMS, lambda row: k, 3)
        checks.run("top", {"sums": SUMS, "below": ints(below, 2)}, {"k": k},
                   {"list": lists[0], "count": lists[1], "few": few[0], "number": few[1]}, 0)
    for share in (0, 0.125, 0.25, 0.5, 0.75, 0.875, 1):
        below = [-4, 5]
        lists = selected(SUMS, covering(share), KEYS)
        few = selected(SUMS, covering(share), 3, [0, 5])
        checks.run("covering", {"sums": SUMS, "below": ints(below, 2)}, {"share": share},
                   {"list": lists[0], "count": lists[1], "few": few[0], "number": few[1]}, 0)

    found, _ = weights()
    columns = sums(found, KEYS, lambda i, j: j, lambda i: i in (1, 4))
    lists = selected(columns, covering(0.7), KEYS)
    checks.run("columns", {"q": Q, "k": K, "rows": ints([1, 4], 2)}, {"share": 0.7},
               {"list": lists[0], "count": lists[1]}, 0)
    print("\n".join(checks.faults) or f"{len(checks.kernels)} kernels agree")
    sys.exit(1 if checks.faults else 0)


if __name__ == "__main__":
    main()
