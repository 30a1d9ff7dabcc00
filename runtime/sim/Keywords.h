// SPDX-License-Identifier: Apache-2.0
// The words that may follow a dot in an instruction, and which field of a Form each of them sets.
#pragma once

#include "runtime/sim/Table.h"

#include <map>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace attn::sim {

/// What a modifier says something about.
enum class Slot : uint8_t {
  Ignored,
  Type,
  Space,
  Scope,
  Semantics,
  Rounding,
  Compare,
  Bool,
  Reduce,
  Mode,
  Mode2,
  Vector,
  Shape,
  N,
  Wgmma,
  Flag
};

struct Keyword {
  std::string_view word;
  Slot slot = Slot::Ignored;
  unsigned value = 0;
  bool Form::*flag = nullptr;
};

/// Keywords whose meaning does not depend on the row.
const std::unordered_map<std::string_view, Keyword> &commonKeywords();
/// The sets that rows name with `@`.
const std::map<std::string_view, std::vector<Keyword>> &keywordSets();
/// A keyword without effect on the form.
inline Keyword ignoredKeyword(std::string_view word) { return {word, Slot::Ignored, 0, nullptr}; }

} // namespace attn::sim
