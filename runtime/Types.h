// SPDX-License-Identifier: Apache-2.0
// Element types: names, sizes, and conversions of the 16-bit floats (round to nearest even).
#ifndef ATTN_RUNTIME_TYPES_H
#define ATTN_RUNTIME_TYPES_H

#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace attn {

/// Type of the elements of a tensor. `Index` exists for scalars alone: 64 bits, signed.
enum class DType : uint8_t { F16, BF16, F32, F64, I8, I32, I64, Bool, Index };

struct DTypeInfo {
  DType type;
  std::string_view name; ///< as written in specs and kernel files
  size_t size;           ///< bytes per element
};

inline constexpr DTypeInfo dtypes[] = {
    {DType::F16, "f16", 2}, {DType::BF16, "bf16", 2}, {DType::F32, "f32", 4},
    {DType::F64, "f64", 8}, {DType::I8, "i8", 1},     {DType::I32, "i32", 4},
    {DType::I64, "i64", 8}, {DType::Bool, "bool", 1}, {DType::Index, "index", 8},
};

inline constexpr std::string_view nameOf(DType type) { return dtypes[static_cast<size_t>(type)].name; }
inline constexpr size_t sizeOf(DType type) { return dtypes[static_cast<size_t>(type)].size; }
inline constexpr bool isFloat(DType type) { return type <= DType::F64; }

/// The type of that name; nothing when there is none.
inline constexpr std::optional<DType> typeNamed(std::string_view name) {
  for (const DTypeInfo &info : dtypes)
    if (info.name == name)
      return info.type;
  return std::nullopt;
}

/// f32 to bf16, nearest even; NaN stays NaN (quiet, sign kept).
inline constexpr uint16_t toBF16(float value) {
  uint32_t bits = std::bit_cast<uint32_t>(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u)
    return static_cast<uint16_t>((bits >> 16) | 0x40);
  return static_cast<uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1)) >> 16);
}

inline constexpr float fromBF16(uint16_t bits) { return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16); }

/// f32 to f16, nearest even, with subnormals; too large becomes infinity, NaN stays NaN.
inline constexpr uint16_t toF16(float value) {
  uint32_t bits = std::bit_cast<uint32_t>(value);
  auto sign = static_cast<uint16_t>((bits >> 16) & 0x8000u);
  uint32_t magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u)
    return sign | 0x7e00;
  if (magnitude >= 0x47800000u) // 65536 and above
    return sign | 0x7c00;
  if (magnitude < 0x33000000u) // below half of the smallest subnormal
    return sign;
  int exponent = static_cast<int>(magnitude >> 23) - 127;
  // Normal numbers drop 13 of the 24 significant bits, subnormal ones as many more as the exponent lacks.
  int shift = exponent < -14 ? 13 + (-14 - exponent) : 13;
  uint32_t significand = (magnitude & 0x7fffffu) | 0x800000u;
  uint32_t kept = significand >> shift;
  uint32_t rest = significand & ((1u << shift) - 1), half = 1u << (shift - 1);
  if (rest > half || (rest == half && (kept & 1)))
    ++kept;
  // A carry out of the significand lands in the exponent, which is what rounding up means.
  uint32_t base = exponent < -14 ? 0 : static_cast<uint32_t>(exponent + 14) << 10;
  return static_cast<uint16_t>(sign | (base + kept));
}

inline constexpr float fromF16(uint16_t bits) {
  uint32_t sign = static_cast<uint32_t>(bits & 0x8000u) << 16;
  uint32_t exponent = (bits >> 10) & 0x1f, fraction = bits & 0x3ffu;
  if (exponent == 31)
    return std::bit_cast<float>(sign | 0x7f800000u | (fraction << 13));
  if (exponent != 0)
    return std::bit_cast<float>(sign | ((exponent + 112) << 23) | (fraction << 13));
  float magnitude = static_cast<float>(fraction) * 0x1p-24f;
  return sign ? -magnitude : magnitude;
}

} // namespace attn

#endif // ATTN_RUNTIME_TYPES_H
