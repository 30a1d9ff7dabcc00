// SPDX-License-Identifier: Apache-2.0
// Where the elements of a wgmma operand lie.
#include "runtime/sim/Descriptor.h"
#include "runtime/sim/MatrixMath.h"

#include <algorithm>

namespace attn::sim {

static constexpr uint64_t kDescriptorFields = 0xc00e'3fff'3fff'3fff;
static constexpr size_t kMaxFootprints = 512;

MatrixDescriptor MatrixDescriptor::decode(uint64_t bits, uint64_t &reserved) {
  static constexpr uint32_t kSpans[4] = {0, 128, 64, 32};
  reserved = bits & ~kDescriptorFields;
  MatrixDescriptor d;
  d.start = uint32_t(bits & 0x3fff) << 4;
  d.leading = uint32_t(bits >> 16 & 0x3fff) << 4;
  d.stride = uint32_t(bits >> 32 & 0x3fff) << 4;
  d.base = uint32_t(bits >> 49 & 7);
  d.span = kSpans[bits >> 62];
  return d;
}

uint32_t MatrixDescriptor::address(bool along, uint32_t elementBytes, uint32_t line, uint32_t k) const {
  // Bytes along the contiguous direction, and elements along the other one.
  const uint32_t inner = (along ? line : k) * elementBytes, outer = along ? k : line;
  const uint32_t width = span ? span : 16;
  uint32_t at = start + inner % width + outer % 8 * width;
  // Blocks of eight along the other direction, blocks of a row's width along the contiguous one.
  const uint32_t outerBlock = outer / 8, innerBlock = inner / width;
  if (!span)
    return at + (along ? innerBlock * stride + outerBlock * leading : outerBlock * stride + innerBlock * leading);
  // A line of an operand that is contiguous in k never leaves the swizzled row, so `leading` means nothing there.
  at =
      along ? at + innerBlock * leading + outerBlock * stride : start + inner + outer % 8 * width + outerBlock * stride;
  const uint32_t row = (at >> 7) - base;
  return at ^ (row & (span / 16 - 1)) << 4;
}

static uint32_t columnPlace(uint32_t column) { return (column & 1) * 4 + (column >> 1); }

static void mergeRanges(Footprint &footprint) {
  std::vector<uint32_t> addresses;
  for (const Footprint::Chunk &chunk : footprint.chunks)
    addresses.push_back(chunk.address);
  std::sort(addresses.begin(), addresses.end());
  addresses.erase(std::unique(addresses.begin(), addresses.end()), addresses.end());
  for (uint32_t address : addresses) {
    if (!footprint.ranges.empty() && footprint.ranges.back().begin + footprint.ranges.back().bytes == address)
      footprint.ranges.back().bytes += 16;
    else
      footprint.ranges.push_back({address, 16});
  }
  footprint.bytes = uint32_t(addresses.size()) * 16;
  footprint.end = addresses.empty() ? 0 : addresses.back() + 16;
}

Footprint makeFootprint(const FootprintKey &key) {
  uint64_t reserved;
  const MatrixDescriptor descriptor = MatrixDescriptor::decode(key.bits, reserved);
  const uint32_t depth = kProductBytes / key.elementBytes, perChunk = 16 / key.elementBytes;
  Footprint footprint;
  footprint.along = key.along;
  auto place = [&](uint32_t line, uint32_t k) {
    return key.isB ? (line / 8 * depth + k) * 8 + columnPlace(line % 8) : line * kMaxDepth + k;
  };
  for (uint32_t i = 0; i < perChunk; ++i)
    footprint.offsets[i] = key.along ? place(i, 0) : place(0, i);
  for (uint32_t line = 0; line < key.lines; line += key.along ? perChunk : 1)
    for (uint32_t k = 0; k < depth; k += key.along ? 1 : perChunk)
      footprint.chunks.push_back(
          {descriptor.address(key.along, key.elementBytes, key.first + line, k), place(line, k), line});
  mergeRanges(footprint);
  return footprint;
}

size_t FootprintCache::Hash::operator()(const FootprintKey &key) const {
  uint64_t mixed = key.bits * 0x9e3779b97f4a7c15;
  mixed ^= mixed >> 29;
  mixed += uint64_t(key.first) << 40 | uint64_t(key.lines) << 16 | uint64_t(key.elementBytes) << 8 | key.along << 1 |
           uint64_t(key.isB);
  return size_t(mixed * 0xbf58476d1ce4e5b9 >> 7);
}

const Footprint &FootprintCache::at(const FootprintKey &key) {
  auto found = known.find(key);
  if (found != known.end())
    return found->second;
  if (known.size() >= kMaxFootprints)
    known.clear();
  return known.emplace(key, makeFootprint(key)).first->second;
}

} // namespace attn::sim
