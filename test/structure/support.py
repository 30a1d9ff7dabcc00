# SPDX-License-Identifier: Apache-2.0
"""usage: support.py NEW.md OLD.md | support.py NEW.md ROOT: a yes of the support matrix stays a yes.

With a folder in the second place the old page is that of the first parent commit. Where there is none, there is nothing
to compare with, and the script says so and succeeds.
"""
import subprocess
import sys
from pathlib import Path

PAGE = "templates/SUPPORT.md"


def cells(text):
    """{(rows' topic, row, columns' topic, column): cell}, each table in both directions."""
    found, topics, columns = {}, None, None
    for line in text.splitlines():
        if line.startswith("## "):
            topics, columns = line[3:].split(" and "), None
        elif line.startswith("|"):
            words = [word.strip() for word in line.strip("|\n ").split("|")]
            if columns is None:
                columns = words if line.startswith("| |") else None
                columns = columns[1:] if columns and columns[0] == "" else columns
            elif not line.startswith("|---"):
                for column, cell in zip(columns, words[1:]):
                    found[topics[0], words[0], topics[1], column] = cell
                    found[topics[1], column, topics[0], words[0]] = cell
    return found


def lost(new, old):
    """A sentence for each cell that was yes and is not."""
    now = cells(new)
    sentences = set()
    for key, cell in cells(old).items():
        if cell == "yes" and now.get(key) != "yes":
            one, other = sorted([key[:2], key[2:]])
            sentences.add(f"{one[1]} ({one[0]}) with {other[1]} ({other[0]}): was yes, is {now.get(key, 'gone')}")
    return sorted(sentences)


def of_first_parent(root):
    """The page of the first parent, or None with a reason."""
    done = subprocess.run(["git", "-C", root, "show", f"HEAD^:{PAGE}"], capture_output=True, text=True)
    return (done.stdout, "") if done.returncode == 0 else (None, (done.stderr.strip() or "no reason").splitlines()[0])


def main():
    new, against = Path(sys.argv[1]).read_text(), Path(sys.argv[2])
    if against.is_dir():
        try:
            old, reason = of_first_parent(against)
        except FileNotFoundError:
            old, reason = None, "no git here"
        if old is None:
            print(f"support: nothing to compare with: {reason}")
            return 0
    else:
        old = against.read_text()
    sentences = lost(new, old)
    for sentence in sentences:
        print(f"support: {sentence}")
    print(f"support: {sum(cell == 'yes' for cell in cells(old).values()) // 2} cells were yes, {len(sentences)} are not any more")
    return 1 if sentences else 0


if __name__ == "__main__":
    sys.exit(main())
