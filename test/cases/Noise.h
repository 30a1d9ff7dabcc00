// SPDX-License-Identifier: Apache-2.0
// Random numbers of cases: the same on every machine.
#pragma once

#include <cstdint>

namespace attn::cases {

/// SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014).
class Noise {
public:
  explicit Noise(uint64_t seed) : state(seed) {}
  /// One of several streams of a seed, so that no value depends on the order in which others are made.
  Noise(uint64_t seed, uint64_t stream) : state(seed * 0x9e3779b97f4a7c15ull + stream) {}

  uint64_t bits() {
    state += 0x9e3779b97f4a7c15ull;
    uint64_t x = state;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
    return x ^ (x >> 31);
  }
  int64_t below(int64_t limit) { return static_cast<int64_t>(bits() % static_cast<uint64_t>(limit)); }

  /// Mean 0, deviation 1, nearly normal: four uniform numbers.
  double normal() {
    uint64_t x = bits();
    double sum = 0;
    for (int i = 0; i != 4; ++i)
      sum += static_cast<double>((x >> (16 * i)) & 0xffff);
    return (sum / 65535.0 - 2.0) * 1.7320508075688772;
  }

private:
  uint64_t state;
};

} // namespace attn::cases
