// SPDX-License-Identifier: Apache-2.0
// Interval arithmetic over the body of a score or mask function.
#include "passes/IndexRange.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/TypeSwitch.h"
#include <limits>

using namespace mlir;

namespace attn::tile {
namespace {

struct Range {
  __int128 low, high;
};

Range fullRange(Type type) {
  unsigned bits = isa<IndexType>(type) ? 64 : type.getIntOrFloatBitWidth();
  if (bits == 1)
    return {0, 1};
  __int128 top = static_cast<__int128>(1) << (bits - 1);
  return {-top, top - 1};
}

class RangeAnalysis {
public:
  Range of(Value value) {
    auto found = ranges.find(value);
    return found != ranges.end() ? found->second : fullRange(value.getType());
  }
  void set(Value value, Range range) {
    // What leaves the type's own range has wrapped: anything is possible.
    Range full = fullRange(value.getType());
    ranges[value] = range.low < full.low || range.high > full.high ? full : range;
  }

  void visit(Operation &op) {
    IntegerAttr constant;
    Value result = op.getResult(0);
    if (matchPattern(result, m_Constant(&constant)))
      return set(result, {constant.getInt(), constant.getInt()});
    auto a = [&] { return of(op.getOperand(0)); };
    auto b = [&] { return of(op.getOperand(1)); };
    llvm::TypeSwitch<Operation *>(&op)
        .Case<arith::AddIOp>([&](auto) {
          set(result, {a().low + b().low, a().high + b().high});
        })
        .Case<arith::SubIOp>([&](auto) {
          set(result, {a().low - b().high, a().high - b().low});
        })
        .Case<arith::MulIOp>([&](auto) { set(result, product(a(), b())); })
        .Case<arith::MinSIOp>([&](auto) {
          set(result, {std::min(a().low, b().low), std::min(a().high, b().high)});
        })
        .Case<arith::MaxSIOp>([&](auto) {
          set(result, {std::max(a().low, b().low), std::max(a().high, b().high)});
        })
        .Case<arith::SelectOp>([&](auto) {
          Range x = b(), y = of(op.getOperand(2));
          set(result, {std::min(x.low, y.low), std::max(x.high, y.high)});
        })
        .Case<arith::IndexCastOp>([&](auto) { set(result, a()); })
        .Case<arith::DivSIOp, arith::FloorDivSIOp, arith::CeilDivSIOp>([&](auto) { set(result, magnitude(a())); })
        .Case<arith::RemSIOp>([&](auto) { set(result, magnitude(b())); })
        .Case<math::CtPopOp>([&](auto) {
          set(result, {0, 64});
        })
        .Case<arith::AndIOp>([&](auto) {
          if (a().low >= 0 && b().low >= 0)
            set(result, {0, std::min(a().high, b().high)});
        })
        .Case<arith::XOrIOp, arith::OrIOp>([&](auto) {
          if (a().low >= 0 && b().low >= 0)
            set(result, {0, nextPower(std::max(a().high, b().high))});
        })
        .Case<arith::ShRSIOp, arith::ShRUIOp>([&](auto) {
          if (a().low >= 0)
            set(result, {0, a().high});
        });
  }

private:
  static Range product(Range x, Range y) {
    __int128 corners[] = {x.low * y.low, x.low * y.high, x.high * y.low, x.high * y.high};
    return {*std::min_element(corners, corners + 4), *std::max_element(corners, corners + 4)};
  }
  static Range magnitude(Range x) {
    __int128 most = std::max(x.high, -x.low);
    return {-most, most};
  }
  static __int128 nextPower(__int128 x) {
    __int128 p = 1;
    while (p <= x)
      p *= 2;
    return p - 1;
  }
  llvm::DenseMap<Value, Range> ranges;
};

} // namespace

bool indexFitsInt32(func::FuncOp function, unsigned coordinates, unsigned coordinateCount) {
  RangeAnalysis analysis;
  // Sizes are below 2^30, so a difference of two positions still has 32 bits.
  __int128 size = (1 << 30) - 1;
  for (unsigned i = coordinates; i < coordinates + coordinateCount; ++i)
    analysis.set(function.getArgument(i), {-size, size});
  // Parameters that are indices come from the launch and may be anything; they only matter where they are used.
  __int128 least = std::numeric_limits<int32_t>::min(), most = std::numeric_limits<int32_t>::max();
  bool fits = true;
  for (Operation &op : function.getBody().front().without_terminator()) {
    if (op.getNumResults() != 1 || !op.getResult(0).getType().isIntOrIndex())
      continue;
    analysis.visit(op);
    auto check = [&](Value value) {
      Range range = analysis.of(value);
      if (isa<IndexType>(value.getType()) && (range.low < least || range.high > most))
        fits = false;
    };
    check(op.getResult(0));
    for (Value operand : op.getOperands())
      if (operand.getType().isIntOrIndex())
        check(operand);
  }
  return fits;
}

} // namespace attn::tile
