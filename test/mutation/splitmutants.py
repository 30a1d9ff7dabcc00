# SPDX-License-Identifier: Apache-2.0
"""Mutants of the two steps of a kernel whose keys lie in pages and are shared among programs.

What a mutant is, see mutants.py. Beside what is changed there: looking up pages, the bounds of shares, and the wait of
the second step for the first.
"""
import re

from mutants import MutantList, Mutants, SAME_VALUE, comes_from_choice, stores_one_row_value

HIDDEN_KEY = "a key that does not exist is hidden whatever is copied for it, and where there are tiles there is a page 0"
NO_NEXT_TILE = "only the end of the keys makes a tile partial, so none follows it: nobody reads what is copied for one"
HIDDEN_TILES = "tiles behind the last key copy no row and hide every key, so that visiting them changes nothing"
BOUNDED_TWICE = "another minimum keeps the same bound"
MASKED_TOO = "the loop for partial tiles computes full ones just as well"
NO_KEYS = "a length below 0 makes no tile, and no share of keys, by itself"
GRANULE = "the share is rounded up to tiles, and without keys it has none whatever its size"
SOME_KEYS = "programs without keys have left, so that the first tile has a key, and its first page is one of the table's"
NO_SHARE = "a share without keys has no tile, and nobody reads what is left of it"
ENDS_ANYWAY = "programs of the next step begin when those of this one have ended, if not before"
NO_PARTS = "what is loaded in place of a part that does not exist weighs nothing"
FIRST_PART = "the first part of a round exists, or there would be no round"
NOT_STORED = "the row does not exist, nothing that is loaded for it is stored, and behind the maxima lie as many sums"


def parameters_of(entry):
    """What an entry gets, in order: the words of the header behind `//! param`."""
    begin = next(i for i, line in enumerate(entry.lines) if re.match(rf"//! (launch|or) {entry.name}$", line))
    found = []
    for line in entry.lines[begin + 1:]:
        if re.match(r"//! (launch|or|kernel) |[^/]", line):
            return found
        if line.startswith("//! param "):
            found.append(line.split()[2:])
    return found


def sources(entry, register):
    """Names of the tensors that an address is computed from; what the header says of a part of the workspace."""
    at = entry.definition(register)
    if at is None:
        return set()
    one = entry.instructions[at]
    if one.name.startswith("ld.param"):
        word = parameters_of(entry)[int(one.operands[1].rsplit("_", 1)[1])]
        return {word[1] if word[0] == "address" else " ".join(word)} if word[0] in ("address", "workspace") else set()
    if one.name in ("add.s64", "mad.lo.s64", "mad.wide.u32"):
        return set().union(*(sources(entry, word) for word in one.operands[1:] if word.startswith("%")))
    return set()


def choice_behind(entry, register):
    """Whether a number that says whether a row is copied is 0 where no tile follows."""
    at = entry.definition(register)
    if at is None or entry.instructions[at].name != "selp.b32":
        return False
    bound = entry.definition(entry.instructions[at].operands[3])
    return bound is not None and comes_from_choice(entry, entry.instructions[bound].operands[1])


def is_length(entry, register):
    """Whether a register holds a length that is at least 0."""
    at = entry.definition(register)
    one = entry.instructions[at] if at is not None else None
    return one is not None and (one.name == "min.relu.s32" or one.name == "max.s32" and one.operands[2] == "0")


def is_bound(one):
    return re.match(r"(min|max)(\.relu)?\.s32", one.name) is not None


class BoundMutants:
    """What takes either operand of a minimum or maximum of integers in its place."""

    def bound_of_two(self, index, one):
        for number, word in enumerate(one.operands[1:3]):
            self.add(index, f"{one.name} is operand {number}", f"\tmov.b32 {one.operands[0]}, {word};",
                     self.of_bound(one, number))

    def of_bound(self, one, kept):
        """Why a bound that is not kept changes nothing, if it does not."""
        return NO_KEYS if one.name == "max.s32" and one.operands[2] == "0" and kept == 0 else None


