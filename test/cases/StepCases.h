// SPDX-License-Identifier: Apache-2.0
// Cases of kernels that merge given parts, select from given sums, or append to caches, alone or in front of attention.
#pragma once

#include "test/cases/Arguments.h"

#include <optional>

namespace attn::cases {

/// A spec whose kernel is called `case`, with data for it. What may not be read or written is NaN.
struct StepCase {
  std::string name, spec;
  Arguments given;
  std::optional<Arguments> reversed; ///< the same parts in the other order, where results may differ by rounding only
};

/// Parts alone, in stacks and mixed, some of which weigh nothing and hold NaN; any two values of two axes meet.
std::vector<StepCase> mergeCases();

/// New entries behind those of dense and paged caches, by length around a page, with and without attention over them.
std::vector<StepCase> appendCases();

/// The largest of rows of sums, by number and by share, with ties, infinities, NaN, and lists without room.
std::vector<StepCase> selectCases();

/// Values of axes, as many as `sizes` says, such that any two of two axes meet: found greedily from a fixed seed.
std::vector<std::vector<size_t>> covering(const std::vector<size_t> &sizes);

} // namespace attn::cases
