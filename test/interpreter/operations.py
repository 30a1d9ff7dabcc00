# SPDX-License-Identifier: Apache-2.0
"""usage: operations.py FOLDER: what each operation means in a score function, against the same in Python.

With one key per query the lse of a row is its score, so a function's value can be read from it. Every case is a body
that computes %y: f32 from %score: f32, %i: i32 and %n: index, which take the values below.
"""
import math
import subprocess
import sys

sys.dont_write_bytecode = True
from reference import Tensor, bf16, f16, f32, read_npy, write_npy  # noqa: E402

SCORES = [f32(x) for x in (-70000.25, -2.75, -1.0, -0.5, 0.0, 0.3, 0.5, 1.0, 1.5, 2.5, 40.125, 3e9)]
INTEGERS = [-2**31, -7, -1, 0, 1, 2, 3, 6, 7, 31, 40, 2**31 - 1]


def wrap(x, bits=32):
    return (x + 2**(bits - 1)) % 2**bits - 2**(bits - 1)


def unsigned(x, bits=32):
    return x % 2**bits


def truncated(x, y):
    """Quotient toward zero."""
    return abs(x) // abs(y) * (1 if (x < 0) == (y < 0) else -1)


def saturated(x, low, high):
    return low if x <= low else high if x >= high else math.trunc(x)


def real(name, formula, domain=None):
    """A unary float operation; outside of `domain` a score takes a value inside first."""
    low, high = domain or (-math.inf, math.inf)
    inside = max(low, 0.5)
    body = f"""
      %low = arith.constant {low if low > -math.inf else -1e38:e} : f32
      %high = arith.constant {high if high < math.inf else 1e38:e} : f32
      %usual = arith.constant {inside:e} : f32
      %above = arith.cmpf oge, %score, %low : f32
      %below = arith.cmpf ole, %score, %high : f32
      %inside = arith.andi %above, %below : i1
      %x = arith.select %inside, %score, %usual : f32
      %y = {name} %x : f32"""
    return body, lambda s, i, n: formula(s if low <= s <= high else inside)


def real2(name, formula):
    body = f"""
      %other = arith.constant 1.75 : f32
      %y = {name} %score, %other : f32"""
    return body, lambda s, i, n: formula(s, 1.75)


def integer2(name, formula, other, bits=32):
    """x op other and other op x, taken together, as i32 or index."""
    type, x = ("i32", "%i") if bits == 32 else ("index", "%n")
    body = f"""
      %other = arith.constant {other} : {type}
      %r = {name} {x}, %other : {type}""" + TO_REAL[type]
    return body, lambda s, i, n: float(wrap(formula(i if bits == 32 else n, other), bits))


TO_REAL = {
    "i32": "\n      %y = arith.sitofp %r : i32 to f32",
    "index": "\n      %l = arith.index_cast %r : index to i64\n      %y = arith.sitofp %l : i64 to f32",
    "i1": "\n      %y = arith.uitofp %r : i1 to f32",
    "i64": "\n      %y = arith.sitofp %r : i64 to f32",
}


def compare(kind, predicate, formula):
    if kind == "i":
        body = f"""
      %other = arith.constant 3 : i32
      %r = arith.cmpi {predicate}, %i, %other : i32"""
        return body + TO_REAL["i1"], lambda s, i, n: float(formula(i, 3))
    # The scores below 0 are compared as NaN, by their logarithm.
    body = f"""
      %other = arith.constant 0.0 : f32
      %x = math.log %score : f32
      %r = arith.cmpf {predicate}, %x, %other : f32"""
    return body + TO_REAL["i1"], lambda s, i, n: float(formula(log(s), 0.0))


def log(s):
    return math.nan if s < 0 else -math.inf if s == 0 else math.log(s)


def plain(body, formula):
    return "\n      " + body.replace("; ", "\n      "), formula


def roundeven(x):
    return float(round(x))


def away(x):
    return math.copysign(math.floor(abs(x) + 0.5), x)


