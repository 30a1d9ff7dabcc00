// SPDX-License-Identifier: Apache-2.0
// The rules of sums of weights, and of lists that are selected by them.
#include "dialect/AttnRules.h"

using namespace mlir;

namespace attn {

static RankedTensorType tensorType(Value value) { return cast<RankedTensorType>(value.getType()); }

/// The number of key entries that a tensor has room for; dynamic where no tensor says it.
static int64_t roomForKeys(Value keys) {
  if (auto dense = keys.getDefiningOp<DenseOp>(); dense && !dense.getTensors().empty())
    keys = dense.getTensors().front();
  auto type = dyn_cast<RankedTensorType>(keys.getType());
  return type && type.getRank() == 4 ? type.getDimSize(1) : ShapedType::kDynamic;
}

void KernelRules::checkSums(SumsOp op) {
  if (!op.getBy() && !op.getParams().empty())
    fail(op) << "a function (by @f) that the parameters are for";
  ScoresOp scores = scoresOf(op.getProbs());
  SequenceFacts query = scores ? factsOf(scores.getQuery()) : SequenceFacts();
  if (!scores || !query.wellFormed || ShapedType::isDynamic(query.heads()))
    return;
  int64_t last = op.getPer() == Per::Key ? roomForKeys(scores.getKeys()) : ShapedType::kDynamic;
  int64_t shape[] = {query.batch, query.heads(), last};
  RankedTensorType type = tensorType(op.getSums());
  bool staticHeads = type.getRank() == 3 && type.getDimSize(1) == query.heads();
  if (!type.getElementType().isF32() || !staticHeads || !canBeEqual(type.getShape(), shape))
    fail(op) << "sums of " << RankedTensorType::get(shape, Float32Type::get(op->getContext()))
             << ": one value per sequence, head and " << (op.getPer() == Per::Key ? "key" : "distance") << ", got "
             << type;
}

void KernelRules::checkSelect(SelectOp op) {
  if (!op.getTop() == !op.getCover())
    fail(op) << "either top or cover, got " << (op.getTop() ? "both" : "neither");
  RankedTensorType sums = tensorType(op.getSums()), list = tensorType(op.getList()), count = tensorType(op.getCount());
  if (sums.getRank() != 3 || !sums.getElementType().isF32()) {
    fail(op) << "sums of rank 3 (batch, heads, entries) and f32, got " << sums;
    return;
  }
  ArrayRef<int64_t> rows = sums.getShape().drop_back();
  if (list.getRank() != 3 || !isTableInteger(list.getElementType()) || !canBeEqual(list.getShape().drop_back(), rows))
    fail(op) << "a list of integers of rank 3, with a row for each of " << sums << ", got " << list;
  if (!isTableInteger(count.getElementType()) || !canBeEqual(count.getShape(), rows))
    fail(op) << "one count per row, of " << RankedTensorType::get(rows, list.getElementType()) << ", got " << count;
  if (!op.getBelow())
    return;
  RankedTensorType below = tensorType(op.getBelow());
  if (!isTableInteger(below.getElementType()) || !canBeEqual(below.getShape(), rows.drop_back()))
    fail(op) << "integers of rank 1 below, one per sequence, got " << below;
}

} // namespace attn
