// SPDX-License-Identifier: Apache-2.0
// Number formats of the simulator: every value of the 8- and 16-bit formats, against arithmetic on doubles.
#include "runtime/sim/Bits.h"
#include "test/unit/Test.h"

#include <cmath>
#include <limits>

using namespace attn;
using namespace attn::sim;

namespace {

/// What the bits of a small format mean, from the definition of the format and nothing else.
double meaning(uint32_t bits, const FloatFormat &f) {
  const double sign = bits >> (f.bits() - 1) & 1 ? -1.0 : 1.0;
  const int field = int(bits >> f.mantissaBits) & ((1 << f.exponentBits) - 1);
  const int mantissa = int(bits) & ((1 << f.mantissaBits) - 1);
  const int last = (1 << f.exponentBits) - 1;
  if (f.infinity && field == last)
    return mantissa ? NAN : sign * INFINITY;
  if (!f.infinity && field == last && mantissa == (1 << f.mantissaBits) - 1)
    return NAN;
  const double fraction = std::ldexp(double(mantissa), -f.mantissaBits);
  return sign * (field ? std::ldexp(1.0 + fraction, field - f.bias()) : std::ldexp(fraction, 1 - f.bias()));
}

bool same(double a, double b) {
  return (std::isnan(a) && std::isnan(b)) || (a == b && std::signbit(a) == std::signbit(b));
}

/// Encodes with all roundings what lies on, between and just beside all neighbouring values of the format.
void roundsBetweenNeighbours(const FloatFormat &f) {
  for (uint32_t bits = 0; bits < f.maxFinite(); ++bits) {
    const double low = meaning(bits, f), high = meaning(bits + 1, f), middle = low + (high - low) / 2;
    auto code = [&](double value, Rounding rounding) {
      return uint32_t(pack(unpack(asBits(value), kF64), f, rounding));
    };
    const uint32_t even = bits & 1 ? bits + 1 : bits, sign = uint32_t(f.signBit());
    const double belowMiddle = std::nextafter(middle, low), aboveMiddle = std::nextafter(middle, high);
    EXPECT_EQ(code(low, Rounding::Rn), bits);
    EXPECT_EQ(code(middle, Rounding::Rn), even);
    EXPECT_EQ(code(belowMiddle, Rounding::Rn), bits);
    EXPECT_EQ(code(aboveMiddle, Rounding::Rn), bits + 1);
    EXPECT_EQ(code(middle, Rounding::Rna), bits + 1);
    EXPECT_EQ(code(belowMiddle, Rounding::Rna), bits);
    EXPECT_EQ(code(aboveMiddle, Rounding::Rz), bits);
    EXPECT_EQ(code(belowMiddle, Rounding::Rp), bits + 1);
    EXPECT_EQ(code(aboveMiddle, Rounding::Rm), bits);
    EXPECT_EQ(code(-middle, Rounding::Rn), even | sign);
    EXPECT_EQ(code(-belowMiddle, Rounding::Rm), (bits + 1) | sign);
    EXPECT_EQ(code(-aboveMiddle, Rounding::Rp), bits | sign);
    EXPECT_EQ(code(-aboveMiddle, Rounding::Rz), bits | sign);
  }
}

} // namespace

TEST(simBitsDecodeEveryHalf) {
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    EXPECT(same(f16ToFloat(bits), meaning(bits, kF16)));
    EXPECT(same(bf16ToFloat(bits), meaning(bits, kBF16)));
  }
}

TEST(simBitsDecodeEveryByte) {
  for (uint32_t bits = 0; bits < 256; ++bits) {
    EXPECT(same(e4m3ToFloat(bits), meaning(bits, kE4M3)));
    EXPECT(same(e5m2ToFloat(bits), meaning(bits, kE5M2)));
  }
  EXPECT_EQ(e4m3ToFloat(0x7e), 448.0f);
  EXPECT_EQ(e5m2ToFloat(0x7b), 57344.0f);
}

TEST(simBitsEveryHalfComesBack) {
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    const bool nan16 = (bits & 0x7fff) > 0x7c00, nanBrain = (bits & 0x7fff) > 0x7f80;
    EXPECT_EQ(floatToF16(f16ToFloat(bits)), nan16 ? kNan16 : bits);
    EXPECT_EQ(floatToBf16(bf16ToFloat(bits)), nanBrain ? kNan16 : bits);
    EXPECT_EQ(doubleToF16(f16ToFloat(bits)), nan16 ? kNan16 : bits);
    EXPECT_EQ(doubleToBf16(bf16ToFloat(bits)), nanBrain ? kNan16 : bits);
  }
}

