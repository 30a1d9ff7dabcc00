// SPDX-License-Identifier: Apache-2.0
// Bytes and what is known about each of them: device allocations, the shared memory of a CTA, windows of generic space.
#pragma once

#include "runtime/sim/Fault.h"
#include "runtime/sim/Order.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace attn::sim {

// The generic address space. Global addresses lie above all windows and are no host addresses.
inline constexpr uint64_t kSharedWindow = uint64_t(1) << 32;
inline constexpr uint64_t kSharedWindowBytes = uint64_t(1) << 24;
/// The executing CTA's own window, and then one for each rank of the cluster.
inline constexpr unsigned kSharedWindows = 17;
inline constexpr uint64_t kLocalWindow = uint64_t(1) << 33;
inline constexpr uint64_t kLocalWindowBytes = uint64_t(1) << 32;
inline constexpr uint64_t kParamWindow = uint64_t(1) << 34;
inline constexpr uint64_t kParamWindowBytes = uint64_t(1) << 16;
inline constexpr uint64_t kGlobalStart = uint64_t(1) << 40;

/// Bit b: byte b of an access of at most 16 bytes.
using ByteMask = uint32_t;

/// A run of device memory.
struct Allocation {
  enum Flag : uint8_t {
    Valid = 1, ///< has a value
    ReadOnly = 2,
    Covered = 4,   ///< a kernel has written it since this was last forgotten
    Written = 8,   ///< in this launch
    Constant = 16, ///< in this launch, by ld.global.nc
    Before = 32,   ///< by launches that this one need not have waited for
  };
  struct Page {
    uint32_t launch = 0; ///< to which the records and the flags Written and Constant belong
    std::unique_ptr<GlobalPage> records;
  };
  uint64_t base = 0, size = 0;
  std::string name;
  std::unique_ptr<uint8_t[]> data, flags;
  std::vector<Page> pages;
};

/// The memory of the simulated device.
class GlobalMemory {
public:
  uint64_t allocate(uint64_t bytes, std::string name);
  void free(uint64_t address);
  /// The allocation that holds the whole range, or attn::Error. For calls from the host.
  Allocation &hostRange(uint64_t address, uint64_t bytes);
  const Allocation &hostRange(uint64_t address, uint64_t bytes) const {
    return const_cast<GlobalMemory *>(this)->hostRange(address, bytes);
  }

  /// Begins a launch: what earlier ones did is ordered before it. If it `overlaps` the one before, what that one wrote
  /// is so only behind griddepcontrol.wait, and the same holds for the launches that that one overlaps.
  void start(const Checks &checks, Dim3 grid, bool overlaps);

  /// `bytes` is 1, 2, 4, 8 or 16. Returns the bytes that hold nothing. `nonCoherent`: ld.global.nc.
  ByteMask load(const Actor &actor, uint64_t address, uint32_t bytes, void *to, Strength strength = {},
                bool nonCoherent = false);
  void store(const Actor &actor, uint64_t address, uint32_t bytes, const void *from, Strength strength = {});
  /// Checks a write by an atomic operation, which then changes the bytes that it returns. Null if checks are off and
  /// there are no such bytes.
  uint8_t *atomic(const Actor &actor, uint64_t address, uint32_t bytes, Strength strength, ByteMask &poison);
  /// Whether the range may be read at all; copies ask when they are issued and load when they land.
  void checkReadable(const Actor &actor, uint64_t address, uint32_t bytes) { find(actor, address, bytes, "reads"); }
  /// As load and store, for a run of any length and alignment that belongs to one copy. loadRun returns the flags of
  /// the bytes if some of them hold nothing, else null.
  const uint8_t *loadRun(const Actor &actor, uint64_t address, uint32_t bytes, uint8_t *to);
  void storeRun(const Actor &actor, uint64_t address, uint32_t bytes, const uint8_t *from);
  /// Makes bytes undefined, as discard.L2 does.
  void discard(const Actor &actor, uint64_t address, uint32_t bytes);

  /// "q+4096"
  std::string describe(uint64_t address) const;

  GlobalOrder order;

private:
  Allocation *find(const Actor &actor, uint64_t address, uint32_t bytes, const char *verb) {
    Allocation *&cached = cache[actor.pc % kCacheEntries];
    if (cached && address - cached->base < cached->size && bytes <= cached->size - (address - cached->base)) [[likely]]
      return cached;
    return findSlowly(actor, address, bytes, verb);
  }
  Allocation *findSlowly(const Actor &actor, uint64_t address, uint32_t bytes, const char *verb);
  Allocation *holder(uint64_t address) const;
  void refresh(Allocation &allocation, uint64_t page);
  void markBefore(bool overlaps);
  void requireWait(const Actor &actor, uint64_t address, const uint8_t *flags, const char *verb) const;
  Allocation *prepareWrite(const Actor &actor, uint64_t address, uint32_t bytes, Strength strength);

  static constexpr size_t kCacheEntries = 64;
  std::vector<std::unique_ptr<Allocation>> allocations; ///< by address
  Allocation *cache[kCacheEntries] = {};
  uint64_t next = kGlobalStart;
  uint32_t launch = 0;
  bool overlapping = false; ///< some bytes are marked Before
  Checks checks;
};

/// The shared memory of one CTA. Addresses are offsets in its window, which begins with a reserved part.
class SharedMemory {
public:
  enum State : uint8_t { Valid = 0, Uninitialised = 1, InFlight = 2, Barrier = 3 };

