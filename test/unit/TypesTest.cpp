// SPDX-License-Identifier: Apache-2.0
// The 16-bit floats: every value, and every midpoint between neighbours.
#include "runtime/Types.h"
#include "test/unit/Test.h"

#include <cmath>

using namespace attn;

/// The value of a 16-bit float by its definition: sign, exponent, fraction.
static double valueByDefinition(uint16_t bits, int exponentBits) {
  int fractionBits = 15 - exponentBits, bias = (1 << (exponentBits - 1)) - 1;
  int exponent = (bits >> fractionBits) & ((1 << exponentBits) - 1), fraction = bits & ((1 << fractionBits) - 1);
  double sign = bits >> 15 ? -1 : 1;
  if (exponent == (1 << exponentBits) - 1)
    return fraction ? NAN : sign * INFINITY;
  if (exponent == 0)
    return sign * std::ldexp(fraction, 1 - bias - fractionBits);
  return sign * std::ldexp(fraction + (1 << fractionBits), exponent - bias - fractionBits);
}

template <typename To, typename From> static void checkAllValues(int exponentBits, To to, From from) {
  for (unsigned bits = 0; bits < 0x10000; ++bits) {
    double want = valueByDefinition(static_cast<uint16_t>(bits), exponentBits);
    float got = from(static_cast<uint16_t>(bits));
    if (std::isnan(want)) {
      EXPECT(std::isnan(got));
      EXPECT(std::isnan(from(to(got))));
      continue;
    }
    EXPECT_EQ(static_cast<double>(got), want);
    EXPECT_EQ(std::signbit(got), std::signbit(want));
    EXPECT_EQ(to(got), bits);
  }
}

/// Between neighbours a < b: the midpoint goes to the even one, what is next to it to the nearer one.
template <typename To> static void checkAllMidpoints(int exponentBits, unsigned last, To to) {
  for (unsigned bits = 0; bits < last; ++bits) {
    double a = valueByDefinition(static_cast<uint16_t>(bits), exponentBits);
    double b = valueByDefinition(static_cast<uint16_t>(bits + 1), exponentBits);
    // Beyond the largest number stands what would come next, which rounds to infinity.
    if (std::isinf(b))
      b = a + (a - valueByDefinition(static_cast<uint16_t>(bits - 1), exponentBits));
    auto middle = static_cast<float>((a + b) / 2);
    EXPECT_EQ(static_cast<double>(middle), (a + b) / 2);
    EXPECT_EQ(to(middle), bits % 2 ? bits + 1 : bits);
    EXPECT_EQ(to(std::nextafter(middle, 0.0f)), bits);
    EXPECT_EQ(to(std::nextafter(middle, INFINITY)), bits + 1);
    EXPECT_EQ(to(-middle), (bits % 2 ? bits + 1 : bits) | 0x8000u);
  }
}

TEST(halfEveryValue) { checkAllValues(5, toF16, fromF16); }
TEST(bfloatEveryValue) { checkAllValues(8, toBF16, fromBF16); }
TEST(halfEveryMidpoint) { checkAllMidpoints(5, 0x7c00, toF16); }
TEST(bfloatEveryMidpoint) { checkAllMidpoints(8, 0x7f7f, toBF16); }

TEST(floatsBeyondSixteenBits) {
  EXPECT_EQ(toF16(1e30f), 0x7c00);
  EXPECT_EQ(toF16(-INFINITY), 0xfc00);
  EXPECT_EQ(toF16(1e-30f), 0);
  EXPECT_EQ(toF16(-1e-30f), 0x8000);
  EXPECT_EQ(toBF16(3.4e38f), 0x7f80);
  EXPECT_EQ(toBF16(-INFINITY), 0xff80);
}

TEST(typeNames) {
  for (const DTypeInfo &info : dtypes) {
    EXPECT(typeNamed(info.name) == info.type);
    EXPECT_EQ(nameOf(info.type), info.name);
  }
  EXPECT(!typeNamed("f8"));
  EXPECT_EQ(sizeOf(DType::BF16), 2u);
  EXPECT_EQ(sizeOf(DType::I64), 8u);
}
