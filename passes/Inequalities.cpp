// SPDX-License-Identifier: Apache-2.0
// Proof and projection by elimination, on top of MLIR's integer polyhedra.
#include "passes/Inequalities.h"
#include "dialect/Tile.h"
#include "mlir/Analysis/Presburger/IntegerRelation.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using presburger::IntegerPolyhedron;
using presburger::PresburgerSpace;

namespace attn {

Linear &Linear::add(const Linear &other, int64_t scale) {
  for (auto [number, coefficient] : other.terms)
    if ((terms[number] += coefficient * scale) == 0)
      terms.erase(number);
  constant += other.constant * scale;
  return *this;
}

int64_t Linear::coefficient(unsigned number) const {
  auto found = terms.find(number);
  return found == terms.end() ? 0 : found->second;
}

bool Linear::isSmall() const {
  return std::abs(constant) <= int64_t(1) << 41 &&
         llvm::all_of(terms, [](auto &term) { return std::abs(term.second) <= int64_t(1) << 20; });
}

unsigned Inequalities::unknown() {
  values.push_back(Value());
  return values.size() - 1;
}

unsigned Inequalities::valueNumber(Value value) {
  if (auto extent = value.getDefiningOp<tile::ExtentOp>())
    if (auto view = extent.getView().getDefiningOp<tile::ViewOp>())
      value = view.getLength();
  auto [entry, isNew] = numbers.try_emplace(value, values.size());
  if (isNew) {
    unsigned number = entry->second;
    values.push_back(value);
    noteDefinition(value, number);
    return number;
  }
  return entry->second;
}

Linear Inequalities::linear(Value value) {
  APInt number;
  if (matchPattern(value, m_ConstantInt(&number)) && number.getSignificantBits() <= 64) {
    // Positions and lengths are far below this, so a larger number says nothing more.
    constexpr int64_t far = int64_t(1) << 40;
    return Linear(std::clamp(number.getSExtValue(), -far, far));
  }
  return Linear::variable(valueNumber(value));
}

void Inequalities::noteDefinition(Value value, unsigned number) {
  Operation *op = value.getDefiningOp();
  if (!op)
    return;
  Linear self = Linear::variable(number);
  auto equal = [&](const Linear &other) {
    if (!other.isSmall())
      return;
    fact(self.plus(other, -1));
    fact(other.plus(self, -1));
    equalities.push_back(self.plus(other, -1));
  };
  auto operand = [&](unsigned i) { return linear(op->getOperand(i)); };
  if (isa<tile::ProgramOp, tile::ExtentOp, arith::IndexCastUIOp>(op))
    fact(self);
  else if (isa<arith::AddIOp>(op))
    equal(operand(0).plus(operand(1)));
  else if (isa<arith::SubIOp>(op))
    equal(operand(0).plus(operand(1), -1));
  else if (isa<arith::MulIOp>(op)) {
    Linear a = operand(0), b = operand(1);
    if (b.terms.empty() && b.isSmall())
      equal(Linear().add(a, b.constant));
  } else if (isa<arith::MinSIOp, arith::MaxSIOp>(op)) {
    int64_t sign = isa<arith::MinSIOp>(op) ? 1 : -1;
    for (unsigned i : {0, 1})
      fact(Linear().add(operand(i), sign).add(self, -sign));
  }
}

//===-- polyhedra ------------------------------------------------------------===//

static IntegerPolyhedron polyhedron(ArrayRef<Linear> system, unsigned variables) {
  IntegerPolyhedron result(PresburgerSpace::getSetSpace(variables));
  for (const Linear &linear : system) {
    SmallVector<int64_t> row(variables + 1, 0);
    for (auto [number, coefficient] : linear.terms)
      row[number] = coefficient;
    row.back() = linear.constant;
    result.addInequality(row);
  }
  return result;
}

bool Inequalities::contradict(ArrayRef<Linear> assumed) const {
  SmallVector<Linear> system(facts);
  llvm::append_range(system, assumed);
  return polyhedron(system, values.size()).isEmpty();
}

bool Inequalities::implies(const Linear &linear, ArrayRef<Linear> assumed) const {
  if (linear.terms.empty())
    return linear.constant >= 0;
  SmallVector<Linear> system(assumed);
  system.push_back(Linear(-1).add(linear, -1));
  return contradict(system);
}

/// The expression with fewest variables among those that definitions make equal: `keys - rows + rows` is `keys`.
Linear Inequalities::simplest(Linear linear) const {
  for (bool changed = true; changed;) {
    changed = false;
    for (const Linear &zero : equalities)
      for (auto [number, coefficient] : zero.terms) {
        int64_t own = linear.coefficient(number);
        if (own == 0 || own % coefficient != 0)
          continue;
        Linear other = linear.plus(zero, -own / coefficient);
        if (other.terms.size() < linear.terms.size() && other.isSmall()) {
          linear = other;
          changed = true;
        }
      }
  }
  return linear;
}

/// Drops each bound that another makes superfluous. Longer ones go first, so that the simplest stay.
void Inequalities::prune(SmallVectorImpl<Interval::Bound> &bounds, bool lower) const {
  llvm::stable_sort(bounds, [](auto &a, auto &b) { return a.linear.terms.size() > b.linear.terms.size(); });
  for (unsigned i = 0; i < bounds.size();) {
    bool superfluous = false;
    for (unsigned j = 0; j < bounds.size() && !superfluous; ++j) {
      if (i == j)
        continue;
      // Lower bounds a/d and b/e: the first says nothing if b d >= a e.
      Linear stronger = Linear().add(bounds[j].linear, bounds[i].divisor).add(bounds[i].linear, -bounds[j].divisor);
      superfluous = implies(lower ? stronger : Linear().add(stronger, -1));
    }
    if (superfluous)
      bounds.erase(bounds.begin() + i);
    else
      ++i;
  }
  std::reverse(bounds.begin(), bounds.end());
}

Interval Inequalities::project(ArrayRef<Linear> system, unsigned unknown) const {
  Interval interval;
  if (contradict(system)) {
    interval.empty = true;
    return interval;
  }
  IntegerPolyhedron shadow = polyhedron(system, values.size());
  SmallVector<unsigned> left; // the variable of each column that is left
  for (unsigned number = 0, column = 0; number < values.size(); ++number) {
    if (values[number] || number == unknown) {
      left.push_back(number);
      ++column;
    } else {
      shadow.projectOut(column);
    }
  }
  auto read = [&](unsigned count, auto at, int64_t sign) {
    for (unsigned i = 0; i < count; ++i) {
      Linear linear;
      for (auto [column, number] : llvm::enumerate(left))
        linear.add(Linear::variable(number), sign * at(i, column));
      linear.constant = sign * at(i, left.size());
      int64_t own = linear.coefficient(unknown);
      linear.terms.erase(unknown);
      if (own > 0)
        interval.lower.push_back({own, simplest(Linear().add(linear, -1))});
      else if (own < 0)
        interval.upper.push_back({-own, simplest(linear)});
      else if (!implies(linear) && !llvm::is_contained(interval.conditions, linear))
        interval.conditions.push_back(simplest(linear));
    }
  };
  auto inequality = [&](unsigned i, unsigned j) { return shadow.atIneq64(i, j); };
  auto equality = [&](unsigned i, unsigned j) { return shadow.atEq64(i, j); };
  read(shadow.getNumInequalities(), inequality, 1);
  read(shadow.getNumEqualities(), equality, 1);
  read(shadow.getNumEqualities(), equality, -1);
  prune(interval.lower, true);
  prune(interval.upper, false);
  return interval;
}

bool Inequalities::neverEmpty(const Interval &interval) const {
  return llvm::all_of(interval.lower, [&](const Interval::Bound &lower) {
    return llvm::all_of(interval.upper, [&](const Interval::Bound &upper) {
      return implies(Linear().add(upper.linear, lower.divisor).add(lower.linear, -upper.divisor));
    });
  });
}

} // namespace attn
