# SPDX-License-Identifier: Apache-2.0
"""The benchmark's binding of the C header, on the simulator: one small attention against the formula in plain Python."""
import math
import random
import struct
import sys
from pathlib import Path

root, build, folder = sys.argv[1:]
sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(root) / "tools/bench"))
import attn  # noqa: E402

SEQ, HEADS, DIM = 5, 2, 8
SPEC = """!x = tensor<?x?x2x8xf16>
attn.kernel @small(%q: !x, %k: !x, %v: !x) -> (o: !x) {
  %s = attn.scores %q, %k : !x, !x
  %m = attn.mask %s by @causal
  %p = attn.softmax %m
  %o = attn.output %p, %v : !x -> !x
  attn.return %o : !x
}
"""


def expected(q, k, v, h, i, c):
    """Element (0, i, h, c) of causal attention."""
    at = lambda x, j, column: x[(j * HEADS + h) * DIM + column]
    scores = [sum(at(q, i, d) * at(k, j, d) for d in range(DIM)) / math.sqrt(DIM) for j in range(i + 1)]
    weights = [math.exp(score) for score in scores]
    return sum(weight * at(v, j, c) for j, weight in enumerate(weights)) / sum(weights)


Path(folder).mkdir(parents=True, exist_ok=True)
spec = Path(folder) / "small.mlir"
spec.write_text(SPEC)
device = attn.Device(attn.Library(Path(build) / "lib/libattn.so"), "sim")
kernel = device.load(spec, target="sm_80", cache=folder, compiler=Path(build) / "bin/attnc")
print("arguments:", ", ".join(kernel.arguments))

random.seed(1)
count = SEQ * HEADS * DIM
host, placed = {}, {}
for name in "qkvo":
    # Values that f16 holds exactly, so that the formula sees the same ones.
    host[name] = [random.randint(-64, 64) / 64 for _ in range(count)]
    address = device.allocate(2 * count)
    device.copy_in(address, struct.pack(f"<{count}e", *host[name]))
    placed[name] = attn.Tensor(address, "f16", (1, SEQ, HEADS, DIM))
bound = kernel.bind(**placed)
kernel.launch(bound, workspace_bytes=kernel.workspace_bytes(bound))
result = struct.unpack(f"<{count}e", device.copy_out(placed["o"].data, 2 * count))
worst = max(abs(result[(i * HEADS + h) * DIM + c] - expected(host["q"], host["k"], host["v"], h, i, c))
            for i in range(SEQ) for h in range(HEADS) for c in range(DIM))
# Weights and results are rounded to f16, 2^-11 relative; nothing here is above 1.
print("close" if worst < 2 * 2**-11 else f"the largest error is {worst}")

placed["k"] = attn.Tensor(placed["k"].data, "f16", (1, SEQ, HEADS + 1, DIM))
try:
    kernel.launch(kernel.bind(**placed))
except attn.Error as error:
    print("refused:", error)
