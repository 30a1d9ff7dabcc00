// SPDX-License-Identifier: Apache-2.0
// Tiles that have some residues: what a tile leaves of a number is an interval, and whether one of it has them is a
// closed form.
#include "passes/CollectTiles.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace attn {

/// Whether a number of the interval has one of the residues: the first has, or the next multiple of the modulus is
/// among them. Nobody knows where the modulus is not positive.
Value TileCollector::meets(const Columns &numbers, Value modulus, Value bound) {
  Location loc = walk.getLoc();
  Type i64 = builder.getI64Type();
  auto wide = [&](Value value) {
    return value.getType() == i64 ? value : builder.createOrFold<arith::IndexCastOp>(loc, i64, value);
  };
  auto constant = [&](int64_t number) -> Value { return arith::ConstantIntOp::create(builder, loc, i64, number); };
  auto isAtMost = [&](Value a, Value b) {
    return builder.createOrFold<arith::CmpIOp>(loc, arith::CmpIPredicate::sle, a, b);
  };
  auto either = [&](Value a, Value b) { return builder.createOrFold<arith::OrIOp>(loc, a, b); };
  modulus = wide(modulus), bound = wide(bound);
  Value first = wide(numbers.first), end = wide(numbers.end);
  Value isUnknown = isAtMost(modulus, constant(0));
  Value size = builder.createOrFold<arith::MaxSIOp>(loc, modulus, constant(1));
  Value quotient = builder.createOrFold<arith::FloorDivSIOp>(loc, first, size);
  Value multiple = builder.createOrFold<arith::MulIOp>(loc, quotient, size);
  Value rest = builder.createOrFold<arith::SubIOp>(loc, first, multiple);
  Value next = builder.createOrFold<arith::AddIOp>(loc, multiple, size);
  Value isAmong = builder.createOrFold<arith::CmpIOp>(loc, arith::CmpIPredicate::slt, next, end);
  Value has = either(isAtMost(rest, bound), isAmong);
  has = builder.createOrFold<arith::AndIOp>(loc, has, isAtMost(constant(0), bound));
  return either(has, isUnknown);
}

/// Each tile is decided by itself, by the numbers that rows and columns of the tile have as far as the rest of the
/// clause leaves them.
void TileCollector::markResidues(tile::Sight sight, const Clause &clause) {
  const ListTerm &term = clause.terms[0];
  std::optional<Linear> number = conditions.number(term),
                        modulus = conditions.linear(*term.conjunct, term.leaf.modulus),
                        bound = conditions.linear(*term.conjunct, term.leaf.bound);
  if (!number || !modulus || !bound)
    return markColumns(sight, clause, conditions.emitter);
  Clause all = inWalk(sight, clause);
  unsigned unknown = conditions.system.unknown();
  Linear equal = Linear::variable(unknown).plus(*number, -1);
  all.push_back(equal);
  all.push_back(Linear().add(equal, -1));
  if (conditions.system.contradict(all))
    return;
  int64_t step = walk.getStep();
  Location loc = walk.getLoc();
  loop(firstTile, endTile, /*inParallel=*/true, [&](Value tile) {
    LinearEmitter emitter = conditions.emitter;
    Linear t = conditions.system.linear(tile), place = Linear::variable(conditions.column).plus(t, -step);
    emitter.setRange(t.terms.begin()->first, 0, kFarAway / step);
    all.push_back(place);
    all.push_back(Linear(step - 1).plus(place, -1));
    Interval interval = conditions.system.project(all, unknown);
    Value next = emitter.add(tile, 1);
    if (interval.lower.empty() || interval.upper.empty()) {
      tile::MarkOp::create(builder, loc, sight, tile, next);
      return;
    }
    Columns numbers = emitter.emit(interval);
    Value holds = meets(numbers, emitter.emit(*modulus), emitter.emit(*bound));
    holds = emitter.both(holds, emitter.less(numbers.first, numbers.end));
    holds = emitter.both(holds, numbers.condition);
    tile::MarkOp::create(builder, loc, sight, tile, emitter.select(holds, next, tile));
  });
}

} // namespace attn
