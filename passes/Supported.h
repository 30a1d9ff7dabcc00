// SPDX-License-Identifier: Apache-2.0
// What has a lowering: the one place that refuses what the dialect can say and the compiler cannot do yet.
#pragma once

#include "dialect/Attn.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace attn {

/// The attention of a kernel: its operations and the tensors that they meet in.
struct Attention {
  ScoresOp scores;
  SoftmaxOp softmax;
  OutputOp output;
  mlir::RankedTensorType query, keys, values, result; ///< (batch, seq, heads, head_dim) each
  llvm::SmallVector<ModifyOp> modifies;
  llvm::SmallVector<MaskOp> masks;
};

/// Looks at operations, shapes and types of a kernel and of the functions it uses. Every fault is reported where it is,
/// with what is supported instead.
mlir::FailureOr<Attention> findAttention(KernelOp kernel);

/// The tensor that a query, keys (`number` 0) or values (the last tensor) are: itself, or the operand of attn.dense.
mlir::Value tensorOf(mlir::Value tensorOrSequence, bool last);

} // namespace attn
