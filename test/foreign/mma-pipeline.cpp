// SPDX-License-Identifier: Apache-2.0
// mma-pipeline.cu: elements are integers below 8, so that sums are exact and only the last conversion rounds.
#include "test/foreign/Foreign.h"

namespace attn::foreign {
namespace {

uint16_t roundToBrain(float value) {
  const uint32_t bits = bitCast<uint32_t>(value);
  return uint16_t((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

float fromBrain(uint16_t bits) { return bitCast<float>(uint32_t(bits) << 16); }

void checkShape(Machine &machine, int m, int n, int k) {
  std::mt19937 random(unsigned(m + n + k));
  std::vector<uint16_t> a(size_t(m) * k), b(size_t(k) * n), c(size_t(m) * n);
  for (auto *matrix : {&a, &b})
    for (uint16_t &element : *matrix)
      element = roundToBrain(float(int(random() % 15) - 7));
  for (int i = 0; i < m; ++i)
    for (int j = 0; j < n; ++j) {
      float sum = 0;
      for (int l = 0; l < k; ++l)
        sum += fromBrain(a[size_t(i) * k + l]) * fromBrain(b[size_t(l) * n + j]);
      c[size_t(i) * n + j] = roundToBrain(sum);
    }
  const uint64_t addressA = machine.put(a, "a"), addressB = machine.put(b, "b");
  const uint64_t addressC = machine.space<uint16_t>(c.size(), "c");
  const uint32_t stageBytes = 2 * (64 * (32 + 8) + 32 * (64 + 8));
  machine.launch("product", {unsigned(n + 63) / 64, unsigned(m + 63) / 64}, {128}, 3 * stageBytes, addressA, addressB,
                 addressC, m, n, k);
  expectEqual(fmt::format("c {}x{}x{}", m, n, k), machine.getWritten<uint16_t>(addressC, c.size(), "c"), c);
}

} // namespace

void checkMmaPipeline(Machine &machine) {
  checkShape(machine, 64, 64, 32);
  checkShape(machine, 100, 72, 136); // 136 = 4 * 32 + 8: the last step is zeros but for eight columns
  checkShape(machine, 1, 136, 8);
}

} // namespace attn::foreign
