// SPDX-License-Identifier: Apache-2.0
// Bulk and tensor copies as they take effect: data moves, mbarriers count, memory becomes readable.
#include "runtime/sim/Access.h"
#include "runtime/sim/Bits.h"
#include "runtime/sim/Bulk.h"
#include "runtime/sim/Grid.h"
#include "runtime/sim/Warp.h"

#include <algorithm>
#include <cstring>
#include <fmt/format.h>

namespace attn::sim {

using Kind = BulkOperation::Kind;

void landLaneCopies(Warp &w, unsigned lane, uint32_t before, unsigned engine, Mbarrier &barrier);

Type typeOf(TensorElement element) {
  static constexpr Type types[] = {Type::U8,  Type::U16, Type::U32,  Type::S32, Type::U64, Type::S64, Type::F16,
                                   Type::F32, Type::F64, Type::BF16, Type::F32, Type::F32, Type::F32};
  return types[unsigned(element)];
}

/// Fills with what lies outside a tensor.
static void fillOutside(const TensorMap &map, std::vector<uint8_t> &data) {
  std::fill(data.begin(), data.end(), uint8_t(0));
  if (!map.nanFill)
    return;
  const uint32_t size = elementBytes(map.element);
  const uint64_t nan = size == 2 ? kNan16 : size == 4 ? kNan32 : kNan64;
  for (size_t i = 0; i + size <= data.size(); i += size)
    std::memcpy(&data[i], &nan, size);
}

/// Reads what a load copies. `invalid` gets a byte for each byte that holds nothing; it stays empty if there is none.
static void gather(Cta &cta, const BulkOperation &operation, std::vector<uint8_t> &data,
                   std::vector<uint8_t> &invalid) {
  Warp &warp = cta.warps[operation.warp];
  GlobalMemory &memory = warp.context().memory;
  Actor actor{&warp.clocks, operation.pc, operation.lane, ++cta.serial, operation.early};
  // Of several receivers each waits for its own mbarrier: then the read stays the warp's.
  const BulkOperation::Receiver &receiver = operation.receivers.front();
  if (operation.receivers.size() == 1 && receiver.cta == &cta)
    if (Mbarrier *barrier = cta.mbarriers.find(receiver.mbarrier)) {
      actor.engine = cta.mbarriers.engine(*barrier);
      actor.engineEpoch = cta.shared.nextLanding(actor.engine);
    }
  data.resize(operation.bytes);
  invalid.clear();
  auto read = [&](uint32_t offset, uint64_t address, uint32_t bytes) {
    const uint8_t *flags = memory.loadRun(actor, address, bytes, data.data() + offset);
    if (!flags) [[likely]]
      return;
    invalid.resize(operation.bytes);
    for (uint32_t i = 0; i < bytes; ++i)
      invalid[offset + i] = !(flags[i] & Allocation::Valid);
    warp.notePoison(warp.context().module.ops[operation.pc], operation.lane, address);
  };
  if (!operation.tensor) {
    if (operation.bytes)
      read(0, operation.source, operation.bytes);
    return;
  }
  fillOutside(operation.map, data);
  forEachRun(operation.map, operation.coordinates, read);
}

/// Puts the data where one CTA gets it, and tells the mbarrier.
static void deliver(const BulkOperation &operation, const BulkOperation::Receiver &receiver,
                    const std::vector<uint8_t> &data, const std::vector<uint8_t> &invalid, const Checks &checks) {
  Cta &cta = *receiver.cta;
  SharedMemory &shared = cta.shared;
  Mbarrier *barrier = cta.mbarriers.find(receiver.mbarrier);
  if ((!barrier || barrier->counts.phase != receiver.phase) && checks.phases)
    throw Fault{"mbar-stale",
                fmt::format("the phase of mbarrier {} that this copy was to complete is already over: expects an "
                            "expect_tx of all bytes",
                            shared.names().describe(receiver.mbarrier))};
  const unsigned swizzle = operation.tensor ? operation.map.swizzle : 0;
  if (!swizzle && !data.empty())
    std::memcpy(shared.bytesAt(receiver.destination), data.data(), data.size());
  for (uint32_t i = 0; i < data.size() && swizzle; i += 16)
    std::memcpy(shared.bytesAt(swizzled(receiver.destination + i, swizzle)), data.data() + i, 16);
  if (!barrier)
    return;
  const unsigned engine = cta.mbarriers.engine(*barrier);
  for (const SharedRange &range : receiver.ranges)
    barrier->gathering.arrive(engine, shared.landAsync(engine, operation.pc, range));
  for (uint32_t i = 0; i < invalid.size(); i += 16) {
    ByteMask poison = 0;
    for (uint32_t j = 0; j < 16; ++j)
      poison |= ByteMask(invalid[i + j]) << j;
    if (poison)
      shared.setPoison(swizzled(receiver.destination + i, swizzle), 16, poison);
  }
  settle(cta, *barrier, barrier->counts.complete(operation.bytes), checks, -1);
}

void endRead(Cta &cta, BulkOperation &operation) {
  if (operation.reading)
    cta.shared.endAsyncRead(operation.read, cta.warps[operation.warp].clocks);
  operation.reading = false;
}

static void reduceRun(Cta &cta, const BulkOperation &operation, const Actor &actor, uint32_t offset, uint64_t address,
                      uint32_t bytes) {
  GlobalMemory &memory = cta.warps[operation.warp].context().memory;
  const uint32_t size = bitWidth(operation.type) / 8;
  for (uint32_t i = 0; i < bytes; i += size) {
    ByteMask poison = 0;
    uint8_t *data = memory.atomic(actor, address + i, size, {Semantics::Relaxed, Scope::Gpu}, poison);
    if (!data)
      continue;
    if (poison && cta.warps[operation.warp].checks().poison)
      throw Fault{"poison-use",
                  fmt::format("an atomic operation on uninitialised memory at {}", memory.describe(address + i))};
    uint64_t old = 0, value = 0;
    std::memcpy(&old, data, size);
    std::memcpy(&value, operation.data.data() + offset + i, size);
    value = combined(operation.operation, operation.type, old, value);
    std::memcpy(data, &value, size);
  }
}

void perform(Cta &cta, BulkOperation &operation) {
  if (operation.performed)
    return;
  operation.performed = true;
  Warp &warp = cta.warps[operation.warp];
  Actor actor{&warp.clocks, operation.pc, operation.lane, ++cta.serial, operation.early};
  auto write = [&](uint32_t offset, uint64_t address, uint32_t bytes) {
    if (operation.kind == Kind::Reduce)
      reduceRun(cta, operation, actor, offset, address, bytes);
    else
      warp.context().memory.storeRun(actor, address, bytes, operation.data.data() + offset);
  };
  if (operation.tensor)
    forEachRun(operation.map, operation.coordinates, write);
  else if (operation.bytes)
    write(0, operation.target, operation.bytes);
  warp.progressed();
}

static void arriveOn(Cta &cta, const BulkOperation &operation) {
  const BulkOperation::Receiver &receiver = operation.receivers.front();
  Warp &warp = cta.warps[operation.warp];
  if (Mbarrier *barrier = cta.mbarriers.find(receiver.mbarrier)) {
    landLaneCopies(warp, operation.lane, operation.issued, cta.mbarriers.engine(*barrier), *barrier);
    settle(cta, *barrier, barrier->counts.arrive(1), warp.checks(), operation.lane);
  }
}

/// Makes one operation take effect. True if nothing of it is left.
static bool land(Cta &cta, BulkOperation &operation) {
  Warp &warp = cta.warps[operation.warp];
  try {
    switch (operation.kind) {
    case Kind::Load:
    case Kind::SharedCopy: {
      if (operation.kind == Kind::Load)
        gather(cta, operation, cta.staging, cta.invalid);
      const std::vector<uint8_t> none;
      for (const BulkOperation::Receiver &receiver : operation.receivers) {
        if (receiver.cta->cluster != cta.cluster)
          throw Fault{"cluster", "a copy writes shared memory of a CTA of the cluster that has ended"};
        deliver(operation, receiver, operation.kind == Kind::Load ? cta.staging : operation.data,
                operation.kind == Kind::Load ? cta.invalid : none, warp.checks());
      }
      endRead(cta, operation);
      break;
    }
    case Kind::Arrive:
      arriveOn(cta, operation);
      break;
    case Kind::Store:
    case Kind::Reduce:
      perform(cta, operation);
      // The thread has still to wait for it.
      return false;
    }
  } catch (Fault &fault) {
    fault.pc = fault.pc == kNoPc ? operation.pc : fault.pc;
    fault.lane = -1;
    throw;
  }
  warp.progressed();
  return true;
}

static void landAt(Cta &cta, size_t index) {
  // Landing wakes warps and moves data, but issues nothing: the queue stays as it is.
  if (land(cta, cta.bulk.pending[index]))
    cta.bulk.pending.erase(cta.bulk.pending.begin() + long(index));
}

bool landOne(Cta &cta) {
  size_t best = ~size_t(0);
  std::vector<BulkOperation> &pending = cta.bulk.pending;
  for (size_t i = 0; i < pending.size(); ++i) {
    if (pending[i].performed)
      continue;
    bool awaited = false;
    for (const BulkOperation::Receiver &receiver : pending[i].receivers)
      for (unsigned warp = 0; warp < receiver.cta->warpCount; ++warp)
        awaited |= receiver.cta->warps[warp].waitsForMbarrier(receiver.mbarrier);
    if (awaited) {
      best = i;
      break;
    }
    bool load = !pending[i].receivers.empty();
    if (best == ~size_t(0) || (load && pending[best].receivers.empty()))
      best = i;
  }
  if (best == ~size_t(0))
    return false;
  landAt(cta, best);
  return true;
}

void landDue(Cta &cta) {
  for (size_t i = 0; i < cta.bulk.pending.size();) {
    size_t before = cta.bulk.pending.size();
    if (cta.bulk.pending[i].due <= cta.quanta && !cta.bulk.pending[i].performed)
      landAt(cta, i);
    i += cta.bulk.pending.size() == before;
  }
}

void finishBulk(Cta &cta) {
  for (BulkOperation &operation : cta.bulk.pending) {
    const Checks &checks = cta.warps[operation.warp].checks();
    bool stores = operation.kind == Kind::Store || operation.kind == Kind::Reduce;
    if (checks.unfinished && (!stores || operation.reading))
      throw Fault{"unfinished",
                  stores ? "the CTA ends while a copy may still read its shared memory: expects wait_group.read by "
                           "the thread that issued the copy"
                         : "the CTA ends while a copy to its shared memory is under way: expects a wait for its "
                           "mbarrier",
                  {},
                  -1,
                  operation.pc};
    if (stores)
      perform(cta, operation);
  }
  cta.bulk.pending.clear();
  for (const Mbarrier &barrier : cta.mbarriers.all)
    if (barrier.live && barrier.counts.bytes && cta.warps[0].checks().unfinished)
      throw Fault{"unfinished",
                  fmt::format("the CTA ends while {} expects {} more bytes", describeMbarrier(cta, barrier),
                              barrier.counts.bytes),
                  {},
                  -1,
                  barrier.initPc};
}

} // namespace attn::sim
