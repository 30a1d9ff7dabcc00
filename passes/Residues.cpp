// SPDX-License-Identifier: Apache-2.0
// Comparisons of remainders as intervals on a circle of residues.
#include "passes/MaskRefinement.h"

using namespace mlir;

namespace attn {
namespace {

/// The remainder of floor(x / scale) by a modulus.
struct Remainder {
  AffineForm x, modulus;
  int64_t scale = 1;
  bool truncates = false; ///< takes the sign of the dividend; else it is never negative
};

constexpr int64_t kMostScale = int64_t(1) << 20, kMostModulus = INT32_MAX;

bool neverNegative(const AffineForm &x) {
  return !x.query && !x.key && x.row >= 0 && x.column >= 0 && x.constant >= 0 && x.symbols.empty();
}

bool isSmall(const AffineForm &form) {
  constexpr int64_t most = int64_t(1) << 40;
  return std::abs(form.constant) <= most &&
         llvm::all_of(form.symbols, [](auto &term) { return std::abs(term.coefficient) <= kMostModulus; });
}

AffineForm sum(const AffineForm &a, const AffineForm &b, int64_t factor = 1) {
  return a.plus(b, factor).value_or(AffineForm()); // of numbers that isSmall has seen
}

/// A dividend that is a quotient itself: floor(f / n) + c = floor((f + c n) / n).
bool readDividend(const MaskAnalysis &analysis, Value value, Remainder &remainder) {
  auto onColumn = [&](const AffineForm::Term &term) { return (analysis.dependence(term.symbol) & kOnColumn) != 0; };
  remainder.x = analysis.form(value);
  AffineForm &x = remainder.x;
  if (x.symbols.size() == 1 && onColumn(x.symbols[0]) && x.symbols[0].coefficient == 1) {
    std::optional<ConstantDivision> division = ConstantDivision::match(x.symbols[0].symbol);
    AffineForm rest = x;
    rest.symbols.clear();
    if (!division || division->divisor > kMostScale || !rest.isConstant())
      return false;
    remainder.scale = division->divisor;
    x = sum(analysis.form(division->dividend), AffineForm::number(division->offset));
    x = sum(x, rest, division->divisor);
  }
  return isSmall(x) && llvm::none_of(x.symbols, onColumn);
}

std::optional<Remainder> remainderOf(const MaskAnalysis &analysis, Value value) {
  Operation *op = value.getDefiningOp();
  Remainder remainder;
  if (!isa_and_nonnull<arith::RemSIOp, arith::RemUIOp, arith::AndIOp>(op) || value.getType().isInteger(1))
    return std::nullopt;
  if (!readDividend(analysis, op->getOperand(0), remainder))
    return std::nullopt;
  std::optional<int64_t> number = integerConstantOf(op->getOperand(1));
  bool isMask = isa<arith::AndIOp>(op);
  if (number && (isMask ? *number < 0 : *number == 0))
    return std::nullopt;
  if (number) {
    int64_t modulus = isMask ? *number + 1 : std::abs(*number);
    if (modulus > kMostModulus)
      return std::nullopt;
    bool isPower = llvm::isPowerOf2_64(modulus);
    remainder.modulus = AffineForm::number(modulus);
    remainder.truncates = isa<arith::RemSIOp>(op) && !neverNegative(remainder.x);
    if (isMask ? isPower : remainder.truncates || isPower || neverNegative(remainder.x))
      return remainder;
    return std::nullopt;
  }
  remainder.modulus = analysis.form(op->getOperand(1));
  if (!isa<arith::RemSIOp>(op) || analysis.dependence(remainder.modulus) != kUniform || !isSmall(remainder.modulus))
    return std::nullopt;
  remainder.truncates = !neverNegative(remainder.x);
  return remainder;
}

/// Trees about one remainder.
class Circle {
public:
  explicit Circle(const Remainder &of) : of(of), last(sum(of.modulus, AffineForm::number(-1))) {}

  MaskTree atLeast(const AffineForm &number) const {
    if (!of.truncates)
      return MaskTree::any({notAbove(number, 0), between(number, last)});
    MaskTree notNegative = MaskTree::affine(of.x);
    return MaskTree::any(
        {MaskTree::all({MaskTree::affine(sum(number, AffineForm::number(-1))), notNegative, between(number, last)}),
         MaskTree::all({notAbove(number, 0), MaskTree::any({notNegative, between(number, AffineForm())})})});
  }

  MaskTree equal(const AffineForm &number) const {
    if (number == AffineForm())
      return between(number, number);
    MaskTree positive = MaskTree::all({MaskTree::affine(number), reaches(number, 1), between(number, number)});
    if (!of.truncates)
      return positive;
    AffineForm mirrored = sum(AffineForm::number(of.scale - 1), of.x, -1); // floor(x / scale) <= 0
    return MaskTree::any({MaskTree::all({positive, MaskTree::affine(of.x)}),
                          MaskTree::all({notAbove(number, 0), reaches(number, -1), MaskTree::affine(mirrored),
                                         between(number, number)})});
  }

private:
  static MaskTree notAbove(const AffineForm &number, int64_t most) {
    return MaskTree::affine(sum(AffineForm::number(most), number, -1));
  }

