// SPDX-License-Identifier: Apache-2.0
// From the lines of a kernel that say where entries lie to sequences that know it.
#pragma once

#include "compiler/Sequences.h"

#include "dialect/Attn.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/Support/Error.h"

#include <functional>

namespace attn {

/// The sequences of one kernel whose rules hold, made line by line. Errors are sentences that begin with the line's
/// place: a value that is no tensor in memory, numbers of sequences that no name compares, and tables that name what
/// does not exist.
class SequenceLines {
public:
  /// Gives the tensor of an argument or of a result that was computed already.
  using TensorOf = std::function<llvm::Expected<HostTensor>(mlir::Operation *user, mlir::Value)>;

  SequenceLines(KernelOp kernel, TensorOf tensorOf) : kernel(kernel), tensorOf(std::move(tensorOf)) {}

  llvm::Error add(DenseOp op);
  llvm::Error add(RaggedOp op);
  llvm::Error add(PagesOp op);
  llvm::Error add(ShareOp op);
  llvm::Error add(ConcatOp op);
  llvm::Error add(AtOp op);

  /// The sequence that a value is; a plain tensor of rank 4 is the dense one of full length.
  llvm::Expected<SequencePointer> of(mlir::Operation *user, mlir::Value value);

  /// An error unless both have the same number of sequences.
  llvm::Error checkBatch(mlir::Operation *user, llvm::StringRef what, int64_t expected, int64_t got);

private:
  llvm::Error refuse(mlir::Operation *user, const llvm::Twine &why);
  /// The first and the last of one or two tensors.
  llvm::Error keysAndValues(mlir::Operation *user, mlir::OperandRange from, HostTensor &keys, HostTensor &values);
  llvm::Error optional(mlir::Operation *user, mlir::Value value, std::optional<HostTensor> &tensor);
  llvm::Expected<int64_t> ourBatch(mlir::Operation *user);
  llvm::Expected<int64_t> batchOf(mlir::Operation *user, mlir::Value sequence);

  KernelOp kernel;
  TensorOf tensorOf;
  llvm::DenseMap<mlir::Value, SequencePointer> sequences;
};

} // namespace attn
