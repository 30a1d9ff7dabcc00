// SPDX-License-Identifier: Apache-2.0
// One warp: 32 lanes with a program counter each, run in lock step where they agree, and what they wait for.
#pragma once

#include "runtime/sim/Async.h"
#include "runtime/sim/Fault.h"
#include "runtime/sim/Memory.h"
#include "runtime/sim/Module.h"
#include "runtime/sim/Order.h"
#include "runtime/sim/Registers.h"
#include "runtime/sim/Wgmma.h"

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace attn::sim {

struct Cta;
struct Launch;
struct Mbarrier;

/// The local memory of the lanes of a warp: a stack of frames each. Offsets count from the start of a lane's stack.
class LocalMemory {
public:
  void reset(uint32_t frameBytes);
  /// Makes room for a callee of the lane: zero-sized frames are fine. The new frame's start.
  uint32_t push(unsigned lane, uint32_t frameBytes);
  void pop(unsigned lane, uint32_t oldBase);
  uint32_t base(unsigned lane) const { return bases[lane]; }
  ByteMask load(unsigned lane, uint64_t offset, uint32_t bytes, void *to, const Checks &checks);
  void store(unsigned lane, uint64_t offset, uint32_t bytes, const void *from, ByteMask poison, const Checks &checks);
  /// Copies between frames of a lane, undefined bytes as such.
  void copy(unsigned lane, uint32_t to, uint32_t from, uint32_t bytes);
  std::string describe(unsigned lane, uint64_t offset) const;
  uint8_t *bytes(unsigned lane, uint64_t offset, uint32_t count, bool &valid, const Checks &checks);

private:
  void check(unsigned lane, uint64_t &offset, uint32_t bytes, const Checks &checks, bool &inside) const;
  std::array<uint32_t, kLanes> bases{}, ends{};
  std::vector<uint8_t> data[kLanes], valid[kLanes];
};

class Warp {
public:
  /// What keeps a warp from running, apart from its own lanes.
  enum class Wait : uint8_t { None, Barrier, Spin, Mbarrier, Registers, Cluster };

  Warp() = default;
  Warp(Warp &&) = default;
  Warp &operator=(Warp &&) = default;

  /// Prepares for a CTA. `lanes` are the threads that exist.
  void start(Launch &launch, Cta &cta, unsigned number, Mask lanes, Epoch epoch);
  /// Runs up to `limit` instructions, less when the warp must wait or ends or asks for a switch. How many it ran.
  uint64_t run(uint64_t limit);
  bool done() const { return live == 0; }
  /// A warp that spins becomes runnable when anything in the grid has changed since.
  bool runnable();

  //===-- For handlers
  //---------------------------------------------------------------------------------------------===//

  Launch &context() const { return *launch; }
  Cta &block() const { return *cta; }
  /// In its CTA. Its actor, clocks.warp, counts in the cluster.
  unsigned number() const { return index; }
  Mask lanesLive() const { return live; }
  uint32_t pcOf(const Op &op) const { return uint32_t(&op - ops); }
  Actor actor(const Op &op);
  const Checks &checks() const;

  /// Addresses of `lanes` for an address operand: base register (or none) and offset. Poison is an error.
  void addresses(const Op &op, Row base, bool wide, uint64_t offset, Mask lanes, uint64_t *out);
  /// Throws if the register is poison in some of `lanes`; `what` completes "... depends on an uninitialised value".
  void requireDefined(const Op &op, Row row, Mask lanes, const char *what) {
    if (Mask poison = registers.poison(row) & lanes) [[unlikely]]
      failPoison(op, row, false, poison, what);
  }
  void requireDefinedPredicate(const Op &op, Predicate predicate, Mask lanes, const char *what) {
    if (Mask poison = registers.predicatePoison(predicate) & lanes) [[unlikely]]
      failPoison(op, predicate, true, poison, what);
  }
  /// A value that all of `lanes` must agree on.
  uint64_t uniformValue(const Op &op, Row row, bool wide, Mask lanes, const char *what);
  bool isWide(const Op &op, Row row) const;
  /// Notes that a load gave poison, so that a later use of it can say where it came from.
  void notePoison(const Op &op, unsigned lane, uint64_t address);

  void jump(Mask lanes, uint32_t target);
  /// As jump, where the target may be the end of the function.
  void branch(Mask lanes, uint32_t target);
  void exit(Mask lanes);
  void call(const Op &op, Mask lanes);
  void ret(Mask lanes);
  /// The warp has arrived at a barrier that is not complete.
  void waitFor(Wait reason) { wait = reason; }
  void release() { wait = Wait::None; }
  /// `lanes` have found the phase that they wait for incomplete. The warp sleeps until the mbarrier changes, or until
  /// nothing else can go on: nudge.
  void park(const Op &op, const Mbarrier &barrier, Mask lanes);
  /// A phase of the mbarrier is complete.
  void wake(const Mbarrier &barrier);
  bool waitsForMbarrier(uint32_t address) const { return parkedLanes && parkedMbarrier == address; }
  /// Lets a parked warp go on all the same: first the lanes that do not wait, then all. False if it is not parked.
  bool nudge();
  Wait waitingFor() const { return wait; }
  /// Ends the quantum: another warp may run before the next instruction.
  void yieldSoon() { switchSoon = true; }
  /// Something changed that others may wait for: a store, an arrival.
  void progressed();
  /// A value of the clock.
  uint64_t tick();

  /// Lanes that take part in the collective instruction under way, by instruction. Usually one.
  struct Party {
    const Op *op;
    Mask lanes;
  };
  const std::vector<Party> &parties() const { return meeting; }
  /// Where the lanes stand, for reports: "lanes 0-15 at line 210 (mma.sync...), ...".
  std::string position() const;
  /// The instruction that runs, or ran last.
  uint32_t currentPc() const { return at; }
  static std::string laneRange(Mask lanes);

  Registers registers;
  WarpClocks clocks;
  LocalMemory local;
  CopyQueue copies;
  ProductQueue products;
  /// The barrier it waits at, and the instruction that brought it there.
  uint32_t barrier = 0;
  const Op *barrierOp = nullptr;
  bool clusterArrived = false;             ///< at the cluster's barrier, and has not waited since
  uint64_t clusterPhase = 0;               ///< in which it did
  uint32_t spurious = 0;                   ///< waits for mbarriers that gave up in a row
  std::array<uint32_t, kLanes> bulkGroups; ///< groups of bulk copies that each lane has closed
  uint32_t mbarrierWaitedFor() const { return parkedMbarrier; }

private:
  struct Waiting {
    const Op *op;
    Mask need; ///< membership mask
    Mask lanes;
  };
  struct Frame {
    uint32_t returnTo, callSite, oldBase;
    std::vector<uint64_t> saved; ///< of Function::saved of a recursive caller
    std::vector<bool> poison;
  };

  void stepDiverged();
  void execute(const Op &op, Mask here);
  void collective(const Op &op, Mask here, Mask lanes);
  void arrive(const Op &op, Mask need, Mask lanes);
  bool tryComplete(size_t index);
  void saveRegisters(const Function &function, unsigned lane, Frame &frame) const;
  void restoreRegisters(const Function &function, unsigned lane, const Frame &frame);
  void recheck();
  Row membership(const Op &op) const;
  void diverge();
  void converge();
  void fall(Mask lanes, uint32_t into);
  Mask guarded(const Op &op, Mask here);
  void traceLine(const Op &op, Mask lanes);
  [[noreturn]] void failPoison(const Op &op, int32_t index, bool predicate, Mask lanes, const char *what);
  [[noreturn]] void failStuck();
  void checkSpin();
  uint64_t hashState() const;
  void explainLoad(uint32_t load, Fault &fault) const;
  void explainPoison(uint32_t where, int32_t index, bool predicate, unsigned lane, Fault &fault) const;

  Launch *launch = nullptr;
  Cta *cta = nullptr;
  const Op *ops = nullptr;
  unsigned index = 0;
  Mask live = 0, blocked = 0;
  Wait wait = Wait::None;
  bool uniform = true, switchSoon = false;
  uint32_t at = 0;  ///< the instruction that runs
  uint32_t pc0 = 0; ///< of all live lanes while uniform
  std::array<uint32_t, kLanes> pc{};
  uint32_t streak = 0; ///< steps of the lowest group while others could run
  std::vector<Waiting> waiting;
  std::vector<Party> meeting;
  std::vector<Frame> stacks[kLanes];
  // Spinning: the state at an earlier visit of a backward branch.
  uint64_t ownProgress = 0, lastProgress = 0, parkedAt = 0, spinHash = 0;
  uint32_t backward = 0;
  // Waiting for an mbarrier: which lanes, for which; `held`: the others run meanwhile.
  Mask parkedLanes = 0, held = 0;
  uint32_t parkedMbarrier = 0;
  std::vector<uint64_t> poisonLoads; ///< by instruction: lane << 56 | address of the last load that gave poison
};

} // namespace attn::sim
