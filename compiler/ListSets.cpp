// SPDX-License-Identifier: Apache-2.0
// Reads the used part of each row of a list and keeps it as intervals that increase.
#include "compiler/ListSets.h"

#include <algorithm>

namespace attn {

static bool isInside(const std::vector<int64_t> &index, const std::vector<int64_t> &shape) {
  for (size_t d = 0; d < index.size(); ++d)
    if (index[d] < 0 || index[d] >= shape[d])
      return false;
  return true;
}

static int64_t offsetOf(const HostTensor &tensor, const std::vector<int64_t> &index) {
  int64_t offset = 0;
  for (size_t d = 0; d < index.size(); ++d)
    offset += index[d] * tensor.strides[d];
  return offset;
}

/// The next index of a shape, last dimension fastest; false behind the last one.
static bool advance(std::vector<int64_t> &index, const std::vector<int64_t> &shape) {
  for (size_t d = shape.size(); d-- > 0;) {
    if (++index[d] < shape[d])
      return true;
    index[d] = 0;
  }
  return false;
}

static int64_t clampedTo(int64_t number, int64_t most) { return std::clamp<int64_t>(number, 0, most); }

ListSets::ListSets(const NamedTensor &list, const NamedTensor *count, const NamedTensor *rowEnds, size_t numIndices) {
  const HostTensor &numbers = list.tensor;
  size_t leading = rowEnds ? 0 : numIndices;
  int64_t size = numbers.shape[leading];
  bool isRanges = numbers.shape.size() == leading + 2;
  if (rowEnds) {
    const HostTensor &given = rowEnds->tensor;
    int64_t last = given.shape[0] - 1;
    rows.push_back({rowEnds->name, {std::max<int64_t>(last, 0)}});
    for (int64_t r = 0; r < last; ++r)
      addRow(numbers, 0, clampedTo(loadInteger(given, r * given.strides[0]), size),
             clampedTo(loadInteger(given, (r + 1) * given.strides[0]), size), isRanges);
    return;
  }
  rows.push_back({list.name, {numbers.shape.begin(), numbers.shape.begin() + static_cast<ptrdiff_t>(leading)}});
  if (count)
    rows.push_back({count->name, count->tensor.shape});
  const std::vector<int64_t> &shape = rows.front().shape;
  if (std::find(shape.begin(), shape.end(), 0) != shape.end())
    return;
  std::vector<int64_t> row(leading);
  do {
    int64_t used = size;
    if (count)
      used = isInside(row, count->tensor.shape)
                 ? clampedTo(loadInteger(count->tensor, offsetOf(count->tensor, row)), size)
                 : 0;
    addRow(numbers, offsetOf(numbers, row), 0, used, isRanges);
  } while (advance(row, shape));
}

/// The entries `from` up to `to` of a row whose first entry lies `offset` elements behind that of the list.
void ListSets::addRow(const HostTensor &list, int64_t offset, int64_t from, int64_t to, bool isRanges) {
  size_t dimension = list.shape.size() - (isRanges ? 2 : 1), begin = intervals.size();
  std::vector<Interval> found;
  for (int64_t i = from; i < to; ++i) {
    int64_t at = offset + i * list.strides[dimension], first = loadInteger(list, at);
    if (!isRanges)
      found.push_back({first, first});
    else if (int64_t end = loadInteger(list, at + list.strides[dimension + 1]); first < end)
      found.push_back({first, end - 1});
  }
  std::sort(found.begin(), found.end());
  for (const Interval &next : found) {
    if (intervals.size() > begin && next.first <= intervals.back().second)
      intervals.back().second = std::max(intervals.back().second, next.second);
    else
      intervals.push_back(next);
  }
  ends.push_back(intervals.size());
}

const ListSets::Rows *ListSets::lacking(const std::vector<int64_t> &row) const {
  for (const Rows &some : rows)
    if (!isInside(row, some.shape))
      return &some;
  return nullptr;
}

bool ListSets::contains(const std::vector<int64_t> &row, int64_t number) const {
  size_t which = 0;
  for (size_t d = 0; d < row.size(); ++d)
    which = which * static_cast<size_t>(rows.front().shape[d]) + static_cast<size_t>(row[d]);
  auto begin = intervals.begin() + static_cast<ptrdiff_t>(which ? ends[which - 1] : 0);
  auto end = intervals.begin() + static_cast<ptrdiff_t>(ends[which]);
  auto behind = std::upper_bound(begin, end, number, [](int64_t x, const Interval &i) { return x < i.first; });
  return behind != begin && number <= std::prev(behind)->second;
}

} // namespace attn
