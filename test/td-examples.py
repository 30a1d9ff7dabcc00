# SPDX-License-Identifier: Apache-2.0
"""Examples of .td files are programs: td-examples.py FOLDER gives each ```mlir block of its files to attn-opt."""
import re
import subprocess
import sys
import textwrap
from pathlib import Path


def examples(text):
    """(line, name of the enclosing def, text) of every block."""
    for block in re.finditer(r"^[ \t]*```mlir\n(.*?)^[ \t]*```", text, re.M | re.S):
        defs = re.findall(r"^def (\w+)", text[:block.start()], re.M)
        yield text[:block.start()].count("\n") + 2, defs[-1] if defs else "the file", textwrap.dedent(block[1])


def main(folder):
    refused = count = 0
    for path in sorted(Path(folder).glob("*.td")):
        for line, name, text in examples(path.read_text()):
            count += 1
            result = subprocess.run(["attn-opt"], input=text, capture_output=True, text=True)
            if result.returncode != 0:
                refused += 1
                print(f"{path}:{line}: the example of {name} is refused:\n{result.stderr}")
    print(f"{count} examples, {refused} refused")
    return 1 if refused or not count else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
