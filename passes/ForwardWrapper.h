// SPDX-License-Identifier: Apache-2.0
// Attention as a step of a kernel: the forward schedule, given the rows and keys of a program and what it reports.
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

/// Writes the function in front of the kernel, named after it with ".tiles" behind, and the score and mask functions
/// that it uses. Where keys are shared among programs it leaves partial results (see KeyShares.h).
mlir::func::FuncOp writeForward(KernelOp kernel, const Attention &attention, mlir::SymbolTable &symbols);

} // namespace attn
