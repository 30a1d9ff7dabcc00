// SPDX-License-Identifier: Apache-2.0
// Copies that a warp has issued and not yet waited for (cp.async).
#pragma once

#include "runtime/sim/Order.h"
#include "runtime/sim/Registers.h"

#include <array>
#include <cstdint>
#include <vector>

namespace attn::sim {

/// One lane's copy from global to shared memory.
struct PendingCopy {
  uint64_t source;      ///< global address; not read if sourceBytes is 0
  uint32_t destination; ///< shared window offset
  uint32_t pc;
  uint32_t group; ///< of the lane
  Epoch epoch;    ///< of the warp at the issue
  uint8_t lane, bytes, sourceBytes;
  uint32_t number; ///< counts the copies of the warp
  bool early;      ///< see Actor
};

/// The copies of a warp in the order of issue, and how many groups each lane has closed.
struct CopyQueue {
  std::vector<PendingCopy> pending;
  std::array<uint32_t, kLanes> groups{};
  uint32_t issued = 0; ///< copies so far
  void reset() {
    pending.clear();
    issued = 0;
    groups.fill(0);
  }
};

} // namespace attn::sim
