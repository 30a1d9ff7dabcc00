// SPDX-License-Identifier: Apache-2.0
// Linear inequalities between values of the IR: what follows from them, and what they say about one unknown.
#pragma once

#include "mlir/IR/Value.h"
#include "llvm/ADT/DenseMap.h"
#include <map>

namespace attn {

/// sum of coefficient * variable + constant over the integers; variables are numbers given by `Inequalities`.
struct Linear {
  std::map<unsigned, int64_t> terms; // without zeros
  int64_t constant = 0;

  Linear() = default;
  /*implicit*/ Linear(int64_t constant) : constant(constant) {}
  static Linear variable(unsigned number) {
    Linear linear;
    linear.terms[number] = 1;
    return linear;
  }
  Linear &add(const Linear &other, int64_t scale = 1);
  Linear plus(const Linear &other, int64_t scale = 1) const { return Linear(*this).add(other, scale); }
  int64_t coefficient(unsigned number) const;
  bool operator==(const Linear &other) const { return terms == other.terms && constant == other.constant; }
  bool operator<(const Linear &other) const {
    return std::tie(terms, constant) < std::tie(other.terms, other.constant);
  }
  /// Whether every number is small enough that sums of a few products stay within 64 bits.
  bool isSmall() const;
};

/// What is known of one unknown after all others are gone.
struct Interval {
  struct Bound {
    int64_t divisor; // > 0
    Linear linear;   // of known values
  };
  llvm::SmallVector<Bound, 2> lower;       // divisor * unknown >= linear
  llvm::SmallVector<Bound, 2> upper;       // divisor * unknown <= linear
  llvm::SmallVector<Linear, 2> conditions; // each must be >= 0, else there is nothing
  bool empty = false;                      // there is nothing, whatever the values
};

/// A system over variables of two kinds: unknowns, which range over what the inequalities allow, and values of the IR.
class Inequalities {
public:
  unsigned unknown();
  unsigned valueNumber(mlir::Value value);
  mlir::Value valueOf(unsigned number) const { return values[number]; } // null for an unknown

  /// A value as a linear expression: a constant, or a variable of whose definition (sums, differences, minima...) the
  /// facts are noted.
  Linear linear(mlir::Value value);

  /// States that the expression is >= 0.
  void fact(const Linear &linear) { facts.push_back(linear); }

  /// Whether the facts together with `assumed` (each >= 0) prove that `linear` >= 0. A no proves nothing.
  bool implies(const Linear &linear, llvm::ArrayRef<Linear> assumed = {}) const;
  /// Whether no integers satisfy the facts and `assumed`.
  bool contradict(llvm::ArrayRef<Linear> assumed) const;

  /// The bounds that the system gives to `unknown` for known values, each other unknown eliminated. The result
  /// contains the true set; where all coefficients of unknowns are 1 or -1 it is the true set. Bounds and conditions
  /// that the facts prove are left out.
  Interval project(llvm::ArrayRef<Linear> system, unsigned unknown) const;
  /// Whether upper bounds are never below lower ones, whatever the values. A no proves nothing.
  bool neverEmpty(const Interval &interval) const;

private:
  void noteDefinition(mlir::Value value, unsigned number);
  Linear simplest(Linear linear) const;
  void prune(llvm::SmallVectorImpl<Interval::Bound> &bounds, bool lower) const;

  llvm::SmallVector<mlir::Value> values;
  llvm::DenseMap<mlir::Value, unsigned> numbers;
  llvm::SmallVector<Linear> facts;
  llvm::SmallVector<Linear> equalities; // = 0; among the facts, too
};

} // namespace attn
