# SPDX-License-Identifier: Apache-2.0
"""Loops follow from what a mask means, not from what it is called or how it is spelt: derived.py FOLDER TARGET.

Spellings of one mask give one PTX, and the bodies that the simulator counts run as often as there are full and partial
tiles, found here by trying every pair of a query and a key.
"""
import re
import subprocess
import sys
from pathlib import Path

SPEC = """\
!q = tensor<?x?x{heads}x64xf16>
!x = tensor<?x?x1x64xf16>
attn.kernel @{kernel}(%q: !q, %k: !x, %v: !x{arguments}) -> (o: !q) schedule<packed = {heads}> {{
{constants}
  %s = attn.scores %q, %k {align} : !q, !x
{mask}
  %p = attn.softmax {last}
  %o = attn.output %p, %v : !x -> !q
  attn.return %o : !q
}}
{function}
"""
HEAD = "func.func @{name}(%b: index, %h: index, %q: index, %kv: index{more}) -> i1 {{\n{body}\n  return %r : i1\n}}"

# (name of the function, its further parameters, its body), three ways to say that the future is hidden.
CAUSAL = [
    ("past", "", "  %r = arith.cmpi sle, %kv, %q : index"),
    ("old_enough", "", "  %zero = arith.constant 0 : index\n  %age = arith.subi %q, %kv : index\n"
                       "  %r = arith.cmpi sge, %age, %zero : index"),
    ("not_the_future", "", "  %true = arith.constant true\n  %later = arith.cmpi sgt, %kv, %q : index\n"
                           "  %r = arith.xori %later, %true : i1"),
]
# Two ways to say that the newest `near` + 1 positions are seen.
WINDOW = [
    ("recent", ", %near: index", "  %past = arith.cmpi sle, %kv, %q : index\n  %age = arith.subi %q, %kv : index\n"
                                 "  %close = arith.cmpi sle, %age, %near : index\n"
                                 "  %r = arith.andi %past, %close : i1"),
    ("reach", ", %near: index", "  %true = arith.constant true\n  %oldest = arith.subi %q, %near : index\n"
                                "  %lost = arith.cmpi slt, %kv, %oldest : index\n"
                                "  %future = arith.cmpi slt, %q, %kv : index\n"
                                "  %hidden = arith.ori %lost, %future : i1\n"
                                "  %r = arith.xori %hidden, %true : i1"),
]
# A mask of the user's own: some keys of the future, none of the first seven.
OWN = ("somewhat", "", "  %c2 = arith.constant 2 : index\n  %c21 = arith.constant 21 : index\n"
                       "  %c7 = arith.constant 7 : index\n  %ahead = arith.subi %kv, %q : index\n"
                       "  %soon = arith.cmpi slt, %ahead, %c21 : index\n  %late = arith.cmpi sge, %kv, %c7 : index\n"
                       "  %r = arith.andi %soon, %late : i1")
NEAR = 149  # no multiple of anything

# What is compiled for; a program of the second has four warps more, which load, and takes the first tile of each row of
# tiles out of the loops.
target = "sm_80"
faults = 0


def expect(fine, text):
    global faults
    if not fine:
        faults += 1
        print(f"FAIL: {text}")


def spec(function=None, align="", kernel="derived", at_launch=False, heads=1):
    """The text of a spec with that mask; its width is a constant or an argument. Rows of a tile are all heads' tokens."""
    constants = mask = text = arguments = ""
    if function:
        name, more, body = function
        text = HEAD.format(name=name, more=more, body=body)
        mask = f"  %m = attn.mask %s by @{name}"
        if more:
            mask += "(%near) : index"
            if at_launch:
                arguments = ", %near: index"
            else:
                constants = f"  %near = arith.constant {NEAR} : index"
    return SPEC.format(kernel=kernel, arguments=arguments, constants=constants, align=align, mask=mask, heads=heads,
                       last="%m" if function else "%s", function=text)


def run(*command):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"FAIL: {' '.join(map(str, command))}: {done.stderr}")
    return done.stdout


def compile_spec(folder, text, *options):
    path = folder / "spec.mlir"
    path.write_text(text)
    return run("attnc", path, "--target", target, *options)


def code(ptx):
    return ptx[ptx.index("\n.version"):]


def check_spellings(folder, what, functions, **options):
    first = code(compile_spec(folder, spec(functions[0], **options)))
    for i, function in enumerate(functions[1:]):
        name = f"other{i}"
        other = code(compile_spec(folder, spec(function, kernel=name, **options)))
        expect(name in other, f"{what}: @{name} has no entry of its name")
        expect(other.replace(name, "derived") == first, f"{what}: @{function[0]} and @{functions[0][0]} give different PTX")


def tile_sizes(folder, text):
    kernel = re.search(r"attn\.kernel @derived\(.*", compile_spec(folder, text, "--emit", "attn"))[0]
    return tuple(int(re.search(rf"{name} = (\d+)", kernel)[1]) for name in ("block_q", "block_kv"))


