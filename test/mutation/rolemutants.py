# SPDX-License-Identifier: Apache-2.0
"""Mutants of an entry whose warpgroups have roles: one copies tiles under mbarriers, the others multiply them.

What a mutant is, see mutants.py. Changed are the barriers, their counts and parities, the copies, the products, the
fences and waits of both, the branches and masks, and every constant that an address, a coordinate, a descriptor or a
parity is computed from.
"""
import re

from mutants import MutantList, ONE_PARTIAL_TILE, SAME_VALUE, reachable

FRESH = "the barrier is new, and a wait for the phase before its first passes at once"
LAST_RELEASE = "no tile is waited for behind it, so none is copied, and nobody waits for the release of what it frees"
NEVER_WAITED = "nobody waits for a phase of this barrier, but for the one before its first"
NOTHING_BEHIND = "it waits for others alone: nothing behind it but the end touches what they share"
FENCED = "no register of its products is touched between the fence before it and itself"
WHOLE_TILE = "a tile that another follows has all its keys, so that none of its rows is cleared"
NO_ROWS = "of a tile with all its keys no row is left to clear, and all that multiply come to the barrier"
ONE_ROUND = "the threads clear a tile in one round"
OTHER_NUMBER = "all that meet there take another barrier instead, of a number that is not in use"
ONE_SLAB = "the columns lie in one slab, so that the distance of slabs is not used"
VIRTUAL = "the registers of PTX are virtual: having fewer to hold them in changes no result"

# Instructions that an address is followed back through.
ADDRESS = ("add.", "sub.", "shl.", "shr.", "and.", "or.", "bfe.", "not.", "neg.", "mov.", "cvt.")
NUMBER = re.compile(r"(?<![\w.%])-?\d+(?![\w.])")


def constant_offset(entry, register, at):
    """n if a register holds the start of shared memory and n, both constant; None if it does not."""
    index = definition(entry, register, at)
    if index is None:
        return None
    one = entry.instructions[index]
    if one.name == "add.s32" and one.operands[2].isdigit():
        base = constant_offset(entry, one.operands[1], index)
        return None if base is None else base + int(one.operands[2])
    if one.name.startswith("cvt.u32.u64"):
        before = definition(entry, one.operands[1], index)
        return 0 if before is not None and entry.instructions[before].operands[1] == "shared_memory" else None
    return None


def definition(entry, register, at):
    """The only instruction that writes a register; of names that many scopes declare, the last before `at`."""
    found = entry.writers.get(register, [])
    if register.startswith("%"):
        return found[0] if len(found) == 1 else None
    return max((i for i in found if i < at), default=None)


def address_sources(entry):
    """Instructions that addresses, coordinates, descriptors and parities come from, in the order of the text."""
    found, work = set(), []
    for index, one in enumerate(entry.instructions):
        if one.name.startswith(("mbarrier.", "cp.async.bulk.tensor", "st.shared", "stmatrix")):
            text = re.search(r"\[.*?\]", one.text)[0] if one.name.startswith("st") else one.text[one.text.index("["):]
            words = re.findall(r"%?\w+", text)
            work += [(word, index) for word in words]
        elif one.is_barrier:
            work += [(word, index) for word in one.operands]
        elif one.name.startswith("wgmma.mma_async"):
            work += [(word, index) for word in ("a", "b")]
    while work:
        register, at = work.pop()
        sources = entry.writers.get(register, []) if register.startswith("%") else [definition(entry, register, at)]
        for index in sources:
            if index is not None and index not in found and entry.instructions[index].name.startswith(ADDRESS):
                found.add(index)
                work += [(word, index) for word in entry.instructions[index].operands[1:]]
    return sorted(found)


def between(entry, start, end):
    """What is reachable behind an instruction before another is passed."""
    found, work = set(), entry.successors(start)
    while work:
        at = work.pop()
        if at != end and at not in found:
            found.add(at)
            work += entry.successors(at)
    return found


def without_passing(entry, index, head):
    """What is reached from an instruction before the one at `head`."""
    found, work = set(), [index]
    while work:
        at = work.pop()
        if at not in found and at != head:
            found.add(at)
            work += entry.successors(at)
    return found


