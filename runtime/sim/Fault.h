// SPDX-License-Identifier: Apache-2.0
// A broken rule on its way from the place that notices it to the launch that reports it.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace attn::sim {

/// No instruction.
inline constexpr uint32_t kNoPc = ~uint32_t(0);

/// Thrown by checks. Whoever runs the instruction knows its line, warp and CTA and turns this into an attn::Error.
struct Fault {
  struct Note {
    uint32_t pc; ///< the other party's instruction in the same entry, or kNoPc
    std::string text;
  };
  const char *id;       ///< of the diagnostic, such as "race-shared"
  std::string sentence; ///< lower case, no period
  std::vector<Note> notes = {};
  int lane = -1;       ///< of the warp that runs, if one lane is to blame
  uint32_t pc = kNoPc; ///< the instruction to blame, if it is not the one that runs
};

} // namespace attn::sim
