// SPDX-License-Identifier: Apache-2.0
// Rules and the portable encoding of tensor maps.
#include "runtime/sim/TensorMap.h"

#include <cstring>
#include <fmt/format.h>

namespace attn::sim {

// Bytes of the encoding. Numbers are little-endian.
static constexpr char kMagic[4] = {'A', 'T', 'M', '1'};
static constexpr unsigned kElementAt = 4, kRankAt = 5, kSwizzleAt = 6, kFillAt = 7, kBaseAt = 8, kDimsAt = 16,
                          kBoxAt = 36, kElementStridesAt = 46, kStridesAt = 56, kChecksumAt = 124;
static constexpr uint64_t kMaxStride = uint64_t(1) << 40, kMaxDim = uint64_t(1) << 32;

unsigned elementBytes(TensorElement element) {
  switch (element) {
  case TensorElement::U8:
    return 1;
  case TensorElement::U16:
  case TensorElement::F16:
  case TensorElement::BF16:
    return 2;
  case TensorElement::U64:
  case TensorElement::S64:
  case TensorElement::F64:
    return 8;
  default:
    return 4;
  }
}

static bool isFloatElement(TensorElement element) { return element >= TensorElement::F16; }

uint32_t TensorMap::boxBytes() const {
  uint32_t bytes = elementBytes(element);
  for (unsigned i = 0; i < rank; ++i)
    bytes *= count(i);
  return bytes;
}

static void dimensionFaults(const TensorMap &map, unsigned i, std::vector<std::string> &faults) {
  if (map.dims[i] < 1 || map.dims[i] > kMaxDim)
    faults.push_back(fmt::format("dimension {} expects 1 to 2^32 elements, got {}", i, map.dims[i]));
  if (map.box[i] < 1 || map.box[i] > 256)
    faults.push_back(fmt::format("dimension {} of the box expects 1 to 256 elements, got {}", i, map.box[i]));
  if (map.elementStrides[i] < 1 || map.elementStrides[i] > 8)
    faults.push_back(fmt::format("element stride {} expects 1 to 8, got {}", i, map.elementStrides[i]));
  if (i && (map.strides[i - 1] % 16 || map.strides[i - 1] >= kMaxStride))
    faults.push_back(fmt::format("the stride of dimension {} expects a multiple of 16 below 2^40 in bytes, got {}", i,
                                 map.strides[i - 1]));
}

std::vector<std::string> tensorMapFaults(const TensorMap &map) {
  std::vector<std::string> faults;
  if (map.rank < 1 || map.rank > TensorMap::kMaxRank)
    return {fmt::format("a tensor map expects 1 to 5 dimensions, got {}", map.rank)};
  if (map.element > TensorElement::TF32Ftz)
    return {fmt::format("a tensor map expects an element type from 0 to 12, got {}", unsigned(map.element))};
  if (map.base % 16)
    faults.push_back(fmt::format("a tensor map expects an address that is a multiple of 16, got {:#x}", map.base));
  for (unsigned i = 0; i < map.rank; ++i)
    dimensionFaults(map, i, faults);
  if (map.swizzle != 0 && map.swizzle != 32 && map.swizzle != 64 && map.swizzle != 128)
    faults.push_back(fmt::format("a tensor map expects a swizzle of 0, 32, 64 or 128 bytes, got {}", map.swizzle));
  if (map.nanFill && !isFloatElement(map.element))
    faults.push_back("NaN outside the tensor expects a floating-point element type");
  if (!faults.empty())
    return faults;
  const uint32_t inner = map.innerBytes();
  if (inner % 16)
    faults.push_back(fmt::format("the inner dimension of the box expects a multiple of 16 bytes, got {}", inner));
  if (map.swizzle && (inner > map.swizzle || (map.rank > 1 && inner != map.swizzle)))
    faults.push_back(fmt::format("inner box of {} bytes with a {}-byte swizzle is not supported", inner, map.swizzle));
  return faults;
}

/// CRC-32 of the bytes before the checksum.
static uint32_t checksum(const uint8_t *bytes) {
  uint32_t crc = ~0u;
  for (unsigned i = 0; i < kChecksumAt; ++i) {
    crc ^= bytes[i];
    for (int bit = 0; bit < 8; ++bit)
      crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0u);
  }
  return ~crc;
}

void encodeTensorMap(const TensorMap &map, uint8_t (&to)[TensorMap::kBytes]) {
  std::memset(to, 0, sizeof to);
  std::memcpy(to, kMagic, sizeof kMagic);
  to[kElementAt] = uint8_t(map.element);
  to[kRankAt] = uint8_t(map.rank);
  to[kSwizzleAt] = uint8_t(map.swizzle);
  to[kFillAt] = map.nanFill;
  std::memcpy(to + kBaseAt, &map.base, 8);
  for (unsigned i = 0; i < map.rank; ++i) {
    uint32_t last = uint32_t(map.dims[i] - 1);
    uint16_t box = uint16_t(map.box[i]);
    std::memcpy(to + kDimsAt + 4 * i, &last, 4);
    std::memcpy(to + kBoxAt + 2 * i, &box, 2);
    to[kElementStridesAt + i] = uint8_t(map.elementStrides[i]);
    if (i)
      std::memcpy(to + kStridesAt + 8 * (i - 1), &map.strides[i - 1], 8);
  }
  uint32_t crc = checksum(to);
  std::memcpy(to + kChecksumAt, &crc, 4);
}

bool decodeTensorMap(const uint8_t *from, TensorMap &map) {
  uint32_t crc;
  std::memcpy(&crc, from + kChecksumAt, 4);
  if (std::memcmp(from, kMagic, sizeof kMagic) || crc != checksum(from))
    return false;
  map = TensorMap();
  map.element = TensorElement(from[kElementAt]);
  map.rank = from[kRankAt];
  map.swizzle = from[kSwizzleAt];
  map.nanFill = from[kFillAt];
  std::memcpy(&map.base, from + kBaseAt, 8);
  for (unsigned i = 0; i < map.rank && i < TensorMap::kMaxRank; ++i) {
    uint32_t last;
    uint16_t box;
    std::memcpy(&last, from + kDimsAt + 4 * i, 4);
    std::memcpy(&box, from + kBoxAt + 2 * i, 2);
    map.dims[i] = uint64_t(last) + 1;
    map.box[i] = box;
    map.elementStrides[i] = from[kElementStridesAt + i];
    if (i)
      std::memcpy(&map.strides[i - 1], from + kStridesAt + 8 * (i - 1), 8);
  }
  return tensorMapFaults(map).empty();
}

std::vector<SharedRange> boxRanges(const TensorMap &map, uint32_t address) {
  const uint32_t bytes = map.boxBytes();
  if (!map.swizzle || map.innerBytes() == map.swizzle)
    return {{address, bytes}};
  std::vector<SharedRange> ranges;
  for (uint32_t offset = 0; offset < bytes; offset += 16)
    ranges.push_back({swizzled(address + offset, map.swizzle), 16});
  return ranges;
}

} // namespace attn::sim
