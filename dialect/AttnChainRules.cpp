// SPDX-License-Identifier: Apache-2.0
// The rules of the chain: what may meet in scores, softmax and output, and what partial results merge.
#include "dialect/AttnRules.h"

using namespace mlir;

namespace attn {

static constexpr StringRef kQueryNames[] = {"batch", "seq_q", "heads", "head_dim"};
static constexpr StringRef kKeyNames[] = {"batch", "seq_kv", "kv_heads", "head_dim"};

static RankedTensorType tensorType(Value value) { return cast<RankedTensorType>(value.getType()); }
static bool isPlain(Value value) { return isa<RankedTensorType>(value.getType()); }

//===-- scores -------------------------------------------------------------===//

void KernelRules::checkScores(ScoresOp op) {
  if (isPlain(op.getQuery()))
    checkPlainTensor(op, op.getQuery(), "a query", kQueryNames);
  if (isPlain(op.getKeys()) && op.getKeys() != op.getQuery())
    checkPlainTensor(op, op.getKeys(), "keys", kKeyNames);
  SequenceFacts query = factsOf(op.getQuery()), keys = factsOf(op.getKeys());
  if (query.positions && op.getAlign() == Align::Start)
    fail(op) << "no align where the query has positions of its own (attn.at)";
  if (keys.positions && !query.positions)
    fail(op) << "positions for the query (attn.at), since the keys have positions of their own";
  if (query.wellFormed)
    checkQuery(op, query);
  if (!query.wellFormed || !keys.wellFormed)
    return;
  if (!canBeEqual(query.keyDim(), keys.keyDim()))
    fail(op) << "query and keys with the same head_dim, got " << query.keyDim() << " and " << keys.keyDim();
  bool haveHeads = !ShapedType::isDynamic(query.heads()) && !ShapedType::isDynamic(keys.heads());
  if (haveHeads && (keys.heads() == 0 || query.heads() % keys.heads() != 0))
    fail(op) << "the number of query heads to be a multiple of the number of key heads, got " << query.heads()
             << " and " << keys.heads();
  checkBatch(op, query);
}

void KernelRules::checkQuery(ScoresOp op, const SequenceFacts &query) {
  if (query.numTensors != 1)
    fail(op) << "a query of one tensor, got a sequence of keys and values";
  if (query.paged || query.concat || query.shared)
    fail(op) << "a query that is dense or ragged, got '" << query.maker->getName().getStringRef() << "'";
}

/// Each part of a concat by itself: one that is as long as the batch does not vouch for the others.
void KernelRules::checkBatch(ScoresOp op, const SequenceFacts &query) {
  auto concat = op.getKeys().getDefiningOp<ConcatOp>();
  SmallVector<Value> parts = concat ? SmallVector<Value>(concat.getParts()) : SmallVector<Value>{op.getKeys()};
  for (Value part : parts) {
    SequenceFacts keys = factsOf(part);
    if (canBeEqual(query.batch, keys.batch))
      continue;
    fail(op) << "query and keys with the same batch, got " << query.batch << " and " << keys.batch
             << ": see attn.share";
  }
}

//===-- softmax ------------------------------------------------------------===//

void KernelRules::checkSink(Operation *op, Value sink, int64_t heads) {
  RankedTensorType type = tensorType(sink);
  if (type.getRank() != 1 || type.getDimSize(0) != heads || !type.getElementType().isF32())
    fail(op) << "a sink of tensor<" << heads << "xf32>: one logit per head, got " << type;
}

void KernelRules::checkLse(Operation *op, Value lse, ArrayRef<int64_t> rows) {
  RankedTensorType type = tensorType(lse);
  bool staticHeads = !rows.empty() && type.getRank() == int64_t(rows.size()) && type.getShape().back() == rows.back();
  if (!type.getElementType().isF32() || !staticHeads || !canBeEqual(type.getShape(), rows))
    fail(op) << "an lse of type " << RankedTensorType::get(rows, Float32Type::get(op->getContext()))
             << ": one value per query row and head, got " << type;
}

void KernelRules::checkSoftmax(SoftmaxOp op) {
  ScoresOp scores = scoresOf(op.getScores());
  SequenceFacts query = scores ? factsOf(scores.getQuery()) : SequenceFacts();
  if (!scores || !query.wellFormed || ShapedType::isDynamic(query.heads()))
    return;
  if (op.getSink())
    checkSink(op, op.getSink(), query.heads());
  if (op.getLse())
    checkLse(op, op.getLse(), query.first.getShape().drop_back());
}

//===-- output -------------------------------------------------------------===//

/// Returns whether the values belong to the keys, so that the output's shape follows from them.
bool KernelRules::checkValues(OutputOp op, ScoresOp scores) {
  Value keys = scores.getKeys(), values = op.getValues();
  if (!isPlain(keys) || !isPlain(values)) {
    if (keys == values)
      return true;
    std::string got = isPlain(values) ? "the tensor " + nameOf(values) : std::string("another");
    InFlightDiagnostic diagnostic = fail(op) << "the sequence whose keys the scores were computed on, got " << got;
    diagnostic.attachNote(scores.getLoc()) << "the scores are computed here";
    return false;
  }
  if (keys == values)
    return true;
  if (!checkPlainTensor(op, values, "values", kKeyNames) || tensorType(keys).getRank() != 4)
    return false;
  if (!canBeEqual(tensorType(keys).getShape().drop_back(), tensorType(values).getShape().drop_back()))
    fail(op) << "values that differ from the keys in head_dim only, got " << keys.getType() << " and "
             << values.getType();
  return true;
}

void KernelRules::checkOutput(OutputOp op) {
  ScoresOp scores = scoresOf(op.getProbs());
  if (!scores)
    return;
  RankedTensorType output = tensorType(op.getOutput());
  if (!isa<FloatType>(output.getElementType()))
    fail(op) << "an output of a floating-point type, got " << output.getElementType();
  SequenceFacts query = factsOf(scores.getQuery()), values = factsOf(op.getValues());
  if (!checkValues(op, scores) || !query.wellFormed || !values.wellFormed)
    return;
  bool isLatent = values.numTensors == 1 && op.getValues() == scores.getKeys();
  int64_t size = isPlain(op.getValues()) ? values.keyDim() : values.valueDim();
  if (ShapedType::isDynamic(size))
    return;
  ArrayRef<int64_t> rows = query.first.getShape().drop_back();
  bool sameRows = output.getRank() > 0 && canBeEqual(output.getShape().drop_back(), rows);
  int64_t got = output.getRank() > 0 ? output.getShape().back() : ShapedType::kDynamic;
  bool fits = !ShapedType::isDynamic(got) && (got == size || (isLatent && got < size));
  if (sameRows && fits)
    return;
  SmallVector<int64_t> shape(rows);
  shape.push_back(size);
  fail(op) << (isLatent ? "an output of at most " : "an output of ")
           << RankedTensorType::get(shape, output.getElementType()) << ", got "
           << RankedTensorType::get(output.getShape(), output.getElementType());
}

//===-- merge --------------------------------------------------------------===//

void KernelRules::checkMerge(MergeOp op) {
  if (op.getOutputs().empty()) {
    fail(op) << "a partial output or more, got none";
    return;
  }
  if (op.getOutputs().size() != op.getLses().size()) {
    fail(op) << "one lse per partial output, got " << op.getOutputs().size() << " outputs and " << op.getLses().size()
             << " lse";
    return;
  }
  RankedTensorType result = tensorType(op.getOutput());
  Type f32 = Float32Type::get(op->getContext());
  if (result.getRank() != 3 && result.getRank() != 4) {
    fail(op) << "an output of rank 3 or 4, got " << result;
    return;
  }
  if (!isa<FloatType>(result.getElementType()))
    fail(op) << "an output of a floating-point type, got " << result.getElementType();
  for (auto [part, lse] : llvm::zip(op.getOutputs(), op.getLses())) {
    RankedTensorType type = tensorType(part), lseType = tensorType(lse);
    bool isStack = type.getRank() == result.getRank() + 1;
    if (!isa<FloatType>(type.getElementType()))
      fail(op) << "partial outputs of a floating-point type, got " << type.getElementType();
    if (!canBeEqual(type.getShape().drop_front(isStack ? 1 : 0), result.getShape()))
      fail(op) << "parts of the shape of the result, or stacks of them with one more dimension in front, got " << type
               << " for " << result;
    else if (!lseType.getElementType().isF32() || !canBeEqual(lseType.getShape(), type.getShape().drop_back()))
      fail(op) << "an lse of " << RankedTensorType::get(type.getShape().drop_back(), f32) << " for " << nameOf(part)
               << ", got " << lseType;
  }
  if (op.getSink())
    checkSink(op, op.getSink(), result.getDimSize(result.getRank() - 2));
  if (op.getLse())
    checkLse(op, op.getLse(), result.getShape().drop_back());
}

} // namespace attn
