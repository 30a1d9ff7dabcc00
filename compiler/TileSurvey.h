// SPDX-License-Identifier: Apache-2.0
// Which tiles the programs of a kernel visit, and which of those need their masks: read off the trimmed tile IR by
// evaluating what stands in front of the loop, with numbers, for every program.
#pragma once

#include "compiler/ScalarEvaluator.h"
#include <string>
#include <variant>
#include <vector>

namespace attn {

enum class TileClass : char { Skipped = '.', Full = '#', Masked = '+' };

/// The tiles of one block of query rows.
struct RowTiles {
  int64_t sequence = 0;           ///< tells sequences and heads apart where they differ
  int64_t firstRow = 0;           ///< index of the block's first row
  int64_t rows = 0;               ///< how many of its rows exist
  int64_t keys = 0;               ///< how many keys the sequence has
  std::vector<TileClass> tiles{}; ///< one for each tile of keys
};

struct TileSurvey {
  int64_t blockQ = 0, blockKv = 0;
  llvm::SmallVector<int64_t, 3> grid; ///< extents of tile.program
  int64_t programs = 1;               ///< their product
  int64_t repeats = 1;                ///< programs that each entry of `rows` stands for: they differ in nothing here
  std::vector<RowTiles> rows;         ///< by sequence, then by row

  /// Of the whole launch.
  int64_t count(TileClass kind) const;
};

/// Looks at the function's loop; `evaluator` knows the sizes of its arguments. Returns why there is nothing to tell:
/// the loop's bounds depend on values in memory, or there is no loop.
std::variant<TileSurvey, std::string> surveyTiles(mlir::func::FuncOp function, ScalarEvaluator &evaluator);

} // namespace attn
