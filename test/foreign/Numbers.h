// SPDX-License-Identifier: Apache-2.0
// Numbers for references: directed rounding by the host, formats narrower than f32 from their definition, error bounds.
#ifndef ATTN_TEST_FOREIGN_NUMBERS_H
#define ATTN_TEST_FOREIGN_NUMBERS_H

#include "test/foreign/Foreign.h"

#include <algorithm>
#include <cfenv>
#include <limits>

namespace attn::foreign {

enum class Round { Nearest, Zero, Up, Down };
constexpr Round kRounds[] = {Round::Nearest, Round::Zero, Round::Up, Round::Down};

/// What `compute` returns while the host rounds in that direction. It must read and write volatile variables, so that
/// the compiler leaves the arithmetic where it is.
template <typename Compute> auto rounded(Round round, Compute compute) {
  constexpr int kModes[] = {FE_TONEAREST, FE_TOWARDZERO, FE_UPWARD, FE_DOWNWARD};
  std::fesetround(kModes[int(round)]);
  const auto result = compute();
  std::fesetround(FE_TONEAREST);
  return result;
}

/// To an integral value.
inline double integral(Round round, double value) {
  switch (round) {
  case Round::Zero:
    return std::trunc(value);
  case Round::Up:
    return std::ceil(value);
  case Round::Down:
    return std::floor(value);
  default:
    return std::nearbyint(value);
  }
}

/// A conversion to an integer type, clamped to its range. NaN becomes 0, or the highest bit when `wide`: the source or
/// the destination has 64 bits.
template <typename T> T toInteger(Round round, double value, bool wide) {
  constexpr int bits = 8 * sizeof(T);
  if (std::isnan(value))
    return wide ? T(uint64_t(1) << (bits - 1)) : T(0);
  const double whole = integral(round, value), end = std::ldexp(1.0, std::numeric_limits<T>::digits);
  if (whole >= end)
    return std::numeric_limits<T>::max();
  if (whole < (std::numeric_limits<T>::is_signed ? -end : 0.0))
    return std::numeric_limits<T>::min();
  return T(whole);
}

/// A binary format of at most 16 bits, as a table of its values.
class SmallFormat {
public:
  /// `infinite`: the largest exponent means infinity and NaN; otherwise only its last pattern is NaN.
  SmallFormat(int exponentBits, int mantissaBits, bool infinite)
      : mantissaBits(mantissaBits), bits(1 + exponentBits + mantissaBits), bias((1 << (exponentBits - 1)) - 1) {
    const uint32_t top = ((1u << exponentBits) - 1) << mantissaBits;
    firstOfNone = infinite ? top : top + (1u << mantissaBits) - 1;
    infinity = infinite ? top : ~0u;
  }
  uint32_t signBit() const { return 1u << (bits - 1); }
  /// Any pattern's value.
  double value(uint32_t pattern) const {
    const uint32_t magnitude = pattern & (signBit() - 1);
    const double sign = pattern & signBit() ? -1 : 1;
    if (magnitude == infinity)
      return sign * INFINITY;
    if (magnitude >= firstOfNone)
      return NAN;
    return sign * finite(magnitude);
  }
  bool isNan(uint32_t pattern) const { return std::isnan(value(pattern)); }
  /// The pattern of `value` rounded once; what exceeds the format becomes infinite where the direction says so, or the
  /// largest number when `saturate` or when there is no infinity.
  uint32_t pattern(double value, Round round = Round::Nearest, bool saturate = false) const {
    if (std::isnan(value))
      return signBit() - 1;
    const bool negative = std::signbit(value);
    const double magnitude = std::fabs(value);
    const bool away = round == (negative ? Round::Down : Round::Up);
    uint32_t low = below(magnitude);
    if (std::isinf(magnitude) && infinity != ~0u && !saturate)
      low = infinity;
    else if (magnitude > finite(low)) {
      // finite() also gives the number that would follow the largest one.
      const double half = (finite(low) + finite(low + 1)) / 2;
      const bool nearest = magnitude > half || (magnitude == half && low % 2);
      if (away || (round == Round::Nearest && nearest))
        low = low + 1 < firstOfNone ? low + 1 : saturate || infinity == ~0u ? low : infinity;
    }
    return low | (negative ? signBit() : 0);
  }

private:
  double finite(uint32_t magnitude) const {
    const int exponent = int(magnitude >> mantissaBits);
    const int mantissa = int(magnitude & ((1u << mantissaBits) - 1)) + (exponent ? 1 << mantissaBits : 0);
    return std::ldexp(double(mantissa), std::max(exponent, 1) - bias - mantissaBits);
  }
  /// The largest finite pattern that is not above `magnitude`.
  uint32_t below(double magnitude) const {
    uint32_t low = 0, high = firstOfNone;
    while (high - low > 1) {
      const uint32_t middle = (low + high) / 2;
      (finite(middle) <= magnitude ? low : high) = middle;
    }
    return low;
  }

  int mantissaBits, bits, bias;
  uint32_t firstOfNone, infinity;
};

inline const SmallFormat &half() {
  static const SmallFormat format(5, 10, true);
  return format;
}
inline const SmallFormat &brain() {
  static const SmallFormat format(8, 7, true);
  return format;
}

/// x y + z in double, not rounded but made odd where it is inexact: rounding it once more to a format of at most 24
/// bits gives what rounding the exact sum gives. The product must be exact.
inline double fusedOdd(double x, double y, double z) {
  const double product = x * y, sum = product + z;
  if (!std::isfinite(sum))
    return sum;
  const double back = sum - product, error = (product - (sum - back)) + (z - back);
  if (error != 0 && bitCast<uint64_t>(sum) % 2 == 0)
    return std::nextafter(sum, error > 0 ? INFINITY : -INFINITY);
  return sum;
}

/// The distance of two neighbours of T at `value`.
template <typename T> long double unit(long double value) {
  if (value == 0)
    return std::numeric_limits<T>::denorm_min();
  const int exponent = std::max(std::ilogb(value), std::numeric_limits<T>::min_exponent - 1);
  return std::ldexp(1.0L, exponent - (std::numeric_limits<T>::digits - 1));
}

/// Results one after the other, each for all inputs: `wanted(i)` has those of input i. NaN equals NaN.
template <typename T, typename Wanted>
void expectRows(const std::string &name, const std::vector<T> &got, size_t count, Wanted wanted) {
  Difference difference(name);
  for (size_t i = 0; i < count; ++i) {
    const std::vector<T> row = wanted(i);
    if (row.size() * count != got.size())
      throw std::runtime_error(fmt::format("{} has {} elements, expects {}", name, got.size(), row.size() * count));
    for (size_t j = 0; j < row.size(); ++j) {
      const T value = got[j * count + i];
      if constexpr (std::is_floating_point_v<T>)
        if (std::isnan(value) && std::isnan(row[j]))
          continue;
      if (std::memcmp(&value, &row[j], sizeof(T)) != 0)
        difference.add(j * count + i, fmt::format("{} (result {} of input {})", row[j], j, i),
                       fmt::format("{}", value));
    }
  }
  difference.check();
}

} // namespace attn::foreign

#endif // ATTN_TEST_FOREIGN_NUMBERS_H
