# SPDX-License-Identifier: Apache-2.0
"""usage: rows.py SPEC.mlir FOLDER: one call of the interpreter against another, bit for bit."""
import sys

sys.dont_write_bytecode = True
import clauses  # noqa: E402
from reference import Tensor  # noqa: E402


def same(got, wanted):
    return got.shape == wanted.shape and all(x == y or (x != x and y != y) for x, y in zip(got.values, wanted.values))


def only(tensor, rows):
    """NaN everywhere but in these query rows."""
    inner = 1
    for size in tensor.shape[2:]:
        inner *= size
    return Tensor(tensor.shape, [x if n // inner % tensor.shape[1] in rows else clauses.NAN
                                 for n, x in enumerate(tensor.values)])


def main():
    spec, folder = sys.argv[1:]
    case = clauses.Case(q=(3, 6, 2, 8), k=(3, 5, 2, 8))
    lens = {"q_lens": Tensor((3,), [6, 2, 4], "i32"), "lens": Tensor((3,), [4, 0, 5], "i32")}
    arguments = case.arguments("rows")
    faults = []
    for option in ("--output", "--kernel-output"):
        def run(arguments, lens, *more):
            return clauses.run(spec, folder, "rows", case, arguments | lens, option, more)

        everything = run(arguments, lens)
        for name, tensor in run(arguments, lens).items():
            if not same(tensor, everything[name]):
                faults.append(f"S7: {name} differs from one run to the next")
        for b in range(3):
            alone = run(*({n: t.part(b) for n, t in given.items()} for given in (arguments, lens)))
            for name, tensor in alone.items():
                if not same(tensor, everything[name].part(b)):
                    faults.append(f"S7: {name} of sequence {b} depends on the others")
        for name, tensor in run(arguments, lens, "--rows", "0,2,5").items():
            if not same(tensor, only(everything[name], (0, 2, 5))):
                faults.append(f"--rows: {name} differs from those rows of the whole")
    print("\n".join(faults) or "agree")
    sys.exit(1 if faults else 0)


main()
