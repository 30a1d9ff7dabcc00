# SPDX-License-Identifier: Apache-2.0
"""zeros.py FILE.npy SIZE...: a tensor of i32, all 0."""
import struct
import sys

sizes = [int(size) for size in sys.argv[2:]]
header = "{'descr': '<i4', 'fortran_order': False, 'shape': (%s), }" % "".join("%d," % size for size in sizes)
header += " " * (63 - (10 + len(header)) % 64) + "\n"
count = 1
for size in sizes:
    count *= size
with open(sys.argv[1], "wb") as file:
    file.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + bytes(4 * count))
