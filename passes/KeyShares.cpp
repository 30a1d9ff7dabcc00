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
  Value places = arith::MulIOp::create(builder, shape.shares, shape.batches);
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

PartialResults::Views PartialResults::of(Value share, Value batch, Value head, Value length, int64_t packed) {
  Value first = arith::MulIOp::create(builder, share, batches);
  Value place = arith::AddIOp::create(builder, first, batch);
  SequencePart part;
  part.batch = place;
  part.length = length;
  auto rows = [&](Value memory) { return views.viewOfResult(memory, part, head, packed); };
  return {rows(outputs), rows(maxima), rows(sums)};
}

//===-- of a kernel's attention ------------------------------------------------===//

/// The most keys that a sequence can have, as shapes say.
static Value capacityOf(KernelWrapper &wrapper, Value keys) {
  Value memory = wrapper.of(tensorOf(keys, false)), entries = wrapper.views.sizeOf(memory, 1);
  auto pages = keys.getDefiningOp<PagesOp>();
  if (!pages)
    return entries;
  Value held = wrapper.views.sizeOf(wrapper.of(pages.getTable()), 1);
  return arith::MulIOp::create(wrapper.builder, held, entries);
}

Value countOfShares(KernelWrapper &wrapper, const Attention &attention) {
  ScoresOp scores = attention.scores;
  Value capacity = capacityOf(wrapper, scores.getKeys());
  return KeyShares(wrapper.builder, shareRuleOf(wrapper.kernel)).count(capacity);
}

PartialResults partialResultsOf(KernelWrapper &wrapper, const Attention &attention) {
  ScoresOp scores = attention.scores;
  SequenceViews &views = wrapper.views;
  Value queries = scores.getQuery(), memory = wrapper.of(tensorOf(queries, false));
  return PartialResults(wrapper.builder, views,
                        {countOfShares(wrapper, attention), views.countOf(queries), views.sizeOf(memory, 1),
                         headsOf(attention.query), attention.result.getShape().back()});
}

} // namespace attn
