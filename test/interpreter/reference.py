# SPDX-License-Identifier: Apache-2.0
"""Attention written down a second time, in plain Python, to hold the interpreter to; and .npy files without numpy.

It shares nothing with the interpreter: lists of Python floats, sums by math.fsum, one loop per index.
"""
import ast
import math
import re
import struct
import sys
from itertools import product

FORMATS = {"f16": ("<f2", "e"), "f32": ("<f4", "f"), "f64": ("<f8", "d"), "i8": ("|i1", "b"), "i32": ("<i4", "i"),
           "i64": ("<i8", "q"), "bool": ("|b1", "?")}


def f32(x):
    """Nearest number of 32 bits; what is too large becomes infinite."""
    try:
        return struct.unpack("f", struct.pack("f", x))[0]
    except OverflowError:
        return math.copysign(math.inf, x)


def f16(x):
    return struct.unpack("e", struct.pack("e", f32(x)))[0]


def bf16(x):
    """Upper half of an f32, nearest even; for finite numbers."""
    bits = struct.unpack("I", struct.pack("f", x))[0]
    bits = (bits + 0x7FFF + (bits >> 16 & 1)) & 0xFFFF0000
    return struct.unpack("f", struct.pack("I", bits))[0]


ROUND = {"f16": f16, "bf16": bf16, "f32": f32, "f64": lambda x: x}


class Tensor:
    """Numbers with a shape, last dimension fastest."""

    def __init__(self, shape, values, dtype="f32"):
        self.shape, self.values, self.dtype = tuple(shape), list(values), dtype
        assert len(self.values) == math.prod(self.shape)

    def __getitem__(self, index):
        offset = 0
        for size, i in zip(self.shape, index if isinstance(index, tuple) else (index,), strict=True):
            assert 0 <= i < size, f"{index} lies outside {self.shape}"
            offset = offset * size + i
        return self.values[offset]

    def map(self, function):
        return Tensor(self.shape, [function(x) for x in self.values], self.dtype)

    def part(self, b):
        """Row b of the first dimension, kept as a dimension of 1."""
        size = math.prod(self.shape[1:])
        return Tensor((1, *self.shape[1:]), self.values[b * size:(b + 1) * size], self.dtype)


def write_npy(path, tensor):
    """bf16 has no .npy type: it is written as f32."""
    descr, letter = FORMATS["f32" if tensor.dtype == "bf16" else tensor.dtype]
    header = repr({"descr": descr, "fortran_order": False, "shape": tensor.shape}).encode()
    header += b" " * (-(len(header) + 11) % 64) + b"\n"
    with open(path, "wb") as file:
        file.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header)
        file.write(struct.pack(f"<{len(tensor.values)}{letter}", *tensor.values))


def read_npy(path):
    with open(path, "rb") as file:
        data = file.read()
    assert data[:8] == b"\x93NUMPY\x01\x00", path
    size = struct.unpack("<H", data[8:10])[0]
    header = ast.literal_eval(data[10:10 + size].decode())
    assert not header["fortran_order"]
    dtype, letter = next((name, f[1]) for name, f in FORMATS.items() if f[0] == header["descr"])
    count = math.prod(header["shape"])
    return Tensor(header["shape"], struct.unpack(f"<{count}{letter}", data[10 + size:]), dtype)


def lengths(lens, batch, capacity):
    """S11: a length is clamped to what the tensor holds."""
    return [min(max(lens[b], 0), capacity) if lens else capacity for b in range(batch)]


def exact_row(scores, values, sink, lse_only):
    """S4, for the scores and values of the visible keys of one row."""
    terms = scores + ([sink] if sink is not None else [])
    top = max(terms, default=-math.inf)
    lse = top if top == -math.inf else top + math.log(math.fsum(math.exp(s - top) for s in terms))
    if lse_only or max(scores, default=-math.inf) == -math.inf:
        return [0.0] * len(values[0]) if values else None, lse
    weights = [math.exp(s - lse) for s in scores]
    return [math.fsum(w * v[e] for w, v in zip(weights, values)) for e in range(len(values[0]))], lse


