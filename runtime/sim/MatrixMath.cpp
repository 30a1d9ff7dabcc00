// SPDX-License-Identifier: Apache-2.0
// Matrix products of fragments: decoding of elements and the inner loops.
#include "runtime/sim/MatrixMath.h"
#include "runtime/sim/ProductMath.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#define ATTN_HAVE_AVX2 1
#endif

namespace attn::sim {

#define ATTN_INLINE inline __attribute__((always_inline))

//===-- Elements
//-----------------------------------------------------------------------------------------------------===//

static ATTN_INLINE float fromBrain(uint16_t bits) { return std::bit_cast<float>(uint32_t(bits) << 16); }

static ATTN_INLINE float fromHalf(uint16_t bits) {
  // The scaling moves the exponent's bias and normalises subnormals at once; infinities and NaNs need their exponent
  // back.
  float magnitude = std::bit_cast<float>(uint32_t(bits & 0x7fff) << 13) * 0x1p112f;
  uint32_t value = std::bit_cast<uint32_t>(magnitude);
  value |= (bits & 0x7c00) == 0x7c00 ? 0x7f800000u : 0u;
  return std::bit_cast<float>(value | uint32_t(bits & 0x8000) << 16);
}

static double fromQuarter(uint8_t bits, int exponentBits) {
  int mantissaBits = 7 - exponentBits, bias = (1 << (exponentBits - 1)) - 1;
  int exponent = bits >> mantissaBits & ((1 << exponentBits) - 1), mantissa = bits & ((1 << mantissaBits) - 1);
  double value;
  if (exponentBits == 4 ? (bits & 0x7f) == 0x7f : exponent == 31)
    value = exponentBits == 5 && mantissa == 0 ? INFINITY : NAN;
  else if (exponent == 0)
    value = std::ldexp(mantissa, 1 - bias - mantissaBits);
  else
    value = std::ldexp((1 << mantissaBits) + mantissa, exponent - bias - mantissaBits);
  return bits & 0x80 ? -value : value;
}

static std::array<double, 256> quarterTable(int exponentBits) {
  std::array<double, 256> table;
  for (unsigned i = 0; i < 256; ++i)
    table[i] = fromQuarter(uint8_t(i), exponentBits);
  return table;
}

template <class Element, class Decode>
static ATTN_INLINE void decodeEach(const uint32_t *words, double *to, unsigned stride, bool transposed, Decode decode) {
  constexpr unsigned perRow = 16 / sizeof(Element);
  Element elements[8 * perRow];
  std::memcpy(elements, words, sizeof elements);
  if (transposed) {
    for (unsigned column = 0; column < perRow; ++column)
      for (unsigned row = 0; row < 8; ++row)
        to[column * stride + row] = double(decode(elements[row * perRow + column]));
    return;
  }
  for (unsigned row = 0; row < 8; ++row)
    for (unsigned column = 0; column < perRow; ++column)
      to[row * stride + column] = double(decode(elements[row * perRow + column]));
}

static ATTN_INLINE void decodeAny(const uint32_t *words, Type type, double *to, unsigned stride, bool transposed) {
  static const std::array<double, 256> e4m3 = quarterTable(4), e5m2 = quarterTable(5);
  switch (type) {
  case Type::BF16:
    return decodeEach<uint16_t>(words, to, stride, transposed, [](uint16_t v) { return fromBrain(v); });
  case Type::F16:
    return decodeEach<uint16_t>(words, to, stride, transposed, [](uint16_t v) { return fromHalf(v); });
  case Type::TF32:
    // The low 13 bits are ignored.
    return decodeEach<uint32_t>(words, to, stride, transposed,
                                [](uint32_t v) { return std::bit_cast<float>(v & ~0x1fffu); });
  case Type::E4M3:
    return decodeEach<uint8_t>(words, to, stride, transposed, [](uint8_t v) { return e4m3[v]; });
  case Type::E5M2:
    return decodeEach<uint8_t>(words, to, stride, transposed, [](uint8_t v) { return e5m2[v]; });
  case Type::S8:
    return decodeEach<uint8_t>(words, to, stride, transposed, [](uint8_t v) { return int8_t(v); });
  default:
    return decodeEach<uint8_t>(words, to, stride, transposed, [](uint8_t v) { return v; });
  }
}

template <class Element, class Decode>
static ATTN_INLINE void decodeChunks(const uint8_t *shared, const Footprint &footprint, double *panel, Decode decode) {
  constexpr unsigned count = 16 / sizeof(Element);
  uint32_t offsets[count];
  std::memcpy(offsets, footprint.offsets, sizeof offsets);
  for (const Footprint::Chunk &chunk : footprint.chunks) {
    Element elements[count];
    std::memcpy(elements, shared + chunk.address, sizeof elements);
    double *to = panel + chunk.origin;
    double values[count];
    for (unsigned i = 0; i < count; ++i)
      values[i] = double(decode(elements[i]));
    for (unsigned i = 0; i < count; ++i)
      to[offsets[i]] = values[i];
  }
}

static ATTN_INLINE void decodeOperand(const uint8_t *shared, const Footprint &footprint, Type type, double *panel) {
  static const std::array<double, 256> e4m3 = quarterTable(4), e5m2 = quarterTable(5);
  switch (type) {
  case Type::BF16:
    return decodeChunks<uint16_t>(shared, footprint, panel, [](uint16_t v) { return fromBrain(v); });
  case Type::F16:
    return decodeChunks<uint16_t>(shared, footprint, panel, [](uint16_t v) { return fromHalf(v); });
  case Type::TF32:
    return decodeChunks<uint32_t>(shared, footprint, panel,
                                  [](uint32_t v) { return std::bit_cast<float>(v & ~0x1fffu); });
  case Type::E4M3:
    return decodeChunks<uint8_t>(shared, footprint, panel, [](uint8_t v) { return e4m3[v]; });
  default:
    return decodeChunks<uint8_t>(shared, footprint, panel, [](uint8_t v) { return e5m2[v]; });
  }
}

uint16_t roundToHalf(double value) {
  if (value != value)
    return 0x7fff;
  uint16_t sign = std::signbit(value) ? 0x8000 : 0;
  double magnitude = std::fabs(value);
  if (magnitude >= 65520.0)
    return sign | 0x7c00;
  // In units of the last place, which is fixed below the smallest normal number.
  int exponent = magnitude < 0x1p-14 ? -14 : std::ilogb(magnitude);
  double units = std::nearbyint(std::ldexp(magnitude, 10 - exponent));
  // Rounding up to the next power of two carries into the exponent by itself.
  return uint16_t(sign + (exponent + 14) * 1024 + uint32_t(units));
}

//===-- Inner loops
//--------------------------------------------------------------------------------------------------===//

/// Four rows of sums at a time, so that no addition waits for the one before it.
static void multiplyPlain(MatrixPanels &panels) {
  for (unsigned row = 0; row < 16; ++row) {
    double sum[8];
    std::memcpy(sum, panels.sum + row * 8, sizeof sum);
    for (unsigned k = 0; k < panels.depth; ++k) {
      double a = panels.a[row * kMaxDepth + k];
      for (unsigned n = 0; n < 8; ++n)
        sum[n] += a * panels.b[k * 8 + n];
    }
    std::memcpy(panels.sum + row * 8, sum, sizeof sum);
  }
}

#if ATTN_HAVE_AVX2
#define ATTN_AVX2 __attribute__((target("avx2,fma,f16c")))

ATTN_AVX2 static void multiplyAvx2(MatrixPanels &panels) {
  for (unsigned row = 0; row < 16; row += 4) {
    __m256d sum[4][2];
    for (unsigned i = 0; i < 4; ++i)
      for (unsigned j = 0; j < 2; ++j)
        sum[i][j] = _mm256_load_pd(panels.sum + (row + i) * 8 + 4 * j);
    for (unsigned k = 0; k < panels.depth; ++k) {
      __m256d low = _mm256_load_pd(panels.b + k * 8), high = _mm256_load_pd(panels.b + k * 8 + 4);
      for (unsigned i = 0; i < 4; ++i) {
        // Fused or not is the same here: a product of two elements is exact.
        __m256d a = _mm256_broadcast_sd(panels.a + (row + i) * kMaxDepth + k);
        sum[i][0] = _mm256_fmadd_pd(a, low, sum[i][0]);
        sum[i][1] = _mm256_fmadd_pd(a, high, sum[i][1]);
      }
    }
    for (unsigned i = 0; i < 4; ++i)
      for (unsigned j = 0; j < 2; ++j)
        _mm256_store_pd(panels.sum + (row + i) * 8 + 4 * j, sum[i][j]);
  }
}

ATTN_AVX2 static void decodeAvx2(const uint32_t *words, Type type, double *to, unsigned stride, bool transposed) {
  decodeAny(words, type, to, stride, transposed);
}

static const bool haveAvx2 =
    __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c");
#endif

#if ATTN_HAVE_AVX2
/// Eight elements of 16 bits to eight doubles. `Brain`: bf16, else f16.
template <bool Brain> ATTN_AVX2 static inline void decodeEight(__m128i halves, double *to) {
  __m256 floats;
  if constexpr (Brain)
    floats = _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(halves), 16));
  else
    floats = _mm256_cvtph_ps(halves);
  _mm256_storeu_pd(to, _mm256_cvtps_pd(_mm256_castps256_ps128(floats)));
  _mm256_storeu_pd(to + 4, _mm256_cvtps_pd(_mm256_extractf128_ps(floats, 1)));
}

