# SPDX-License-Identifier: Apache-2.0
"""usage: caches.py SPEC.mlir FOLDER: merges and appends of the interpreter against their definition. Merges are held to
1e-6 of each other in every order, the results of appends are compared bit by bit."""
import math
import random
import sys
from itertools import permutations, product

sys.dont_write_bytecode = True
from reference import Tensor, difference, f32  # noqa: E402
from sequences import GARBAGE, attend, dense_places, dense_queries, entry, ints, interpret, memory, past, used  # noqa

NAN, INF = math.nan, math.inf
FAULTS = []


def expect(what, got, wanted, tolerance=0.0):
    fault = difference(got, wanted, tolerance)
    if fault:
        FAULTS.append(f"{what}: {fault}")


def joined(parts, sink=None):
    """The definition, element by element. A part is (output, lse); one that saw no key may hold anything."""
    shape = parts[0][1].shape
    o, lse = [], []
    for n in range(math.prod(shape)):
        seen = [(out.values[n * 8:n * 8 + 8], stat.values[n]) for out, stat in parts if stat.values[n] != -INF]
        terms = [s for _, s in seen] + ([sink[n % shape[-1]]] if sink else [])
        top = max(terms, default=-INF)
        lse.append(top if top == -INF else top + math.log(math.fsum(math.exp(s - top) for s in terms)))
        o += [math.fsum(math.exp(s - lse[n]) * out[e] for out, s in seen) for e in range(8)]
    return Tensor((*shape, 8), o), Tensor(shape, lse)


def partial(seed, shape, gone=(), kind="f32"):
    """Random outputs and lse; where `gone`, the lse is -inf and the output NaN: no key, so nothing to read."""
    numbers = random.Random(seed)
    o = memory(seed, (*shape, 8), dtype=kind)
    lse = [f32(numbers.uniform(-30, 30)) for _ in range(math.prod(shape))]
    for n in gone:
        lse[n] = -INF
        o.values[n * 8:n * 8 + 8] = [NAN] * 8
    return o, Tensor(shape, lse)


def stacked(parts):
    return tuple(Tensor((len(parts), *parts[0][i].shape), sum((part[i].values for part in parts), []), parts[0][i].dtype)
                 for i in (0, 1))


def merges(spec, folder):
    shape = (2, 3, 2)
    parts = [partial(s, shape, gone) for s, gone in enumerate([[0, 5], [0, 5, 7], [5, 6]])]
    empty = (Tensor((*shape, 8), [0.0] * 96), Tensor(shape, [-INF] * 12))
    stack = stacked(parts)

    def two(a, b, name):
        return tuple(interpret(spec, f"{folder}/{name}", "two",
                               {"o1": a[0], "o2": b[0], "lse1": a[1], "lse2": b[1]}, {}, ["o", "lse"]).values())

    for name, got, wanted in [("two", two(parts[0], parts[1], "two"), joined(parts[:2])),
                              ("identity", two(parts[0], empty, "right"), joined(parts[:1])),
                              ("identity", two(empty, parts[0], "left"), joined(parts[:1]))]:
        expect(f"{name}: o", got[0], wanted[0], 1e-12)
        expect(f"{name}: lse", got[1], wanted[1], 1e-12)
    o, lse = joined(parts)
    got = interpret(spec, f"{folder}/stack", "stack", {"os": stack[0], "lses": stack[1]}, {}, ["o", "lse"])
    expect("stack: o", got["o"], o, 1e-12)
    expect("stack: lse", got["lse"], lse, 1e-12)
    # What is merged twice went through a file of 32 bits in between.
    for n, (a, b, c) in enumerate(permutations(parts)):
        ab = tuple(Tensor(t.shape, map(f32, t.values)) for t in two(a, b, f"once{n}"))
        again = two(ab, c, f"twice{n}")
        expect(f"order {n}: o", again[0], o, 1e-6)
        expect(f"order {n}: lse", again[1], lse, 1e-6)
    sink = [0.5, -INF]
    for count in (0, 1, 3):
        some = stacked(parts[:count]) if count else (Tensor((0, *shape, 8), []), Tensor((0, *shape), []))
        arguments = {"os": some[0], "lses": some[1], "o1": parts[1][0], "lse1": parts[1][1], "sink": Tensor((2,), sink)}
        got = interpret(spec, f"{folder}/sink{count}", "stack_and_one", arguments, {}, ["o", "lse"])
        o, lse = joined([*parts[:count], parts[1]], sink)
        expect(f"sink {count}: o", got["o"], o, 1e-12)
        expect(f"sink {count}: lse", got["lse"], lse, 1e-12)
        rows = interpret(spec, f"{folder}/rows{count}", "stack_and_one", arguments, {}, ["o"], ["--rows", "1"])
        for (b, i, h, e) in product(range(2), range(3), range(2), range(8)):
            x = rows["o"][b, i, h, e]
            if x != got["o"][b, i, h, e] if i == 1 else not math.isnan(x):
                FAULTS.append(f"rows: element {b}, {i}, {h}, {e} is {x}")
    packed = [partial(s, (4, 2), gone, "bf16") for s, gone in enumerate([[0], [], [0, 3]])]
    stack = stacked(packed)
    got = interpret(spec, f"{folder}/packed", "packed", {"os": stack[0], "lses": stack[1]}, {}, ["o"])
    expect("packed: o", got["o"], joined(packed)[0], 1e-12)


