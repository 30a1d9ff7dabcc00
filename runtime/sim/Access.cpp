// SPDX-License-Identifier: Apache-2.0
// Loads, stores and address arithmetic of a warp, over all spaces.
#include "runtime/sim/Access.h"
#include "runtime/sim/Bulk.h"
#include "runtime/sim/Grid.h"
#include "runtime/sim/Handlers.h"
#include "runtime/sim/Warp.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <fmt/format.h>

namespace attn::sim {

Strength strengthOf(const Form &form) {
  if (form.semantics == Semantics::Volatile || form.semantics == Semantics::Mmio)
    return {Semantics::Relaxed, Scope::Sys};
  return {form.semantics, form.scope == Scope::None ? Scope::Gpu : form.scope};
}

/// Turns a generic address into one of a space. Global addresses are themselves.
Resolved resolveGeneric(uint64_t address) {
  if (address >= kGlobalStart)
    return {Space::Global, address};
  if (address - kSharedWindow < kSharedWindowBytes)
    return {Space::Shared, address - kSharedWindow};
  if (address - kSharedWindow < kSharedWindows * kSharedWindowBytes)
    return {Space::SharedCluster, address - kSharedWindow};
  if (address - kLocalWindow < kLocalWindowBytes)
    return {Space::Local, address - kLocalWindow};
  if (address - kParamWindow < kParamWindowBytes)
    return {Space::Param, address - kParamWindow};
  return {Space::Global, address};
}

/// Reads of the parameter block of the launch. Bytes that pad it are undefined.
static ByteMask loadParameter(Warp &w, unsigned lane, uint64_t offset, uint32_t bytes, void *to) {
  const std::vector<uint8_t> &block = w.context().parameters;
  if (offset > block.size() || bytes > block.size() - offset) {
    if (w.checks().bounds)
      throw Fault{
          "oob",
          fmt::format("reads {} bytes at byte {} of the parameters, which have {}", bytes, offset, block.size()),
          {},
          int(lane)};
    std::memset(to, 0, bytes);
    return 0;
  }
  if (offset & (bytes - 1)) {
    if (w.checks().alignment)
      throw Fault{
          "align",
          fmt::format("expects an address that is a multiple of {}, got byte {} of the parameters", bytes, offset),
          {},
          int(lane)};
    offset &= ~uint64_t(bytes - 1);
  }
  std::memcpy(to, block.data() + offset, bytes);
  return 0;
}

ByteMask loadBytes(Warp &w, const Actor &actor, Space space, uint64_t address, uint32_t bytes, void *to,
                   Strength strength, bool nonCoherent) {
  if (space == Space::Generic) {
    Resolved resolved = resolveGeneric(address);
    space = resolved.space;
    address = resolved.address;
  }
  switch (space) {
  case Space::Shared:
    return w.block().shared.load(actor, address, bytes, to, strength.semantics > Semantics::Weak);
  case Space::SharedCluster: {
    SharedPlace place = sharedPlace(w, space, false, address, actor.lane);
    return place.cta->shared.load(actor, place.offset, bytes, to, strength.semantics > Semantics::Weak);
  }
  case Space::Local:
    return w.local.load(actor.lane, address, bytes, to, w.checks());
  case Space::Param:
    return loadParameter(w, actor.lane, address, bytes, to);
  default:
    return w.context().memory.load(actor, address, bytes, to, strength, nonCoherent);
  }
}

void storeBytes(Warp &w, const Actor &actor, Space space, uint64_t address, uint32_t bytes, const void *from,
                ByteMask poison, Strength strength) {
  if (space == Space::Generic) {
    Resolved resolved = resolveGeneric(address);
    space = resolved.space;
    address = resolved.address;
  }
  switch (space) {
  case Space::Shared:
    w.block().shared.store(actor, address, bytes, from, poison, strength.semantics > Semantics::Weak);
    return;
  case Space::SharedCluster: {
    SharedPlace place = sharedPlace(w, space, false, address, actor.lane);
    place.cta->shared.store(actor, place.offset, bytes, from, poison, strength.semantics > Semantics::Weak);
    return;
  }
  case Space::Local:
    w.local.store(actor.lane, address, bytes, from, poison, w.checks());
    return;
  case Space::Param:
  case Space::Constant:
    throw Fault{"readonly",
                fmt::format("writes {} space", space == Space::Param ? "parameter" : "constant"),
                {},
                int(actor.lane)};
  default:
    w.context().memory.store(actor, address, bytes, from, strength);
  }
}

/// Stores of poison are legal where a load can tell that it is poison.
static bool keepsPoison(Space space, uint64_t address) {
  if (space == Space::Generic)
    space = resolveGeneric(address).space;
  return space == Space::Shared || space == Space::SharedCluster || space == Space::Local;
}

/// The frame of a lane is only known now: symbols of the frame are offsets in it.
static void frameAddresses(Warp &w, const Op &op, Mask lanes, uint64_t *address) {
  if (op.form->space != Space::Local || op.a != kNoRow)
    return;
  for (unsigned lane = 0; lane < kLanes; ++lane)
    address[lane] += w.local.base(lane);
}

static uint64_t extended(const uint8_t *bytes, uint32_t size, bool isSignedType) {
  uint64_t value = 0;
  std::memcpy(&value, bytes, size);
  if (isSignedType && size < 8) {
    unsigned shift = 64 - 8 * size;
    value = uint64_t(int64_t(value << shift) >> shift);
  }
  return value;
}

namespace memory {

void load(Warp &w, const Op &op, Mask lanes) {
  const Form &form = *op.form;
  uint64_t address[kLanes];
  w.addresses(op, op.a, op.wideAddress & 1, op.imm, lanes, address);
  frameAddresses(w, op, lanes, address);
  const uint32_t size = bitWidth(form.type()) / 8, count = op.listSize[0], bytes = size * count;
  const bool isSignedType = isSigned(form.type());
  const Strength strength = strengthOf(form);
  const int32_t *rows = w.context().module.lists.data() + op.list;
  const uint32_t wide = w.context().wide[w.pcOf(op)];
  Actor actor = w.actor(op);
  Mask poisoned[8] = {};
  if (strength.semantics > Semantics::Weak)
    orderStrong(w, op, lanes, address, true, false, strength);
  for (unsigned lane : lanesOf(lanes)) {
    actor.lane = lane;
    uint8_t data[32];
    ByteMask poison = 0;
    for (uint32_t done = 0; done < bytes; done += 16)
      poison |= loadBytes(w, actor, form.space, address[lane] + done, std::min(bytes - done, 16u), data + done,
                          strength, form.nonCoherent)
                << done;
    for (uint32_t i = 0; i < count; ++i) {
      if (size == 4 && !(wide >> i & 1) && rows[i] != kSinkRow) [[likely]]
        std::memcpy(w.registers.write(rows[i]) + lane, data + 4 * i, 4);
      else if (rows[i] != kSinkRow)
        w.registers.setValue(rows[i], wide >> i & 1, lane, extended(data + size * i, size, isSignedType));
      poisoned[i] |= Mask((poison >> size * i & ((1u << size) - 1)) != 0) << lane;
    }
    if (poison) [[unlikely]]
      w.notePoison(op, lane, address[lane]);
  }
  for (uint32_t i = 0; i < count; ++i)
    if (rows[i] != kSinkRow)
      w.registers.setPoison(rows[i], lanes, poisoned[i]);
}

void store(Warp &w, const Op &op, Mask lanes) {
  const Form &form = *op.form;
  uint64_t address[kLanes];
  w.addresses(op, op.a, op.wideAddress & 1, op.imm, lanes, address);
  frameAddresses(w, op, lanes, address);
  const uint32_t size = bitWidth(form.type()) / 8, count = op.listSize[0], bytes = size * count;
  const Strength strength = strengthOf(form);
  const int32_t *rows = w.context().module.lists.data() + op.list;
  const uint32_t wide = w.context().wide[w.pcOf(op)];
  Actor actor = w.actor(op);
  Mask poisoned[8] = {}, any = 0;
  for (uint32_t i = 0; i < count; ++i)
    any |= poisoned[i] = w.registers.poison(rows[i]) & lanes;
  if (any && w.checks().poison) [[unlikely]]
    for (unsigned lane = 0; lane < kLanes; ++lane)
      if ((any >> lane & 1) && !keepsPoison(form.space, address[lane]))
        for (uint32_t i = 0; i < count; ++i)
          if (poisoned[i] >> lane & 1)
            w.requireDefined(
                op, rows[i], Mask(1) << lane,
                fmt::format("the value stored to {}", w.context().memory.describe(address[lane] + size * i)).c_str());
  if (strength.semantics > Semantics::Weak)
    orderStrong(w, op, lanes, address, false, true, strength);
  for (unsigned lane : lanesOf(lanes)) {
    actor.lane = lane;
    uint8_t data[32];
    ByteMask poison = 0;
    for (uint32_t i = 0; i < count; ++i) {
      // A constant of 64 bits is none of the registers that `wide` tells of.
      const bool isConstant = rows[i] < kNoRow;
      uint64_t value = w.registers.value(rows[i], (wide >> i & 1) || (isConstant && size == 8), lane);
      std::memcpy(data + size * i, &value, size);
      if (any) [[unlikely]]
        poison |= (poisoned[i] >> lane & 1 ? (1u << size) - 1 : 0) << size * i;
    }
    for (uint32_t done = 0; done < bytes; done += 16)
      storeBytes(w, actor, form.space, address[lane] + done, std::min(bytes - done, 16u), data + done, poison >> done,
                 strength);
  }
  w.progressed();
}

void prefetch(Warp &w, const Op &op, Mask lanes) {
  uint64_t address[kLanes];
  w.addresses(op, op.a, op.wideAddress & 1, op.imm, lanes, address);
}

void discard(Warp &w, const Op &op, Mask lanes) {
  uint64_t address[kLanes];
  w.addresses(op, op.a, op.wideAddress & 1, op.imm, lanes, address);
  Actor actor = w.actor(op);
  for (unsigned lane : lanesOf(lanes)) {
    actor.lane = lane;
    w.context().memory.discard(actor, address[lane], 128);
  }
}

void createPolicy(Warp &w, const Op &op, Mask lanes) {
  for (unsigned lane : lanesOf(lanes))
    w.registers.setValue(op.dst, true, lane, 0);
  w.registers.setPoison(op.dst, lanes, 0);
}

//===-- Addresses
//----------------------------------------------------------------------------------------------------===//

static uint64_t windowOf(Space space) {
  switch (space) {
  case Space::Shared:
  case Space::SharedCluster:
    return kSharedWindow;
  case Space::Local:
    return kLocalWindow;
  case Space::Param:
    return kParamWindow;
  default:
    return 0;
  }
}

static uint64_t windowBytes(Space space) {
  return space == Space::Local           ? kLocalWindowBytes
         : space == Space::Param         ? kParamWindowBytes
         : space == Space::SharedCluster ? kSharedWindows * kSharedWindowBytes
                                         : kSharedWindowBytes;
}

void convertAddress(Warp &w, const Op &op, Mask lanes) {
  const Form &form = *op.form;
  bool wide = bitWidth(form.type()) == 64;
  uint64_t window = windowOf(form.space);
  for (unsigned lane : lanesOf(lanes)) {
    uint64_t value = w.registers.value(op.a, wide, lane);
    bool poison = w.registers.poison(op.a) >> lane & 1;
    if (form.to && window) {
      // A null pointer and poison may pass through; using them is what is wrong.
      if (value - window >= windowBytes(form.space) && value && !poison && w.checks().bounds)
        throw Fault{"oob", fmt::format("expects a generic address of the space, got {:#x}", value), {}, int(lane)};
      value -= window;
    } else {
      value += window;
    }
    w.registers.setValue(op.dst, wide, lane, value);
  }
  w.registers.setPoison(op.dst, lanes, w.registers.poison(op.a));
}

void addressOf(Warp &w, const Op &op, Mask lanes) {
  bool wide = w.isWide(op, op.dst);
  // `cvta` of a variable gives its generic address, `mov` its place in local space.
  uint64_t window = std::strcmp(op.form->row->name, "cvta") == 0 ? kLocalWindow : 0;
  for (unsigned lane : lanesOf(lanes))
    w.registers.setValue(op.dst, wide, lane, window + w.local.base(lane) + op.imm);
  w.registers.setPoison(op.dst, lanes, 0);
}

void isSpace(Warp &w, const Op &op, Mask lanes) {
  bool wide = w.isWide(op, op.a);
  Mask result = 0;
  for (unsigned lane : lanesOf(lanes)) {
    Space space = resolveGeneric(w.registers.value(op.a, wide, lane)).space;
    bool same = space == op.form->space || (op.form->space == Space::SharedCluster && space == Space::Shared);
    result |= Mask(same) << lane;
  }
  w.registers.setPredicate(op.dst, lanes, result, w.registers.poison(op.a));
}

void fence(Warp &w, const Op &op, Mask) {
  w.context().memory.order.fence(w.clocks, op.form->scope == Scope::None ? Scope::Gpu : op.form->scope);
}

} // namespace memory

//===-- Local memory
//-------------------------------------------------------------------------------------------------===//

void LocalMemory::reset(uint32_t frameBytes) {
  for (unsigned lane = 0; lane < kLanes; ++lane) {
    bases[lane] = 0;
    ends[lane] = frameBytes;
    data[lane].assign(frameBytes, 0xff);
    valid[lane].assign(frameBytes, 0);
  }
}

uint32_t LocalMemory::push(unsigned lane, uint32_t frameBytes) {
  bases[lane] = (ends[lane] + 15) & ~15u;
  ends[lane] = bases[lane] + frameBytes;
  data[lane].resize(ends[lane]);
  valid[lane].resize(ends[lane]);
  std::fill(data[lane].begin() + bases[lane], data[lane].end(), uint8_t(0xff));
  std::fill(valid[lane].begin() + bases[lane], valid[lane].end(), uint8_t(0));
  return bases[lane];
}

void LocalMemory::pop(unsigned lane, uint32_t oldBase) {
  ends[lane] = bases[lane];
  bases[lane] = oldBase;
}

void LocalMemory::check(unsigned lane, uint64_t &offset, uint32_t bytes, const Checks &checks, bool &inside) const {
  inside = offset <= ends[lane] && bytes <= ends[lane] - offset;
  if (!inside && checks.bounds)
    throw Fault{"oob",
                fmt::format("accesses {} bytes at byte {} of local memory, which has {}", bytes, offset, ends[lane]),
                {},
                int(lane)};
  if ((offset & (bytes - 1)) && checks.alignment && inside)
    throw Fault{"align",
                fmt::format("expects an address that is a multiple of {}, got byte {} of local memory", bytes, offset),
                {},
                int(lane)};
}

ByteMask LocalMemory::load(unsigned lane, uint64_t offset, uint32_t bytes, void *to, const Checks &checks) {
  bool inside;
  check(lane, offset, bytes, checks, inside);
  if (!inside) {
    std::memset(to, 0, bytes);
    return 0;
  }
  std::memcpy(to, &data[lane][offset], bytes);
  ByteMask poison = 0;
  for (uint32_t i = 0; i < bytes; ++i)
    poison |= ByteMask(!valid[lane][offset + i]) << i;
  return poison;
}

void LocalMemory::store(unsigned lane, uint64_t offset, uint32_t bytes, const void *from, ByteMask poison,
                        const Checks &checks) {
  bool inside;
  check(lane, offset, bytes, checks, inside);
  if (!inside)
    return;
  std::memcpy(&data[lane][offset], from, bytes);
  for (uint32_t i = 0; i < bytes; ++i)
    valid[lane][offset + i] = !(poison >> i & 1);
}

void LocalMemory::copy(unsigned lane, uint32_t to, uint32_t from, uint32_t bytes) {
  std::memmove(&data[lane][to], &data[lane][from], bytes);
  std::memmove(&valid[lane][to], &valid[lane][from], bytes);
}

uint8_t *LocalMemory::bytes(unsigned lane, uint64_t offset, uint32_t count, bool &allValid, const Checks &checks) {
  bool inside;
  check(lane, offset, count, checks, inside);
  if (!inside)
    return nullptr;
  allValid =
      std::all_of(valid[lane].begin() + offset, valid[lane].begin() + offset + count, [](uint8_t v) { return v; });
  return &data[lane][offset];
}

} // namespace attn::sim
