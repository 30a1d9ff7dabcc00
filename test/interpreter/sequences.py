# SPDX-License-Identifier: Apache-2.0
"""usage: sequences.py SPEC.mlir FOLDER: runs every kernel of a spec that has a case below through the interpreter and
compares with attention over plain lists of entries to 1e-12. A case says in its own words which entries a sequence has;
the interpreter has to find them in memory, where everything else is NaN and tables end in garbage."""
import math
import os
import random
import subprocess
import sys
from itertools import product
from typing import NamedTuple

sys.dont_write_bytecode = True
from reference import ROUND, Tensor, check_kernels, difference, dot, exact_row, f32, read_npy, write_npy  # noqa: E402

NAN = math.nan
GARBAGE = 2147480000
HEADS = 4


class Entry(NamedTuple):
    """One token: a vector for each head as key (or query), another as value, and where it stands if it says so."""
    key: list
    value: list
    position: int = None


def memory(seed, shape, exists=lambda *where: True, dtype="f32"):
    """Random vectors (..., heads, size) where `exists` says so of what is before the heads, NaN elsewhere."""
    numbers = random.Random(seed)
    count = shape[-2] * shape[-1]
    values = []
    for where in product(*map(range, shape[:-2])):
        values += [ROUND[dtype](f32(numbers.gauss(0, 1))) if exists(*where) else NAN for _ in range(count)]
    return Tensor(shape, values, dtype)


def vectors(tensor, *where):
    return [[tensor[(*where, h, d)] for d in range(tensor.shape[-1])] for h in range(tensor.shape[-2])]


def entry(k, v, *where, position=None):
    return Entry(vectors(k, *where), vectors(v, *where), position)


def ints(rows, dtype="i32"):
    """A tensor of nested lists."""
    shape, flat = [], rows
    while isinstance(flat, list):
        shape.append(len(flat))
        flat = flat[0] if flat else None
    for _ in shape[1:]:
        rows = [x for row in rows for x in row]
    return Tensor(shape, rows, dtype)