TEST(simBitsEveryByteComesBack) {
  for (uint32_t bits = 0; bits < 256; ++bits) {
    EXPECT_EQ(floatToE4m3(e4m3ToFloat(bits)), (bits & 0x7f) == 0x7f ? 0x7fu : bits);
    const uint32_t rest = bits & 0x7f;
    EXPECT_EQ(floatToE5m2(e5m2ToFloat(bits), false), rest > 0x7c ? 0x7fu : bits);
    EXPECT_EQ(floatToE5m2(e5m2ToFloat(bits), true), rest > 0x7c ? 0x7fu : rest == 0x7c ? bits - 1 : bits);
  }
}

TEST(simBitsRoundEveryNeighbour) {
  roundsBetweenNeighbours(kE4M3);
  roundsBetweenNeighbours(kE5M2);
  roundsBetweenNeighbours(kF16);
  roundsBetweenNeighbours(kBF16);
}

TEST(simBitsFastHalvesAreTheGeneralOnes) {
  // Around every value of the halves, and in strides over everything else.
  auto check = [](uint32_t bits) {
    const float value = asFloat(bits);
    EXPECT_EQ(floatToF16(value), uint32_t(pack(unpack(bits, kF32), kF16, Rounding::Rn)));
    EXPECT_EQ(floatToBf16(value), uint32_t(pack(unpack(bits, kF32), kBF16, Rounding::Rn)));
  };
  for (uint64_t bits = 0; bits < uint64_t(1) << 32; bits += 4099)
    check(uint32_t(bits));
  for (uint32_t half = 0; half < 65536; ++half)
    for (int32_t delta : {-1, 0, 1, 0x0fff, 0x1000, 0x1001, 0x7fff, 0x8000, 0x8001}) {
      check(asBits(f16ToFloat(half)) + uint32_t(delta));
      check((half << 16) + uint32_t(delta));
    }
}

TEST(simBitsOverflow) {
  EXPECT_EQ(floatToF16(65519.996f), 0x7bffu);
  EXPECT_EQ(floatToF16(65520.0f), 0x7c00u);
  EXPECT_EQ(floatToF16(-1e30f), 0xfc00u);
  EXPECT_EQ(floatToBf16(3.4e38f), 0x7f80u);
  EXPECT_EQ(floatToE4m3(1e9f), 0x7eu);
  EXPECT_EQ(floatToE4m3(-INFINITY), 0xfeu);
  EXPECT_EQ(floatToE4m3(NAN), 0x7fu);
  EXPECT_EQ(uint32_t(pack(unpack(asBits(1e300), kF64), kF32, Rounding::Rz)), 0x7f7fffffu);
  EXPECT_EQ(uint32_t(pack(unpack(asBits(-1e300), kF64), kF32, Rounding::Rp)), 0xff7fffffu);
  EXPECT_EQ(uint32_t(pack(unpack(asBits(-1e300), kF64), kF32, Rounding::Rm)), 0xff800000u);
}

TEST(simBitsSumsToOddRoundOnce) {
  // Halfway between two bf16 plus something a double cannot hold beside it: the something decides.
  const double half = 1.0 + 0x1p-8, tiny = 0x1p-100;
  EXPECT_EQ(doubleToBf16(half), 0x3f80u);
  EXPECT_EQ(doubleToBf16(addToOdd(half, tiny)), 0x3f81u);
  EXPECT_EQ(doubleToBf16(addToOdd(half, -tiny)), 0x3f80u);
  EXPECT_EQ(doubleToBf16(addToOdd(-half, -tiny)), 0xbf81u);
  EXPECT_EQ(doubleToBf16(addToOdd(1.0 + 0x1.8p-7, -tiny)), 0x3f81u);
  EXPECT_EQ(doubleToBf16(addToOdd(1.0 + 0x1.8p-7, tiny)), 0x3f82u);
  EXPECT(std::isinf(addToOdd(INFINITY, 1.0)));
  EXPECT(std::isnan(addToOdd(INFINITY, -INFINITY)));
}

TEST(simBitsTf32) {
  EXPECT_EQ(floatToTf32(asFloat(0x3f801000)), 0x3f802000u); // halfway, away from zero
  EXPECT_EQ(floatToTf32(asFloat(0xbf801000)), 0xbf802000u);
  EXPECT_EQ(floatToTf32(asFloat(0x3f800fff)), 0x3f800000u);
  EXPECT_EQ(floatToTf32(asFloat(0x3f801000), Rounding::Rn), 0x3f800000u);
  EXPECT_EQ(floatToTf32(asFloat(0x3f803000), Rounding::Rn), 0x3f804000u);
  EXPECT_EQ(floatToTf32(asFloat(0x7fc00001)), kNan32);
}

TEST(simBitsFlush) {
  EXPECT_EQ(flush(0x007fffff), 0u);
  EXPECT_EQ(flush(0x807fffff), 0x80000000u);
  EXPECT_EQ(flush(0x00800000), 0x00800000u);
  EXPECT_EQ(flush(0x7fc00001), 0x7fc00001u);
}
