# SPDX-License-Identifier: Apache-2.0
"""usage: make_inputs.py FOLDER NAME=TYPE:SIZExSIZE... : .npy files of ones, for tests of messages."""
import math
import os
import sys

sys.dont_write_bytecode = True
from reference import Tensor, write_npy  # noqa: E402

os.makedirs(sys.argv[1], exist_ok=True)
for argument in sys.argv[2:]:
    name, _, text = argument.partition("=")
    dtype, _, sizes = text.partition(":")
    shape = [int(size) for size in sizes.split("x")]
    write_npy(f"{sys.argv[1]}/{name}.npy", Tensor(shape, [1] * math.prod(shape), dtype))
