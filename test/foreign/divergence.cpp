// SPDX-License-Identifier: Apache-2.0
// divergence.cu: the same control flow, one thread after the other.
#include "test/foreign/Foreign.h"

namespace attn::foreign {
namespace {

void collatz(Machine &machine) {
  const int count = 150, limit = 120;
  std::vector<unsigned> from(count);
  std::vector<int> steps(count);
  for (int i = 0; i < count; ++i) {
    from[size_t(i)] = unsigned(i) * 37u + 1u;
    int taken = 0;
    for (uint64_t n = from[size_t(i)]; n != 1; n = n % 2 ? 3 * n + 1 : n / 2) {
      if (taken >= limit) {
        taken = -1;
        break;
      }
      taken += n % 2 ? 2 : 1;
    }
    steps[size_t(i)] = taken;
  }
  const uint64_t in = machine.put(from, "from"), out = machine.space<int>(count, "steps");
  machine.launch("collatz", {3}, {64}, 0, in, out, count, limit);
  expectEqual("steps", machine.getWritten<int>(out, count, "steps"), steps);
}

void divisors(Machine &machine) {
  const int count = 96;
  std::vector<int> pairs(count), sums(count), found(count);
  for (int n = 1; n <= count; ++n) {
    for (int a = 1; a <= n; ++a)
      if (n % a == 0) {
        ++pairs[size_t(n) - 1];
        sums[size_t(n) - 1] += a;
      }
    int &result = found[size_t(n) - 1];
    for (int x = n; x >= 1; --x) // the smallest x wins
      for (int y = x; y <= n; ++y)
        if (x * x + y * y == n)
          result = x * 1000 + y;
  }
  const uint64_t a = machine.space<int>(count, "pairs"), b = machine.space<int>(count, "sums");
  const uint64_t c = machine.space<int>(count, "found");
  machine.launch("divisors", {2}, {48}, 0, a, b, c);
  expectEqual("pairs", machine.getWritten<int>(a, count, "pairs"), pairs);
  expectEqual("sums", machine.getWritten<int>(b, count, "sums"), sums);
  expectEqual("found", machine.getWritten<int>(c, count, "found"), found);
}

int chosen(int kind, int value, int i) {
  for (int round = 0; round < 3; ++round) {
    const int which = (kind + round) % 11;
    if (which == 7)
      return value;
    if (which == 0)
      value += 7;
    if (which == 1)
      value = value * 3 - 1;
    if (which == 1 || which == 2)
      value ^= 0x55;
    if (which == 3)
      value = value < 0 ? -value : value / 2;
    if (which == 4)
      value -= round * 100;
    if (which == 5)
      for (int j = 0; j < i % 5; ++j)
        value += j * value;
    if (which == 6)
      value = -1 - value;
    if (which == 8)
      value *= 4;
    if (which > 8)
      value %= 1000;
    value += which == 8 ? 0 : 1;
  }
  return value;
}

void choose(Machine &machine) {
  const int count = 64;
  std::mt19937 random(5);
  std::vector<int> kinds(count), in(count), out(count);
  for (int i = 0; i < count; ++i) {
    kinds[size_t(i)] = int(random() % 11);
    in[size_t(i)] = int(random() % 20001) - 10000;
    out[size_t(i)] = chosen(kinds[size_t(i)], in[size_t(i)], i);
  }
  const uint64_t a = machine.put(kinds, "kinds"), b = machine.put(in, "in"), c = machine.space<int>(count, "out");
  machine.launch("choose", {1}, {unsigned(count)}, 0, a, b, c);
  expectEqual("out of choose", machine.getWritten<int>(c, count, "out"), out);
}

void leave(Machine &machine, int lanesOfLast) {
  std::vector<int> out(128, -1);
  for (int i = 0; i < 96 + lanesOfLast; ++i)
    if (i % 3 != 0 && (i < 64 || i >= 96))
      out[size_t(i)] = (i + 37) % 64 * ((i + 37) % 64);
  const uint64_t address = machine.space<int>(128, "out");
  machine.launch("leave", {1}, {128}, 0, address, lanesOfLast);
  expectEqual("out of leave", machine.getWritten<int>(address, 128, "out"), out);
}

} // namespace

void checkDivergence(Machine &machine) {
  collatz(machine);
  divisors(machine);
  choose(machine);
  leave(machine, 32);
  leave(machine, 7);
}

} // namespace attn::foreign
