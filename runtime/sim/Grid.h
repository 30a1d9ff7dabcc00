// SPDX-License-Identifier: Apache-2.0
// A launch under way: CTAs, named barriers, and the scheduler, the only one to draw random numbers.
#pragma once

#include "runtime/sim/Bulk.h"
#include "runtime/sim/Mbarrier.h"
#include "runtime/sim/Memory.h"
#include "runtime/sim/Module.h"
#include "runtime/sim/Simulator.h"
#include "runtime/sim/Warp.h"

#include <array>
#include <cstdint>
#include <cstdio>
#include <deque>
#include <memory>
#include <string>
#include <vector>

namespace attn::sim {

/// A named barrier of a CTA.
struct NamedBarrier {
  uint32_t expected = 0;     ///< threads; 0: all warps that have not exited
  uint32_t arrived = 0;      ///< threads
  uint32_t arrivedWarps = 0; ///< a bit each
  uint32_t waitingWarps = 0;
  Reduce reduce = Reduce::None;
  uint32_t popc = 0;
  bool all = true, any = false;
  const Op *first = nullptr; ///< the instruction that began this phase
  Meeting meeting;
};

/// Registers of the threads of a CTA, which setmaxnreg moves from warp to warp.
struct RegisterPool {
  uint32_t free = 0;                        ///< given up by warps and not taken by others
  std::array<uint32_t, kWarpActors> held{}; ///< by warp, for each of its threads
  std::array<uint32_t, kWarpActors> wanted{};
  std::array<std::vector<uint32_t>, kWarpActors> history; ///< by warp: its setmaxnreg so far
};

/// CTAs that start together and reach each other's shared memory. A CTA on its own is a cluster of one.
struct Cluster {
  std::vector<Cta *> members; ///< by rank; null when it has ended
  // barrier.cluster: warps by actor.
  Meeting gathering, frozen;
  uint32_t arrived = 0;
  uint64_t phase = 0;
};

struct Cta {
  uint32_t linear = 0;
  uint32_t x = 0, y = 0, z = 0;
  SharedMemory shared;
  std::vector<Warp> warps;
  unsigned warpCount = 0, warpsLeft = 0;
  NamedBarrier barriers[16];
  RegisterPool pool;
  std::shared_ptr<Cluster> cluster;
  uint32_t rank = 0;    ///< in the cluster
  Epoch firstEpoch = 0; ///< of its warps
  Mbarriers mbarriers;
  BulkQueue bulk;
  std::vector<uint8_t> staging, invalid; ///< of the copy that lands
  uint64_t quanta = 0;                   ///< turns that warps of the CTA have had
  uint32_t serial = 0;                   ///< of the instruction that runs; tells instructions apart
  uint64_t event = 0;                    ///< counts this CTA's random draws
  unsigned turn = 0;                     ///< the warp that ran last
};

/// What random numbers are drawn for; draws for one thing do not shift those for another.
enum class Draw : uint32_t {
  Order,
  Resident,
  Quantum,
  Warp,
  Cta,
  AtomicLanes,
  Leader,
  WarpId,
  Divergence,
  Landing,
  Spurious
};

/// Everything that the warps of a launch share.
struct Launch {
  Launch(GlobalMemory &memory, const Module &module, const Function &entry, const LaunchOptions &options)
      : memory(memory), module(module), entry(entry), options(options) {}

  GlobalMemory &memory;
  const Module &module;
  const Function &entry;
  const LaunchOptions &options;
  Dim3 grid, block;
  uint32_t cluster = 1; ///< CTAs of a cluster; they are neighbours along x
  uint32_t dynamicShared = 0;
  std::vector<uint8_t> parameters;
  SharedLayout layout;
  std::vector<uint64_t> counts; ///< by instruction
  std::vector<uint8_t> falls;   ///< by instruction: a function ended before it, so falling into it is a return
  std::vector<uint32_t> wide;   ///< by instruction: elements of its first vector operand that are 64 bits wide
  std::string output;
  std::FILE *trace = nullptr;
  uint64_t executed = 0;
  uint64_t progress = 0;     ///< stores, arrivals and exits so far
  uint64_t progressedAt = 0; ///< instructions executed when the last of them was seen
  uint64_t clock = 0;
  std::vector<uint8_t> timed; ///< by row: holds what may derive from a clock

  /// A number that depends on the seed, the CTA, the purpose and `event` only.
  uint64_t draw(Draw purpose, uint32_t cta, uint64_t event) const;
};

/// Runs all CTAs of a launch.
class Grid {
public:
  explicit Grid(Launch &launch) : launch(launch) {}
  /// Throws attn::Error when a rule is broken.
  void run();

private:
  void admit();
  void startCluster(uint32_t first);
  void startCta(Cta &cta, uint32_t linear, Epoch epoch);
  Warp *pickWarp(Cta &cta);
  void runQuantum(Cta &cta, Warp &warp);
  void finishCta(Cta &cta);
  void plan();
  /// Lands copies of a CTA in which no warp can run, until one can.
  Warp *landUntilRunnable(Cta &cta);
  bool nudge();
  [[noreturn]] void report(const Fault &fault, const Cta *cta, const Warp *warp);
  [[noreturn]] void reportStuck();
  uint32_t ctaAt(uint32_t position) const;

  Launch &launch;
  std::vector<std::unique_ptr<Cta>> resident, idle;
  std::vector<uint32_t> shuffled; ///< CTA numbers in the order of starting, if not linear
  uint32_t residentLimit = 1, started = 0, total = 0;
  size_t turn = 0;
  uint64_t rounds = 0;
  uint64_t nudgedAt = 0; ///< progress when warps were nudged last
  unsigned nudges = 0;   ///< since then
};

/// The CTA of that rank in the cluster of the warp; throws Fault if there is none.
Cta &clusterMember(Warp &w, uint64_t rank, unsigned lane);
/// A warp has left the cluster: barriers that wait for all warps of it may be complete now.
void clusterAfterExit(Cta &cta);
/// What the register pool lacks, for reports; empty if no warp waits for it.
std::string describePool(const Cta &cta);
/// A warp has left the CTA: barriers that wait for all warps may be complete now.
void barriersAfterExit(Cta &cta);

} // namespace attn::sim
