// SPDX-License-Identifier: Apache-2.0
// Evaluates the scalar index arithmetic of one function with numbers: what a program computes before its loop.
#pragma once

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "llvm/ADT/DenseMap.h"
#include <functional>
#include <optional>

namespace attn {

/// Values of integers and indices, found on demand. A value is unknown when it depends on something that was not given
/// or that is not scalar arithmetic: a float, the result of a loop, memory without a reader.
class ScalarEvaluator {
public:
  /// Sizes of a memref argument; all dimensions, in order.
  void setSizes(mlir::Value memref, llvm::ArrayRef<int64_t> sizes);

  /// The value of an integer or index: an argument, a coordinate of the program, a loop's tile number.
  void set(mlir::Value value, int64_t number);

  /// What a load of an integer reads; nothing if that is unknown. Without a reader all loads are unknown.
  using Reader = std::function<std::optional<int64_t>(mlir::memref::LoadOp load, llvm::ArrayRef<int64_t> indices)>;
  void setReader(Reader reader) { read = std::move(reader); }

  /// The value, sign-extended from its width; unknown if it is not set and cannot be computed.
  std::optional<int64_t> valueOf(mlir::Value value);

  /// Forgets what was computed and keeps what was set.
  void forget() { computed.clear(); }

private:
  std::optional<int64_t> compute(mlir::Value value);
  std::optional<int64_t> fold(mlir::OpResult result);
  mlir::Attribute constantOf(mlir::Value value);

  llvm::DenseMap<mlir::Value, int64_t> given;
  llvm::DenseMap<mlir::Value, std::optional<int64_t>> computed;
  llvm::DenseMap<mlir::Value, llvm::SmallVector<int64_t, 4>> sizes;
  Reader read;
};

/// The values among `candidates` that `value` is computed from.
llvm::SmallVector<mlir::Value> dependsOn(mlir::Value value, llvm::ArrayRef<mlir::Value> candidates);

} // namespace attn
