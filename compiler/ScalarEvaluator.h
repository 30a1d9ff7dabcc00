// SPDX-License-Identifier: Apache-2.0
// Evaluates the scalar index arithmetic of one function with numbers: what a program computes before its loop.
#pragma once

#include "dialect/Tile.h"
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

  /// The integer in a place of a memref; nothing if that is unknown. Without a reader all memory is unknown.
  using Reader = std::function<std::optional<int64_t>(mlir::Value memref, llvm::ArrayRef<int64_t> indices)>;
  void setReader(Reader reader) { read = std::move(reader); }
  /// Whether the first element of a memref can be read.
  bool reads(mlir::Value memref) const;

  /// The value, sign-extended from its width; unknown if it is not set and cannot be computed.
  std::optional<int64_t> valueOf(mlir::Value value);

  /// For steps of a loop, in their order: gives the loop's number, or computes a value from what its operands are now.
  /// Nothing else is forgotten.
  void assign(mlir::Value value, int64_t number) { computed[value] = number; }
  void assignSizes(mlir::Value memref, llvm::ArrayRef<int64_t> all) { sizes[memref].assign(all.begin(), all.end()); }
  void evaluateAgain(mlir::Value value) { computed[value] = compute(value); }

  /// Forgets what was computed and keeps what was set.
  void forget() { computed.clear(); }

private:
  std::optional<int64_t> compute(mlir::Value value);
  std::optional<int64_t> fold(mlir::OpResult result);
  std::optional<llvm::SmallVector<int64_t>> numbersOf(mlir::ValueRange values);
  std::optional<int64_t> computeFirstAbove(tile::FirstAboveOp op);
  std::optional<int64_t> computeExtreme(tile::ExtremesOp op, bool greatest);
  std::optional<int64_t> computeMember(tile::MemberOp op);
  mlir::Attribute constantOf(mlir::Value value);

  llvm::DenseMap<mlir::Value, int64_t> given;
  llvm::DenseMap<mlir::Value, std::optional<int64_t>> computed;
  llvm::DenseMap<mlir::Value, llvm::SmallVector<int64_t, 4>> sizes;
  Reader read;
};

/// The values among `candidates` that `value` is computed from.
llvm::SmallVector<mlir::Value> dependsOn(mlir::Value value, llvm::ArrayRef<mlir::Value> candidates);

} // namespace attn
