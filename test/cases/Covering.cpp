// SPDX-License-Identifier: Apache-2.0
// A greedy search for few cases that cover all pairs of values.
#include "test/cases/Covering.h"

#include <algorithm>
#include <cstdlib>
#include <set>

namespace attn::cases {

namespace {

/// The pairs of values that no case holds yet, one flag each, and those that no case may hold.
class OpenPairs {
public:
  explicit OpenPairs(const Coverage &of) : of(of) {
    for (unsigned i = 0; i != AxisCount; ++i)
      start[i + 1] = start[i] + static_cast<unsigned>(axes()[i].values.size());
    open.assign(static_cast<size_t>(start[AxisCount]) * start[AxisCount], 0);
    barred = open;
    for (unsigned i = 0; i != AxisCount; ++i)
      for (unsigned j = i + 1; j != AxisCount; ++j)
        for (unsigned a : of.values[i])
          for (unsigned b : of.values[j]) {
            bool against = ruleAgainst(i, a, j, b);
            barred[place(i, a, j, b)] = barred[place(j, b, i, a)] = against;
            if (!against && of.wanted(i, j))
              open[place(i, a, j, b)] = open[place(j, b, i, a)] = 1, ++left;
          }
  }

  /// How many open pairs the value at this axis closes with the axes that are set; -1 if a rule is against it.
  int gain(const Case &c, unsigned i, unsigned value, const std::array<bool, AxisCount> &set) const {
    int gain = 0;
    for (unsigned j = 0; j != AxisCount; ++j)
      if (set[j] && j != i) {
        if (barred[place(i, value, j, c.at[j])])
          return -1;
        gain += open[place(i, value, j, c.at[j])];
      }
    return gain;
  }

  void close(const Case &c) {
    for (unsigned i = 0; i != AxisCount; ++i)
      for (unsigned j = i + 1; j != AxisCount; ++j) {
        left -= open[place(i, c.at[i], j, c.at[j])];
        open[place(i, c.at[i], j, c.at[j])] = open[place(j, c.at[j], i, c.at[i])] = 0;
      }
  }

  bool any() const { return left != 0; }

  /// Some open pair, chosen by the number: (axis, value, axis, value).
  std::array<unsigned, 4> pick(uint64_t number) const {
    uint64_t skip = number % left;
    for (unsigned i = 0; i != AxisCount; ++i)
      for (unsigned a : of.values[i])
        for (unsigned j = i + 1; j != AxisCount; ++j)
          for (unsigned b : of.values[j])
            if (open[place(i, a, j, b)] && skip-- == 0)
              return {i, a, j, b};
    std::abort(); // left counts the flags
  }

private:
  size_t place(unsigned i, unsigned a, unsigned j, unsigned b) const {
    return static_cast<size_t>(start[i] + a) * start[AxisCount] + start[j] + b;
  }

  const Coverage &of;
  std::array<unsigned, AxisCount + 1> start{};
  std::vector<uint8_t> open, barred;
  uint64_t left = 0;
};

/// A case grown from one open pair: each further axis, in random order, takes the value that closes most.
Case grow(const Coverage &of, const OpenPairs &pairs, std::mt19937_64 &random, int &gain) {
  Case c;
  std::array<bool, AxisCount> set{};
  auto begin = pairs.pick(random());
  c.at[begin[0]] = static_cast<uint8_t>(begin[1]), set[begin[0]] = true;
  c.at[begin[2]] = static_cast<uint8_t>(begin[3]), set[begin[2]] = true;
  gain = 1;
  std::vector<unsigned> order;
  for (unsigned i = 0; i != AxisCount; ++i)
    if (!set[i])
      order.push_back(i);
  std::shuffle(order.begin(), order.end(), random);
  for (unsigned i : order) {
    size_t count = of.values[i].size(), offset = random() % count;
    int best = -1;
    for (size_t k = 0; k != count; ++k) {
      unsigned value = of.values[i][(k + offset) % count];
      if (int here = pairs.gain(c, i, value, set); here > best)
        c.at[i] = static_cast<uint8_t>(value), best = here;
    }
    if (best < 0)
      std::abort(); // the rules leave no value of this axis: they must name such pairs themselves
    set[i] = true;
    gain += best;
  }
  return c;
}

} // namespace

Coverage::Coverage() {
  for (unsigned i = 0; i != AxisCount; ++i)
    for (unsigned value = 0; value != axes()[i].values.size(); ++value)
      values[i].push_back(static_cast<uint8_t>(value));
  wanted = [](unsigned, unsigned) { return true; };
}

void Coverage::keep(Axis theAxis, const std::vector<std::string_view> &kept) {
  values[theAxis].clear();
  for (std::string_view value : kept)
    values[theAxis].push_back(static_cast<uint8_t>(valueOf(theAxis, value)));
}

std::vector<Case> coveringCases(const Coverage &of, uint64_t seed) {
  OpenPairs pairs(of);
  std::mt19937_64 random(seed);
  std::vector<Case> cases;
  while (pairs.any()) {
    Case best;
    int bestGain = 0;
    for (int attempt = 0; attempt != 20; ++attempt) {
      int gain = 0;
      Case c = grow(of, pairs, random, gain);
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
