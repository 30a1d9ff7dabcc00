// SPDX-License-Identifier: Apache-2.0
// Row statistics as memory and views of it.
#include "passes/RowStatistics.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace attn {

RowStatistics::RowStatistics(KernelWrapper &wrapper, const Attention &attention) : wrapper(wrapper) {
  ImplicitLocOpBuilder &builder = wrapper.builder;
  SequenceViews &views = wrapper.views;
  Value queries = ScoresOp(attention.scores).getQuery(), memory = wrapper.of(tensorOf(queries, false));
  isPacked = packingOf(queries) != nullptr;
  Value batches = isPacked ? views.index(1) : views.countOf(queries);
  Value tokens = views.sizeOf(memory, isPacked ? 0 : 1);
  int64_t heads = headsOf(attention.query);
  constexpr int64_t any = ShapedType::kDynamic, size = sizeof(float);
  auto type = MemRefType::get({any, any, heads}, builder.getF32Type());
  ValueRange sizes{batches, tokens};
  maxima = tile::WorkspaceOp::create(builder, type, views.index(0), sizes);
  Value rows = arith::MulIOp::create(builder, batches, tokens);
  Value behind = arith::MulIOp::create(builder, rows, views.index(heads * size));
  Value first = arith::AddIOp::create(builder, views.index(0), behind);
  largest = tile::WorkspaceOp::create(builder, type, first, sizes);
  bytes = arith::MulIOp::create(builder, rows, views.index(heads * size * 2));
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
