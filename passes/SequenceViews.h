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
  mlir::Value batch;          ///< the number of the sequence in memory (index); null where memory has no batch
  mlir::Value part;           ///< which of a stack of such tensors memory is (index)
  mlir::Value length;         ///< entries (index)
  mlir::Value first;          ///< the token of a packed batch that it begins with (index)
  mlir::Value rowOf;          ///< memory: in which sequence each entry lies
  mlir::Value starts, table;  ///< memory: where packed sequences begin; pages, or runs of them
  mlir::Value position;       ///< of the first entry (index)
  mlir::Value positions;      ///< memory: of each entry
  mlir::Value positionsBatch; ///< the list's own batch, where it is not that of memory
};

/// What says where the sequences of a packed batch of queries begin; null for any others.
RaggedOp packingOf(mlir::Value queries);

/// Makes lengths and views of sequences at the builder's place. `arguments` maps those of the kernel to memory.
class SequenceViews {
public:
  SequenceViews(mlir::ImplicitLocOpBuilder &builder, const mlir::IRMapping &arguments)
      : builder(builder), arguments(arguments) {}

  /// The parts of sequence `batch` (index) of `batches`, one behind the other: as many as were joined by attn.concat.
  /// Lengths are clamped to what tensors, tables and lists hold.
  llvm::SmallVector<SequencePart, 1> partsOf(mlir::Value sequence, mlir::Value batch, mlir::Value batches);

  /// The most entries that a sequence can have, in tiles of `step`: each part is rounded up to them. From shapes alone;
  /// null where they have no bound, as for runs of pages.
  mlir::Value capacityOf(mlir::Value sequence, int64_t step);

  /// Entries of all parts in tiles of `step`, as a share of them is counted.
  mlir::Value lengthInTiles(llvm::ArrayRef<SequencePart> parts, int64_t step);

  /// How many sequences a query, or keys, are (index).
  mlir::Value countOf(mlir::Value sequence);

  /// Blocks of `rows` rows, `ofToken` to each token, that are enough for every sequence of a packed batch to begin one
  /// of its own (index), and of one of them the number of its sequence and its own in there.
  mlir::Value blocksOf(RaggedOp packing, int64_t rows, int64_t ofToken);
  tile::LocateOp locate(RaggedOp packing, mlir::Value block, int64_t rows, int64_t ofToken);

  /// The keys, or with `values` the values, of a part as one head sees them. `index` is that of its first entry.
  mlir::Value viewOf(const SequencePart &part, bool values, mlir::Value head, mlir::Value index = {});

  /// The rows of a query: those of a head, or of a group of `packed` heads, by its number.
  mlir::Value viewOfQuery(const SequencePart &query, mlir::Value head, int64_t packed);

  /// Rows of a tensor of results that lie as those of a query do; without the last dimension, one column.
  mlir::Value viewOfResult(mlir::Value memory, const SequencePart &query, mlir::Value head, int64_t packed);

  /// An integer of a list of the kernel's (index), with `most` clamped to [0, most].
  mlir::Value load(mlir::Value list, mlir::ValueRange place, mlir::Value most = {});

  /// Size of a dimension of memory: a constant where it is static.
  mlir::Value sizeOf(mlir::Value memory, int64_t dimension);
  mlir::Value index(int64_t value);

private:
  using Parts = llvm::SmallVector<SequencePart, 1>;
  mlir::Value roundedUp(mlir::Value length, int64_t step);
  Parts partsOfDense(mlir::ValueRange tensors, mlir::Value lens, mlir::Value batch);
  Parts partsOfRagged(RaggedOp op, mlir::Value batch);
  Parts partsOfPages(PagesOp op, mlir::Value batch);
  Parts partsOfShare(ShareOp op, mlir::Value batch, mlir::Value batches);
  Parts partsOfAt(AtOp op, mlir::Value batch, mlir::Value batches);
  mlir::Value view(mlir::Value memory, const SequencePart &part, mlir::Value head, mlir::Value index, int64_t packed);

  mlir::ImplicitLocOpBuilder &builder;
  const mlir::IRMapping &arguments;
};

} // namespace attn
