// SPDX-License-Identifier: Apache-2.0
// Bisection in lists, and the columns of a tile whose numbers a list holds.
#include "passes/ListRow.h"

#include "passes/FunctionEmitter.h"

using namespace mlir;

namespace attn::tile {

static Value clamp(ImplicitLocOpBuilder &builder, Value value, Value low, Value high) {
  return arith::MinSIOp::create(builder, arith::MaxSIOp::create(builder, value, low), high);
}

Value bitsBetween(ImplicitLocOpBuilder &builder, Value from, Value to) {
  auto number = [&](int64_t value) { return arith::ConstantIntOp::create(builder, builder.getI64Type(), value); };
  auto below = [&](Value bit) -> Value {
    Value power = arith::ShLIOp::create(builder, number(1), clamp(builder, bit, number(0), number(32)));
    return arith::SubIOp::create(builder, power, number(1));
  };
  Value set = arith::AndIOp::create(builder, below(to), arith::XOrIOp::create(builder, below(from), number(-1)));
  return arith::TruncIOp::create(builder, builder.getI32Type(), set);
}

ListRow::ListRow(TileLowering &lowering, Value list, unsigned entries, Value address, Value first, Value end,
                 llvm::function_ref<Value(Create)> atOnce)
    : lowering(lowering), builder(lowering.builder), address(address) {
  auto type = cast<MemRefType>(list.getType());
  element = type.getElementType();
  auto strideOf = [&](unsigned dimension) {
    return atOnce([&]() -> Value {
      Value bytes = lowering.i64(element.getIntOrFloatBitWidth() / 8);
      return arith::MulIOp::create(builder, lowering.strideParameter(list, dimension), bytes);
    });
  };
  stride = strideOf(entries);
  if (entries + 1 < type.getRank())
    rangeStride = strideOf(entries + 1);
  Value size = arith::ExtSIOp::create(builder, builder.getI64Type(), lowering.sizeParameter(list, entries));
  first = clamp(builder, first, lowering.i64(0), size);
  end = clamp(builder, end, first, size);
  from = arith::TruncIOp::create(builder, builder.getI32Type(), first);
  to = arith::TruncIOp::create(builder, builder.getI32Type(), end);
}

Value ListRow::read(Value place, Value offset) {
  Value wide = arith::ExtSIOp::create(builder, builder.getI64Type(), place);
  Value at = lowering.byteOffset(address, arith::MulIOp::create(builder, wide, stride));
  if (offset)
    at = lowering.byteOffset(at, offset);
  Value entry = LLVM::LoadOp::create(builder, element, at, element.getIntOrFloatBitWidth() / 8);
  if (entry.getType() == builder.getI64Type())
    // Positions are far smaller; products with them must not overflow.
    return clamp(builder, entry, lowering.i64(INT32_MIN), lowering.i64(INT32_MAX));
  return arith::ExtSIOp::create(builder, builder.getI64Type(), entry);
}

Value ListRow::end(Value place) {
  if (rangeStride)
    return read(place, rangeStride);
  return arith::AddIOp::create(builder, begin(place), lowering.i64(1));
}

Registers ListRow::loop(Value from, Value to, Registers state,
                        llvm::function_ref<void(Value place, Registers &state)> step) {
  auto loop = scf::ForOp::create(builder, from, to, lowering.i32(1), state);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(loop.getBody());
  Registers inside(loop.getRegionIterArgs());
  step(loop.getInductionVar(), inside);
  scf::YieldOp::create(builder, inside);
  return Registers(loop.getResults());
}

/// The first place whose entry begins above a number, by bisection.
Value ListRow::firstAbove(Value number) {
  Type type = builder.getI32Type();
  auto search = scf::WhileOp::create(builder, TypeRange{type, type}, ValueRange{from, to});
  OpBuilder::InsertionGuard guard(builder);
  SmallVector<Type> types(2, type);
  SmallVector<Location> places(2, builder.getLoc());
  Block *before = builder.createBlock(&search.getBefore(), {}, types, places);
  Value more =
      arith::CmpIOp::create(builder, arith::CmpIPredicate::slt, before->getArgument(0), before->getArgument(1));
  scf::ConditionOp::create(builder, more, before->getArguments());
  Block *after = builder.createBlock(&search.getAfter(), {}, types, places);
  Value low = after->getArgument(0), high = after->getArgument(1);
  Value middle = arith::ShRUIOp::create(builder, arith::AddIOp::create(builder, low, high), lowering.i32(1));
  Value above = arith::CmpIOp::create(builder, arith::CmpIPredicate::sgt, begin(middle), number);
  Value next = arith::AddIOp::create(builder, middle, lowering.i32(1));
  Value newLow = arith::SelectOp::create(builder, above, low, next);
  Value newHigh = arith::SelectOp::create(builder, above, middle, high);
  scf::YieldOp::create(builder, ValueRange{newLow, newHigh});
  return search.getResult(0);
}

Value ListRow::firstFrom(Value number) { return firstAbove(arith::SubIOp::create(builder, number, lowering.i64(1))); }

/// Ranges may overlap: a later one may end before an earlier one does, so all that begin before are asked.
Value ListRow::holds(Value number) {
  Value last = firstAbove(number), first = from;
  if (!rangeStride) {
    Value before = arith::SubIOp::create(builder, last, lowering.i32(1));
    first = arith::MaxSIOp::create(builder, before, from);
  }
  Value none = arith::ConstantOp::create(builder, builder.getBoolAttr(false));
  return loop(first, last, {none}, [&](Value place, Registers &state) {
    Value inside = arith::CmpIOp::create(builder, arith::CmpIPredicate::sgt, end(place), number);
    state[0] = arith::OrIOp::create(builder, state[0], inside);
  })[0];
}

/// The columns, counted from the first, whose number lies in an entry [f, t): from n f - first, or, where numbers
/// descend, from first - n t + 1.
ListRow::Interval ListRow::columnsOf(Value place, Value first, bool descending, int64_t divisor) {
  auto scaled = [&](Value entry) -> Value {
    return divisor == 1 ? entry : arith::MulIOp::create(builder, entry, lowering.i64(divisor)).getResult();
  };
  Value from = scaled(begin(place)), to = scaled(end(place));
  if (!descending)
    return {arith::SubIOp::create(builder, from, first), arith::SubIOp::create(builder, to, first)};
  Value behind = arith::AddIOp::create(builder, first, lowering.i64(1));
  return {arith::SubIOp::create(builder, behind, to), arith::SubIOp::create(builder, behind, from)};
}

Registers ListRow::bits(Value first, bool descending, int64_t divisor, int64_t columns) {
  Value span = lowering.i64(columns - 1);
  auto numberAt = [&](Value x) -> Value {
    if (divisor == 1)
      return x;
    return floorDivide(builder, x, lowering.i64(divisor));
  };
  Value least = numberAt(descending ? arith::SubIOp::create(builder, first, span).getResult() : first);
  Value greatest = numberAt(descending ? first : arith::AddIOp::create(builder, first, span).getResult());
  Value lastPlace = firstAbove(greatest), firstPlace = from;
  if (!rangeStride)
    firstPlace = firstAbove(arith::SubIOp::create(builder, least, lowering.i64(1)));
  Registers words(llvm::divideCeil(columns, 32), lowering.i32(0));
  return loop(firstPlace, lastPlace, words, [&](Value place, Registers &state) {
    auto [begin, end] = columnsOf(place, first, descending, divisor);
    for (auto [i, word] : llvm::enumerate(state)) {
      Value offset = lowering.i64(i * 32);
      Value set = bitsBetween(builder, arith::SubIOp::create(builder, begin, offset),
                              arith::SubIOp::create(builder, end, offset));
      word = arith::OrIOp::create(builder, word, set);
    }
  });
}

} // namespace attn::tile