def attend(shape, places, queries, keys, *, modify=None, mask=None, align="end", width=8, heads=HEADS, group=2):
    """Output and lse of the shape (..., heads): the queries of sequence b, vectors for each head with a position or
    None, see the entries keys[b]; the i-th has its result at the index places(b, i)."""
    o = Tensor((*shape, heads, width), [NAN] * (math.prod(shape) * heads * width))
    lse = Tensor((*shape, heads), [NAN] * (math.prod(shape) * heads))
    for b, tokens in enumerate(queries):
        for i, (query, own, position) in enumerate(tokens):
            if position is None:
                position = i + len(keys[b]) - len(tokens) if align == "end" else i
            for h in range(heads):
                scores, values = [], []
                for j, e in enumerate(keys[b]):
                    kv = j if e.position is None else e.position
                    s = dot(query[h], e.key[h // group], False) / math.sqrt(len(query[h]))
                    s = modify(s, b, h, position, kv, i, j) if modify else s
                    if not mask or mask(position, kv):
                        scores.append(s)
                        values.append(e.value[h // group])
                row, l = exact_row(scores, values, None, False)
                at = 0
                for size, n in zip((*shape, heads), (*places(b, i), h)):
                    at = at * size + n
                o.values[at * width:(at + 1) * width] = row or [0.0] * width
                lse.values[at] = l
    return {"o": o, "lse": lse}


def past(q, kv):
    return kv <= q


def near(left):
    return lambda q, kv: 0 <= q - kv <= left


def tilt(s, b, h, q, kv, row, column):
    return s + 0.0625 * (kv - q + row + column)


def dense_queries(q, positions=None):
    batch, count = q.shape[:2]
    return [[entry(q, q, b, i, position=positions and positions[b][i]) for i in range(count)] for b in range(batch)]


def ragged_entries(k, v, ends, positions=None):
    return [[entry(k, v, n, position=positions and positions[n]) for n in range(first, last)]
            for first, last in zip(ends, ends[1:])]


def dense_places(b, i):
    return b, i


def ragged_places(ends):
    return lambda b, i: (ends[b] + i,)


# A case returns the arguments of its kernel, its numbers, and what it should give.


def ragged():
    # No queries; no keys; more queries than keys; one behind the last sequence on either side.
    q_ends, kv_ends = [0, 2, 2, 4, 9], [0, 3, 6, 6, 10]
    q = memory(1, (10, 4, 8), lambda n: n < 9)
    k, v = (memory(s, (12, 2, 8), lambda n: n < 10) for s in (2, 3))
    return ({"q": q, "k": k, "v": v, "q_ends": ints(q_ends), "kv_ends": ints(kv_ends, "i64")}, {},
            attend((10,), ragged_places(q_ends), ragged_entries(q, q, q_ends), ragged_entries(k, v, kv_ends),
                   modify=tilt, mask=past))


def ragged_wild():
    # Ends before the tensor, behind it and falling: a sequence has no more than there is.
    q, k, v = memory(1, (4, 4, 8)), memory(2, (5, 2, 8)), memory(3, (5, 2, 8))
    return ({"q": q, "k": k, "v": v, "q_ends": ints([0, 1, 3, 4]), "kv_ends": ints([-7, 2, 5000000000, 1], "i64")}, {},
            attend((4,), ragged_places([0, 1, 3, 4]), ragged_entries(q, q, [0, 1, 3, 4]),
                   [ragged_entries(k, v, [0, 2])[0], ragged_entries(k, v, [2, 5])[0], []], mask=past, align="start"))


def paged_entries(k, v, pages, length):
    size = k.shape[1]
    return [entry(k, v, pages[j // size], j % size) for j in range(length)]


def used(size, *sequences):
    """Whether a slot of a page holds an entry of some sequence, each given by its pages and its length."""
    slots = {(pages[j // size], j % size) for pages, length in sequences for j in range(length)}
    return lambda page, slot: (page, slot) in slots


def paged():
    # A partial last page, a full one, no entry, a page in common, a length that the table cannot hold, a negative one.
    pages = [[6, 1, 4], [2, 5, GARBAGE], [GARBAGE, -1, 7], [6, 3, GARBAGE], [0, 8, 9], [GARBAGE] * 3]
    given, lengths = [9, 8, 0, 5, 400, -2], [9, 8, 0, 5, 12, 0]
    exists = used(4, *zip(pages, lengths))
    q = memory(1, (6, 3, 4, 8))
    k, v = (memory(s, (11, 4, 2, 8), exists) for s in (2, 3))
    return ({"q": q, "k_pool": k, "v_pool": v, "table": ints(pages), "lens": ints(given)}, {},
            attend((6, 3), dense_places, dense_queries(q), [paged_entries(k, v, *s) for s in zip(pages, lengths)],
                   modify=tilt, mask=past))


def pages_of_one():
    pages, lengths, q_ends = [[3, 0, 5, 1], [0, GARBAGE, -5, 99]], [4, 1], [0, 2, 5]
    exists = used(1, *zip(pages, lengths))
    q = memory(1, (5, 4, 8))
    k, v = (memory(s, (7, 1, 2, 8), exists) for s in (2, 3))
    return ({"q": q, "k_pool": k, "v_pool": v, "table": ints(pages), "lens": ints([9 << 40, 1], "i64"),
             "q_ends": ints(q_ends)}, {},
            attend((5,), ragged_places(q_ends), ragged_entries(q, q, q_ends),
                   [paged_entries(k, v, *s) for s in zip(pages, lengths)], mask=past))


def latent_pages():
    pages, lengths = [[1, GARBAGE], [0, 1]], [3, 6]
    q, k = memory(1, (2, 1, 4, 8)), memory(2, (2, 4, 2, 8), used(4, *zip(pages, lengths)))
    expected = attend((2, 1), dense_places, dense_queries(q), [paged_entries(k, k, *s) for s in zip(pages, lengths)])
    return ({"q": q, "k_pool": k, "table": ints(pages), "lens": ints(lengths)}, {}, {"lse": expected["lse"]})


def page_runs():
    waste = [GARBAGE, GARBAGE]
    runs = [[[2, 1], [7, 3], waste],           # the last run longer than needed, and its second page partly used
            [[4, 2], waste, [-1, -1]],         # ends with a run
            [waste, waste, waste],             # nothing
            [[5, 0], [0, -3], [9, 1]],         # runs of no page, then one
            [[2, 1], [1, 1], [0, 1]]]          # asks for more than its runs hold
    given, lengths = [7, 8, 0, 3, 20], [7, 8, 0, 3, 12]
    pages = [[2, 7], [4, 5], [], [9], [2, 1, 0]]
    exists = used(4, *zip(pages, lengths))
    q = memory(1, (5, 2, 4, 8))
    k, v = (memory(s, (10, 4, 2, 8), exists) for s in (2, 3))
    return ({"q": q, "k_pool": k, "v_pool": v, "runs": ints(runs), "lens": ints(given)}, {},
            attend((5, 2), dense_places, dense_queries(q), [paged_entries(k, v, *s) for s in zip(pages, lengths)],
                   mask=past))


def shared(rows, name_rows):
    lengths = [5, 0, 3]
    q = memory(1, (6, 2, 4, 8))
    k, v = memory(2, (3, 5, 2, 8), lambda r, j: j < lengths[r]), memory(3, (3, 5, 2, 16), lambda r, j: j < lengths[r])
    arguments = {"q": q, "k": k, "v": v, "lens": ints(lengths)}
    if name_rows:
        arguments["rows"] = ints(rows)
    return (arguments, {},
            attend((6, 2), dense_places, dense_queries(q), [[entry(k, v, r, j) for j in range(lengths[r])] for r in rows],
                   mask=past, width=16))


def shared_evenly():
    return shared([0, 0, 1, 1, 2, 2], False)


def shared_rows():
    return shared([2, 0, 0, 1, 2, 0], True)


def shared_pages():
    pages, lengths, rows = [[1, 3], [2, GARBAGE]], [6, 3], [1, 0, 0]
    q = memory(1, (3, 1, 4, 8))
    k, v = (memory(s, (4, 4, 2, 8), used(4, *zip(pages, lengths))) for s in (2, 3))
    return ({"q": q, "k_pool": k, "v_pool": v, "table": ints(pages), "lens": ints(lengths), "rows": ints(rows)}, {},
            attend((3, 1), dense_places, dense_queries(q), [paged_entries(k, v, pages[r], lengths[r]) for r in rows]))


def beams():
    # Two requests of two beams. The beams of the first have one parent for their first tokens; one prompt is empty.
    prompt_lens, answer_lens = [3, 0], [3, 3, 0, 1]
    row_of = [[0, 0, 0], [0, 0, 1], [GARBAGE, -1, 3], [3, GARBAGE, 2]]
    q = memory(1, (4, 1, 4, 8))
    k0, v0 = (memory(s, (2, 4, 2, 8), lambda r, j: j < prompt_lens[r]) for s in (2, 3))
    k1, v1 = (memory(s, (4, 3, 2, 8), lambda r, j: j < answer_lens[r]) for s in (4, 5))
    keys = [[entry(k0, v0, b // 2, j) for j in range(prompt_lens[b // 2])] +
            [entry(k1, v1, row_of[b][j], j) for j in range(answer_lens[b])] for b in range(4)]
    return ({"q": q, "k0": k0, "v0": v0, "prompt_lens": ints(prompt_lens), "k1": k1, "v1": v1,
             "answer_lens": ints(answer_lens), "row_of": ints(row_of)}, {},
            attend((4, 1), dense_places, dense_queries(q), keys))


def three_places():
    pages, lengths = [[2, 0], [1, GARBAGE], [GARBAGE, GARBAGE]], [5, 4, 0]
    q = memory(1, (3, 2, 4, 8))
    k0, v0 = (memory(s, (1, 3, 2, 8), dtype="bf16") for s in (2, 3))
    k1, v1 = (memory(s, (3, 4, 2, 8), used(4, *zip(pages, lengths))) for s in (4, 5))
    k2, v2 = (memory(s, (3, 2, 2, 8)) for s in (6, 7))
    keys = [[entry(k0, v0, 0, j) for j in range(3)] + paged_entries(k1, v1, pages[b], lengths[b]) +
            [entry(k2, v2, b, j) for j in range(2)] for b in range(3)]
    return ({"q": q, "k0": k0, "v0": v0, "k_pool": k1, "v_pool": v1, "table": ints(pages), "lens": ints(lengths),
             "k_new": k2, "v_new": v2}, {},
            attend((3, 2), dense_places, dense_queries(q), keys, modify=tilt, mask=past))


def ragged_parts():
    q_ends, ends, new_ends = [0, 1, 4], [0, 5, 5], [0, 1, 4]
    q = memory(1, (4, 4, 8))
    k, v = (memory(s, (5, 2, 8)) for s in (2, 3))
    k_new, v_new = (memory(s, (4, 2, 8)) for s in (4, 5))
    keys = [a + b for a, b in zip(ragged_entries(k, v, ends), ragged_entries(k_new, v_new, new_ends))]
    return ({"q": q, "q_ends": ints(q_ends), "k": k, "v": v, "kv_ends": ints(ends), "k_new": k_new, "v_new": v_new,
             "new_ends": ints(new_ends)}, {},
            attend((4,), ragged_places(q_ends), ragged_entries(q, q, q_ends), keys, mask=past))


def evicted():
    lengths, now = [4, 6, 0], [40, 9, 3]
    positions = [[0, 3, 39, 41, GARBAGE, -1], [1, 2, 5, 8, 9, 10], [GARBAGE] * 6]
    q = memory(1, (3, 2, 4, 8))
    k, v = (memory(s, (3, 6, 2, 8), lambda b, j: j < lengths[b]) for s in (2, 3))
    keys = [[entry(k, v, b, j, position=positions[b][j]) for j in range(lengths[b])] for b in range(3)]
    return ({"q": q, "k": k, "v": v, "lens": ints(lengths), "positions": ints(positions), "now": ints(now)},
            {"left": 4},
            attend((3, 2), dense_places, dense_queries(q, [[n, n + 1] for n in now]), keys, modify=tilt, mask=near(4)))


def queries_placed():
    positions = [[-1, 0, 4], [2, 30, 31]]
    q, k, v = memory(1, (2, 3, 4, 8)), memory(2, (2, 5, 2, 8)), memory(3, (2, 5, 2, 8))
    return ({"q": q, "k": k, "v": v, "positions": ints(positions, "i64")}, {"left": 2},
            attend((2, 3), dense_places, dense_queries(q, positions), dense_queries_as_keys(k, v), mask=near(2)))


def dense_queries_as_keys(k, v):
    return [[entry(k, v, b, j) for j in range(k.shape[1])] for b in range(k.shape[0])]


def packed_positions():
    q_ends, ends = [0, 2, 2, 3], [0, 4, 5, 7]
    q_positions, kv_positions = [5, 9, 7, GARBAGE], [0, 4, 6, 9, 3, 6, 7, -1]
    q = memory(1, (4, 4, 8), lambda n: n < 3)
    k, v = (memory(s, (8, 2, 8), lambda n: n < 7) for s in (2, 3))
    return ({"q": q, "q_ends": ints(q_ends), "q_positions": ints(q_positions), "k": k, "v": v, "kv_ends": ints(ends),
             "kv_positions": ints(kv_positions)}, {"left": 3},
            attend((4,), ragged_places(q_ends), ragged_entries(q, q, q_ends, q_positions),
                   ragged_entries(k, v, ends, kv_positions), mask=near(3)))


def ring():
    q_first, first, second = [6, 0], [0, 4], [5, 1]
    q = memory(1, (2, 3, 4, 8))
    k, v = (memory(s, (2, 4, 2, 8)) for s in (2, 3))
    k2, v2 = (memory(s, (2, 3, 2, 8)) for s in (4, 5))
    keys = [[entry(k, v, b, j, position=first[b] + j) for j in range(4)] +
            [entry(k2, v2, b, j, position=second[b] + j) for j in range(3)] for b in range(2)]
    return ({"q": q, "k": k, "v": v, "k2": k2, "v2": v2, "q_first": ints(q_first), "kv_first": ints(first),
             "second_first": ints(second)}, {},
            attend((2, 3), dense_places, dense_queries(q, [[n, n + 1, n + 2] for n in q_first]), keys, mask=past))


def interpret(spec, folder, kernel, arguments, scalars, results, more=()):
    """Results by name of a call of the interpreter."""
    os.makedirs(folder, exist_ok=True)
    command = ["attnc", "--interpret", spec, "--kernel", kernel, *more]
    for name, tensor in arguments.items():
        write_npy(f"{folder}/{name}.npy", tensor)
        command += ["--input", f"{name}={folder}/{name}.npy"]
    for name, number in scalars.items():
        command += ["--scalar", f"{name}={number}"]
    for name in results:
        command += ["--output", f"{name}={folder}/result-{name}.npy"]
    subprocess.run(command, check=True)
    return {name: read_npy(f"{folder}/result-{name}.npy") for name in results}


def check(spec, folder, kernel):
    arguments, scalars, expected = globals()[kernel]()
    got = interpret(spec, folder, kernel, arguments, scalars, expected)
    faults = [(name, difference(got[name], wanted, 1e-12)) for name, wanted in expected.items()]
    return [f"@{kernel}: {name}: {fault}" for name, fault in faults if fault]


if __name__ == "__main__":
    check_kernels(check)
