# SPDX-License-Identifier: Apache-2.0
"""Compiles the kernels of this folder by nvcc: fresh.py NVCC [--update | --debug OUT.ptx] CHIP KERNEL.cu...

Without an option: compares with the PTX beside each source, which must be what this compiler makes of it. PTX that
another release of nvcc made is not compared; both it and the debug build are run by the tests all the same.
--update writes the PTX beside the sources. --debug writes an unoptimised build, whose PTX looks quite different.
"""
import argparse
import subprocess
import sys
import tempfile
from pathlib import Path


def compile_kernel(nvcc, source, target, chip, *options):
    # The name alone, because assertions print it.
    command = [nvcc, "-ptx", "-std=c++17", f"-arch={chip}", *options, "-o", Path(target).absolute(), source.name]
    subprocess.run(command, cwd=source.absolute().parent, check=True)


def release(text):
    """The line of a PTX file that says which compiler wrote it."""
    return next((line for line in text.splitlines() if "compilation tools" in line), "")


def compare(nvcc, source, chip):
    """Empty, or what is wrong with the PTX beside a source."""
    kept = source.with_suffix(".ptx").read_text()
    with tempfile.TemporaryDirectory() as folder:
        fresh = Path(folder) / "fresh.ptx"
        compile_kernel(nvcc, source, fresh, chip)
        if release(fresh.read_text()) == release(kept) and fresh.read_text() != kept:
            return f"{source.with_suffix('.ptx')} is not what {source.name} compiles to: fresh.py --update"
    return ""


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("nvcc")
    parser.add_argument("chip")
    parser.add_argument("sources", nargs="+", type=Path)
    parser.add_argument("--update", action="store_true")
    parser.add_argument("--debug", type=Path)
    options = parser.parse_args()
    if options.debug:
        compile_kernel(options.nvcc, options.sources[0], options.debug, options.chip, "-G")
        return 0
    if options.update:
        for source in options.sources:
            compile_kernel(options.nvcc, source, source.with_suffix(".ptx"), options.chip)
        return 0
    faults = [fault for source in options.sources if (fault := compare(options.nvcc, source, options.chip))]
    print("\n".join(faults))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
