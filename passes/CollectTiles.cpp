// SPDX-License-Identifier: Apache-2.0
// Writes the marks from which a program lists the tiles that it visits.
#include "passes/CollectTiles.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "passes/CostModel.h"

using namespace mlir;

namespace attn {

static constexpr size_t kMostClauses = 16;
/// Divisors beyond it are not followed, so that products with positions stay small.
static constexpr int64_t kMostDivisor = int64_t(1) << 20;

static tile::MemberOp memberOf(const ListTerm &term) { return term.leaf.condition.getDefiningOp<tile::MemberOp>(); }

/// What a term depends on beside the number that is looked for: the row of the list, the first entry and the end.
static SmallVector<Value> placeOf(const ListTerm &term) {
  if (term.leaf.kind == MaskTree::Kind::Opaque)
    return {term.leaf.condition};
  return SmallVector<Value>(ValueRange(memberOf(term)->getOperands()).drop_front(2));
}

bool TileCollector::hasTerm(MaskTree::Kind kind) {
  return llvm::any_of(conditions.conjuncts, [&](Conjunct &conjunct) {
    return llvm::any_of(ArrayRef{false, true}, [&](bool negated) {
      return llvm::any_of(conditions.clauses(conjunct, negated), [&](const Clause &clause) {
        return llvm::any_of(clause.terms, [&](const ListTerm &term) { return term.leaf.kind == kind; });
      });
    });
  });
}

SmallVector<Clause, 4> TileCollector::visible() {
  SmallVector<Clause, 4> result = {Clause{}};
  for (Conjunct &conjunct : conditions.conjuncts) {
    SmallVector<Clause, 4> longer, alternatives = conditions.clauses(conjunct, /*negated=*/false);
    if (result.size() * alternatives.size() > kMostClauses)
      continue; // what is left out only makes the tiles more
    for (const Clause &clause : result)
      for (const Clause &alternative : alternatives) {
        longer.push_back(clause);
        longer.back().addAll(alternative);
      }
    result = std::move(longer);
  }
  return result;
}

Value TileCollector::collect(Value first, Value end, bool &hidesNothing) {
  firstTile = first, endTile = end;
  auto list = tile::CollectOp::create(builder, walk.getLoc(), tile::ListType::get(builder.getContext()), first, end,
                                      mostListedTiles);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(&list.getBody().emplaceBlock());
  conditions.uniformPoint = list;
  for (const Clause &clause : visible())
    mark(tile::Sight::visible, clause);
  for (Conjunct &conjunct : conditions.conjuncts)
    for (const Clause &clause : conditions.clauses(conjunct, /*negated=*/true))
      mark(tile::Sight::hidden, clause);
  conditions.uniformPoint = nullptr;
  hidesNothing = list.getBody()
                     .walk([](tile::MarkOp mark) {
                       return mark.getSight() == tile::Sight::hidden ? WalkResult::interrupt() : WalkResult::advance();
                     })
                     .wasInterrupted() == false;
  return list.getList();
}

void TileCollector::loop(Value from, Value to, bool inParallel, llvm::function_ref<void(Value)> body) {
  OpBuilder::InsertionGuard guard(builder);
  Location loc = walk.getLoc();
  if (inParallel) {
    auto each = tile::EachOp::create(builder, loc, from, to);
    Value number = each.getBody().emplaceBlock().addArgument(builder.getIndexType(), loc);
    builder.setInsertionPointToStart(&each.getBody().front());
    return body(number);
  }
  auto each = scf::ForOp::create(builder, loc, from, to, arith::ConstantIndexOp::create(builder, loc, 1));
  builder.setInsertionPointToStart(each.getBody());
  body(each.getInductionVar());
}

//===-- marks ------------------------------------------------------------------===//

/// The clause with the rows and columns of the walk.
Clause TileCollector::inWalk(tile::Sight sight, const Clause &clause) {
  Linear c = Linear::variable(conditions.column);
  Clause all = clause;
  llvm::append_range(all, conditions.rowBounds());
  all.push_back(c.plus(conditions.from, -1));
  all.push_back(conditions.to.plus(c, -1).plus(-1));
  // Of what is hidden the whole tile counts, also behind the end of the walk.
  if (sight == tile::Sight::hidden) {
    all.pop_back();
    llvm::append_range(all, conditions.visitedColumns());
  }
  return all;
}

/// Marks the tiles of the columns that the clause leaves some row of the tile. What is emitted here is not known behind
/// the region that it stands in, so the emitter is a copy.
void TileCollector::markColumns(tile::Sight sight, const Clause &clause, LinearEmitter emitter) {
  int64_t step = walk.getStep();
  Clause all = inWalk(sight, clause);
  if (conditions.system.contradict(all))
    return;
  Interval interval = conditions.system.project(all, conditions.column);
  if (interval.empty || interval.lower.empty() || interval.upper.empty())
    return;
  Columns columns = emitter.emit(interval);
  Value from = emitter.index(emitter.floorDivide(columns.first, step));
  Value to = emitter.index(emitter.ceilDivide(columns.end, step));
  if (!conditions.system.neverEmpty(interval))
    columns.condition = emitter.both(columns.condition, emitter.less(columns.first, columns.end));
  if (columns.condition)
    to = emitter.select(columns.condition, to, from);
  tile::MarkOp::create(builder, walk.getLoc(), sight, from, to);
}

/// With several lists, the tiles that each of them leaves.
void TileCollector::mark(tile::Sight sight, const Clause &clause) {
  if (clause.terms.size() <= 1)
    return markListed(sight, clause);
  auto common = tile::CommonOp::create(builder, walk.getLoc(), sight, clause.terms.size());
  OpBuilder::InsertionGuard guard(builder);
  for (auto [part, term] : llvm::zip(common.getParts(), clause.terms)) {
    builder.setInsertionPointToStart(&part.emplaceBlock());
    Clause ofTerm = clause;
    ofTerm.terms.assign(1, term);
    markListed(sight, ofTerm);
  }
}

void TileCollector::markListed(tile::Sight sight, const Clause &clause) {
  if (clause.terms.empty() || clause.terms[0].leaf.divisor > kMostDivisor)
    return markColumns(sight, clause, conditions.emitter);
  if (clause.terms[0].leaf.kind == MaskTree::Kind::Residue)
    return markResidues(sight, clause);
  const ListTerm &term = clause.terms[0];
  bool ofBlocks = term.leaf.kind == MaskTree::Kind::Opaque;
  IRMapping known;
  auto markAll = [&](const Clause &all, bool inParallel) {
    ofBlocks ? markBlocks(sight, all, known) : markEntries(sight, all, known, inParallel);
  };
  bool byRow = llvm::any_of(placeOf(term), [&](Value value) {
    return (term.conjunct->analysis->dependence(value) & (kOnRow | kOnQuery)) != 0;
  });
  forEachHead(term, known, [&] {
    if (!byRow)
      return markAll(clause, /*inParallel=*/true);
    std::optional<RowGroups> groups = groupsOf(term);
    if (!groups)
      return markColumns(sight, clause, conditions.emitter);
    // Where each row has a list, threads take rows; else they take entries, or blocks.
    bool rowsInParallel = groups->divisor == 1 && !ofBlocks;
    forEachGroup(clause, *groups, known, rowsInParallel,
                 [&](const Clause &ofGroup) { markAll(ofGroup, !rowsInParallel); });
  });
}

/// Heads of a group that stand in the rows of a tile have lists of their own.
void TileCollector::forEachHead(const ListTerm &term, IRMapping &known, llvm::function_ref<void()> body) {
  int64_t packed = conditions.packed();
  bool differs = packed > 1 && llvm::any_of(placeOf(term), [&](Value value) {
                   return conditions.dependsOnHead(*term.conjunct, value);
                 });
  if (!differs)
    return body();
  Location loc = walk.getLoc();
  Value zero = arith::ConstantIndexOp::create(builder, loc, 0),
        heads = arith::ConstantIndexOp::create(builder, loc, packed);
  Value head = term.leaf.condition.getDefiningOp()->getParentOfType<func::FuncOp>().getArgument(kHead);
  loop(zero, heads, /*inParallel=*/false, [&](Value number) {
    Value first = arith::MulIOp::create(builder, loc, conditions.head(), heads);
    IRMapping outer = known;
    known.map(head, arith::AddIOp::create(builder, loc, first, number).getResult());
    body();
    known = outer;
  });
}

//===-- rows that share a row of a list -------------------------------------------===//

/// Values of the function that `value` depends on rows by, where these are coordinates; false where others are.
static bool findCoordinates(const MaskAnalysis &analysis, Value value, bool hasPosition,
                            llvm::SetVector<Value> &found) {
  if (!(analysis.dependence(value) & (kOnRow | kOnQuery)))
    return true;
  if (auto argument = dyn_cast<BlockArgument>(value)) {
    found.insert(value);
    return argument.getArgNumber() == kRow || (argument.getArgNumber() == kQuery && hasPosition);
  }
  return llvm::all_of(value.getDefiningOp()->getOperands(),
                      [&](Value operand) { return findCoordinates(analysis, operand, hasPosition, found); });
}

/// Rows share what they ask if it depends on a block of rows alone; else each is a group.
std::optional<TileCollector::RowGroups> TileCollector::groupsOf(const ListTerm &term) {
  const MaskAnalysis &analysis = *term.conjunct->analysis;
  RowGroups groups;
  if (auto blocks = analysis.blockNumbersOf(placeOf(term), kOnRow | kOnQuery);
      blocks && blocks->divisor <= kMostDivisor)
    if (std::optional<Linear> base = conditions.linear(*term.conjunct, blocks->base)) {
      groups.numbers = blocks->values;
      groups.base = *base;
      groups.divisor = blocks->divisor;
      return groups;
    }
  groups.base = Linear::variable(conditions.row);
  if (llvm::all_of(placeOf(term), [&](Value value) {
        return findCoordinates(analysis, value, conditions.rowPosition.has_value(), groups.numbers);
      }))
    return groups;
  return std::nullopt;
}

/// The body once for each group of the tile's rows; its clause is about rows of the group.
void TileCollector::forEachGroup(const Clause &clause, const RowGroups &groups, IRMapping &known, bool inParallel,
                                 llvm::function_ref<void(const Clause &)> body) {
  LinearEmitter emitter = conditions.emitter;
  Linear r = Linear::variable(conditions.row);
  auto groupAt = [&](const Linear &row) {
    Value at = emitter.emit(groups.base.plus(r, -1).plus(row));
    return emitter.index(emitter.floorDivide(at, groups.divisor));
  };
  Value last = emitter.least(groupAt(conditions.lastOfTile), groupAt(conditions.rowCount.plus(-1)));
  loop(groupAt(conditions.firstRow), emitter.add(last, 1), inParallel, [&](Value number) {
    IRMapping outer = known;
    Linear group = conditions.system.linear(number);
    for (Value value : groups.numbers) {
      auto argument = dyn_cast<BlockArgument>(value);
      bool isPosition = argument && argument.getArgNumber() == kQuery;
      LinearEmitter inner = emitter;
      known.map(value, isPosition ? inner.index(inner.emit(group.plus(*conditions.rowPosition))) : number);
    }
    Linear rest = groups.base.plus(group, -groups.divisor);
    Clause ofGroup = clause;
    ofGroup.push_back(rest);
    ofGroup.push_back(Linear(groups.divisor - 1).plus(rest, -1));
    body(ofGroup);
    known = outer;
  });
}

//===-- blocks -----------------------------------------------------------------===//

/// A condition that depends on the column by the number of its block is decided once for each block.
void TileCollector::markBlocks(tile::Sight sight, const Clause &clause, IRMapping &known) {
  const ListTerm &term = clause.terms[0];
  Location loc = walk.getLoc();
  auto blocks = term.conjunct->analysis->blockNumbersOf(term.leaf.condition, kOnColumn);
  std::optional<Linear> base = conditions.linear(*term.conjunct, blocks->base);
  if (!base || blocks->divisor > kMostDivisor)
    return markColumns(sight, clause, conditions.emitter);
  LinearEmitter emitter = conditions.emitter;
  Linear c = Linear::variable(conditions.column);
  auto blockAt = [&](const Linear &column) {
    return emitter.index(emitter.floorDivide(emitter.emit(base->plus(c, -1).plus(column)), blocks->divisor));
  };
  Value first = blockAt(conditions.from), last = blockAt(conditions.to.plus(-1));
  loop(first, emitter.index(emitter.add(last, 1)), /*inParallel=*/true, [&](Value number) {
    IRMapping outer = known;
    for (Value value : blocks->values)
      known.map(value, number);
    Linear rest = base->plus(conditions.system.linear(number), -blocks->divisor);
    Clause ofBlock = clause;
    ofBlock.push_back(rest);
    ofBlock.push_back(Linear(blocks->divisor - 1).plus(rest, -1));
    Value holds = conditions.rebuild(*term.conjunct, term.leaf.condition, known);
    known = outer;
    if (!holds)
      return markColumns(sight, ofBlock, conditions.emitter);
    if (term.leaf.negated)
      holds = arith::XOrIOp::create(builder, loc, holds,
                                    arith::ConstantOp::create(builder, loc, builder.getBoolAttr(true)));
    auto branch = scf::IfOp::create(builder, loc, holds, /*withElse=*/false);
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPoint(branch.thenYield());
    markColumns(sight, ofBlock, conditions.emitter);
  });
}

//===-- entries ----------------------------------------------------------------===//

/// One end of an entry: its number, or for ranges the first or (`end` = 1) the one behind the last. Far away is as good
/// as what no position reaches.
Value TileCollector::entry(const ListTerm &term, ValueRange row, Value place, unsigned end) {
  Location loc = walk.getLoc();
  tile::MemberOp op = memberOf(term);
  Value list = term.conjunct->params[cast<BlockArgument>(op.getList()).getArgNumber() - kCoordinates];
  SmallVector<Value> indices(row);
  indices.push_back(place);
  if (op.hasRanges())
    indices.push_back(arith::ConstantIndexOp::create(builder, loc, end));
  Value number = memref::LoadOp::create(builder, loc, list, indices);
  Type type = number.getType();
  auto constant = [&](int64_t value) -> Value {
    return arith::ConstantOp::create(builder, loc, builder.getIntegerAttr(type, value));
  };
  if (type.getIntOrFloatBitWidth() > 31) {
    number = arith::MinSIOp::create(builder, loc, number, constant(kFarAway));
    number = arith::MaxSIOp::create(builder, loc, number, constant(-kFarAway));
  }
  number = arith::IndexCastOp::create(builder, loc, builder.getIndexType(), number);
  if (end && !op.hasRanges())
    number = arith::AddIOp::create(builder, loc, number, arith::ConstantIndexOp::create(builder, loc, 1));
  return number;
}

/// The numbers from the first up to the second value that an entry holds, or, of what is not in the list, those between
/// the entry before `place` and the one in it. There is an entry: from < to.
std::pair<Value, Value> TileCollector::interval(const ListTerm &term, ValueRange row, Value place, Value from,
                                                Value to) {
  if (!term.leaf.negated)
    return {entry(term, row, place, 0), entry(term, row, place, 1)};
  Location loc = walk.getLoc();
  Value one = arith::ConstantIndexOp::create(builder, loc, 1);
  Value least = arith::ConstantIndexOp::create(builder, loc, -kFarAway);
  Value most = arith::ConstantIndexOp::create(builder, loc, kFarAway);
  Value before = arith::SubIOp::create(builder, loc, place, one);
  Value last = arith::SubIOp::create(builder, loc, to, one);
  Value isFirst = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::eq, place, from);
  Value isBehind = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::eq, place, to);
  Value begin = entry(term, row, arith::MaxSIOp::create(builder, loc, before, from), 1);
  Value end = entry(term, row, arith::MinSIOp::create(builder, loc, place, last), 0);
  return {arith::SelectOp::create(builder, loc, isFirst, least, begin),
          arith::SelectOp::create(builder, loc, isBehind, most, end)};
}

