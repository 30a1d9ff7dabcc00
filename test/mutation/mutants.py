# SPDX-License-Identifier: Apache-2.0
"""Mutants of an entry, made mechanically from its text, and the rules by which some are proved to be equivalent.

A mutant is (name, {line: new text}, reason): with a reason it computes the same as the entry on every input, and the
reason says why; without one it is wrong on some input, and a test has to tell.
"""
import re
from collections import deque

NEXT_BARRIER = "every path on leads to another barrier, or to the end, and nothing in shared memory is touched before"
NEXT_WAIT = "every path on leads to a wait for no more groups and a barrier, or to the end, and nothing is read before"
NEXT_COMMIT = "every path on leads to another commit, to a wait that covers its group and to a barrier, or to the end, " \
              "and nothing is read before"
FULL_TILE = "a full tile has all its keys, so the bound of its own values never hides one"
ROWS_THAT_EXIST = "the number it chooses still counts rows that exist; the tile they are copied for is not visited"
NO_PARTIAL_TILE = "a partial tile behind the last one copies no row and hides every key, so that visiting it changes nothing"
ONE_PARTIAL_TILE = "only the end of the keys makes a tile partial, so there is one at most, and none is prepared for"
SAME_VALUE = "the lanes that hold one row then store the same value to the same place"


def every_path(entry, start, accept, state):
    """Whether `accept` ends well on all paths from behind `start`. accept(instruction, state) gives True when a path
    has ended well, False when it has ended badly, and otherwise the state to go on with."""
    seen, work = set(), deque((i, state) for i in entry.successors(start))
    while work:
        index, here = work.popleft()
        if (index, here) in seen:
            continue
        seen.add((index, here))
        if index == start:  # the mutant does not have it the next time round either
            work.extend((i, here) for i in entry.successors(index))
            continue
        after = accept(entry.instructions[index], here)
        if after is False:
            return False
        if after is not True:
            work.extend((i, after) for i in entry.successors(index))
    return True


def barrier_is_redundant(entry, index):
    return every_path(entry, index, lambda one, state: True if one.is_barrier else False if one.uses_shared else state, 0)


def wait_is_redundant(entry, index):
    """`waiting` until a wait that covers what this one covered, then `published` by the barrier behind it."""
    most = entry.instructions[index].pending

    def accept(one, state):
        if state == "covered" and one.is_barrier:
            return True
        if one.is_wait and one.pending <= most:
            return "covered"
        return False if one.uses_shared or one.is_commit else state

    return every_path(entry, index, accept, "waiting")


def commit_is_redundant(entry, index):
    """The copies join the next group, and are done when that is. A wait for all but N groups sees to that when at most N
    were committed behind it, leaves older groups alone with one more, and would cover less of them with N larger."""

    def accept(one, state):
        if state == "covered":
            return True if one.is_barrier else False if one.uses_shared else state
        if one.is_commit:
            return 0 if state == "open" else min(state + 1, 8)
        if one.is_wait:
            if state == "open" or one.pending > state + 1:
                return False
            return "covered" if one.pending <= state else state
        return False if one.uses_shared and not one.is_copy else state

    return every_path(entry, index, accept, "open")


def is_size(entry, index):
    """selp of a copy's size: 16 bytes or none."""
    one = entry.instructions[index]
    return one.name == "selp.b32" and one.operands[1:3] == ["16", "0"]


def is_row_count(entry, index):
    """selp of how many rows there are to copy: those of a tile, or none where no tile follows."""
    one = entry.instructions[index]
    return one.name == "selp.b32" and one.operands[2] == "0" and one.operands[1].startswith("%")


def copies_before_products(entry, body):
    """Positions of the copies in a body up to its first matrix load."""
    found = []
    for label, at in entry.labels.items():
        if label.startswith(body):
            while not entry.instructions[at].name.startswith("ldmatrix") and at + 1 < len(entry.instructions):
                found += [at] if entry.instructions[at].is_copy else []
                at += 1
    return found


def comes_from_choice(entry, register):
    """Whether a number of rows is of a tile that may not follow: chosen by selp, perhaps less a thread's own row."""
    at = entry.definition(register)
    if at is None:
        return False
    return is_row_count(entry, at) or entry.instructions[at].name == "sub.s32" and \
        comes_from_choice(entry, entry.instructions[at].operands[1])


def copies_of_own_tile(entry):
    """Copies in the bodies for full tiles that fetch the values of the tile itself, not of one that may follow."""
    found = set()
    for copy in copies_before_products(entry, "full_tiles"):
        size = entry.definition(entry.instructions[copy].operands[-1])
        bound = size and entry.definition(entry.instructions[size].operands[3])
        if bound and not comes_from_choice(entry, entry.instructions[bound].operands[1]):
            found.add(copy)
    return found


def sizes_of(entry, register):
    """The copies whose size a predicate decides, by way of selp."""
    return [copy for size in entry.users(register) if is_size(entry, size)
            for copy in entry.users(entry.instructions[size].operands[0]) if entry.instructions[copy].is_copy]


def stores_one_row_value(entry, index):
    """A branch around a store, taken by all lanes of a quad but its first."""
    guard = entry.definition(entry.instructions[index].guard)
    if guard is None or entry.instructions[guard].name != "setp.ne.b32" or entry.instructions[guard].operands[2] != "0":
        return False
    lane = entry.definition(entry.instructions[guard].operands[1])
    return lane is not None and entry.instructions[lane].name == "and.b32" and entry.instructions[lane].operands[2] == "3"


