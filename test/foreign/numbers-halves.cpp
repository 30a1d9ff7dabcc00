// SPDX-License-Identifier: Apache-2.0
// numbers.cu, entries with halves and bfloat16: equal bits, each result rounded once from an exact value.
#include "test/foreign/Numbers.h"

namespace attn::foreign {
namespace {

constexpr unsigned kBlock = 64;

/// 16 bits that are NaN are one pattern here.
uint32_t sameNan(const SmallFormat &format, uint32_t bits) { return format.isNan(bits) ? 0x7fff : bits; }

void conversions(Machine &machine) {
  std::mt19937 random(41);
  std::vector<float> in{0.0f,     -0.0f,    65504.0f, 65519.99f, 65520.0f, -70000.0f, 3.4e38f,
                        5.96e-8f, 2.98e-8f, 2.99e-8f, -1e-12f,   1e-40f,   INFINITY,  -INFINITY};
  std::vector<uint16_t> bits{0,      0x8000, 0x7bff, 0x7c00, 0xfc00, 0x7e00, 1,
                             0x83ff, 0x3800, 0xb800, 0x3e00, 0x4100, 0x7800, 0xf800};
  while (in.size() < 300) {
    in.push_back(std::ldexp(float(int(random())), int(random() % 50) - 60));
    bits.push_back(uint16_t(random()));
  }
  const size_t count = in.size(), results = 31;
  const uint64_t out = machine.space<uint32_t>(count * results, "out");
  machine.launch("halves", {unsigned(count + kBlock - 1) / kBlock}, {kBlock}, 0, machine.put(in, "in"),
                 machine.put(bits, "bits"), out, int(count));
  auto got = machine.getWritten<uint32_t>(out, count * results, "out");
  // Rounding a NaN to an integral half gives some NaN.
  for (size_t k = 27 * count; k < got.size(); ++k)
    got[k] = sameNan(half(), got[k]);
  expectRows("halves", got, count, [&](size_t i) {
    const double x = in[i], h = half().value(bits[i]);
    std::vector<uint32_t> row;
    for (Round round : kRounds)
      row.push_back(half().pattern(x, round));
    for (Round round : kRounds)
      row.push_back(brain().pattern(x, round));
    const float wide = float(h), brainWide = bitCast<float>(uint32_t(bits[i]) << 16);
    row.push_back(std::isnan(wide) ? got[8 * count + i] : bitCast<uint32_t>(wide));
    row.push_back(bitCast<uint32_t>(brainWide));
    for (Round round : kRounds)
      row.push_back(uint32_t(toInteger<int32_t>(round, h, false)));
    row.insert(row.end(),
               {toInteger<uint32_t>(Round::Nearest, h, false), toInteger<uint32_t>(Round::Zero, h, false),
                uint16_t(toInteger<int16_t>(Round::Nearest, h, false)),
                uint16_t(toInteger<int16_t>(Round::Zero, h, false)), toInteger<uint16_t>(Round::Zero, h, false),
                uint32_t(toInteger<int64_t>(Round::Nearest, h, true) >> 1),
                uint32_t(toInteger<uint64_t>(Round::Zero, h, true))});
    row.insert(row.end(),
               {half().pattern(int(bits[i]) - 32768), half().pattern(bits[i], Round::Zero),
                half().pattern(int16_t(bits[i]), Round::Up), half().pattern(int(bits[i]) - 32768, Round::Down)});
    row.push_back(half().pattern(x) | half().pattern(-x) << 16);
    row.push_back(brain().pattern(x) | brain().pattern(-x) << 16);
    for (Round round : kRounds)
      row.push_back(sameNan(half(), half().pattern(integral(round, h))));
    return row;
  });
}

/// Operations on one element of a pair.
struct Element {
  const SmallFormat &format;
  uint32_t x, y, z;

