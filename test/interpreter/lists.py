# SPDX-License-Identifier: Apache-2.0
"""usage: lists.py SPEC.mlir FOLDER: masks that ask lists, against sets that plain Python makes of the lists' used parts.
What is unused holds numbers that would show keys if it were read."""
import sys

sys.dont_write_bytecode = True
from clauses import Case, causal, check  # noqa: E402
from reference import Tensor, check_kernels  # noqa: E402

GARBAGE = 2147480000


def flat(rows):
    return [x for row in rows for x in (flat(row) if isinstance(row, list) else [row])]


def shape(rows):
    return [len(rows), *shape(rows[0])] if isinstance(rows, list) else []


def tensor(rows, dtype="i32"):
    return Tensor(shape(rows), flat(rows), dtype)


def padded(numbers, size):
    """A row: its numbers, then what must not be read."""
    return list(numbers) + [n % 3 for n in range(size - len(numbers))]


Q, K = (2, 7, 2, 8), (2, 10, 2, 8)
# [batch][head][row of three queries]: blocks of three keys; the last ones name no key, one row has no block.
FULL = [[[{0}, {1, 3}, {0, 99}], [{2}, {0, 1, 2, 3}, {-1, 0}]], [[{1}, {3}, {-5, 2}], [{0}, set(), {1, 2}]]]
PARTIAL = [[[{1, 3}, {2}, {3}], [{0}, {3}, set()]], [[{0, 1, 2, 3}, {0, 2}, {0}], [set(), {1}, {3, 7}]]]


def block_lists(sets, size=5):
    return tensor([[[padded(sorted(row), size) for row in head] for head in batch] for batch in sets])


def block_counts(sets):
    return tensor([[[len(row) for row in head] for head in batch] for batch in sets])


def block_sparse():
    def visible(b, h, q, kv, row, column):
        return kv // 3 in FULL[b][h][row // 3] or (kv // 3 in PARTIAL[b][h][row // 3] and kv <= q)
    return Case(Q, K, mask=[visible], tensors={
        "full_idx": block_lists(FULL), "full_count": block_counts(FULL),
        "partial_idx": block_lists(PARTIAL), "partial_count": block_counts(PARTIAL)})


def block_csr():
    rows = [[0, 2], [], [1, 3, 4], [0, 1, GARBAGE]]
    ends = [1, 3, 3, 6, 9]  # the first row need not begin with the list
    return Case(Q, K, mask=[lambda b, h, q, kv, row, column: kv // 2 in rows[row // 2]], tensors={
        "ends": tensor(ends), "indices": tensor([7] + [x for row in rows for x in row] + [4, 3], "i64")})


def outside_csr():
    """Row ends before and behind the list, and ends that fall: what there is counts."""
    ends = [-4, 2, 1, 4, 1 << 30]
    rows = [[0, 2], [], [2, 4, 1], [3]]
    return Case(Q, K, mask=[lambda b, h, q, kv, row, column: kv // 2 in rows[row // 2]], tensors={
        "ends": tensor(ends), "indices": tensor([0, 2, 4, 1, 3], "i64")})


def span_csr():
    rows = [[(0, 2), (1, 7)], [], [(3, 3)], [(2, 5), (5, 6), (9, 40)], [(-3, 1), (0, 9), (4, 5)], [(8, 2)], [(0, 10)]]
    ends = [sum(map(len, rows[:r])) for r in range(8)]
    return Case(Q, K, mask=[lambda b, h, q, kv, row, column: any(a <= kv < e for a, e in rows[row])], tensors={
        "ends": tensor(ends), "spans": tensor([list(s) for row in rows for s in row] + [[0, 9]])})


def stripes_prefill():
    columns, slashes = [[1, 4, 8, 77], []], [[2, 5], [-2, 0, 3, 9]]
    def visible(b, h, q, kv, *where):
        return kv <= q and (kv in columns[h] or q - kv in slashes[h] or 0 <= q - kv <= 1)
    return Case((1, *Q[1:]), (1, *K[1:]), mask=[visible], scalars={"window_left": 1}, tensors={
        "columns": tensor([[padded(c, 6) for c in columns]]), "column_count": tensor([[4, -3]]),
        "slashes": tensor([[padded(s, 4) for s in slashes]], "i64"), "slash_count": tensor([[2, 9]], "i64")})


def span_decode():
    spans = [[[(0, 3)], [(1, 1), (4, 2)], [(0, 1), (1, 2), (6, 9)]], [[], [(0, 9)], [(5, 8), (6, 20)]]]
    def visible(b, h, q, kv, row, column):
        return kv == q or (kv <= q and any(a <= kv < e for a, e in spans[b][row]))
    rows = [[[list(s) for s in row] + [[0, 100]] * (3 - len(row)) for row in batch] for batch in spans]
    return Case((2, 3, 2, 8), (2, 8, 2, 8), mask=[visible], tensors={
        "spans": tensor(rows), "span_count": tensor([[len(row) for row in batch] for batch in spans])})


def mixed_heads(kinds):
    def visible(b, h, q, kv, row, column):
        streaming = (kv < 1 and kv <= q) or 0 <= q - kv <= 2
        return kinds[h] == 0 or (streaming if kinds[h] == 1 else kv // 3 in FULL[b][h][row // 3])
    return Case(Q, K, mask=[visible, causal], scalars={"first": 0}, tensors={
        "kinds": tensor(kinds), "blocks": block_lists(FULL), "block_count": block_counts(FULL)})


def recent_and_heavy():
    heavy = [[0, 3, 3, 1], [2, 5, 2, 9]]  # unsorted, and twice
    return Case((1, 2, 2, 8), (1, *K[1:]), scalars={"recent": 2}, tensors={
        "heavy": tensor([heavy]), "heavy_count": tensor([[3, 4]])},
                mask=[lambda b, h, q, kv, *w: q - kv < 2 or kv in heavy[h][:3 + h]])


def sampled_rows():
    return Case(Q, K, tensors={"rows": tensor([1, 4, 5, 6, 8])},
                mask=[lambda b, h, q, kv, row, column: (row in (1, 4, 5, 6)) != (kv in (1, 4, 5, 6, 8))])


def no_rows():
    return Case(Q, K, tensors={"rows": Tensor((0,), [], "i32")}, mask=[lambda *where: False])


CASES = {"block_sparse": [block_sparse()], "block_csr": [block_csr(), outside_csr()], "span_csr": [span_csr()],
         "stripes_prefill": [stripes_prefill()], "span_decode": [span_decode()],
         "mixed_heads": [mixed_heads([0, 2]), mixed_heads([2, 1])], "recent_and_heavy": [recent_and_heavy()],
         "sampled_rows": [sampled_rows(), no_rows()]}


def check_cases(spec, folder, kernel):
    return [fault for n, case in enumerate(CASES[kernel]) for fault in check(spec, f"{folder}{n}", kernel, case)]


if __name__ == "__main__":
    check_kernels(check_cases)