  /// Prepares for a new CTA: nothing survives from the one before. Returns the epoch at which its warps start.
  /// `after` is the last epoch of other memories whose CTAs share their clocks with this one.
  Epoch start(const SharedLayout &layout, uint32_t reserved, unsigned warps, const Checks &checks, bool byLane,
              Epoch after = 0);
  Epoch lastEpoch() const { return order.lastEpoch(); }
  void finish(const WarpClocks &warp) { order.finish(warp); }

  /// `bytes` is 1, 2, 4, 8 or 16. Returns the bytes that hold nothing.
  ByteMask load(const Actor &actor, uint64_t address, uint32_t bytes, void *to, bool strong = false);
  void store(const Actor &actor, uint64_t address, uint32_t bytes, const void *from, ByteMask poison,
             bool strong = false);
  uint8_t *atomic(const Actor &actor, uint64_t address, uint32_t bytes, ByteMask &poison);

  /// A copy by the generic proxy (cp.async): checked as a write now, the bytes out of bounds for everybody until land.
  /// False if the destination does not exist and checks are off.
  bool beginCopy(const Actor &actor, uint64_t address, uint32_t bytes);
  void land(const Actor &actor, uint32_t address, uint32_t bytes, const void *from, ByteMask poison);

  //===-- The async proxy
  //----------------------------------------------------------------------------------------------===//
  // wgmma operands and the sources of bulk stores are read by the async proxy at any time between the issue of the
  // instruction and the wait that covers it. Use: at issue `read = beginAsyncRead(actor, ranges)` once for all that the
  // instruction reads, keep `read` with the pending operation, and at the covering wait `endAsyncRead(read, w.clocks)`
  // by the same warp. Any write in between is an error, and so is a read of bytes that are in flight, race, or were
  // written by the generic proxy without fence.proxy.async. The data may be read by bytesAt at any time in between;
  // poisonAt tells which bytes hold nothing.

  /// Throws Fault. Ranges are multiples of 16 bytes and need not be sorted; out of bounds is an error as well.
  AsyncRead beginAsyncRead(const Actor &actor, std::span<const SharedRange> ranges);
  void endAsyncRead(AsyncRead read, const WarpClocks &warp) { order.endAsyncRead(read, warp); }
  /// The bytes at an offset that has been checked.
  const uint8_t *bytesAt(uint32_t address) const { return &data[address]; }
  uint8_t *bytesAt(uint32_t address) { return &data[address]; }
  /// Which of 16 bytes (`address` is a multiple) hold nothing.
  ByteMask poisonAt(uint32_t address) const;
  /// Whether none of the bytes of a range is poison, in flight or an mbarrier.
  bool allValid(SharedRange range) const;

  /// A copy by the async proxy begins: checked as a write now, out of bounds for everybody until landAsync. False if
  /// the destination does not exist and checks are off.
  bool beginAsyncWrite(const Actor &actor, SharedRange range);
  /// The bytes (already put at bytesAt) are there. Poison is set afterwards, by setPoison. Returns the epoch of the
  /// engine for which to wait.
  Epoch landAsync(unsigned engine, uint32_t pc, SharedRange range, Proxy proxy = Proxy::Async);
  /// The epoch that the next landAsync of the engine returns.
  Epoch nextLanding(unsigned engine) const { return order.nextOf(engine); }
  void setPoison(uint32_t address, uint32_t bytes, ByteMask poison) { setStates(address, bytes, poison); }

  /// The 8 bytes of an mbarrier: made by init (a write), touched by every operation, given back by inval (a write).
  /// False if the address does not exist and checks are off.
  bool makeBarrier(const Actor &actor, uint64_t address);
  bool touchBarrier(const Actor &actor, uint64_t address);
  void dropBarrier(const Actor &actor, uint32_t address);
  bool barrierProxied(const Actor &actor, uint32_t address) const { return order.proxied(actor, address / 4); }

  const SharedLayout &names() const { return layout; }
  /// The instruction that wrote a byte last; kNoPc if none has.
  uint32_t writerOf(uint32_t address) const { return address < layout.size ? order.writerOf(address) : kNoPc; }
  uint32_t size() const { return layout.size; }
  /// Tells who is still copying to a byte; set by the owner of the copies, asked only by diagnostics.
  Issued (*copyAt)(const void *owner, uint32_t address) = nullptr;
  const void *copyOwner = nullptr;

private:
  bool inside(const Actor &actor, uint64_t &address, uint32_t bytes, const char *verb);
  bool outside(const Actor &actor, uint64_t &address, uint32_t bytes, const char *verb);
  uint8_t statesOf(uint32_t address, uint32_t bytes) const;
  void setStates(uint32_t address, uint32_t bytes, ByteMask poison);
  void checkStates(const Actor &actor, uint32_t address, uint32_t bytes, const char *verb);
  bool rangeInside(const Actor &actor, SharedRange range, const char *verb);
  uint8_t rangeStates(SharedRange range) const;
  ByteMask poisonOf(const Actor &actor, uint32_t address, uint32_t bytes, const char *verb);
  void checkLanes(const Actor &actor, uint32_t address, uint32_t bytes, const void *from);
  [[noreturn]] void failLanes(const Actor &actor, uint32_t address);

  SharedLayout layout;
  SharedOrder order;
  Checks checks;
  uint32_t reserved = 0;
  std::vector<uint8_t> data;
  std::vector<uint8_t> states;     ///< by word: two bits a byte
  std::vector<uint32_t> serials;   ///< by word: the instruction that stored to it last
  std::vector<uint8_t> storedMask; ///< by word: which bytes that instruction stored
};

} // namespace attn::sim
