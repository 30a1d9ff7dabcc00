// SPDX-License-Identifier: Apache-2.0
// Matrix products on mma.sync: fragments by ldmatrix, one step of the inner dimension loaded ahead of its products.
#include "passes/TileLowering.h"

using namespace mlir;

namespace attn::tile {
namespace {

/// Reads 16 x 16 blocks of a swizzled tile in shared memory as fragments.
///
/// One ldmatrix.x4 reads four 8 x 8 matrices. Lanes 0-15 name the rows of the block, lanes 16-31 the same rows eight
/// columns on: so registers are the matrices (upper, left), (lower, left), (upper, right), (lower, right). That is
/// operand A as it is; for operand B stored as rows of n it is {r0, r2} and {r1, r3}, and for B stored as rows of k and
/// transposed on the way it is {r0, r1} and {r2, r3}.
class FragmentReader {
public:
  FragmentReader(TileLowering &lowering, Value base, RankedTensorType type)
      : lowering(lowering), builder(lowering.builder), base(base), rows(type.getDimSize(0)),
        swizzle(encodingOf<SharedAttr>(type).getSwizzle()) {}

  /// The block at (row, column), both multiples of 16; `rowBase` is an i32 number of rows known only at run time.
  Registers read(int64_t row, int64_t column, bool transpose, Value rowBase = {}) {
    int64_t chunk = column / 8, chunksPerRow = swizzle / 16;
    int64_t offset = (chunk / chunksPerRow) * rows * swizzle + row * swizzle;
    Value address = arith::AddIOp::create(builder, base, laneOffset(chunk % chunksPerRow));
    if (rowBase)
      address = arith::AddIOp::create(builder, address,
                                      arith::MulIOp::create(builder, rowBase, lowering.i32(swizzle)));
    std::string text = std::string("ldmatrix.sync.aligned.m8n8.x4") + (transpose ? ".trans" : "") +
                       ".shared.b16 {$0, $1, $2, $3}, [$4+" + std::to_string(offset) + "];";
    return lowering.ptxMany(text, "=r,=r,=r,=r,r", builder.getI32Type(), 4, address, /*effects=*/true);
  }

private:
  /// Bytes from the block's first row to this lane's 16 bytes. Blocks begin at multiples of 16 rows, so the swizzle
  /// depends on the lane's row alone.
  Value laneOffset(int64_t chunk) {
    Value row = arith::AndIOp::create(builder, lowering.lane, lowering.i32(15));
    Value right = arith::ShRUIOp::create(builder, lowering.lane, lowering.i32(4));
    // Rows of 128, 64, 32 bytes: bits 7.. of the address are the row shifted by 0, 1, 2.
    int64_t shift = swizzle == 128 ? 0 : swizzle == 64 ? 1 : 2;
    Value bits = arith::ShRUIOp::create(builder, row, lowering.i32(shift));
    bits = arith::AndIOp::create(builder, bits, lowering.i32(swizzle / 16 - 1));
    Value place = arith::XOrIOp::create(builder, bits, right);
    place = arith::XOrIOp::create(builder, place, lowering.i32(chunk));
    place = arith::ShLIOp::create(builder, place, lowering.i32(4));
    Value rowBytes = arith::MulIOp::create(builder, row, lowering.i32(swizzle));
    return arith::AddIOp::create(builder, rowBytes, place);
  }

  TileLowering &lowering;
  ImplicitLocOpBuilder &builder;
  Value base;
  int64_t rows, swizzle;
};

struct Fragments {
  SmallVector<Registers> a; ///< per atom of 16 rows: four registers
  SmallVector<Registers> b; ///< per atom of 8 columns: two registers
};

} // namespace

LogicalResult TileLowering::lowerDot(DotOp op) {
  auto left = cast<RankedTensorType>(op.getLhs().getType()), right = cast<RankedTensorType>(op.getRhs().getType());
  auto type = cast<RankedTensorType>(op.getResult().getType());
  if (!encodingOf<SharedAttr>(right))
    return op.emitOpError("expects its right operand in shared memory, got ") << right;
  bool sharedA = static_cast<bool>(encodingOf<SharedAttr>(left));
  int64_t rowsPerWarp = type.getDimSize(0) / warps, rowAtoms = rowsPerWarp / 16, atoms = columnAtoms(type);
  int64_t steps = left.getDimSize(1) / 16;
  FragmentReader readB(*this, awaited.lookup(op.getRhs()), right);
  std::optional<FragmentReader> readA;
  if (sharedA)
    readA.emplace(*this, awaited.lookup(op.getLhs()), left);
  Value warpRow = arith::MulIOp::create(builder, warp, i32(rowsPerWarp));

  auto load = [&](int64_t step) {
    Fragments f;
    for (int64_t m = 0; m < rowAtoms; ++m) {
      if (sharedA) {
        f.a.push_back(readA->read(m * 16, step * 16, false, warpRow));
        continue;
      }
      Registers &p = registers(op.getLhs());
      int64_t first = (m * steps * 2 + step * 2) * 2;
      f.a.push_back(Registers(p.begin() + first, p.begin() + first + 4));
    }
    for (int64_t n = 0; n < atoms; n += 2) {
      Registers r = op.getTransB() ? readB.read(n * 8, step * 16, false) : readB.read(step * 16, n * 8, true);
      f.b.push_back(op.getTransB() ? Registers{r[0], r[2]} : Registers{r[0], r[1]});
      f.b.push_back(op.getTransB() ? Registers{r[1], r[3]} : Registers{r[2], r[3]});
    }
    return f;
  };

  StringRef element = left.getElementType().isBF16() ? "bf16" : "f16";
  std::string text = ("mma.sync.aligned.m16n8k16.row.col.f32." + element + "." + element +
                      ".f32 {$0, $1, $2, $3}, {$4, $5, $6, $7}, {$8, $9}, {$10, $11, $12, $13};").str();
  Registers acc = op.getAcc() ? registers(op.getAcc()) : Registers(registersOf(type), f32(0.0f));
  Fragments next = load(0);
  for (int64_t step = 0; step < steps; ++step) {
    Fragments now = std::move(next);
    if (step + 1 < steps)
      next = load(step + 1);
    for (int64_t n = 0; n < atoms; ++n)
      for (int64_t m = 0; m < rowAtoms; ++m) {
        Value *c = &acc[(m * atoms + n) * 4];
        SmallVector<Value, 10> operands(now.a[m].begin(), now.a[m].end());
        operands.append(now.b[n].begin(), now.b[n].end());
        operands.append(c, c + 4);
        Registers d = ptxMany(text, "=f,=f,=f,=f,r,r,r,r,r,r,f,f,f,f", builder.getF32Type(), 4, operands);
        std::copy(d.begin(), d.end(), c);
      }
  }
  tiles[op.getResult()] = acc;
  return success();
}

} // namespace attn::tile
