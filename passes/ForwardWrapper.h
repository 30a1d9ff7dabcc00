// SPDX-License-Identifier: Apache-2.0
// Attention as steps of a kernel: schedules that walk keys, given the rows and keys of a program and what it reports.
#pragma once

#include "mlir/IR/SymbolTable.h"
#include "passes/Supported.h"

namespace attn {

/// What makes a score of a product: one factor, of which score functions see the result.
struct ScoreScale {
  double factor;     ///< 1 / sqrt(head_dim) unless the spec has a constant
  mlir::Value given; ///< a number of the launch instead, of the kernel's; or null
  bool inExponent;   ///< nothing looks at scores, so that it can be a factor of their exponents
};
ScoreScale scoreScaleOf(const Attention &attention);

/// What one walk over the keys of all rows is for.
enum class Walk {
  Forward,    ///< output and lse, or where keys are shared among programs partial results (see KeyShares.h)
  Statistics, ///< lse, and what later walks must know of rows (see RowStatistics.h)
  Weighted,   ///< output by weights that are known, from statistics
  Sums,       ///< such weights on their way to the cells of one attn.sums (see SumsWrapper.h)
};

/// Writes the function of one walk in front of the kernel, named after it, and the score and mask functions that it
/// uses. `number` is that of the attn.sums among those of the attention.
mlir::func::FuncOp writeWalk(Walk walk, KernelOp kernel, const Attention &attention, mlir::SymbolTable &symbols,
                             size_t number = 0);

} // namespace attn
