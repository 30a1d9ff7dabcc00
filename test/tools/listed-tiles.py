# SPDX-License-Identifier: Apache-2.0
"""Counts the tiles that kernels with masks by lists, remainders and values of rows visit, and those that they mask, against
every pair of a mask.

usage: listed-tiles.py FOLDER

Each mask is a function in a spec and the same in Python. `exact` masks must visit the tiles that have a visible pair
and mask those of them that have a hidden one as well; the others must visit these tiles, and may mask more.
"""
import os
import random
import re
import struct
import subprocess
import sys

HEADS = 2


def save(path, shape, values):
    """An array of i32 as a .npy file."""
    header = "{'descr': '<i4', 'fortran_order': False, 'shape': (%s), }" % "".join("%d," % n for n in shape)
    header += " " * (63 - (10 + len(header)) % 64) + "\n"
    with open(path, "wb") as file:
        file.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode())
        file.write(struct.pack("<%di" % len(values), *values))


class Lists:
    """Rows of increasing numbers, as many as the product of `shape`; of pairs where `ranges` is set."""

    def __init__(self, name, shape, limit, most, draw, ranges=False):
        self.name, self.shape, self.most, self.ranges = name, shape, most, ranges
        count = 1
        for n in shape:
            count *= n
        self.rows = [draw(limit, most) for _ in range(count)]

    def row(self, *place):
        index = 0
        for n, size in zip(place, self.shape):
            index = index * size + n
        return self.rows[index]

    def holds(self, number, *place):
        row = self.row(*place)
        return any(a <= number < b for a, b in row) if self.ranges else number in row

    def types(self):
        sizes = "x".join(["?"] * len(self.shape))
        entries = f"tensor<{sizes}x?{'x2' if self.ranges else ''}xi32, #attn.dims<"
        names = ", ".join(f"{self.name}_{i}" for i in range(len(self.shape)))
        ends = ", ends" if self.ranges else ""
        return {self.name: f"{entries}{names}, most_{self.name}{ends}>>",
                f"{self.name}_count": f"tensor<{sizes}xi32, #attn.dims<{names}>>"}

    def plain(self):
        sizes = "x".join(["?"] * len(self.shape))
        return {self.name: f"tensor<{sizes}x?{'x2' if self.ranges else ''}xi32>",
                f"{self.name}_count": f"tensor<{sizes}xi32>"}

    def member(self, number, *row):
        types = self.plain()
        return (f"attn.member {number} of %{self.name}[{', '.join(row)}] count %{self.name}_count : {types[self.name]}"
                f" count {types[self.name + '_count']}")

    def write(self, folder):
        garbage = 2147480000
        flat = []
        for row in self.rows:
            filled = row + [(garbage, -garbage) if self.ranges else garbage] * (self.most - len(row))
            flat += [x for pair in filled for x in pair] if self.ranges else filled
        save(f"{folder}/{self.name}.npy", [*self.shape, self.most] + ([2] if self.ranges else []), flat)
        save(f"{folder}/{self.name}_count.npy", self.shape, [len(row) for row in self.rows])


class Values:
    """A number for each entry of a sequence."""

    def __init__(self, name, numbers):
        self.name, self.numbers = name, numbers

    def types(self):
        return {self.name: f"tensor<?xi32, #attn.dims<most_{self.name}>>"}

    def plain(self):
        return {self.name: "tensor<?xi32>"}

    def load(self, name, at, promise=""):
        return f"{name} = tensor.extract %{self.name}[{at}] {promise} : tensor<?xi32>"

    def write(self, folder):
        save(f"{folder}/{self.name}.npy", [len(self.numbers)], self.numbers)


def rising(length):
    own = random.Random(length)
    numbers, number = [], own.randint(-3, 3)
    for _ in range(length):
        number += own.random() < 0.03
        numbers.append(number)
    return numbers


def sparse(limit, most):
    chance = random.choice([0, 0.02, 0.1, 0.5, 1])
    return [i for i in range(limit) if random.random() < chance][:most]


def spans(limit, most):
    begins = sorted(random.sample(range(limit), min(most, limit)))[:random.randint(0, most)]
    return [(a, a + random.choice([0, 1, 20, 90])) for a in begins]