def kernel_row(scores, values, value_type):
    """S3: the same row in the kernel's precisions, every step rounded; no sink."""
    top = max(scores)
    weights = [f32(math.exp(f32(s - top))) for s in scores]
    total = 0.0
    for w in weights:
        total = f32(total + w)
    out = []
    for e in range(len(values[0])):
        sum = 0.0
        for w, v in zip(weights, values):
            sum = f32(sum + f32(ROUND[value_type](w) * v[e]))
        out.append(f32(sum / total))
    return out, f32(top + f32(math.log(total)))


def dot(q, k, kernel):
    if not kernel:
        return math.fsum(x * y for x, y in zip(q, k))
    sum = 0.0
    for x, y in zip(q, k):
        sum = f32(sum + f32(x * y))
    return sum


def attention(q, k, v, *, scale=None, modify=(), mask=(), sink=None, align="end", q_lens=None, kv_lens=None,
              width=None, kernel=False, out="f32"):
    """Output and lse of every (b, i, h), NaN where there is no query. `modify` and `mask` are called with (score,)
    b, h, q, kv, row, column; `kernel` rounds as the kernel does and `out` is then the type of the output."""
    batch, seq_q, heads, size = q.shape
    seq_kv, group, width = k.shape[1], heads // k.shape[2], width or v.shape[3]
    scale = 1 / math.sqrt(size) if scale is None else scale
    scale = f32(scale) if kernel else scale
    queries, keys = lengths(q_lens, batch, seq_q), lengths(kv_lens, batch, seq_kv)
    o, lse = [], []
    for b, i, h in product(range(batch), range(seq_q), range(heads)):
        if i >= queries[b]:
            o += [math.nan] * width
            lse.append(math.nan)
            continue
        g, scores, values = h // group, [], []
        position = i + keys[b] - queries[b] if align == "end" else i
        for j in range(keys[b]):
            where = (b, h, position, j, i, j)
            s = scale * dot([q[b, i, h, d] for d in range(size)], [k[b, j, g, d] for d in range(size)], kernel)
            s = f32(s) if kernel else s
            for change in modify:
                s = change(s, *where)
            if all(seen(*where) for seen in mask):
                scores.append(s)
                values.append([v[b, j, g, e] for e in range(width)])
        if kernel:
            row, l = kernel_row(scores, values, v.dtype)
            o += [ROUND[out](x) for x in row]
        else:
            row, l = exact_row(scores, values, sink[h] if sink else None, False)
            o += row or [0.0] * width
        lse.append(l)
    return Tensor((batch, seq_q, heads, width), o), Tensor((batch, seq_q, heads), lse)


def difference(got, wanted, tolerance):
    """A sentence about the first element that differs by more than `tolerance`, relative to 1 or the element."""
    if got.shape != wanted.shape:
        return f"shape {got.shape}, expected {wanted.shape}"
    for n, (x, y) in enumerate(zip(got.values, wanted.values)):
        same = x == y or (math.isnan(x) and math.isnan(y))
        if not same and not abs(x - y) <= tolerance * max(1, abs(y)):
            return f"element {n} of {len(got.values)} is {x!r}, expected {y!r}"
    return None


def check_kernels(check):
    """The program of a test: `check(spec, folder, kernel)` gives the faults of each kernel of a spec, and a folder of its
    own beneath the test's. Exits with 1 where there are faults, or no kernels."""
    spec, folder = sys.argv[1:]
    with open(spec) as file:
        kernels = re.findall(r"attn\.kernel @(\w+)", file.read())
    faults = []
    for kernel in kernels:
        faults += check(spec, f"{folder}/{kernel}", kernel)
    print("\n".join(faults) or f"{len(kernels)} kernels agree")
    sys.exit(1 if faults or not kernels else 0)
