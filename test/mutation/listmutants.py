# SPDX-License-Identifier: Apache-2.0
"""Mutants of what makes a list of tiles in shared memory: all before the first loop over tiles.

What a mutant is, see mutants.py. Without a mark, a barrier, a store or a branch of it a tile is left out, or taken for
full, or read before it is there.
"""
from mutants import MutantList, NEXT_BARRIER, barrier_is_redundant

BODIES = ("masked_tiles", "full_tiles")


class ListMutants(MutantList):
    """All mutants of the part of an entry that makes its list."""

    def __init__(self, entry):
        super().__init__(entry)
        end = min(at for label, at in entry.labels.items() if label.startswith(BODIES))
        # Where warps have roles, the list is there before their mbarriers are.
        made = [at for at, one in enumerate(entry.instructions) if one.name.startswith("mbarrier.init")]
        end = min([end, *made])
        for index, one in enumerate(entry.instructions[:end]):
            if one.is_barrier and entry.instructions[index - 1].is_wait:
                continue  # for what is copied meanwhile: see mutants.py
            if one.is_barrier:
                self.add(index, "without barrier", None, NEXT_BARRIER if barrier_is_redundant(entry, index) else None)
            elif one.name.startswith(("red.shared", "st.shared")):
                self.add(index, "without it", None)
            elif one.name.startswith("bra") and one.guard:
                self.add(index, "never branches", None)
                self.add(index, "always branches", "\t" + one.text.split(" ", 1)[1])