SMALL = (-30.0, 30.0)
CASES = {}
for name, formula, domain in (
        ("arith.negf", lambda x: -x, None), ("math.absf", abs, None), ("math.acos", math.acos, (-1, 1)),
        ("math.acosh", math.acosh, (1, math.inf)), ("math.asin", math.asin, (-1, 1)), ("math.asinh", math.asinh, None),
        ("math.atan", math.atan, None), ("math.atanh", math.atanh, (-0.9, 0.9)), ("math.cbrt", math.cbrt, None),
        ("math.ceil", lambda x: float(math.ceil(x)), None), ("math.cos", math.cos, None),
        ("math.cosh", math.cosh, SMALL), ("math.erf", math.erf, None), ("math.erfc", math.erfc, None),
        ("math.exp", math.exp, SMALL), ("math.exp2", math.exp2, SMALL), ("math.expm1", math.expm1, SMALL),
        ("math.floor", lambda x: float(math.floor(x)), None), ("math.log", math.log, (0.1, math.inf)),
        ("math.log10", math.log10, (0.1, math.inf)), ("math.log1p", math.log1p, (-0.9, math.inf)),
        ("math.log2", math.log2, (0.1, math.inf)), ("math.round", away, None), ("math.roundeven", roundeven, None),
        ("math.rsqrt", lambda x: 1 / math.sqrt(x), (0.1, math.inf)), ("math.sin", math.sin, None),
        ("math.sinh", math.sinh, SMALL), ("math.sqrt", math.sqrt, (0, math.inf)), ("math.tan", math.tan, SMALL),
        ("math.tanh", math.tanh, None), ("math.trunc", lambda x: float(math.trunc(x)), None)):
    CASES[name] = real(name, formula, domain)
for name, formula in (
        ("arith.addf", lambda x, y: x + y), ("arith.subf", lambda x, y: x - y), ("arith.mulf", lambda x, y: x * y),
        ("arith.divf", lambda x, y: x / y), ("arith.remf", math.fmod), ("arith.maximumf", max),
        ("arith.minimumf", min), ("arith.maxnumf", max), ("arith.minnumf", min), ("math.atan2", math.atan2),
        ("math.copysign", math.copysign)):
    CASES[name] = real2(name, formula)
