// SPDX-License-Identifier: Apache-2.0
// Matrix products on mma.sync: fragments by ldmatrix.
#include "passes/TileLowering.h"

#include "llvm/Support/FormatVariadic.h"

using namespace mlir;

namespace attn::tile {
namespace {

/// Which 8 x 8 matrix of a 16 x 16 block the lanes 8-15 name, after the upper left one of lanes 0-7; lanes 16-31 name
/// the other two.
enum class Second { Below, Right };

/// Reads 16 x 16 blocks of a swizzled tile in shared memory as fragments.
///
/// One ldmatrix.x4 reads four 8 x 8 matrices, a register each. With the second matrix below the first the registers are
/// operand A as it is, and, transposed on the way, two operands B of a tile stored as rows of k. With the second to the
/// right of the first they are two operands B of a tile stored as rows of n. So each operand is what was read, in
/// neighbouring registers, which is what the matrix instruction wants; else the assembler moves them there.
///
/// The address is a register that depends on the lane, xored with the chunk's place in its slab, plus a constant; tiles
/// with the same swizzle and order share the register.
class FragmentReader {
public:
  /// With `rowsPerWarp` each warp reads the blocks of its own rows.
  FragmentReader(TileLowering &lowering, SharedBuffer buffer, RankedTensorType type, Second second,
                 int64_t rowsPerWarp = 0)
      : lowering(lowering), builder(lowering.builder), buffer(buffer), rows(type.getDimSize(0)),
        swizzle(encodingOf<SharedAttr>(type).getSwizzle()) {
    std::string key = llvm::formatv("fragment {0} {1} {2}", swizzle, rowsPerWarp, int(second));
    Value first = lowering.once(key, [&] { return laneOffset(second, rowsPerWarp); });
    if (buffer.base != lowering.sharedBase) // a stage known only at run time
      first = arith::AddIOp::create(builder, first, arith::SubIOp::create(builder, buffer.base, lowering.sharedBase));
    places.push_back(first);
    // Tiles are aligned to eight rows, so another chunk of the slab is a matter of address bits. Computed here, with
    // effects so that it stays here: kept over the loop, these addresses would cost registers.
    for (int64_t chunk = 2; chunk < swizzle / 16; chunk += 2)
      places.push_back(lowering.ptx("xor.b32 $0, $1, " + std::to_string(chunk * 16) + ";", "=r,r", builder.getI32Type(),
                                    first, /*effects=*/true));
  }

  /// The block at (row, column), both multiples of 16.
  Registers read(int64_t row, int64_t column, bool transpose) {
    int64_t chunk = column / 8, chunksPerRow = swizzle / 16;
    int64_t offset = buffer.offset + (chunk / chunksPerRow) * rows * swizzle + row * swizzle;
    std::string text = std::string("ldmatrix.sync.aligned.m8n8.x4") + (transpose ? ".trans" : "") +
                       ".shared.b16 {$0, $1, $2, $3}, [$4+" + std::to_string(offset) + "];";
    return lowering.ptxMany(text, "=r,=r,=r,=r,r", builder.getI32Type(), 4, places[chunk % chunksPerRow / 2],
                            /*effects=*/true);
  }

private:
  /// Address in shared memory of this lane's 16 bytes of the block at column 0. Blocks begin at multiples of 16 rows,
  /// so the swizzle depends on the lane's row alone.
  Value laneOffset(Second second, int64_t rowsPerWarp) {
    Value thread = lowering.threadOnce();
    auto bit = [&](int64_t n) -> Value {
      return arith::AndIOp::create(builder, arith::ShRUIOp::create(builder, thread, lowering.i32(n)), lowering.i32(1));
    };
    Value right = bit(second == Second::Right ? 3 : 4), below = bit(second == Second::Right ? 4 : 3);
    Value row = arith::AndIOp::create(builder, thread, lowering.i32(7));
    row = arith::OrIOp::create(builder, row, arith::ShLIOp::create(builder, below, lowering.i32(3)));
    // Rows of 128, 64, 32 bytes: bits 7.. of the address are the row shifted by 0, 1, 2.
    int64_t shift = swizzle == 128 ? 0 : swizzle == 64 ? 1 : 2;
    Value bits = arith::ShRUIOp::create(builder, row, lowering.i32(shift));
    bits = arith::AndIOp::create(builder, bits, lowering.i32(swizzle / 16 - 1));
    Value place = arith::XOrIOp::create(builder, bits, right);
    place = arith::ShLIOp::create(builder, place, lowering.i32(4));
    Value rowBytes = arith::MulIOp::create(builder, row, lowering.i32(swizzle));
    place = arith::AddIOp::create(builder, arith::AddIOp::create(builder, rowBytes, place), lowering.sharedBase);
    if (!rowsPerWarp)
      return place;
    Value warp = arith::ShRUIOp::create(builder, thread, lowering.i32(5));
    Value warpBytes = arith::MulIOp::create(builder, warp, lowering.i32(rowsPerWarp * swizzle));
    return arith::AddIOp::create(builder, place, warpBytes);
  }

  TileLowering &lowering;
  ImplicitLocOpBuilder &builder;
  SharedBuffer buffer;
  int64_t rows, swizzle;
  SmallVector<Value, 4> places;
};

} // namespace

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
  FragmentReader readB(*this, awaited.lookup(op.getRhs()), right, op.getTransB() ? Second::Right : Second::Below);
  std::optional<FragmentReader> readA;
  if (sharedA)
    readA.emplace(*this, awaited.lookup(op.getLhs()), left, Second::Below, rowsPerWarp);

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
