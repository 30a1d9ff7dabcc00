# SPDX-License-Identifier: Apache-2.0
"""Runs the parts of the test suite on a finished build and counts; called by tools/test.

A part is lit, or a driver: a program that checks many cases in one process, prints a line beginning with FAIL for
each that fails and as its last line `N passed, N failed, N skipped`. Drivers share their cases by `--shard I/N`.
"""
import argparse
import ctypes
import importlib.machinery
import importlib.util
import json
import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LLVM_TOOLS = Path("/usr/lib/llvm-22/bin")
SUMMARY = re.compile(r"^(\d+) passed, (\d+) failed, (\d+) skipped")


def load_check_ptxas():
    sys.dont_write_bytecode = True
    loader = importlib.machinery.SourceFileLoader("check_ptxas", str(ROOT / "test/check-ptxas"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("check_ptxas", loader))
    loader.exec_module(module)
    return module


class Tally:
    """What has passed, what failed and what was skipped why, over all parts."""

    def __init__(self):
        self.passed, self.failures, self.skips = 0, [], []
        self.lock = threading.Lock()

    def add(self, passed=0, failures=(), skips=()):
        with self.lock:
            self.passed += passed
            self.failures += failures
            self.skips += skips


def say(text):
    print(text, flush=True)


def stream(command, on_line, **keywords):
    """Runs a command, hands over its lines as they come, and returns its exit status."""
    process = subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               text=True, errors="replace", **keywords)
    for line in process.stdout:
        on_line(line.rstrip("\n"))
    return process.wait()


def run_lit(options, tally):
    report = options.build_dir / "test/lit.json"
    command = [LLVM_TOOLS / "lit", "-v", "-j", options.jobs, "--output", report, options.build_dir / "test"]
    if options.filter:
        command += ["--filter", options.filter]
    state = {"done": 0, "said": time.time(), "failing": False}

    def on_line(line):
        match = re.match(r"(PASS|FAIL|XFAIL|XPASS|UNSUPPORTED|UNRESOLVED|TIMEOUT): (.*)", line)
        if match:
            state["done"] += 1
            state["failing"] = match[1] in ("FAIL", "XPASS", "UNRESOLVED", "TIMEOUT")
        # What a failing test printed follows its line.
        if state["failing"] or "error:" in line or "fatal" in line:
            say("  " + line)
        if line.startswith("****") and not line.startswith("******************** TEST"):
            state["failing"] = False
        if time.time() - state["said"] > 10:
            state["said"] = time.time()
            say(f"  {state['done']} tests")

    report.unlink(missing_ok=True)
    status = stream(command, on_line)
    if not report.exists():
        # lit is content with a filter that matches nothing only when told so.
        tally.add(failures=[] if options.filter else [f"lit: ended with status {status} and without a report"])
        return
    for test in json.loads(report.read_text())["tests"]:
        if test["code"] in ("PASS", "XFAIL", "FLAKYPASS"):
            tally.add(passed=1)
        elif test["code"] in ("UNSUPPORTED", "SKIPPED", "EXCLUDED"):
            reason = test["output"].strip().splitlines()
            tally.add(skips=[(test["name"], reason[-1] if reason else "unsupported here")])
        else:
            tally.add(failures=[test["name"]])


