// SPDX-License-Identifier: Apache-2.0
// wgmma.cu: elements are integers below 8, so that sums are exact in f32; the depth ends within a stage.
#include "runtime/sim/TensorMap.h"
#include "test/foreign/Foreign.h"

namespace attn::foreign {
namespace {

struct alignas(64) MapBytes {
  uint8_t bytes[128];
};

/// Boxes of a matrix whose rows lie one after the other.
MapBytes matrixMap(uint64_t base, int rows, int columns, int boxRows, int boxColumns, int swizzle) {
  sim::TensorMap map;
  map.element = sim::TensorElement::BF16;
  map.rank = 2;
  map.swizzle = unsigned(swizzle);
  map.base = base;
  map.dims = {uint64_t(columns), uint64_t(rows)};
  map.box = {uint32_t(boxColumns), uint32_t(boxRows)};
  map.elementStrides = {1, 1};
  map.strides = {uint64_t(columns) * 2};
  MapBytes result;
  sim::encodeTensorMap(map, result.bytes);
  return result;
}

struct Variant {
  const char *name;
  int n, swizzle;
  bool across; ///< B is [depth][column], else [column][depth]
};

void checkVariant(Machine &machine, const Variant &variant, int depth) {
  const auto [name, n, swizzle, across] = variant;
  std::mt19937 random(unsigned(n + depth));
  std::vector<int> a(size_t(64) * depth), b(size_t(n) * depth);
  std::vector<uint16_t> bitsA, bitsB;
  for (auto [values, bits] : {std::pair(&a, &bitsA), std::pair(&b, &bitsB)})
    for (int &value : *values) {
      value = int(random() % 15) - 7;
      bits->push_back(uint16_t(bitCast<uint32_t>(float(value)) >> 16));
    }
  std::vector<float> c(size_t(64) * n);
  for (int row = 0; row < 64; ++row)
    for (int column = 0; column < n; ++column) {
      int sum = 0;
      for (int k = 0; k < depth; ++k)
        sum += a[size_t(row * depth + k)] * b[size_t(across ? k * n + column : column * depth + k)];
      c[size_t(row * n + column)] = float(sum);
    }
  const int stageDepth = swizzle / 2, steps = (depth + stageDepth - 1) / stageDepth;
  const uint64_t addressA = machine.put(bitsA, "a"), addressB = machine.put(bitsB, "b");
  const uint64_t addressC = machine.space<float>(c.size(), "c");
  const MapBytes mapA = matrixMap(addressA, 64, depth, 64, stageDepth, swizzle);
  const MapBytes mapB = across ? matrixMap(addressB, depth, n, stageDepth, 64, 128)
                               : matrixMap(addressB, n, depth, n, stageDepth, swizzle);
  const uint32_t stageBytes = uint32_t((64 + n) * swizzle);
  machine.launch(name, {1}, {128}, 2 * stageBytes, mapA, mapB, addressC, steps);
  expectEqual(name, machine.getWritten<float>(addressC, c.size(), "c"), c);
}

} // namespace

void checkWgmma(Machine &machine) {
  for (const Variant &variant : {Variant{"shared128", 128, 128, false},
                                 {"shared64", 64, 64, false},
                                 {"shared32", 256, 32, false},
                                 {"sharedAcross", 128, 128, true},
                                 {"registers128", 64, 128, false},
                                 {"registersAcross", 256, 128, true}})
    checkVariant(machine, variant, variant.swizzle * 3 / 2 + 8);
}

} // namespace attn::foreign
