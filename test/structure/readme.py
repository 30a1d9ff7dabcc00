# SPDX-License-Identifier: Apache-2.0
"""Holds README.md to the tree: readme.py specs ROOT FOLDER writes its specs; readme.py paths ROOT checks its paths."""
import re
import sys
from pathlib import Path


def specs(root, folder):
    """Each block of the language becomes a file of its own, for the compiler to judge."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    blocks = re.findall(r"^```mlir\n(.*?)^```", (Path(root) / "README.md").read_text(), re.M | re.S)
    for number, block in enumerate(blocks):
        (Path(folder) / f"example{number}.mlir").write_text(block)
    print(f"{len(blocks)} examples")


def paths(root):
    """Whatever is written like a file of the tree must be one; `x` stands for a name that a reader chooses."""
    text = (Path(root) / "README.md").read_text()
    named = set(re.findall(r"\b((?:dialect|passes|compiler|runtime|templates|tools|test|\.ci)/[\w./-]*\w)", text))
    missing = sorted(path for path in named
                     if not re.search(r"(^|/)x\.|(^|/)X\.", path) and not (Path(root) / path).exists())
    for path in missing:
        print(f"README.md names {path}, which does not exist")
    print(f"{len(named)} paths, {len(missing)} missing")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(specs(*sys.argv[2:]) if sys.argv[1] == "specs" else paths(sys.argv[2]))
