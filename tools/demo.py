# SPDX-License-Identifier: Apache-2.0
"""Compiles, runs and checks the ready specs and prints one table; called by tools/demo."""
import argparse
import importlib.machinery
import importlib.util
import re
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# Sizes at launch: on a GPU those of a real prompt, on the simulator some that are no multiple of any tile.
SPECS = [
    ("llama3_prefill", "batch=1,seq_q=2048,seq_kv=2048", "batch=1,seq_q=77,seq_kv=203"),
    ("gemma2_local", "batch=1,seq_q=2048,seq_kv=2048", "batch=1,seq_q=77,seq_kv=203"),
    ("vit_encoder", "batch=8,seq_q=577,seq_kv=577", "batch=1,seq_q=197,seq_kv=197"),
    ("mpt_alibi", "batch=1,seq_q=2048,seq_kv=2048", "batch=1,seq_q=77,seq_kv=203"),
]


def load_check_ptxas():
    sys.dont_write_bytecode = True
    loader = importlib.machinery.SourceFileLoader("check_ptxas", str(ROOT / "test/check-ptxas"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("check_ptxas", loader))
    loader.exec_module(module)
    return module


def run(command):
    """Exit status, all output, seconds."""
    start = time.time()
    done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return done.returncode, done.stdout, time.time() - start


def assembled(check, path, cache):
    """Registers and spilled bytes of the entries of a kernel file, as two cells of the table."""
    if not check.find_program("ptxas"):
        return "-", "-"
    results = []
    check.check_files([path], targets_of_file(check, path), cache, 1, lambda _path, _chip, result: results.append(result))
    rows = [row for result in results for row in result["rows"]]
    if not rows:
        return "refused", "-"
    registers = "/".join(str(row["registers"]) for row in rows)
    return registers, str(sum(row["spill_bytes"] for row in rows))


def targets_of_file(check, path):
    """Only the chip that the file is for: the table has one line per file."""
    return check.targets_of(path.read_text(), [])[:1]


def demonstrate(name, real, small, options, check):
    """One line of the table."""
    programs, folder = options.build_dir / "bin", options.build_dir / "demo"
    source, kernel = ROOT / f"templates/specs/{name}.mlir", folder / f"{name}.ptx"
    command = [programs / "attnc", source, "-o", kernel]
    if options.target:
        command += ["--target", options.target]
    status, output, seconds = run(command)
    row = {"spec": name, "compile": f"{seconds * 1000:.0f} ms", "verdict": "FAIL"}
    if status:
        print(f"attnc on {name}: {output}", file=sys.stderr)
        return row
    text = kernel.read_text()
    row["target"] = re.search(r"^//! target (\S+)", text, re.M)[1]
    row["PTX"] = f"{kernel.stat().st_size / 1024:.0f} KiB"
    row["registers"], row["spills"] = assembled(check, kernel, options.build_dir / "ptxas-cache")
    # A GPU gets the real sizes with some rows checked; the simulator small ones with all rows checked.
    command = [programs / "attn-run", kernel, "--device", options.device, "--seed", "1"]
    if options.on_gpu:
        command += ["--sizes", real, "--check", "--check-rows", "64"]
    else:
        command += ["--sizes", small, "--check"]
    status, output, _ = run(command)
    if device := re.search(r"^\S+ on (.*): [\d.]+ s$", output, re.M):
        row["device"] = device[1]
    errors = [(float(match[1]), float(match[2])) for match in
              re.finditer(r"largest error ([^\s,]+), allowed ([^\s,]+)", output)]
    if errors:
        # Of several results the one nearest to what it may be.
        row["largest error"], row["allowed"] = (f"{number:.2g}" for number in max(errors, key=lambda e: e[0] / e[1]))
    if status or not errors:
        print(f"attn-run on {name}: {output}", file=sys.stderr)
        return row
    row["verdict"] = "pass"
    return row


def print_table(rows):
    columns = ["spec", "target", "compile", "PTX", "registers", "spills", "device", "largest error", "allowed", "verdict"]
    cells = [columns] + [[row.get(column, "-") for column in columns] for row in rows]
    widths = [max(len(line[i]) for line in cells) for i in range(len(columns))]
    for line in cells:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip())


def main():
    parser = argparse.ArgumentParser(prog="tools/demo")
    parser.add_argument("--build-dir", type=Path, default=ROOT / "build")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--target", default="")
    options = parser.parse_args()
    (options.build_dir / "demo").mkdir(parents=True, exist_ok=True)
    check = load_check_ptxas()
    has_gpu = any(Path("/proc/driver/nvidia/gpus").glob("*")) or Path("/dev/nvidia0").exists()
    options.on_gpu = options.device.startswith("cuda") or (options.device == "auto" and has_gpu)
    rows = []
    for name, real, small in SPECS:
        print(f"demo: {name}", file=sys.stderr, flush=True)
        rows.append(demonstrate(name, real, small, options, check))
    print_table(rows)
    if not check.find_program("ptxas"):
        print("no ptxas here, so registers and spills are unknown: tools/setup --with-ptxas fetches one")
    return 0 if all(row["verdict"] == "pass" for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
