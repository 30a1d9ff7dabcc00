# SPDX-License-Identifier: Apache-2.0
"""Rules about the tree that no compiler enforces: check.py RULE ROOT. Each prints what breaks it, with the place."""
import re
import subprocess
import sys
from pathlib import Path


def tracked(root, *patterns):
    """Files of the tree, also new ones that are not committed yet, but none that git ignores."""
    command = ["git", "-C", root, "ls-files", "--cached", "--others", "--exclude-standard", "--", *patterns]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return [Path(line) for line in sorted(set(listed.splitlines())) if (Path(root) / line).is_file()]


def size(root):
    """Files a reader can hold in mind."""
    limit = 620
    for path in tracked(root, "*.cpp", "*.h", "*.td", "*.py", "*.mlir", "*.def"):
        lines = len((Path(root) / path).read_text().splitlines())
        if lines > limit:
            yield f"{path}: {lines} lines, expects at most {limit}"


def chips(root):
    """Chip names stand in the chip table; elsewhere code asks what a chip can do."""
    # Which files may name a chip, and why.
    allowed = [
        r"dialect/Target\.(td|cpp|h)",                 # the table
        r"dialect/README\.md",                         # written from the table
        r"test/.*", r".*\.md", r"templates/specs/.*",  # texts and tests
        r"tools/(attnc|attn-run|attn-opt|attn-bench)\.cpp", r"tools/(demo|test|setup)(\.py)?", r"tools/bench/.*",
        r"runtime/sim/.*",                             # what an instruction needs, as the PTX ISA says
        r"runtime/(CudaDevice|SimDevice|attn)\.(cpp|h)",  # a device says what it is
        r"(dialect|passes)/\w+\.td",                   # examples in descriptions
    ]
    for path in tracked(root, "compiler", "dialect", "passes", "runtime", "templates", "tools"):
        if any(re.fullmatch(pattern, str(path)) for pattern in allowed):
            continue
        for number, line in enumerate((Path(root) / path).read_text(errors="replace").splitlines(), 1):
            # Comments may name a chip to explain; code may not depend on one.
            if re.search(r"\bsm_\d+", line) and not re.match(r"\s*(//|#|\*)", line) and "///<" not in line:
                yield f"{path}:{number}: names a chip outside the chip table: {line.strip()}"


def includes(root):
    """What may include what: tools -> compiler -> passes -> dialect, tools -> runtime, and the kernel-file format."""
    below = {
        "dialect": {"dialect"},
        "passes": {"passes", "dialect"},
        "runtime": {"runtime"},
        "compiler": {"compiler", "passes", "dialect"},
    }
    # The compiler writes kernel files, and both sides speak of the same element types and faults.
    shared = {"runtime/KernelFile.h", "runtime/Expression.h", "runtime/Types.h", "runtime/Error.h"}
    # What `attnc` does with files is the runtime's reader and writer.
    shared |= {"runtime/Npy.h", "runtime/Files.h"}
    for folder, may in below.items():
        for path in tracked(root, folder):
            if path.suffix not in (".h", ".cpp", ".td", ".def"):
                continue
            for number, line in enumerate((Path(root) / path).read_text().splitlines(), 1):
                match = re.match(r'\s*#?\s*include "((\w+)/[^"]+)"', line)
                if not match or match[2] not in ("dialect", "passes", "compiler", "runtime", "tools", "test"):
                    continue
                if match[2] not in may and not (folder != "runtime" and match[1] in shared):
                    yield f"{path}:{number}: {folder} may not include {match[1]}"


def headers(root):
    """Each source says its licence, and what its one job is."""
    for path in tracked(root, "*.cpp", "*.h", "*.td", "*.py"):
        lines = (Path(root) / path).read_text().splitlines()
        if lines and lines[0].startswith("#!"):
            lines = lines[1:]
        if not lines or "SPDX-License-Identifier: Apache-2.0" not in lines[0]:
            yield f"{path}:1: expects the line SPDX-License-Identifier: Apache-2.0"
        elif len(lines) < 2 or not re.match(r'(//|"""|#|/\*)', lines[1].strip()):
            yield f"{path}:2: expects a comment that says what the file does"


def leftovers(root):
    """No promise in place of code."""
    for path in tracked(root, "*.cpp", "*.h", "*.td", "*.py", "*.mlir", "*.md", "tools/*"):
        for number, line in enumerate((Path(root) / path).read_text(errors="replace").splitlines(), 1):
            if re.search(r"\b(TO" r"DO|FIX" r"ME|XX" r"X)\b", line):
                yield f"{path}:{number}: {line.strip()}"


RULES = {rule.__name__: rule for rule in (size, chips, includes, headers, leftovers)}

if __name__ == "__main__":
    faults = list(RULES[sys.argv[1]](sys.argv[2]))
    for fault in faults:
        print(fault)
    print(f"{sys.argv[1]}: {len(faults)} broken")
    sys.exit(1 if faults else 0)
