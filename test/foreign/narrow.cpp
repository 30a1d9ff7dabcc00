// SPDX-License-Identifier: Apache-2.0
// narrow.cu: formats by their tables, each result rounded once.
#include "test/foreign/Numbers.h"

namespace attn::foreign {
namespace {

const SmallFormat &e4m3() {
  static const SmallFormat format(4, 3, false);
  return format;
}
const SmallFormat &e5m2() {
  static const SmallFormat format(5, 2, true);
  return format;
}

constexpr unsigned kBlock = 64;

std::vector<float> someFloats(size_t count) {
  std::mt19937 random(61);
  std::vector<float> numbers{0.0f,         -0.0f,         448.0f,   464.0f,   465.0f,    480.0f,
                             -500.0f,      57344.0f,      61440.0f, 65519.0f, -7e4f,     1e30f,
                             0.001953125f, 0.0009765625f, 0.00098f, INFINITY, -INFINITY, NAN};
  while (numbers.size() < count)
    numbers.push_back(std::ldexp(float(int(random())), int(random() % 40) - 46));
  return numbers;
}

void eightBits(Machine &machine) {
  const auto in = someFloats(250);
  const size_t count = in.size();
  const uint64_t out = machine.space<uint32_t>(6 * count, "out");
  machine.launch("eightBits", {unsigned(count + kBlock - 1) / kBlock}, {kBlock}, 0, machine.put(in, "in"), out,
                 int(count));
  expectRows("eightBits", machine.getWritten<uint32_t>(out, 6 * count, "out"), count, [&](size_t i) {
    const double x = in[i], y = in[(i + 1) % count];
    std::vector<uint32_t> row;
    const auto narrowed = [&](const SmallFormat &format, double value) {
      return format.pattern(value, Round::Nearest, true);
    };
    for (const SmallFormat *format : {&e4m3(), &e5m2()})
      row.push_back(narrowed(*format, x));
    for (const SmallFormat *format : {&e4m3(), &e5m2()})
      row.push_back(narrowed(*format, x) | narrowed(*format, y) << 8);
    for (const SmallFormat *format : {&e4m3(), &e5m2()}) {
      const double first = half().value(half().pattern(x)), second = half().value(half().pattern(y));
      row.push_back(narrowed(*format, first) | narrowed(*format, second) << 8);
    }
    return row;
  });
}

void fromEightBits(Machine &machine) {
  std::vector<uint32_t> wanted;
  for (const SmallFormat *format : {&e4m3(), &e5m2()})
    for (uint32_t i = 0; i < 256; ++i)
      wanted.push_back(half().pattern(format->value(i)) | half().pattern(format->value(255 - i)) << 16);
  const uint64_t out = machine.space<uint32_t>(wanted.size(), "out");
  machine.launch("fromEightBits", {1}, {256}, 0, out);
  expectEqual("fromEightBits", machine.getWritten<uint32_t>(out, wanted.size(), "out"), wanted);
}

std::vector<uint32_t> brainResults(float x, uint32_t bitsA, uint32_t bitsB) {
  const SmallFormat &format = brain();
  const double a = format.value(bitsA), b = format.value(bitsB);
  std::vector<uint32_t> row;
  for (Round round : kRounds)
    row.push_back(format.pattern(x, round));
  for (Round round : kRounds)
    row.push_back(uint32_t(toInteger<int32_t>(round, a, false)));
  row.insert(row.end(),
             {toInteger<uint32_t>(Round::Zero, a, false), uint32_t(toInteger<int64_t>(Round::Nearest, a, true)),
              toInteger<uint16_t>(Round::Zero, a, false)});
  row.push_back(format.pattern(int(bitsA) * 257 - 5000000));
  row.push_back(format.pattern(bitsA * 65537u, Round::Zero));
  const auto fused = [&](double p, double q, double r) { return format.pattern(fusedOdd(p, q, r)); };
  row.insert(row.end(), {fused(a, 1, b), fused(b, -1, a), format.pattern(a * b), fused(a, b, a)});
  row.insert(row.end(), {fused(a, 1, b) | fused(b, 1, a) << 16, format.pattern(a * b) * 0x10001u,
                         fused(a, b, a) | fused(b, a, b) << 16});
  const uint32_t one = format.pattern(1);
  row.push_back((a < b ? one : 0) | (b < a ? one << 16 : 0));
  row.push_back(uint32_t(a == b) + 2 * !(a <= b));
  const bool firstIsLess = a < b || (a == b && std::signbit(a));
  row.push_back(std::isnan(a) || std::isnan(b) ? format.pattern(std::isnan(a) ? b : a) : firstIsLess ? bitsB : bitsA);
  row.push_back(std::isnan(a) || std::isnan(b) ? 0x7fff : firstIsLess ? bitsA : bitsB);
  return row;
}

void brains(Machine &machine) {
  const auto in = someFloats(300);
  const size_t count = in.size(), results = brainResults(0, 0, 0).size();
  std::mt19937 random(62);
  std::vector<uint16_t> bits{0, 0x8000, 0x3f80, 0xbf80, 0x7f80, 0xff80, 0x7fc0,
                             1, 0x8001, 0x4f00, 0xcf00, 0x3f00, 0x4020};
  while (bits.size() < count)
    bits.push_back(uint16_t(bits.size() % 2 ? random() : brain().pattern(double(int(random() % 2001) - 1000) / 16)));
  const uint64_t out = machine.space<uint32_t>(results * count, "out");
  machine.launch("brains", {unsigned(count + kBlock - 1) / kBlock}, {kBlock}, 0, machine.put(in, "in"),
                 machine.put(bits, "bits"), out, int(count));
  expectRows("brains", machine.getWritten<uint32_t>(out, results * count, "out"), count,
             [&](size_t i) { return brainResults(in[i], bits[i], bits[(i + 1) % count]); });
}

void sums(Machine &machine) {
  const int grid = 3, block = 64;
  const uint64_t brains = machine.put(std::vector<uint32_t>{0}, "brains");
  const uint64_t one = machine.put(std::vector<uint16_t>{0, 0}, "brain"),
                 small = machine.put(std::vector<uint16_t>{0, 0}, "half");
  const uint64_t two = machine.put(std::vector<float>(2), "two"), four = machine.put(std::vector<float>(4), "four");
  machine.launch("sums", {unsigned(grid)}, {unsigned(block)}, 0, brains, one, two, four, small);
  int odd = 0, thirds = 0, quarters = 0, sum = 0, squares = 0, fifths = 0;
  for (int i = 0; i < block; ++i) {
    odd += i % 2;
    thirds -= i % 3 == 0;
    quarters += i % 4 == 0;
    sum += i;
    squares += i * i;
    fifths += i % 5;
  }
  const auto bits = [](const SmallFormat &format, int value) { return format.pattern(value * grid); };
  expectEqual("brains", machine.get<uint32_t>(brains, 1), {bits(brain(), odd) | bits(brain(), thirds) << 16});
  expectEqual("brain", machine.get<uint16_t>(one, 1), {uint16_t(bits(brain(), quarters))});
  expectEqual("half", machine.get<uint16_t>(small, 1), {uint16_t(bits(half(), fifths))});
  expectEqual("two", machine.get<float>(two, 2), {float(grid * sum), float(grid * block)});
  expectEqual("four", machine.get<float>(four, 4),
              {float(grid * block), float(-grid * sum), float(grid * block) / 2, float(grid * squares)});
}

} // namespace

void checkNarrow(Machine &machine) {
  eightBits(machine);
  fromEightBits(machine);
  brains(machine);
  sums(machine);
}

} // namespace attn::foreign
