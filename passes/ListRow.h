// SPDX-License-Identifier: Apache-2.0
// A row of a sorted list in memory, as scalar code of one thread: what it holds, and where.
#pragma once

#include "passes/TileLowering.h"

namespace attn::tile {

/// Bits `from` up to `to` of a word, none where `to` is not behind `from`: i32. Both are counted from the first bit of
/// the word (i64) and may lie outside of it.
mlir::Value bitsBetween(mlir::ImplicitLocOpBuilder &builder, mlir::Value from, mlir::Value to);

/// Entries of one row of a list that increases. Of one that does not, each search ends somewhere in the row: nothing
/// outside of it is read. Places are of type i32, numbers of type i64; entries of any type of integer.
class ListRow {
public:
  /// A row of `list`, an argument of the kernel, whose entry 0 lies at `address` (ptr<1>). Dimension `entries` counts
  /// them; where there is one behind it, they are ranges. Entries `from` up to `to` (i64) are in the set, as far as
  /// there are so many. What is the same for all rows is created by way of `atOnce`.
  using Create = llvm::function_ref<mlir::Value()>;
  ListRow(
      TileLowering &lowering, mlir::Value list, unsigned entries, mlir::Value address, mlir::Value from, mlir::Value to,
      llvm::function_ref<mlir::Value(Create)> atOnce = [](Create create) { return create(); });

  /// Whether a number is in the set: i1.
  mlir::Value holds(mlir::Value number);

  /// The first place whose entry is not below a number, or that behind the last.
  mlir::Value firstFrom(mlir::Value number);

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
  /// A loop over places, in which `step` turns registers into those of the next step.
  Registers loop(mlir::Value from, mlir::Value to, Registers state,
                 llvm::function_ref<void(mlir::Value place, Registers &state)> step);

  TileLowering &lowering;
  mlir::ImplicitLocOpBuilder &builder;
  mlir::Type element;
  mlir::Value address;
  mlir::Value stride;      ///< the distance of entries in bytes (i64)
  mlir::Value rangeStride; ///< that of the two ends of a range, null where entries are numbers
  mlir::Value from, to;    ///< places
};

} // namespace attn::tile
