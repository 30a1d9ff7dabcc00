// SPDX-License-Identifier: Apache-2.0
// Random damage to texts and bytes, the same on every machine for the same seed.
#ifndef ATTN_TEST_FUZZ_FUZZ_H
#define ATTN_TEST_FUZZ_FUZZ_H

#include "runtime/Error.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

namespace attn::fuzz {

class Random {
public:
  explicit Random(uint64_t seed) : state(seed) {}
  uint64_t next() {
    uint64_t z = state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
  size_t below(size_t bound) { return bound ? static_cast<size_t>(next() % bound) : 0; }

private:
  uint64_t state;
};

/// One to four edits: bytes changed, removed, repeated, moved; pieces of the text replaced by numbers at the edge.
inline std::string damaged(const std::string &original, Random &random) {
  static const std::vector<std::string> edges{
      "-1", "0", "1",         "2147483648", "9223372036854775807", "18446744073709551616", "", "\n",
      " ",  "]", "(((((((((", "\xff",       std::string(300, 'x')};
  std::string text = original;
  for (size_t edits = 1 + random.below(4); edits != 0; --edits) {
    size_t at = random.below(text.size()), length = 1 + random.below(random.below(4) == 0 ? 200 : 8);
    length = std::min(length, text.size() - std::min(at, text.size()));
    switch (random.below(7)) {
    case 0:
      if (!text.empty())
        text[at] = static_cast<char>(random.next());
      break;
    case 1:
      text.erase(at, length);
      break;
    case 2:
      text.insert(at, text.substr(at, length));
      break;
    case 3: {
      std::string piece = text.substr(at, length);
      text.erase(at, length);
      text.insert(random.below(text.size() + 1), piece);
      break;
    }
    case 4:
      text.replace(at, length, edges[random.below(edges.size())]);
      break;
    case 5:
      text.resize(at);
      break;
    default:
      if (!text.empty())
        text[at] = static_cast<char>(text[at] ^ (1 << random.below(8)));
    }
  }
  return text;
}

/// `NAME [--count N] [--seed N] [--shard I/N]`: gives `count` damaged texts to `consume`, which may throw attn::Error
/// and nothing else. An answer that takes longer than two seconds is a failure. Prints the drivers' last line.
inline int run(int count, char **words, const std::vector<std::string> &originals,
               const std::function<void(const std::string &)> &consume) {
  unsigned long total = 2500, seed = 1;
  unsigned share = 0, shares = 1;
  for (int i = 1; i < count; ++i) {
    if (!std::strcmp(words[i], "--count") && i + 1 < count)
      total = std::strtoul(words[++i], nullptr, 10);
    else if (!std::strcmp(words[i], "--seed") && i + 1 < count)
      seed = std::strtoul(words[++i], nullptr, 10);
    else if (!std::strcmp(words[i], "--shard") && i + 1 < count &&
             std::sscanf(words[++i], "%u/%u", &share, &shares) == 2)
      continue;
    else if (!std::strcmp(words[i], "--filter") && i + 1 < count)
      ++i;
    else if (!std::strcmp(words[i], "--all"))
      total *= 40;
    else {
      std::fprintf(stderr, "expects --count N, --seed N, --shard I/N or --all, got '%s'\n", words[i]);
      return 2;
    }
  }
  unsigned long refused = 0, accepted = 0, failed = 0;
  for (unsigned long i = share; i < total; i += shares) {
    Random random(seed * 1000003 + i);
    std::string text = damaged(originals[random.below(originals.size())], random);
    auto begin = std::chrono::steady_clock::now();
    try {
      consume(text);
      ++accepted;
    } catch (const Error &error) {
      ++refused;
      if (error.faults().empty() || error.faults()[0].empty()) {
        std::printf("FAIL: mutation %lu of seed %lu: an error without a sentence\n", i, seed);
        ++failed;
      }
    } catch (const std::exception &error) {
      std::printf("FAIL: mutation %lu of seed %lu: %s\n", i, seed, error.what());
      ++failed;
    }
    if (std::chrono::steady_clock::now() - begin > std::chrono::seconds(2)) {
      std::printf("FAIL: mutation %lu of seed %lu: took more than two seconds\n", i, seed);
      ++failed;
    }
  }
  std::printf("%lu mutations: %lu refused, %lu accepted\n", refused + accepted, refused, accepted);
  std::printf("%lu passed, %lu failed, 0 skipped\n", refused + accepted - failed, failed);
  return failed ? 1 : 0;
}

} // namespace attn::fuzz

#endif // ATTN_TEST_FUZZ_FUZZ_H
