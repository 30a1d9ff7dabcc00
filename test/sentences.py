# SPDX-License-Identifier: Apache-2.0
"""Every sentence of a verifier has a test: sentences.py FOLDER SOURCE ... looks for each sentence that the sources emit.

A sentence is what stands between quotes behind fail(...), emitOpError(...) or emitError(...), up to the end of the
statement; the parts between values are looked for in what the tests of the folder expect.
"""
import re
import sys
from pathlib import Path

EMIT = re.compile(r"\b(?:fail|emitOpError|emitError)\((?:[^;]|\";\")*?;", re.S)


def sentences(text):
    """(line number, first long part) of each statement that reports something."""
    for statement in EMIT.finditer(text):
        code = re.sub(r'"\s*\n\s*"', "", statement[0])
        parts = [part.strip() for part in re.findall(r'"((?:[^"\\]|\\.)*)"', code)]
        long = [part for part in parts if len(part) > 8 and part != "expects"]
        yield from ((text[:statement.start()].count("\n") + 1, part.removeprefix("expects ")) for part in long)


def main(folder, *sources):
    expected = "\n".join(path.read_text() for path in Path(folder).glob("*.mlir"))
    expected = "\n".join(re.findall(r"(?:expected-(?:error|note|remark)|CHECK).*", expected))
    count = missing = 0
    for source in sources:
        for line, part in sentences(Path(source).read_text()):
            count += 1
            if part not in expected:
                missing += 1
                print(f"{source}:{line}: no test in {folder} expects '{part}'")
    print(f"{count} parts of sentences, {missing} without a test")
    return 1 if missing or not count else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
