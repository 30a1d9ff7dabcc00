// SPDX-License-Identifier: Apache-2.0
// Device allocations and the shared memory of a CTA: bounds, alignment, byte states.
#include "runtime/sim/Memory.h"
#include "runtime/Error.h"

#include <algorithm>
#include <cstring>
#include <fmt/format.h>

namespace attn::sim {

static constexpr uint64_t kAlignment = 256;
/// Between allocations, so that what runs over the end of one is named after it and not after the next.
static constexpr uint64_t kGuardBytes = uint64_t(1) << 20;
/// What uninitialised memory holds: a NaN in every floating-point type, and as an index far outside.
static constexpr uint8_t kUndefinedByte = 0xff;

//===-- Device memory
//----------------------------------------------------------------------------------------------===//

uint64_t GlobalMemory::allocate(uint64_t bytes, std::string name) {
  auto allocation = std::make_unique<Allocation>();
  // An odd multiple of the alignment, so that a need for more shows.
  allocation->base = (next + 2 * kAlignment - 1) / (2 * kAlignment) * (2 * kAlignment) + kAlignment;
  allocation->size = bytes;
  allocation->name = std::move(name);
  allocation->data.reset(new uint8_t[bytes]);
  std::memset(allocation->data.get(), kUndefinedByte, bytes);
  allocation->flags.reset(new uint8_t[bytes]());
  allocation->pages.resize((bytes + GlobalPage::kBytes - 1) / GlobalPage::kBytes);
  next = allocation->base + bytes + kGuardBytes;
  uint64_t base = allocation->base;
  allocations.push_back(std::move(allocation));
  return base;
}

void GlobalMemory::free(uint64_t address) {
  auto found = std::find_if(allocations.begin(), allocations.end(), [&](const auto &a) { return a->base == address; });
  if (found == allocations.end())
    throw Error(fmt::format("expects the address of an allocation, got {:#x}", address));
  allocations.erase(found);
  std::fill(std::begin(cache), std::end(cache), nullptr);
}

/// The allocation with the greatest base that is not above the address.
Allocation *GlobalMemory::holder(uint64_t address) const {
  auto above = std::upper_bound(allocations.begin(), allocations.end(), address,
                                [](uint64_t value, const auto &a) { return value < a->base; });
  return above == allocations.begin() ? nullptr : std::prev(above)->get();
}

Allocation &GlobalMemory::hostRange(uint64_t address, uint64_t bytes) {
  Allocation *found = holder(address);
  if (!found || address - found->base > found->size || bytes > found->size - (address - found->base))
    throw Error(fmt::format("expects {} bytes at {} to lie in one allocation", bytes, describe(address)));
  return *found;
}

void GlobalMemory::markBefore(bool overlaps) {
  if (!overlaps && !overlapping)
    return;
  for (auto &allocation : allocations)
    for (uint64_t i = 0; i < allocation->size; ++i) {
      uint8_t &flags = allocation->flags[i];
      if (!overlaps)
        flags &= uint8_t(~Allocation::Before);
      else if ((flags & Allocation::Written) && allocation->pages[i / GlobalPage::kBytes].launch == launch)
        flags |= Allocation::Before;
    }
  overlapping = overlaps;
}

void GlobalMemory::start(const Checks &which, Dim3 grid, bool overlaps) {
  markBefore(overlaps && which.launchBefore);
  checks = which;
  ++launch;
  std::fill(std::begin(cache), std::end(cache), nullptr);
  order.start(which, grid);
}

std::string GlobalMemory::describe(uint64_t address) const {
  Allocation *found = holder(address);
  if (found && address - found->base < found->size + kGuardBytes / 2)
    return fmt::format("{}+{}", found->name, address - found->base);
  // Just before an allocation: most likely an index below zero.
  Allocation *after = holder(address + kGuardBytes / 2);
  if (after && after->base > address)
    return fmt::format("{}-{}", after->name, after->base - address);
  return fmt::format("{:#x}", address);
}

Allocation *GlobalMemory::findSlowly(const Actor &actor, uint64_t address, uint32_t bytes, const char *verb) {
  Allocation *found = holder(address);
  if (found && address - found->base < found->size && bytes <= found->size - (address - found->base)) {
    cache[actor.pc % kCacheEntries] = found;
    return found;
  }
  if (!checks.bounds)
    return nullptr;
  std::string where = describe(address);
  std::string extent = "no allocation is near";
  for (const auto &a : allocations)
    if (where.compare(0, a->name.size(), a->name) == 0 && where.size() > a->name.size() &&
        (where[a->name.size()] == '+' || where[a->name.size()] == '-'))
      extent = fmt::format("allocation '{}' has {} bytes", a->name, a->size);
  throw Fault{"oob", fmt::format("{} {} bytes at {} ({})", verb, bytes, where, extent), {}, int(actor.lane)};
}

static void checkAlignment(const Actor &actor, const Checks &checks, uint64_t &address, uint32_t bytes,
                           const std::string &where) {
  if (checks.alignment)
    throw Fault{"align",
                fmt::format("expects an address that is a multiple of {}, got {} ({:#x})", bytes, where, address),
                {},
                int(actor.lane)};
  address &= ~uint64_t(bytes - 1);
}

void GlobalMemory::refresh(Allocation &allocation, uint64_t index) {
  Allocation::Page &page = allocation.pages[index];
  page.launch = launch;
  uint64_t begin = index * GlobalPage::kBytes, end = std::min(allocation.size, begin + GlobalPage::kBytes);
  for (uint64_t i = begin; i < end; ++i)
    allocation.flags[i] &= uint8_t(~(Allocation::Written | Allocation::Constant));
  // Records of the launch before are void; they are needed again only when this one writes here.
  page.records.reset();
}

/// Bytes of a word that an access of at most 4 bytes touches.
static uint32_t wordMask(uint64_t offset, uint32_t bytes) {
  return bytes >= 4 ? 0xfu : ((1u << bytes) - 1) << (offset & 3);
}

/// Bytes from `address` on are touched, and some of them are marked Before.
void GlobalMemory::requireWait(const Actor &actor, uint64_t address, const uint8_t *flags, const char *verb) const {
  if (actor.afterLaunchBefore())
    return;
  while (!(*flags & Allocation::Before)) {
    ++flags;
    ++address;
  }
  throw Fault{"launch-before",
              fmt::format("{} {}, which the launch before writes, and that need not have ended: expects "
                          "griddepcontrol.wait to happen before",
                          verb, describe(address)),
              {},
              int(actor.lane),
              actor.pc};
}

ByteMask GlobalMemory::load(const Actor &actor, uint64_t address, uint32_t bytes, void *to, Strength strength,
                            bool nonCoherent) {
  if (address & (bytes - 1)) [[unlikely]]
    checkAlignment(actor, checks, address, bytes, describe(address));
  Allocation *allocation = find(actor, address, bytes, "reads");
  if (!allocation) {
    std::memset(to, 0, bytes);
    return 0;
  }
  uint64_t offset = address - allocation->base;
  std::memcpy(to, allocation->data.get() + offset, bytes);
  uint8_t *flags = allocation->flags.get() + offset;
  uint8_t all = Allocation::Valid, any = 0;
  for (uint32_t i = 0; i < bytes; ++i) {
    all &= flags[i];
    any |= flags[i];
  }
  if (any & Allocation::Before) [[unlikely]]
    requireWait(actor, address, flags, "reads");
  Allocation::Page &page = allocation->pages[offset / GlobalPage::kBytes];
  if (nonCoherent && checks.nonCoherent) {
    if (page.launch != launch)
      refresh(*allocation, offset / GlobalPage::kBytes);
    else if (any & Allocation::Written)
      throw Fault{"race-global",
                  fmt::format("reads {} by ld.global.nc, which this launch has written", describe(address)),
                  {},
                  int(actor.lane)};
    for (uint32_t i = 0; i < bytes; ++i)
      flags[i] |= Allocation::Constant;
  } else if (page.launch == launch && page.records) {
    GlobalPage::Word *word = &page.records->words[offset % GlobalPage::kBytes / 4];
    for (uint32_t i = 0; i < bytes; i += 4, ++word)
      order.read(actor, *word, wordMask(offset, bytes), strength, {address + i, *this});
  }
  if (all & Allocation::Valid) [[likely]]
    return 0;
  ByteMask poison = 0;
  for (uint32_t i = 0; i < bytes; ++i)
    poison |= ByteMask(!(flags[i] & Allocation::Valid)) << i;
  return poison;
}

Allocation *GlobalMemory::prepareWrite(const Actor &actor, uint64_t address, uint32_t bytes, Strength strength) {
  Allocation *allocation = find(actor, address, bytes, "writes");
  if (!allocation)
    return nullptr;
  uint64_t offset = address - allocation->base;
  Allocation::Page &page = allocation->pages[offset / GlobalPage::kBytes];
  if (page.launch != launch)
    refresh(*allocation, offset / GlobalPage::kBytes);
  uint8_t *flags = allocation->flags.get() + offset;
  uint8_t any = 0;
  for (uint32_t i = 0; i < bytes; ++i)
    any |= flags[i];
  if (any & Allocation::Before) [[unlikely]]
    requireWait(actor, address, flags, "writes");
  if ((any & Allocation::ReadOnly) && checks.readOnly)
    throw Fault{"readonly",
                fmt::format("writes {}: '{}' is read-only", describe(address), allocation->name),
                {},
                int(actor.lane)};
  if ((any & Allocation::Constant) && checks.nonCoherent)
    throw Fault{"race-global",
                fmt::format("writes {}, which this launch reads through ld.global.nc", describe(address)),
                {},
                int(actor.lane)};
  if (!page.records)
    page.records = std::make_unique<GlobalPage>();
  GlobalPage::Word *word = &page.records->words[offset % GlobalPage::kBytes / 4];
  for (uint32_t i = 0; i < bytes; i += 4, ++word)
    order.write(actor, *word, wordMask(offset, bytes), strength, {address + i, *this});
  return allocation;
}

void GlobalMemory::store(const Actor &actor, uint64_t address, uint32_t bytes, const void *from, Strength strength) {
  if (address & (bytes - 1)) [[unlikely]]
    checkAlignment(actor, checks, address, bytes, describe(address));
  Allocation *allocation = prepareWrite(actor, address, bytes, strength);
  if (!allocation)
    return;
  uint64_t offset = address - allocation->base;
  uint8_t *data = allocation->data.get() + offset;
  // Lanes of one instruction come in order, so a word with its serial was stored to by another lane of it.
  GlobalPage::Word *word =
      &allocation->pages[offset / GlobalPage::kBytes].records->words[offset % GlobalPage::kBytes / 4];
  for (uint32_t i = 0; i < bytes; i += 4, ++word) {
    uint32_t mask = wordMask(offset, bytes), count = std::min(bytes, 4u);
    const uint32_t cta = actor.clocks->cta & 0xfffffff;
    if (word->serial != actor.serial || word->storedCta != cta) {
      word->serial = actor.serial;
      word->storedCta = cta;
      word->storedMask = mask;
      continue;
    }
    if ((word->storedMask & mask) && checks.lanes &&
        std::memcmp(data + i, static_cast<const uint8_t *>(from) + i, count))
      throw Fault{"race-lanes",
                  fmt::format("two lanes of one instruction store different values to {}", describe(address + i)),
                  {},
                  int(actor.lane)};
    word->storedMask |= mask;
  }
  std::memcpy(data, from, bytes);
  uint8_t *flags = allocation->flags.get() + offset;
  for (uint32_t i = 0; i < bytes; ++i)
    flags[i] |= Allocation::Valid | Allocation::Covered | Allocation::Written;
}

/// Bytes of a run that can be looked at in one go: whole words of one page, or part of one word.
static uint32_t pieceOf(uint64_t offset, uint32_t bytes) {
  uint32_t page = uint32_t(std::min<uint64_t>(bytes, GlobalPage::kBytes - offset % GlobalPage::kBytes));
  if (offset % 4)
    return std::min<uint32_t>(page, 4 - offset % 4);
  return page >= 4 ? page & ~3u : page;
}

const uint8_t *GlobalMemory::loadRun(const Actor &actor, uint64_t address, uint32_t bytes, uint8_t *to) {
  Allocation *allocation = find(actor, address, bytes, "reads");
  if (!allocation) {
    std::memset(to, 0, bytes);
    return nullptr;
  }
  const uint64_t start = address - allocation->base;
  std::memcpy(to, allocation->data.get() + start, bytes);
  const uint8_t *flags = allocation->flags.get() + start;
  uint8_t all = Allocation::Valid, any = 0;
  for (uint32_t i = 0; i < bytes; ++i) {
    all &= flags[i];
    any |= flags[i];
  }
  if (any & Allocation::Before) [[unlikely]]
    requireWait(actor, address, flags, "reads");
  for (uint32_t done = 0; done < bytes;) {
    const uint64_t offset = start + done;
    const uint32_t piece = pieceOf(offset, bytes - done);
    Allocation::Page &page = allocation->pages[offset / GlobalPage::kBytes];
    if (page.launch == launch && page.records) {
      GlobalPage::Word *word = &page.records->words[offset % GlobalPage::kBytes / 4];
      for (uint32_t i = 0; i < piece; i += 4, ++word)
        order.read(actor, *word, wordMask(offset, piece), {}, {address + done + i, *this});
    }
    done += piece;
  }
  return all & Allocation::Valid ? nullptr : flags;
}

void GlobalMemory::storeRun(const Actor &actor, uint64_t address, uint32_t bytes, const uint8_t *from) {
  for (uint32_t done = 0; done < bytes;) {
    Allocation *allocation = find(actor, address, bytes, "writes");
    if (!allocation)
      return;
    const uint64_t offset = address + done - allocation->base;
    const uint32_t piece = pieceOf(offset, bytes - done);
    prepareWrite(actor, address + done, piece, {});
    std::memcpy(allocation->data.get() + offset, from + done, piece);
    for (uint32_t i = 0; i < piece; ++i)
      allocation->flags[offset + i] |= Allocation::Valid | Allocation::Covered | Allocation::Written;
    done += piece;
  }
}

uint8_t *GlobalMemory::atomic(const Actor &actor, uint64_t address, uint32_t bytes, Strength strength,
                              ByteMask &poison) {
  if (address & (bytes - 1)) [[unlikely]]
    checkAlignment(actor, checks, address, bytes, describe(address));
  Allocation *allocation = prepareWrite(actor, address, bytes, strength);
  if (!allocation)
    return nullptr;
  uint64_t offset = address - allocation->base;
  uint8_t *flags = allocation->flags.get() + offset;
  poison = 0;
  for (uint32_t i = 0; i < bytes; ++i) {
    poison |= ByteMask(!(flags[i] & Allocation::Valid)) << i;
    flags[i] |= Allocation::Valid | Allocation::Covered | Allocation::Written;
  }
  return allocation->data.get() + offset;
}

void GlobalMemory::discard(const Actor &actor, uint64_t address, uint32_t bytes) {
  if (address & (bytes - 1)) [[unlikely]]
    checkAlignment(actor, checks, address, bytes, describe(address));
  Allocation *allocation = prepareWrite(actor, address, bytes, {});
  if (!allocation)
    return;
  uint64_t offset = address - allocation->base;
  std::memset(allocation->data.get() + offset, kUndefinedByte, bytes);
  for (uint32_t i = 0; i < bytes; ++i)
    allocation->flags[offset + i] &= uint8_t(~Allocation::Valid);
}

} // namespace attn::sim
