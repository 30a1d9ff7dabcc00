// SPDX-License-Identifier: Apache-2.0
// Lines of values in memory: the first that exceeds a number, the least and the greatest. Each thread looks by itself.
#include "passes/TileLowering.h"

#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;

namespace attn::tile {

namespace {

/// Elements that follow one another along a dimension; indices are of type i32.
class Line {
public:
  template <typename Op>
  Line(ImplicitLocOpBuilder &builder, Op op, Value address, Value stride)
      : builder(builder), address(address), stride(stride),
        element(cast<MemRefType>(op.getValues().getType()).getElementType()) {}

  /// The element at an index, as i32.
  Value read(Value index) {
    Value wide = arith::ExtSIOp::create(builder, builder.getI64Type(), index);
    Value offset = arith::MulIOp::create(builder, wide, stride);
    Value place = LLVM::GEPOp::create(builder, address.getType(), builder.getI8Type(), address, offset);
    Value number = LLVM::LoadOp::create(builder, element, place, element.getIntOrFloatBitWidth() / 8);
    return element.isInteger(32) ? number : arith::ExtSIOp::create(builder, builder.getI32Type(), number).getResult();
  }

private:
  ImplicitLocOpBuilder &builder;
  Value address, stride; ///< in bytes
  Type element;
};

} // namespace

/// The address of index 0 of the line, and the distance of its elements in bytes.
std::pair<Value, Value> TileLowering::lineOf(Value values, ValueRange at, int64_t along) {
  Value address = pointerParameter(values);
  Value bytes = i64(cast<MemRefType>(values.getType()).getElementTypeBitWidth() / 8);
  auto strideOf = [&](int64_t dimension) -> Value {
    return arith::MulIOp::create(builder, strideParameter(values, dimension), bytes);
  };
  for (auto [dimension, index] : llvm::enumerate(at)) {
    if (int64_t(dimension) == along)
      continue;
    Value wide = arith::ExtSIOp::create(builder, builder.getI64Type(), scalar(index));
    address = byteOffset(address, arith::MulIOp::create(builder, wide, strideOf(dimension)));
  }
  return {address, strideOf(along)};
}

/// By bisection in `ways` at once: the places that are looked at do not wait for one another.
LogicalResult TileLowering::lowerFirstAbove(FirstAboveOp op) {
  constexpr int64_t ways = 8;
  auto [address, stride] = lineOf(op.getValues(), op.getAt(), op.getAlong());
  Line line(builder, op, address, stride);
  Type type = builder.getI32Type();
  Value number = scalar(op.getNumber()), from = scalar(op.getAt()[op.getAlong()]), to = scalar(op.getTo());
  // The place is low or behind it, and not behind high.
  auto search = scf::WhileOp::create(builder, TypeRange{type, type},
                                     ValueRange{from, arith::MaxSIOp::create(builder, from, to).getResult()});
  OpBuilder::InsertionGuard guard(builder);
  SmallVector<Type> types(2, type);
  SmallVector<Location> places(2, builder.getLoc());
  Block *before = builder.createBlock(&search.getBefore(), {}, types, places);
  Value more =
      arith::CmpIOp::create(builder, arith::CmpIPredicate::slt, before->getArgument(0), before->getArgument(1));
  scf::ConditionOp::create(builder, more, before->getArguments());
  Block *after = builder.createBlock(&search.getAfter(), {}, types, places);
  Value low = after->getArgument(0), high = after->getArgument(1);
  Value width = arith::SubIOp::create(builder, high, low);
  Value step = arith::AddIOp::create(builder, arith::ShRUIOp::create(builder, width, i32(3)), i32(1));
  Value last = arith::SubIOp::create(builder, high, i32(1));
  Value newLow = low, newHigh = high;
  for (int64_t way = 0; way < ways; ++way) {
    // Places low + step - 1, low + 2 step - 1, ..., as far as they lie below high.
    Value behind = arith::AddIOp::create(builder, low, arith::MulIOp::create(builder, step, i32(way + 1)));
    Value place = arith::MinSIOp::create(builder, arith::SubIOp::create(builder, behind, i32(1)), last);
    Value above = arith::CmpIOp::create(builder, arith::CmpIPredicate::sgt, line.read(place), number);
    Value next = arith::AddIOp::create(builder, place, i32(1));
    newLow = arith::SelectOp::create(builder, above, newLow, arith::MaxSIOp::create(builder, newLow, next));
    newHigh = arith::SelectOp::create(builder, above, arith::MinSIOp::create(builder, newHigh, place), newHigh);
  }
  scf::YieldOp::create(builder, ValueRange{newLow, newHigh});
  scalars[op.getPlace()] = search.getResult(0);
  return success();
}

LogicalResult TileLowering::lowerExtremes(ExtremesOp op) {
  constexpr int64_t together = 8;
  auto [address, stride] = lineOf(op.getValues(), op.getAt(), op.getAlong());
  Line line(builder, op, address, stride);
  Value from = scalar(op.getAt()[op.getAlong()]), to = scalar(op.getTo());
  Value last = arith::SubIOp::create(builder, to, i32(1));
  auto loop = scf::ForOp::create(builder, from, to, i32(together), ValueRange{i32(INT32_MAX), i32(INT32_MIN)});
  {
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(loop.getBody());
    Value least = loop.getRegionIterArg(0), greatest = loop.getRegionIterArg(1);
    for (int64_t i = 0; i < together; ++i) {
      Value index = arith::AddIOp::create(builder, loop.getInductionVar(), i32(i));
      Value number = line.read(arith::MinSIOp::create(builder, index, last));
      least = arith::MinSIOp::create(builder, least, number);
      greatest = arith::MaxSIOp::create(builder, greatest, number);
    }
    scf::YieldOp::create(builder, ValueRange{least, greatest});
  }
  Value any = arith::CmpIOp::create(builder, arith::CmpIPredicate::slt, from, to);
  scalars[op.getLeast()] = arith::SelectOp::create(builder, any, loop.getResult(0), i32(0));
  scalars[op.getGreatest()] = arith::SelectOp::create(builder, any, loop.getResult(1), i32(0));
  return success();
}

} // namespace attn::tile
