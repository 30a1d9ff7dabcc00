// SPDX-License-Identifier: Apache-2.0
// Affine forms and trees of them: arithmetic, simplification, printing.
#include "passes/MaskAnalysis.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/Support/raw_ostream.h"
#include <numeric>

using namespace mlir;

namespace attn {

//===-- affine forms ---------------------------------------------------------===//

unsigned orderOf(Value value) {
  if (auto argument = dyn_cast<BlockArgument>(value))
    return argument.getArgNumber();
  Block *block = value.getParentBlock();
  unsigned order = block->getNumArguments();
  for (Operation &op : *block) {
    if (&op == value.getDefiningOp())
      return order + cast<OpResult>(value).getResultNumber();
    order += op.getNumResults();
  }
  return order;
}

bool AffineForm::operator==(const AffineForm &other) const {
  return query == other.query && key == other.key && row == other.row && column == other.column &&
         symbols == other.symbols && constant == other.constant;
}

std::optional<AffineForm> AffineForm::plus(const AffineForm &other, int64_t scale) const {
  bool overflow = false;
  auto sum = [&](int64_t x, int64_t y) {
    int64_t product = 0, result = 0;
    overflow |= llvm::MulOverflow(y, scale, product) || llvm::AddOverflow(x, product, result);
    return result;
  };
  AffineForm form;
  form.query = sum(query, other.query);
  form.key = sum(key, other.key);
  form.row = sum(row, other.row);
  form.column = sum(column, other.column);
  form.constant = sum(constant, other.constant);
  form.symbols = symbols;
  for (const Term &term : other.symbols) {
    auto *same = llvm::find_if(form.symbols, [&](const Term &known) { return known.symbol == term.symbol; });
    if (same == form.symbols.end())
      form.symbols.push_back({sum(0, term.coefficient), term.symbol});
    else
      same->coefficient = sum(same->coefficient, term.coefficient);
  }
  llvm::erase_if(form.symbols, [](auto &term) { return term.coefficient == 0; });
  llvm::sort(form.symbols, [](auto &x, auto &y) { return orderOf(x.symbol) < orderOf(y.symbol); });
  if (overflow)
    return std::nullopt;
  return form;
}

AffineForm AffineForm::number(int64_t constant) {
  AffineForm form;
  form.constant = constant;
  return form;
}

AffineForm AffineForm::reduced() const {
  AffineForm form = *this;
  int64_t divisor = std::gcd(std::gcd(query, key), std::gcd(row, column));
  for (const Term &term : symbols)
    divisor = std::gcd(divisor, term.coefficient);
  if (divisor <= 1)
    return form;
  for (int64_t *coefficient : {&form.query, &form.key, &form.row, &form.column})
    *coefficient /= divisor;
  for (Term &term : form.symbols)
    term.coefficient /= divisor;
  form.constant = llvm::divideFloorSigned(constant, divisor);
  return form;
}

std::optional<AffineForm> AffineForm::opposite() const { return number(-1).plus(*this, -1); }

namespace {

/// The difference of constants a - b when everything else is alike.
std::optional<int64_t> distance(const AffineForm &a, const AffineForm &b) {
  std::optional<AffineForm> difference = a.plus(b, -1);
  if (difference && difference->isConstant())
    return difference->constant;
  return std::nullopt;
}

} // namespace

//===-- trees ----------------------------------------------------------------===//

bool MaskTree::operator==(const MaskTree &other) const {
  return kind == other.kind && children == other.children && form == other.form && condition == other.condition &&
         negated == other.negated && divisor == other.divisor && modulus == other.modulus && bound == other.bound;
}

MaskTree MaskTree::truth(bool holds) {
  MaskTree tree;
  tree.kind = holds ? Kind::True : Kind::False;
  return tree;
}

MaskTree MaskTree::affine(AffineForm form) {
  if (form.isConstant())
    return truth(form.constant >= 0);
  MaskTree tree;
  tree.kind = Kind::Affine;
  tree.form = form.reduced();
  return tree;
}

MaskTree MaskTree::opaque(Value condition, bool negated) {
  MaskTree tree;
  tree.kind = Kind::Opaque;
  tree.condition = condition;
  tree.negated = negated;
  return tree;
}

MaskTree MaskTree::member(Value condition, AffineForm form, int64_t divisor, bool negated) {
  MaskTree tree = opaque(condition, negated);
  tree.kind = Kind::Member;
  tree.form = std::move(form);
  tree.divisor = divisor;
  return tree;
}

MaskTree MaskTree::negate() const {
  std::vector<MaskTree> negations;
  for (const MaskTree &child : children)
    negations.push_back(child.negate());
  switch (kind) {
  case Kind::True:
    return truth(false);
  case Kind::False:
    return truth(true);
  case Kind::And:
    return any(std::move(negations));
  case Kind::Or:
    return all(std::move(negations));
  case Kind::Affine:
    return affine(*form.opposite()); // the analysis keeps only forms whose opposite exists
  case Kind::Member:
    return member(condition, form, divisor, !negated);
  case Kind::Opaque:
    return opaque(condition, !negated);
  case Kind::Residue:
    // What is left of the circle begins behind `bound`; numbers of residues are moderate.
    return residue(*form.plus(*bound.plus(AffineForm::number(1)), -1), modulus,
                   *modulus.plus(*bound.plus(AffineForm::number(2)), -1));
  case Kind::Ordered:
    return ordered(condition, form, !negated);
  }
  llvm_unreachable("all kinds are handled");
}

namespace {

enum class Relation { None, FirstImplied, SecondImplied, Decided };

/// How two operands of an And (or an Or, where everything is the other way round) relate: the first follows from the
/// second and can go, or the reverse, or both together are False (True).
Relation relate(const MaskTree &a, const MaskTree &b, MaskTree::Kind kind) {
  using Kind = MaskTree::Kind;
  bool conjunction = kind == Kind::And;
  if (a == b)
    return Relation::SecondImplied;
  bool isPlain = a.kind == Kind::Opaque || a.kind == Kind::Member;
  if (isPlain && a.condition == b.condition)
    return Relation::Decided;
  if (a.kind == Kind::Affine && b.kind == Kind::Affine) {
    if (std::optional<int64_t> more = distance(a.form, b.form))
      return (*more >= 0) == conjunction ? Relation::FirstImplied : Relation::SecondImplied;
    AffineForm mirrored = *b.form.opposite(); // not b: mirrored >= 0
    if (std::optional<int64_t> more = distance(a.form, mirrored)) {
      // a: x + more >= 0 against b: -x - 1 >= 0. Disjoint from more <= 0 downwards, covering from 0 upwards.
      if (conjunction ? *more <= 0 : *more >= 0)
        return Relation::Decided;
    }
  }
  Kind dual = conjunction ? Kind::Or : Kind::And;
  if (a.kind == dual && llvm::is_contained(a.children, b))
    return Relation::FirstImplied;
  if (b.kind == dual && llvm::is_contained(b.children, a))
    return Relation::SecondImplied;
  return Relation::None;
}

/// A total order of trees of one function that does not depend on how they were spelt, up to opaque conditions.
int compare(const MaskTree &a, const MaskTree &b) {
  auto three = [](auto x, auto y) { return x < y ? -1 : y < x ? 1 : 0; };
  auto rank = [](MaskTree::Kind kind) { return kind == MaskTree::Kind::Affine ? -1 : static_cast<int>(kind); };
  if (int order = three(rank(a.kind), rank(b.kind)))
    return order;
  const AffineForm &x = a.form, &y = b.form;
  for (auto member : {&AffineForm::query, &AffineForm::key, &AffineForm::row, &AffineForm::column})
    if (int order = three(y.*member, x.*member)) // what grows with the query first: `q - kv` before `kv - q`
      return order;
  for (auto [s, t] : llvm::zip(x.symbols, y.symbols)) {
    if (int order = three(orderOf(s.symbol), orderOf(t.symbol)))
      return order;
    if (int order = three(s.coefficient, t.coefficient))
      return order;
  }
  if (int order = three(x.symbols.size(), y.symbols.size()))
    return order;
  if (int order = three(x.constant, y.constant))
    return order;
  if (a.condition != b.condition)
    return three(orderOf(a.condition), orderOf(b.condition));
  if (int order = three(a.negated, b.negated))
    return order;
  for (auto [s, t] : llvm::zip(a.children, b.children))
    if (int order = compare(s, t))
      return order;
  return three(a.children.size(), b.children.size());
}

MaskTree join(std::vector<MaskTree> children, MaskTree::Kind kind) {
  using Kind = MaskTree::Kind;
  Kind neutral = kind == Kind::And ? Kind::True : Kind::False, absorbing = kind == Kind::And ? Kind::False : Kind::True;
  std::vector<MaskTree> flat, kept;
  for (MaskTree &child : children) {
    if (child.kind == kind)
      flat.insert(flat.end(), child.children.begin(), child.children.end());
    else
      flat.push_back(std::move(child));
  }
  for (MaskTree &child : flat) {
    if (child.kind == neutral)
      continue;
    if (child.kind == absorbing)
      return MaskTree::truth(absorbing == Kind::True);
    bool redundant = false;
    for (size_t i = 0; i < kept.size() && !redundant;) {
      Relation relation = relate(kept[i], child, kind);
      if (relation == Relation::Decided)
        return MaskTree::truth(absorbing == Kind::True);
      redundant = relation == Relation::SecondImplied;
      if (relation == Relation::FirstImplied)
        kept.erase(kept.begin() + i);
      else
        ++i;
    }
    if (!redundant)
      kept.push_back(std::move(child));
  }
  if (kept.size() == 1)
    return std::move(kept.front());
  MaskTree tree = MaskTree::truth(neutral == Kind::True);
  if (!kept.empty()) {
    // One order for all spellings, so that they become one code.
    llvm::stable_sort(kept, [](const MaskTree &a, const MaskTree &b) { return compare(a, b) < 0; });
    tree.kind = kind;
    tree.children = std::move(kept);
  }
  return tree;
}

void printTerm(llvm::raw_ostream &stream, bool &first, int64_t coefficient, llvm::Twine name) {
  if (!coefficient)
    return;
  stream << (first ? (coefficient < 0 ? "-" : "") : (coefficient < 0 ? " - " : " + "));
  uint64_t magnitude = coefficient < 0 ? -static_cast<uint64_t>(coefficient) : coefficient;
  std::string text = name.str();
  if (magnitude != 1 || text.empty())
    stream << magnitude << (text.empty() ? "" : " ");
  stream << text;
  first = false;
}

void printValue(llvm::raw_ostream &stream, Value value) {
  stream << (isa<BlockArgument>(value) ? "arg" : "value") << orderOf(value);
}

void printForm(llvm::raw_ostream &stream, const AffineForm &form) {
  if (form == AffineForm::number(0))
    stream << '0';
  bool first = true;
  printTerm(stream, first, form.query, "q");
  printTerm(stream, first, form.key, "kv");
  printTerm(stream, first, form.row, "row");
  printTerm(stream, first, form.column, "column");
  for (const AffineForm::Term &term : form.symbols)
    printTerm(stream, first, term.coefficient,
              llvm::Twine(isa<BlockArgument>(term.symbol) ? "arg" : "value") + llvm::Twine(orderOf(term.symbol)));
  printTerm(stream, first, form.constant, "");
}

} // namespace

MaskTree MaskTree::all(std::vector<MaskTree> children) { return join(std::move(children), Kind::And); }
MaskTree MaskTree::any(std::vector<MaskTree> children) { return join(std::move(children), Kind::Or); }

void MaskTree::print(llvm::raw_ostream &stream) const {
  switch (kind) {
  case Kind::True:
  case Kind::False:
    stream << (kind == Kind::True ? "true" : "false");
    return;
  case Kind::Affine:
    printForm(stream, form);
    stream << " >= 0";
    return;
  case Kind::Member:
  case Kind::Opaque:
    stream << (negated ? "not " : "");
    return printValue(stream, condition);
  case Kind::Residue:
    stream << '(';
    printForm(stream, form);
    stream << ") mod ";
    printForm(stream, modulus);
    stream << " <= ";
    return printForm(stream, bound);
  case Kind::Ordered:
    printValue(stream, condition);
    stream << (negated ? " > " : " <= ");
    return printForm(stream, form);
  case Kind::And:
  case Kind::Or:
    stream << '(';
    llvm::interleave(
        children, [&](const MaskTree &child) { child.print(stream); },
        [&] { stream << (kind == Kind::And ? " and " : " or "); });
    stream << ')';
  }
}

} // namespace attn
