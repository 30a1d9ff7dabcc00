// SPDX-License-Identifier: Apache-2.0
// Matrix products on mma.sync: fragments by ldmatrix.
#include "passes/SharedFragments.h"

using namespace mlir;

namespace attn::tile {

/// d = a * b + c on one atom of 16 rows and 8 columns.
static Registers multiplyAtom(TileLowering &lowering, Type element, ArrayRef<Value> a, ArrayRef<Value> b,
                              ArrayRef<Value> c) {
  SmallVector<Value, 10> operands(a);
  llvm::append_range(operands, b);
  bool isBf16 = element.isBF16();
  // The f16 form takes pairs as vectors, the bf16 form as integers.
  if (!isBf16)
    for (Value &operand : operands)
      operand = LLVM::BitcastOp::create(lowering.builder, VectorType::get(2, element), operand);
  llvm::append_range(operands, c);
  return lowering.intrinsicMany(isBf16 ? "llvm.nvvm.mma.m16n8k16.row.col.bf16"
                                       : "llvm.nvvm.mma.m16n8k16.row.col.f32.f32",
                                lowering.builder.getF32Type(), 4, operands);
}

LogicalResult TileLowering::lowerDot(DotOp op) {
  auto left = cast<RankedTensorType>(op.getLhs().getType()), right = cast<RankedTensorType>(op.getRhs().getType());
  auto type = cast<RankedTensorType>(op.getResult().getType());
  if (!encodingOf<SharedAttr>(right))
    return op.emitOpError("expects its right operand in shared memory, got ") << right;
  bool sharedA = static_cast<bool>(encodingOf<SharedAttr>(left));
  int64_t rowsPerWarp = type.getDimSize(0) / warps, rowAtoms = rowsPerWarp / 16, atoms = columnAtoms(type);
  int64_t steps = left.getDimSize(1) / 16;
  SharedFragments readB(*this, awaited.lookup(op.getRhs()), right.getDimSize(0), encodingOf<SharedAttr>(right),
                        op.getTransB() ? Second::Right : Second::Below);
  std::optional<SharedFragments> readA;
  if (sharedA)
    readA.emplace(*this, awaited.lookup(op.getLhs()), left.getDimSize(0), encodingOf<SharedAttr>(left), Second::Below,
                  rowsPerWarp);

  Registers acc = op.getAcc() ? registers(op.getAcc()) : Registers(registersOf(type), f32(0.0f));
  // Fragments are read right before they are used: the assembler moves reads up as far as registers allow.
  for (int64_t step = 0; step < steps; ++step) {
    SmallVector<Registers> a;
    for (int64_t m = 0; m < rowAtoms; ++m) {
      if (sharedA) {
        a.push_back(readA->read(m * 16, step * 16, false));
        continue;
      }
      Registers &p = registers(op.getLhs());
      int64_t first = (m * steps * 2 + step * 2) * 2;
      a.push_back(Registers(p.begin() + first, p.begin() + first + 4));
    }
    for (int64_t n = 0; n < atoms; n += 2) {
      Registers r = op.getTransB() ? readB.read(n * 8, step * 16, false) : readB.read(step * 16, n * 8, true);
      Registers b[2] = {{r[0], r[1]}, {r[2], r[3]}};
      for (int64_t half = 0; half < 2; ++half)
        for (int64_t m = 0; m < rowAtoms; ++m) {
          Value *c = &acc[(m * atoms + n + half) * 4];
          Registers d = multiplyAtom(*this, left.getElementType(), a[m], b[half], ArrayRef(c, 4));
          std::copy(d.begin(), d.end(), c);
        }
    }
  }
  tiles[op.getResult()] = acc;
  return success();
}

} // namespace attn::tile
