// SPDX-License-Identifier: Apache-2.0
// The rows of a list as sets of numbers: what attn.member asks.
#pragma once

#include "compiler/HostTensor.h"

#include <string>
#include <utility>

namespace attn {

/// A tensor with the name that messages give it.
struct NamedTensor {
  std::string name;
  HostTensor tensor;
};

/// All rows of a list, read once. Nothing behind the used part of a row is read: a count is clamped to the row, and row
/// ends to the list. Within a row the order does not matter, and what is named twice counts once.
class ListSets {
public:
  /// The rows that a tensor has: its name and the sizes of their indices.
  struct Rows {
    std::string name;
    std::vector<int64_t> shape;
  };

  /// `list` (rows..., numbers), or (rows..., ranges, 2) for half-open ranges, with `numIndices` indices that name a
  /// row; `count` (rows...) may be null. With `rowEnds` the list is packed, (numbers) or (ranges, 2), and has one row
  /// less than there are ends.
  ListSets(const NamedTensor &list, const NamedTensor *count, const NamedTensor *rowEnds, size_t numIndices);

  /// The tensor in which there is no such row; null if all have it.
  const Rows *lacking(const std::vector<int64_t> &row) const;

  /// Whether a number is in the set of a row that is there.
  bool contains(const std::vector<int64_t> &row, int64_t number) const;

private:
  using Interval = std::pair<int64_t, int64_t>; ///< first and last number

  void addRow(const HostTensor &list, int64_t offset, int64_t from, int64_t to, bool isRanges);

  std::vector<Rows> rows;          ///< those of the list and of the counts, or those between the row ends
  std::vector<size_t> ends;        ///< of each row among the intervals
  std::vector<Interval> intervals; ///< row by row, increasing and apart
};

} // namespace attn
