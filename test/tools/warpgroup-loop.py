# SPDX-License-Identifier: Apache-2.0
"""What makes the loops of warpgroups fast stands in their PTX: warpgroup-loop.py KERNEL.ptx...

In each body all exponentials stand between the wait for the scores and the wait for the output, so that the product of
the tile before runs beside them; conversions of the weights stand behind the second wait, so that they do not overwrite
what that product reads; and both roles say how many registers they use.
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


for path in map(Path, sys.argv[1:]):
    ptx = path.read_text()
    entry = ptx[ptx.index(".entry"):]
    entry = entry[:entry.find("\n}")]
    expect("setmaxnreg.dec" in entry and "setmaxnreg.inc" in entry, f"{path.name}: both roles set their registers")
    labels = re.findall(r"^((?:full|masked)_tiles\w*):$", entry, re.M)
    expect(labels, f"{path.name}: has loops over tiles")
    for label in labels:
        body = entry.split(f"\n{label}:")[1]
        end = re.search(rf"bra(?:\.uni)?\s+{label};", body)
        expect(end, f"{path.name}: {label} is a loop")
        body = body[:end.start()] if end else body
        parts = re.split(r"wgmma\.wait_group\.sync\.aligned (\d+);", body)
        expect(parts[1::2] == ["1", "0"], f"{path.name}: {label} waits for scores, then for output, got {parts[1::2]}")
        if len(parts) != 5:
            continue
        before, between, behind = parts[0::2]
        expect(before.count("wgmma.commit_group") == 2 and "wgmma.commit" not in between + behind,
               f"{path.name}: {label} begins both products before it waits")
        # `ex2` of every score and of each row's factor.
        expect(between.count("ex2.approx") > 8 and "ex2" not in before + behind,
               f"{path.name}: {label} computes its exponentials beside the output product")
        expect("cvt.rn.bf16x2" not in before + between and "cvt.rn.f16x2" not in before + between,
               f"{path.name}: {label} converts weights when the output product is done")
sys.exit(1 if faults else 0)
