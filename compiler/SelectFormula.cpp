// SPDX-License-Identifier: Apache-2.0
// Sorts each row by its sums and keeps what is asked for.
#include "compiler/SelectFormula.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace attn {

/// How many of the entries, largest first, reach a share of the sum of all, added up in that order.
static int64_t covering(const std::vector<double> &sums, const std::vector<int64_t> &order, double share) {
  double total = 0, reached = 0;
  for (int64_t j : order)
    total += sums[j];
  int64_t number = 0, all = static_cast<int64_t>(order.size());
  while (number < all && reached < share * total)
    reached += sums[order[number++]];
  return number;
}

void selectEntries(const HostTensor &sums, const Selection &selection, HostResult &list, HostResult &count) {
  int64_t batch = sums.shape[0], heads = sums.shape[1], room = list.shape.back();
  std::fill(list.values.begin(), list.values.end(), -1.0);
  for (int64_t b = 0; b < batch; ++b) {
    int64_t entries = sums.shape[2];
    if (selection.below)
      entries = std::clamp<int64_t>(loadInteger(*selection.below, b * selection.below->strides[0]), 0, entries);
    for (int64_t h = 0; h < heads; ++h) {
      std::vector<double> row;
      for (int64_t j = 0; j < entries; ++j) {
        double sum = loadReal(sums, b * sums.strides[0] + h * sums.strides[1] + j * sums.strides[2]);
        row.push_back(std::isnan(sum) ? -std::numeric_limits<double>::infinity() : sum);
      }
      std::vector<int64_t> order(row.size());
      std::iota(order.begin(), order.end(), 0);
      std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t c) { return row[a] > row[c]; });
      int64_t number = selection.top ? *selection.top : covering(row, order, selection.cover.value_or(0));
      number = std::clamp<int64_t>(number, 0, std::min(entries, room));
      std::sort(order.begin(), order.begin() + number);
      std::copy_n(order.begin(), number, list.values.begin() + (b * heads + h) * room);
      count.values[b * heads + h] = static_cast<double>(number);
    }
  }
}

} // namespace attn
