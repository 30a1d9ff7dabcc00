// SPDX-License-Identifier: Apache-2.0
// Masks, each written twice: as the body of a function in the IR, and in C++.
#pragma once

#include <cstdint>
#include <functional>
#include <random>
#include <string>
#include <vector>

namespace attn::test {

/// What masks read: the list %lens, of which every batch has one number, %ids, which do not fall, and %starts, in any
/// order. The latter have more elements than there are rows or columns.
struct Memory {
  std::vector<int32_t> lens, ids, starts;
};

/// The coordinates of a pair, the run-time parameter %p, and what is read.
struct Pair {
  int64_t row, column, q, kv, p;
  const Memory &memory;
};

enum Promise : unsigned {
  kNothing = 0,
  kVisitsExactly = 1, // first and end are those of the tiles with a visible pair
  kFreeExactly = 2,   // the clause names exactly the tiles where every pair is visible
  kExact = kVisitsExactly | kFreeExactly,
};

struct Predicate {
  std::string name;
  std::string body; // computes %v : i1
  std::function<bool(const Pair &)> holds;
  unsigned promise;
  bool usesParameter = false; // worth trying with several values of %p
  // Worth trying with lists: where one is made, all tiles with a visible pair are visited, and of those that rows and
  // keys fill no others, and exactly those are full where every pair is visible.
  bool isListed = false;
  bool readsRows = false; // %ids or %starts
};

const std::vector<Predicate> &predicates();
const std::vector<Predicate> &affinePredicates(); ///< those of them that load nothing

/// A tree of comparisons of small multiples of the coordinates, joined by and, or, not, select and exclusive or.
Predicate randomPredicate(std::mt19937 &random);

/// Names of predicates that say the same, so that their loops have the same bounds.
const std::vector<std::vector<std::string>> &spellings();

} // namespace attn::test
