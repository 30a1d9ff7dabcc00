// SPDX-License-Identifier: Apache-2.0
// Lists of the entries with the largest sums, by definition.
#pragma once

#include "compiler/AttentionFormula.h"

namespace attn {

/// Which entries of a row are listed: the `top` largest, or the fewest that reach the share `cover` of all.
struct Selection {
  std::optional<int64_t> top;
  std::optional<double> cover;
  std::optional<HostTensor> below; ///< (batch): only the first below[b] entries are looked at
};

/// For each row of `sums` (batch, heads, entries) the entries that are listed, increasing, and their number; of equal
/// sums the smaller index comes first, and no more are listed than `list` (batch, heads, room) has room for. Behind
/// them stands -1.
void selectEntries(const HostTensor &sums, const Selection &selection, HostResult &list, HostResult &count);

} // namespace attn
