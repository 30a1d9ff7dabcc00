// SPDX-License-Identifier: Apache-2.0
// Makes sequences of lines, and checks that their tables have the sizes that they are read with.
#include "compiler/SequenceLines.h"

#include "compiler/FunctionEvaluator.h"

using namespace mlir;

namespace attn {

llvm::Error SequenceLines::refuse(Operation *user, const llvm::Twine &why) {
  return llvm::createStringError(placeOf(user) + "'" + user->getName().getStringRef() + "' op " + why);
}

llvm::Error SequenceLines::checkBatch(Operation *user, StringRef what, int64_t expected, int64_t got) {
  if (expected == got)
    return llvm::Error::success();
  return refuse(user, "expects " + what + ", got " + llvm::Twine(expected) + " and " + llvm::Twine(got));
}

llvm::Expected<SequencePointer> SequenceLines::of(Operation *user, Value value) {
  if (auto found = sequences.find(value); found != sequences.end())
    return found->second;
  llvm::Expected<HostTensor> tensor = tensorOf(user, value);
  if (!tensor)
    return tensor.takeError();
  return sequences[value] = std::make_shared<DenseSequence>(*tensor, *tensor, std::nullopt);
}

llvm::Error SequenceLines::keysAndValues(Operation *user, OperandRange from, HostTensor &keys, HostTensor &values) {
  for (auto [value, tensor] : {std::pair<Value, HostTensor *>(from.front(), &keys), {from.back(), &values}}) {
    llvm::Expected<HostTensor> given = tensorOf(user, value);
    if (!given)
      return given.takeError();
    *tensor = *given;
  }
  return llvm::Error::success();
}

llvm::Error SequenceLines::optional(Operation *user, Value value, std::optional<HostTensor> &tensor) {
  if (!value)
    return llvm::Error::success();
  llvm::Expected<HostTensor> given = tensorOf(user, value);
  if (!given)
    return given.takeError();
  tensor = *given;
  return llvm::Error::success();
}

//===-- lines --------------------------------------------------------------===//

llvm::Error SequenceLines::add(DenseOp op) {
  HostTensor keys, values;
  std::optional<HostTensor> lens;
  if (llvm::Error error = keysAndValues(op, op.getTensors(), keys, values))
    return error;
  if (llvm::Error error = optional(op, op.getLens(), lens))
    return error;
  sequences[op.getSeq()] = std::make_shared<DenseSequence>(keys, values, lens);
  return llvm::Error::success();
}

llvm::Error SequenceLines::add(RaggedOp op) {
  HostTensor keys, values;
  if (llvm::Error error = keysAndValues(op, op.getTensors(), keys, values))
    return error;
  llvm::Expected<HostTensor> indptr = tensorOf(op, op.getIndptr());
  if (!indptr)
    return indptr.takeError();
  sequences[op.getSeq()] = std::make_shared<RaggedSequence>(keys, values, *indptr);
  return llvm::Error::success();
}

llvm::Error SequenceLines::add(PagesOp op) {
  HostTensor keys, values;
  if (llvm::Error error = keysAndValues(op, op.getPools(), keys, values))
    return error;
  llvm::Expected<HostTensor> table = tensorOf(op, op.getTable());
  if (!table)
    return table.takeError();
  llvm::Expected<HostTensor> lens = tensorOf(op, op.getLens());
  if (!lens)
    return lens.takeError();
  auto paged = std::make_shared<PagedSequence>(keys, values, *table, *lens);
  if (paged->fault())
    return refuse(op, *paged->fault());
  sequences[op.getSeq()] = paged;
  return llvm::Error::success();
}

llvm::Error SequenceLines::add(ShareOp op) {
  llvm::Expected<SequencePointer> from = of(op, op.getOf());
  if (!from)
    return from.takeError();
  std::optional<HostTensor> rows;
  if (llvm::Error error = optional(op, op.getRows(), rows))
    return error;
  llvm::Expected<int64_t> batch = ourBatch(op);
  if (!batch)
    return batch.takeError();
  auto shared = std::make_shared<SharedSequence>(*from, rows, *batch);
  if (shared->fault())
    return refuse(op, *shared->fault());
  sequences[op.getSeq()] = shared;
  return llvm::Error::success();
}

llvm::Error SequenceLines::add(ConcatOp op) {
  std::vector<SequencePointer> parts;
  for (Value part : op.getParts()) {
    llvm::Expected<SequencePointer> sequence = of(op, part);
    if (!sequence)
      return sequence.takeError();
    if (!parts.empty())
      if (llvm::Error error = checkBatch(op, "parts with the same batch", parts.front()->batch(), (*sequence)->batch()))
        return error;
    parts.push_back(*sequence);
  }
  sequences[op.getSeq()] = std::make_shared<ConcatSequence>(std::move(parts));
  return llvm::Error::success();
}

llvm::Error SequenceLines::add(AtOp op) {
  llvm::Expected<SequencePointer> from = of(op, op.getOf());
  if (!from)
    return from.takeError();
  std::optional<HostTensor> positions, first;
  if (llvm::Error error = optional(op, op.getPositions(), positions))
    return error;
  if (llvm::Error error = optional(op, op.getFirst(), first))
    return error;
  if (!positions || positions->rank() == 2)
    if (llvm::Error error =
            checkBatch(op, "positions for each sequence", (*from)->batch(), (first ? first : positions)->shape[0]))
      return error;
  sequences[op.getSeq()] = std::make_shared<PlacedSequence>(*from, positions, first);
  return llvm::Error::success();
}

//===-- batch --------------------------------------------------------------===//

llvm::Expected<int64_t> SequenceLines::batchOf(Operation *user, Value sequence) {
  if (auto at = sequence.getDefiningOp<AtOp>())
    return batchOf(user, at.getOf());
  auto ragged = sequence.getDefiningOp<RaggedOp>();
  auto pages = sequence.getDefiningOp<PagesOp>();
  auto dense = sequence.getDefiningOp<DenseOp>();
  llvm::Expected<HostTensor> counted = tensorOf(user, ragged  ? ragged.getIndptr()
                                                      : pages ? pages.getTable()
                                                      : dense ? dense.getTensors().front()
                                                              : sequence);
  if (!counted)
    return counted.takeError();
  return ragged ? std::max<int64_t>(counted->shape[0] - 1, 0) : counted->shape[0];
}

/// Of the queries; of the cache in a kernel that has none. Nothing else reads a sequence.
llvm::Expected<int64_t> SequenceLines::ourBatch(Operation *user) {
  Block &body = kernel.getBody().front();
  for (auto scores : body.getOps<ScoresOp>())
    return batchOf(user, scores.getQuery());
  for (auto append : body.getOps<AppendOp>())
    return batchOf(user, append.getCache());
  return 0;
}

} // namespace attn
