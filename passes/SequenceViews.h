// SPDX-License-Identifier: Apache-2.0
// The sequences of a spec as views of memory: the one place that knows what attn.dense and its like mean for a tile.
#pragma once

#include "dialect/Attn.h"
#include "dialect/Tile.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace attn {

/// Where the entries of one sequence, or of one part of it, lie and stand. Memory and lists are arguments of the
/// function that is written, the rest are values in it; null is what does not apply.
struct SequencePart {
  mlir::Value keys, values;   ///< memory; the same for a sequence whose keys are its values
  mlir::Value batch;          ///< the number of the sequence in memory (index)
  mlir::Value length;         ///< entries (index)
  mlir::Value rowOf;          ///< memory: in which sequence each entry lies
  mlir::Value starts, table;  ///< memory: where packed sequences begin; pages, or runs of them
  mlir::Value position;       ///< of the first entry (index)
  mlir::Value positions;      ///< memory: of each entry
  mlir::Value positionsBatch; ///< the list's own batch, where it is not that of memory
};

/// Makes lengths and views of sequences at the builder's place. `arguments` maps those of the kernel to memory.
class SequenceViews {
public:
  SequenceViews(mlir::ImplicitLocOpBuilder &builder, const mlir::IRMapping &arguments)
      : builder(builder), arguments(arguments) {}

  /// The parts of sequence `batch` (index) of `batches`, one behind the other: as many as were joined by attn.concat.
  /// Lengths are clamped to what tensors, tables and lists hold.
  llvm::SmallVector<SequencePart, 1> partsOf(mlir::Value sequence, mlir::Value batch, mlir::Value batches);

  /// How many sequences a query, or keys, are (index).
  mlir::Value countOf(mlir::Value sequence);

  /// The keys, or with `values` the values, of a part as one head sees them. `index` is that of its first entry.
  mlir::Value viewOf(const SequencePart &part, bool values, mlir::Value head, mlir::Value index = {});

  /// The rows of a query: those of a head, or of a group of `packed` heads, by its number.
  mlir::Value viewOfQuery(const SequencePart &query, mlir::Value head, int64_t packed);

  /// Rows of a tensor of results that lie as those of a query do; without the last dimension, one column.
  mlir::Value viewOfResult(mlir::Value memory, const SequencePart &query, mlir::Value head, int64_t packed);

  /// Size of a dimension of memory: a constant where it is static.
  mlir::Value sizeOf(mlir::Value memory, int64_t dimension);
  mlir::Value index(int64_t value);

private:
  using Parts = llvm::SmallVector<SequencePart, 1>;
  Parts partsOfDense(mlir::ValueRange tensors, mlir::Value lens, mlir::Value batch);
  Parts partsOfRagged(RaggedOp op, mlir::Value batch);
  Parts partsOfPages(PagesOp op, mlir::Value batch);
  Parts partsOfShare(ShareOp op, mlir::Value batch, mlir::Value batches);
  Parts partsOfAt(AtOp op, mlir::Value batch, mlir::Value batches);
  mlir::Value load(mlir::Value memory, mlir::ValueRange place, mlir::Value most = {});
  mlir::Value view(mlir::Value memory, const SequencePart &part, mlir::Value head, mlir::Value index, int64_t packed);

  mlir::ImplicitLocOpBuilder &builder;
  const mlir::IRMapping &arguments;
};

} // namespace attn
