// SPDX-License-Identifier: Apache-2.0
// Row statistics as memory and views of it.
#include "passes/RowStatistics.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace attn {

static constexpr int64_t kBytes = sizeof(float);

/// How many sequences and tokens there are rows for.
static std::pair<Value, Value> sizesOf(KernelWrapper &wrapper, const Attention &attention) {
  Value queries = ScoresOp(attention.scores).getQuery(), memory = wrapper.of(tensorOf(queries, false));
  if (packingOf(queries))
    return {wrapper.views.index(1), wrapper.views.sizeOf(memory, 0)};
  return {wrapper.views.countOf(queries), wrapper.views.sizeOf(memory, 1)};
}

Value RowStatistics::bytesOf(KernelWrapper &wrapper, const Attention &attention) {
  auto [batches, tokens] = sizesOf(wrapper, attention);
  Value rows = arith::MulIOp::create(wrapper.builder, batches, tokens);
  Value ofRow = wrapper.views.index(headsOf(attention.query) * kBytes * 2);
  return arith::MulIOp::create(wrapper.builder, rows, ofRow);
}

RowStatistics::RowStatistics(KernelWrapper &wrapper, const Attention &attention)
    : wrapper(wrapper), isPacked(packingOf(ScoresOp(attention.scores).getQuery()) != nullptr) {
  ImplicitLocOpBuilder &builder = wrapper.builder;
  auto [batches, tokens] = sizesOf(wrapper, attention);
  int64_t heads = headsOf(attention.query);
  constexpr int64_t any = ShapedType::kDynamic;
  auto type = MemRefType::get({any, any, heads}, builder.getF32Type());
  SmallVector<Value> sizes{batches, tokens};
  Value begin = wrapper.views.index(0);
  maxima = tile::WorkspaceOp::create(builder, type, begin, sizes);
  Value rows = arith::MulIOp::create(builder, batches, tokens);
  Value bytes = arith::MulIOp::create(builder, rows, wrapper.views.index(heads * kBytes));
  largest = tile::WorkspaceOp::create(builder, type, arith::AddIOp::create(builder, begin, bytes), sizes);
}

RowStatistics::Views RowStatistics::of(const SequencePart &query, Value head, int64_t packed) {
  SequenceViews &views = wrapper.views;
  SequencePart rows;
  rows.batch = isPacked ? views.index(0) : query.batch;
  rows.length = query.length;
  if (isPacked)
    rows.length = arith::AddIOp::create(wrapper.builder, query.first, query.length);
  return {views.viewOfResult(maxima, rows, head, packed), views.viewOfResult(largest, rows, head, packed)};
}

Value RowStatistics::rowOf(const SequencePart &query, Value row, int64_t packed) {
  if (!isPacked)
    return row;
  Value before = arith::MulIOp::create(wrapper.builder, query.first, wrapper.views.index(packed));
  return arith::AddIOp::create(wrapper.builder, before, row);
}

} // namespace attn
