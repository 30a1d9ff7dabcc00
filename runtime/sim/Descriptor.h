// SPDX-License-Identifier: Apache-2.0
// Operands of wgmma in shared memory: the fields of a matrix descriptor, and where each element of the matrix lies.
#pragma once

#include "runtime/sim/Order.h"

#include <cstdint>
#include <unordered_map>
#include <vector>

namespace attn::sim {

/// Offsets are bytes of the shared window.
struct MatrixDescriptor {
  uint32_t start = 0;
  uint32_t leading = 0, stride = 0; ///< distances between blocks of 8 rows or 16 bytes; see address
  uint32_t base = 0;                ///< the row of 128 bytes at which the pattern of the swizzle begins, 0..7
  uint32_t span = 0;                ///< bytes of a swizzled row: 128, 64, 32; 0: not swizzled

  /// The number of bits that must be zero and are not is put in `reserved`.
  static MatrixDescriptor decode(uint64_t bits, uint64_t &reserved);

  /// Where element (line, k) is: line is a row of a or a column of b. `along`: lines, not k, lie side by side.
  uint32_t address(bool along, uint32_t elementBytes, uint32_t line, uint32_t k) const;
};

/// Bytes of one line of an operand; k has 16, 8 or 32 elements.
inline constexpr uint32_t kProductBytes = 32;

/// What one wgmma reads of an operand, and where it belongs in a panel of doubles.
struct Footprint {
  struct Chunk {
    uint32_t address; ///< of 16 bytes
    uint32_t origin;  ///< of the first of its elements in the panel
    uint32_t line;    ///< of the first of its elements
  };
  std::vector<Chunk> chunks;
  std::vector<SharedRange> ranges; ///< the same bytes, sorted and merged
  uint32_t bytes = 0;              ///< of all ranges
  uint32_t end = 0;                ///< behind the last byte
  bool along = false;
  uint32_t offsets[16] = {}; ///< of the elements of a chunk, from its origin
};

/// Which part of which operand is meant, and in what order its panel has the elements.
struct FootprintKey {
  uint64_t bits = 0; ///< of the descriptor
  uint32_t first = 0, lines = 0;
  uint8_t elementBytes = 2;
  bool along = false;
  bool isB = false;
  bool operator==(const FootprintKey &) const = default;
};

/// Panels of a: row-major, kMaxDepth doubles a row. Panels of b: tiles of 8 columns, in a tile k by k, and the columns
/// of each k in the order 0 2 4 6 1 3 5 7, as the registers of an accumulator want them.
Footprint makeFootprint(const FootprintKey &key);

/// Footprints by descriptor; a kernel has few.
class FootprintCache {
public:
  const Footprint &at(const FootprintKey &key);

private:
  struct Hash {
    size_t operator()(const FootprintKey &key) const;
  };
  std::unordered_map<FootprintKey, Footprint, Hash> known;
};

} // namespace attn::sim
