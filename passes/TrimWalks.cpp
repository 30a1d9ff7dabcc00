// SPDX-License-Identifier: Apache-2.0
// trim-walks: walks become loops over the tiles that a mask admits somewhere, and the mask learns where it admits all.
#include "dialect/Tile.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Pass/Pass.h"
#include "passes/CollectTiles.h"

using namespace mlir;

namespace attn {
#define GEN_PASS_DEF_TRIMWALKS
#include "passes/Passes.h.inc"

namespace {

class WalkTrimmer {
public:
  WalkTrimmer(tile::WalkOp walk, tile::MaskOp mask)
      : walk(walk), mask(mask), builder(walk), conditions(walk, mask, builder), emitter(conditions.emitter),
        step(walk.getStep()) {}

  LogicalResult run();

private:
  void dropImplied();
  void findVisited();
  void findFree();
  void remark();
  void replaceWalk();
  void updateMask(Value number);

  SmallVector<Clause, 4> visible();
  bool isImplied(Conjunct &conjunct);
  void joinVisited(ArrayRef<Columns> parts, bool mayBeEmpty, bool samePrefix);
  void removeMiddle(const Columns &hidden);

  tile::WalkOp walk;
  tile::MaskOp mask;
  OpBuilder builder;
  WalkConditions conditions;
  LinearEmitter &emitter;
  int64_t step;

