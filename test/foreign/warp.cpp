// SPDX-License-Identifier: Apache-2.0
// warp.cu: what each lane must see, from the values of all lanes.
#include "test/foreign/Foreign.h"

#include <algorithm>
#include <bit>
#include <functional>

namespace attn::foreign {
namespace {

/// What the four kinds of shuffle give for widths 4 to 32, in the order in which the kernel stores them.
template <typename T> std::vector<T> shuffled(const std::vector<T> &values, int by) {
  std::vector<T> out;
  for (int width = 4; width <= 32; width *= 2)
    for (int kind = 0; kind < 4; ++kind)
      for (int lane = 0; lane < 32; ++lane) {
        const int first = lane - lane % width, last = first + width - 1;
        int from = lane;
        if (kind == 0)
          from = first + (by + lane % 3) % width;
        else if (kind == 1 && lane - by >= first)
          from = lane - by;
        else if (kind == 2 && lane + by <= last)
          from = lane + by;
        else if (kind == 3 && (lane ^ by) <= last)
          from = lane ^ by;
        out.push_back(values[size_t(from)]);
      }
  return out;
}

std::vector<int> someIntegers(size_t count, unsigned seed, int most) {
  std::mt19937 random(seed);
  std::vector<int> numbers(count);
  for (int &number : numbers)
    number = int(random() % unsigned(2 * most)) - most;
  return numbers;
}

void shuffle(Machine &machine) {
  const auto in = someIntegers(32, 11, 100000);
  std::vector<int64_t> longs;
  std::vector<float> floats;
  std::vector<double> doubles;
  for (int value : in) {
    longs.push_back(value * int64_t(1000000007));
    floats.push_back(float(value) / 3);
    doubles.push_back(value / 7.0);
  }
  for (int by : {0, 1, 3, 6, 17}) {
    const size_t count = 16 * 32;
    const uint64_t a = machine.space<int>(count, "ints"), b = machine.space<int64_t>(count, "longs");
    const uint64_t c = machine.space<float>(count, "floats"), d = machine.space<double>(count, "doubles");
    machine.launch("shuffle", {1}, {32}, 0, machine.put(in, "in"), a, b, c, d, by);
    expectEqual(fmt::format("ints by {}", by), machine.getWritten<int>(a, count, "ints"), shuffled(in, by));
    expectEqual(fmt::format("longs by {}", by), machine.getWritten<int64_t>(b, count, "longs"), shuffled(longs, by));
    expectEqual(fmt::format("floats by {}", by), machine.getWritten<float>(c, count, "floats"), shuffled(floats, by));
    expectEqual(fmt::format("doubles by {}", by), machine.getWritten<double>(d, count, "doubles"),
                shuffled(doubles, by));
  }
}

void halves(Machine &machine) {
  const auto in = someIntegers(32, 12, 1000);
  std::vector<int> value(32), out(32);
  int positive = 0;
  for (int i = 0; i < 32; ++i)
    value[size_t(i)] = i % 2 ? in[size_t(i)] + in[size_t(i ^ 6)] : in[size_t(i)] - in[size_t(i ^ 10)];
  for (int i = 20; i < 32; ++i)
    positive += value[size_t(i)] > 0;
  for (int i = 0; i < 32; ++i)
    out[size_t(i)] = i < 20 ? value[size_t(i)] ^ value[size_t(i % 4 == 3 ? i : i + 1)] : value[size_t(i)] + positive;
  const uint64_t address = machine.space<int>(32, "out");
  machine.launch("halves", {1}, {32}, 0, machine.put(in, "in"), address);
  expectEqual("out of halves", machine.getWritten<int>(address, 32, "out"), out);
}

/// The lanes of `members` for which `is` holds.
uint32_t lanesWhere(int members, const std::function<bool(int)> &is) {
  uint32_t mask = 0;
  for (int i = 0; i < members; ++i)
    mask |= uint32_t(is(i)) << i;
  return mask;
}

/// The results of one lane for `members` lanes.
std::vector<uint32_t> seenBy(int lane, int members, const std::vector<int> &in, const std::vector<int64_t> &wide) {
  const uint32_t all = members == 32 ? ~0u : (1u << members) - 1;
  const auto value = [&](int i) { return in[size_t(i)]; };
  const auto where = [&](auto is) { return lanesWhere(members, is); };
  const uint32_t below = where([&](int i) { return value(i) < 100; });
  const bool same = where([&](int i) { return value(i) == value(0); }) == all;
  const bool sameThousands = where([&](int i) { return value(i) / 1000 == value(0) / 1000; }) == all;
  const bool sameWide =
      where([&](int i) { return wide[size_t(i)] / 1000000007 / 1000 == wide[0] / 1000000007 / 1000; }) == all;
  uint32_t sum = 0, bitsAnd = ~0u, bitsOr = 0, bitsXor = 0, least = ~0u, most = 0;
  int smallest = in[0], largest = in[0];
  for (int i = 0; i < members; ++i) {
    const auto bits = uint32_t(value(i));
    sum += bits;
    bitsAnd &= bits | 6;
    bitsOr |= bits & 0xf0;
    bitsXor ^= bits;
    least = std::min(least, bits);
    most = std::max(most, bits);
    smallest = std::min(smallest, value(i));
    largest = std::max(largest, value(i));
  }
  return {where([&](int i) { return value(i) % 3 == 0; }),
          where([&](int i) { return value(i) == 5; }) != 0,
          below == all,
          below == all || below == 0,
          where([&](int i) { return value(i) % 4 == value(lane) % 4; }),
          where([&](int i) { return wide[size_t(i)] == wide[size_t(lane)]; }),
          same ? all : 0,
          same,
          sameThousands ? all + 1 : 0,
          sameWide ? all + 1 : 0,
          sum,
          uint32_t(smallest),
          uint32_t(largest),
          sum,
          least,
          most,
          bitsAnd,
          bitsOr,
          bitsXor,
          all};
}

void together(Machine &machine) {
  for (int kind = 0; kind < 3; ++kind) {
    auto in = someIntegers(32, 13, kind == 2 ? 100000 : 100);
    if (kind == 1)
      std::fill(in.begin(), in.end(), 5);
    std::vector<int64_t> wide;
    for (int value : in)
      wide.push_back(value % 6 * int64_t(1000000007));
    const size_t count = 20;
    std::vector<uint32_t> wanted(2 * count * 32, 0xabcdu);
    for (int lane = 0; lane < 32; ++lane)
      for (int round = 0; round < (lane < 11 ? 2 : 1); ++round) {
        const auto seen = seenBy(lane, round ? 11 : 32, in, wide);
        for (size_t i = 0; i < count; ++i)
          wanted[(size_t(round) * count + i) * 32 + size_t(lane)] = seen[i];
      }
    const uint64_t out = machine.put(std::vector<uint32_t>(wanted.size(), 0xabcdu), "out");
    machine.launch("together", {1}, {32}, 0, machine.put(in, "in"), machine.put(wide, "wide"), out);
    expectEqual(fmt::format("together {}", kind), machine.get<uint32_t>(out, wanted.size()), wanted);
  }
}

void barriers(Machine &machine) {
  const size_t threads = 128;
  const auto in = someIntegers(threads, 14, 900);
  const auto any = [&](auto is) { return int(std::any_of(in.begin(), in.end(), is)); };
  const int results[] = {int(std::count_if(in.begin(), in.end(), [](int v) { return v % 3 == 0; })), 1,
                         !any([](int v) { return v <= 0; }), any([](int v) { return v == 0; }), 0};
  std::vector<int> wanted;
  for (int result : results)
    wanted.insert(wanted.end(), threads, result);
  const uint64_t out = machine.space<int>(wanted.size(), "out");
  machine.launch("barriers", {1}, {unsigned(threads)}, 0, machine.put(in, "in"), out);
  expectEqual("barriers", machine.getWritten<int>(out, wanted.size(), "out"), wanted);
}

using Wide = unsigned __int128;

uint32_t reversed(uint64_t value, int width) {
  uint64_t result = 0;
  for (int i = 0; i < width; ++i)
    result |= (value >> i & 1) << (width - 1 - i);
  return uint32_t(width == 64 ? result >> 16 : result);
}

uint32_t bytesOf(uint64_t pair, uint32_t selector) {
  uint32_t result = 0;
  for (int i = 0; i < 4; ++i)
    result |= uint32_t(pair >> (8 * (selector >> (4 * i) & 7)) & 0xff) << (8 * i);
  return result;
}

/// The position of the n-th set bit from `base`, upwards for positive n and downwards for negative ones.
uint32_t nthSet(uint32_t mask, int base, int n) {
  if (n == 0)
    return mask >> base & 1 ? uint32_t(base) : ~0u;
  for (int i = base; i >= 0 && i<32; i += n> 0 ? 1 : -1)
    if (mask >> i & 1 && (n += n > 0 ? -1 : 1) == 0)
      return uint32_t(i);
  return ~0u;
}

template <typename T> uint32_t dot(uint32_t x, uint32_t y, uint32_t sum) {
  for (int i = 0; i < 32; i += 8)
    sum += uint32_t(int(T(x >> i)) * int(T(y >> i)));
  return sum;
}

int signed24(uint32_t x) { return int(x << 8) >> 8; }

uint32_t inserted(uint32_t into, uint32_t from, uint32_t position, uint32_t length) {
  for (uint32_t i = 0; i < length && position + i < 32; ++i)
    into = (into & ~(1u << (position + i))) | (from >> i & 1) << (position + i);
  return into;
}

uint32_t signedField(uint32_t x, uint32_t position, uint32_t length) {
  uint32_t result = 0;
  const uint32_t last = std::min(position + length - 1, 31u);
  for (uint32_t i = 0; i < 32 && length; ++i)
    result |= (x >> (i < length ? std::min(position + i, 31u) : last) & 1) << i;
  return result;
}

std::vector<uint32_t> narrowResults(uint32_t x, uint32_t y) {
  const int s = int(x), t = int(y);
  const uint64_t xy = uint64_t(x) << 32 | y, yx = uint64_t(y) << 32 | x;
  const int64_t sum = int64_t(s) + t, difference = int64_t(s) - t;
  const uint32_t by = x >> 3 & 31, clamped = std::min(x % 50, 32u);
  const uint32_t notSign = s < 0 ? ~x : x;
  return {reversed(x, 32),
          uint32_t(x ? std::countr_zero(x) + 1 : 0),
          uint32_t(std::countl_zero(x)),
          uint32_t(std::popcount(x)),
          reversed(xy, 64),
          uint32_t(xy ? std::countr_zero(xy) + 1 : 0),
          uint32_t(std::countl_zero(yx)),
          uint32_t(std::popcount(xy)),
          bytesOf(yx, 0x5140),
          bytesOf(yx, y & 0x7777),
          uint32_t(yx << by >> 32),
          uint32_t(yx >> by),
          uint32_t(Wide(yx) << clamped >> 32),
          uint32_t(yx >> clamped),
          uint32_t(int64_t(s) * t >> 32),
          uint32_t(uint64_t(x) * y >> 32),
          uint32_t(int64_t(signed24(x)) * signed24(y)),
          (x & 0xffffff) * (y & 0xffffff),
          x + uint32_t(difference < 0 ? -difference : difference),
          x + (x > y ? x - y : y - x),
          uint32_t(sum >> 1),
          uint32_t((uint64_t(x) + y + 1) >> 1),
          dot<int8_t>(x, y, 12345),
          dot<uint8_t>(x, y, 54321),
          nthSet(x, int(y % 32), int(y % 7) - 3),
          x >> (y % 32),
          uint32_t(int64_t(s) >> (y & 31)),
          uint32_t(uint64_t(x) << (y % 32)),
          (x & y) | (~x & 0x0ff0),
          (x ^ y) & ~(x | 0xf),
          uint32_t(int(uint16_t(x)) * int(int16_t(y))),
          uint32_t(int(uint8_t(x)) > int(int8_t(y))),
          uint32_t((s >> 5 & 0x1ff) + (int(x << 7) >> 23)),
          inserted(x, y, y % 40, x % 40),
          notSign ? 31 - uint32_t(std::countl_zero(notSign)) : ~0u,
          x ? uint32_t(std::countl_zero(x)) : ~0u,
          signedField(x, y % 40, y / 64 % 40),
          (~x & ~y & (x / 3)) | (~x & y & (x / 3)) | (x & ~y & ~(x / 3)) | (x & y & (x / 3))};
}

std::vector<uint64_t> wideResults(uint32_t x, uint32_t y) {
  const int s = int(x), t = int(y);
  const uint64_t xy = uint64_t(x) << 32 | y, yx = uint64_t(y) << 32 | x;
  const Wide forth = Wide(xy) << 64 | yx, back = Wide(yx) << 64 | xy;
  return {uint64_t(__int128(int64_t(xy)) * int64_t(yx) >> 64),
          uint64_t(Wide(xy) * yx >> 64),
          xy * yx,
          uint64_t(__int128(int64_t(xy)) >> (y % 64)),
          xy >> (x % 64),
          uint64_t(Wide(xy) << (x % 64)),
          uint64_t(Wide(xy) * yx * 3 >> 64),
          uint64_t((forth - back) >> 64),
          uint64_t(int64_t(s) * t),
          uint64_t(std::countl_zero(uint64_t(y))) | uint64_t(int64_t(std::max(s, t))) << 8 | std::min(x, y)};
}

void bits(Machine &machine) {
  std::mt19937 random(15);
  std::vector<uint32_t> a, b;
  const uint32_t edges[] = {0, 1, 2, 31, 32, 0x7fffffff, 0x80000000, 0xffffffff, 0x00ff00ff};
  for (uint32_t x : edges)
    for (uint32_t y : edges)
      a.push_back(x), b.push_back(y);
  while (a.size() < 200)
    a.push_back(uint32_t(random()) >> random() % 32), b.push_back(uint32_t(random()) >> random() % 32);
  const size_t count = a.size(), narrow = narrowResults(0, 0).size(), wide = wideResults(0, 0).size();
  std::vector<uint32_t> wanted(count * narrow);
  std::vector<uint64_t> wantedWide(count * wide);
  for (size_t i = 0; i < count; ++i) {
    const auto results = narrowResults(a[i], b[i]);
    const auto resultsWide = wideResults(a[i], b[i]);
    for (size_t j = 0; j < narrow; ++j)
      wanted[j * count + i] = results[j];
    for (size_t j = 0; j < wide; ++j)
      wantedWide[j * count + i] = resultsWide[j];
  }
  const uint64_t out = machine.space<uint32_t>(wanted.size(), "out");
  const uint64_t outWide = machine.space<uint64_t>(wantedWide.size(), "wide");
  machine.launch("bits", {7}, {32}, 0, machine.put(a, "a"), machine.put(b, "b"), out, outWide, int(count));
  expectEqual("out of bits", machine.getWritten<uint32_t>(out, wanted.size(), "out"), wanted);
  expectEqual("wide of bits", machine.getWritten<uint64_t>(outWide, wantedWide.size(), "wide"), wantedWide);
}

void places(Machine &machine) {
  const unsigned grid = 2 * 3 * 2, block = 5 * 4 * 3;
  std::vector<uint32_t> wanted;
  for (unsigned b = 0; b < grid; ++b)
    for (unsigned i = 0; i < block; ++i)
      wanted.insert(wanted.end(), {i % 32, 1, (1u << i % 32) - 1, 1});
  const uint64_t out = machine.space<uint32_t>(wanted.size(), "out");
  machine.launch("places", {2, 3, 2}, {5, 4, 3}, 0, out);
  expectEqual("places", machine.getWritten<uint32_t>(out, wanted.size(), "out"), wanted);
}

} // namespace

void checkWarp(Machine &machine) {
  shuffle(machine);
  halves(machine);
  together(machine);
  barriers(machine);
  bits(machine);
  places(machine);
}

} // namespace attn::foreign
