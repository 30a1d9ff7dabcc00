// SPDX-License-Identifier: Apache-2.0
// Tensor maps: their 128 bytes as the simulator has them, the rules they obey, and the walk over a box.
#pragma once

#include "runtime/sim/Order.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace attn::sim {

/// Element types, with the numbers that the driver interface gives them.
enum class TensorElement : uint8_t { U8, U16, U32, S32, U64, S64, F16, F32, F64, BF16, F32Ftz, TF32, TF32Ftz };
unsigned elementBytes(TensorElement element);

/// Dimensions are innermost first.
struct TensorMap {
  static constexpr unsigned kMaxRank = 5, kBytes = 128;

  TensorElement element = TensorElement::U8;
  unsigned rank = 0;
  unsigned swizzle = 0;                     ///< bytes of the pattern's rows: 0 (none), 32, 64, 128
  bool nanFill = false;                     ///< what lies outside reads as NaN, not as zero
  uint64_t base = 0;                        ///< global address
  std::array<uint64_t, 5> dims{};           ///< elements, 1 to 2^32
  std::array<uint32_t, 5> box{};            ///< elements, 1 to 256
  std::array<uint32_t, 5> elementStrides{}; ///< 1 to 8
  std::array<uint64_t, 4> strides{};        ///< bytes, of dimension i + 1

  /// Elements of dimension i that a box holds.
  uint32_t count(unsigned i) const { return (box[i] + elementStrides[i] - 1) / elementStrides[i]; }
  /// Bytes of a box in shared memory.
  uint32_t boxBytes() const;
  uint32_t innerBytes() const { return count(0) * elementBytes(element); }
};

/// Every rule the map breaks: "expects ..., got ...".
std::vector<std::string> tensorMapFaults(const TensorMap &map);

/// The portable form. It holds a checksum, so that bytes which are no tensor map are told apart.
void encodeTensorMap(const TensorMap &map, uint8_t (&to)[TensorMap::kBytes]);
/// False if the bytes are no tensor map.
bool decodeTensorMap(const uint8_t *from, TensorMap &map);

/// Where the byte at an absolute shared address lies after swizzling in rows of `swizzle` bytes.
inline uint32_t swizzled(uint32_t address, unsigned swizzle) {
  return swizzle ? address ^ (address >> 7 & (swizzle / 16 - 1)) << 4 : address;
}

/// Calls `run(offset, address, bytes)` for the parts of a box that lie inside the tensor: `offset` bytes into the box,
/// `bytes` at a global address. Elements outside are left out.
template <class Run> void forEachRun(const TensorMap &map, const std::array<int32_t, 5> &coordinates, Run run) {
  const uint32_t size = elementBytes(map.element), inner = map.count(0), step = map.elementStrides[0];
  // Inner elements that are inside: coordinate + i * step in [0, dims).
  const int64_t first = coordinates[0];
  uint32_t low = first < 0 ? uint32_t(std::min<int64_t>(inner, (-first + step - 1) / step)) : 0;
  int64_t room = int64_t(map.dims[0]) - first;
  uint32_t high = room <= 0 ? 0 : uint32_t(std::min<int64_t>(inner, (room + step - 1) / step));
  uint32_t rows = 1;
  for (unsigned i = 1; i < map.rank; ++i)
    rows *= map.count(i);
  std::array<uint32_t, 5> index{};
  for (uint32_t row = 0; row < rows && low < high; ++row) {
    uint64_t address = map.base;
    bool inside = true;
    for (unsigned i = 1; i < map.rank; ++i) {
      int64_t at = int64_t(coordinates[i]) + int64_t(index[i]) * map.elementStrides[i];
      inside &= at >= 0 && at < int64_t(map.dims[i]);
      address += uint64_t(at) * map.strides[i - 1];
    }
    if (inside && step == 1)
      run((row * inner + low) * size, address + uint64_t(first + low) * size, (high - low) * size);
    for (uint32_t i = low; i < high && inside && step != 1; ++i)
      run((row * inner + i) * size, address + uint64_t(first + int64_t(i) * step) * size, size);
    for (unsigned i = 1; i < map.rank && ++index[i] == map.count(i); ++i)
      index[i] = 0;
  }
}

/// The shared bytes of a box at `address`: one range unless a swizzle scatters a single row.
std::vector<SharedRange> boxRanges(const TensorMap &map, uint32_t address);

} // namespace attn::sim
