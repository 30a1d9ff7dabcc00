// SPDX-License-Identifier: Apache-2.0
// Copies by the async proxy: bulk and tensor copies, reductions, and arrivals that wait for cp.async.
#pragma once

#include "runtime/sim/Mbarrier.h"
#include "runtime/sim/Order.h"
#include "runtime/sim/Table.h"
#include "runtime/sim/TensorMap.h"

#include <array>
#include <cstdint>
#include <vector>

namespace attn::sim {

class Warp;
struct Cta;
struct Launch;

/// An operation that a thread has started and that goes on by itself.
struct BulkOperation {
  enum class Kind : uint8_t {
    Load,       ///< global to shared memory, completes on an mbarrier
    SharedCopy, ///< shared memory to that of a CTA of the cluster, completes on an mbarrier there
    Store,      ///< shared to global memory, completes with its bulk group
    Reduce,     ///< the same, combining with what is there
    Arrive,     ///< cp.async.mbarrier.arrive: arrives when the earlier cp.async of the lane are there
  };
  Kind kind = Kind::Load;
  uint32_t pc = 0;
  uint8_t warp = 0, lane = 0;
  uint32_t group = 0;  ///< Store, Reduce: bulk group of the thread
  uint64_t due = 0;    ///< quantum of the CTA from which on it may land by itself
  uint64_t source = 0; ///< Load: global address, unless tensor
  uint64_t target = 0; ///< Store, Reduce: global address, unless tensor
  uint32_t bytes = 0;  ///< of shared memory
  bool tensor = false;
  bool early = false; ///< see Actor
  TensorMap map;
  std::array<int32_t, 5> coordinates{};
  Reduce operation = Reduce::None; ///< Reduce
  Type type = Type::None;          ///< Reduce: of an element

  /// Load, SharedCopy, Arrive: one for each CTA that receives.
  struct Receiver {
    Cta *cta;
    uint32_t destination;
    uint32_t mbarrier; ///< window offset
    uint64_t phase;    ///< of the mbarrier at issue
    std::vector<SharedRange> ranges;
  };
  std::vector<Receiver> receivers;
  std::vector<uint8_t> data; ///< Store, Reduce, SharedCopy: what was read from shared memory
  bool reading = false;      ///< `read` is open: nobody has waited for the source to be read
  bool performed = false;    ///< Store, Reduce: has been written
  AsyncRead read = 0;
  uint32_t issued = 0; ///< Arrive: cp.async of the lane with a smaller number must be there
};

/// What a CTA has under way.
struct BulkQueue {
  std::vector<BulkOperation> pending;
  void clear() { pending.clear(); }
};

/// The source of an operation is free again, as far as its warp is concerned.
void endRead(Cta &cta, BulkOperation &operation);
/// Writes a store or reduction to global memory, unless that is done.
void perform(Cta &cta, BulkOperation &operation);
Type typeOf(TensorElement element);
/// Draws the quantum of the warp's CTA from which on a new operation may land by itself.
uint64_t drawLanding(Warp &w);

/// Lands an operation of the CTA: one that a waiting warp waits for, if there is one. False if none is under way.
bool landOne(Cta &cta);
/// Lands the operations whose drawn time has come.
void landDue(Cta &cta);
/// The last warp has left: writes what is still to be written; throws Fault if the CTA leaves something behind.
void finishBulk(Cta &cta);

/// A place in the shared memory of a CTA of the cluster.
struct SharedPlace {
  Cta *cta;
  uint64_t offset; ///< in its window; not checked
};
/// `space` is that of the instruction; `symbol`: the address is that of a shared variable.
SharedPlace sharedPlace(Warp &w, Space space, bool symbol, uint64_t address, unsigned lane);

/// The live mbarrier at a place, touched by `actor`; throws Fault if there is none, returns null if checks are off.
Mbarrier *mbarrierAt(Warp &w, const Actor &actor, SharedPlace place);
/// "full+8 (mbarrier, phase 3)"
std::string describeMbarrier(const Cta &cta, const Mbarrier &barrier);
/// A step of an mbarrier has happened: wakes who waits if a phase is complete, throws Fault if it has gone too far.
void settle(Cta &cta, Mbarrier &barrier, MbarrierCounts::Outcome outcome, const Checks &checks, int lane);

} // namespace attn::sim
