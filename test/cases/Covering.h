// SPDX-License-Identifier: Apache-2.0
// Few cases in which any two values meet.
#pragma once

#include "test/cases/Axes.h"

#include <random>

namespace attn::cases {

/// Cases in which any two values of any two of the plain axes meet: grown one by one, each from a pair that is still
/// open, the best of some random attempts. They belong to no list.
std::vector<Case> coveringCases(uint64_t seed);

/// Rows of choices, one for each column of so many, in which any two choices of any two columns meet. Each row is the
/// best of some random ones that hold a pair which is still open.
std::vector<std::vector<size_t>> coveringRows(const std::vector<size_t> &columns, std::mt19937_64 &random);

} // namespace attn::cases
