// SPDX-License-Identifier: Apache-2.0
// A row of a sorted list in memory, as scalar code of one thread: what it holds, and where.
#pragma once

#include "passes/TileLowering.h"

namespace attn::tile {

/// Entries of one row of a list that increases. Of one that does not, each search ends somewhere in the row: nothing
/// outside of it is read. Places are of type i32, numbers of type i64; entries of any type of integer.
class ListRow {
public:
  /// `address` is that of entry 0 (ptr<1>), `stride` the distance of entries in bytes (i64). Entries `from` up to `to`
  /// (i64) are in the set, as far as there are `size` (i64). `rangeStride` is the distance of the two ends of a range
  /// in bytes, null where entries are numbers.
  struct Memory {
    mlir::Value address, stride, from, to, size, rangeStride;
    mlir::Type element;
  };
  ListRow(TileLowering &lowering, const Memory &memory);

  /// Whether a number is in the set: i1.
  mlir::Value holds(mlir::Value number);

  /// One bit for each of `columns` neighbouring columns, 32 to a register: whether floor((first + k * column) /
  /// divisor) is in the set, where k is 1 or, if `descending`, -1.
  Registers bits(mlir::Value first, bool descending, int64_t divisor, int64_t columns);

private:
  using Interval = std::pair<mlir::Value, mlir::Value>;
  mlir::Value read(mlir::Value place, mlir::Value stride);
  mlir::Value begin(mlir::Value place) { return read(place, {}); }
  mlir::Value end(mlir::Value place);
  mlir::Value firstAbove(mlir::Value number);
  Interval columnsOf(mlir::Value place, mlir::Value first, bool descending, int64_t divisor);
  void addColumns(Registers &words, Interval columns);
  /// A loop over places, in which `step` turns registers into those of the next step.
  Registers loop(mlir::Value from, mlir::Value to, Registers state,
                 llvm::function_ref<void(mlir::Value place, Registers &state)> step);

  TileLowering &lowering;
  mlir::ImplicitLocOpBuilder &builder;
  Memory memory;
};

} // namespace attn::tile
