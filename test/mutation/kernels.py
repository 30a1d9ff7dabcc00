# SPDX-License-Identifier: Apache-2.0
"""The kernels that are mutated: one per way of copying and shape of schedule, and problems that reach their ends.

Tiles are 64 queries by 32 keys, copied 16 rows at a time. A first problem has full and partial tiles, two of each, the
others end within the first 16 rows of a tile, after a full tile and with the only one. Allocations end with the last
row; behind a length nothing is defined. Kernels with roles have two warpgroups that multiply 64 queries each; their
first problem has enough full tiles for both stages of a ring to be used three times.
"""
import struct

CHAIN = """!x = tensor<?x?x1x64x{type}>
{types}attn.kernel @prefill(%q: !x, %k: !x, %v: !x{arguments}) -> (o: !x{results})
    schedule<block_q = 64, block_kv = 32, num_warps = 4, num_stages = {stages}> {{
{body}}}
"""
CAUSAL = """  %s = attn.scores %q, %k : !x, !x
  %m = attn.mask %s by @causal
  %p = attn.softmax %m
  %o = attn.output %p, %v : !x -> !x
  attn.return %o : !x
"""
WINDOW = """  %left = arith.constant 150 : index
  %s = attn.scores %q, %k : !x, !x
  %m = attn.mask %s by @sliding_window(%left) : index
  %p = attn.softmax %m
  %o = attn.output %p, %v : !x -> !x
  attn.return %o : !x
"""
DECODE = """!q = tensor<?x?x22x64xbf16>
!lse = tensor<?x?x22xf32>
!pool = tensor<?x16x2x64xbf16>
!table = tensor<?x?xi32>
!lens = tensor<?xi32>
attn.kernel @decode(%q: !q, %k: !pool, %v: !pool, %pages: !table, %kv_lens: !lens) -> (o: !q, lse: !lse)
    schedule<decode, num_splits = 5, block_q = 32, block_kv = 32, num_warps = 2, num_stages = 2, packed = 11> {
  %kv = attn.pages %k, %v[%pages, %kv_lens] : !pool, !pool [!table, !lens]
  %s = attn.scores %q, %kv : !q, !attn.seq
  %m = attn.modify %s by @far
  %p, %lse = attn.softmax %m -> !lse
  %o = attn.output %p, %kv : !attn.seq -> !q
  attn.return %o, %lse : !q, !lse
}
func.func @far(%s: f32, %b: index, %h: index, %q: index, %kv: index) -> f32 {
  %far = arith.constant -200.0 : f32
  %r = arith.addf %s, %far : f32
  return %r : f32
}
"""
LISTED = """  %s = attn.scores %q, %k : !x, !x
  %m = attn.mask %s by @seen(%columns, %n) : !list, !count
  %p = attn.softmax %m
  %o = attn.output %p, %v : !x -> !x
  attn.return %o : !x
"""
SEEN = """func.func @seen(%b: index, %h: index, %q: index, %kv: index, %columns: tensor<?x?xi32>, %n: tensor<?xi32>) -> i1 {
  %left = arith.constant 100 : index
  %age = arith.subi %q, %kv : index
  %past = arith.cmpi sge, %age, %zero : index
  %near = arith.cmpi slt, %age, %left : index
  %listed = attn.member %age of %columns[%b] count %n : tensor<?x?xi32> count tensor<?xi32>
  %either = arith.ori %near, %listed : i1
  %seen = arith.andi %past, %either : i1
  return %seen : i1
}
""".replace("  %age", "  %zero = arith.constant 0 : index\n  %age", 1)
LENGTHS = """  %kv = attn.dense %k, %v[%kv_lens] : !x, !x [!lens]
  %s = attn.scores %q, %kv : !x, !attn.seq
  %p, %lse = attn.softmax %s -> !lse
  %o = attn.output %p, %kv : !attn.seq -> !x
  attn.return %o, %lse : !x, !lse
"""
ALIBI = """  %s = attn.scores %q, %k : !x, !x
  %a = attn.modify %s by @alibi(%slopes) : !h
  %m = attn.mask %a by @causal
  %p = attn.softmax %m sink %sink : !h
  %o = attn.output %p, %v : !x -> !x
  attn.return %o : !x
"""


