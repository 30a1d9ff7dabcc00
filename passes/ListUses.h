// SPDX-License-Identifier: Apache-2.0
// Which lists the functions of a kernel ask, and how.
#pragma once

#include "dialect/Attn.h"

namespace attn {

/// One attn.member, in terms of the kernel.
struct ListUse {
  mlir::Value list, count, rows; ///< arguments of the kernel, or what a line computed; the latter two may be null
  bool isRanges = false;
  int64_t unit = 1; ///< keys, queries or distances that a number stands for: 128 for `kv floordivsi 128`
};

/// Arguments of the kernel that functions read values from which they say are sorted, each once.
llvm::SmallVector<mlir::Value> sortedTensorsOf(KernelOp kernel);

/// Those of all functions that lines of the kernel name, calls followed with what they are given, in program order.
/// What does not come from the kernel, such as a function that is not linked yet, is passed over.
llvm::SmallVector<ListUse> listUsesOf(KernelOp kernel);

} // namespace attn
