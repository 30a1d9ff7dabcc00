# SPDX-License-Identifier: Apache-2.0
"""Every sentence that the project can say to a user stands in a test: sentences.py ROOT FOLDER...

A sentence is what stands between quotes in a statement that reports: `fail`, `emitOpError`, `throw Error`, `fault`,
`createStringError` and the like. Cut where values come in, each of its longer parts must be written somewhere below
test/, in what a test expects: behind `expected-error`, CHECK or another prefix, or anywhere in a test that is a program.
"""
import re
import sys
from pathlib import Path

REPORT = re.compile(
    r"\b(?:fail|fault|faults\.push_back|emitOpError|emitError|emitWarning|emitRemark|attachNote|createStringError|"
    r"refuse|throw Error|Error)\(")
LITERAL = re.compile(r'"((?:[^"\\\n]|\\.)*)"')
# What a value replaces: {} of fmt, %s of printf.
VALUE = re.compile(r"\{[^{}]*\}|%(?:s|d|u|ld|lld|zu|llu)")
# Lines of a test that say what must come out: expected-error and its kin, prefixes of FileCheck, errors of the simulator.
EXPECTS = re.compile(r"expected-(?:error|note|remark|warning)|^[/#; ]*[A-Z][A-Z0-9_-]*:|^//! error ")
SHORTEST = 9
# What no test can bring about, and why.
UNREACHED = {
    "error: the module has no form in LLVM IR": "every operation that the last stage allows has one",
    "the NVIDIA driver is too old: it has no cuTensorMapEncodeTiled": "the stand-in for the driver has them all",
}


def joined(text):
    """Adjacent literals of C++ are one."""
    return re.sub(r'"\s*\n\s*"', "", text)


def statement(text, begin):
    """From a report to the semicolon that ends it."""
    inside = False
    for end in range(begin, len(text)):
        if text[end] == '"' and text[end - 1] != "\\":
            inside = not inside
        elif text[end] == ";" and not inside:
            return text[begin:end]
    return text[begin:]


def parts(path):
    """(line number, part) of all that a source reports."""
    text = path.read_text()
    for found in REPORT.finditer(text):
        code = joined(statement(text, found.start()))
        for literal in LITERAL.findall(code):
            for part in VALUE.split(literal.replace('\\"', '"')):
                part = part.strip().removeprefix("expects ").strip("'\" ,:;")
                if len(part) >= SHORTEST and not part.endswith((".h", ".td")):
                    yield text.count("\n", 0, found.start()) + 1, part


def expected(root):
    """All that the tests are written in."""
    texts = []
    for path in sorted((root.resolve() / "test").rglob("*")):
        if path == Path(__file__).resolve() or path.suffix not in (".mlir", ".test", ".cpp", ".h", ".py", ".ptx", ".txt"):
            continue
        text = path.read_text(errors="replace")
        if path.suffix in (".mlir", ".test", ".ptx"):
            text = "\n".join(line for line in text.splitlines() if EXPECTS.search(line) and "RUN:" not in line)
        texts.append(joined(text).replace('\\"', '"'))
    return "\n".join(texts)


def main(root, *folders):
    root, seen, missing = Path(root), 0, 0
    tests = expected(root)
    for folder in folders:
        for path in sorted((root / folder).glob("*.cpp")) + sorted((root / folder).glob("*.h")):
            for line, part in dict.fromkeys(parts(path)):
                seen += 1
                if part not in tests and part not in UNREACHED:
                    missing += 1
                    print(f"{path.relative_to(root)}:{line}: no test expects '{part}'")
    print(f"{seen} parts of sentences, {missing} without a test")
    return 1 if missing or not seen else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