/// b contiguous in k: blocks of eight lines by eight k are transposed. The lines of a block come as 0 2 4 6 1 3 5 7.
template <bool Brain>
ATTN_AVX2 static void decodeAcrossAvx2(const uint8_t *shared, const Footprint &footprint, double *panel) {
  constexpr unsigned kOrder[8] = {0, 2, 4, 6, 1, 3, 5, 7};
  for (size_t first = 0; first + 16 <= footprint.chunks.size(); first += 16)
    for (unsigned side = 0; side < 2; ++side) {
      const Footprint::Chunk *block = footprint.chunks.data() + first + side;
      __m128i line[8], pair[8], four[8];
#pragma GCC unroll 8
      for (unsigned i = 0; i < 8; ++i)
        line[i] = _mm_loadu_si128(reinterpret_cast<const __m128i *>(shared + block[2 * kOrder[i]].address));
#pragma GCC unroll 4
      for (unsigned i = 0; i < 4; ++i) {
        pair[2 * i] = _mm_unpacklo_epi16(line[2 * i], line[2 * i + 1]);
        pair[2 * i + 1] = _mm_unpackhi_epi16(line[2 * i], line[2 * i + 1]);
      }
#pragma GCC unroll 2
      for (unsigned i = 0; i < 8; i += 4) {
        four[i] = _mm_unpacklo_epi32(pair[i], pair[i + 2]);
        four[i + 1] = _mm_unpackhi_epi32(pair[i], pair[i + 2]);
        four[i + 2] = _mm_unpacklo_epi32(pair[i + 1], pair[i + 3]);
        four[i + 3] = _mm_unpackhi_epi32(pair[i + 1], pair[i + 3]);
      }
      double *to = panel + block[0].origin;
#pragma GCC unroll 4
      for (unsigned i = 0; i < 4; ++i) {
        decodeEight<Brain>(_mm_unpacklo_epi64(four[i], four[i + 4]), to + 16 * i);
        decodeEight<Brain>(_mm_unpackhi_epi64(four[i], four[i + 4]), to + 16 * i + 8);
      }
    }
}

