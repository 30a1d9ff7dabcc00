// SPDX-License-Identifier: Apache-2.0
// Sums of weights as steps of a kernel: cells in the workspace that are cleared, added to, and read.
#pragma once

#include "mlir/IR/SymbolTable.h"
#include "passes/KernelWrapper.h"
#include "passes/Supported.h"

namespace attn {

/// The cells of one attn.sums, by its number among those of the attention: memref<?x?xi64> with a row for each head of
/// each sequence. They lie behind the row statistics in the workspace.
mlir::Value cellsOfSums(KernelWrapper &wrapper, const Attention &attention, size_t number);

/// Writes the function in front of the kernel that makes all cells of one attn.sums 0, or the one that writes what they
/// hold to the result.
mlir::func::FuncOp writeClear(KernelOp kernel, const Attention &attention, size_t number, mlir::SymbolTable &symbols);
mlir::func::FuncOp writeSettle(KernelOp kernel, const Attention &attention, size_t number, mlir::SymbolTable &symbols);

/// Whether the function of an attn.sums, if it has one, says of whole rows whether they count.
bool countsRows(SumsOp sums);

} // namespace attn
