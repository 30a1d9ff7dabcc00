// SPDX-License-Identifier: Apache-2.0
// Number formats as bits: decoding, encoding with every rounding, flushing and canonical NaNs. Pure functions, with
// internal linkage: one of the files that include this is compiled for wider vectors, and the linker must not mix
// copies.
#pragma once

#include "runtime/sim/Table.h"

#include <algorithm>
#include <bit>
#include <cstdint>

namespace attn::sim {

inline constexpr uint32_t kNan32 = 0x7fffffff;
inline constexpr uint64_t kNan64 = 0x7fffffffffffffff;
inline constexpr uint32_t kNan16 = 0x7fff; // of f16 and of bf16

/// Layout of a binary floating-point format below 64 bits of magnitude.
struct FloatFormat {
  int exponentBits, mantissaBits;
  /// False: the largest exponent holds numbers too, and only all ones is NaN (e4m3).
  bool infinity;
  uint64_t nan;

  constexpr int bias() const { return (1 << (exponentBits - 1)) - 1; }
  constexpr int bits() const { return 1 + exponentBits + mantissaBits; }
  constexpr uint64_t signBit() const { return uint64_t(1) << (bits() - 1); }
  constexpr uint64_t infinityBits() const { return ((uint64_t(1) << exponentBits) - 1) << mantissaBits; }
  constexpr uint64_t maxFinite() const { return infinity ? infinityBits() - 1 : signBit() - 2; }
  constexpr int minExponent() const { return 1 - bias(); }
};

inline constexpr FloatFormat kF64{11, 52, true, kNan64};
inline constexpr FloatFormat kF32{8, 23, true, kNan32};
inline constexpr FloatFormat kF16{5, 10, true, kNan16};
inline constexpr FloatFormat kBF16{8, 7, true, kNan16};
inline constexpr FloatFormat kE4M3{4, 3, false, 0x7f};
inline constexpr FloatFormat kE5M2{5, 2, true, 0x7f};
/// tf32 kept as the upper 19 bits of an f32.
inline constexpr FloatFormat kTF32{8, 10, true, kNan32 >> 13};

/// A number apart: magnitude * 2^exponent.
struct Unpacked {
  enum Kind : uint8_t { Zero, Finite, Infinity, NaN };
  Kind kind = Zero;
  bool sign = false;
  uint64_t magnitude = 0; // not 0 if Finite
  int exponent = 0;
};

static constexpr Unpacked unpack(uint64_t bits, const FloatFormat &f) {
  Unpacked u;
  u.sign = (bits & f.signBit()) != 0;
  const uint64_t rest = bits & (f.signBit() - 1);
  const uint64_t mantissa = rest & ((uint64_t(1) << f.mantissaBits) - 1);
  const int field = int(rest >> f.mantissaBits);
  if (f.infinity ? rest >= f.infinityBits() : rest == f.signBit() - 1) {
    u.kind = f.infinity && mantissa == 0 ? Unpacked::Infinity : Unpacked::NaN;
    return u;
  }
  if (rest == 0)
    return u;
  u.kind = Unpacked::Finite;
  u.magnitude = field ? mantissa | uint64_t(1) << f.mantissaBits : mantissa;
  u.exponent = std::max(field, 1) - f.bias() - f.mantissaBits;
  return u;
}

/// Whether a kept magnitude is incremented. `half` compares the dropped part with one half: -1, 0, 1; `inexact`: it is
/// not 0.
static constexpr bool roundsUp(Rounding rounding, bool sign, bool odd, int half, bool inexact) {
  switch (rounding) {
  case Rounding::Rz:
  case Rounding::Rzi:
    return false;
  case Rounding::Rm:
  case Rounding::Rmi:
    return inexact && sign;
  case Rounding::Rp:
  case Rounding::Rpi:
    return inexact && !sign;
  case Rounding::Rna:
    return half >= 0;
  default:
    return half > 0 || (half == 0 && odd);
  }
}

/// magnitude >> shift, rounded. `shift` may be any positive number.
static constexpr uint64_t shiftRounded(uint64_t magnitude, int shift, Rounding rounding, bool sign) {
  if (shift <= 0)
    return magnitude << -shift;
  uint64_t kept = shift < 64 ? magnitude >> shift : 0;
  const uint64_t dropped = shift < 64 ? magnitude & ((uint64_t(1) << shift) - 1) : magnitude;
  int half = -1;
  if (shift <= 64) {
    const uint64_t point = uint64_t(1) << (shift - 1);
    half = dropped > point ? 1 : dropped == point ? 0 : -1;
  }
  return kept + roundsUp(rounding, sign, kept & 1, half, dropped != 0);
}

/// What a number above the range becomes, without its sign.
static constexpr uint64_t overflow(const FloatFormat &f, Rounding rounding, bool sign, bool saturate) {
  const bool stays =
      rounding == Rounding::Rz || (rounding == Rounding::Rm && !sign) || (rounding == Rounding::Rp && sign);
  return saturate || stays ? f.maxFinite() : f.infinityBits();
}

/// Bits of `u` in format `f`, rounded once. What overflows becomes infinity or the largest number, as the rounding has
/// it; with `saturate`, or in a format without infinity, always the largest number. NaN becomes the canonical one.
static constexpr uint64_t pack(const Unpacked &u, const FloatFormat &f, Rounding rounding, bool saturate = false) {
  if (u.kind == Unpacked::NaN)
    return f.nan;
  const uint64_t sign = u.sign ? f.signBit() : 0;
  if (u.kind == Unpacked::Zero)
    return sign;
  saturate |= !f.infinity;
  if (u.kind == Unpacked::Infinity)
    return sign | (saturate ? f.maxFinite() : f.infinityBits());
  const int top = u.exponent + 63 - std::countl_zero(u.magnitude);
  const int exponent = std::max(top, f.minExponent());
  if (exponent > f.bias() + 1)
    return sign | overflow(f, rounding, u.sign, saturate);
  const uint64_t kept = shiftRounded(u.magnitude, exponent - f.mantissaBits - u.exponent, rounding, u.sign);
  const uint64_t bits = kept + (uint64_t(exponent - f.minExponent()) << f.mantissaBits);
  return sign | (bits > f.maxFinite() ? overflow(f, rounding, u.sign, saturate) : bits);
}

static inline float asFloat(uint32_t bits) { return std::bit_cast<float>(bits); }
static inline double asDouble(uint64_t bits) { return std::bit_cast<double>(bits); }
static inline uint32_t asBits(float value) { return std::bit_cast<uint32_t>(value); }
static inline uint64_t asBits(double value) { return std::bit_cast<uint64_t>(value); }

/// Subnormal bits of an f32 become a zero of the same sign.
static constexpr uint32_t flush(uint32_t bits) { return (bits & 0x7f800000u) ? bits : bits & 0x80000000u; }
static constexpr bool isNan32(uint32_t bits) { return (bits & 0x7fffffffu) > 0x7f800000u; }
static constexpr bool isNan64(uint64_t bits) { return (bits & kNan64) > 0x7ff0000000000000u; }
/// Any NaN becomes the canonical one.
static inline uint32_t canonical(float value) { return value != value ? kNan32 : asBits(value); }
static inline uint64_t canonical(double value) { return value != value ? kNan64 : asBits(value); }

/// Exact.
static inline float bf16ToFloat(uint32_t bits) { return asFloat(bits << 16); }
/// Exact; without branches, so that loops over lanes vectorise.
static inline float f16ToFloat(uint32_t bits) {
  const uint32_t rest = bits & 0x7fff, sign = (bits & 0x8000) << 16;
  const uint32_t normal = (rest << 13) + (rest >= 0x7c00 ? 0x70000000u : 0x38000000u);
  const uint32_t subnormal = asBits(float(int32_t(rest)) * 0x1p-24f);
  return asFloat(sign | (rest < 0x400 ? subnormal : normal));
}
static inline float e4m3ToFloat(uint32_t bits) {
  return asFloat(uint32_t(pack(unpack(bits & 0xff, kE4M3), kF32, Rounding::Rn)));
}
static inline float e5m2ToFloat(uint32_t bits) {
  return asFloat(uint32_t(pack(unpack(bits & 0xff, kE5M2), kF32, Rounding::Rn)));
}

/// Nearest even; NaN becomes 0x7fff.
static inline uint32_t floatToBf16(float value) {
  const uint32_t bits = asBits(value);
  const uint32_t rounded = (bits + 0x7fffu + ((bits >> 16) & 1)) >> 16;
  return isNan32(bits) ? kNan16 : rounded;
}
/// Nearest even; NaN becomes 0x7fff.
static inline uint32_t floatToF16(float value) {
  const uint32_t bits = asBits(value), rest = bits & 0x7fffffffu, sign = (bits >> 16) & 0x8000u;
  // Adding one half moves the last bit of a subnormal f16 to the last bit of the sum.
  const uint32_t subnormal = asBits(asFloat(rest) + 0.5f) - 0x3f000000u;
  const uint32_t normal = (rest - 0x38000000u + 0xfffu + ((rest >> 13) & 1)) >> 13;
  const uint32_t capped = rest >= 0x47800000u ? 0x7c00u : normal;
  const uint32_t magnitude = rest < 0x38800000u ? subnormal : capped;
  return isNan32(bits) ? kNan16 : sign | magnitude;
}
static inline uint32_t floatToE4m3(float value) {
  return uint32_t(pack(unpack(asBits(value), kF32), kE4M3, Rounding::Rn, true));
}
static inline uint32_t floatToE5m2(float value, bool saturate = true) {
  return uint32_t(pack(unpack(asBits(value), kF32), kE5M2, Rounding::Rn, saturate));
}
/// As an f32 with its low 13 bits zero.
static inline uint32_t floatToTf32(float value, Rounding rounding = Rounding::Rna) {
  return uint32_t(pack(unpack(asBits(value), kF32), kTF32, rounding)) << 13 | (value != value ? 0x1fffu : 0u);
}

/// a + b with the last bit set when it is inexact: rounding it again to fewer than 52 bits rounds the exact sum once.
static inline double addToOdd(double a, double b) {
  const double sum = a + b;
  const double bPart = sum - a, error = (a - (sum - bPart)) + (b - bPart);
  const uint64_t bits = asBits(sum);
  // The sum was rounded to an even neighbour: the odd one lies on the side of the error.
  const bool adjust = error != 0 && !(bits & 1) && (bits & 0x7ff0000000000000u) != 0x7ff0000000000000u;
  const uint64_t odd = (error > 0) == (sum > 0) ? bits + 1 : bits - 1;
  return asDouble(adjust ? odd : bits);
}
/// Nearest even, once.
static inline uint32_t doubleToBf16(double value) {
  return uint32_t(pack(unpack(asBits(value), kF64), kBF16, Rounding::Rn));
}
static inline uint32_t doubleToF16(double value) {
  return uint32_t(pack(unpack(asBits(value), kF64), kF16, Rounding::Rn));
}

} // namespace attn::sim
