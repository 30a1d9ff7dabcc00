# SPDX-License-Identifier: Apache-2.0
"""usage: specs.py SPECS FOLDER: the ready specs of the folder SPECS whose entries lie in several places, on a few tokens
against attention over lists of entries. Each also compiles, or the compiler says that it has no lowering."""
import subprocess
import sys

sys.dont_write_bytecode = True
from reference import Tensor, difference  # noqa: E402
from sequences import (GARBAGE, attend, dense_places, dense_queries, entry, ints, interpret, memory,  # noqa: E402
                       paged_entries, past, ragged_entries, ragged_places, used)

SIZE = 128
PAGES = [[4, 1, GARBAGE], [GARBAGE] * 3, [1, 3, 5]]
LENGTHS = [17, 0, 33]


def pools():
    """Pages of 16 tokens of 8 heads, one of them in common, and their table."""
    exists = used(16, *zip(PAGES, LENGTHS))
    k, v = (memory(s, (7, 16, 8, SIZE), exists, "bf16") for s in (2, 3))
    keys = [paged_entries(k, v, *s) for s in zip(PAGES, LENGTHS)]
    return {"k_pool": k, "v_pool": v, "page_table": ints(PAGES), "kv_lens": ints(LENGTHS)}, keys


def paged(heads, queries, mask=None):
    arguments, keys = pools()
    q = memory(1, (3, queries, heads, SIZE), dtype="bf16")
    return {"q": q, **arguments}, attend((3, queries), dense_places, dense_queries(q), keys, mask=mask, width=SIZE,
                                         heads=heads, group=heads // 8)


def decode_step():
    """The last entry of each sequence is given as the new one, and what is expected is that it is in the cache."""
    arguments, expected = paged(32, 1)
    for name, new in (("k_pool", "k_new"), ("v_pool", "v_new")):
        pool, row = arguments[name], 8 * SIZE
        fresh, old = [float("nan")] * (3 * row), list(pool.values)
        for b, (pages, length) in enumerate(zip(PAGES, LENGTHS)):
            if length:
                at = (pages[(length - 1) // 16] * 16 + (length - 1) % 16) * row
                fresh[b * row:(b + 1) * row] = pool.values[at:at + row]
                old[at:at + row] = [float("nan")] * row
        arguments[new], arguments[name] = Tensor((3, 1, 8, SIZE), fresh, "bf16"), Tensor(pool.shape, old, "bf16")
    return arguments, expected


def shared_prefix():
    arguments, keys = pools()
    arguments["page_lens"] = arguments.pop("kv_lens")
    k, v = (memory(s, (1, 5, 8, SIZE), dtype="bf16") for s in (4, 5))
    prefix = [entry(k, v, 0, j) for j in range(5)]
    q = memory(1, (3, 1, 32, SIZE), dtype="bf16")
    return ({"q": q, "k_prefix": k, "v_prefix": v, **arguments},
            attend((3, 1), dense_places, dense_queries(q), [prefix + own for own in keys], width=SIZE, heads=32, group=4))


def beam_search():
    prompt_lens, response_lens = [3, 1], [2, 2, 0, 1]
    row_of = [[1, 0], [1, 1], [GARBAGE, GARBAGE], [3, GARBAGE]]
    q = memory(1, (4, 1, 16, SIZE), dtype="f16")
    k0, v0 = (memory(s, (2, 4, 16, SIZE), lambda r, j: j < prompt_lens[r], "f16") for s in (2, 3))
    k1, v1 = (memory(s, (4, 2, 16, SIZE), lambda r, j: j < response_lens[r], "f16") for s in (4, 5))
    keys = [[entry(k0, v0, b // 2, j) for j in range(prompt_lens[b // 2])] +
            [entry(k1, v1, row_of[b][j], j) for j in range(response_lens[b])] for b in range(4)]
    return ({"q": q, "k_prompt": k0, "v_prompt": v0, "prompt_lens": ints(prompt_lens), "k_response": k1,
             "v_response": v1, "response_lens": ints(response_lens), "row_of": ints(row_of)},
            attend((4, 1), dense_places, dense_queries(q), keys, width=SIZE, heads=16, group=1))


def ragged():
    q_ends, kv_ends = [0, 2, 2, 5], [0, 3, 4, 10]
    q = memory(1, (6, 32, SIZE), lambda n: n < 5, "bf16")
    k, v = (memory(s, (11, 8, SIZE), lambda n: n < 10, "bf16") for s in (2, 3))
    return ({"q": q, "k": k, "v": v, "qo_indptr": ints(q_ends), "kv_indptr": ints(kv_ends)},
            attend((6,), ragged_places(q_ends), ragged_entries(q, q, q_ends), ragged_entries(k, v, kv_ends), mask=past,
                   width=SIZE, heads=32, group=4))


KERNELS = {
    ("llama3_paged_decode", "llama3_8b_paged_decode"): lambda: paged(32, 1),
    ("llama3_paged_decode", "llama3_70b_paged_decode"): lambda: paged(64, 1),
    ("llama3_chunked_prefill", "llama3_chunked_prefill"): lambda: paged(32, 3, past),
    ("llama3_verify", "llama3_verify"): lambda: paged(32, 5, past),
    ("llama3_decode_step", "llama3_decode_step"): decode_step,
    ("llama3_shared_prefix_decode", "llama3_shared_prefix_decode"): shared_prefix,
    ("beam_search", "beam_search"): beam_search,
    ("llama3_ragged_prefill", "llama3_ragged_prefill"): ragged,
}


def main():
    specs, folder = sys.argv[1:]
    faults = []
    for (spec, kernel), case in KERNELS.items():
        arguments, expected = case()
        results = ["o", "lse"] if kernel == "llama3_ragged_prefill" else ["o"]
        got = interpret(f"{specs}/{spec}.mlir", f"{folder}/{kernel}", kernel, arguments, {}, results)
        faults += [f"@{kernel}: {name}: {fault}" for name in results
                   if (fault := difference(got[name], expected[name], 1e-12))]
    for spec in dict.fromkeys(spec for spec, _ in KERNELS):
        for target in ("sm_80", "sm_90a"):
            ran = subprocess.run(["attnc", f"{specs}/{spec}.mlir", "--target", target, "-o", f"{folder}/{spec}.ptx"],
                                 capture_output=True, text=True)
            lines = [line for line in ran.stderr.splitlines() if " error: " in line]
            if ran.returncode and not (ran.returncode == 1 and lines and all("lower" in line for line in lines)):
                faults.append(f"{spec} for {target}: status {ran.returncode}: {ran.stderr}")
    print("\n".join(faults) or f"{len(KERNELS)} kernels agree")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
