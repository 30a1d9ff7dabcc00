// SPDX-License-Identifier: Apache-2.0
// Addresses of fragments in swizzled tiles.
#include "passes/SharedFragments.h"

#include "llvm/Support/FormatVariadic.h"

using namespace mlir;

namespace attn::tile {

SharedFragments::SharedFragments(TileLowering &lowering, SharedBuffer buffer, int64_t rows, SharedAttr layout,
                                 Second second, int64_t rowsPerWarp)
    : lowering(lowering), builder(lowering.builder), buffer(buffer), rows(rows), swizzle(layout.getSwizzle()) {
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

int64_t SharedFragments::offsetOf(int64_t row, int64_t column) const {
  int64_t slab = column / 8 / (swizzle / 16);
  return buffer.offset + slab * rows * swizzle + row * swizzle;
}

Registers SharedFragments::read(int64_t row, int64_t column, bool transpose) {
  std::string text = std::string("ldmatrix.sync.aligned.m8n8.x4") + (transpose ? ".trans" : "") +
                     ".shared.b16 {$0, $1, $2, $3}, [$4+" + std::to_string(offsetOf(row, column)) + "];";
  return lowering.ptxMany(text, "=r,=r,=r,=r,r", builder.getI32Type(), 4, placeOf(column), /*effects=*/true);
}

void SharedFragments::write(int64_t row, int64_t column, ArrayRef<Value> four) {
  SmallVector<Value> operands{placeOf(column)};
  llvm::append_range(operands, four);
  lowering.ptxEffect("stmatrix.sync.aligned.m8n8.x4.shared.b16 [$0+" + std::to_string(offsetOf(row, column)) +
                         "], {$1, $2, $3, $4};",
                     "r,r,r,r,r,~{memory}", operands);
}

/// Address in shared memory of this lane's 16 bytes of the block at column 0. Blocks begin at multiples of 16 rows,
/// so the swizzle depends on the lane's row alone.
Value SharedFragments::laneOffset(Second second, int64_t rowsPerWarp) {
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

} // namespace attn::tile