/// Elements of 16 bits, eight to a chunk.
template <bool Brain>
ATTN_AVX2 static void decodeHalvesAvx2(const uint8_t *shared, const Footprint &footprint, double *panel) {
  uint32_t offsets[8];
  std::memcpy(offsets, footprint.offsets, sizeof offsets);
  if (offsets[1] == 8)
    return decodeAcrossAvx2<Brain>(shared, footprint, panel);
  // Columns of b come as 0 2 4 6 1 3 5 7; in memory they may lie side by side.
  const __m128i evenOdd = _mm_setr_epi8(0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15);
  const bool sideBySide = offsets[1] == 4 && offsets[2] == 1, direct = sideBySide || offsets[1] == 1;
  for (const Footprint::Chunk &chunk : footprint.chunks) {
    __m128i halves = _mm_loadu_si128(reinterpret_cast<const __m128i *>(shared + chunk.address));
    if (sideBySide)
      halves = _mm_shuffle_epi8(halves, evenOdd);
    double values[8];
    double *to = panel + chunk.origin;
    decodeEight<Brain>(halves, direct ? to : values);
    for (unsigned i = 0; i < 8 && !direct; ++i)
      to[offsets[i]] = values[i];
  }
}

ATTN_AVX2 static void decodeOperandAvx2(const uint8_t *shared, const Footprint &footprint, Type type, double *panel) {
  decodeOperand(shared, footprint, type, panel);
}
#endif

void decodeFootprint(const uint8_t *shared, const Footprint &footprint, Type type, double *panel) {
#if ATTN_HAVE_AVX2
  if (haveAvx2 && type == Type::BF16)
    return decodeHalvesAvx2<true>(shared, footprint, panel);
  if (haveAvx2 && type == Type::F16)
    return decodeHalvesAvx2<false>(shared, footprint, panel);
  if (haveAvx2)
    return decodeOperandAvx2(shared, footprint, type, panel);
#endif
  decodeOperand(shared, footprint, type, panel);
}

void decodeBlock(const uint32_t *words, Type type, double *to, unsigned stride, bool transposed) {
#if ATTN_HAVE_AVX2
  if (haveAvx2)
    return decodeAvx2(words, type, to, stride, transposed);
#endif
  decodeAny(words, type, to, stride, transposed);
}

void multiplyPanels(MatrixPanels &panels) {
#if ATTN_HAVE_AVX2
  if (haveAvx2)
    return multiplyAvx2(panels);
#endif
  multiplyPlain(panels);
}

void multiplyTruncated(MatrixPanels &panels, int bits) {
  for (unsigned row = 0; row < 16; ++row)
    for (unsigned n = 0; n < 8; ++n) {
      double addends[kMaxDepth + 1];
      double &sum = panels.sum[row * 8 + n];
      unsigned count = 0;
      for (unsigned k = 0; k < panels.depth; ++k)
        addends[count++] = panels.a[row * kMaxDepth + k] * panels.b[k * 8 + n];
      addends[count++] = sum;
      double largest = 0, exact = 0;
      for (unsigned i = 0; i < count; ++i) {
        largest = std::max(largest, std::fabs(addends[i]));
        exact += addends[i];
      }
      if (!std::isfinite(exact) || largest == 0) {
        sum = exact;
        continue;
      }
      double unit = std::ldexp(1.0, std::ilogb(largest) - bits + 1);
      double total = 0;
      for (unsigned i = 0; i < count; ++i)
        total += std::trunc(addends[i] / unit) * unit;
      sum = total;
    }
}

} // namespace attn::sim
