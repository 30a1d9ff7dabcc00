// SPDX-License-Identifier: Apache-2.0
// numbers.cu: conversions, arithmetic and division are exact, by the host's own rounding; functions keep their
// documented error bounds.
#include "test/foreign/Numbers.h"

#include <functional>

namespace attn::foreign {
void checkHalves(Machine &); // numbers-halves.cpp

namespace {

const float kFloatEdges[] = {0.0f,
                             -0.0f,
                             1.0f,
                             -1.0f,
                             0.5f,
                             -0.5f,
                             1.5f,
                             2.5f,
                             -2.5f,
                             0.49999997f,
                             65504.0f,
                             65520.0f,
                             2147483520.0f,
                             2147483648.0f,
                             -2147483648.0f,
                             4294967040.0f,
                             9.2233720e18f,
                             -9.2233720e18f,
                             1.8446744e19f,
                             1e-45f,
                             -1e-40f,
                             1.17549435e-38f,
                             3.4028235e38f,
                             -3.4028235e38f,
                             INFINITY,
                             -INFINITY,
                             NAN};

std::vector<float> someFloats(size_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<float> numbers(std::begin(kFloatEdges), std::end(kFloatEdges));
  while (numbers.size() < count)
    numbers.push_back(random() % 3 ? std::ldexp(float(int(random())), int(random() % 64) - 40)
                                   : bitCast<float>(uint32_t(random())));
  std::shuffle(numbers.begin(), numbers.end(), random);
  return numbers;
}

std::vector<double> someDoubles(size_t count, unsigned seed) {
  std::mt19937_64 random(seed);
  std::vector<double> numbers{4294967295.5, 9.223372036854775e18, -9.3e18, 1e-310, 1e300, 1.00000005960464477, NAN};
  for (float edge : kFloatEdges)
    numbers.push_back(edge);
  while (numbers.size() < count)
    numbers.push_back(std::ldexp(double(int64_t(random())), int(random() % 120) - 110));
  std::shuffle(numbers.begin(), numbers.end(), random);
  return numbers;
}

std::vector<int64_t> someIntegers(size_t count, unsigned seed) {
  std::mt19937_64 random(seed);
  std::vector<int64_t> numbers{0,
                               1,
                               -1,
                               127,
                               128,
                               255,
                               -128,
                               32768,
                               65535,
                               0x7fffffff,
                               0x80000000,
                               0xffffffff,
                               INT64_MAX,
                               INT64_MIN,
                               16777217,
                               16777219,
                               -16777217,
                               int64_t(1) << 53,
                               (int64_t(1) << 53) + 1};
  while (numbers.size() < count)
    numbers.push_back(int64_t(random()) >> random() % 64);
  std::shuffle(numbers.begin(), numbers.end(), random);
  return numbers;
}

template <typename To, typename From> To convert(Round round, From value) {
  return rounded(round, [&] {
    volatile From from = value;
    volatile To to = To(from);
    return To(to);
  });
}

int64_t floatBits(float value) { return bitCast<int32_t>(value); }
int64_t doubleBits(double value) { return bitCast<int64_t>(value); }

constexpr unsigned kBlock = 64;

/// Runs an entry on arrays of inputs; `results` per input.
template <typename Out, typename... In>
std::vector<Out> compute(Machine &machine, const std::string &entry, size_t results, const std::vector<In> &...inputs) {
  const size_t counts[] = {inputs.size()...}, count = counts[0];
  const uint64_t out = machine.space<Out>(results * count, "out");
  machine.launch(entry, {unsigned(count + kBlock - 1) / kBlock}, {kBlock}, 0, machine.put(inputs, "in")..., out,
                 int(count));
  return machine.getWritten<Out>(out, results * count, "out");
}

/// Conversions of one number to integers of 32 and 64 bits.
std::vector<int64_t> toIntegers(double x, bool wide) {
  std::vector<int64_t> row;
  for (Round round : kRounds)
    row.push_back(toInteger<int32_t>(round, x, wide));
  for (Round round : kRounds)
    row.push_back(toInteger<uint32_t>(round, x, wide));
  for (Round round : kRounds)
    row.push_back(toInteger<int64_t>(round, x, true));
  for (Round round : kRounds)
    row.push_back(int64_t(toInteger<uint64_t>(round, x, true)));
  return row;
}

/// The bits of NaN are free: those that are there stand for those that are wanted.
int64_t sameNan(int64_t wanted, int64_t got, bool isDouble) {
  const bool none = isDouble ? std::isnan(bitCast<double>(wanted)) : std::isnan(bitCast<float>(int32_t(wanted)));
  const bool found = isDouble ? std::isnan(bitCast<double>(got)) : std::isnan(bitCast<float>(int32_t(got)));
  return none && found ? got : wanted;
}

constexpr Round kIntegralOrder[] = {Round::Nearest, Round::Zero, Round::Up, Round::Down};

void fromFloat(Machine &machine) {
  const auto in = someFloats(150, 21);
  const auto got = compute<int64_t>(machine, "fromFloat", 21, in);
  expectRows("fromFloat", got, in.size(), [&](size_t i) {
    auto row = toIntegers(in[i], false);
    row.push_back(sameNan(doubleBits(in[i]), got[16 * in.size() + i], true));
    for (Round round : kIntegralOrder)
      row.push_back(sameNan(floatBits(float(integral(round, in[i]))), got[row.size() * in.size() + i], false));
    return row;
  });
}

void fromDouble(Machine &machine) {
  const auto in = someDoubles(150, 22);
  const auto got = compute<int64_t>(machine, "fromDouble", 24, in);
  expectRows("fromDouble", got, in.size(), [&](size_t i) {
    auto row = toIntegers(in[i], true);
    for (Round round : kRounds)
      row.push_back(sameNan(floatBits(convert<float>(round, in[i])), got[row.size() * in.size() + i], false));
    for (Round round : kIntegralOrder)
      row.push_back(sameNan(doubleBits(integral(round, in[i])), got[row.size() * in.size() + i], true));
    return row;
  });
}

void fromInteger(Machine &machine) {
  const auto in = someIntegers(150, 23);
  const auto got = compute<int64_t>(machine, "fromInteger", 36, in);
  expectRows("fromInteger", got, in.size(), [&](size_t i) {
    const int64_t x = in[i];
    std::vector<int64_t> row;
    for (Round round : kRounds)
      row.push_back(floatBits(convert<float>(round, int32_t(x))));
    for (Round round : kRounds)
      row.push_back(floatBits(convert<float>(round, uint32_t(x))));
    for (Round round : kRounds)
      row.push_back(floatBits(convert<float>(round, x)));
    for (Round round : kRounds)
      row.push_back(floatBits(convert<float>(round, uint64_t(x))));
    row.insert(row.end(), {doubleBits(int32_t(x)), doubleBits(uint32_t(x))});
    for (Round round : kRounds)
      row.push_back(doubleBits(convert<double>(round, x)));
    for (Round round : kRounds)
      row.push_back(doubleBits(convert<double>(round, uint64_t(x))));
    row.insert(row.end(), {int8_t(x), uint8_t(x), int16_t(x), uint16_t(x), int32_t(x), uint32_t(x)});
    row.insert(row.end(), {int8_t(x), uint8_t(x), int16_t(x), uint16_t(x)});
    return row;
  });
}

/// Smaller or larger, with -0 below +0, and a number rather than NaN.
template <typename T> T extreme(T x, T y, bool larger) {
  if (std::isnan(x) || std::isnan(y))
    return std::isnan(x) ? y : x;
  const bool firstIsLess = x < y || (x == y && std::signbit(x));
  return firstIsLess != larger ? x : y;
}

/// Sum to reciprocal in all four roundings, in the kernel's order.
template <typename T> std::vector<T> inAllRoundings(T x, T y, T z) {
  std::vector<T> row;
  const auto each = [&](auto operation) {
    for (Round round : kRounds)
      row.push_back(rounded(round, [&] {
        volatile T a = x, b = y, c = z;
        volatile T result = operation(T(a), T(b), T(c));
        return T(result);
      }));
  };
  each([](T a, T b, T) { return a + b; });
  each([](T a, T b, T) { return a - b; });
  each([](T a, T b, T) { return a * b; });
  each([](T a, T b, T) { return a / b; });
  each([](T a, T b, T c) { return std::fma(a, b, c); });
  each([](T a, T, T) { return std::sqrt(a); });
  each([](T a, T, T) { return T(1) / a; });
  row.insert(row.end(), {extreme(x, y, false), extreme(x, y, true), std::fabs(x), -y, std::copysign(x, y)});
  return row;
}

void arithmetic(Machine &machine) {
  const auto a = someFloats(400, 24), b = someFloats(400, 25), c = someFloats(400, 26);
  const auto got = compute<float>(machine, "arithmetic", 36, a, b, c);
  expectRows("arithmetic", got, a.size(), [&](size_t i) {
    const float x = a[i], y = b[i], z = c[i];
    auto row = inAllRoundings(x, y, z);
    row.push_back(x > 0 ? std::min(x, 1.0f) : 0.0f);
    row.push_back(std::fmod(x, y));
    row.push_back(x < y ? 1 : std::isnan(z) ? 2 : x == y ? 3 : 4);
    return row;
  });
}

void arithmeticDouble(Machine &machine) {
  const auto a = someDoubles(300, 27), b = someDoubles(300, 28), c = someDoubles(300, 29);
  const auto got = compute<double>(machine, "arithmeticDouble", 34, a, b, c);
  expectRows("arithmeticDouble", got, a.size(), [&](size_t i) {
    const double x = a[i], y = b[i], z = c[i];
    auto row = inAllRoundings(x, y, z);
    row.push_back(x < y ? 1 : std::isnan(z) ? 2 : x >= y ? 3 : 4);
    return row;
  });
}

/// Quotient and remainder; the one quotient that does not fit wraps.
template <typename T> std::pair<T, T> divide(T x, T y) {
  if (std::numeric_limits<T>::is_signed && y == T(-1))
    return {T(0 - std::make_unsigned_t<T>(x)), T(0)};
  return {T(x / y), T(x % y)};
}

void division(Machine &machine) {
  const auto a = someIntegers(300, 30);
  auto b = someIntegers(300, 31);
  for (int64_t &divisor : b)
    divisor = divisor ? divisor : 3;
  const auto got = compute<int64_t>(machine, "division", 15, a, b);
  expectRows("division", got, a.size(), [&](size_t i) {
    const int64_t x = a[i], y = b[i];
    const auto wide = divide(x, y);
    const auto wideUnsigned = divide(uint64_t(x), uint64_t(y));
    const int32_t m = int32_t(x), n = int32_t(y) ? int32_t(y) : 1;
    const auto narrow = divide(m, n);
    const auto narrowUnsigned = divide(uint32_t(m), uint32_t(n));
    const int s = int16_t(x), t = int16_t(y) ? int16_t(y) : 1;
    return std::vector<int64_t>{wide.first,
                                wide.second,
                                int64_t(wideUnsigned.first),
                                int64_t(wideUnsigned.second),
                                narrow.first,
                                narrow.second,
                                narrowUnsigned.first,
                                narrowUnsigned.second,
                                m / 7,
                                uint32_t(m) % 10u,
                                x / 1000003,
                                int64_t(uint64_t(x) % 60u),
                                s / t,
                                s % t,
                                uint8_t(x) / 13};
  });
}

/// A function's true value, and how far a result may be from it: in units of the last place from the true value as T
/// rounds it, which is how errors are documented, and beyond that.
struct Bound {
  long double exact;
  long double units;
  long double absolute = 0;
};

template <typename T>
void expectNear(const std::string &name, const std::vector<T> &in, const std::vector<T> &got,
                const std::function<std::vector<Bound>(long double)> &bounds) {
  Difference difference(name);
  for (size_t i = 0; i < in.size(); ++i) {
    const auto row = bounds(in[i]);
    if (row.size() * in.size() != got.size())
      throw std::runtime_error(fmt::format("{} has {} results, expects {}", name, got.size(), row.size() * in.size()));
    for (size_t j = 0; j < row.size(); ++j) {
      const T value = got[j * in.size() + i];
      const auto [exact, units, absolute] = row[j];
      const bool overflow = std::fabs(exact) > std::numeric_limits<T>::max();
      const bool good = std::isnan(exact)               ? std::isnan(value)
                        : overflow || std::isinf(value) ? std::isinf(value) && overflow && (value > 0) == (exact > 0)
                        : absolute != 0                 ? std::fabs(value - exact) <= absolute
                                        : std::fabs(value - (long double)T(exact)) <= units * unit<T>(exact);
      if (!good)
        difference.add(j * in.size() + i, fmt::format("{} (function {} of {})", T(exact), j, in[i]),
                       fmt::format("{}", value));
    }
  }
  difference.check();
}

/// Bounds are the ones that the CUDA programming guide documents for these functions.
std::vector<Bound> preciseBounds(long double x) {
  const long double y = std::fabs(x);
  return {{std::exp(x), 2},        {std::exp2(x), 2},        {std::expm1(x), 1},         {std::sin(x), 2},
          {std::cos(x), 2},        {std::tan(x), 4},         {std::tanh(x), 2},          {std::erf(x), 2},
          {std::cbrt(x), 1},       {std::atan(x), 2},        {std::atan2(x, 3.0L), 3},   {std::sinh(x), 3},
          {std::cosh(x), 2},       {std::hypot(x, 5.0L), 3}, {std::log(y), 1},           {std::log2(y), 1},
          {std::log10(y), 2},      {std::log1p(y), 1},       {std::sqrt(y), 0},          {1 / std::sqrt(y), 2},
          {std::pow(y, 1.25L), 4}, {std::pow(y, -3.0L), 4},  {y / (long double)3.7f, 0}, {1 / y, 0}};
}

void precise(Machine &machine) {
  std::mt19937 random(32);
  std::vector<float> in{0.0f, 1.0f, -1.0f, 105615.0f, 1e9f, -3.3e20f, 3e38f, 1e-40f, 88.9f, -103.5f, INFINITY, NAN};
  while (in.size() < 160)
    in.push_back(std::ldexp(float(int32_t(random())), int(random() % 24) - 36));
  expectNear<float>("precise", in, compute<float>(machine, "precise", 24, in), preciseBounds);
  std::vector<double> wide(in.begin(), in.begin() + 100);
  expectNear<double>("preciseDouble", wide, compute<double>(machine, "preciseDouble", 7, wide), [](long double x) {
    return std::vector<Bound>{{std::exp(x), 1},
                              {std::sin(x), 2},
                              {std::cos(x), 2},
                              {std::tanh(x), 2},
                              {std::cbrt(x), 1},
                              {std::log(std::fabs(x)), 1},
                              {std::sqrt(std::fabs(x)), 0}};
  });
}

/// For logarithms, near 1 the error is absolute.
Bound logarithm(long double exact, long double argument, long double units, long double exponent) {
  return argument >= 0.5L && argument <= 2 ? Bound{exact, 0, std::pow(2.0L, exponent)} : Bound{exact, units};
}

std::vector<Bound> fastBounds(long double x) {
  const long double y = std::fabs(x), power = std::pow(y, 1.25L), scaled = float(x) * 40.0f;
  return {{std::exp(x), 2 + std::floor(std::fabs(1.173L * x))},
          {std::pow(10.0L, x), 2 + std::floor(std::fabs(2.97L * x))},
          {std::sin(x), 0, std::pow(2.0L, -21.41L)},
          {std::cos(x), 0, std::pow(2.0L, -21.19L)},
          logarithm(std::log(y), y, 3, -21.41L),
          logarithm(std::log2(y), y, 2, -22),
          logarithm(std::log10(y), y, 3, -24),
          // Errors of the logarithm, the product and the power of two together.
          {power, 0, power * 2.4L * std::pow(2.0L, -22)},
          {x / (long double)3.7f, 2},
          {1 / std::sqrt(y), 0},
          {std::tanh(x), 0, std::fabs(std::tanh(x)) * std::pow(2.0L, -11.0L)},
          {std::exp2(scaled), 2},
          {std::exp2(scaled), 2},
          {1 / x, 1},
          {std::sqrt(y), 0, std::sqrt(y) * std::pow(2.0L, -23.0L)},
          {1 / std::sqrt(y), 0, std::pow(2.0L, -22.4L) / std::sqrt(y)},
          {x / -(long double)1.3f, 2}};
}

void fast(Machine &machine) {
  std::mt19937 random(33);
  std::vector<float> in{1.0f, -1.0f, 2.0f, 0.5f, 3.0f, -3.0f, 1e-3f};
  while (in.size() < 160)
    in.push_back(float(int(random() % 60001) - 30000) / 10000.0f + 1e-5f);
  expectNear<float>("fast", in, compute<float>(machine, "fast", 17, in), fastBounds);
  // The same bounds must hold where the simulator is as wrong as the hardware may be. Functions that are promised to be
  // rounded correctly on top of approximations are not among them.
  if (!machine.options.approximateWorst) {
    machine.options.approximateWorst = true;
    auto got = compute<float>(machine, "fast", 17, in);
    machine.options.approximateWorst = false;
    expectNear<float>("fast at worst", in, got, [](long double x) {
      auto bounds = fastBounds(x);
      bounds[9].units = 2;
      // Of lg2.approx, times the logarithm of 2, and of what rounding adds.
      if (bounds[6].absolute != 0)
        bounds[6].absolute = 0.302L * std::pow(2.0L, -22) + std::pow(2.0L, -26);
      // Of the instruction that __sinf and __cosf are made of.
      bounds[2].absolute = bounds[3].absolute = std::pow(2.0L, -20.5L);
      return bounds;
    });
  }
}

} // namespace

void checkNumbers(Machine &machine) {
  fromFloat(machine);
  fromDouble(machine);
  fromInteger(machine);
  arithmetic(machine);
  arithmeticDouble(machine);
  division(machine);
  precise(machine);
  fast(machine);
  checkHalves(machine);
}

} // namespace attn::foreign