def reachable(entry, index):
    found, work = set(), [index]
    while work:
        at = work.pop()
        if at not in found:
            found.add(at)
            work += entry.successors(at)
    return found


def leads_around_partial_tiles(entry, index):
    """A branch to behind the loop of partial tiles, whose way on runs straight into that loop, with no full tile later."""
    target = entry.labels[entry.instructions[index].operands[0]]
    at = index + 1
    bodies = {at for label, at in entry.labels.items() if label.startswith("masked_tiles")}
    while at not in bodies and at + 1 < len(entry.instructions) and not entry.instructions[at].guard:
        one = entry.instructions[at]
        at = entry.labels[one.operands[0]] if one.name == "bra.uni" else at + 1
    full = {at for label, at in entry.labels.items() if label.startswith("full_tiles")}
    return at in bodies and target > at and not full & reachable(entry, target)


def prepares_next_partial_tile(entry, index):
    """In the body for partial tiles behind its first matrix load, and of no weight but to the next turn of that loop."""
    one, label = entry.instructions[index], entry.block_of(index)
    if not label.startswith("masked_tiles"):
        return False
    loads = [i for i in range(entry.labels[label], index) if entry.instructions[i].name.startswith("ldmatrix")]
    turns = one.name.startswith("bra") and one.operands[0] == label
    return bool(loads) and (turns or one.is_commit or is_row_count(entry, index) or one.name.startswith("setp"))


class MutantList:
    """Mutants of an entry, as they are found."""

    def __init__(self, entry):
        self.entry, self.found = entry, []

    def add(self, index, what, text, reason=None, without=()):
        """One with another text, or none, for an instruction, and without some others."""
        one = self.entry.instructions[index]
        name = f"{self.entry.block_of(index).lstrip('$')}:{one.first + 1} {what}"
        gone = [one, *(self.entry.instructions[i] for i in without)]
        lines = {line: None for each in gone for line in range(each.first, each.last + 1)}
        self.found.append((name, lines | {one.first: text}, reason))

    def change(self, index, what, pattern, new, reason=None):
        """One with the last match of a pattern replaced."""
        text = self.entry.instructions[index].text
        match = list(re.finditer(pattern, text))[-1]
        self.add(index, what, f"\t{text[:match.start()]}{new}{text[match.end():]}", reason)


class Mutants(MutantList):
    """All mutants of an entry; one_partial_tile says that no mask but the number of keys makes its tiles partial."""

    def __init__(self, entry, one_partial_tile=False):
        super().__init__(entry)
        self.own, self.one_partial_tile = copies_of_own_tile(entry), one_partial_tile
        for index, one in enumerate(entry.instructions):
            if one.is_barrier:
                self.add(index, "without barrier", None, NEXT_BARRIER if barrier_is_redundant(entry, index) else None)
            elif one.is_wait:
                reason = NEXT_WAIT if wait_is_redundant(entry, index) else None
                self.add(index, "without wait", None, reason)
                self.add(index, "waits for one group less", f"\tcp.async.wait_group {one.pending + 1};", reason)
            elif one.is_commit:
                reason = NEXT_COMMIT if commit_is_redundant(entry, index) else self.of_next_tile(index)
                self.add(index, "without commit", None, reason)
            elif one.is_copy:
                self.copy(index, one)
            elif one.name.startswith("setp"):
                self.bound(index, one)
            elif is_row_count(entry, index):
                self.row_count(index, one)
            elif one.guard and one.name.startswith("bra"):
                self.branch(index, one)
            elif one.guard and one.name == "exit":
                self.leave(index, one)
            elif one.guard:
                self.guarded(index, one)
            elif one.name == "selp.f32" and one.operands[2] == "0fFF800000":
                self.add(index, "score not hidden", f"\tmov.b32 {one.operands[0]}, {one.operands[1]};")

    def copy(self, index, one):
        text = self.entry.lines[one.first]
        size = one.operands[-1]
        if size.startswith("%"):
            self.add(index, "copies 16 bytes always", text.replace(f", {size};", ", 16;"),
                     FULL_TILE if index in self.own else None)

    def bound(self, index, one):
        copies = sizes_of(self.entry, one.operands[0])
        if not copies or len(copies) != len(self.entry.users(one.operands[0])):
            return
        reason = FULL_TILE if all(copy in self.own for copy in copies) else None
        self.add(index, "bound always holds", f"\tsetp.eq.s32 {one.operands[0]}, 0, 0;", reason)
        self.add(index, "bound never holds", f"\tsetp.ne.s32 {one.operands[0]}, 0, 0;", self.of_next_tile(index))

    def row_count(self, index, one):
        self.add(index, "rows though no tile follows", f"\tmov.b32 {one.operands[0]}, {one.operands[1]};", ROWS_THAT_EXIST)
        self.add(index, "no rows", f"\tmov.b32 {one.operands[0]}, 0;", self.of_next_tile(index))

    def branch(self, index, one):
        never = SAME_VALUE if stores_one_row_value(self.entry, index) else \
            NO_PARTIAL_TILE if leads_around_partial_tiles(self.entry, index) else self.of_next_tile(index)
        self.add(index, "never branches", None, never)
        self.add(index, "always branches", "\t" + one.text.split(" ", 1)[1])

    def of_next_tile(self, index):
        return ONE_PARTIAL_TILE if self.one_partial_tile and prepares_next_partial_tile(self.entry, index) else None
