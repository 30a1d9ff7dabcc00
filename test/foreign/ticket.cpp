// SPDX-License-Identifier: Apache-2.0
// ticket.cu: the same twice in a row, so that counters that were not reset show.
#include "test/foreign/Foreign.h"

namespace attn::foreign {
namespace {

void combine(Machine &machine) {
  const unsigned grid = 37, block = 128;
  const int count = 9973;
  std::vector<float> numbers(count);
  float sum = 0;
  for (int i = 0; i < count; ++i)
    sum += numbers[size_t(i)] = float(i * 31 % 257 - 100);
  const uint64_t in = machine.put(numbers, "in"), partial = machine.space<float>(grid, "partial");
  const uint64_t ticket = machine.put(std::vector<uint32_t>{0}, "ticket");
  for (int round = 0; round < 2; ++round) {
    const uint64_t total = machine.space<float>(1, "total");
    machine.launch("combine", {grid}, {block}, 0, in, count, partial, ticket, total);
    expectEqual("total", machine.getWritten<float>(total, 1, "total"), {sum});
    expectEqual("ticket", machine.get<uint32_t>(ticket, 1), {0u});
  }
}

void chain(Machine &machine) {
  const unsigned grid = 6, block = 64;
  std::vector<uint32_t> in(grid), out(size_t(grid) * block);
  for (unsigned i = 0; i < grid; ++i) {
    in[i] = i * i + 3;
    for (unsigned j = 0; j < block; ++j)
      out[i * block + j] = (i ? out[(i - 1) * block + (j + 1) % block] : 1) * 3 + in[i];
  }
  const uint64_t addressIn = machine.put(in, "in"), addressOut = machine.space<uint32_t>(out.size(), "out");
  const uint64_t flag = machine.put(std::vector<uint32_t>{0}, "flag");
  const uint64_t start = machine.put(std::vector<uint32_t>{0}, "start");
  machine.launch("chain", {grid}, {block}, 0, addressIn, addressOut, flag, start);
  expectEqual("out", machine.getWritten<uint32_t>(addressOut, out.size(), "out"), out);
  expectEqual("flag", machine.get<uint32_t>(flag, 1), {grid * block});
}

void orders(Machine &machine) {
  const unsigned grid = 4, block = 40;
  const uint64_t cells = machine.put(std::vector<uint32_t>(1 + grid), "cells");
  const uint64_t wide = machine.put(std::vector<uint64_t>{0}, "wide");
  const uint64_t flags = machine.put(std::vector<int>(4), "flags");
  machine.launch("orders", {grid}, {block}, 0, cells, wide, flags);
  std::vector<uint32_t> wanted(1 + grid, block - 1);
  wanted[0] = grid * block;
  expectEqual("cells", machine.get<uint32_t>(cells, 1 + grid), wanted);
  expectEqual("wide", machine.get<uint64_t>(wide, 1), {(uint64_t(1) << block) - 1});
  expectEqual("flags", machine.get<int>(flags, 4), {0, int(5 * grid), 9, 0});
}

} // namespace

void checkTicket(Machine &machine) {
  combine(machine);
  chain(machine);
  orders(machine);
}

} // namespace attn::foreign