def masks(length, block):
    """Name, lists, lines of the function (the last defines %visible), the same in Python, and whether it is exact."""
    blocks = (length + block - 1) // block
    numbers = [f"%size = arith.constant {block} : index", "%row = attn.row",
               "%i = arith.floordivsi %row, %size : index", "%j = arith.floordivsi %kv, %size : index"]
    columns = Lists("columns", [HEADS], length, length, sparse)
    # Listed columns are gathered: nothing is visible without them, and with them everything.
    yield ("columns", [columns], [f"%visible = {columns.member('%kv', '%h')}"], lambda h, q, k: False, True,
           lambda h, row: (columns.rows[h], True))

    yes = "%yes = arith.constant true"
    yield ("not_columns", [columns], [f"%listed = {columns.member('%kv', '%h')}", yes,
                                      "%visible = arith.xori %listed, %yes : i1"],
           lambda h, q, k: not columns.holds(k, h), True)

    slashes = Lists("slashes", [HEADS], length, 8, sparse)
    distance = "%d = arith.subi %q, %kv : index"
    yield ("slashes", [slashes], [distance, f"%visible = {slashes.member('%d', '%h')}"],
           lambda h, q, k: slashes.holds(q - k, h), True)

    yield ("stripes", [columns, slashes],
           [distance, f"%column = {columns.member('%kv', '%h')}", f"%slash = {slashes.member('%d', '%h')}",
            "%width = arith.constant 9 : index", "%near = arith.cmpi slt, %d, %width : index",
            "%stripe = arith.ori %column, %slash : i1", "%any = arith.ori %stripe, %near : i1",
            "%past = arith.cmpi sle, %kv, %q : index", "%visible = arith.andi %any, %past : i1"],
           lambda h, q, k: k <= q and not columns.holds(k, h) and (q - k < 9 or slashes.holds(q - k, h)), False,
           lambda h, row: ([k for k in columns.rows[h] if k <= row], False))

    full, part = (Lists(name, [HEADS, blocks], blocks, blocks, sparse) for name in ("full", "part"))
    yield ("blocks", [full, part],
           numbers + [f"%in_full = {full.member('%j', '%h', '%i')}", f"%in_part = {part.member('%j', '%h', '%i')}",
                      "%past = arith.cmpi sle, %kv, %q : index", "%edge = arith.andi %in_part, %past : i1",
                      "%visible = arith.ori %in_full, %edge : i1"],
           lambda h, q, k: full.holds(k // block, h, q // block)
           or (k <= q and part.holds(k // block, h, q // block)), False)

    yield ("one_block_list", [full], numbers + [f"%visible = {full.member('%j', '%h', '%i')}"],
           lambda h, q, k: full.holds(k // block, h, q // block), True)

    # Without a list: several ranges of columns.
    yield ("first_and_near", [],
           ["%four = arith.constant 4 : index", "%near = arith.constant 20 : index", distance,
            "%early = arith.cmpi slt, %kv, %four : index", "%close = arith.cmpi sle, %d, %near : index",
            "%past = arith.cmpi sle, %kv, %q : index", "%either = arith.ori %early, %close : i1",
            "%visible = arith.andi %either, %past : i1"],
           lambda h, q, k: k <= q and (k < 4 or q - k <= 20), True)

    # FlashAttention's butterfly: the numbers of two blocks differ in one bit at most.
    yield ("butterfly", [],
           [f"%size = arith.constant {block} : index", "%one = arith.constant 1 : index",
            "%i = arith.floordivsi %q, %size : index", "%j = arith.floordivsi %kv, %size : index",
            "%diff = arith.xori %i, %j : index", "%bits = math.ctpop %diff : index",
            "%visible = arith.cmpi sle, %bits, %one : index"],
           lambda h, q, k: bin((q // block) ^ (k // block)).count("1") <= 1, True)

    # Remainders that a whole tile may do without.
    yield ("strided", [], ["%size = arith.constant 100 : index", "%last = arith.constant 92 : index",
                           "%rest = arith.remsi %kv, %size : index", "%visible = arith.cmpi sge, %rest, %last : index"],
           lambda h, q, k: k % 100 >= 92, True)

    yield ("dilated", [], ["%size = arith.constant 200 : index", "%zero = arith.constant 0 : index", distance,
                           "%rest = arith.remsi %d, %size : index", "%visible = arith.cmpi eq, %rest, %zero : index"],
           lambda h, q, k: (q - k) % 200 == 0, True)

    ids = Values("ids", rising(length))
    yield ("documents", [ids], ["%row = attn.row", ids.load("%mine", "%row", "{attn.sorted}"),
                                ids.load("%theirs", "%kv", "{attn.sorted}"),
                                "%visible = arith.cmpi eq, %theirs, %mine : i32"],
           lambda h, q, k: ids.numbers[q] == ids.numbers[k], True)

    # From a start to an end for each row, which here rise so slowly that they leave no gaps.
    starts = Values("starts", [max(0, row - 40) // 7 * 7 for row in range(length)])
    ends = Values("ends", [start + 30 for start in starts.numbers])
    yield ("from_start_to_end", [starts, ends],
           ["%row = attn.row", starts.load("%s", "%row"), ends.load("%e", "%row"),
            "%from = arith.index_cast %s : i32 to index", "%to = arith.index_cast %e : i32 to index",
            "%begun = arith.cmpi sge, %kv, %from : index", "%open = arith.cmpi slt, %kv, %to : index",
            "%visible = arith.andi %begun, %open : i1"],
           lambda h, q, k: starts.numbers[q] <= k < ends.numbers[q], True)

    ranges = Lists("ranges", [length], length, 3, spans, ranges=True)
    yield ("spans", [ranges], ["%row = attn.row", f"%visible = {ranges.member('%kv', '%row')}"],
           lambda h, q, k: ranges.holds(k, q), False)


def spec(lists, lines, schedule):
    types, plain = {}, {}
    for each in lists:
        types.update(each.types())
        plain.update(each.plain())
    arguments = "".join(f", %{name}: {kind}" for name, kind in types.items())
    parameters = "".join(f", %{name}: {kind}" for name, kind in plain.items())
    given = ", ".join(f"%{name}" for name in types)
    return f"""!x = tensor<1x?x{HEADS}x16xbf16>
attn.kernel @listed(%q: !x, %k: !x, %v: !x{arguments}) -> (o: !x) schedule<{schedule}> {{
  %s = attn.scores %q, %k : !x, !x
  %m = attn.mask %s by @seen{f"({given}) : {', '.join(types.values())}" if types else ""}
  %p = attn.softmax %m
  %o = attn.output %p, %v : !x -> !x
  attn.return %o : !x
}}
func.func @seen(%b: index, %h: index, %q: index, %kv: index{parameters}) -> i1 {{
  {chr(10).join('  ' + line for line in lines).strip()}
  return %visible : i1
}}
"""


def expected(visible, length, rows, columns, gathered=None):
    """Full and masked tiles. `gathered` gives the listed columns that rows up to one may see, and whether all see them."""
    full = masked = 0
    for h in range(HEADS):
        for row in range(0, length, rows):
            for column in range(0, length, columns):
                seen = [visible(h, q, k) for q in range(row, min(length, row + rows))
                        for k in range(column, min(length, column + columns))]
                whole = column + columns <= length and all(seen)
                full, masked = full + whole, masked + (any(seen) and not whole)
            if gathered:
                listed, by_all = gathered(h, min(length, row + rows) - 1)
                whole = len(listed) // columns if by_all else 0
                full, masked = full + whole, masked + (len(listed) + columns - 1) // columns - whole
    return full, masked


def counted(folder, text, lists, length):
    path = f"{folder}/listed.mlir"
    with open(path, "w") as file:
        file.write(text)
    command = ["attn-run", path, "--target", "sm_80", "--device", "sim", "--check", "--counts",
               "--sizes", f"seq_q={length},seq_kv={length}"]
    for each in lists:
        each.write(folder)
        for name in each.types():
            command += ["--input", f"{name}={folder}/{name}.npy"]
    run = subprocess.run(command, capture_output=True, text=True)
    if run.returncode:
        sys.exit(f"{run.stdout}{run.stderr}")
    numbers = {"full": 0, "masked": 0}
    for kind, number in re.findall(r"count \S+ (full|masked)_tiles\S* (\d+)", run.stdout):
        numbers[kind] += int(number)
    return numbers["full"] // 4, numbers["masked"] // 4


def main():
    folder, faults, runs = sys.argv[1], 0, 0
    os.makedirs(folder, exist_ok=True)
    random.seed(7)
    for length, rows, columns, block in [(1, 64, 32, 16), (97, 64, 16, 16), (128, 64, 48, 64), (150, 64, 32, 40),
                                         (200, 128, 64, 32)]:
        schedule = f"prefill, block_q = {rows}, block_kv = {columns}, num_stages = 1, num_warps = 4"
        for name, lists, lines, visible, exact, *gathered in masks(length, block):
            full, masked = counted(folder, spec(lists, lines, schedule), lists, length)
            want_full, want_masked = expected(visible, length, rows, columns, *gathered)
            runs += 1
            if full + masked != want_full + want_masked or full > want_full or (exact and full != want_full):
                faults += 1
                print(f"{name} of {length}, tiles {rows}x{columns}, blocks of {block}: expects {want_full} full and "
                      f"{want_masked} masked tiles, got {full} and {masked}")
    print(f"{runs} kernels, {faults} with other tiles")
    sys.exit(faults != 0)


main()