/// Each entry, or each gap between entries, gives the number that is looked for, and so the columns.
void TileCollector::markEntries(tile::Sight sight, const Clause &clause, IRMapping &known, bool inParallel) {
  const ListTerm &term = clause.terms[0];
  Location loc = walk.getLoc();
  tile::MemberOp op = memberOf(term);
  auto rebuild = [&](Value value) { return conditions.rebuild(*term.conjunct, value, known); };
  SmallVector<Value> row = llvm::map_to_vector(op.getRow(), rebuild);
  Value from = rebuild(op.getFrom()), to = rebuild(op.getTo());
  std::optional<Linear> number = conditions.number(term);
  if (!number || !from || !to || llvm::is_contained(row, Value()))
    return markColumns(sight, clause, conditions.emitter);
  Value list = term.conjunct->params[cast<BlockArgument>(op.getList()).getArgNumber() - kCoordinates];
  Value size = builder.createOrFold<memref::DimOp>(loc, list, op.getRow().size());
  Value zero = arith::ConstantIndexOp::create(builder, loc, 0);
  from = arith::MaxSIOp::create(builder, loc, from, zero);
  to = arith::MinSIOp::create(builder, loc, to, size);
  auto mark = [&](Value place) {
    auto [begin, end] = interval(term, row, place, from, to);
    Clause entered = clause;
    entered.push_back(number->plus(conditions.system.linear(begin), -term.leaf.divisor));
    entered.push_back(Linear(-1).plus(conditions.system.linear(end), term.leaf.divisor).plus(*number, -1));
    markColumns(sight, entered, conditions.emitter);
  };
  if (!term.leaf.negated)
    return loop(from, to, inParallel, mark);
  Value any = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::slt, from, to);
  auto branch = scf::IfOp::create(builder, loc, any, /*withElse=*/true);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPoint(branch.thenYield());
  Value gaps = arith::AddIOp::create(builder, loc, to, arith::ConstantIndexOp::create(builder, loc, 1));
  loop(from, gaps, inParallel, mark);
  builder.setInsertionPoint(branch.elseYield());
  markColumns(sight, clause, conditions.emitter);
}

} // namespace attn
