// SPDX-License-Identifier: Apache-2.0
// What is loaded for each row of a tile, as its least and its greatest value, and how far ordered values go: looked up
// once, before the walk.
#include "passes/WalkConditions.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "passes/MaskRefinement.h"

using namespace mlir;

namespace attn {

/// Numbers of these types are 32-bit ones in the end.
static bool isNarrow(Type type) { return type.isSignlessInteger() && type.getIntOrFloatBitWidth() <= 32; }

/// The last row of the tile that exists.
Value WalkConditions::lastRow() {
  return emitter.index(emitter.least(emitter.emit(lastOfTile), emitter.emit(rowCount.plus(-1))));
}

/// An index, or the end of some, as far as the tensor goes. The numbers of rows that do not exist may lie outside.
Value WalkConditions::insideOf(Value memory, unsigned dimension, Value index, bool asEnd) {
  Value size = builder.createOrFold<memref::DimOp>(walk.getLoc(), memory, dimension);
  Value most = asEnd ? size : emitter.add(size, -1);
  return emitter.greatest(emitter.least(index, most), emitter.constant(0));
}

/// An unknown with these ends.
unsigned WalkConditions::between(Value least, Value greatest) {
  unsigned unknown = system.unknown();
  Linear value = Linear::variable(unknown), low = system.linear(least), high = system.linear(greatest);
  for (const Linear &end : {low, high})
    if (!end.terms.empty())
      emitter.setRange(end.terms.begin()->first, INT32_MIN, INT32_MAX);
  always.push_back(value.plus(low, -1));
  always.push_back(high.plus(value, -1));
  return unknown;
}

/// Where the elements lie that a load reads for the rows of the tile: one index follows the row by ones, the others are
/// the same for all of them.
std::optional<WalkConditions::Line> WalkConditions::lineOfRows(Conjunct &conjunct, memref::LoadOp load) {
  func::FuncOp function = load->getParentOfType<func::FuncOp>();
  const MaskAnalysis &analysis = *conjunct.analysis;
  std::optional<unsigned> along;
  for (auto [i, index] : llvm::enumerate(load.getIndices())) {
    if (analysis.dependence(index) == kUniform)
      continue;
    AffineForm form = analysis.form(index);
    bool byRow = form.query + form.row == 1 && form.query * form.row == 0 && !form.key && !form.column &&
                 llvm::all_of(form.symbols, [&](auto &term) { return analysis.dependence(term.symbol) == kUniform; });
    if (along || !byRow)
      return std::nullopt;
    along = i;
  }
  if (!along || !isNarrow(load.getType()) || (analysis.dependence(load.getResult()) & kOnQuery && !rowPosition))
    return std::nullopt;
  Line line;
  line.along = *along;
  IRMapping none;
  line.memory = rebuild(conjunct, load.getMemRef(), none);
  for (const Linear &row : {firstRow, system.linear(lastRow())}) {
    IRMapping known;
    known.map(function.getArgument(kRow), emitter.index(emitter.emit(row)));
    if (rowPosition)
      known.map(function.getArgument(kQuery), emitter.index(emitter.emit(row.plus(*rowPosition))));
    SmallVector<Value> &indices = line.at.empty() ? line.at : line.last;
    for (auto [i, index] : llvm::enumerate(load.getIndices())) {
      Value rebuilt = rebuild(conjunct, index, known);
      if (!rebuilt || !line.memory)
        return std::nullopt;
      indices.push_back(i == *along ? insideOf(line.memory, i, rebuilt, /*asEnd=*/false) : rebuilt);
    }
  }
  line.end = emitter.add(line.last[*along], 1);
  return line;
}

/// What is loaded for a row: the values of rows that do not fall lie between those of the first and the last one.
std::optional<Linear> WalkConditions::rowValue(Conjunct &conjunct, Value value) {
  if (auto known = conjunct.rowDivisions.find(value); known != conjunct.rowDivisions.end())
    return Linear::variable(known->second);
  auto load = value.getDefiningOp<memref::LoadOp>();
  std::optional<Line> line = load ? lineOfRows(conjunct, load) : std::nullopt;
  if (!line)
    return std::nullopt;
  Location loc = walk.getLoc();
  Value ends[2];
  if (load->hasAttr(kSorted) && line->along + 1 == int64_t(line->at.size())) {
    for (unsigned i : {0, 1}) {
      Value number = memref::LoadOp::create(builder, loc, line->memory, i ? line->last : line->at);
      ends[i] = arith::IndexCastOp::create(builder, loc, builder.getIndexType(), number);
    }
  } else {
    auto extremes = tile::ExtremesOp::create(builder, loc, builder.getIndexType(), builder.getIndexType(), line->memory,
                                             line->at, line->along, line->end);
    ends[0] = extremes.getLeast();
    ends[1] = extremes.getGreatest();
  }
  unsigned unknown = between(ends[0], ends[1]);
  conjunct.rowDivisions[value] = unknown;
  return Linear::variable(unknown);
}

/// The least and the greatest value of a form of rows.
std::optional<std::pair<Value, Value>> WalkConditions::rangeOver(const Linear &linear) {
  unsigned unknown = system.unknown();
  Linear value = Linear::variable(unknown).plus(linear, -1);
  Clause all = always;
  all.push_back(value);
  all.push_back(Linear().add(value, -1));
  Interval interval = system.project(all, unknown);
  if (interval.empty || interval.lower.empty() || interval.upper.empty())
    return std::nullopt;
  std::pair<Value, Value> ends;
  for (const Interval::Bound &bound : interval.lower) {
    Value value = emitter.emit(bound.linear);
    value = bound.divisor == 1 ? value : emitter.ceilDivide(value, bound.divisor);
    ends.first = ends.first ? emitter.greatest(ends.first, value) : value;
  }
  for (const Interval::Bound &bound : interval.upper) {
    Value value = emitter.emit(bound.linear);
    value = bound.divisor == 1 ? value : emitter.floorDivide(value, bound.divisor);
    ends.second = ends.second ? emitter.least(ends.second, value) : value;
  }
  return ends;
}

/// The first index of a line, up to `end`, with a value above a number, which may lie outside 32 bits.
Value WalkConditions::firstAbove(Value memory, ValueRange at, Value number, Value end) {
  Location loc = walk.getLoc();
  Value belowAll;
  if (!number.getType().isIndex()) {
    belowAll = emitter.less(number, emitter.constant(INT32_MIN, /*wide=*/true));
    Value clamped = emitter.clamp(number, INT32_MIN, INT32_MAX);
    number = arith::IndexCastOp::create(builder, loc, builder.getIndexType(), clamped);
  }
  Value place =
      tile::FirstAboveOp::create(builder, loc, builder.getIndexType(), number, memory, at, at.size() - 1, end);
  return belowAll ? emitter.select(belowAll, at.back(), place) : place;
}

/// Ordered values are at or below a threshold up to some column, which is the later the greater the threshold is: f(c)
/// < limit, where f is the index of what is loaded.
std::optional<Linear> WalkConditions::ordered(Conjunct &conjunct, const MaskTree &leaf) {
  auto load = leaf.condition.getDefiningOp<memref::LoadOp>();
  std::optional<Linear> index = linear(conjunct, conjunct.analysis->form(load.getIndices().back()));
  std::optional<Linear> threshold = linear(conjunct, leaf.form);
  if (!index || !threshold || !isNarrow(load.getType()) || (packed() > 1 && dependsOnHead(conjunct, leaf.condition)))
    return std::nullopt;
  auto upTo = [&](unsigned limit) {
    Linear below = Linear::variable(limit).plus(*index, -1).plus(-1);
    return leaf.negated ? Linear(-1).plus(below, -1) : below;
  };
  for (const Conjunct::Limit &known : conjunct.limits)
    if (known.load == leaf.condition && known.threshold == leaf.form)
      return upTo(known.unknown);
  return atUniformPoint<std::optional<Linear>>([&]() -> std::optional<Linear> {
    std::optional<std::pair<Value, Value>> range = rangeOver(*threshold);
    IRMapping none;
    Value memory = rebuild(conjunct, load.getMemRef(), none);
    SmallVector<Value> at;
    for (Value other : load.getIndices().drop_back())
      at.push_back(rebuild(conjunct, other, none));
    if (!range || !memory || llvm::is_contained(at, Value()))
      return std::nullopt;
    unsigned along = at.size();
    auto indexAt = [&](const Linear &columnNumber) {
      Value number = emitter.index(emitter.emit(index->plus(Linear::variable(column), -1).plus(columnNumber)));
      return insideOf(memory, along, number, /*asEnd=*/true);
    };
    at.push_back(indexAt(from));
    Value end = indexAt(to), least = firstAbove(memory, at, range->first, end);
    Value greatest = range->first == range->second ? least : firstAbove(memory, at, range->second, end);
    unsigned limit = between(least, greatest);
    conjunct.limits.push_back({leaf.condition, leaf.form, limit});
    return upTo(limit);
  });
}

} // namespace attn