for bits in (32, 64):
    for other in (-3, 2):
        for name, formula in (
                ("arith.addi", lambda x, y: x + y), ("arith.subi", lambda x, y: x - y),
                ("arith.muli", lambda x, y: x * y), ("arith.divsi", truncated), ("arith.floordivsi", lambda x, y: x // y),
                ("arith.ceildivsi", lambda x, y: -(-x // y)), ("arith.remsi", lambda x, y: x - y * truncated(x, y)),
                ("arith.divui", lambda x, y, b=bits: unsigned(x, b) // unsigned(y, b)),
                ("arith.ceildivui", lambda x, y, b=bits: -(-unsigned(x, b) // unsigned(y, b))),
                ("arith.remui", lambda x, y, b=bits: unsigned(x, b) % unsigned(y, b)),
                ("arith.andi", lambda x, y: x & y), ("arith.ori", lambda x, y: x | y),
                ("arith.xori", lambda x, y: x ^ y), ("arith.maxsi", max), ("arith.minsi", min),
                ("arith.maxui", lambda x, y, b=bits: max(unsigned(x, b), unsigned(y, b))),
                ("arith.minui", lambda x, y, b=bits: min(unsigned(x, b), unsigned(y, b)))):
            CASES[f"{name} {other} i{bits}"] = integer2(name, formula, other, bits)
    for name, formula in (
            ("arith.shli", lambda x, y: x << y), ("arith.shrsi", lambda x, y: x >> y),
            ("arith.shrui", lambda x, y, b=bits: unsigned(x, b) >> y)):
        CASES[f"{name} 5 i{bits}"] = integer2(name, formula, 5, bits)
for predicate, formula in (
        ("eq", lambda x, y: x == y), ("ne", lambda x, y: x != y), ("slt", lambda x, y: x < y),
        ("sle", lambda x, y: x <= y), ("sgt", lambda x, y: x > y), ("sge", lambda x, y: x >= y),
        ("ult", lambda x, y: unsigned(x) < y), ("ule", lambda x, y: unsigned(x) <= y),
        ("ugt", lambda x, y: unsigned(x) > y), ("uge", lambda x, y: unsigned(x) >= y)):
    CASES[f"arith.cmpi {predicate}"] = compare("i", predicate, formula)
ORDERED = {"eq": lambda x, y: x == y, "ne": lambda x, y: x < y or x > y, "lt": lambda x, y: x < y,
           "le": lambda x, y: x <= y, "gt": lambda x, y: x > y, "ge": lambda x, y: x >= y}
for predicate, formula in ORDERED.items():
    CASES[f"arith.cmpf o{predicate}"] = compare("f", "o" + predicate, formula)
    CASES[f"arith.cmpf u{predicate}"] = compare("f", "u" + predicate, lambda x, y, f=formula: x != x or f(x, y))
CASES["arith.cmpf ord"] = compare("f", "ord", lambda x, y: x == x)
CASES["arith.cmpf uno"] = compare("f", "uno", lambda x, y: x != x)
CASES["arith.cmpf true"] = compare("f", "true", lambda x, y: True)
CASES["arith.cmpf false"] = compare("f", "false", lambda x, y: False)
for test, formula in (("isnan", math.isnan), ("isinf", math.isinf), ("isfinite", math.isfinite)):
    CASES[f"math.{test}"] = plain(f"%x = math.log %score : f32; %r = math.{test} %x : f32; "
                                  "%y = arith.uitofp %r : i1 to f32", lambda s, i, n, f=formula: float(f(log(s))))
CASES |= {
    "math.fma": plain("%a = arith.constant 2.5 : f32; %y = math.fma %score, %a, %a : f32",
                      lambda s, i, n: s * 2.5 + 2.5),
    "math.clampf": plain("%a = arith.constant -1.0 : f32; %b2 = arith.constant 2.0 : f32; "
                         "%y = math.clampf %score to [%a, %b2] : f32", lambda s, i, n: min(max(s, -1.0), 2.0)),
    "math.powf": plain("%x = math.absf %score : f32; %a = arith.constant 1.5 : f32; %y = math.powf %x, %a : f32",
                       lambda s, i, n: abs(s) ** 1.5),
    "math.fpowi": plain("%a = arith.constant 3 : i32; %y = math.fpowi %score, %a : f32, i32", lambda s, i, n: s ** 3),
    "math.ipowi": plain("%a = arith.constant 3 : i32; %r = math.ipowi %i, %a : i32; %y = arith.sitofp %r : i32 to f32",
                        lambda s, i, n: float(wrap(i ** 3))),
    "math.sincos": plain("%a, %c = math.sincos %score : f32; %y = arith.subf %a, %c : f32",
                         lambda s, i, n: math.sin(s) - math.cos(s)),
    "math.absi": plain("%r = math.absi %i : i32; %y = arith.sitofp %r : i32 to f32",
                       lambda s, i, n: float(wrap(abs(i)))),
    "math.ctpop": plain("%r = math.ctpop %i : i32; %y = arith.sitofp %r : i32 to f32",
                        lambda s, i, n: float(unsigned(i).bit_count())),
    "math.ctlz": plain("%r = math.ctlz %i : i32; %y = arith.sitofp %r : i32 to f32",
                       lambda s, i, n: float(32 - unsigned(i).bit_length())),
    "math.cttz": plain("%r = math.cttz %i : i32; %y = arith.sitofp %r : i32 to f32",
                       lambda s, i, n: float((i & -i).bit_length() - 1 if i else 32)),
    "arith.select": plain("%a = arith.constant 0.0 : f32; %c = arith.cmpf ogt, %score, %a : f32; "
                          "%y = arith.select %c, %a, %score : f32", lambda s, i, n: 0.0 if s > 0 else s),
    "arith.sitofp i1": plain("%c = arith.constant true; %y = arith.sitofp %c : i1 to f32", lambda s, i, n: -1.0),
    "arith.uitofp": plain("%y = arith.uitofp %i : i32 to f32", lambda s, i, n: float(unsigned(i))),
    "arith.fptosi": plain("%r = arith.fptosi %score : f32 to i32; %y = arith.sitofp %r : i32 to f32",
                          lambda s, i, n: float(saturated(s, -2**31, 2**31 - 1))),
    "arith.fptoui": plain("%r = arith.fptoui %score : f32 to i32; %y = arith.uitofp %r : i32 to f32",
                          lambda s, i, n: float(saturated(s, 0, 2**32 - 1))),
    "arith.extsi": plain("%r = arith.extsi %i : i32 to i64; %y = arith.sitofp %r : i64 to f32",
                         lambda s, i, n: float(i)),
    "arith.extui": plain("%r = arith.extui %i : i32 to i64; %y = arith.sitofp %r : i64 to f32",
                         lambda s, i, n: float(unsigned(i))),
    "arith.trunci": plain("%r = arith.trunci %i : i32 to i8; %y = arith.sitofp %r : i8 to f32",
                          lambda s, i, n: float(wrap(i, 8))),
    "arith.index_castui": plain("%r = arith.index_castui %i : i32 to index; %l = arith.index_cast %r : index to i64; "
                                "%y = arith.sitofp %l : i64 to f32", lambda s, i, n: float(unsigned(i))),
    "arith.truncf bf16": plain("%t = arith.truncf %score : f32 to bf16; %y = arith.extf %t : bf16 to f32",
                               lambda s, i, n: bf16(s)),
    "arith.truncf f16": plain("%a = arith.constant 0.001 : f32; %x = arith.mulf %score, %a : f32; "
                              "%t = arith.truncf %x : f32 to f16; %z = arith.extf %t : f16 to f32; "
                              "%w = arith.constant 3.0e4 : f32; %y = arith.minimumf %z, %w : f32",
                              lambda s, i, n: min(f16(s * f32(0.001)) if abs(s) < 6e7 else math.inf, 3e4)),
    "arith.bitcast": plain("%r = arith.bitcast %score : f32 to i32; %a = arith.constant 23 : i32; "
                           "%e = arith.shrui %r, %a : i32; %y = arith.uitofp %e : i32 to f32",
                           lambda s, i, n: float((math.frexp(s)[1] + 126 if s else 0)
                                                 + (256 if math.copysign(1, s) < 0 else 0))),
    "arith.bitcast back": plain("%a = arith.constant 0x40490FDB : i32; %y = arith.bitcast %a : i32 to f32",
                                lambda s, i, n: f32(math.pi)),
    "arith.mulsi_extended": plain("%low, %r = arith.mulsi_extended %i, %i : i32; %y = arith.sitofp %r : i32 to f32",
                                  lambda s, i, n: float(i * i >> 32)),
    "arith.mului_extended": plain("%low, %r = arith.mului_extended %i, %i : i32; %y = arith.sitofp %r : i32 to f32",
                                  lambda s, i, n: float(wrap(unsigned(i) ** 2 >> 32))),
    "arith.mului_extended low": plain("%r, %high = arith.mului_extended %i, %i : i32; %y = arith.sitofp %r : i32 to f32",
                                      lambda s, i, n: float(wrap(i * i))),
    "arith.mului_extended i64": plain("%l = arith.index_cast %n : index to i64; "
                                      "%low, %r = arith.mului_extended %l, %l : i64; %y = arith.sitofp %r : i64 to f32",
                                      lambda s, i, n: float(wrap(unsigned(n, 64) ** 2 >> 64, 64))),
    "arith.addui_extended": plain("%low, %r = arith.addui_extended %i, %i : i32, i1; %y = arith.uitofp %r : i1 to f32",
                                  lambda s, i, n: float(2 * unsigned(i) >= 2**32)),
}


def function(number, body):
    """Head `number` gets the case's value, every other head keeps its score."""
    return f"""
func.func @f{number}(%score: f32, %b: index, %h: index, %q: index, %kv: index, %list: tensor<?xi32>) -> f32 {{
      %row = attn.row
      %i = tensor.extract %list[%row] : tensor<?xi32>
      %n = arith.index_cast %i : i32 to index{body}
      %this = arith.constant {number} : index
      %mine = arith.cmpi eq, %h, %this : index
      %kept = arith.select %mine, %y, %score : f32
      return %kept : f32
}}
"""


def spec():
    heads = len(CASES)
    lines = [f"  %m{n + 1} = attn.modify %m{n} by @f{n}(%list) : !i\n" for n in range(heads)]
    functions = [function(n, body) for n, (body, _) in enumerate(CASES.values())]
    return f"""!q = tensor<?x?x{heads}x8xf32>
!k = tensor<?x?x1x8xf32>
!l = tensor<?x?x{heads}xf32>
!i = tensor<?xi32, #attn.dims<seq_q>>
attn.kernel @operations(%q: !q, %k: !k, %list: !i) -> (lse: !l) {{
  %unit = arith.constant 1.0 : f32
  %m0 = attn.scores %q, %k scale %unit : !q, !k
{"".join(lines)}  %p, %lse = attn.softmax %m{heads} -> !l
  attn.return %lse : !l
}}
{"".join(functions)}"""


def main():
    folder, count, heads, faults = sys.argv[1], len(SCORES), len(CASES), []
    with open(f"{folder}/operations.mlir", "w") as file:
        file.write(spec())
    write_npy(f"{folder}/q.npy", Tensor((1, count, heads, 8), [x for s in SCORES for x in ([s] + [0.0] * 7) * heads]))
    write_npy(f"{folder}/k.npy", Tensor((1, 1, 1, 8), [1.0] * 8))
    write_npy(f"{folder}/list.npy", Tensor((count,), INTEGERS, "i32"))
    command = ["attnc", "--interpret", f"{folder}/operations.mlir"]
    for argument in ("q", "k", "list"):
        command += ["--input", f"{argument}={folder}/{argument}.npy"]
    subprocess.run(command + ["--output", f"lse={folder}/lse.npy", "--kernel-output", f"lse={folder}/own.npy"],
                   check=True)
    for file, tolerance in (("lse", 1e-13), ("own", 2e-6)):
        values = iter(read_npy(f"{folder}/{file}.npy").values)
        for s, i in zip(SCORES, INTEGERS):
            for (name, (_, formula)), got in zip(CASES.items(), values):
                wanted = formula(s, i, i)
                if not abs(got - wanted) <= tolerance * max(1.0, abs(wanted)):
                    faults.append(f"{name} ({file}): {got!r} for score {s!r} and integer {i}, expected {wanted!r}")
    print("\n".join(faults) or f"{heads} operations agree")
    sys.exit(1 if faults else 0)


main()
