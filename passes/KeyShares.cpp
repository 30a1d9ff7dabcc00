// SPDX-License-Identifier: Apache-2.0
// Shares of keys as arithmetic on sizes and lengths, and the workspace that they are left in.
#include "passes/KeyShares.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;

namespace attn {

ShareRule shareRuleOf(KernelOp kernel) {
  auto numbers = kernel->getAttrOfType<DenseI64ArrayAttr>("attn.share");
  if (!numbers)
    return {1, 1, 1};
  return {std::max<int64_t>(1, kernel.getScheduleAttr().getNumSplits()), numbers[0], numbers[1]};
}

Value KeyShares::index(int64_t value) { return arith::ConstantIndexOp::create(builder, value); }

Value KeyShares::count(Value capacity) {
  if (!capacity)
    return index(rule.most);
  Value filled = arith::CeilDivUIOp::create(builder, capacity, index(rule.least));
  Value all = arith::MinSIOp::create(builder, filled, index(rule.most));
  return arith::MaxSIOp::create(builder, all, index(1));
}

Value KeyShares::chunk(Value length) {
  Value even = arith::CeilDivUIOp::create(builder, length, index(rule.most));
  Value keys = arith::MaxSIOp::create(builder, even, index(rule.least));
  Value granules = arith::CeilDivUIOp::create(builder, keys, index(rule.granule));
  return arith::MulIOp::create(builder, granules, index(rule.granule));
}

std::pair<Value, Value> KeyShares::range(Value share, Value length) {
  Value keys = chunk(length);
  Value from = arith::MulIOp::create(builder, share, keys);
  Value to = arith::AddIOp::create(builder, from, keys);
  return {from, arith::MinSIOp::create(builder, to, length)};
}

Value KeyShares::used(Value length) { return arith::CeilDivUIOp::create(builder, length, chunk(length)); }

PartialResults::PartialResults(ImplicitLocOpBuilder &builder, SequenceViews &views, const Shape &shape)
    : builder(builder), views(views), batches(shape.batches) {
  Value places = shape.shares;
  if (batches)
    places = arith::MulIOp::create(builder, places, batches);
  Value rows = arith::MulIOp::create(builder, places, shape.tokens);
  Type f32 = builder.getF32Type();
  constexpr int64_t any = ShapedType::kDynamic;
  // One behind the other; `size` elements to each row.
  Value offset = views.index(0);
  auto workspace = [&](ArrayRef<int64_t> sizes, int64_t size) -> Value {
    auto type = MemRefType::get(sizes, f32);
    Value memory = tile::WorkspaceOp::create(builder, type, offset, ValueRange{places, shape.tokens});
    Value bytes = arith::MulIOp::create(builder, rows, views.index(size * 4));
    offset = arith::AddIOp::create(builder, offset, bytes);
    return memory;
  };
  outputs = workspace({any, any, shape.heads, shape.headDim}, shape.heads * shape.headDim);
  maxima = workspace({any, any, shape.heads}, shape.heads);
  sums = workspace({any, any, shape.heads}, shape.heads);
}

PartialResults::Views PartialResults::of(Value share, const SequencePart &query, Value head, int64_t packed) {
  SequencePart part;
  part.batch = share;
  part.length = query.length;
  if (batches) {
    Value first = arith::MulIOp::create(builder, share, batches);
    part.batch = arith::AddIOp::create(builder, first, query.batch);
  } else {
    part.length = arith::AddIOp::create(builder, query.first, query.length);
  }
  auto rows = [&](Value memory) { return views.viewOfResult(memory, part, head, packed); };
  return {rows(outputs), rows(maxima), rows(sums)};
}

Value PartialResults::rowOf(const SequencePart &query, Value row, int64_t packed) {
  if (batches)
    return row;
  Value before = arith::MulIOp::create(builder, query.first, views.index(packed));
  return arith::AddIOp::create(builder, before, row);
}

//===-- of a kernel's attention ------------------------------------------------===//

Value countOfShares(KernelWrapper &wrapper, const Attention &attention) {
  ShareRule rule = shareRuleOf(wrapper.kernel);
  ScoresOp scores = attention.scores;
  Value capacity = wrapper.views.capacityOf(scores.getKeys(), rule.granule);
  return KeyShares(wrapper.builder, rule).count(capacity);
}

PartialResults partialResultsOf(KernelWrapper &wrapper, const Attention &attention) {
  ScoresOp scores = attention.scores;
  SequenceViews &views = wrapper.views;
  Value queries = scores.getQuery(), memory = wrapper.of(tensorOf(queries, false));
  bool packed = packingOf(queries) != nullptr;
  PartialResults::Shape shape;
  shape.shares = countOfShares(wrapper, attention);
  shape.batches = packed ? Value() : views.countOf(queries);
  shape.tokens = views.sizeOf(memory, packed ? 0 : 1);
  shape.heads = headsOf(attention.query);
  shape.headDim = attention.result.getShape().back();
  return PartialResults(wrapper.builder, views, shape);
}

} // namespace attn
