// SPDX-License-Identifier: Apache-2.0
// tma.cu: boxes as loops over rows and columns; all numbers are integers that bfloat16 holds exactly.
#include "runtime/sim/TensorMap.h"
#include "test/foreign/Foreign.h"

namespace attn::foreign {
namespace {

struct alignas(64) MapBytes {
  uint8_t bytes[128];
};

constexpr int kRows = 16, kColumns = 64;

/// A matrix of bfloat16 with rows of `pitch` elements, in boxes of a tile.
MapBytes matrixMap(uint64_t base, int rows, int columns, int pitch) {
  sim::TensorMap map;
  map.element = sim::TensorElement::BF16;
  map.rank = 2;
  map.swizzle = 128;
  map.base = base;
  map.dims = {uint64_t(columns), uint64_t(rows)};
  map.box = {uint32_t(kColumns), uint32_t(kRows)};
  map.elementStrides = {1, 1};
  map.strides = {uint64_t(pitch) * 2};
  MapBytes result;
  sim::encodeTensorMap(map, result.bytes);
  return result;
}

uint16_t brainBits(int value) { return uint16_t(bitCast<uint32_t>(float(value)) >> 16); }

std::vector<uint16_t> asBrains(const std::vector<int> &values) {
  std::vector<uint16_t> bits;
  for (int value : values)
    bits.push_back(brainBits(value));
  return bits;
}

void boxes(Machine &machine, int x, int y) {
  const int rows = 40, columns = 100, pitch = 104, grid = 3;
  std::vector<int> in(size_t(rows) * pitch), out(in.size(), -1), sum(size_t(kRows) * kColumns, 5);
  for (size_t i = 0; i < in.size(); ++i)
    in[i] = int(i * 7 % 31) - 15;
  const uint64_t addressIn = machine.put(asBrains(in), "in"), addressOut = machine.put(asBrains(out), "out");
  const uint64_t addressSum = machine.put(asBrains(sum), "sum");
  machine.launch("boxes", {unsigned(grid)}, {96}, 0, matrixMap(addressIn, rows, columns, pitch),
                 matrixMap(addressOut, rows, columns, pitch), matrixMap(addressSum, kRows, kColumns, kColumns), x, y);
  for (int row = 0; row < grid * kRows; ++row)
    for (int column = 0; column < kColumns; ++column) {
      const int r = y + row, c = x + column;
      const bool inside = r >= 0 && r < rows && c >= 0 && c < columns;
      const size_t at = inside ? size_t(r) * pitch + size_t(c) : 0;
      const int value = 2 * (inside ? in[at] : 0) + column;
      if (inside)
        out[at] = value;
      sum[size_t(row % kRows * kColumns + column)] += value;
    }
  const std::string name = fmt::format("at ({}, {})", x, y);
  expectEqual("out " + name, machine.get<uint16_t>(addressOut, out.size()), asBrains(out));
  expectEqual("sum " + name, machine.get<uint16_t>(addressSum, sum.size()), asBrains(sum));
}

void rows(Machine &machine) {
  const int count = 200, grid = 4;
  std::vector<int> in(size_t(count) * grid), out(in.size()), sums(size_t(count) / 2, 11);
  const std::vector<int> before = sums;
  for (int i = 0; i < count * grid; ++i) {
    in[size_t(i)] = i * 37 % 1000;
    out[size_t(i)] = in[size_t(i)] ^ 0x100;
    if (i % count >= count / 2)
      sums[size_t(i % count - count / 2)] += out[size_t(i)];
  }
  const uint64_t addressOut = machine.space<int>(out.size(), "out"), addressSums = machine.put(before, "sums");
  machine.launch("rows", {unsigned(grid)}, {64}, 0, machine.put(in, "in"), addressOut, addressSums, count);
  expectEqual("out of rows", machine.getWritten<int>(addressOut, out.size(), "out"), out);
  expectEqual("sums of rows", machine.get<int>(addressSums, sums.size()), sums);
}

void library(Machine &machine) {
  const int steps = 8, threads = 128;
  std::vector<int> in(size_t(steps) * threads), out(threads);
  for (size_t i = 0; i < in.size(); ++i)
    in[i] = int(i * i % 1009);
  for (int i = 0; i < threads; ++i)
    for (int step = 0; step < steps; ++step)
      out[size_t(i)] = out[size_t(i)] * 3 + in[size_t(step * threads + (i + step) % threads)];
  const uint64_t address = machine.space<int>(out.size(), "out");
  machine.launch("library", {1}, {unsigned(threads)}, 0, machine.put(in, "in"), address, steps);
  expectEqual("out of library", machine.getWritten<int>(address, out.size(), "out"), out);
}

} // namespace

void checkTma(Machine &machine) {
  boxes(machine, 0, 0);
  boxes(machine, 48, -5);
  boxes(machine, -24, 8);
  rows(machine);
  library(machine);
}

} // namespace attn::foreign
