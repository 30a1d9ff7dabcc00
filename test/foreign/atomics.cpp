// SPDX-License-Identifier: Apache-2.0
// atomics.cu: final values that no order changes, and old values that some order must explain.
#include "test/foreign/Foreign.h"

#include <algorithm>
#include <numeric>

namespace attn::foreign {
namespace {

/// As the kernel declares it, and with the bits of halves in place of their types.
struct Cells {
  int32_t add, sub, smallest, largest, exchanged, compared;
  uint32_t sum, least, most, up, down, common, any, parity;
  uint64_t wideSum, wideLeast, wideMost, wideCommon, wideAny, wideParity, wideExchanged, wideCompared;
  int64_t wideSmallest, wideLargest;
  double doubleSum;
  float floatSum, floatExchanged, floatMaximum;
  uint32_t halves;
  uint16_t tiny, unused;
  uint32_t padding;
};
struct Olds {
  int32_t add, exchanged;
  uint32_t up, down, wideSum;
};

Cells initialCells() {
  Cells c{};
  c.sub = 10000;
  c.exchanged = 999;
  c.compared = -1;
  c.least = ~0u;
  c.up = 4;
  c.down = 2;
  c.common = ~0u;
  c.wideLeast = ~uint64_t(0);
  c.wideCommon = ~uint64_t(0);
  c.wideExchanged = 1;
  c.wideCompared = 5;
  c.doubleSum = 0.25;
  c.floatSum = 0.5f;
  c.floatMaximum = -INFINITY;
  c.tiny = 7;
  return c;
}

uint16_t smallIntegerAsHalf(int value) {
  // Exact for integers up to 2048: the bits of a float, with another bias and less of the mantissa.
  if (value == 0)
    return 0;
  const uint32_t bits = bitCast<uint32_t>(float(value));
  return uint16_t((bits >> 16 & 0x8000) | (((bits >> 23 & 0xff) - 112) << 10) | (bits >> 13 & 0x3ff));
}

/// What `count` threads leave behind; the cells where the last one or the first one wins stay zero.
Cells finalCells(int count) {
  Cells c = initialCells();
  int low = 0, high = 0;
  for (int i = 0; i < count; ++i) {
    const int v = i * 7 % 31 - 9;
    const uint32_t bits = 1u << (i % 30);
    const uint64_t wide = uint64_t(bits) << 20 | unsigned(i);
    c.add += 1 + i % 3;
    c.sub -= v;
    c.smallest = std::min(c.smallest, v);
    c.largest = std::max(c.largest, v);
    c.sum += bits;
    c.least = std::min(c.least, bits);
    c.most = std::max(c.most, bits);
    c.up = c.up >= 9 ? 0 : c.up + 1;
    c.down = c.down == 0 || c.down > 6 ? 6 : c.down - 1;
    c.common &= ~bits;
    c.any |= bits * 2;
    c.parity ^= bits * 2 + unsigned(i);
    c.wideSum += wide;
    c.wideLeast = std::min(c.wideLeast, wide);
    c.wideMost = std::max(c.wideMost, wide);
    c.wideCommon &= ~wide;
    c.wideAny |= wide;
    c.wideParity ^= wide * 3;
    c.wideSmallest = std::min(c.wideSmallest, int64_t(v) * (int64_t(1) << 33));
    c.wideLargest = std::max(c.wideLargest, int64_t(v) * (int64_t(1) << 33));
    c.doubleSum += v;
    c.floatSum += float(v);
    c.floatMaximum = std::max(c.floatMaximum, float(i * 37 % 101));
    low += i % 3;
    high -= i % 4;
  }
  c.halves = smallIntegerAsHalf(low) | uint32_t(smallIntegerAsHalf(high)) << 16;
  return c;
}

[[noreturn]] void wrong(const std::string &what) { throw std::runtime_error(what); }

/// The cells that the last or the first thread decides.
void checkWinners(Cells &c, int count) {
  const auto isThread = [&](int64_t i) { return i >= 0 && i < count; };
  const auto isWide = [&](uint64_t bits) {
    return isThread(int64_t(bits & 0xfffff)) && bits >> 20 == uint64_t(1) << ((bits & 0xfffff) % 30);
  };
  if (!isThread(c.exchanged - 1000) || !isThread(c.compared) || !isThread(c.tiny - 8))
    wrong(fmt::format("exchanged {}, compared {}, tiny {}", c.exchanged, c.compared, c.tiny));
  if (!isWide(c.wideExchanged) || !isWide(c.wideCompared))
    wrong(fmt::format("wideExchanged {:#x}, wideCompared {:#x}", c.wideExchanged, c.wideCompared));
  if (!isThread(int64_t(c.floatExchanged)))
    wrong(fmt::format("floatExchanged {}", c.floatExchanged));
  const Cells initial = initialCells();
  c.exchanged = initial.exchanged;
  c.compared = initial.compared;
  c.tiny = initial.tiny;
  c.wideExchanged = initial.wideExchanged;
  c.wideCompared = initial.wideCompared;
  c.floatExchanged = initial.floatExchanged;
}

/// Old values of a cell that starts at `start` and that each thread changes by `next` in some order.
template <typename Next>
void checkCycle(const std::string &name, std::vector<uint32_t> got, uint32_t start, Next next) {
  std::vector<uint32_t> wanted;
  for (uint32_t value = start; wanted.size() < got.size(); value = next(value))
    wanted.push_back(value);
  std::sort(got.begin(), got.end());
  std::sort(wanted.begin(), wanted.end());
  expectEqual(name, got, wanted);
}

void checkOlds(const std::vector<Olds> &olds, const Cells &final, int32_t lastExchanged) {
  std::vector<uint32_t> up, down, wide;
  std::vector<int> exchanged{lastExchanged}, wanted{initialCells().exchanged}, order(olds.size());
  for (size_t i = 0; i < olds.size(); ++i) {
    up.push_back(olds[i].up);
    down.push_back(olds[i].down);
    exchanged.push_back(olds[i].exchanged);
    wanted.push_back(int(i) + 1000);
  }
  checkCycle("old up", up, 4, [](uint32_t v) { return v >= 9 ? 0 : v + 1; });
  checkCycle("old down", down, 2, [](uint32_t v) { return v == 0 ? 6 : v - 1; });
  // Each value that was put is found once, by the next thread or at the end.
  std::sort(exchanged.begin(), exchanged.end());
  std::sort(wanted.begin(), wanted.end());
  expectEqual("old exchanged", exchanged, wanted);
  // Sums only grow: in the order of what the threads found, each found what the one before it left.
  for (bool wideSum : {false, true}) {
    const auto found = [&](int i) { return wideSum ? int(olds[size_t(i)].wideSum) : olds[size_t(i)].add; };
    std::iota(order.begin(), order.end(), 0);
    std::sort(order.begin(), order.end(), [&](int a, int b) {
      return found(a) != found(b) ? found(a) < found(b) : wideSum && (a == 0) > (b == 0); // thread 0 adds 0 there
    });
    int sum = 0;
    for (int i : order) {
      if (found(i) != sum)
        wrong(fmt::format("thread {} found the sum {}, expects {}", i, found(i), sum));
      sum += wideSum ? i : 1 + i % 3;
    }
    if (sum != (wideSum ? int(final.wideSum & 0xfffff) : final.add))
      wrong(fmt::format("the last sum is {}", sum));
  }
}

void expectCells(const std::string &name, const Cells &got, const Cells &wanted) {
  std::vector<uint32_t> a(sizeof(Cells) / 4), b(sizeof(Cells) / 4);
  std::memcpy(a.data(), &got, sizeof(Cells));
  std::memcpy(b.data(), &wanted, sizeof(Cells));
  expectEqual(name + " as words", a, b);
}

void checkScopes(Machine &machine) {
  const unsigned grid = 3, block = 64;
  std::vector<int> blocks(8 * grid), system(8), wantedSystem(8);
  for (unsigned b = 0; b < grid; ++b)
    blocks[8 * b + 4] = -1;
  system[4] = -1;
  const uint64_t addressBlocks = machine.put(blocks, "blocks"), addressSystem = machine.put(system, "system");
  const uint64_t wide = machine.put(std::vector<uint64_t>(1 + grid), "wide");
  const uint64_t floats = machine.put(std::vector<float>(1 + grid), "floats");
  machine.launch("scopes", {grid}, {block}, 0, addressBlocks, addressSystem, wide, floats);
  const auto change = [](int *cells, int i, int times) {
    cells[0] += i;
    cells[1] = std::max(cells[1], i);
    cells[2] = std::min(cells[2], -i);
    cells[3] |= 1 << i % 31;
    cells[4] &= ~(1 << i % 31);
    cells[5] ^= i * i * times;
    cells[6] = 1;
    cells[7] = 77;
  };
  std::vector<uint64_t> wantedWide(1 + grid, uint64_t(block - 1) << 40);
  wantedWide[0] = uint64_t(grid * block * (block - 1) / 2) << 40;
  std::vector<float> wantedFloats(1 + grid, float(block * (block - 1) / 2));
  wantedFloats[0] *= float(grid);
  for (unsigned b = 0; b < grid; ++b)
    for (int i = 0; i < int(block); ++i) {
      change(&blocks[8 * b], i, 1);
      change(system.data(), i, int(b) + 1);
    }
  expectEqual("blocks", machine.get<int>(addressBlocks, blocks.size()), blocks);
  expectEqual("system", machine.get<int>(addressSystem, system.size()), system);
  expectEqual("wide", machine.get<uint64_t>(wide, wantedWide.size()), wantedWide);
  expectEqual("floats", machine.get<float>(floats, wantedFloats.size()), wantedFloats);
}

} // namespace

void checkAtomics(Machine &machine) {
  const unsigned grid = 3, block = 96;
  const uint64_t cells = machine.put(std::vector<Cells>{initialCells()}, "cells");
  const uint64_t olds = machine.space<Olds>(grid * block, "olds");
  machine.launch("inGlobal", {grid}, {block}, 0, cells, olds);
  Cells got = machine.get<Cells>(cells, 1)[0];
  checkOlds(machine.getWritten<Olds>(olds, grid * block, "olds"), got, got.exchanged);
  checkWinners(got, grid * block);
  expectCells("cells in global memory", got, finalCells(grid * block));

  const uint64_t initial = machine.put(std::vector<Cells>{initialCells()}, "initial");
  const uint64_t perBlock = machine.space<Cells>(grid, "cells of blocks");
  machine.launch("inShared", {grid}, {block}, 0, initial, perBlock, olds);
  const auto all = machine.get<Cells>(perBlock, grid);
  const auto allOlds = machine.get<Olds>(olds, grid * block);
  for (unsigned b = 0; b < grid; ++b) {
    got = all[b];
    checkOlds({allOlds.begin() + b * block, allOlds.begin() + (b + 1) * block}, got, got.exchanged);
    checkWinners(got, block);
    expectCells("cells in shared memory", got, finalCells(block));
  }
  checkScopes(machine);
}

} // namespace attn::foreign