def run_driver(name, arguments, options, tally, build_dir=None):
    """One process per core, each with its share of the cases."""

    def share(index):
        command = [(build_dir or options.build_dir) / "bin" / name, *arguments, "--shard", f"{index}/{options.jobs}"]
        if options.filter:
            command += ["--filter", options.filter]
        if options.all:
            command.append("--all")
        seen = {"summary": None, "failures": [], "skips": []}

        def on_line(line):
            if match := SUMMARY.match(line):
                seen["summary"] = [int(number) for number in match.groups()]
                return
            if line.startswith("FAIL"):
                seen["failures"].append(f"{name}: {line[4:].lstrip(': ')}")
            if match := re.match(r"SKIP:? (\S+):? (.*)", line):
                seen["skips"].append((match[1], match[2]))
                return
            say(f"  {line}")

        status = stream(command, on_line)
        summary = seen["summary"] or [0, 0, 0]
        failures = seen["failures"]
        if len(failures) < summary[1]:
            failures += [f"{name}: a case without a name"] * (summary[1] - len(failures))
        if seen["summary"] is None:
            failures.append(f"{name} {index}/{options.jobs}: ended with status {status} before its last line")
        elif status != 0 and not failures:
            failures.append(f"{name} {index}/{options.jobs}: ended with status {status}")
        tally.add(summary[0], failures, seen["skips"])

    threads = [threading.Thread(target=share, args=(index,)) for index in range(options.jobs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def run_cases(options, tally):
    folder = options.build_dir / "test/ptx"
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.ptx"):
        old.unlink()
    # Each generation of matrix instructions has a lowering of its own; later chips of a generation share it.
    for target in ("sm_80", "sm_90a"):
        say(f"  for {target}")
        run_driver("attn-cases", ["--target", target, "--save-ptx", folder], options, tally)
        if not options.all:
            say(f"  for {target}, three random features each, from seed {options.triples}")
            run_driver("attn-cases", ["--target", target, "--triples", options.triples, "--save-ptx", folder], options,
                       tally)
    # Orders of products that no kernel has unless asked to: some twenty of the cases that cover all pairs.
    for overlap in () if options.all or options.filter else ("scores_ahead", "none"):
        say(f"  for sm_90a with overlap = {overlap}")
        some = ["--target", "sm_90a", "--schedule", f"overlap = {overlap}", "--filter", "^pair..[05]"]
        run_driver("attn-cases", [*some, "--save-ptx", folder], options, tally)


def run_unit(options, tally):
    run_driver("attn-unit", [], options, tally)


def run_mutation(options, tally):
    """Damaged kernels, which the simulator must catch."""
    run_driver(ROOT / "test/mutation/attn-mutation", ["--programs", options.build_dir / "bin"], options, tally)


def run_fuzz(options, tally):
    """Damaged inputs, on builds of our own code that stop at the first wrong access or undefined result."""
    names = sorted(path.name for path in (options.build_dir / "bin").glob("attn-fuzz-*"))
    sanitized = options.build_dir / "sanitize"
    status = stream([ROOT / "tools/build", "--sanitize", "--build-dir", sanitized, *names], lambda line: say("  " + line))
    if status:
        tally.add(failures=["fuzz: the build with sanitisers failed"])
        return
    for name in names:
        say(f"  {name}")
        run_driver(name, [], options, tally, sanitized)


def has_device():
    """Whether the CUDA driver is here and sees a device."""
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return False
    count = ctypes.c_int(0)
    return driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(count)) == 0 and count.value > 0


# Ready specs whose sizes are those of a padded query and padded keys.
PADDED_SPECS = ("gemma2_local", "llama3_prefill", "mpt_alibi", "vit_encoder")


def run_gpu(options, tally):
    """All cases on the GPU, and the padded ready specs at sizes that no simulator reaches, some rows of each checked."""
    if not has_device():
        tally.add(skips=[("cases on a GPU", "no CUDA device here"), ("sizes to 16K", "no CUDA device here")])
        return
    run_driver("attn-cases", ["--device", "cuda:0"], options, tally)
    for spec in (ROOT / f"templates/specs/{name}.mlir" for name in PADDED_SPECS):
        for queries, keys in ((4096, 4096), (16384, 16384), (1000, 16001), (1, 16384)):
            name = f"gpu: {spec.stem} {queries}x{keys}"
            lines = []
            status = stream([options.build_dir / "bin/attn-run", spec, "--device", "cuda:0", "--check-rows", "24",
                             "--sizes", f"batch=1,seq_q={queries},seq_kv={keys}"], lines.append)
            if status:
                say(f"  FAIL {name}")
                for line in lines:
                    say(f"    {line}")
            tally.add(passed=int(not status), failures=[name] if status else [])


def run_ptxas(options, tally):
    """Assembles every kernel that the cases compiled."""
    check = load_check_ptxas()
    files = sorted((options.build_dir / "test/ptx").glob("*.ptx"))
    if not files:
        return
    if not check.find_program("ptxas"):
        tally.add(skips=[(f"{len(files)} kernels by ptxas", "no ptxas here (tools/setup --with-ptxas)")])
        return
    state = {"done": 0, "known": 0, "said": time.time()}

    def on_result(path, chip, result):
        state["done"] += 1
        state["known"] += "known" in result
        if result["faults"]:
            tally.add(failures=[f"ptxas: {path} for {chip}: {'; '.join(result['faults'])}"])
            say(f"  FAIL {path} for {chip}: {'; '.join(result['faults'])}")
        else:
            tally.add(passed=1)
        if time.time() - state["said"] > 10:
            state["said"] = time.time()
            say(f"  {state['done']} kernels")

    check.check_files(files, cache=options.build_dir / "ptxas-cache", jobs=options.jobs, on_result=on_result)
    say(f"  {state['done']} assembled: {len(files)} kernels, each for one chip or two; "
        f"{state['known']} spill as test/known-spills.txt says")


# In this order; each needs a program of the build, whose absence is a failure.
PARTS = {
    "lit": (None, run_lit),
    "unit": ("attn-unit", run_unit),
    "cases": ("attn-cases", run_cases),
    "ptxas": ("attn-cases", run_ptxas),
    "gpu": ("attn-cases", run_gpu),
    "mutation": ("attn-run", run_mutation),
    "fuzz": ("attn-fuzz-kernel-file", run_fuzz),
}


def main():
    parser = argparse.ArgumentParser(prog="tools/test")
    parser.add_argument("--build-dir", type=Path, default=ROOT / "build")
    parser.add_argument("--filter", default="")
    parser.add_argument("--only", default="")
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--triples", default="1", help="the seed of the random triples of features")
    options = parser.parse_args()
    options.jobs = os.cpu_count() or 1
    chosen = [name for name in options.only.split(",") if name] or list(PARTS)
    for name in chosen:
        if name not in PARTS:
            parser.error(f"--only expects {', '.join(PARTS)}, got '{name}'")

    tally, begin = Tally(), time.time()
    for name in chosen:
        program, run = PARTS[name]
        if program and not (options.build_dir / "bin" / program).exists():
            tally.add(failures=[f"{name}: {program} was not built"])
            continue
        say(f"test: {name}")
        start = time.time()
        run(options, tally)
        say(f"test: {name} took {time.time() - start:.0f} s")

    for name, reason in tally.skips:
        say(f"skipped: {name}: {reason}")
    for failure in tally.failures:
        say(f"failed: {failure}")
    if not tally.passed and not tally.failures:
        say("test: nothing matched, so nothing was tested")
    say(f"test: {time.time() - begin:.0f} s in all")
    say(f"{tally.passed} passed, {len(tally.failures)} failed, {len(tally.skips)} skipped")
    return 1 if tally.failures or not tally.passed else 0


if __name__ == "__main__":
    sys.exit(main())
