// SPDX-License-Identifier: Apache-2.0
// Emits linear expressions, each partial result once.
#include "passes/LinearEmitter.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;

namespace attn {

template <typename Op> Value LinearEmitter::binary(Value a, Value b) {
  unify(a, b);
  auto key = std::make_tuple(Op::getOperationName(), a.getAsOpaquePointer(), b.getAsOpaquePointer());
  Value &value = known[key];
  if (!value)
    value = builder.createOrFold<Op>(location, a, b);
  return value;
}

Value LinearEmitter::wide(Value value) {
  Type type = builder.getI64Type();
  if (value.getType() == type)
    return value;
  APInt number;
  if (matchPattern(value, m_ConstantInt(&number)))
    return constant(number.getSExtValue(), /*wide=*/true);
  Value &cast = known[std::make_tuple(StringRef("wide"), value.getAsOpaquePointer(), nullptr)];
  if (!cast)
    cast = arith::IndexCastOp::create(builder, location, type, value);
  return cast;
}

void LinearEmitter::unify(Value &a, Value &b) {
  if (a.getType() != b.getType()) {
    a = wide(a);
    b = wide(b);
  }
}

Value LinearEmitter::constant(int64_t number, bool wide) {
  wide |= number < INT32_MIN || number > INT32_MAX;
  auto kind = StringRef(wide ? "i64" : "index");
  Value &value = known[std::make_tuple(kind, reinterpret_cast<void *>(number), nullptr)];
  if (!value && wide)
    value = arith::ConstantIntOp::create(builder, location, builder.getI64Type(), number);
  else if (!value)
    value = arith::ConstantIndexOp::create(builder, location, number);
  return value;
}

LinearEmitter::Range LinearEmitter::rangeOf(unsigned variable) const {
  auto found = ranges.find(variable);
  return found == ranges.end() ? Range(-kFarAway, kFarAway) : found->second;
}

/// The position first, whole; then what is added, then what is taken away.
SmallVector<LinearEmitter::Step> LinearEmitter::order(const Linear &linear) const {
  SmallVector<Step> steps;
  for (auto [variable, coefficient] : linear.terms)
    steps.push_back({variable, coefficient});
  llvm::stable_sort(steps, [&](const Step &a, const Step &b) {
    auto rank = [&](const Step &step) {
      bool partOfPosition = llvm::any_of(
          positions, [&](auto pair) { return step.variable == pair.first || step.variable == pair.second; });
      return (step.coefficient > 0 ? 0 : 2) + (partOfPosition ? 0 : 1);
    };
    return rank(a) < rank(b);
  });
  return steps;
}

/// Whether every partial sum of the steps, in their order, is a 32-bit integer.
bool LinearEmitter::fitsInt32(ArrayRef<Step> steps, int64_t constant) const {
  double lowest = 0, highest = 0;
  auto fits = [&] { return lowest >= INT32_MIN && highest <= INT32_MAX; };
  for (size_t i = 0; i < steps.size(); ++i) {
    auto [low, high] = rangeOf(steps[i].variable);
    bool whole = i + 1 < steps.size() && steps[i].coefficient == steps[i + 1].coefficient &&
                 llvm::is_contained(
                     positions, std::pair<unsigned, unsigned>(std::minmax(steps[i].variable, steps[i + 1].variable)));
    if (whole) {
      low = -kFarAway + 1, high = kFarAway - 1;
      ++i;
    }
    double a = static_cast<double>(low) * steps[i].coefficient, b = static_cast<double>(high) * steps[i].coefficient;
    lowest += std::min(a, b);
    highest += std::max(a, b);
    if (!fits())
      return false;
  }
  lowest += constant;
  highest += constant;
  return fits();
}

Value LinearEmitter::emit(const Linear &linear) {
  SmallVector<Step> steps = order(linear);
  bool narrow = fitsInt32(steps, linear.constant);
  auto operand = [&](Value value) { return narrow ? value : wide(value); };
  Value sum;
  for (const Step &step : steps) {
    Value value = operand(system.valueOf(step.variable));
    int64_t magnitude = std::abs(step.coefficient);
    if (magnitude != 1)
      value = binary<arith::MulIOp>(value, magnitude);
    if (step.coefficient > 0)
      sum = sum ? binary<arith::AddIOp>(sum, value) : value;
    else
      sum = binary<arith::SubIOp>(sum ? sum : constant(0, !narrow), value);
  }
  return sum ? add(sum, linear.constant) : constant(linear.constant);
}

Value LinearEmitter::add(Value value, int64_t number) { return number ? binary<arith::AddIOp>(value, number) : value; }
Value LinearEmitter::floorDivide(Value value, int64_t divisor) { return binary<arith::FloorDivSIOp>(value, divisor); }
Value LinearEmitter::ceilDivide(Value value, int64_t divisor) { return binary<arith::CeilDivSIOp>(value, divisor); }
Value LinearEmitter::least(Value a, Value b) { return binary<arith::MinSIOp>(a, b); }
Value LinearEmitter::greatest(Value a, Value b) { return binary<arith::MaxSIOp>(a, b); }

Value LinearEmitter::clamp(Value value, int64_t lowest, int64_t highest) {
  return binary<arith::MinSIOp>(binary<arith::MaxSIOp>(value, lowest), highest);
}

Value LinearEmitter::less(Value a, Value b) {
  unify(a, b);
  return builder.createOrFold<arith::CmpIOp>(location, arith::CmpIPredicate::slt, a, b);
}

Value LinearEmitter::notNegative(Value value) { return less(constant(-1, !value.getType().isIndex()), value); }

Value LinearEmitter::select(Value condition, Value a, Value b) {
  unify(a, b);
  return builder.createOrFold<arith::SelectOp>(location, condition, a, b);
}

Value LinearEmitter::both(Value a, Value b) {
  if (!a || !b)
    return a ? a : b;
  return builder.createOrFold<arith::AndIOp>(location, a, b);
}

Value LinearEmitter::index(Value value) {
  if (value.getType().isIndex())
    return value;
  Value &cast = known[std::make_tuple(StringRef("narrow"), value.getAsOpaquePointer(), nullptr)];
  if (!cast)
    cast = arith::IndexCastOp::create(builder, location, builder.getIndexType(), clamp(value, -kFarAway, kFarAway));
  return cast;
}

Columns LinearEmitter::emit(const Interval &interval) {
  Columns columns;
  for (const Interval::Bound &bound : interval.lower) {
    Value value = emit(bound.linear);
    if (bound.divisor != 1)
      value = ceilDivide(value, bound.divisor);
    columns.first = columns.first ? greatest(columns.first, value) : value;
  }
  for (const Interval::Bound &bound : interval.upper) {
    Value value =
        bound.divisor == 1 ? emit(bound.linear.plus(1)) : add(floorDivide(emit(bound.linear), bound.divisor), 1);
    columns.end = columns.end ? least(columns.end, value) : value;
  }
  for (const Linear &condition : interval.conditions)
    columns.condition = both(columns.condition, notNegative(emit(condition)));
  return columns;
}

} // namespace attn
