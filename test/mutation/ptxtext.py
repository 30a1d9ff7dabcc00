# SPDX-License-Identifier: Apache-2.0
"""PTX as lines: the entries of a kernel file, their control flow, and the check line of an edited file."""
import re

INSTRUCTION = re.compile(r"\s+(?:@(!?)(%?\w+)\s+)?([a-z][\w.:]*)\s*(.*)")


def checked(text):
    """The kernel file with its check line computed anew: FNV-1a, 64 bits, of all that follows that line."""
    begin = text.index("\n//! check ") + 1
    end = text.index("\n", begin)
    value = 0xCBF29CE484222325
    for byte in text[end + 1:].encode():
        value = ((value ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return f"{text[:begin]}//! check {value:016x}{text[end:]}"


def without_first_alternative(text):
    """A file whose only step has an alternative, with that alternative in the place of the first."""
    return re.sub(r"(?ms)^//! launch .*?^//! or ", "//! launch ", text, count=1)


class Instruction:
    def __init__(self, first, last, text):
        self.first, self.last, self.text = first, last, " ".join(text.split())
        negated, self.guard, self.name, rest = INSTRUCTION.match(text).groups()
        self.negated = bool(negated)
        self.operands = [word for word in re.split(r"[\s,;{}\[\]]+", rest) if word]

    @property
    def is_barrier(self):
        return self.name.startswith(("bar.", "barrier."))

    @property
    def is_wait(self):
        return self.name == "cp.async.wait_group"

    @property
    def is_commit(self):
        return self.name == "cp.async.commit_group"

    @property
    def is_copy(self):
        return re.match(r"cp\.async\.c[ag]\.", self.name) is not None

    @property
    def uses_shared(self):
        return self.is_copy or self.name.startswith("ldmatrix") or ".shared" in self.name

    @property
    def pending(self):
        return int(self.operands[0])


class Entry:
    """The instructions of one .entry, whose positions are lines of the whole file (from 0), and who follows whom."""

    def __init__(self, lines, name):
        self.writers, self.before, scopes = {}, {}, []
        begin = next(i for i, line in enumerate(lines) if re.match(rf"\.visible \.entry {name}\(", line))
        end = next(i for i in range(begin, len(lines)) if lines[i] == "}")
        self.lines, self.name, self.instructions, self.labels = lines, name, [], {}
        at = next(i for i in range(begin, end) if lines[i] == "{") + 1
        while at < end:
            line = lines[at]
            if match := re.match(r"(\$?\w+):", line):
                (scopes[-1] if scopes else self.labels)[match[1]] = len(self.instructions)
            elif line.strip() == "{":
                scopes.append({})
            elif line.strip() == "}":
                scopes.pop()
            elif line.strip() and not line.strip().startswith((".", "//")):
                last = at
                while not lines[last].rstrip().endswith(";"):
                    last += 1
                self.instructions.append(Instruction(at, last, "\n".join(lines[at:last + 1])))
                self.note(self.instructions[-1], scopes)
                at = last
            at += 1

    def note(self, instruction, scopes):
        """Who writes which register; the target of a branch back within a scope, whose labels others have as well."""
        if instruction.operands and not instruction.name.startswith(("bar.", "bra", "st", "mbarrier.init", "cp.async")):
            self.writers.setdefault(instruction.operands[0], []).append(len(self.instructions) - 1)
        found = [scope[instruction.operands[0]] for scope in scopes if instruction.name.startswith("bra")
                 if instruction.operands[0] in scope]
        instruction.target = found[-1] if found else None

    def successors(self, index):
        instruction = self.instructions[index]
        if instruction.name in ("ret", "exit") and not instruction.guard:
            return []
        after = [index + 1] if index + 1 < len(self.instructions) else []
        if not instruction.name.startswith("bra"):
            return after
        target = [self.labels[instruction.operands[0]] if instruction.target is None else instruction.target]
        return target + after if instruction.guard else target

    def predecessors(self, index):
        if not self.before:
            for at in range(len(self.instructions)):
                for after in self.successors(at):
                    self.before.setdefault(after, []).append(at)
        return self.before.get(index, [])

    def block_of(self, index):
        """The label that stands last before an instruction."""
        before = [(at, name) for name, at in self.labels.items() if at <= index]
        return max(before)[1] if before else "start"

    def users(self, register):
        return [i for i, one in enumerate(self.instructions)
                if one.guard == register or register in one.operands[1:] or
                (one.name.startswith(("st.", "cp.async")) and register in one.operands)]

    def definition(self, register):
        found = [i for i, one in enumerate(self.instructions) if one.operands and one.operands[0] == register]
        return found[0] if len(found) == 1 else None


def edited(lines, replacements):
    """The file with some lines replaced: {line from 0: new text, or None to delete}; line numbers stay as they are."""
    result = list(lines)
    for line, new in replacements.items():
        result[line] = "" if new is None else new
    return checked("\n".join(result))
