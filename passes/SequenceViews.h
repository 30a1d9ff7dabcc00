// SPDX-License-Identifier: Apache-2.0
// The sequences of a spec as views of memory: the one place that knows what attn.dense and its like mean for a tile.
#pragma once

#include "dialect/Attn.h"
#include "dialect/Tile.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace attn {

/// Makes lengths and views of sequences at the builder's place. `arguments` maps those of the kernel to memory.
class SequenceViews {
public:
  SequenceViews(mlir::ImplicitLocOpBuilder &builder, const mlir::IRMapping &arguments)
      : builder(builder), arguments(arguments) {}

  /// Entries of sequence `batch` (index): what its tensor holds, or its length, clamped to that.
  mlir::Value lengthOf(mlir::Value sequence, mlir::Value batch);

  /// The keys, or with `values` the values, of a sequence as one head sees them, or as `packed` heads do.
  mlir::Value viewOf(mlir::Value sequence, bool values, mlir::Value batch, mlir::Value head, mlir::Value length,
                     mlir::Value position = {}, int64_t packed = 1);

  /// Rows of a tensor of results, (batch, seq, heads, size) or (batch, seq, heads), that lie as a query's do.
  mlir::Value viewOfMemory(mlir::Value memory, mlir::Value batch, mlir::Value head, mlir::Value length,
                           mlir::Value position = {}, int64_t packed = 1);

  /// Size of a dimension of memory: a constant where it is static.
  mlir::Value sizeOf(mlir::Value memory, int64_t dimension);
  /// The memory of a sequence's keys, or with `values` of its values.
  mlir::Value memoryOf(mlir::Value sequence, bool values);
  mlir::Value index(int64_t value);

private:
  mlir::ImplicitLocOpBuilder &builder;
  const mlir::IRMapping &arguments;
};

} // namespace attn
