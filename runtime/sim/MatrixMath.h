// SPDX-License-Identifier: Apache-2.0
// Matrix products of fragments on panels of doubles; compiled for the plain processor and for AVX2.
#pragma once

#include "runtime/sim/Table.h"

#include <cstdint>

namespace attn::sim {

/// The largest depth of one mma.
inline constexpr unsigned kMaxDepth = 32;

/// Panels of one mma: a is 16 x depth, b is depth x 8, both row-major; sum is 16 x 8 and is added to.
struct MatrixPanels {
  alignas(64) double a[16 * kMaxDepth];
  alignas(64) double b[kMaxDepth * 8];
  alignas(64) double sum[16 * 8];
  unsigned depth = 0;
};

/// Values of a register over the lanes of a warp, as an 8 x (4 * n) block with n elements in a word: lane-major is
/// row-major. `to` has rows of `stride` doubles; `transposed` swaps the two.
void decodeBlock(const uint32_t *words, Type type, double *to, unsigned stride, bool transposed);

/// The nearest f16 number, ties to even; NaN is canonical.
uint16_t roundToHalf(double value);

/// sum += a * b. Products are exact, so the order of the sums shows only when exponents differ by more than doubles
/// hold.
void multiplyPanels(MatrixPanels &panels);

/// The same as tensor cores are believed to: addends aligned to the largest exponent and truncated to `bits` bits.
void multiplyTruncated(MatrixPanels &panels, int bits);

} // namespace attn::sim
