// SPDX-License-Identifier: Apache-2.0
// Reads mask functions into trees of affine comparisons.
#include "passes/MaskAnalysis.h"
#include "dialect/Tile.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/OperationSupport.h"
#include <cmath>

using namespace mlir;

namespace attn {

//===-- reading a function ----------------------------------------------------===//

namespace {

/// Without `index` replaced by `by`; the term's coefficient multiplies it.
std::optional<AffineForm> substitute(AffineForm form, unsigned index, const AffineForm &by) {
  int64_t coefficient = form.symbols[index].coefficient;
  form.symbols.erase(form.symbols.begin() + index);
  return form.plus(by, coefficient);
}

/// Largest tree that is worth having: beyond it a condition stays opaque.
constexpr unsigned kMostNodes = 64;

unsigned sizeOf(const MaskTree &tree) {
  unsigned size = 1;
  for (const MaskTree &child : tree.children)
    size += sizeOf(child);
  return size;
}

class Reader {
public:
  Reader(const MaskAnalysis &analysis) : analysis(analysis) {}

  MaskTree treeOf(Value condition, bool negated) {
    MaskTree tree = structureOf(condition, negated);
    return sizeOf(tree) <= kMostNodes ? tree : MaskTree::opaque(condition, negated);
  }

  AffineForm formOf(Value value);

private:
  MaskTree structureOf(Value condition, bool negated);
  MaskTree choice(Value which, Value a, Value b, bool negated);
  MaskTree difference(Value a, Value b, bool negated);
  MaskTree comparison(arith::CmpIOp op, bool negated);
  MaskTree membership(tile::MemberOp op, bool negated);
  std::optional<MaskTree> compare(arith::CmpIPredicate predicate, const AffineForm &a, const AffineForm &b);
  std::optional<MaskTree> compareUnsigned(const AffineForm &a, const AffineForm &b);
  std::optional<MaskTree> atLeast(const AffineForm &a, const AffineForm &b, int64_t by);
  std::optional<MaskTree> nonNegative(const AffineForm &form);
  std::optional<MaskTree> expand(const AffineForm &form, unsigned index);
  std::optional<MaskTree> expandDivision(const AffineForm &form, unsigned index, ConstantDivision division);
  std::optional<MaskTree> either(const AffineForm &form, unsigned index, const AffineForm &a, const AffineForm &b,
                                 bool smaller);

  std::optional<AffineForm> arithmetic(Operation *op);
  AffineForm symbol(Value value);
  bool sameValue(Value a, Value b);
  bool neverNegative(const AffineForm &form);
  bool fits(const AffineForm &form, unsigned width);