def brute_force(visible, shift, queries, keys, block_q, block_kv, heads, peels):
    """(full, partial) tiles in loops: every pair is seen and every key exists, or some pair is seen."""
    full = partial = 0
    for row in range(0, queries * heads, block_q):
        rows = {r // heads for r in range(row, min(row + block_q, queries * heads))}
        peeled = peels
        for column in range(0, keys, block_kv):
            seen = sum(visible(q + shift, kv) for q in rows for kv in range(column, min(column + block_kv, keys)))
            if seen and peeled:
                peeled = False
                continue
            full += seen == len(rows) * block_kv
            partial += 0 < seen < len(rows) * block_kv
    return full, partial


def counted(folder, queries, keys, scalars):
    """Executions of the bodies of full and of masked tiles, a warp of each program."""
    text = run("attn-run", folder / "spec.ptx", "--device", "sim", "--counts", "--sizes",
               f"batch=1,seq_q={queries},seq_kv={keys}", *scalars)
    counts = {"full_tiles": 0, "masked_tiles": 0}
    threads = int(re.search(r"^//! block (\d+)$", (folder / "spec.ptx").read_text(), flags=re.M)[1])
    warps = threads // 32 - (4 if "param map" in (folder / "spec.ptx").read_text() else 0)
    for label, executions in re.findall(r"^count \S+ (\S+) (\d+) [\d.]+$", text, flags=re.M):
        if label in counts:
            counts[label] = int(executions) / warps
    return counts["full_tiles"], counts["masked_tiles"]


def check_bodies(what, ptx):
    """A full body hides nothing; a masked body hides by selections."""
    for label, hides in (("full_tiles", False), ("masked_tiles", True)):
        body = re.search(rf"^{label}:.*?\bbra\s+{label};", ptx, flags=re.M | re.S)
        if body:
            expect(("selp.f32" in body[0]) == hides, f"{what}: the body {label} {'lacks' if hides else 'has'} selections")
    return "full_tiles:" in ptx


def check_explained(folder, what, queries, keys, expected):
    """What --explain counts of the same spec."""
    said = run("attnc", folder / "spec.mlir", "--target", target, "--explain", "--sizes",
               f"batch=1,seq_q={queries},seq_kv={keys}")
    full, masked = map(int, re.search(r"^tiles +(\d+) full, (\d+) masked", said, flags=re.M).groups())
    expect((full, masked) == expected, f"{what}: {queries} queries, {keys} keys: expected {expected} full and partial "
                                       f"tiles, explained {full} and {masked}")


def check_counts(folder, what, visible, function=None, align="", widths=None, heads=1):
    text = spec(function, align, at_launch=widths is not None, heads=heads)
    block_q, block_kv = tile_sizes(folder, text)
    compile_spec(folder, text, "-o", folder / "spec.ptx")
    # Programs of warpgroups take the first tile of each row of tiles out of their loops.
    peels = "param map" in (folder / "spec.ptx").read_text()
    expect(check_bodies(what, (folder / "spec.ptx").read_text()), f"{what}: there is no body for full tiles")
    tried = some_full = some_partial = 0
    for queries in (1, block_q - 1, block_q, block_q + 1, 2 * block_q + 3):
        for keys in (0, 1, block_kv - 1, block_kv, block_kv + 1, 2 * block_kv, 7 * block_kv + 5):
            for width in widths or [NEAR]:
                scalars = ["--scalar", f"near={width}"] if widths else []
                shift = 0 if align else keys - queries
                seen = lambda q, kv: visible(q, kv, width)
                expected = brute_force(seen, shift, queries, keys, block_q, block_kv, heads, peels)
                got = counted(folder, queries, keys, scalars)
                tried += 1
                some_full += expected[0] > 0
                some_partial += expected[1] > 0
                expect(got == expected, f"{what}: {queries} queries, {keys} keys, width {width}, tiles of {block_q} x "
                                        f"{block_kv}: expected {expected} full and partial tiles, counted {got}")
    if heads > 1:
        seen = lambda q, kv: visible(q, kv, NEAR)
        expected = brute_force(seen, 0 if align else keys - queries, queries, keys, block_q, block_kv, heads, peels=False)
        check_explained(folder, what, queries, keys, expected)
    # Tiles of either kind must have been there to be counted.
    expect(some_full and some_partial, f"{what}: {some_full} cases with full tiles, {some_partial} with partial ones")
    print(f"{what}: {tried} lengths")


def main(folder, chip):
    global target
    target = chip
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for align in ("", "align start"):
        check_spellings(folder, f"causal {align}", CAUSAL, align=align)
        check_spellings(folder, f"window {align}", WINDOW, align=align)
        check_spellings(folder, f"window at launch {align}", WINDOW, align=align, at_launch=True)
    causal = lambda q, kv, _: kv <= q
    window = lambda q, kv, width: 0 <= q - kv <= width
    check_counts(folder, "causal", causal, CAUSAL[0])
    check_counts(folder, "causal, start", causal, CAUSAL[2], "align start")
    check_counts(folder, "window", window, WINDOW[0])
    check_counts(folder, "window, start", window, WINDOW[1], "align start")
    check_counts(folder, "window at launch", window, WINDOW[1], widths=(-1, 0, 63, 200))
    check_counts(folder, "the user's own", lambda q, kv, _: kv - q < 21 and kv >= 7, OWN)
    check_counts(folder, "no mask", lambda q, kv, _: True)
    check_counts(folder, "four heads, causal", causal, CAUSAL[0], heads=4)
    check_counts(folder, "seven heads, window, start", window, WINDOW[1], "align start", heads=7)
    print(f"{faults} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
