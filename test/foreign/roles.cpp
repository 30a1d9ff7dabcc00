// SPDX-License-Identifier: Apache-2.0
// roles.cu: what each group, block and grid must have seen of the others.
#include "test/foreign/Foreign.h"

namespace attn::foreign {
namespace {

std::vector<int> someIntegers(size_t count) {
  std::vector<int> numbers(count);
  for (size_t i = 0; i < count; ++i)
    numbers[i] = int(i * i * 31 % 10007);
  return numbers;
}

void ring(Machine &machine) {
  for (int steps : {1, 4, 11}) {
    const auto in = someIntegers(size_t(steps) * 256);
    std::vector<int> out(256), order;
    for (int step = 0; step < steps; ++step) {
      for (int i = 0; i < 256; ++i) {
        const size_t at = size_t(step * 256 + i / 128 * 128 + (i % 128 + step) % 128);
        out[size_t(i)] = int(uint32_t(out[size_t(i)]) * 5 + uint32_t(in[at]));
      }
      order.insert(order.end(), {1, 2});
    }
    const uint64_t addressOut = machine.space<int>(out.size(), "out");
    const uint64_t addressOrder = machine.space<int>(order.size(), "order");
    machine.launch("ring", {1}, {384}, 0, machine.put(in, "in"), addressOut, addressOrder, steps);
    expectEqual("out of ring", machine.getWritten<int>(addressOut, out.size(), "out"), out);
    expectEqual("order of ring", machine.getWritten<int>(addressOrder, order.size(), "order"), order);
  }
}

void cluster(Machine &machine) {
  const unsigned clusters = 3;
  const auto in = someIntegers(clusters * 256);
  std::vector<int> out;
  for (unsigned c = 0; c < clusters; ++c)
    for (unsigned rank = 0; rank < 2; ++rank)
      for (unsigned i = 0; i < 128; ++i) {
        const unsigned from = c * 256 + (i + 1) % 128;
        const int made = in[from] * 3 + in[from + 128] + int(rank ^ 1);
        out.push_back(made + 127 * 128 / 2 + 2000000);
      }
  const uint64_t address = machine.space<int>(out.size(), "out");
  machine.launch("cluster", {2 * clusters}, {128}, 0, machine.put(in, "in"), address);
  expectEqual("out of cluster", machine.getWritten<int>(address, out.size(), "out"), out);
}

void pair(Machine &machine) {
  const unsigned grid = 3, block = 64;
  std::vector<int> out;
  for (unsigned i = 0; i < grid * block; ++i)
    out.push_back(int(i * i + i % block * 3 + i / block));
  const uint64_t values = machine.space<int>(out.size(), "values"), address = machine.space<int>(out.size(), "out");
  machine.launch("first", {grid}, {block}, 0, values);
  machine.launch("second", {grid}, {block}, 0, values, address);
  expectEqual("out of second", machine.getWritten<int>(address, out.size(), "out"), out);
}

void storeMatrices(Machine &machine) {
  // Four matrices as they are, two transposed, one as it is.
  std::vector<uint16_t> out;
  for (int i = 0; i < 256; ++i)
    out.push_back(uint16_t(i));
  for (int i = 0; i < 128; ++i)
    out.push_back(uint16_t(i / 64 * 64 + i % 8 * 8 + i / 8 % 8));
  for (int i = 128; i < 192; ++i)
    out.push_back(uint16_t(i));
  const uint64_t address = machine.space<uint16_t>(out.size(), "out");
  machine.launch("storeMatrices", {1}, {32}, 0, address);
  expectEqual("matrices", machine.getWritten<uint16_t>(address, out.size(), "out"), out);
}

} // namespace

void checkRoles(Machine &machine) {
  storeMatrices(machine);
  pair(machine);
  ring(machine);
  cluster(machine);
}

} // namespace attn::foreign