  const MaskAnalysis &analysis;
  SmallVector<Value> symbols;
  unsigned expansions = 0;
};

unsigned widthOf(Type type) { return type.isIndex() ? 64 : type.getIntOrFloatBitWidth(); }

//===-- conditions

MaskTree Reader::structureOf(Value condition, bool negated) {
  Operation *op = condition.getDefiningOp();
  if (std::optional<int64_t> number = integerConstantOf(condition))
    return MaskTree::truth((*number != 0) != negated);
  if (isa_and_nonnull<arith::AndIOp, arith::OrIOp>(op)) {
    std::vector<MaskTree> sides = {treeOf(op->getOperand(0), negated), treeOf(op->getOperand(1), negated)};
    return isa<arith::AndIOp>(op) != negated ? MaskTree::all(std::move(sides)) : MaskTree::any(std::move(sides));
  }
  if (isa_and_nonnull<arith::XOrIOp>(op))
    return difference(op->getOperand(0), op->getOperand(1), negated);
  if (auto select = dyn_cast_or_null<arith::SelectOp>(op);
      select && select.getCondition().getType() == condition.getType())
    return choice(select.getCondition(), select.getTrueValue(), select.getFalseValue(), negated);
  if (auto compare = dyn_cast_or_null<arith::CmpIOp>(op))
    return comparison(compare, negated);
  if (auto member = dyn_cast_or_null<tile::MemberOp>(op))
    return membership(member, negated);
  return MaskTree::opaque(condition, negated);
}

/// which ? a : b
MaskTree Reader::choice(Value which, Value a, Value b, bool negated) {
  return MaskTree::any({MaskTree::all({treeOf(which, false), treeOf(a, negated)}),
                        MaskTree::all({treeOf(which, true), treeOf(b, negated)})});
}

/// a != b of conditions, or a == b if negated
MaskTree Reader::difference(Value a, Value b, bool negated) {
  return MaskTree::any(
      {MaskTree::all({treeOf(a, false), treeOf(b, !negated)}), MaskTree::all({treeOf(a, true), treeOf(b, negated)})});
}

MaskTree Reader::comparison(arith::CmpIOp op, bool negated) {
  arith::CmpIPredicate predicate = op.getPredicate();
  Value a = op.getLhs(), b = op.getRhs();
  if (a.getType().isInteger(1)) {
    if (predicate == arith::CmpIPredicate::eq || predicate == arith::CmpIPredicate::ne)
      return difference(a, b, negated != (predicate == arith::CmpIPredicate::eq));
    return MaskTree::opaque(op, negated);
  }
  if (!a.getType().isIntOrIndex())
    return MaskTree::opaque(op, negated);
  if (negated)
    predicate = arith::invertPredicate(predicate);
  std::optional<MaskTree> tree = compare(predicate, formOf(a), formOf(b));
  return tree ? *tree : MaskTree::opaque(op, negated);
}

/// Of a number that moves by one from column to column, or is such a number divided by a constant.
MaskTree Reader::membership(tile::MemberOp op, bool negated) {
  auto onColumn = [&](const AffineForm::Term &term) { return (analysis.dependence(term.symbol) & kOnColumn) != 0; };
  AffineForm form = formOf(op.getValue());
  int64_t divisor = 1;
  if (form.symbols.size() == 1 && onColumn(form.symbols[0])) {
    std::optional<ConstantDivision> division = ConstantDivision::match(form.symbols[0].symbol);
    AffineForm rest = form;
    rest.symbols.clear();
    if (!division || form.symbols[0].coefficient != 1 || !(rest == AffineForm::number(rest.constant)))
      return MaskTree::opaque(op.getFound(), negated);
    // floor((x + offset) / n) + c = floor((x + offset + c n) / n)
    std::optional<AffineForm> dividend = formOf(division->dividend).plus(AffineForm::number(division->offset));
    dividend = dividend ? dividend->plus(AffineForm::number(division->divisor), form.constant) : dividend;
    if (!dividend)
      return MaskTree::opaque(op.getFound(), negated);
    form = *dividend;
    divisor = division->divisor;
  }
  bool listed = llvm::any_of(ValueRange(op->getOperands()).drop_front(),
                             [&](Value operand) { return analysis.dependence(operand) & kOnColumn; });
  if (listed || llvm::any_of(form.symbols, onColumn) || std::abs(form.key + form.column) > 1)
    return MaskTree::opaque(op.getFound(), negated);
  return MaskTree::member(op.getFound(), form, divisor, negated);
}

std::optional<MaskTree> Reader::compare(arith::CmpIPredicate predicate, const AffineForm &a, const AffineForm &b) {
  using Predicate = arith::CmpIPredicate;
  auto both = [](std::optional<MaskTree> x, std::optional<MaskTree> y, bool conjunction) -> std::optional<MaskTree> {
    if (!x || !y)
      return std::nullopt;
    return conjunction ? MaskTree::all({*x, *y}) : MaskTree::any({*x, *y});
  };
  auto inverse = [](std::optional<MaskTree> x) { return x ? std::optional<MaskTree>(x->negate()) : x; };
  switch (predicate) {
  case Predicate::sge:
    return atLeast(a, b, 0);
  case Predicate::sgt:
    return atLeast(a, b, 1);
  case Predicate::sle:
    return atLeast(b, a, 0);
  case Predicate::slt:
    return atLeast(b, a, 1);
  case Predicate::eq:
    return both(atLeast(a, b, 0), atLeast(b, a, 0), true);
  case Predicate::ne:
    return both(atLeast(a, b, 1), atLeast(b, a, 1), false);
  case Predicate::ult:
    return compareUnsigned(a, b);
  case Predicate::ugt:
    return compareUnsigned(b, a);
  case Predicate::uge:
    return inverse(compareUnsigned(a, b));
  case Predicate::ule:
    return inverse(compareUnsigned(b, a));
  }
  llvm_unreachable("all predicates are handled");
}

/// a < b as unsigned numbers, where a negative number is larger than every other. One side must be known.
std::optional<MaskTree> Reader::compareUnsigned(const AffineForm &a, const AffineForm &b) {
  std::optional<MaskTree> less = atLeast(b, a, 1);
  if (less && neverNegative(b)) {
    std::optional<MaskTree> positive = nonNegative(a);
    return positive ? std::optional<MaskTree>(MaskTree::all({*positive, *less})) : std::nullopt;
  }
  if (less && neverNegative(a)) {
    std::optional<MaskTree> negative = atLeast(AffineForm::number(-1), b, 0);
    return negative ? std::optional<MaskTree>(MaskTree::any({*negative, *less})) : std::nullopt;
  }
  return std::nullopt;
}

/// a - b >= by
std::optional<MaskTree> Reader::atLeast(const AffineForm &a, const AffineForm &b, int64_t by) {
  std::optional<AffineForm> form = a.plus(b, -1);
  if (form)
    form = form->plus(AffineForm::number(by), -1);
  return form ? nonNegative(*form) : std::nullopt;
}

/// form >= 0 as a tree, or nothing if it cannot be freed of symbols that change from column to column.
std::optional<MaskTree> Reader::nonNegative(const AffineForm &form) {
  for (unsigned i = 0; i < form.symbols.size(); ++i)
    if (analysis.dependence(form.symbols[i].symbol) != kUniform && expansions < kMostNodes)
      if (std::optional<MaskTree> tree = expand(form, i))
        return tree;
  if (llvm::any_of(form.symbols, [&](auto &term) { return analysis.dependence(term.symbol) & kOnColumn; }))
    return std::nullopt;
  AffineForm reduced = form.reduced();
  if (!reduced.opposite())
    return std::nullopt;
  return MaskTree::affine(reduced);
}

/// Cases of minimum, maximum, absolute value, choice and division by a constant.
std::optional<MaskTree> Reader::expand(const AffineForm &form, unsigned index) {
  Operation *op = form.symbols[index].symbol.getDefiningOp();
  if (!op)
    return std::nullopt;
  ++expansions;
  auto operand = [&](unsigned i) { return formOf(op->getOperand(i)); };
  if (isa<arith::MinSIOp, arith::MaxSIOp>(op))
    return either(form, index, operand(0), operand(1), isa<arith::MinSIOp>(op));
  if (isa<math::AbsIOp>(op)) {
    std::optional<AffineForm> mirrored = AffineForm().plus(operand(0), -1);
    return mirrored ? either(form, index, operand(0), *mirrored, false) : std::nullopt;
  }
  if (auto select = dyn_cast<arith::SelectOp>(op); select && select.getCondition().getType().isInteger(1)) {
    std::optional<AffineForm> yes = substitute(form, index, operand(1)), no = substitute(form, index, operand(2));
    std::optional<MaskTree> a = yes ? nonNegative(*yes) : std::nullopt, b = no ? nonNegative(*no) : std::nullopt;
    if (!a || !b)
      return std::nullopt;
    return MaskTree::any({MaskTree::all({treeOf(select.getCondition(), false), *a}),
                          MaskTree::all({treeOf(select.getCondition(), true), *b})});
  }
  if (std::optional<ConstantDivision> division = ConstantDivision::match(form.symbols[index].symbol))
    return expandDivision(form, index, *division);
  return std::nullopt;
}

/// The form with the smaller (or larger) of two forms in place of a symbol.
std::optional<MaskTree> Reader::either(const AffineForm &form, unsigned index, const AffineForm &a, const AffineForm &b,
                                       bool smaller) {
  std::optional<AffineForm> with[] = {substitute(form, index, a), substitute(form, index, b)};
  std::vector<MaskTree> sides;
  for (std::optional<AffineForm> &side : with) {
    std::optional<MaskTree> tree = side ? nonNegative(*side) : std::nullopt;
    if (!tree)
      return std::nullopt;
    sides.push_back(*tree);
  }
  bool conjunction = smaller == (form.symbols[index].coefficient > 0);
  return conjunction ? MaskTree::all(std::move(sides)) : MaskTree::any(std::move(sides));
}

/// floor(x / n) + rest >= 0 is x + n rest >= 0, and rest - floor(x / n) >= 0 is n rest + n - 1 - x >= 0. Only for
/// divisions of the column: one of the row alone stays a symbol, which is cheaper to compute than what replaces it.
std::optional<MaskTree> Reader::expandDivision(const AffineForm &form, unsigned index, ConstantDivision division) {
  AffineForm::Term term = form.symbols[index];
  if (!(analysis.dependence(term.symbol) & kOnColumn) || std::abs(term.coefficient) != 1)
    return std::nullopt;
  AffineForm rest = form;
  rest.symbols.erase(rest.symbols.begin() + index);
  std::optional<AffineForm> scaled = AffineForm().plus(rest, division.divisor);
  std::optional<AffineForm> x = formOf(division.dividend).plus(AffineForm::number(division.offset));
  if (scaled && x)
    scaled = scaled->plus(*x, term.coefficient);
  if (scaled && term.coefficient < 0)
    scaled = scaled->plus(AffineForm::number(division.divisor - 1));
  return scaled && x ? nonNegative(*scaled) : std::nullopt;
}

//===-- numbers

AffineForm Reader::formOf(Value value) {
  if (std::optional<int64_t> number = integerConstantOf(value))
    return AffineForm::number(*number);
  AffineForm form;
  auto argument = dyn_cast<BlockArgument>(value);
  if (!argument) {
    std::optional<AffineForm> computed = arithmetic(value.getDefiningOp());
    return computed ? *computed : symbol(value);
  }
  switch (argument.getArgNumber()) {
  case kRow:
    form.row = 1;
    return form;
  case kColumn:
    form.column = 1;
    return form;
  case kQuery:
    form.query = 1;
    return form;
  case kKey:
    form.key = 1;
    return form;
  default:
    return symbol(value);
  }
}

std::optional<AffineForm> Reader::arithmetic(Operation *op) {
  if (op->getNumResults() != 1 || !op->getResult(0).getType().isIntOrIndex() || op->getNumOperands() == 0 ||
      !op->getOperand(0).getType().isIntOrIndex())
    return std::nullopt;
  unsigned width = widthOf(op->getResult(0).getType());
  auto operand = [&](unsigned i) { return formOf(op->getOperand(i)); };
  if (isa<arith::IndexCastOp, arith::ExtSIOp, arith::TruncIOp>(op)) {
    AffineForm form = operand(0);
    bool exact = width >= widthOf(op->getOperand(0).getType()) || fits(form, width);
    return exact ? std::optional<AffineForm>(form) : std::nullopt;
  }
  if (isa<arith::IndexCastUIOp, arith::ExtUIOp>(op)) {
    AffineForm form = operand(0);
    bool exact = neverNegative(form) && (width >= widthOf(op->getOperand(0).getType()) || fits(form, width));
    return exact ? std::optional<AffineForm>(form) : std::nullopt;
  }
  if (width < 32) // narrow sums do wrap in practice
    return std::nullopt;
  if (isa<arith::AddIOp>(op))
    return operand(0).plus(operand(1), 1);
  if (isa<arith::SubIOp>(op))
    return operand(0).plus(operand(1), -1);
  if (isa<arith::MulIOp>(op)) {
    AffineForm a = operand(0), b = operand(1);
    if (b.isConstant())
      return AffineForm().plus(a, b.constant);
    if (a.isConstant())
      return AffineForm().plus(b, a.constant);
  }
  std::optional<int64_t> shift = isa<arith::ShLIOp>(op) ? integerConstantOf(op->getOperand(1)) : std::nullopt;
  if (shift && *shift >= 0 && *shift < 31)
    return AffineForm().plus(operand(0), int64_t(1) << *shift);
  return std::nullopt;
}

/// A value that is taken as it is. Two of the same operation on the same values are one symbol; memory that a mask
/// reads does not change while it runs.
AffineForm Reader::symbol(Value value) {
  auto *known = llvm::find_if(symbols, [&](Value other) { return sameValue(value, other); });
  if (known == symbols.end()) {
    symbols.push_back(value);
    known = symbols.end() - 1;
  }
  AffineForm form;
  form.symbols.push_back({1, *known});
  return form;
}

bool Reader::sameValue(Value a, Value b) {
  if (a == b)
    return true;
  Operation *x = a.getDefiningOp(), *y = b.getDefiningOp();
  if (!x || !y || cast<OpResult>(a).getResultNumber() != cast<OpResult>(b).getResultNumber())
    return false;
  auto check = [&](Value p, Value q) { return success(sameValue(p, q)); };
  return OperationEquivalence::isEquivalentTo(x, y, check, /*markEquivalent=*/nullptr,
                                              OperationEquivalence::IgnoreLocations);
}

/// Rows and columns are counted from 0; positions may be negative.
bool Reader::neverNegative(const AffineForm &form) {
  if (form.query || form.key || form.row < 0 || form.column < 0 || form.constant < 0)
    return false;
  return llvm::all_of(form.symbols, [](const AffineForm::Term &term) {
    Operation *op = term.symbol.getDefiningOp();
    return term.coefficient > 0 && isa_and_nonnull<arith::ExtUIOp, arith::IndexCastUIOp>(op) &&
           widthOf(op->getOperand(0).getType()) < widthOf(op->getResult(0).getType());
  });
}

/// Whether a signed integer of `width` bits holds every value of the form. Rows and positions are below 2^30.
bool Reader::fits(const AffineForm &form, unsigned width) {
  auto magnitude = [](int64_t number) { return std::abs(static_cast<double>(number)); };
  double most = (magnitude(form.query) + magnitude(form.key) + magnitude(form.row) + magnitude(form.column)) * 0x1p30 +
                magnitude(form.constant);
  for (const AffineForm::Term &term : form.symbols)
    most += magnitude(term.coefficient) * std::ldexp(1.0, widthOf(term.symbol.getType()) - 1);
  // Positions stay one below 2^30, so a sum of two of them is still below 2^31.
  return most <= std::ldexp(1.0, width - 1);
}

} // namespace

std::optional<int64_t> integerConstantOf(Value value) {
  APInt number;
  if (matchPattern(value, m_ConstantInt(&number)) && number.getSignificantBits() <= 64)
    return number.getSExtValue();
  return std::nullopt;
}

std::optional<ConstantDivision> ConstantDivision::match(Value value) {
  Operation *op = value.getDefiningOp();
  std::optional<int64_t> number = op && op->getNumOperands() == 2 ? integerConstantOf(op->getOperand(1)) : std::nullopt;
  int64_t divisor = number.value_or(0);
  bool up = isa_and_nonnull<arith::CeilDivSIOp>(op);
  if (isa_and_nonnull<arith::ShRSIOp>(op) && number && divisor >= 0 && divisor < 31)
    divisor = int64_t(1) << divisor;
  else if (!up && !isa_and_nonnull<arith::FloorDivSIOp>(op))
    return std::nullopt;
  if (divisor <= 0 || divisor > INT32_MAX)
    return std::nullopt;
  return ConstantDivision{op->getOperand(0), up ? divisor - 1 : 0, divisor}; // ceil(x / n) = floor((x + n - 1) / n)
}

//===-- the analysis ----------------------------------------------------------===//

unsigned MaskAnalysis::dependence(Value value) const {
  if (auto argument = dyn_cast<BlockArgument>(value)) {
    constexpr unsigned ofCoordinate[kCoordinates] = {kUniform, kUniform, kOnRow, kOnColumn, kOnQuery, kOnColumn};
    bool own = argument.getOwner()->getParentOp() == function;
    if (!own)
      return kOnRow | kOnQuery | kOnColumn;
    return argument.getArgNumber() < kCoordinates ? ofCoordinate[argument.getArgNumber()] : unsigned(kUniform);
  }
  if (auto known = dependences.find(value); known != dependences.end())
    return known->second;
  Operation *op = value.getDefiningOp();
  unsigned result = op->getNumRegions() ? kOnRow | kOnQuery | kOnColumn : unsigned(kUniform);
  for (Value operand : op->getOperands())
    result |= dependence(operand);
  return dependences[value] = result;
}

unsigned MaskAnalysis::dependence(const AffineForm &form) const {
  unsigned result = kUniform;
  if (form.row)
    result |= kOnRow;
  if (form.query)
    result |= kOnQuery;
  if (form.key || form.column)
    result |= kOnColumn;
  for (const AffineForm::Term &term : form.symbols)
    result |= dependence(term.symbol);
  return result;
}

bool MaskAnalysis::findBlockNumbers(Value value, unsigned of, BlockNumbers &found) const {
  if (!(dependence(value) & of))
    return true;
  if (std::optional<ConstantDivision> division = ConstantDivision::match(value)) {
    std::optional<AffineForm> base = form(division->dividend).plus(AffineForm::number(division->offset));
    AffineForm rest = base.value_or(AffineForm());
    int64_t count = rest.row + rest.query + rest.column + rest.key;
    // One coordinate, once.
    bool alone =
        base && count == 1 && rest.symbols.empty() && std::min({rest.row, rest.query, rest.column, rest.key}) >= 0;
    bool alike = found.values.empty() || (found.base == *base && found.divisor == division->divisor);
    if (alone && alike) {
      found.values.insert(value);
      found.base = *base;
      found.divisor = division->divisor;
      return true;
    }
  }
  Operation *op = value.getDefiningOp();
  return op && llvm::all_of(op->getOperands(), [&](Value operand) { return findBlockNumbers(operand, of, found); });
}

std::optional<MaskAnalysis::BlockNumbers> MaskAnalysis::blockNumbersOf(ValueRange values, unsigned of) const {
  BlockNumbers found;
  if (llvm::all_of(values, [&](Value value) { return findBlockNumbers(value, of, found); }) && !found.values.empty())
    return found;
  return std::nullopt;
}

AffineForm MaskAnalysis::form(Value value) const { return Reader(*this).formOf(value); }

MaskAnalysis::MaskAnalysis(func::FuncOp function) : function(function) {
  Value result = function.getBody().front().getTerminator()->getOperand(0);
  root = Reader(*this).treeOf(result, false);
}

} // namespace attn
