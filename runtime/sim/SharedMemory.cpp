// SPDX-License-Identifier: Apache-2.0
// The shared memory of a CTA: bounds, alignment, the state of every byte. Who may touch what when is Order's business.
#include "runtime/sim/Memory.h"

#include <algorithm>
#include <cstring>
#include <fmt/format.h>

namespace attn::sim {

static constexpr uint8_t kUndefinedByte = 0xff;
/// Four bytes of one state.
static constexpr uint8_t repeated(SharedMemory::State state) { return uint8_t(state * 0x55); }

Epoch SharedMemory::start(const SharedLayout &newLayout, uint32_t reservedBytes, unsigned warps,
                          const Checks &newChecks, bool byLane, Epoch after) {
  layout = newLayout;
  checks = newChecks;
  reserved = reservedBytes;
  size_t words = (layout.size + 3) / 4;
  data.assign(words * 4, kUndefinedByte);
  states.assign(words, repeated(Uninitialised));
  serials.assign(words, 0);
  storedMask.assign(words, 0);
  return order.start(layout, warps, checks, byLane, after);
}

/// Reports an access that is outside or misaligned; with the check off makes the best of it.
bool SharedMemory::outside(const Actor &actor, uint64_t &address, uint32_t bytes, const char *verb) {
  bool within = address >= reserved && address < layout.size && bytes <= layout.size - address;
  if (!within) {
    if (!checks.bounds)
      return true;
    std::string where = address >= kSharedWindowBytes ? fmt::format("shared address {:#x}", address)
                                                      : layout.describe(uint32_t(address));
    throw Fault{"oob",
                fmt::format("{} {} bytes at {} (shared memory of this CTA is {} bytes)", verb, bytes, where,
                            layout.size - reserved),
                {},
                int(actor.lane)};
  }
  if (address & (bytes - 1)) {
    if (checks.alignment)
      throw Fault{"align",
                  fmt::format("expects an address that is a multiple of {}, got {} (shared address {})", bytes,
                              layout.describe(uint32_t(address)), address),
                  {},
                  int(actor.lane)};
    address &= ~uint64_t(bytes - 1);
  }
  return false;
}

inline bool SharedMemory::inside(const Actor &actor, uint64_t &address, uint32_t bytes, const char *verb) {
  if (address >= reserved && address + bytes <= layout.size && address < kSharedWindowBytes && !(address & (bytes - 1)))
      [[likely]]
    return true;
  return !outside(actor, address, bytes, verb);
}

/// The states that occur among the bytes, as a set of two bits.
inline uint8_t SharedMemory::statesOf(uint32_t address, uint32_t bytes) const {
  if (bytes == 16) {
    uint32_t four;
    std::memcpy(&four, &states[address / 4], 4);
    four |= four >> 16;
    return uint8_t(four | four >> 8);
  }
  if (bytes == 8)
    return states[address / 4] | states[address / 4 + 1];
  if (bytes == 4)
    return states[address / 4];
  return uint8_t(states[address / 4] >> (address & 3) * 2 & ((1u << 2 * bytes) - 1));
}

void SharedMemory::setStates(uint32_t address, uint32_t bytes, ByteMask poison) {
  if (bytes >= 4 && !poison) {
    std::memset(&states[address / 4], Valid, bytes / 4);
    return;
  }
  for (uint32_t i = 0; i < bytes; ++i) {
    uint8_t &state = states[(address + i) / 4];
    unsigned shift = ((address + i) & 3) * 2;
    state = uint8_t((state & ~(3u << shift)) | uint32_t(poison >> i & 1 ? Uninitialised : Valid) << shift);
  }
}

/// Stops an access to bytes that a copy or an mbarrier owns.
void SharedMemory::checkStates(const Actor &actor, uint32_t address, uint32_t bytes, const char *verb) {
  if (!checks.inFlight)
    return;
  for (uint32_t i = address; i < address + bytes; ++i) {
    unsigned state = states[i / 4] >> (i & 3) * 2 & 3;
    if (state == InFlight) {
      Issued copy = copyAt ? copyAt(copyOwner, i) : Issued{};
      // A copy of another warp is a race first: no wait of the reader could cover it.
      if (std::string_view(verb) == "reads") {
        order.read(actor, i / 4, 1);
        order.readCopied(actor, i, copy);
      }
      throw Fault{"inflight-smem",
                  fmt::format("{} {}, which a copy may still be writing: expects a wait that covers the copy", verb,
                              layout.describe(i)),
                  {{copy.pc, "the copy is issued here"}},
                  int(actor.lane)};
    }
    if (state == Barrier)
      throw Fault{
          "mbar-uninit", fmt::format("{} {}, which holds an mbarrier", verb, layout.describe(i)), {}, int(actor.lane)};
  }
}

ByteMask SharedMemory::poisonOf(const Actor &actor, uint32_t address, uint32_t bytes, const char *verb) {
  checkStates(actor, address, bytes, verb);
  ByteMask poison = 0;
  for (uint32_t i = 0; i < bytes; ++i)
    poison |= ByteMask((states[(address + i) / 4] >> ((address + i) & 3) * 2 & 3) == Uninitialised) << i;
  return poison;
}

static uint32_t wordMask(uint32_t address, uint32_t bytes) { return ((1u << bytes) - 1) << (address & 3); }

ByteMask SharedMemory::load(const Actor &actor, uint64_t address, uint32_t bytes, void *to, bool strong) {
  if (!inside(actor, address, bytes, "reads")) {
    std::memset(to, 0, bytes);
    return 0;
  }
  uint32_t offset = uint32_t(address);
  ByteMask poison = statesOf(offset, bytes) ? poisonOf(actor, offset, bytes, "reads") : 0;
  if (strong) [[unlikely]]
    for (uint32_t i = 0; i < bytes; i += 4)
      order.readStrong(actor, (offset + i) / 4, bytes >= 4 ? 0xf : wordMask(offset, bytes));
  else if (bytes >= 4)
    order.read(actor, offset / 4, bytes / 4);
  else
    order.readPart(actor, offset / 4, wordMask(offset, bytes));
  std::memcpy(to, &data[offset], bytes);
  return poison;
}

void SharedMemory::failLanes(const Actor &actor, uint32_t address) {
  throw Fault{"race-lanes",
              fmt::format("two lanes of one instruction store different values to {}", layout.describe(address)),
              {},
              int(actor.lane)};
}

void SharedMemory::checkLanes(const Actor &actor, uint32_t address, uint32_t bytes, const void *from) {
  for (uint32_t i = 0; i < bytes; i += 4) {
    uint32_t word = (address + i) / 4;
    uint32_t mask = bytes >= 4 ? 0xf : wordMask(address, bytes);
    if (serials[word] != actor.serial) {
      serials[word] = actor.serial;
      storedMask[word] = uint8_t(mask);
      continue;
    }
    // The word was stored to by another lane of this very instruction.
    if ((storedMask[word] & mask) && checks.lanes &&
        std::memcmp(&data[address + i], static_cast<const uint8_t *>(from) + i, std::min(bytes, 4u)))
      failLanes(actor, address + i);
    storedMask[word] |= uint8_t(mask);
  }
}

void SharedMemory::store(const Actor &actor, uint64_t address, uint32_t bytes, const void *from, ByteMask poison,
                         bool strong) {
  if (!inside(actor, address, bytes, "writes"))
    return;
  uint32_t offset = uint32_t(address);
  uint8_t states = statesOf(offset, bytes);
  if (states & repeated(InFlight)) [[unlikely]]
    checkStates(actor, offset, bytes, "writes");
  checkLanes(actor, offset, bytes, from);
  if (strong) [[unlikely]]
    for (uint32_t i = 0; i < bytes; i += 4)
      order.writeStrong(actor, (offset + i) / 4, bytes >= 4 ? 0xf : wordMask(offset, bytes));
  else if (bytes >= 4)
    order.write(actor, offset / 4, bytes / 4);
  else
    order.writePart(actor, offset / 4, wordMask(offset, bytes));
  std::memcpy(&data[offset], from, bytes);
  if (states || poison)
    setStates(offset, bytes, poison);
}

uint8_t *SharedMemory::atomic(const Actor &actor, uint64_t address, uint32_t bytes, ByteMask &poison) {
  poison = 0;
  if (!inside(actor, address, bytes, "writes"))
    return nullptr;
  uint32_t offset = uint32_t(address);
  if (statesOf(offset, bytes))
    poison = poisonOf(actor, offset, bytes, "writes");
  for (uint32_t i = 0; i < bytes; i += 4)
    order.writeStrong(actor, (offset + i) / 4, bytes >= 4 ? 0xf : wordMask(offset, bytes));
  setStates(offset, bytes, 0);
  return &data[offset];
}

bool SharedMemory::beginCopy(const Actor &actor, uint64_t address, uint32_t bytes) {
  if (!inside(actor, address, bytes, "writes"))
    return false;
  uint32_t offset = uint32_t(address);
  if (statesOf(offset, bytes) & repeated(InFlight))
    checkStates(actor, offset, bytes, "writes");
  order.checkWrite(actor, offset / 4, bytes / 4, Proxy::Generic);
  std::memset(&states[offset / 4], repeated(InFlight), bytes / 4);
  return true;
}

void SharedMemory::land(const Actor &actor, uint32_t address, uint32_t bytes, const void *from, ByteMask poison) {
  std::memcpy(&data[address], from, bytes);
  setStates(address, bytes, poison);
  order.write(actor, address / 4, bytes / 4);
}

//===-- The async proxy
//----------------------------------------------------------------------------------------------===//

bool SharedMemory::rangeInside(const Actor &actor, SharedRange range, const char *verb) {
  if (range.begin >= reserved && range.begin <= layout.size && range.bytes <= layout.size - range.begin)
    return true;
  if (checks.bounds)
    throw Fault{"oob",
                fmt::format("{} {} bytes at {} (shared memory of this CTA is {} bytes)", verb, range.bytes,
                            layout.describe(range.begin), layout.size - reserved),
                {},
                int(actor.lane)};
  return false;
}

/// The states that occur in the range, as a set of two bits for each byte of a word.
uint8_t SharedMemory::rangeStates(SharedRange range) const {
  uint32_t all = 0;
  for (uint32_t i = range.begin / 4; i < (range.begin + range.bytes) / 4; i += 4) {
    uint32_t four;
    std::memcpy(&four, &states[i], 4);
    all |= four;
  }
  all |= all >> 16;
  return uint8_t(all | all >> 8);
}

AsyncRead SharedMemory::beginAsyncRead(const Actor &actor, std::span<const SharedRange> ranges) {
  bool inside = true;
  for (const SharedRange &range : ranges) {
    if (range.begin < reserved || range.begin + range.bytes > layout.size) [[unlikely]] {
      inside &= rangeInside(actor, range, "reads");
      continue;
    }
    uint32_t all = 0;
    for (uint32_t chunk = range.begin / 16; chunk < (range.begin + range.bytes) / 16; ++chunk) {
      uint32_t four;
      std::memcpy(&four, &states[chunk * 4], 4);
      all |= four;
    }
    if (all & (repeated(InFlight) * 0x01010101u)) [[unlikely]]
      checkStates(actor, range.begin, range.bytes, "reads");
  }
  return order.beginAsyncRead(actor, inside ? ranges : std::span<const SharedRange>());
}

ByteMask SharedMemory::poisonAt(uint32_t address) const {
  ByteMask poison = 0;
  for (uint32_t i = 0; i < 16; ++i)
    poison |= ByteMask((states[(address + i) / 4] >> (i & 3) * 2 & 3) == Uninitialised) << i;
  return poison;
}

bool SharedMemory::allValid(SharedRange range) const { return rangeStates(range) == 0; }

bool SharedMemory::beginAsyncWrite(const Actor &actor, SharedRange range) {
  if (!rangeInside(actor, range, "writes"))
    return false;
  if (rangeStates(range) & repeated(InFlight))
    checkStates(actor, range.begin, range.bytes, "writes");
  order.checkWrite(actor, range.begin / 4, range.bytes / 4, Proxy::Async);
  std::memset(&states[range.begin / 4], repeated(InFlight), range.bytes / 4);
  return true;
}

Epoch SharedMemory::landAsync(unsigned engine, uint32_t pc, SharedRange range, Proxy proxy) {
  std::memset(&states[range.begin / 4], repeated(Valid), range.bytes / 4);
  return order.recordEngine(engine, pc, range, proxy);
}

bool SharedMemory::makeBarrier(const Actor &actor, uint64_t address) {
  if (!inside(actor, address, 8, "writes"))
    return false;
  uint32_t offset = uint32_t(address);
  if (statesOf(offset, 8) & repeated(InFlight))
    checkStates(actor, offset, 8, "writes");
  order.write(actor, offset / 4, 2);
  std::memset(&states[offset / 4], repeated(Barrier), 2);
  return true;
}

bool SharedMemory::touchBarrier(const Actor &actor, uint64_t address) {
  if (!inside(actor, address, 8, "reads"))
    return false;
  for (uint32_t word = uint32_t(address) / 4; word < address / 4 + 2; ++word)
    order.readStrong(actor, word, 0xf);
  return true;
}

void SharedMemory::dropBarrier(const Actor &actor, uint32_t address) {
  order.write(actor, address / 4, 2);
  std::memset(&states[address / 4], repeated(Uninitialised), 2);
}

} // namespace attn::sim
