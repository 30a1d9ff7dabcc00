// SPDX-License-Identifier: Apache-2.0
// attn-unit [--filter REGEX] [--shard I/N] [--list]: runs the unit tests, or its share of them, and counts.
#include "test/unit/Test.h"

#include <cstdio>
#include <cstring>
#include <regex>

using namespace attn::test;

int main(int count, char **words) {
  std::string filter;
  unsigned share = 0, shares = 1;
  bool list = false;
  for (int i = 1; i < count; ++i) {
    if (!std::strcmp(words[i], "--filter") && i + 1 < count)
      filter = words[++i];
    else if (!std::strcmp(words[i], "--shard") && i + 1 < count &&
             std::sscanf(words[++i], "%u/%u", &share, &shares) == 2)
      continue;
    else if (!std::strcmp(words[i], "--list"))
      list = true;
    else if (std::strcmp(words[i], "--all")) {
      fmt::print(stderr, "attn-unit: expects --filter REGEX, --shard I/N, --list or --all, got '{}'\n", words[i]);
      return 2;
    }
  }
  unsigned passed = 0, failed = 0, skipped = 0, index = 0;
  for (const Test &test : tests()) {
    if (!filter.empty() && !std::regex_search(test.name, std::regex(filter)))
      continue;
    if (index++ % shares != share)
      continue;
    if (list) {
      fmt::print("{}\n", test.name);
      continue;
    }
    try {
      test.body();
      ++passed;
    } catch (const Skip &skip) {
      fmt::print("SKIP: {}: {}\n", test.name, skip.reason);
      ++skipped;
    } catch (const std::exception &error) {
      fmt::print("FAIL: {}: {}\n", test.name, error.what());
      ++failed;
    }
    std::fflush(stdout);
  }
  fmt::print("{} passed, {} failed, {} skipped\n", passed, failed, skipped);
  return failed ? 1 : 0;
}
