// SPDX-License-Identifier: Apache-2.0
// What a program lists of its tiles, found by executing the region that marks them.
#pragma once

#include "compiler/ScalarEvaluator.h"
#include "dialect/Tile.h"
#include <vector>

namespace attn {

/// A tile that a program visits.
struct ListedTile {
  int64_t number;
  bool full; ///< no mark says that it hides something
};

/// The tiles of a list, in ascending order; `evaluator` knows what stands in front of it. Nothing if some value is
/// unknown, which is then in `unknown`.
std::optional<std::vector<ListedTile>> runCollect(tile::CollectOp list, ScalarEvaluator &evaluator,
                                                  mlir::Value &unknown);

} // namespace attn
