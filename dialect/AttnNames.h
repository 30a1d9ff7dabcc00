// SPDX-License-Identifier: Apache-2.0
// What passes ask about a kernel: its chain from scores to output, and the names of arguments, results and dimensions.
#pragma once

#include "dialect/Attn.h"

namespace attn {

//===-- the chain ----------------------------------------------------------===//

/// One attention, from its scores to its output.
struct AttentionChain {
  ScoresOp scores;
  llvm::SmallVector<ModifyOp> modifications; ///< in program order
  llvm::SmallVector<MaskOp> masks;           ///< in program order; a key is visible when all of them say so
  SoftmaxOp softmax;
  llvm::SmallVector<ReweightOp> reweights; ///< in program order
  OutputOp output;
};

/// The attention a verified kernel computes; none if it holds no output (a merge, an append, an lse by itself).
std::optional<AttentionChain> attentionOf(KernelOp kernel);

/// The scores that a value of type !attn.scores or !attn.probs comes from; null if a block argument hides them.
ScoresOp scoresOf(mlir::Value value);

/// The only operation of its kind in a verified kernel; null if there is none.
ScoresOp scoresOf(KernelOp kernel);
SoftmaxOp softmaxOf(KernelOp kernel);
OutputOp outputOf(KernelOp kernel);

//===-- sequences ----------------------------------------------------------===//

/// What is known of a plain tensor of rank 4 or a value of type !attn.seq, found by walking to the tensors it is made
/// of. For `concat` sizes are those of the first part.
struct SequenceFacts {
  mlir::Operation *maker = nullptr; ///< the operation that made it; null for a plain tensor
  bool wellFormed = true;           ///< numbers and ranks of tensors are right, so that sizes may be asked for
  unsigned numTensors = 0;          ///< 1: a query, or keys that are their own values; 2: keys and values
  mlir::RankedTensorType first, second;
  int64_t batch = mlir::ShapedType::kDynamic;
  bool ragged = false, paged = false, shared = false, concat = false;
  bool positions = false; ///< of its own; for `concat`, of any part

  int64_t heads() const { return first.getDimSize(first.getRank() - 2); }
  int64_t keyDim() const { return first.getDimSize(first.getRank() - 1); }
  int64_t valueDim() const { return second ? second.getDimSize(second.getRank() - 1) : keyDim(); }
};
SequenceFacts factsOf(mlir::Value value);

//===-- names --------------------------------------------------------------===//

/// A dimension of an argument or result.
struct NamedDimension {
  std::string name; ///< empty for a number that nothing names
  int64_t size;     ///< ShapedType::kDynamic if it is bound at launch

  bool isDynamic() const { return mlir::ShapedType::isDynamic(size); }
};

/// An argument or a result of a kernel as a launch knows it.
struct NamedValue {
  llvm::StringRef name;
  mlir::Type type;
  llvm::SmallVector<NamedDimension> dimensions; ///< none for scalars
};

/// Arguments and results in the order of the signature. A dimension is named by #attn.dims if the type has it, else by
/// the role of the tensor: query, keys, lengths and so on. In a kernel whose rules hold, every dynamic dimension has a
/// name; static ones of tensors that only functions read may have none. Values that are narrower or wider than keys
/// call their last dimension head_dim_v.
llvm::SmallVector<NamedValue> argumentsOf(KernelOp kernel);
llvm::SmallVector<NamedValue> resultsOf(KernelOp kernel);

} // namespace attn
