// SPDX-License-Identifier: Apache-2.0
// What has a lowering: the one place that refuses what the dialect can say and the compiler cannot do yet.
#pragma once

#include "dialect/Attn.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace attn {

/// The attention of a kernel: its operations and the tensors that they meet in. Where only sums are asked for, there is
/// no output, no result, and values are the keys.
struct Attention {
  ScoresOp scores;
  SoftmaxOp softmax;
  OutputOp output;
  mlir::RankedTensorType query, keys, values, result; ///< (..., heads, head_dim) each
  llvm::SmallVector<ModifyOp> modifies;
  llvm::SmallVector<MaskOp> masks;
  llvm::SmallVector<ReweightOp> reweights;
  /// Whether a function makes of weights what a factor does not: then they must be known before they are changed, so
  /// the keys are walked twice.
  bool changesKnownWeights = false;
  llvm::SmallVector<SumsOp> sums; ///< of weights as softmax gives them
};

/// What a kernel does: attention, or a merge of parts that it is given, or neither; and appends and selections in front
/// or behind.
struct KernelContent {
  std::optional<Attention> attention;
  MergeOp merge;
  /// The attention's attn.output, or the first of its attn.sums without one before, the merge, the appends and the
  /// selections, in the order of the text: what a launch does one after the other.
  llvm::SmallVector<mlir::Operation *> steps;
};

/// Looks at operations, shapes and types of a kernel and of the functions it uses. Every fault is reported where it is,
/// with what is supported instead.
mlir::FailureOr<KernelContent> contentOf(KernelOp kernel);

/// The tensor that a query, keys or (`last`) values lie in: itself, or that of a sequence, of its first part if it has
/// several.
mlir::Value tensorOf(mlir::Value tensorOrSequence, bool last);

/// The tensors that an append writes: the keys' and the values', or one.
mlir::ValueRange tensorsOfCache(AppendOp append);

/// Heads of a tensor of queries, keys or values.
inline int64_t headsOf(mlir::RankedTensorType type) { return type.getDimSize(type.getRank() - 2); }

/// Whether neighbouring entries of a sequence are the same distance apart in memory, all of it in one dense tensor.
bool isStrided(mlir::Value tensorOrSequence);

/// Whether the positions of some part of a sequence are a list.
bool hasListedPositions(mlir::Value tensorOrSequence);

} // namespace attn
