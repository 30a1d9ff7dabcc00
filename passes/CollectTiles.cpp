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

/// What says which entries there are: the row of the list, the first entry and the end.
static ValueRange placeOf(tile::MemberOp op) { return ValueRange(op->getOperands()).drop_front(2); }

bool TileCollector::isNeeded() {
  return llvm::any_of(conditions.conjuncts, [&](Conjunct &conjunct) {
    return llvm::any_of(conditions.clauses(conjunct, /*negated=*/false),
                        [](const Clause &clause) { return !clause.terms.empty(); });
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

/// Marks the tiles of the columns that the clause leaves some row of the tile. What is emitted here is not known behind
/// the region that it stands in, so the emitter is a copy.
void TileCollector::markColumns(tile::Sight sight, const Clause &clause, LinearEmitter emitter) {
  Linear c = Linear::variable(conditions.column);
  int64_t step = walk.getStep();
  Clause all = clause;
  llvm::append_range(all, conditions.rowBounds());
  all.push_back(c.plus(conditions.from, -1));
  all.push_back(conditions.to.plus(c, -1).plus(-1));
  // Of what is hidden the whole tile counts, also behind the end of the walk.
  if (sight == tile::Sight::hidden) {
    all.pop_back();
    llvm::append_range(all, conditions.visitedColumns());
  }
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
  const ListTerm &term = clause.terms[0];
  IRMapping known;
  bool byRow = llvm::any_of(placeOf(memberOf(term)), [&](Value value) {
    return (term.conjunct->analysis->dependence(value) & (kOnRow | kOnQuery)) != 0;
  });
  forEachHead(term, known, [&] {
    if (!byRow)
      return markEntries(sight, clause, known, /*inParallel=*/true);
    std::optional<RowGroups> groups = groupsOf(term);
    if (!groups)
      return markColumns(sight, clause, conditions.emitter);
    // Where each row has a list, threads take rows; else they take entries.
    bool rowsInParallel = groups->divisor == 1;
    forEachGroup(clause, *groups, known, rowsInParallel,
                 [&](const Clause &ofGroup) { markEntries(sight, ofGroup, known, !rowsInParallel); });
  });
}

/// Heads of a group that stand in the rows of a tile have lists of their own.
void TileCollector::forEachHead(const ListTerm &term, IRMapping &known, llvm::function_ref<void()> body) {
  int64_t packed = conditions.packed();
  bool differs = packed > 1 && llvm::any_of(placeOf(memberOf(term)), [&](Value value) {
                   return conditions.dependsOnHead(*term.conjunct, value);
                 });
  if (!differs)
    return body();
  Location loc = walk.getLoc();
  Value zero = arith::ConstantIndexOp::create(builder, loc, 0),
        heads = arith::ConstantIndexOp::create(builder, loc, packed);
  Value head = memberOf(term)->getParentOfType<func::FuncOp>().getArgument(kHead);
  loop(zero, heads, /*inParallel=*/false, [&](Value number) {
    Value first = arith::MulIOp::create(builder, loc, conditions.head(), heads);
    IRMapping outer = known;
    known.map(head, arith::AddIOp::create(builder, loc, first, number).getResult());
    body();
    known = outer;
  });
}

//===-- rows that share a row of a list -------------------------------------------===//

/// Values of the function that `value` is made of and that `isNumber` picks; false where it depends on rows otherwise.
static bool findNumbers(const MaskAnalysis &analysis, Value value, llvm::function_ref<bool(Value)> isNumber,
                        llvm::SetVector<Value> &found) {
  if (!(analysis.dependence(value) & (kOnRow | kOnQuery)))
    return true;
  if (isNumber(value)) {
    found.insert(value);
    return true;
  }
  Operation *op = value.getDefiningOp();
  return op && llvm::all_of(op->getOperands(),
                            [&](Value operand) { return findNumbers(analysis, operand, isNumber, found); });
}

/// All that a list's row depends on is one division of the row's index or position by a constant.
bool TileCollector::groupsByDivision(const ListTerm &term, RowGroups &groups) {
  std::optional<AffineForm> common;
  const MaskAnalysis &analysis = *term.conjunct->analysis;
  auto isNumber = [&](Value value) {
    std::optional<ConstantDivision> division = ConstantDivision::match(value);
    if (!division)
      return false;
    std::optional<AffineForm> form = analysis.form(division->dividend).plus(AffineForm::number(division->offset));
    if (!form || form->row + form->query != 1 || (form->row && form->query) || !form->symbols.empty())
      return false;
    if (common && (!(*common == *form) || groups.divisor != division->divisor))
      return false;
    common = form;
    groups.divisor = division->divisor;
    return true;
  };
  if (!llvm::all_of(placeOf(memberOf(term)),
                    [&](Value value) { return findNumbers(analysis, value, isNumber, groups.numbers); }))
    return false;
  std::optional<Linear> base = common ? conditions.linear(*term.conjunct, *common) : std::nullopt;
  if (!base || groups.divisor > kMostDivisor)
    return false;
  groups.base = *base;
  return true;
}

bool TileCollector::groupsByRow(const ListTerm &term, RowGroups &groups) {
  groups = RowGroups();
  groups.base = Linear::variable(conditions.row);
  auto isNumber = [&](Value value) {
    auto argument = dyn_cast<BlockArgument>(value);
    return argument &&
           (argument.getArgNumber() == kRow || (argument.getArgNumber() == kQuery && conditions.rowPosition));
  };
  return llvm::all_of(placeOf(memberOf(term)), [&](Value value) {
    return findNumbers(*term.conjunct->analysis, value, isNumber, groups.numbers);
  });
}

std::optional<TileCollector::RowGroups> TileCollector::groupsOf(const ListTerm &term) {
  RowGroups groups;
  if (groupsByDivision(term, groups) || groupsByRow(term, groups))
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
