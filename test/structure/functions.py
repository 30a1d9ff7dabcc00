# SPDX-License-Identifier: Apache-2.0
"""Functions a reader can hold in mind: functions.py ROOT [--write] compares each function's length with a limit.

Those that are longer stand in long-functions.txt with the length that they may have: a list that may only shrink, which
`--write` does. Read from how clang-format lays out code: a function ends at the first line that is its own indentation and
a closing brace.
"""
import re
import sys
from pathlib import Path

from check import tracked

LIMIT = 40
LIST = Path(__file__).resolve().parent / "long-functions.txt"
# What begins a block that is no function.
OTHER = re.compile(r"(if|for|while|switch|else|do|try|catch|namespace|class|struct|enum|union|return|case|default|extern|"
                   r"public|private|protected|template <[^>]*> (class|struct)|typedef|using)\b")
RAW = re.compile(r'R"(\w*)\((.*?)\)\1"', re.S)


def head_of(lines, end):
    """From the first line of the statement that `end` opens a block of, to that line; comments are left out."""
    begin = end
    while begin > 0:
        before = lines[begin - 1].strip()
        if not before or before.endswith((";", "{", "}", ":")) or before.startswith(("#", "//", "/*", "*")):
            break
        begin -= 1
    return begin


def name_of(text):
    """The name of the function that a head declares; None when it declares none."""
    if OTHER.match(text):
        return None
    if test := re.match(r"(TEST\(\w+\)) \{", text):
        return test[1]
    plain = re.sub(r"\boperator\s*\(\)|\boperator[^\s(]+", lambda match: re.sub(r"\W", "_", match[0]), text)
    flat, previous = plain, None
    while flat != previous:  # what stands in parentheses, innermost first
        flat, previous = re.sub(r"\([^()]*\)", "\0", flat), flat
    match = re.search(r"([\w~:]+)\s*\0", flat)
    return None if not match or "=" in flat[:match.start()] else match[1]


def functions(text):
    """(name, first line, lines between the braces) of each function; those within another count as part of it."""
    text = RAW.sub(lambda match: '""' + "\n" * match[2].count("\n"), text)
    lines, at = text.splitlines(), 0
    while at < len(lines):
        at += 1
        line = lines[at - 1]
        if not line.endswith("{") or line.lstrip().startswith(("//", "#", "*")):
            continue
        begin = head_of(lines, at - 1)
        name = name_of(" ".join(part.strip() for part in lines[begin:at]))
        if not name:
            continue
        indent = re.match(r" *", lines[begin])[0]
        end = next((i for i in range(at, len(lines)) if lines[i].startswith(indent + "}")), None)
        if end is None:
            continue
        yield name, begin + 1, end - at
        at = end + 1


def measured(root):
    """Length of each function over the limit, by file and name; of several with one name the longest."""
    long = {}
    for path in tracked(root, "*.cpp", "*.h"):
        for name, line, length in functions((Path(root) / path).read_text()):
            if length > LIMIT:
                key = (str(path), name)
                long[key] = max(long.get(key, (0, 0)), (length, line))
    return long


def main(root, *options):
    long = measured(root)
    if "--write" in options:
        rows = [f"{length} {path} {name}\n" for (path, name), (length, _) in sorted(long.items())]
        LIST.write_text("".join(rows))
    allowed = {}
    for row in LIST.read_text().splitlines():
        length, path, name = row.split()
        allowed[path, name] = int(length)
    faults = [f"{path}:{line}: {name} has {length} lines, expects at most {allowed.get((path, name), LIMIT)}"
              for (path, name), (length, line) in sorted(long.items()) if length > allowed.get((path, name), LIMIT)]
    faults += [f"{path}: {name} is no longer above {LIMIT} lines: take it off {LIST.name}"
               for path, name in sorted(allowed) if (path, name) not in long]
    for fault in faults:
        print(fault)
    print(f"functions: {len(faults)} broken, {len(long)} above {LIMIT} lines")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
