// SPDX-License-Identifier: Apache-2.0
// Merging as a step of a kernel: the merge schedule, given stacks of parts.
#pragma once

#include "mlir/IR/SymbolTable.h"
#include "passes/Supported.h"

namespace attn {

/// Writes the function that merges what programs with shares of the keys left, in front of the kernel and named after
/// it with "_merge" behind.
mlir::func::FuncOp writeMergeOfShares(KernelOp kernel, const Attention &attention, mlir::SymbolTable &symbols);

/// The same of what programs left that took shares of the line of all tiles (see StreamShares.h).
mlir::func::FuncOp writeMergeOfSegments(KernelOp kernel, const Attention &attention, mlir::SymbolTable &symbols);

/// Writes the function of an attn.merge, which reads its parts from arguments of the kernel, under a like name.
mlir::func::FuncOp writeMerge(KernelOp kernel, MergeOp merge, mlir::SymbolTable &symbols);

} // namespace attn
