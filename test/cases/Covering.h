// SPDX-License-Identifier: Apache-2.0
// Few cases in which any two values meet.
#pragma once

#include "test/cases/Axes.h"

#include <functional>
#include <random>

namespace attn::cases {

/// What shall meet: at first every value of every axis that no rule is against.
struct Coverage {
  Coverage();
  /// Leaves these values of an axis.
  void keep(Axis theAxis, const std::vector<std::string_view> &kept);

  std::array<std::vector<uint8_t>, AxisCount> values; ///< of each axis, at least one
  std::function<bool(unsigned, unsigned)> wanted;     ///< of which two axes the values meet; the smaller one first
};

/// Cases in which any two wanted values meet: grown one by one, each from a pair that is still open, the best of some
/// random attempts. They belong to no list.
std::vector<Case> coveringCases(const Coverage &of, uint64_t seed);

/// Rows of choices, one for each column of so many, in which any two choices of any two columns meet. Each row is the
/// best of some random ones that hold a pair which is still open.
std::vector<std::vector<size_t>> coveringRows(const std::vector<size_t> &columns, std::mt19937_64 &random);

} // namespace attn::cases
