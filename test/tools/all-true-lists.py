# SPDX-License-Identifier: Apache-2.0
"""usage: all-true-lists.py FOLDER : lists of all blocks of 200 tokens, 48 to a block, and the same out of order."""
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "interpreter"))
from reference import Tensor, write_npy  # noqa: E402

BLOCKS, HEADS = 5, 2
folder = sys.argv[1]
rows = HEADS * BLOCKS
write_npy(f"{folder}/blocks.npy", Tensor([HEADS, BLOCKS, BLOCKS], list(range(BLOCKS)) * rows, "i32"))
write_npy(f"{folder}/unsorted.npy", Tensor([HEADS, BLOCKS, BLOCKS], [4, 1, 3, 0, 2] * rows, "i32"))
write_npy(f"{folder}/count.npy", Tensor([HEADS, BLOCKS], [BLOCKS] * rows, "i32"))
