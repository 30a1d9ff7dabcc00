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
  mlir::RankedTensorType query, keys, values, result; ///< (..., heads, head_dim) each
  llvm::SmallVector<ModifyOp> modifies;
  llvm::SmallVector<MaskOp> masks;
  llvm::SmallVector<ReweightOp> reweights;
};

/// Looks at operations, shapes and types of a kernel and of the functions it uses. Every fault is reported where it is,
/// with what is supported instead.
mlir::FailureOr<Attention> findAttention(KernelOp kernel);

/// The tensor that a query, keys or (`last`) values lie in: itself, or that of a sequence, of its first part if it has
/// several.
mlir::Value tensorOf(mlir::Value tensorOrSequence, bool last);

/// Heads of a tensor of queries, keys or values.
inline int64_t headsOf(mlir::RankedTensorType type) { return type.getDimSize(type.getRank() - 2); }

/// Whether neighbouring entries of a sequence are the same distance apart in memory, all of it in one dense tensor.
bool isStrided(mlir::Value tensorOrSequence);

} // namespace attn
