// SPDX-License-Identifier: Apache-2.0
// mbarrier objects of a CTA: arrivals and bytes that a phase still expects, and what its completion orders.
#pragma once

#include "runtime/sim/Order.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

namespace attn::sim {

/// The counts of one mbarrier, and nothing else: a state machine without clocks, addresses or messages.
struct MbarrierCounts {
  static constexpr int64_t kLimit = int64_t(1) << 20; ///< of arrivals and of bytes, exclusive

  uint32_t expected = 0; ///< arrivals of the next phase
  int64_t pending = 0;   ///< arrivals this phase still expects
  int64_t bytes = 0;     ///< bytes this phase still expects; negative while data is ahead of its announcement
  uint64_t phase = 0;    ///< number of phases that are complete

  enum class Outcome : uint8_t { Stays, Completes, TooManyArrivals, TooManyBytes };

  void init(uint32_t arrivals) { *this = {arrivals, arrivals, 0, 0}; }
  Outcome arrive(uint32_t count) { return step(count, 0, 0); }
  Outcome arriveExpecting(uint32_t moreBytes) { return step(1, moreBytes, 0); }
  Outcome arriveAndDrop(uint32_t count, uint32_t moreBytes) { return step(count, moreBytes, count); }
  Outcome expect(uint32_t moreBytes) { return step(0, moreBytes, 0); }
  Outcome complete(uint32_t doneBytes) { return step(0, -int64_t(doneBytes), 0); }

private:
  Outcome step(uint32_t arrivals, int64_t moreBytes, uint32_t dropped) {
    bytes += moreBytes;
    pending -= arrivals;
    if (pending < 0 || dropped > expected)
      return Outcome::TooManyArrivals;
    expected -= dropped;
    if (bytes >= kLimit || bytes <= -kLimit)
      return Outcome::TooManyBytes;
    if (pending != 0 || bytes != 0)
      return Outcome::Stays;
    ++phase;
    pending = expected;
    return Outcome::Completes;
  }
};

/// An mbarrier in shared memory.
struct Mbarrier {
  uint32_t address = 0; ///< window offset
  bool live = false;
  MbarrierCounts counts;
  uint32_t initPc = 0, initWarp = 0, initLane = 0;
  bool published = false; ///< a fence has made its initialisation visible to the async proxy
  Meeting gathering;      ///< what the arrivals so far have seen
  Meeting frozen;         ///< the same, as it was when the last phase completed

  /// The phases that each warp learned last to be complete, -1 at first, and the epochs in which it learned that.
  struct Seen {
    int64_t phase = -1;
    Epoch epoch = 0;
  };
  static constexpr unsigned kRemembered = 4;
  std::array<std::array<Seen, kRemembered>, kWarpActors> seen;

  /// The last phase that `warp` knows to be complete, from itself or from warps that are ordered before it.
  int64_t knownTo(const WarpClocks &warp) const {
    int64_t known = -1;
    for (unsigned i = 0; i < kWarpActors; ++i)
      for (const Seen &s : seen[i])
        if (s.phase > known && s.epoch <= warp.seen.at[i])
          known = s.phase;
    return known;
  }
  void learn(const WarpClocks &warp, int64_t phase) {
    auto &mine = seen[warp.warp];
    if (phase > mine[0].phase) {
      std::move_backward(mine.begin(), mine.end() - 1, mine.end());
      mine[0] = {phase, warp.now()};
    }
  }
};

/// The mbarriers of a CTA. A handful: they are searched one by one.
class Mbarriers {
public:
  void clear() { all.clear(); }
  /// The live object at a window offset, or null.
  Mbarrier *find(uint32_t address) {
    for (Mbarrier &barrier : all)
      if (barrier.address == address && barrier.live)
        return &barrier;
    return nullptr;
  }
  /// An object for the offset, which has none that is live.
  Mbarrier &make(uint32_t address) {
    for (Mbarrier &barrier : all)
      if (barrier.address == address)
        return barrier = fresh(address);
    return all.emplace_back(fresh(address));
  }
  /// The actor that stands for copies which complete on this object.
  unsigned engine(const Mbarrier &barrier) const { return kFirstEngine + unsigned(&barrier - all.data()) % kEngines; }
  std::vector<Mbarrier> all;

private:
  static Mbarrier fresh(uint32_t address) {
    Mbarrier barrier;
    barrier.address = address;
    barrier.live = true;
    return barrier;
  }
};

} // namespace attn::sim