  Value first, end;                             // tile numbers to visit
  std::optional<SmallVector<Linear>> endBounds; // the columns' end is the least of these
  bool hasGaps = false;                         // what is visible is several intervals of columns
  Value list;                                   // of the tiles to visit; null where a range says them
  Value freeFrom, freeTo;                       // tile numbers where nothing is hidden; null if there are none
  bool allFree = true;
};

LogicalResult WalkTrimmer::run() {
  if (mask && failed(conditions.readConjuncts()))
    return failure();
  dropImplied();
  findVisited();
  TileCollector collector(conditions, walk, builder);
  bool mayList = walk->getParentOfType<func::FuncOp>()->hasAttr("tile.lists");
  using Kind = MaskTree::Kind;
  auto hasTerm = [&](Kind kind) { return mask && collector.hasTerm(kind); };
  if (conditions.knowsPositions() &&
      (hasTerm(Kind::Member) || (mayList && (hasGaps || hasTerm(Kind::Opaque) || hasTerm(Kind::Residue)))))
    list = collector.collect(first, end, allFree);
  else
    findFree();
  remark();
  replaceWalk();
  return success();
}

//===-- conjuncts ----------------------------------------------------------------===//

/// Whether the other conjuncts and the tiles' columns leave no pair that this one hides.
bool WalkTrimmer::isImplied(Conjunct &conjunct) {
  Clause known = conditions.visitedColumns();
  for (Conjunct &other : conditions.conjuncts)
    if (&other != &conjunct)
      llvm::append_range(known, conditions.necessary(other));
  SmallVector<Clause, 4> hidden = conditions.clauses(conjunct, /*negated=*/true);
  return llvm::all_of(hidden, [&](const Clause &clause) {
    Clause all = clause;
    llvm::append_range(all, known);
    llvm::append_range(all, conditions.rowBounds());
    return conditions.system.contradict(all);
  });
}

/// The existence of the column goes first: a mask that says more than that makes it superfluous.
void WalkTrimmer::dropImplied() {
  std::vector<Conjunct> &conjuncts = conditions.conjuncts;
  for (bool inBounds : {true, false})
    for (size_t i = conjuncts.size(); i-- > 0;)
      if (conjuncts[i].inBounds == inBounds && isImplied(conjuncts[i]))
        conjuncts.erase(conjuncts.begin() + i);
}

//===-- tiles to visit -------------------------------------------------------------===//

/// All conjuncts together as an Or of clauses.
SmallVector<Clause, 4> WalkTrimmer::visible() {
  SmallVector<Clause, 4> result = {Clause{}};
  for (Conjunct &conjunct : conditions.conjuncts) {
    SmallVector<Clause, 4> longer, alternatives = conditions.clauses(conjunct, /*negated=*/false);
    if (result.size() * alternatives.size() > 16)
      continue; // what is left out only makes the tiles more
    for (const Clause &clause : result)
      for (const Clause &alternative : alternatives) {
        longer.push_back(clause);
        llvm::append_range(longer.back(), alternative);
      }
    result = std::move(longer);
  }
  return result;
}

/// Whether upper + slack(lower) >= lower for each pair of bounds, whatever the values. No slack means not to look.
bool neverCross(const Inequalities &system, const Interval &interval,
                llvm::function_ref<std::optional<int64_t>(const Interval::Bound &)> slack) {
  return llvm::all_of(interval.lower, [&](const Interval::Bound &lower) {
    std::optional<int64_t> by = slack(lower);
    return !by || llvm::all_of(interval.upper, [&](const Interval::Bound &upper) {
      Linear distance(*by * lower.divisor * upper.divisor);
      distance.add(upper.linear, lower.divisor).add(lower.linear, -upper.divisor);
      return system.implies(distance);
    });
  });
}

void WalkTrimmer::findVisited() {
  Linear c = Linear::variable(conditions.column);
  std::vector<Interval> intervals;
  for (const Clause &clause : visible()) {
    Clause all = clause;
    llvm::append_range(all, conditions.rowBounds());
    all.push_back(c.plus(conditions.from, -1));
    all.push_back(conditions.to.plus(c, -1).plus(-1));
    Interval interval = conditions.system.project(all, conditions.column);
    if (!interval.empty)
      intervals.push_back(std::move(interval));
  }
  // Columns from a tile's first column on that end before they begin do so in tile numbers, too.
  auto startsTile = [&](const Interval::Bound &bound) {
    return bound.divisor == 1 && bound.linear.terms.empty() && bound.linear.constant % step == 0;
  };
  using Slack = std::optional<int64_t>;
  auto inTiles = [&](const Interval::Bound &bound) { return startsTile(bound) ? Slack() : Slack(0); };
  auto ordered = [&](const Interval::Bound &bound) { return Slack(startsTile(bound) ? 1 : 0); };
  bool samePrefix = llvm::all_of(intervals, [&](const Interval &each) {
    return each.lower.size() == 1 && startsTile(each.lower.front()) &&
           each.lower.front().linear == intervals.front().lower.front().linear;
  });
  bool mayBeEmpty = false, alone = intervals.size() == 1 || samePrefix;
  hasGaps = intervals.size() > 1 && !samePrefix;
  SmallVector<Columns> parts;
  for (const Interval &interval : intervals) {
    Columns columns = emitter.emit(interval);
    mayBeEmpty |= columns.condition || !neverCross(conditions.system, interval, ordered);
    if (alone ? !neverCross(conditions.system, interval, inTiles) : !conditions.system.neverEmpty(interval))
      columns.condition = emitter.both(columns.condition, emitter.less(columns.first, columns.end));
    parts.push_back(columns);
  }
  if (intervals.size() == 1 && llvm::all_of(intervals[0].upper, [](auto &bound) { return bound.divisor == 1; })) {
    endBounds.emplace();
    for (const Interval::Bound &bound : intervals[0].upper)
      endBounds->push_back(bound.linear.plus(1));
  }
  joinVisited(parts, mayBeEmpty, samePrefix);
}

/// From the first tile that any part touches to the last.
void WalkTrimmer::joinVisited(ArrayRef<Columns> parts, bool mayBeEmpty, bool samePrefix) {
  Value from = emitter.emit(conditions.from), firstColumn, endColumn;
  for (const Columns &part : parts) {
    Value a = part.first, b = part.end;
    if (part.condition && samePrefix) {
      b = emitter.select(part.condition, b, a);
    } else if (part.condition && parts.size() > 1) {
      a = emitter.select(part.condition, a, emitter.greatest(from, emitter.emit(conditions.to)));
      b = emitter.select(part.condition, b, from);
    }
    firstColumn = firstColumn ? emitter.least(firstColumn, a) : a;
    endColumn = endColumn ? emitter.greatest(endColumn, b) : b;
  }
  if (parts.empty())
    firstColumn = endColumn = from;
  first = emitter.index(emitter.floorDivide(firstColumn, step));
  end = emitter.index(emitter.ceilDivide(endColumn, step));
  if (parts.empty())
    end = first;
  else if (parts.size() == 1 && !samePrefix && parts[0].condition)
    end = emitter.select(parts[0].condition, end, first);
  else if (mayBeEmpty)
    end = emitter.greatest(end, first);
}

//===-- tiles where nothing is hidden ------------------------------------------------===//

/// Each clause of what hides cuts tiles off at the beginning, at the end, or out of the middle.
void WalkTrimmer::findFree() {
  SmallVector<Columns> middle;
  Value firstColumn, endColumn;
  SmallVector<Linear> ends;
  bool endsAreLinear = true;
  Clause surroundings = conditions.visitedColumns();
  llvm::append_range(surroundings, conditions.rowBounds());
  for (Conjunct &conjunct : conditions.conjuncts)
    for (const Clause &clause : conditions.clauses(conjunct, /*negated=*/true)) {
      Clause all = clause;
      llvm::append_range(all, surroundings);
      if (conditions.system.contradict(all))
        continue;
      allFree = false;
      all = clause;
      llvm::append_range(all, conditions.rowBounds());
      Interval interval = conditions.system.project(all, conditions.column);
      bool simple = interval.conditions.empty() && interval.upper.empty() && interval.lower.size() == 1 &&
                    interval.lower.front().divisor == 1;
      if (simple) {
        ends.push_back(interval.lower.front().linear);
        continue;
      }
      Columns hidden = emitter.emit(interval);
      if (hidden.first && hidden.end) {
        if (!conditions.system.neverEmpty(interval))
          hidden.condition = emitter.both(hidden.condition, emitter.less(hidden.first, hidden.end));
        middle.push_back(hidden);
      } else if (hidden.first) {
        Value to = emitter.emit(conditions.to.plus(step));
        Value cut = hidden.condition ? emitter.select(hidden.condition, hidden.first, to) : hidden.first;
        endColumn = endColumn ? emitter.least(endColumn, cut) : cut;
        endsAreLinear = false;
      } else if (hidden.end) {
        Value from = emitter.emit(conditions.from);
        Value cut = hidden.condition ? emitter.select(hidden.condition, hidden.end, from) : hidden.end;
        firstColumn = firstColumn ? emitter.greatest(firstColumn, cut) : cut;
      } else if (hidden.condition) {
        middle.push_back(hidden);
      } else {
        return; // hides something in every tile
      }
    }
  if (allFree)
    return;
  for (size_t i = 0; i < ends.size();) {
    bool later = llvm::any_of(llvm::seq<size_t>(0, ends.size()),
                              [&](size_t j) { return i != j && conditions.system.implies(ends[i].plus(ends[j], -1)); });
    if (later) {
      ends.erase(ends.begin() + i);
      continue;
    }
    ++i;
  }
  for (const Linear &linear : ends) {
    Value value = emitter.emit(linear);
    endColumn = endColumn ? emitter.least(endColumn, value) : value;
  }
  freeFrom = first;
  freeTo = end;
  if (firstColumn) {
    freeFrom = emitter.index(emitter.ceilDivide(firstColumn, step));
    freeFrom = emitter.least(emitter.greatest(freeFrom, first), end);
  }
  if (endColumn) {
    freeTo = emitter.index(emitter.floorDivide(endColumn, step));
    bool beforeEnd = endBounds && endsAreLinear && llvm::all_of(*endBounds, [&](const Linear &bound) {
                       return llvm::any_of(
                           ends, [&](const Linear &each) { return conditions.system.implies(bound.plus(each, -1)); });
                     });
    if (!beforeEnd)
      freeTo = emitter.least(freeTo, end);
    freeTo = emitter.greatest(freeTo, freeFrom);
  }
  for (const Columns &hidden : middle)
    removeMiddle(hidden);
  if (freeFrom == freeTo)
    freeFrom = freeTo = Value();
}

/// Keeps the longer of what lies before and what lies behind some columns.
void WalkTrimmer::removeMiddle(const Columns &hidden) {
  Value from = freeFrom, to = freeFrom;
  if (hidden.first) {
    Value before = emitter.index(emitter.floorDivide(hidden.first, step));
    Value behind = emitter.index(emitter.ceilDivide(hidden.end, step));
    before = emitter.greatest(emitter.least(before, freeTo), freeFrom);
    behind = emitter.least(emitter.greatest(behind, freeFrom), freeTo);
    Location location = walk.getLoc();
    Value lengthBefore = builder.createOrFold<arith::SubIOp>(location, before, freeFrom);
    Value lengthBehind = builder.createOrFold<arith::SubIOp>(location, freeTo, behind);
    Value takeBehind = emitter.less(lengthBefore, lengthBehind);
    from = emitter.select(takeBehind, behind, freeFrom);
    to = emitter.select(takeBehind, freeTo, before);
  }
  freeFrom = hidden.condition ? emitter.select(hidden.condition, from, freeFrom) : from;
  freeTo = hidden.condition ? emitter.select(hidden.condition, to, freeTo) : to;
}

//===-- the loop ------------------------------------------------------------------------===//

void WalkTrimmer::remark() {
  for (Conjunct &conjunct : conditions.conjuncts)
    if (!conjunct.flaw.empty())
      mask.emitRemark() << conjunct.name << " " << conjunct.flaw << ": "
                        << (freeFrom ? "tiles that only they decide are masked" : "every visited tile is masked");
}

void WalkTrimmer::updateMask(Value number) {
  if (!mask)
    return;
  if (allFree) {
    mask.getResult().replaceAllUsesWith(mask.getTile());
    mask.erase();
    return;
  }
  SmallVector<Attribute> by;
  SmallVector<Value> params;
  for (Conjunct &conjunct : conditions.conjuncts) {
    by.push_back(conjunct.name);
    llvm::append_range(params, conjunct.params);
  }
  mask.setByAttr(builder.getArrayAttr(by));
  mask.getParamsMutable().assign(params);
  if (list) {
    mask.getNumberMutable().assign(number);
    mask.getListMutable().assign(list);
  }
  if (!freeFrom)
    return;
  mask.getNumberMutable().assign(number);
  mask.getFreeFromMutable().assign(freeFrom);
  mask.getFreeToMutable().assign(freeTo);
}

void WalkTrimmer::replaceWalk() {
  Location location = walk.getLoc();
  Value width = emitter.constant(step), one = emitter.constant(1);
  if (list) {
    first = emitter.constant(0);
    end = tile::CountOp::create(builder, location, builder.getIndexType(), list);
    // Programs with lists differ in their work: the device gives each multiprocessor a new one as soon as it is free.
    walk->getParentOfType<func::FuncOp>()->removeAttr("tile.distribution");
  }
  auto loop = scf::ForOp::create(builder, location, first, end, one, walk.getInits());
  for (NamedAttribute attribute : walk->getDiscardableAttrs())
    loop->setDiscardableAttr(attribute.getName(), attribute.getValue());
  Block *body = loop.getBody(), *source = &walk.getBody().front();
  if (!body->empty())
    body->clear();
  OpBuilder inside = OpBuilder::atBlockEnd(body);
  Value number = loop.getInductionVar();
  Value tile =
      list ? tile::EntryOp::create(inside, location, builder.getIndexType(), list, number).getResult() : number;
  Value column = arith::MulIOp::create(inside, location, tile, width);
  source->getArgument(0).replaceAllUsesWith(column);
  for (auto [from, to] : llvm::zip(source->getArguments().drop_front(), loop.getRegionIterArgs()))
    from.replaceAllUsesWith(to);
  auto yield = cast<tile::YieldOp>(source->getTerminator());
  body->getOperations().splice(body->end(), source->getOperations());
  inside.setInsertionPointToEnd(body);
  scf::YieldOp::create(inside, yield.getLoc(), yield.getValues());
  yield.erase();
  updateMask(number);
  walk.replaceAllUsesWith(loop.getResults());
  walk.erase();
}

//===-- the pass --------------------------------------------------------------------------===//

/// The mask of the walk's own body; a walk inside it has its own.
FailureOr<tile::MaskOp> maskOf(tile::WalkOp walk) {
  tile::MaskOp found;
  WalkResult result = walk.getBody().walk([&](tile::MaskOp mask) {
    if (mask->getParentOfType<tile::WalkOp>() != walk)
      return WalkResult::advance();
    if (found) {
      InFlightDiagnostic error = mask.emitOpError("expects to be the only mask of its walk");
      error.attachNote(found.getLoc()) << "the other one";
      return WalkResult::interrupt();
    }
    found = mask;
    return WalkResult::advance();
  });
  if (result.wasInterrupted())
    return failure();
  return found;
}

LogicalResult checkMask(tile::WalkOp walk, tile::MaskOp mask) {
  if (mask.getNumber())
    return mask.emitOpError("expects no unless clause before its walk is trimmed");
  if (mask.getCols() != walk.getView() || mask.getCol() != walk.getBody().getArgument(0))
    return mask.emitOpError("expects the columns of the walked view, at the column of the walk");
  auto shape = cast<RankedTensorType>(mask.getTile().getType()).getShape();
  if (shape.size() != 2 || shape[1] != static_cast<int64_t>(walk.getStep()))
    return mask.emitOpError("expects a tile of as many columns as the step of its walk, ")
           << walk.getStep() << ", got " << mask.getTile().getType();
  for (Value value : {Value(mask.getRows()), Value(mask.getRow())})
    if (walk.getBody().isAncestor(value.getParentRegion()))
      return mask.emitOpError("expects rows that are known before the walk");
  return success();
}

struct TrimWalks : impl::TrimWalksBase<TrimWalks> {
  using TrimWalksBase::TrimWalksBase;

  void getDependentDialects(DialectRegistry &registry) const override {
    TrimWalksBase::getDependentDialects(registry);
    registry.insert<tile::TileDialect, memref::MemRefDialect>(); // of lists
  }

  void runOnOperation() override {
    SmallVector<tile::WalkOp> walks;
    getOperation().walk([&](tile::WalkOp walk) { walks.push_back(walk); });
    for (tile::WalkOp walk : walks) {
      FailureOr<tile::MaskOp> mask = maskOf(walk);
      if (failed(mask) || (*mask && failed(checkMask(walk, *mask))))
        return signalPassFailure();
      if (failed(WalkTrimmer(walk, *mask).run()))
        return signalPassFailure();
    }
  }
};

} // namespace
} // namespace attn
