# SPDX-License-Identifier: Apache-2.0
"""What makes the loops of warpgroups fast stands in their PTX: warpgroup-loop.py ORDER KERNEL.ptx...

output_behind: in each body all exponentials stand between the wait for the scores and the wait for the output, so that
the product of the tile before runs beside them; conversions of the weights stand behind the second wait, so that they do
not overwrite what that product reads.

scores_ahead: in each body all exponentials and conversions stand in front of the products, which are begun together and
waited for together, so that another warpgroup's softmax has all their time. Behind the loops stands the last output
product, and no other.

In both, turns enclose the begin of the two products, and both roles say how many registers they use.
"""
import re
import sys
from pathlib import Path

faults = 0


def expect(fine, text):
    global faults
    if not fine:
        faults += 1
        print(f"FAIL: {text}")


def check_behind(parts, name):
    before, between, behind = parts
    expect(before.count("wgmma.commit_group") == 2 and "wgmma.commit" not in between + behind,
           f"{name} begins both products before it waits")
    # `ex2` of every score and of each row's factor.
    expect(between.count("ex2.approx") > 8 and "ex2" not in before + behind,
           f"{name} computes its exponentials beside the output product")
    expect("cvt.rn.bf16x2" not in before + between and "cvt.rn.f16x2" not in before + between,
           f"{name} converts weights when the output product is done")


def check_ahead(parts, name):
    before, between, behind = parts
    softmax, products = before[:before.find("wgmma.fence")], before[before.find("wgmma.fence"):]
    expect(products.count("wgmma.commit_group") == 2 and "wgmma" not in between + behind,
           f"{name} begins both products before it waits")
    expect(softmax.count("ex2.approx") > 8 and "ex2" not in products + between + behind,
           f"{name} computes its exponentials before it begins products")
    expect("cvt.rn" in softmax and "cvt.rn" not in products + between + behind,
           f"{name} converts weights before it begins products")


def loop_bodies(entry, name):
    labels = re.findall(r"^((?:full|masked)_tiles\w*):$", entry, re.M)
    expect(labels, f"{name}: has loops over tiles")
    for label in labels:
        body = entry.split(f"\n{label}:")[1]
        end = re.search(rf"bra(?:\.uni)?\s+{label};", body)
        expect(end, f"{name}: {label} is a loop")
        yield label, body[:end.start()] if end else body, body[end.end():] if end else ""


order, *files = sys.argv[1:]
waits, check = {"output_behind": (["1", "0"], check_behind), "scores_ahead": (["1", "0"], check_ahead)}[order]
for path in map(Path, files):
    ptx = path.read_text()
    entry = ptx[ptx.index(".entry"):]
    entry = entry[:entry.find("\n}")]
    expect("setmaxnreg.dec" in entry and "setmaxnreg.inc" in entry, f"{path.name}: both roles set their registers")
    behind_loops = ""
    for label, body, behind_loops in loop_bodies(entry, path.name):
        name = f"{path.name}: {label}"
        parts = re.split(r"wgmma\.wait_group\.sync\.aligned (\d+);", body)
        expect(parts[1::2] == waits, f"{name} waits for its first product, then for its second, got {parts[1::2]}")
        if len(parts) == 5:
            check(parts[0::2], name)
        # Wider outputs than 128 columns keep the matrix unit busy without turns.
        turn = re.search(r"bar\.sync.*?\n(.*?)bar\.arrive", body, re.S)
        expect("m64n256k16" in body or turn and turn[1].count("wgmma.commit_group") == 2 and "ex2" not in turn[1],
               f"{name} begins both products in its turn")
    expect(behind_loops.count("wgmma.commit_group") == 1, f"{path.name}: one product stands behind the loops")
sys.exit(1 if faults else 0)
