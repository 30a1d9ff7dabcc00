# SPDX-License-Identifier: Apache-2.0
"""edit.py IN OUT OLD NEW: replaces a text once in a kernel file and makes its check line right again."""
import sys

source, target, old, new = (word.replace("\\n", "\n") for word in sys.argv[1:])
text = open(source, encoding="utf-8").read()
if old not in text:
    sys.exit(f"edit.py: '{old}' is not in {source}")
head, content = text.replace(old, new, 1).split("//! check ", 1)
content = content.split("\n", 1)[1]
value = 0xCBF29CE484222325
for byte in content.encode():
    value = (value ^ byte) * 0x100000001B3 % 2**64
open(target, "w", encoding="utf-8").write(f"{head}//! check {value:016x}\n{content}")