def is_in_loop(entry, index, label):
    """Whether a branch back to the label is reached without passing it: a way through a loop around this one enters it
    from where the start of the entry leads to."""
    head = entry.labels.get(label)
    if head is None:
        return False
    ways_in = without_passing(entry, 0, head)
    return index == head or any(head in entry.successors(at) for at in without_passing(entry, index, head) - ways_in)


def is_last_wait(entry, index):
    """A barrier behind which nothing is shared any more."""
    behind = [entry.instructions[i] for i in reachable(entry, index) if i != index]
    return not any(one.is_barrier or one.uses_shared or one.name.startswith(("wgmma", "st.global")) for one in behind)


def is_fenced_before(entry, index):
    """Whether another wgmma.fence comes before, and what the products touch is left alone between the two."""
    registers, at = set(), index + 1
    while not entry.instructions[at].name.startswith("wgmma.commit"):
        if entry.instructions[at].name.startswith("wgmma.mma_async"):
            registers |= {word for word in entry.instructions[at].operands if word.startswith("%")}
        at += 1
    seen, work = set(), list(entry.predecessors(index))
    while work:
        at = work.pop()
        one = entry.instructions[at]
        if at in seen or one.name.startswith("wgmma.fence"):
            continue
        if at == 0 or registers & {*one.operands, one.guard} and not one.name.startswith("wgmma"):
            return False
        seen.add(at)
        work += entry.predecessors(at)
    return True