def put(tensor, where, vectors):
    at = 0
    for size, n in zip(tensor.shape, where):
        at = at * size + n
    flat = [x for vector in vectors for x in vector]
    tensor.values[at * len(flat):(at + 1) * len(flat)] = flat


def copy(tensor):
    return Tensor(tensor.shape, tensor.values, tensor.dtype)


PAGES = [[3, 1, GARBAGE], [0, 2, 5], [GARBAGE] * 3, [4, GARBAGE, GARBAGE]]
GIVEN, LENGTHS = [6, 300, 0, 1], [6, 12, 0, 1]     # one is clamped; one is shorter than what is appended


def pools():
    exists = used(4, *zip(PAGES, LENGTHS))
    return {"k_pool": memory(2, (7, 4, 2, 8), exists), "v_pool": memory(3, (7, 4, 2, 8), exists),
            "table": ints(PAGES), "lens": ints(GIVEN)}


def written(before, new, counts, at):
    """The pool after entries `at(b, i)` of `new`, counts[b] of them, went to the end of each sequence."""
    after = copy(before)
    for b, count in enumerate(counts):
        for i in range(count):
            j = LENGTHS[b] - count + i
            if j >= 0:
                put(after, (PAGES[b][j // 4], j % 4), entry(new, new, *at(b, i)).key)
    return after


def appends(spec, folder):
    cache = pools()
    new = {"k_new": memory(4, (4, 2, 2, 8)), "v_new": memory(5, (4, 2, 2, 8))}
    after = {f"{x}_pool": written(cache[f"{x}_pool"], new[f"{x}_new"], [2] * 4, lambda b, i: (b, i)) for x in "kv"}
    got = interpret(spec, f"{folder}/append_pages", "append_pages", cache | new, {}, after)
    for name, tensor in after.items():
        expect(f"append_pages: {name}", got[name], tensor)
    # The same call over the cache as it is then must give the same bits, and the right ones.
    q = {"q": memory(1, (4, 3, 4, 8))}
    both = interpret(spec, f"{folder}/append_then_attend", "append_then_attend", q | cache | new, {},
                     ["o", "lse", *after])
    alone = interpret(spec, f"{folder}/attend", "attend", q | cache | after, {}, ["o", "lse"])
    keys = [[entry(after["k_pool"], after["v_pool"], PAGES[b][j // 4], j % 4) for j in range(LENGTHS[b])]
            for b in range(4)]
    wanted = attend((4, 3), dense_places, dense_queries(q["q"]), keys, mask=past)
    for name in ("o", "lse"):
        expect(f"append_then_attend: {name}", both[name], alone[name])
        expect(f"attend: {name}", alone[name], wanted[name], 1e-12)
    expect("append_then_attend: k_pool", both["k_pool"], after["k_pool"])
    ends = [0, 3, 4, 4, 7]
    new = {"k_new": memory(6, (8, 2, 8)), "v_new": memory(7, (8, 2, 8))}
    got = interpret(spec, f"{folder}/append_ragged", "append_ragged", cache | new | {"new_ends": ints(ends)}, {}, after)
    counts = [b - a for a, b in zip(ends, ends[1:])]
    for x in "kv":
        tensor = written(cache[f"{x}_pool"], new[f"{x}_new"], counts, lambda b, i: (ends[b] + i,))
        expect(f"append_ragged: {x}_pool", got[f"{x}_pool"], tensor)


def dense_appends(spec, folder):
    lengths = [5, 2, 1]
    cache = memory(1, (3, 5, 2, 8), lambda b, j: j < lengths[b] - 2)
    new = memory(2, (3, 2, 2, 8))
    after = copy(cache)
    for b, i in product(range(3), range(2)):
        if lengths[b] - 2 + i >= 0:
            put(after, (b, lengths[b] - 2 + i), entry(new, new, b, i).key)
    got = interpret(spec, f"{folder}/append_dense", "append_dense", {"new": new, "cache": cache, "lens": ints([9, 2, 1])},
                    {}, ["cache"])
    expect("append_dense: cache", got["cache"], after)
    full = memory(3, (3, 5, 2, 8))
    q = memory(4, (3, 2, 4, 8))
    got = interpret(spec, f"{folder}/lse_before", "lse_before",
                    {"q": q, "k_new": new, "cache": full, "lens": ints(lengths)}, {}, ["lse"])
    keys = [[entry(full, full, b, j) for j in range(lengths[b])] for b in range(3)]
    expect("lse_before: lse", got["lse"], attend((3, 2), dense_places, dense_queries(q), keys)["lse"], 1e-12)
    into, v = memory(5, (3, 4, 4, 8)), memory(6, (3, 5, 2, 8))
    got = interpret(spec, f"{folder}/append_the_result", "append_the_result",
                    {"q": q, "k": full, "v": v, "into": into, "lens": ints([4, 2, 3])}, {}, ["o", "into"])
    after = copy(into)
    for (b, length), i in product(enumerate([4, 2, 3]), range(2)):
        put(after, (b, length - 2 + i), [[f32(x) for x in head] for head in entry(got["o"], got["o"], b, i).key])
    expect("append_the_result: into", got["into"], after)


def main():
    spec, folder = sys.argv[1:]
    merges(spec, folder)
    appends(spec, folder)
    dense_appends(spec, folder)
    print("\n".join(FAULTS) or "merges and appends agree")
    sys.exit(1 if FAULTS else 0)


if __name__ == "__main__":
    main()