  /// Whether sign * number < modulus; where the modulus is not positive, nobody knows.
  MaskTree reaches(const AffineForm &number, int64_t sign) const {
    return MaskTree::any({MaskTree::affine(sum(last, number, -sign)), notAbove(of.modulus, 0)});
  }

  /// The residue is one of those from `low` on to `high`, around the circle.
  MaskTree between(const AffineForm &low, const AffineForm &high) const {
    AffineForm form = sum(of.x, low, -of.scale);
    AffineForm bound = sum(AffineForm::number(of.scale - 1), sum(high, low, -1), of.scale);
    return MaskTree::residue(form, sum(AffineForm(), of.modulus, of.scale), bound);
  }

  const Remainder &of;
  AffineForm last;
};

} // namespace

std::optional<MaskTree> refineRemainder(const MaskAnalysis &analysis, const SymbolComparison &comparison) {
  std::optional<Remainder> remainder = remainderOf(analysis, comparison.symbol);
  if (!remainder || analysis.dependence(comparison.threshold) != kUniform || !isSmall(comparison.threshold))
    return std::nullopt;
  Circle circle(*remainder);
  return compareWith(
      comparison.predicate, comparison.threshold, [&](const AffineForm &number) { return circle.atLeast(number); },
      [&](const AffineForm &number) { return circle.equal(number); });
}

MaskTree MaskTree::residue(AffineForm form, AffineForm modulus, AffineForm bound) {
  if (modulus.isConstant() && bound.isConstant()) {
    if (bound.constant < 0)
      return truth(false);
    if (bound.constant >= modulus.constant - 1)
      return truth(true);
    form.constant -= llvm::divideFloorSigned(form.constant, modulus.constant) * modulus.constant;
    if (form.isConstant())
      return truth(form.constant <= bound.constant);
  }
  MaskTree tree;
  tree.kind = Kind::Residue;
  tree.form = std::move(form);
  tree.modulus = std::move(modulus);
  tree.bound = std::move(bound);
  return tree;
}

//===-- comparisons of symbols -----------------------------------------------===//

MaskTree compareWith(arith::CmpIPredicate predicate, const AffineForm &threshold,
                     llvm::function_ref<MaskTree(const AffineForm &)> atLeast,
                     llvm::function_ref<MaskTree(const AffineForm &)> equal) {
  using Predicate = arith::CmpIPredicate;
  AffineForm above = sum(threshold, AffineForm::number(1));
  switch (predicate) {
  case Predicate::sge:
    return atLeast(threshold);
  case Predicate::sgt:
    return atLeast(above);
  case Predicate::sle:
    return atLeast(above).negate();
  case Predicate::slt:
    return atLeast(threshold).negate();
  case Predicate::eq:
    return equal(threshold);
  default:
    return equal(threshold).negate();
  }
}

/// a predicate b is b swapped(predicate) a.
static arith::CmpIPredicate swapped(arith::CmpIPredicate predicate) {
  using Predicate = arith::CmpIPredicate;
  switch (predicate) {
  case Predicate::slt:
    return Predicate::sgt;
  case Predicate::sgt:
    return Predicate::slt;
  case Predicate::sle:
    return Predicate::sge;
  case Predicate::sge:
    return Predicate::sle;
  default:
    return predicate;
  }
}

/// Symbol and threshold of sign * symbol + rest, against 0.
static std::optional<SymbolComparison> comparisonWith(const AffineForm &difference, unsigned index,
                                                      arith::CmpIPredicate predicate) {
  AffineForm::Term term = difference.symbols[index];
  if (std::abs(term.coefficient) != 1)
    return std::nullopt;
  AffineForm rest = difference;
  rest.symbols.erase(rest.symbols.begin() + index);
  if (term.coefficient < 0)
    return SymbolComparison{term.symbol, swapped(predicate), rest};
  std::optional<AffineForm> threshold = AffineForm().plus(rest, -1);
  return threshold ? std::optional(SymbolComparison{term.symbol, predicate, *threshold}) : std::nullopt;
}

std::optional<MaskTree> MaskAnalysis::refined(Value condition) const {
  using Predicate = arith::CmpIPredicate;
  auto compare = condition.getDefiningOp<arith::CmpIOp>();
  if (!compare || !compare.getLhs().getType().isIntOrIndex() || compare.getLhs().getType().isInteger(1) ||
      compare.getPredicate() > Predicate::sge)
    return std::nullopt;
  std::optional<AffineForm> difference = form(compare.getLhs()).plus(form(compare.getRhs()), -1);
  for (unsigned i = 0; difference && i < difference->symbols.size(); ++i) {
    std::optional<SymbolComparison> comparison = comparisonWith(*difference, i, compare.getPredicate());
    if (!comparison || (dependence(comparison->threshold) & kOnColumn))
      continue;
    if (std::optional<MaskTree> tree = refineRemainder(*this, *comparison))
      return tree;
    if (std::optional<MaskTree> tree = refineOrdered(*this, *comparison))
      return tree;
  }
  return std::nullopt;
}

} // namespace attn
