# SPDX-License-Identifier: Apache-2.0
"""The IR after every pass prints, parses and goes on to the same PTX: round-trip.py FOLDER TARGET SPEC... .

Of each spec the IR after each pass is printed by one process, accepted by attn-opt (parsed and verified), and compiled
on by another process; the code that comes of it is compared with that of one run from spec to PTX.
"""
import subprocess
import sys
from pathlib import Path

faults = 0


def expect(fine, text):
    global faults
    if not fine:
        faults += 1
        print(f"FAIL: {text}")


def run(*command):
    return subprocess.run([str(word) for word in command], capture_output=True, text=True)


def pass_names(spec):
    """The compiler's passes in order, from the sentence about a pass that it does not have."""
    sentence = run("attnc", spec, "--print-ir-after=none").stderr
    return sentence.rsplit("expects one of ", 1)[1].strip().split(", ")


def code(ptx):
    return ptx[ptx.index("\n.version"):]


def check(folder, target, spec):
    whole = run("attnc", spec, "--target", target)
    expect(whole.returncode == 0, f"{spec.name}: {whole.stderr}")
    if whole.returncode:
        return
    names = pass_names(spec)
    texts = set()
    for name in names:
        where = f"{spec.name} after {name}"
        printed = run("attnc", spec, "--target", target, f"--print-ir-after={name}")
        expect(printed.returncode == 0 and printed.stdout, f"{where}: {printed.stderr}")
        texts.add(printed.stdout)
        path = folder / f"{spec.stem}.{name}.mlir"
        path.write_text(printed.stdout)
        # Twice: what attn-opt prints is what it reads.
        parsed = run("attn-opt", path)
        expect(parsed.returncode == 0, f"{where}: attn-opt says {parsed.stderr}")
        path.write_text(parsed.stdout)
        again = run("attn-opt", path)
        expect(again.stdout == parsed.stdout, f"{where}: attn-opt prints its own text differently")
        resumed = run("attnc", path, "--target", target, f"--start-after={name}")
        expect(resumed.returncode == 0, f"{where}: {resumed.stderr}")
        if resumed.returncode == 0:
            expect(code(resumed.stdout) == code(whole.stdout), f"{where}: the code differs")
    # Four passes are for products of warpgroups alone, one for kernels of several steps, one for listed columns, one
    # only checks.
    idle = 8 if target == "sm_80" else 5
    expect(len(texts) >= len(names) - idle, f"{spec.name}: passes leave only {len(texts)} different texts")
    for stage in ("attn", "tile", "gpu", "llvm"):
        path = folder / f"{spec.stem}.{stage}.mlir"
        path.write_text(run("attnc", spec, "--target", target, "--emit", stage).stdout)
        parsed = run("attn-opt", path)
        expect(parsed.returncode == 0 and path.stat().st_size, f"{spec.name} --emit {stage}: attn-opt says {parsed.stderr}")
    print(f"{spec.name}: {len(names)} passes")


def main(folder, target, *specs):
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for spec in specs:
        check(folder, target, Path(spec))
    print(f"{faults} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