def spec(body, type="bf16", types="", arguments="", results="", stages=1):
    return CHAIN.format(body=body, type=type, types=types, arguments=arguments, results=results, stages=stages)


def with_roles(text, head_dim=64):
    """The spec for two warpgroups that multiply 64 queries each, and one that copies for them."""
    text = text.replace("block_q = 64", "block_q = 128").replace("num_warps = 4", "num_warps = 8")
    return text.replace("x64x", f"x{head_dim}x")


class Problem:
    """Sizes, and lengths of sequences where the kernel takes them. `sim` is the order of events."""
    sim = "seed=0"

    def __init__(self, queries, keys, lengths=()):
        self.queries, self.keys, self.lengths = queries, keys, lengths

    def words(self, folder):
        words = ["--sizes", f"batch={max(1, len(self.lengths))},seq_q={self.queries},seq_kv={self.keys}"]
        if self.lengths:
            path = folder / f"lengths-{'-'.join(map(str, self.lengths))}.npy"
            path.write_bytes(array_of_int32(self.lengths))
            words += ["--input", f"kv_lens={path}"]
        return words

    def __str__(self):
        return f"{self.queries}x{self.keys}" + (f" of {list(self.lengths)}" if self.lengths else "")


def array_of_int32(values, shape=None):
    header = f"{{'descr': '<i4', 'fortran_order': False, 'shape': {shape or (len(values),)}, }}"
    header += " " * (-(len(header) + 11) % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + struct.pack(f"<{len(values)}i", *values)


class Pages(Problem):
    """Lengths of sequences whose keys lie in pages of 16, in tables of so many slots. No table holds page 0, where no key
    exists, and what no sequence uses of a table is no page."""

    def __init__(self, queries, slots, *lengths):
        self.queries, self.slots, self.lengths = queries, slots, lengths

    def words(self, folder):
        used = [(min(max(length, 0), 16 * self.slots) + 15) // 16 for length in self.lengths]
        pages = list(range(1, sum(used) + 1))[::-1]
        table = [[pages.pop() for _ in range(count)] + [2147480000] * (self.slots - count) for count in used]
        words = ["--sizes", f"batch={len(used)},seq_q={self.queries},max_pages={self.slots},"
                 f"pages={sum(used) + 1 if sum(used) else 0}"]
        for name, values, shape in (("kv_lens", self.lengths, (len(used),)),
                                    ("pages", [page for row in table for page in row], (len(used), self.slots))):
            path = folder / f"{name}-{'-'.join(map(str, self.lengths))}.npy"
            path.write_bytes(array_of_int32(values, shape))
            words += ["--input", f"{name}={path}"]
        return words

    def __str__(self):
        return f"{self.queries} to {list(self.lengths)} in {self.slots} pages"


class Columns(Problem):
    """Sizes, and for each sequence the columns, or the distances, that are listed."""

    def __init__(self, queries, keys, *columns, seed=1):
        super().__init__(queries, keys)
        self.sim = f"seed={seed}"
        self.columns = [list(each) for each in columns]

    def words(self, folder):
        most = max(map(len, self.columns)) + 2
        rows = [each + [2147480000] * (most - len(each)) for each in self.columns]
        counts = [len(each) for each in self.columns]
        words = ["--sizes", f"batch={len(rows)},seq_q={self.queries},seq_kv={self.keys},most={most}"]
        for name, values, shape in (("columns", [column for row in rows for column in row], (len(rows), most)),
                                    ("n", counts, None)):
            path = folder / f"{name}-{self.keys}-{'-'.join(map(str, counts))}.npy"
            path.write_bytes(array_of_int32(values, shape))
            words += ["--input", f"{name}={path}"]
        return words

    def __str__(self):
        return f"{self.queries}x{self.keys} with {[len(each) for each in self.columns]} columns"


class Kernel:
    """What is mutated is the entry of one step, counted from 0, where there are several, or of one that makes a list of
    its tiles the part that does."""

    def __init__(self, name, text, problems, target="sm_80", unaligned=False, one_partial_tile=False, step=None,
                 listed=False):
        self.name, self.text, self.problems, self.target = name, text, problems, target
        self.unaligned, self.one_partial_tile, self.step, self.listed = unaligned, one_partial_tile, step, listed


SHORT = [Problem(5, 39), Problem(5, 7), Problem(37, 3), Problem(1, 32), Problem(5, 0)]
LENGTH = {"types": "!lens = tensor<?xi32>\n!lse = tensor<?x?x1xf32>\n", "arguments": ", %kv_lens: !lens",
          "results": ", lse: !lse"}
LIST = {"types": "!list = tensor<?x?xi32, #attn.dims<batch, most>>\n!count = tensor<?xi32, #attn.dims<batch>>\n",
        "arguments": ", %columns: !list, %n: !count"}
COLUMNS = [Columns(58, 390, [3, 40, *range(96, 130), 200], []), Columns(20, 420, range(0, 300, 2)),
           Columns(20, 420, range(0, 300, 2), seed=1),
           Columns(5, 39, [1]),
           Columns(37, 3, [0, 1, 2]), Columns(5, 0, []),
           Columns(3, 1130, [5, 700])]
PAGES = [Pages(3, 4, 64), Pages(1, 0, 0), Pages(1, 2, 32), Pages(2, 9, 1, -3, 330), Pages(1, 21, 325, 160)]
KERNELS = [
    Kernel("causal", spec(CAUSAL), [Problem(58, 122), *SHORT]),
    Kernel("window", spec(WINDOW), [Problem(58, 250), *SHORT]),
    Kernel("lengths", spec(LENGTHS, **LENGTH),
           [Problem(58, 122, (122,)), Problem(5, 60, (42, 7)), Problem(5, 39, (39,)), Problem(5, 7, (7,)),
            Problem(37, 20, (3, 0)), Problem(1, 32, (32,))], one_partial_tile=True),
    Kernel("unaligned", spec(CAUSAL), [Problem(58, 122), *SHORT], unaligned=True),
    Kernel("stages", spec(CAUSAL, stages=2), [Problem(58, 122), *SHORT, Problem(58, 150)]),
    Kernel("alibi", spec(ALIBI, type="f16", types="!h = tensor<1xf32>\n", arguments=", %slopes: !h, %sink: !h"),
           [Problem(58, 122), *SHORT]),
    Kernel("roles-causal", with_roles(spec(CAUSAL, stages=2), 128),
           [Problem(70, 270), Problem(130, 130), Problem(37, 3), Problem(1, 64), Problem(5, 0)], "sm_90a"),
    Kernel("roles-lengths", with_roles(spec(LENGTHS, stages=2, **LENGTH)),
           [Problem(70, 230, (202,)), Problem(130, 150, (150, 32)), Problem(13, 60, (33, 7)), Problem(5, 70, (64,)),
            Problem(37, 20, (3, 0))], "sm_90a", one_partial_tile=True),
    Kernel("listed", spec(LISTED, **LIST) + SEEN, COLUMNS, listed=True),
    Kernel("roles-listed", with_roles(spec(LISTED, stages=2, **LIST)) + SEEN, COLUMNS, "sm_90a", listed=True),
    *(Kernel(f"{name}-{target}", DECODE, PAGES, target, step=step)
      for target in ("sm_80", "sm_90a") for step, name in enumerate(("decode", "merge"))),
]