  uint32_t put(double value) const { return format.pattern(value); }
  double value(uint32_t bits) const { return format.value(bits); }
  uint32_t add() const { return put(fusedOdd(value(x), 1, value(y))); }
  uint32_t subtract() const { return put(fusedOdd(value(y), -1, value(x))); }
  uint32_t multiply() const { return put(value(x) * value(y)); }
  uint32_t fused() const { return put(fusedOdd(value(x), value(y), value(z))); }
  uint32_t relu() const {
    const uint32_t result = fused();
    return result & format.signBit() ? 0 : result; // NaN is positive here
  }
  uint32_t saturated() const {
    const double sum = value(add());
    return put(sum > 0 ? std::min(sum, 1.0) : 0.0);
  }
  uint32_t extreme(bool larger, bool keepNan) const {
    const double a = value(x), b = value(y);
    if (std::isnan(a) || std::isnan(b))
      return put(keepNan || (std::isnan(a) && std::isnan(b)) ? NAN : std::isnan(a) ? b : a);
    const bool firstIsLess = a < b || (a == b && std::signbit(a));
    return put(firstIsLess != larger ? a : b);
  }
  uint32_t flag(bool is) const { return put(is ? 1 : 0); }
};

/// Both elements of the result of `operation`.
template <typename Operation>
uint32_t both(const SmallFormat &format, uint32_t x, uint32_t y, uint32_t z, Operation operation) {
  return operation(Element{format, x & 0xffff, y & 0xffff, z & 0xffff}) |
         operation(Element{format, x >> 16, y >> 16, z >> 16}) << 16;
}

std::vector<uint32_t> pairResults(const SmallFormat &format, uint32_t x, uint32_t y, uint32_t z, bool isHalf) {
  std::vector<uint32_t> row;
  const auto each = [&](auto operation) { row.push_back(both(format, x, y, z, operation)); };
  each([](const Element &e) { return e.add(); });
  each([](const Element &e) { return e.subtract(); });
  each([](const Element &e) { return e.multiply(); });
  each([](const Element &e) { return e.fused(); });
  each([](const Element &e) { return e.extreme(false, false); });
  each([](const Element &e) { return e.extreme(true, false); });
  each([](const Element &e) { return e.extreme(false, true); });
  each([](const Element &e) { return e.extreme(true, true); });
  each([](const Element &e) { return e.x & 0x7fff; });
  each([](const Element &e) { return e.x ^ 0x8000; });
  if (isHalf)
    each([](const Element &e) { return e.saturated(); });
  each([](const Element &e) { return e.relu(); });
  each([](const Element &e) { return e.flag(e.value(e.x) < e.value(e.y)); });
  each([](const Element &e) { return e.flag(!(e.value(e.x) < e.value(e.y))); });
  each([](const Element &e) { return e.flag(e.value(e.x) == e.value(e.y)); });
  if (isHalf) {
    const Element crossed{format, x & 0xffff, y >> 16, 0}, mixed{format, x >> 16, y & 0xffff, z & 0xffff};
    row.push_back(crossed.add() | mixed.fused() << 16);
    row.push_back(format.pattern(format.value(x & 0xffff) / format.value(y & 0xffff)) |
                  format.pattern(std::sqrt(format.value(x >> 16))) << 16);
  }
  return row;
}

void pairs(Machine &machine, const std::string &entry, const SmallFormat &format, bool isHalf, unsigned seed) {
  std::mt19937 random(seed);
  const size_t count = 300, results = isHalf ? 17 : 14;
  std::vector<uint32_t> inputs[3];
  const uint32_t edges[] = {0, 0x8000, format.pattern(INFINITY), format.pattern(-INFINITY),
                            1, 0x8001, format.pattern(1)};
  for (auto &input : inputs)
    for (size_t i = 0; i < count; ++i) {
      const uint32_t low = i % 5 == 0 ? edges[random() % 7] : random() & 0xffff;
      // Elements of the same size, too, so that sums cancel.
      const uint32_t high = i % 3 ? random() & 0xffff : format.pattern(double(int(random() % 4001) - 2000) / 64);
      input.push_back(low | high << 16);
    }
  const uint64_t out = machine.space<uint32_t>(count * results, "out");
  machine.launch(entry, {unsigned(count + kBlock - 1) / kBlock}, {kBlock}, 0, machine.put(inputs[0], "a"),
                 machine.put(inputs[1], "b"), machine.put(inputs[2], "c"), out, int(count));
  auto got = machine.getWritten<uint32_t>(out, count * results, "out");
  const auto oneNan = [&](uint32_t pair) { return sameNan(format, pair & 0xffff) | sameNan(format, pair >> 16) << 16; };
  // Signs of NaN are changed by abs and neg alone; elsewhere NaN is canonical.
  for (size_t k = 0; k < got.size(); ++k)
    if (k / count == 8 || k / count == 9 || k / count >= results - 1)
      got[k] = oneNan(got[k]);
  expectRows(entry, got, count, [&](size_t i) {
    auto row = pairResults(format, inputs[0][i], inputs[1][i], inputs[2][i], isHalf);
    for (size_t j : {size_t(8), size_t(9), results - 1})
      row[j] = oneNan(row[j]);
    return row;
  });
}

} // namespace

void checkHalves(Machine &machine) {
  conversions(machine);
  pairs(machine, "packed", half(), true, 42);
  pairs(machine, "packedBrains", brain(), false, 43);
}

} // namespace attn::foreign