class ShareMutants(BoundMutants, Mutants):
    """All mutants of the first step. Sequences end anywhere, which alone makes their tiles partial."""

    def __init__(self, entry):
        super().__init__(entry, one_partial_tile=True)
        for index, one in enumerate(entry.instructions):
            if is_bound(one):
                self.bound_of_two(index, one)
            elif one.name == "griddepcontrol.launch_dependents":
                self.add(index, "without start of the next step", None, ENDS_ANYWAY)

    def has_keys(self, index):
        """Whether programs without keys have left before."""
        return any(one.guard and one.name == "exit" for one in self.entry.instructions[:index])

    def of_bound(self, one, kept):
        name, other = one.name.split(".")[0], one.operands[2]
        if name == "max" and other.startswith("%") and kept == 0 and self.has_keys(self.entry.instructions.index(one)):
            return SOME_KEYS
        if name == "max" and other == "32" and kept == 0:
            return GRANULE
        if name == "max" and other.startswith("%") and kept == 1:
            return MASKED_TOO
        if name == "min" and kept == 0 and is_length(self.entry, other):
            return HIDDEN_TILES
        same = [each for each in self.entry.instructions if each.name == one.name and each.operands[2] == other]
        if name == "min" and kept == 0 and len(same) > 1:
            return BOUNDED_TWICE
        return super().of_bound(one, kept)

    def is_for_no_tile(self, index, register):
        """Of a tile behind a partial one."""
        return self.entry.block_of(index).startswith("masked_tiles") and choice_behind(self.entry, register)

    def copy(self, index, one):
        size = one.operands[-1]
        if not size.startswith("%"):
            return
        some_keys = self.has_keys(index) or "tiles" in self.entry.block_of(index)
        reason = NO_NEXT_TILE if self.is_for_no_tile(index, size) else \
            HIDDEN_KEY if some_keys and "k" in sources(self.entry, one.operands[1].split("+")[0]) else None
        self.add(index, "copies 16 bytes always", self.entry.lines[one.first].replace(f", {size};", ", 16;"), reason)

    def branch(self, index, one):
        """Behind the last tile of a share may be keys of the next one."""
        reason = SAME_VALUE if stores_one_row_value(self.entry, index) else self.of_next_tile(index)
        self.add(index, "never branches", None, reason)
        self.add(index, "always branches", "\t" + one.text.split(" ", 1)[1])

    def leave(self, index, one):
        self.add(index, "never leaves", None, NO_SHARE)
        self.add(index, "always leaves", "\t" + one.text.split(" ", 1)[1])

    def guarded(self, index, one):
        """A page that is looked up."""
        exists = self.entry.instructions[index - 2].operands[1]
        reason = NO_NEXT_TILE if self.is_for_no_tile(index, exists) else None
        self.add(index, "never happens", None, reason)
        lookups = [i for i, each in enumerate(self.entry.instructions) if each.guard == "exists" and self.has_keys(i)]
        first_page = index in lookups[:2]  # of 16 rows; threads copy 8 at a time
        self.add(index, "always happens", "\t" + one.text.split(" ", 1)[1], SOME_KEYS if first_page else None)

    def row_count(self, index, one):
        reason = NO_NEXT_TILE if self.entry.block_of(index).startswith("masked_tiles") else None
        self.add(index, "no rows", f"\tmov.b32 {one.operands[0]}, 0;", reason)


class MergeMutants(BoundMutants, MutantList):
    """All mutants of the second step."""

    def __init__(self, entry):
        super().__init__(entry)
        self.maxima = 0
        for index, one in enumerate(entry.instructions):
            if is_bound(one):
                self.bound_of_two(index, one)
            elif one.name == "griddepcontrol.wait":
                self.add(index, "never waits", "\t{ .reg .pred no; setp.ne.u32 no, 0, 0; @no griddepcontrol.wait; }")
            elif one.name.startswith("bra") and one.guard:
                self.add(index, "never branches", None, self.of_branch(index, one))
                self.add(index, "always branches", "\t" + one.text.split(" ", 1)[1])
            elif one.name == "selp.b32" and one.operands[2] == "0":
                self.add(index, "no rows", f"\tmov.b32 {one.operands[0]}, 0;")
                self.add(index, "all rows", f"\tmov.b32 {one.operands[0]}, {one.operands[1]};",
                         FIRST_PART if self.is_of_first_part(one.operands[3]) else None)
            elif one.name.startswith(("ld.global", "st.global")):
                self.add(index, "without it", None)

    def is_of_first_part(self, predicate):
        """Whether the counter of the loop itself is compared: those of the round's other parts are computed from it."""
        at = self.entry.definition(predicate)
        one = self.entry.instructions[at] if at is not None else None
        return one is not None and one.name == "setp.lt.s32" and len(self.entry.writers[one.operands[1]]) > 1

    def of_branch(self, index, one):
        """Why a branch around something may be left out, if it may."""
        guard = self.entry.instructions[self.entry.definition(one.guard)]
        if guard.name == "setp.lt.s32" and guard.operands[2] == "1":
            return NO_PARTS
        loads = []
        for each in self.entry.instructions[index + 1:self.entry.labels[one.operands[0]]]:
            if each.name.startswith("ld.global"):
                loads += sources(self.entry, re.search(r"\[(%rd\d+)", each.text)[1])
        workspace = [" ".join(words) for words in parameters_of(self.entry) if words[0] == "workspace"]
        if len(workspace) == 3 and workspace[1] in loads:
            self.maxima += 1  # of the first part come first, for each of the two rows that a thread has
            return NOT_STORED if self.maxima <= 2 else None
        return None
