// SPDX-License-Identifier: Apache-2.0
// The arithmetic of wgmma: operands decoded to panels of doubles, and products added to accumulators where they are.
#pragma once

#include "runtime/sim/Descriptor.h"
#include "runtime/sim/MatrixMath.h"

#include <cstdint>

namespace attn::sim {

/// Instructions that the product may be compiled for; all give the same bits.
enum class VectorUnit : uint8_t { None, Avx2, Avx512 };
/// The best one of this machine.
VectorUnit bestVectorUnit();

/// Decodes what a footprint names, `shared` being the start of the window.
void decodeFootprint(const uint8_t *shared, const Footprint &footprint, Type type, double *panel);

/// For 16 rows and 8 * tiles columns: d = a * b + (accumulate ? d : 0), summed in double and rounded once. Register
/// 4 t + 2 h + e of the accumulator is d[..] over the lanes: lane 4 g + q has row 8 h + g, column 8 t + 2 q + e.
void multiplyTiles(VectorUnit unit, const double *a, const double *b, unsigned depth, unsigned tiles,
                   uint32_t *const *d, bool accumulate);

} // namespace attn::sim
