// SPDX-License-Identifier: Apache-2.0
// Inner loops of wgmma, for the plain processor, AVX2 and AVX-512. Products of two elements are exact in double, so
// fused or not makes no difference, and all variants add in the same order.
#include "runtime/sim/ProductMath.h"

#include <bit>
#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#define ATTN_HAVE_VECTORS 1
#endif

namespace attn::sim {

static constexpr uint32_t kCanonicalNaN = 0x7fffffff;

static void multiplyPlain(const double *a, const double *b, unsigned depth, unsigned tiles, uint32_t *const *d,
                          bool accumulate) {
  for (unsigned t = 0; t < tiles; ++t)
    for (unsigned row = 0; row < 16; ++row)
      for (unsigned column = 0; column < 8; ++column) {
        uint32_t &word = d[4 * t + 2 * (row / 8) + column / 4][row % 8 * 4 + column % 4];
        double sum = accumulate ? double(std::bit_cast<float>(word)) : 0;
        for (unsigned k = 0; k < depth; ++k)
          sum += a[row * kMaxDepth + k] * b[(t * depth + k) * 8 + column];
        const float result = float(sum);
        word = result == result ? std::bit_cast<uint32_t>(result) : kCanonicalNaN;
      }
}

#if ATTN_HAVE_VECTORS
#define ATTN_AVX2 __attribute__((target("avx2,fma")))
#define ATTN_AVX512 __attribute__((target("avx512f,avx512vl,avx512dq,avx2,fma")))

ATTN_AVX2 static inline void storeRounded(uint32_t *to, __m256d sum) {
  const __m128 value = _mm256_cvtpd_ps(sum);
  const __m128 canonical = _mm_castsi128_ps(_mm_set1_epi32(int(kCanonicalNaN)));
  _mm_storeu_ps(reinterpret_cast<float *>(to), _mm_blendv_ps(value, canonical, _mm_cmpunord_ps(value, value)));
}

ATTN_AVX2 static inline __m256d loadSum(const uint32_t *from) {
  return _mm256_cvtps_pd(_mm_loadu_ps(reinterpret_cast<const float *>(from)));
}

ATTN_AVX2 static void multiplyAvx2(const double *a, const double *b, unsigned depth, unsigned tiles, uint32_t *const *d,
                                   bool accumulate) {
  for (unsigned t = 0; t < tiles; ++t)
    for (unsigned row = 0; row < 16; row += 4) {
      uint32_t *even = d[4 * t + row / 8 * 2] + row % 8 * 4, *odd = d[4 * t + row / 8 * 2 + 1] + row % 8 * 4;
      __m256d sum[4][2];
#pragma GCC unroll 4
      for (unsigned i = 0; i < 4; ++i) {
        sum[i][0] = accumulate ? loadSum(even + 4 * i) : _mm256_setzero_pd();
        sum[i][1] = accumulate ? loadSum(odd + 4 * i) : _mm256_setzero_pd();
      }
      const double *column = b + size_t(t) * depth * 8;
      for (unsigned k = 0; k < depth; ++k) {
        const __m256d low = _mm256_loadu_pd(column + k * 8), high = _mm256_loadu_pd(column + k * 8 + 4);
#pragma GCC unroll 4
        for (unsigned i = 0; i < 4; ++i) {
          const __m256d factor = _mm256_broadcast_sd(a + (row + i) * kMaxDepth + k);
          sum[i][0] = _mm256_fmadd_pd(factor, low, sum[i][0]);
          sum[i][1] = _mm256_fmadd_pd(factor, high, sum[i][1]);
        }
      }
#pragma GCC unroll 4
      for (unsigned i = 0; i < 4; ++i) {
        storeRounded(even + 4 * i, sum[i][0]);
        storeRounded(odd + 4 * i, sum[i][1]);
      }
    }
}

/// `Tiles` neighbouring tiles of eight rows: their registers are pairs, 4 apart.
template <unsigned Tiles>
ATTN_AVX512 static inline void multiplyBlock(const double *a, const double *b, unsigned depth, uint32_t *const *d,
                                             bool accumulate) {
  __m512d sum[8][Tiles];
#pragma GCC unroll 8
  for (unsigned i = 0; i < 8; ++i)
#pragma GCC unroll 2
    for (unsigned t = 0; t < Tiles; ++t)
      sum[i][t] = accumulate ? _mm512_insertf64x4(_mm512_castpd256_pd512(loadSum(d[4 * t] + 4 * i)),
                                                  loadSum(d[4 * t + 1] + 4 * i), 1)
                             : _mm512_setzero_pd();
  for (unsigned k = 0; k < depth; ++k) {
    __m512d columns[Tiles];
#pragma GCC unroll 2
    for (unsigned t = 0; t < Tiles; ++t)
      columns[t] = _mm512_loadu_pd(b + (size_t(t) * depth + k) * 8);
#pragma GCC unroll 8
    for (unsigned i = 0; i < 8; ++i) {
      const __m512d factor = _mm512_set1_pd(a[i * kMaxDepth + k]);
#pragma GCC unroll 2
      for (unsigned t = 0; t < Tiles; ++t)
        sum[i][t] = _mm512_fmadd_pd(factor, columns[t], sum[i][t]);
    }
  }
#pragma GCC unroll 8
  for (unsigned i = 0; i < 8; ++i)
#pragma GCC unroll 2
    for (unsigned t = 0; t < Tiles; ++t) {
      storeRounded(d[4 * t] + 4 * i, _mm512_castpd512_pd256(sum[i][t]));
      storeRounded(d[4 * t + 1] + 4 * i, _mm512_extractf64x4_pd(sum[i][t], 1));
    }
}

ATTN_AVX512 static void multiplyAvx512(const double *a, const double *b, unsigned depth, unsigned tiles,
                                       uint32_t *const *d, bool accumulate) {
  for (unsigned t = 0; t < tiles; t += 2)
    for (unsigned half = 0; half < 2; ++half) {
      const double *rows = a + half * 8 * kMaxDepth, *columns = b + size_t(t) * depth * 8;
      uint32_t *const *sums = d + 4 * t + 2 * half;
      if (t + 1 < tiles)
        multiplyBlock<2>(rows, columns, depth, sums, accumulate);
      else
        multiplyBlock<1>(rows, columns, depth, sums, accumulate);
    }
}
#endif

VectorUnit bestVectorUnit() {
#if ATTN_HAVE_VECTORS
  static const VectorUnit best = [] {
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma"))
      return VectorUnit::None;
    const bool wide =
        __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
    return wide ? VectorUnit::Avx512 : VectorUnit::Avx2;
  }();
  return best;
#else
  return VectorUnit::None;
#endif
}

void multiplyTiles(VectorUnit unit, const double *a, const double *b, unsigned depth, unsigned tiles,
                   uint32_t *const *d, bool accumulate) {
#if ATTN_HAVE_VECTORS
  if (unit == VectorUnit::Avx512)
    return multiplyAvx512(a, b, depth, tiles, d, accumulate);
  if (unit == VectorUnit::Avx2)
    return multiplyAvx2(a, b, depth, tiles, d, accumulate);
#endif
  (void)unit;
  multiplyPlain(a, b, depth, tiles, d, accumulate);
}

} // namespace attn::sim
