// SPDX-License-Identifier: Apache-2.0
// attn-foreign NAME FILE.ptx: runs a kernel that another compiler wrote on the simulator, under several schedules, and
// compares what it computes with NAME's reference.
#include "test/foreign/Foreign.h"

#include <cstdio>
#include <fstream>
#include <sstream>

using namespace attn::foreign;

namespace {

struct Named {
  std::string_view name;
  Reference check;
};
constexpr Named kReferences[] = {
    {"reduce", checkReduce},
    {"matmul", checkMatmul},
    {"mma-pipeline", checkMmaPipeline},
    {"divergence", checkDivergence},
    {"atomics", checkAtomics},
    {"ticket", checkTicket},
    {"warp", checkWarp},
    {"numbers", checkNumbers},
    {"addresses", checkAddresses},
    {"tma", checkTma},
    {"wgmma", checkWgmma},
    {"roles", checkRoles},
    {"narrow", checkNarrow},
};

/// The reference schedule, and two others: CTAs in another order, several at once, warps switched often.
constexpr uint64_t kSeeds[] = {0, 1, 2};

bool run(const Named &reference, const std::string &file, const std::string &text) {
  for (uint64_t seed : kSeeds) {
    try {
      Machine machine(text, file, seed);
      machine.options.divergeRandom = seed == 2;
      reference.check(machine);
    } catch (const std::exception &error) {
      fmt::print("FAIL {} {} (seed {}): {}\n", reference.name, file, seed, error.what());
      return false;
    }
  }
  fmt::print("{} agrees with its reference\n", reference.name);
  return true;
}

} // namespace

int main(int count, char **words) {
  if (count != 3) {
    fmt::print(stderr, "usage: attn-foreign NAME FILE.ptx\n");
    return 2;
  }
  std::ifstream file(words[2]);
  if (!file) {
    fmt::print(stderr, "{}: cannot be read\n", words[2]);
    return 2;
  }
  std::stringstream text;
  text << file.rdbuf();
  for (const Named &reference : kReferences)
    if (reference.name == words[1])
      return run(reference, words[2], text.str()) ? 0 : 1;
  fmt::print(stderr, "{}: no such reference\n", words[1]);
  return 2;
}
