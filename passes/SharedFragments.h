// SPDX-License-Identifier: Apache-2.0
// Blocks of a swizzled tile in shared memory, read and written as the fragments of matrix instructions.
#pragma once

#include "passes/TileLowering.h"

namespace attn::tile {

/// Which 8 x 8 matrix of a 16 x 16 block the lanes 8-15 name, after the upper left one of lanes 0-7; lanes 16-31 name
/// the other two.
enum class Second { Below, Right };

/// One ldmatrix.x4 reads four 8 x 8 matrices, a register each. With the second matrix below the first the registers are
/// operand A as it is, and, transposed on the way, two operands B of a tile stored as rows of k. With the second to the
/// right of the first they are two operands B of a tile stored as rows of n. So each operand is what was read, in
/// neighbouring registers, which is what the matrix instruction wants; else the assembler moves them there.
///
/// The address is a register that depends on the lane, xored with the chunk's place in its slab, plus a constant; tiles
/// with the same swizzle and order share the register.
class SharedFragments {
public:
  /// A tile of `rows` rows. With `rowsPerWarp` each warp has the blocks of its own rows.
  SharedFragments(TileLowering &lowering, SharedBuffer buffer, int64_t rows, SharedAttr layout, Second second,
                  int64_t rowsPerWarp = 0);

  /// The block at (row, column), both multiples of 16.
  Registers read(int64_t row, int64_t column, bool transpose);
  void write(int64_t row, int64_t column, mlir::ArrayRef<mlir::Value> four);

private:
  mlir::Value laneOffset(Second second, int64_t rowsPerWarp);
  int64_t offsetOf(int64_t row, int64_t column) const;
  mlir::Value placeOf(int64_t column) const { return places[column / 8 % (swizzle / 16) / 2]; }

  TileLowering &lowering;
  mlir::ImplicitLocOpBuilder &builder;
  SharedBuffer buffer;
  int64_t rows, swizzle;
  mlir::SmallVector<mlir::Value, 4> places;
};

} // namespace attn::tile
