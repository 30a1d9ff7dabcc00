// SPDX-License-Identifier: Apache-2.0
// What mma and wgmma have in common: fragments of 16 x 8 sums in registers, and operands that hold undefined values.
#pragma once

#include "runtime/sim/Table.h"

#include <cstdint>

namespace attn::sim {

inline constexpr int kTruncatedBits = 25;

void requireWholeWarp(Warp &w, Mask lanes);
/// Elements of a 32-bit register.
unsigned perWord(Type type);
/// The 16 x 8 sums (row-major) that lie in four registers, or in two of f16.
void readSums(Warp &w, const int32_t *rows, Type type, double *sum);
void writeSums(Warp &w, const int32_t *rows, Type type, const double *sum);
/// Rows of the fragment of a in registers that hold something undefined, as a bit each.
uint32_t poisonedRows(Warp &w, const int32_t *rows, unsigned count);

} // namespace attn::sim
