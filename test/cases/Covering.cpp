// SPDX-License-Identifier: Apache-2.0
// A greedy search for few cases that cover all pairs of values.
#include "test/cases/Covering.h"

#include <algorithm>
#include <cstdlib>
#include <set>

namespace attn::cases {

namespace {

/// The pairs of values that no case holds yet, one flag each.
class OpenPairs {
public:
  OpenPairs() {
    for (unsigned i = 0; i != PlainCount; ++i)
      start[i + 1] = start[i] + static_cast<unsigned>(axes()[i].values.size());
    open.assign(start[PlainCount] * start[PlainCount], 0);
    for (unsigned i = 0; i != PlainCount; ++i)
      for (unsigned j = i + 1; j != PlainCount; ++j)
        for (unsigned a = start[i]; a != start[i + 1]; ++a)
          for (unsigned b = start[j]; b != start[j + 1]; ++b)
            open[a * start[PlainCount] + b] = 1, ++left;
  }

  /// How many open pairs the value at this axis closes with the axes that are set.
  unsigned gain(const Case &c, unsigned i, unsigned value, const std::array<bool, PlainCount> &set) const {
    unsigned gain = 0;
    for (unsigned j = 0; j != PlainCount; ++j)
      if (set[j] && j != i)
        gain += flag(i, value, j, c.at[j]);
    return gain;
  }

  void close(const Case &c) {
    for (unsigned i = 0; i != PlainCount; ++i)
      for (unsigned j = i + 1; j != PlainCount; ++j) {
        uint8_t &Flag = open[(start[i] + c.at[i]) * start[PlainCount] + start[j] + c.at[j]];
        left -= Flag;
        Flag = 0;
      }
  }

  bool any() const { return left != 0; }

  /// Some open pair, chosen by the number: (axis, value, axis, value).
  std::array<unsigned, 4> pick(uint64_t number) const {
    uint64_t skip = number % left;
    for (unsigned i = 0; i != PlainCount; ++i)
      for (unsigned a = 0; a != axes()[i].values.size(); ++a)
        for (unsigned j = i + 1; j != PlainCount; ++j)
          for (unsigned b = 0; b != axes()[j].values.size(); ++b)
            if (flag(i, a, j, b) && skip-- == 0)
              return {i, a, j, b};
    std::abort(); // Left counts the flags
  }

private:
  unsigned flag(unsigned i, unsigned a, unsigned j, unsigned b) const {
    if (i > j)
      return flag(j, b, i, a);
    return open[(start[i] + a) * start[PlainCount] + start[j] + b];
  }

  std::array<unsigned, PlainCount + 1> start{};
  std::vector<uint8_t> open;
  uint64_t left = 0;
};

/// A case grown from one open pair: each further axis, in random order, takes the value that closes most.
Case grow(const OpenPairs &pairs, std::mt19937_64 &random, unsigned &gain) {
  Case c;
  std::array<bool, PlainCount> set{};
  auto begin = pairs.pick(random());
  c.at[begin[0]] = static_cast<uint8_t>(begin[1]), set[begin[0]] = true;
  c.at[begin[2]] = static_cast<uint8_t>(begin[3]), set[begin[2]] = true;
  gain = 1;
  std::vector<unsigned> order;
  for (unsigned i = 0; i != PlainCount; ++i)
    if (!set[i])
      order.push_back(i);
  std::shuffle(order.begin(), order.end(), random);
  for (unsigned i : order) {
    unsigned count = static_cast<unsigned>(axes()[i].values.size()), best = 0, bestGain = 0;
    unsigned offset = static_cast<unsigned>(random() % count);
    for (unsigned k = 0; k != count; ++k) {
      unsigned value = (k + offset) % count, here = pairs.gain(c, i, value, set);
      if (k == 0 || here > bestGain)
        best = value, bestGain = here;
    }
    c.at[i] = static_cast<uint8_t>(best), set[i] = true;
    gain += bestGain;
  }
  return c;
}

} // namespace

std::vector<Case> coveringCases(uint64_t seed) {
  OpenPairs pairs;
  std::mt19937_64 random(seed);
  std::vector<Case> cases;
  while (pairs.any()) {
    Case best;
    unsigned bestGain = 0;
    for (int attempt = 0; attempt != 40; ++attempt) {
      unsigned gain = 0;
      Case c = grow(pairs, random, gain);
      if (gain > bestGain)
        best = c, bestGain = gain;
    }
    pairs.close(best);
    cases.push_back(best);
  }
  return cases;
}

std::vector<std::vector<size_t>> coveringRows(const std::vector<size_t> &columns, std::mt19937_64 &random) {
  std::set<std::array<size_t, 4>> open;
  for (size_t i = 0; i != columns.size(); ++i)
    for (size_t j = i + 1; j != columns.size(); ++j)
      for (size_t a = 0; a != columns[i]; ++a)
        for (size_t b = 0; b != columns[j]; ++b)
          open.insert({i, a, j, b});
  auto visit = [&](const std::vector<size_t> &row, auto &&what) {
    for (size_t i = 0; i != row.size(); ++i)
      for (size_t j = i + 1; j != row.size(); ++j)
        what(std::array<size_t, 4>{i, row[i], j, row[j]});
  };
  std::vector<std::vector<size_t>> rows;
  while (!open.empty()) {
    std::vector<size_t> best;
    size_t most = 0;
    for (int attempt = 0; attempt != 60; ++attempt) {
      std::vector<size_t> row;
      for (size_t count : columns)
        row.push_back(random() % count);
      auto [i, a, j, b] = *open.begin();
      row[i] = a, row[j] = b;
      size_t gain = 0;
      visit(row, [&](auto pair) { gain += open.count(pair); });
      if (gain > most)
        best = row, most = gain;
    }
    visit(best, [&](auto pair) { open.erase(pair); });
    rows.push_back(best);
  }
  return rows;
}

} // namespace attn::cases
