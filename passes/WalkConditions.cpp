// SPDX-License-Identifier: Apache-2.0
// Reads a walk, its mask and the views they see; translates the trees of mask functions into inequalities.
#include "passes/WalkConditions.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;

namespace attn {

/// Sums of positions with small factors stay below it, and sums of a few such numbers fit 64 bits.
static constexpr int64_t kHuge = int64_t(1) << 40;
/// More alternatives than this are not followed.
static constexpr size_t kMostClauses = 16;

static constexpr StringLiteral kNotAffine = "has terms that are not affine in the positions",
                               kTooLarge = "has numbers too large to reason about",
                               kTooLong = "has too many alternatives",
                               kNoPosition = "asks for positions that the views do not state",
                               kNotBefore = "uses values that are not known before the walk",
                               kManyHeads = "depends on the head, of which the rows of a tile have several";

WalkConditions::WalkConditions(tile::WalkOp walk, tile::MaskOp mask, OpBuilder &builder)
    : emitter(builder, walk.getLoc(), system), row(system.unknown()), column(system.unknown()), walk(walk), mask(mask),
      builder(builder) {
  readColumns();
  if (mask)
    readRows();
}

/// An index, length or position of a sequence: the launcher checks that it is below 2^30.
Linear WalkConditions::moderate(Value value, int64_t lowest) {
  moderates.insert(value);
  Linear linear = system.linear(value);
  if (!linear.terms.empty())
    emitter.setRange(linear.terms.begin()->first, lowest, kFarAway);
  return linear;
}

Linear WalkConditions::length(Value view) {
  auto op = view.getDefiningOp<tile::ViewOp>();
  Value rows = op ? op.getLength() : Value();
  if (!op)
    rows = tile::ExtentOp::create(builder, walk.getLoc(), builder.getIndexType(), view);
  Linear linear = moderate(rows, 0);
  system.fact(linear);
  return linear;
}

void WalkConditions::position(tile::ViewOp view, std::optional<Linear> &linear) {
  if (!view || view.getPositions())
    return;
  if (Value first = view.getPosition() ? view.getPosition() : view.getIndex())
    linear = moderate(first, -kFarAway);
  else
    linear = Linear(0);
}

void WalkConditions::readColumns() {
  if (mask) {
    extent = length(walk.getView());
    auto view = walk.getView().getDefiningOp<tile::ViewOp>();
    position(view, columnPosition);
    if (view && view.getIndex())
      columnIndex = moderate(view.getIndex(), 0);
  }
  from = moderate(walk.getFrom(), 0);
  to = moderate(walk.getTo(), 0);
}

void WalkConditions::readRows() {
  rowsView = mask.getRows().getDefiningOp<tile::ViewOp>();
  int64_t rows = cast<RankedTensorType>(mask.getTile().getType()).getDimSize(0);
  firstRow = moderate(mask.getRow(), 0);
  lastOfTile = firstRow.plus(rows - 1);
  rowCount = length(mask.getRows());
  if (rowsView && rowsView.getPacked() > 1)
    readTokens(rows, rowsView.getPacked());
  position(rowsView, rowPosition);
  if (rowsView) {
    moderates.insert(rowsView.getBatch());
    moderates.insert(rowsView.getHead());
  }
  for (const Linear &token : {firstRow, lastOfTile})
    if (rowPosition && rowPosition->terms.size() == 1 && token.terms.size() == 1)
      emitter.addPosition(rowPosition->terms.begin()->first, token.terms.begin()->first);
  Linear r = Linear::variable(row);
  always = {r.plus(firstRow, -1), lastOfTile.plus(r, -1), rowCount.plus(r, -1).plus(-1)};
  system.fact(firstRow);
  system.fact(rowCount.plus(firstRow, -1).plus(-1));
}

/// The factor that a value is a product with, or 1.
static int64_t factorOf(Value value) {
  APInt factor;
  auto product = value.getDefiningOp<arith::MulIOp>();
  if (product && matchPattern(product.getRhs(), m_ConstantInt(&factor)) && factor.isStrictlyPositive())
    return factor.getSExtValue();
  return 1;
}

/// From rows of the view to the tokens that stand in them.
void WalkConditions::readTokens(int64_t rows, int64_t packed) {
  Value first = mask.getRow(), length = rowsView.getLength();
  if (factorOf(length) == packed)
    rowCount = moderate(length.getDefiningOp<arith::MulIOp>().getLhs(), 0);
  else
    rowCount = moderate(emitter.index(emitter.ceilDivide(emitter.emit(rowCount), packed)), 0);
  bool whole = rows % packed == 0 && factorOf(first) % packed == 0;
  Linear lastRow = lastOfTile;
  firstRow = moderate(emitter.index(emitter.floorDivide(emitter.emit(firstRow), packed)), 0);
  lastOfTile = firstRow.plus(rows / packed - 1);
  if (whole)
    return;
  Linear fewest = firstRow.plus((rows - 1) / packed);
  lastOfTile = moderate(emitter.index(emitter.floorDivide(emitter.emit(lastRow), packed)), 0);
  system.fact(lastOfTile.plus(fewest, -1));
  system.fact(fewest.plus(1).plus(lastOfTile, -1));
}

Clause WalkConditions::visitedColumns() {
  int64_t step = walk.getStep();
  Linear c = Linear::variable(column), first = from, last = to;
  if (from.terms.empty())
    first = Linear(llvm::divideFloorSigned(from.constant, step) * step);
  else
    first = from.plus(1 - step);
  if (to.terms.empty())
    last = Linear(llvm::divideCeilSigned(to.constant, step) * step - 1);
  else
    last = to.plus(step - 2);
  return {c.plus(first, -1), last.plus(c, -1)};
}

//===-- the list of functions ---------------------------------------------------===//

LogicalResult WalkConditions::readConjuncts() {
  ValueRange params = mask.getParams();
  for (Attribute entry : mask.getBy()) {
    auto name = dyn_cast<FlatSymbolRefAttr>(entry);
    auto function = name ? SymbolTable::lookupNearestSymbolFrom<func::FuncOp>(mask, name) : func::FuncOp();
    if (!function)
      return mask.emitOpError("expects functions, got ") << entry;
    FunctionType type = function.getFunctionType();
    bool fits = type.getNumInputs() >= kCoordinates && type.getNumResults() == 1 && type.getResult(0).isInteger(1) &&
                llvm::all_of(type.getInputs().take_front(kCoordinates), [](Type input) { return input.isIndex(); });
    if (!fits) {
      InFlightDiagnostic error = mask.emitOpError("expects ")
                                 << name << " to be a function (b, h, row, column, q, kv, parameters...) -> i1, got "
                                 << type;
      error.attachNote(function.getLoc()) << "defined here";
      return error;
    }
    Conjunct conjunct;
    conjunct.name = name;
    conjunct.inBounds = name.getValue() == tile::kInBounds;
    TypeRange wanted = TypeRange(type.getInputs()).drop_front(kCoordinates);
    if (params.size() < wanted.size() || TypeRange(params.take_front(wanted.size())) != wanted)
      return mask.emitOpError("expects parameters for ")
             << name << " of types (" << wanted << "), got (" << params.getTypes() << ")";
    llvm::append_range(conjunct.params, params.take_front(wanted.size()));
    params = params.drop_front(wanted.size());
    if (!conjunct.inBounds && !function.isExternal() && function.getBody().hasOneBlock())
      conjunct.analysis = std::make_unique<MaskAnalysis>(function);
    if (!conjunct.inBounds && !conjunct.analysis)
      conjunct.flaw = "has no body";
    conjuncts.push_back(std::move(conjunct));
  }
  if (!params.empty())
    return mask.emitOpError("expects no parameters beyond those of its functions, got ") << params.size() << " more";
  return success();
}

//===-- clauses -----------------------------------------------------------------===//

SmallVector<Clause, 4> WalkConditions::clauses(Conjunct &conjunct, bool negated) {
  Linear c = Linear::variable(column);
  if (conjunct.inBounds)
    return {Clause{negated ? c.plus(extent, -1) : extent.plus(c, -1).plus(-1)}};
  if (!conjunct.analysis)
    return {Clause{}};
  const MaskTree &tree = conjunct.analysis->tree();
  return clauses(conjunct, negated ? tree.negate() : tree);
}

Clause WalkConditions::listed(Conjunct &conjunct, const MaskTree &tree) {
  Clause clause;
  bool ofColumn = tree.kind == MaskTree::Kind::Member
                      ? tree.form.key + tree.form.column != 0
                      : conjunct.analysis->blockNumbersOf(tree.condition, kOnColumn).has_value();
  if (ofColumn)
    clause.terms.push_back({&conjunct, tree});
  else
    conjunct.flaw = kNotAffine;
  return clause;
}

/// Only if a tile may do without these residues, however few pairs an edge leaves of it: else its list would hold all.
Clause WalkConditions::residue(Conjunct &conjunct, const MaskTree &tree) {
  Clause clause;
  int64_t rows = cast<RankedTensorType>(mask.getTile().getType()).getDimSize(0);
  int64_t numbers = 1 + std::abs(tree.form.key + tree.form.column) * (int64_t(walk.getStep()) - 1) +
                    std::abs(tree.form.query + tree.form.row) * (std::max<int64_t>(rows / packed(), 1) - 1);
  bool always =
      tree.modulus.isConstant() && tree.bound.isConstant() && numbers >= tree.modulus.constant - tree.bound.constant;
  if (!always)
    clause.terms.push_back({&conjunct, tree});
  return clause;
}

/// A comparison as an inequality, if it has one.
Clause WalkConditions::compared(Conjunct &conjunct, const MaskTree &tree) {
  bool isOrdered = tree.kind == MaskTree::Kind::Ordered;
  if (std::optional<Linear> linear = isOrdered ? ordered(conjunct, tree) : translate(conjunct, tree.form))
    return {*linear};
  if (conjunct.flaw.empty())
    conjunct.flaw = kNotAffine;
  return {};
}

SmallVector<Clause, 4> WalkConditions::clauses(Conjunct &conjunct, const MaskTree &tree) {
  SmallVector<Clause, 4> result;
  switch (tree.kind) {
  case MaskTree::Kind::True:
    return {Clause{}};
  case MaskTree::Kind::False:
    return {};
  case MaskTree::Kind::Affine:
  case MaskTree::Kind::Ordered:
    return {compared(conjunct, tree)};
  case MaskTree::Kind::Member:
    return {listed(conjunct, tree)};
  case MaskTree::Kind::Opaque:
    if (std::optional<MaskTree> refined = conjunct.analysis->refined(tree.condition))
      return clauses(conjunct, tree.negated ? refined->negate() : *refined);
    return {listed(conjunct, tree)};
  case MaskTree::Kind::Residue:
    return {residue(conjunct, tree)};
  case MaskTree::Kind::Or:
    for (const MaskTree &child : tree.children)
      llvm::append_range(result, clauses(conjunct, child));
    break;
  case MaskTree::Kind::And:
    result.push_back({});
    for (const MaskTree &child : tree.children) {
      SmallVector<Clause, 4> longer, alternatives = clauses(conjunct, child);
      for (const Clause &clause : result)
        for (const Clause &alternative : alternatives) {
          longer.push_back(clause);
          longer.back().addAll(alternative);
        }
      if (longer.size() <= kMostClauses)
        result = std::move(longer);
      else
        conjunct.flaw = kTooLong; // this child is left out
    }
  }
  if (result.size() <= kMostClauses)
    return result;
  conjunct.flaw = kTooLong;
  return {Clause{}};
}

Clause WalkConditions::necessary(Conjunct &conjunct) {
  if (conjunct.inBounds)
    return clauses(conjunct, false).front();
  Clause result;
  if (!conjunct.analysis)
    return result;
  const MaskTree &tree = conjunct.analysis->tree();
  auto add = [&](const MaskTree &leaf) {
    std::optional<Linear> linear =
        leaf.kind == MaskTree::Kind::Affine ? translate(conjunct, leaf.form) : std::optional<Linear>();
    if (linear)
      result.push_back(*linear);
  };
  add(tree);
  if (tree.kind == MaskTree::Kind::And)
    llvm::for_each(tree.children, add);
  return result;
}

static std::nullopt_t flawed(Conjunct &conjunct, StringRef why) {
  conjunct.flaw = why;
  return std::nullopt;
}

//===-- from forms to linear expressions ------------------------------------------===//

std::optional<Linear> WalkConditions::translate(Conjunct &conjunct, const AffineForm &form) {
  return atUniformPoint<std::optional<Linear>>([&] { return translateHere(conjunct, form); });
}

std::optional<Linear> WalkConditions::translateHere(Conjunct &conjunct, const AffineForm &form) {
  if ((form.query && !rowPosition) || (form.key && !columnPosition))
    return flawed(conjunct, kNoPosition);
  Linear result;
  int64_t weight = 0;
  unsigned hugeNumbers = std::abs(form.constant) > kHuge / 2;
  auto add = [&](const Linear &linear, int64_t coefficient) {
    if (std::abs(coefficient) > kFarAway || (weight += std::abs(coefficient)) > kFarAway || !linear.isSmall())
      return false;
    result.add(linear, coefficient);
    return true;
  };
  bool small = add(Linear::variable(row), form.row) && add(Linear::variable(column), form.column) &&
               add(Linear::variable(row), form.query) && add(Linear::variable(column), form.key);
  if (form.column)
    small = small && add(columnIndex, form.column);
  if (form.query)
    small = small && add(*rowPosition, form.query);
  if (form.key)
    small = small && add(*columnPosition, form.key);
  for (const AffineForm::Term &term : form.symbols) {
    bool saturated = false;
    std::optional<Linear> linear = symbol(conjunct, term.symbol, saturated);
    if (!linear)
      return std::nullopt;
    small = small && add(*linear, term.coefficient);
    hugeNumbers += saturated;
  }
  // One number that outweighs all others may be cut off at kHuge; with two of them that would change the sign.
  if (!small || hugeNumbers > 1 || (hugeNumbers && weight > 128))
    return flawed(conjunct, kTooLarge);
  result.add(std::clamp(form.constant, -kHuge, kHuge));
  return result.isSmall() ? std::optional<Linear>(result) : flawed(conjunct, kTooLarge);
}

bool WalkConditions::dependsOnHead(Conjunct &conjunct, Value value) {
  if (auto argument = dyn_cast<BlockArgument>(value))
    return argument.getArgNumber() == kHead;
  return llvm::any_of(value.getDefiningOp()->getOperands(),
                      [&](Value operand) { return dependsOnHead(conjunct, operand); });
}

std::optional<Linear> WalkConditions::symbol(Conjunct &conjunct, Value value, bool &saturated) {
  unsigned dependence = conjunct.analysis->dependence(value);
  if (rowsView && rowsView.getPacked() > 1 && dependsOnHead(conjunct, value))
    return flawed(conjunct, kManyHeads);
  if (dependence == kUniform)
    return uniform(conjunct, value, saturated);
  std::optional<Linear> ofRow;
  if (!(dependence & kOnColumn))
    ofRow = rowDivision(conjunct, value);
  if (!ofRow && !(dependence & kOnColumn))
    ofRow = rowValue(conjunct, value);
  return ofRow ? ofRow : flawed(conjunct, kNotAffine);
}

std::optional<Linear> WalkConditions::uniform(Conjunct &conjunct, Value value, bool &saturated) {
  Value known = compute(conjunct, value);
  if (!known)
    return flawed(conjunct, kNotBefore);
  APInt number;
  if (matchPattern(known, m_ConstantInt(&number))) {
    saturated = number.abs().ugt(kHuge / 2);
    return Linear(number.getSignificantBits() > 64 ? kHuge : std::clamp(number.getSExtValue(), -kHuge, kHuge));
  }
  if (moderates.contains(known) || known.getDefiningOp<memref::DimOp>() || known.getDefiningOp<tile::ProgramOp>())
    return system.linear(known);
  Value &converted = conjunct.before[known];
  Type type = known.getType();
  auto cast = known.getDefiningOp<arith::IndexCastOp>();
  Type narrow = cast && known.getType().isIndex() ? cast.getIn().getType() : type;
  if (!narrow.isIndex() && narrow.getIntOrFloatBitWidth() <= 32) {
    if (!converted)
      converted =
          type.isIndex() ? known : arith::IndexCastOp::create(builder, walk.getLoc(), builder.getIndexType(), known);
    Linear linear = system.linear(converted);
    emitter.setRange(linear.terms.begin()->first, INT32_MIN, INT32_MAX);
    return linear;
  }
  if (!converted) {
    Value wide = known;
    if (type.isIndex())
      wide = arith::IndexCastOp::create(builder, walk.getLoc(), builder.getI64Type(), known);
    if (wide.getType() != builder.getI64Type())
      return flawed(conjunct, kTooLarge);
    converted = emitter.clamp(wide, -kHuge, kHuge);
  }
  Linear linear = system.linear(converted);
  emitter.setRange(linear.terms.begin()->first, -kHuge, kHuge);
  saturated = true;
  return linear;
}

/// floor(x / n), where x changes with the row, takes its least and its greatest value in the first and the last row.
std::optional<Linear> WalkConditions::rowDivision(Conjunct &conjunct, Value value) {
  if (auto known = conjunct.rowDivisions.find(value); known != conjunct.rowDivisions.end())
    return Linear::variable(known->second);
  std::optional<ConstantDivision> division = ConstantDivision::match(value);
  std::optional<AffineForm> dividend;
  if (division)
    dividend = conjunct.analysis->form(division->dividend).plus(AffineForm::number(division->offset));
  if (!dividend || (conjunct.analysis->dependence(*dividend) & kOnColumn))
    return std::nullopt;
  std::optional<Linear> x = translate(conjunct, *dividend);
  int64_t slope = x ? x->coefficient(row) : 0;
  bool others =
      x && llvm::any_of(x->terms, [&](auto term) { return term.first != row && !system.valueOf(term.first); });
  if (!slope || others)
    return std::nullopt;
  Linear ends[] = {firstRow, moderate(lastRow(), 0)};
  if (slope < 0)
    std::swap(ends[0], ends[1]);
  unsigned unknown = system.unknown();
  for (unsigned i : {0, 1}) {
    Linear at = x->plus(Linear::variable(row), -slope).plus(ends[i], slope);
    Value quotient = emitter.index(emitter.floorDivide(emitter.emit(at), division->divisor));
    Linear bound = system.linear(quotient);
    Linear rest = at.plus(bound, -division->divisor);
    system.fact(rest);
    system.fact(Linear(division->divisor - 1).plus(rest, -1));
    Linear above = Linear::variable(unknown).plus(bound, -1);
    always.push_back(i == 0 ? above : Linear().add(above, -1));
  }
  conjunct.rowDivisions[value] = unknown;
  return Linear::variable(unknown);
}

Value WalkConditions::rebuild(Conjunct &conjunct, Value value, IRMapping &known) {
  if (Value given = known.lookupOrNull(value))
    return given;
  if (conjunct.analysis->dependence(value) == kUniform && (packed() == 1 || !dependsOnHead(conjunct, value)))
    return atUniformPoint<Value>([&] { return compute(conjunct, value); });
  Operation *op = value.getDefiningOp();
  if (!op || op->getNumRegions())
    return Value();
  IRMapping operands;
  for (Value operand : op->getOperands()) {
    Value rebuilt = rebuild(conjunct, operand, known);
    if (!rebuilt)
      return Value();
    operands.map(operand, rebuilt);
  }
  Operation *clone = builder.clone(*op, operands);
  known.map(op->getResults(), clone->getResults());
  return known.lookup(value);
}

/// A value of the function that is the same for the whole tile, as a value before the walk; null if there is none.
Value WalkConditions::compute(Conjunct &conjunct, Value value) {
  auto outside = [&](Value known) { return walk.getBody().isAncestor(known.getParentRegion()) ? Value() : known; };
  if (auto argument = dyn_cast<BlockArgument>(value)) {
    unsigned number = argument.getArgNumber();
    if (number >= kCoordinates) {
      Value param = conjunct.params[number - kCoordinates];
      Operation *op = param.getDefiningOp();
      if (!outside(param) && op && op->hasTrait<OpTrait::ConstantLike>())
        return builder.clone(*op)->getResult(0);
      return outside(param);
    }
    if (!rowsView || (number != kBatch && number != kHead))
      return Value();
    return outside(number == kBatch ? rowsView.getBatch() : rowsView.getHead());
  }
  if (Value known = conjunct.before.lookup(value))
    return known;
  Operation *op = value.getDefiningOp();
  if (op->getNumRegions())
    return Value();
  IRMapping mapping;
  for (Value operand : op->getOperands()) {
    Value known = compute(conjunct, operand);
    if (!known)
      return Value();
    mapping.map(operand, known);
  }
  Operation *clone = builder.clone(*op, mapping);
  for (auto [result, copy] : llvm::zip(op->getResults(), clone->getResults()))
    conjunct.before[result] = copy;
  return conjunct.before[value];
}

} // namespace attn
