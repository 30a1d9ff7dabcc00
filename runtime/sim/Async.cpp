// SPDX-License-Identifier: Apache-2.0
// Copies that run on their own: cp.async and its groups.
#include "runtime/sim/Grid.h"
#include "runtime/sim/Handlers.h"
#include "runtime/sim/Warp.h"

#include <algorithm>
#include <cstring>
#include <fmt/format.h>

namespace attn::sim {

/// Reads what a copy copies. Returns the bytes that hold nothing.
static ByteMask fetch(Warp &w, const Actor &actor, const PendingCopy &copy, uint8_t *bytes) {
  ByteMask poison = 0;
  for (uint32_t done = 0; done < copy.sourceBytes;) {
    // A source of a size that is no power of two is read in pieces.
    uint32_t piece = 16;
    while (piece > copy.sourceBytes - done || ((copy.source + done) & (piece - 1)))
      piece /= 2;
    poison |= w.context().memory.load(actor, copy.source + done, piece, bytes + done) << done;
    done += piece;
  }
  if (poison)
    w.notePoison(w.context().module.ops[copy.pc], copy.lane, copy.source);
  return poison;
}

/// Performs a copy: the bytes become visible to the lane, and to others behind a barrier.
static void land(Warp &w, const PendingCopy &copy) {
  Actor actor{&w.clocks, copy.pc, copy.lane, w.block().serial, copy.early};
  uint8_t bytes[16] = {};
  ByteMask poison = fetch(w, actor, copy, bytes);
  w.block().shared.land(actor, copy.destination, copy.bytes, bytes, poison);
}

/// Performs the copies of a lane with a smaller number than `before`; who waits for the mbarrier sees the bytes. They
/// are still writes of the generic proxy.
void landLaneCopies(Warp &w, unsigned lane, uint32_t before, unsigned engine, Mbarrier &barrier) {
  std::vector<PendingCopy> &pending = w.copies.pending;
  SharedMemory &shared = w.block().shared;
  auto due = [&](const PendingCopy &copy) { return copy.lane == lane && copy.number < before; };
  bool any = false;
  for (const PendingCopy &copy : pending) {
    if (!due(copy))
      continue;
    any = true;
    Actor actor{&w.clocks, copy.pc, copy.lane, w.block().serial, copy.early};
    uint8_t bytes[16] = {};
    ByteMask poison = fetch(w, actor, copy, bytes);
    std::memcpy(shared.bytesAt(copy.destination), bytes, copy.bytes);
    barrier.gathering.arrive(engine, shared.landAsync(engine, copy.pc, {copy.destination, copy.bytes}, Proxy::Generic));
    if (poison)
      shared.setPoison(copy.destination, copy.bytes, poison);
  }
  std::erase_if(pending, due);
  // The lane has waited for all of them by itself.
  if (!any)
    barrier.gathering.arrive(w.clocks);
}

/// Lands the copies of `lanes` in all but the last `open` groups that each has closed; with `all` whatever is pending.
static void landGroups(Warp &w, Mask lanes, uint32_t open, bool all) {
  CopyQueue &queue = w.copies;
  size_t kept = 0;
  for (size_t i = 0; i < queue.pending.size(); ++i) {
    const PendingCopy &copy = queue.pending[i];
    uint32_t closed = queue.groups[copy.lane];
    bool due = (lanes >> copy.lane & 1) && (all || (closed > open && copy.group < closed - open));
    if (!due) {
      if (kept != i)
        queue.pending[kept] = copy;
      ++kept;
      continue;
    }
    land(w, copy);
  }
  if (kept != queue.pending.size())
    w.progressed();
  queue.pending.resize(kept);
}

namespace async {

/// How many bytes each lane reads; none where the source is not looked at. Returns the lanes that read.
static Mask sourceSizes(Warp &w, const Op &op, Mask lanes, uint32_t bytes, uint32_t *size) {
  Mask ignored = 0;
  if (op.present & 32) {
    if (w.checks().poison)
      w.requireDefinedPredicate(op, op.dst2, lanes, "the condition of a copy");
    ignored = w.registers.predicate(op.dst2);
  }
  const uint32_t *given = nullptr;
  if (op.present & 4) {
    if (w.checks().poison)
      w.requireDefined(op, op.c, lanes, "the size of a copy");
    given = w.registers.read(op.c);
  }
  Mask reading = 0;
  for (unsigned lane = 0; lane < kLanes; ++lane) {
    size[lane] = ignored >> lane & 1 ? 0 : given ? given[lane] : bytes;
    if ((lanes >> lane & 1) && size[lane] > bytes)
      throw Fault{
          "param", fmt::format("expects a source size of at most {}, got {}", bytes, size[lane]), {}, int(lane)};
    reading |= Mask(size[lane] != 0) << lane;
  }
  return reading & lanes;
}

static void checkSource(Warp &w, const Actor &actor, uint64_t source, uint32_t bytes, uint32_t sourceBytes) {
  const GlobalMemory &memory = w.context().memory;
  if ((source & (bytes - 1)) && w.checks().alignment)
    throw Fault{
        "align",
        fmt::format("expects a source address that is a multiple of {}, got {}", bytes, memory.describe(source)),
        {},
        int(actor.lane)};
  w.context().memory.checkReadable(actor, source, sourceBytes);
}

void copy(Warp &w, const Op &op, Mask lanes) {
  uint64_t destination[kLanes], source[kLanes];
  uint32_t sizes[kLanes];
  const uint32_t bytes = w.registers.read(op.e)[0];
  w.addresses(op, op.a, op.wideAddress & 1, op.imm, lanes, destination);
  Mask reading = sourceSizes(w, op, lanes, bytes, sizes);
  w.addresses(op, op.b, op.wideAddress & 2, op.imm2, reading, source);
  CopyQueue &queue = w.copies;
  Actor actor = w.actor(op);
  for (unsigned lane : lanesOf(lanes)) {
    actor.lane = lane;
    if (sizes[lane])
      checkSource(w, actor, source[lane], bytes, sizes[lane]);
    if (w.block().shared.beginCopy(actor, destination[lane], bytes))
      queue.pending.push_back({source[lane], uint32_t(destination[lane]), actor.pc, queue.groups[lane], w.clocks.now(),
                               uint8_t(lane), uint8_t(bytes), uint8_t(sizes[lane]), queue.issued,
                               !w.clocks.afterLaunchBefore()});
    ++queue.issued;
  }
}

void commitGroup(Warp &w, const Op &, Mask lanes) {
  for (unsigned lane = 0; lane < kLanes; ++lane)
    w.copies.groups[lane] += lanes >> lane & 1;
}

void waitGroup(Warp &w, const Op &op, Mask lanes) {
  bool all = op.form->all;
  landGroups(w, lanes, all ? 0 : w.registers.read(op.a)[0], all);
  w.clocks.waited = w.clocks.now();
}

void mbarrierArriveOn(Warp &w, const Op &op, Mask lanes) {
  Cta &cta = w.block();
  uint64_t address[kLanes];
  w.addresses(op, op.a, op.wideAddress & 1, op.imm, lanes, address);
  Actor actor = w.actor(op);
  for (unsigned lane : lanesOf(lanes)) {
    actor.lane = lane;
    SharedPlace place = sharedPlace(w, op.form->space, op.a == kNoRow, address[lane], lane);
    Mbarrier *barrier = mbarrierAt(w, actor, place);
    if (!barrier)
      continue;
    barrier->counts.pending += !op.form->noinc;
    BulkOperation operation;
    operation.kind = BulkOperation::Kind::Arrive;
    operation.pc = actor.pc;
    operation.warp = uint8_t(w.number());
    operation.lane = uint8_t(lane);
    operation.issued = w.copies.issued;
    operation.due = drawLanding(w);
    operation.receivers.push_back({&cta, 0, barrier->address, barrier->counts.phase, {}});
    cta.bulk.pending.push_back(std::move(operation));
  }
}

} // namespace async

/// For diagnostics: the copy that still owns a byte of shared memory.
Issued pendingCopyAt(const void *owner, uint32_t address) {
  const Cta &cta = *static_cast<const Cta *>(owner);
  for (unsigned i = 0; i < cta.warpCount; ++i)
    for (const PendingCopy &copy : cta.warps[i].copies.pending)
      if (address - copy.destination < copy.bytes)
        return {copy.pc, cta.warps[i].clocks.warp, copy.epoch};
  for (const BulkOperation &operation : cta.bulk.pending)
    for (const BulkOperation::Receiver &receiver : operation.receivers)
      for (const SharedRange &range : receiver.ranges)
        if (receiver.cta == &cta && address - range.begin < range.bytes)
          return {operation.pc, kFirstEngine, 0};
  return {};
}

} // namespace attn::sim
