# SPDX-License-Identifier: Apache-2.0
"""Spec to PTX: processor time and memory of a compilation: compile-time.py FOLDER SPEC... .

More than LIMIT milliseconds fails the test, or more than 300 MB.

Constants and names of each spec are changed anew for every run, so that nothing can have been prepared. What counts is
the processor time of the whole process, user and system, because a loaded machine changes it less than the time that
passes. It does change it, by caches and by the sharing of a core, and never for the better: the least of the runs counts.
"""
import os
import re
import sys
from pathlib import Path

LIMIT, MEGABYTES, RUNS = 100, 300, 9


def changed(text, number):
    """The spec with another name, other names of functions, and other constants."""
    text = re.sub(r"@(\w+)\(%q: !", rf"@\g<1>_{number}(%q: !", text)
    text = text.replace("50.0 : f32", f"{50 + number}.5 : f32").replace("4095 : index", f"{4095 - number} : index")
    # The library's function under another name is the user's own.
    for name, parameters, result in (("causal", "", "i1"), ("softcap", ", %cap: f32", "f32"),
                                     ("sliding_window", ", %near: index", "i1"), ("alibi", ", %t: tensor<?xf32>", "f32")):
        if f"@{name}" not in text:
            continue
        given = ", ".join(re.findall(r"%\w+", parameters))
        types = ", ".join(re.findall(r": ([^,]+)", parameters))
        score = "%x: f32, " if result == "f32" else ""
        operands = ("%x, " if score else "") + "%b, %h, %q, %kv" + (", " + given if given else "")
        signature = ("f32, " if score else "") + "index, index, index, index" + (", " + types if types else "")
        text = text.replace(f"by @{name}", f"by @{name}_{number}")
        text += (f"func.func @{name}_{number}({score}%b: index, %h: index, %q: index, %kv: index{parameters}) -> {result} {{\n"
                 f"  %r = func.call @{name}({operands}) : ({signature}) -> {result}\n  return %r : {result}\n}}\n"
                 f"func.func private @{name}({signature}) -> {result}\n")
    return text


def measure(path, output):
    """(processor milliseconds, megabytes at most) of one compilation."""
    child = os.posix_spawnp("attnc", ["attnc", str(path), "-o", str(output)], os.environ)
    _, status, usage = os.wait4(child, 0)
    if status:
        sys.exit(f"FAIL: attnc {path} ended with {os.waitstatus_to_exitcode(status)}")
    return (usage.ru_utime + usage.ru_stime) * 1e3, usage.ru_maxrss / 1024


def least_of_runs(folder, spec):
    runs = []
    for number in range(1, 1 + RUNS):
        path = folder / f"{spec.stem}_{number}.mlir"
        path.write_text(changed(spec.read_text(), number))
        runs.append(measure(path, folder / f"{spec.stem}_{number}.ptx"))
        if f".entry {spec.stem}_{number}(" not in (folder / f"{spec.stem}_{number}.ptx").read_text():
            sys.exit(f"FAIL: {path}: the kernel's name was not changed")
    return min(time for time, _ in runs), max(memory for _, memory in runs)


def main(folder, *specs):
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    faults = 0
    for spec in map(Path, specs):
        time, memory = least_of_runs(folder, spec)
        fine = time <= LIMIT and memory <= MEGABYTES
        faults += not fine
        print(f"{'' if fine else 'FAIL: '}{spec.name}: {time:.0f} ms of {LIMIT}; {memory:.0f} MB of {MEGABYTES}")
    print(f"{faults} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