class RoleMutants(MutantList):
    """All mutants of an entry that has roles; one_partial_tile as for the other kernels."""

    def __init__(self, entry, one_partial_tile=False):
        super().__init__(entry)
        self.one_partial_tile, self.cleared = one_partial_tile, {}
        for index, one in enumerate(entry.instructions):
            if one.name == "bra" and one.guard and one.guard.startswith("%"):
                self.note_clearing(index, entry.labels[one.operands[0]])
        self.barriers_waited = self.waited()
        for index, one in enumerate(entry.instructions):
            self.barrier(index, one)
            self.copy(index, one)
            self.product(index, one)
            self.decision(index, one)
        for index in address_sources(entry):
            self.constants(index)

    def note_clearing(self, index, target):
        """A branch around the clearing of rows behind a length, and what is on that way: whether the tile is the last."""
        way = between(self.entry, index, target)
        if index in way or not any(self.entry.instructions[i].name.startswith("st.shared") for i in way):
            return
        if len(way) < 40:
            last = not any(is_in_loop(self.entry, target, label) for label in ("full_tiles", "masked_tiles"))
            self.cleared |= {index: (last, True)} | {i: (last, False) for i in way}

    def add(self, index, what, text, reason=None, without=()):
        last, branch = self.cleared.get(index, (True, False))
        if reason is None and not last and self.one_partial_tile and not (branch and what == "never branches"):
            reason = WHOLE_TILE
        if reason is None and last and branch and what == "never branches":
            reason = NO_ROWS
        super().add(index, what, text, reason, without)

    def visited_once(self, index):
        """Part of a loop that has only the last tile to visit."""
        return ONE_PARTIAL_TILE if self.one_partial_tile and is_in_loop(self.entry, index, "masked_tiles") else None

    def waits(self):
        return [i for i, one in enumerate(self.entry.instructions) if one.name.startswith("mbarrier.try_wait")]

    def is_fresh(self, index):
        """A wait with parity 1, once, for a barrier that no wait before it can name."""
        entry, one = self.entry, self.entry.instructions[index]
        parity = definition(entry, one.operands[2], index)
        own = constant_offset(entry, one.operands[1], index)
        if parity is None or entry.instructions[parity].operands[1] != "1" or own is None:
            return False
        loop = index + 1  # the branch back to the wait itself
        if any(index in reachable(entry, i) for i in entry.successors(loop) if i != index):
            return False
        before = [i for i in self.waits() if i != index and index in reachable(entry, i)]
        offsets = [constant_offset(entry, entry.instructions[i].operands[1], i) for i in before]
        return None not in offsets and own not in offsets

    def waited(self):
        """Offsets of barriers that somebody waits for; None among them for those that are computed."""
        entry = self.entry
        return {constant_offset(entry, entry.instructions[i].operands[1], i) for i in self.waits() if not self.is_fresh(i)}

    def never_waited(self, offset):
        """Whether a barrier at a constant offset is no stage of a ring that has several, nor waited for by itself."""
        waits = [constant_offset(self.entry, self.entry.instructions[i].operands[1], i) for i in self.waits()]
        return offset not in self.barriers_waited and waits.count(offset) == 1 and offset > max(self.computed_offsets())

    def computed_offsets(self):
        """Largest offsets that barriers of rings of several stages are computed from."""
        entry, found = self.entry, [0]
        for index in self.waits():
            at = definition(entry, entry.instructions[index].operands[1], index)
            if at is not None and constant_offset(entry, entry.instructions[index].operands[1], index) is None:
                found.append(int(entry.instructions[at].operands[2]) + 8)
        return found

    def barrier(self, index, one):
        if one.name.startswith("mbarrier.init"):
            offset, count = one.operands[0].split("+")[1], int(one.operands[1])
            reason = NEVER_WAITED if self.never_waited(int(offset)) else None
            self.add(index, "barrier not made", None)
            self.change(index, "one arrival more", r", \d+;", f", {count + 1};", reason)
            if count > 1:
                self.change(index, "one arrival less", r", \d+;", f", {count - 1};", reason)
        elif one.name.startswith("mbarrier.try_wait"):
            reason = FRESH if self.is_fresh(index) else None
            self.add(index, "without wait", None, reason, [index + 1])
            self.add(index + 1, "does not try again", None, reason)
            self.add(index, "other parity", f"\t{{ .reg .b32 other; xor.b32 other, {one.operands[2]}, 1; " +
                     one.text.replace(f"{one.operands[2]};", "other; }"))
        elif one.name.startswith("mbarrier.arrive.shared"):
            later = any(i in reachable(self.entry, index) for i in self.waits())
            reason = None if later else LAST_RELEASE  # the next item fills what this tile leaves
            self.add(index, "without arrival", None, reason)
            self.add(index, "every thread arrives", "\t" + one.text.split(" ", 1)[1], reason)
        elif one.name.startswith("mbarrier.arrive.expect_tx"):
            self.add(index, "without arrival", None)
            size = int(one.operands[-1])
            for what, other in (("half the bytes", size // 2), ("twice the bytes", size * 2), ("no bytes", 0)):
                self.change(index, f"expects {what}", r", \d+;", f", {other};")
        elif one.is_barrier:
            self.add(index, "without barrier", None, NOTHING_BEHIND if is_last_wait(self.entry, index) else None)
            if len(one.operands) > 1:
                for count in (-128, 128):
                    self.change(index, f"{count} threads", r", \d+;", f", {int(one.operands[1]) + count};")
        elif one.name.startswith("fence."):
            self.add(index, "without fence", None)
        elif one.name.startswith(("st.shared", "stmatrix")):
            self.add(index, "without store", None)
        elif one.name.startswith("setmaxnreg"):
            more = ".inc." in one.name
            self.add(index, "keeps its registers", None, VIRTUAL if more else None)
            self.change(index, "8 registers more", r"\d+;", f"{int(one.operands[0]) + 8};")

    def copy(self, index, one):
        if one.name.startswith("cp.async.bulk.wait_group"):
            self.add(index, "without wait", None)
            self.change(index, "waits for one group less", r"\d+;", f"{int(one.operands[0]) + 1};")
        elif one.name.startswith("cp.async.bulk.commit_group"):
            self.add(index, "without commit", None)
        elif one.name.startswith("cp.async.bulk"):
            self.tensor_copy(index, one)

    def tensor_copy(self, index, one):
        self.add(index, "without copy", None)
        coordinates = re.search(r"\{([^}]*)\}", one.text)[1].split(", ")
        for at, word in enumerate(coordinates):
            other = f"{int(word) + 1}" if word.isdigit() else "other"
            words = ", ".join(coordinates[:at] + [other] + coordinates[at + 1:])
            text = one.text.replace(", ".join(coordinates), words)
            self.add(index, f"coordinate {at} one more", f"\t{text}" if word.isdigit() else
                     f"\t{{ .reg .b32 other; add.s32 other, {word}, 1; {text} }}")

    def product(self, index, one):
        if one.name.startswith("wgmma.fence"):
            reason = FENCED if is_fenced_before(self.entry, index) else self.visited_once(index)
            self.add(index, "without fence", None, reason)
        elif one.name.startswith("wgmma.commit"):
            self.add(index, "without commit", None)
        elif one.name.startswith("wgmma.wait"):
            self.add(index, "without wait", None)
            self.change(index, "waits for one group less", r"\d+;", f"{int(one.operands[0]) + 1};")
        elif one.name.startswith("wgmma.mma_async"):
            self.add(index, "without product", None)
            head, numbers = one.text.split(" b, ")
            adds, *scales = numbers.rstrip(";").split(", ")
            self.add(index, "sums kept" if adds == "0" else "sums dropped",
                     f"\t{head} b, {', '.join([str(1 - int(adds)), *scales])};")
            scales[-1] = str(1 - int(scales[-1]))
            self.add(index, "operand transposed", f"\t{head} b, {', '.join([adds, *scales])};")

    def decision(self, index, one):
        if one.name.startswith("bra") and one.guard and one.guard.startswith("%"):
            back = one.operands[0] == "masked_tiles"
            self.add(index, "never branches", None, self.visited_once(index) if back else None)
            skipped = [i for i in between(self.entry, index, self.entry.labels[one.operands[0]])
                       if not self.entry.instructions[i].name.startswith("mov.")]
            alone = skipped and all(self.entry.instructions[i].is_barrier and is_last_wait(self.entry, i) for i in skipped)
            self.add(index, "always branches", "\t" + one.text.split(" ", 1)[1], NOTHING_BEHIND if alone else None)
        elif one.name == "selp.f32" and one.operands[2] == "0fFF800000":
            self.add(index, "score not hidden", f"\tmov.b32 {one.operands[0]}, {one.operands[1]};")
        elif one.name == "setp.ne.b32" and one.operands[0].startswith("%") and \
                any(self.entry.instructions[i].name == "or.pred" for i in self.entry.users(one.operands[0])):
            self.add(index, "bound never holds", f"\tsetp.ne.b32 {one.operands[0]}, 0, 0;", SAME_VALUE)

    def constants(self, index):
        """Each integer of an instruction, made more; and both distances of a descriptor, halved."""
        one = self.entry.instructions[index]
        head, rest = one.text.split(one.name, 1)
        for number, match in enumerate(NUMBER.finditer(rest)):
            value = int(match[0])
            if value >= 1 << 30:  # upper half of a descriptor: how rows are swizzled, and the distance of 8 rows
                values = [value - (value & 0x3FFF) // 2, value - (1 << 30)]
            elif value >= 1 << 24:  # lower half: an address in units of 16 bytes, and the distance of slabs
                values = [value + 1, value - (value >> 17 << 16)]
            else:
                values = [value + 1024 if value >= 1024 else value + 1 if value >= 0 else value * 2]
            for other in values:
                text = rest[:match.start()] + str(other) + rest[match.end():]
                self.add(index, f"{one.name} constant {number}: {value} becomes {other}", f"\t{head}{one.name}{text}",
                         self.of_constant(index, value, other))

    def barrier_numbers(self, without):
        """Of all barriers but those whose number comes from an instruction: one for each of two warpgroups if computed."""
        found = set()
        for index, one in enumerate(self.entry.instructions):
            if one.is_barrier:
                at = definition(self.entry, one.operands[0], index)
                if at is None:
                    found.add(int(one.operands[0]))
                elif at != without:
                    constant = int(self.entry.instructions[at].operands[-1])
                    found |= {constant, constant + 1}
        return found

    def of_constant(self, index, value, other):
        """Why another constant changes nothing, if it does not."""
        entry, one = self.entry, self.entry.instructions[index]
        if value >= 1 << 24 and other < value - 1024 and value < 1 << 30:
            product = next(i for i in entry.instructions[index:] if i.name.startswith("wgmma.mma_async"))
            return ONE_SLAB if int(re.search(r"\.m64n(\d+)k16", product.name)[1]) <= 64 else None
        users = entry.users(one.operands[0]) + [i for i, user in enumerate(entry.instructions)
                                                if user.is_barrier and user.operands[0] == one.operands[0]]
        if users and all(entry.instructions[i].name.startswith("bar.sync") for i in users):
            return None if {other, other + 1} & self.barrier_numbers(index) else OTHER_NUMBER
        if one.name == "add.s32" and one.operands[0] == one.operands[1]:
            bounds = [entry.instructions[i] for i in entry.users(one.operands[0]) if
                      entry.instructions[i].name == "setp.gt.s32"]
            if any(bound.operands[2] == str(value - 1) for bound in bounds):
                return ONE_ROUND
            return self.visited_once(index) if value == 1 else None
        return None
