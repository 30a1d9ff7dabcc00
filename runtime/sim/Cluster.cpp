// SPDX-License-Identifier: Apache-2.0
// Clusters: whose shared memory an address names, the barrier of all warps, and launches that depend on each other.
#include "runtime/sim/Bulk.h"
#include "runtime/sim/Grid.h"
#include "runtime/sim/Handlers.h"
#include "runtime/sim/Warp.h"

#include <fmt/format.h>

namespace attn::sim {

Cta &clusterMember(Warp &w, uint64_t rank, unsigned lane) {
  const std::vector<Cta *> &members = w.block().cluster->members;
  if (rank >= members.size())
    throw Fault{"param",
                fmt::format("expects the rank of a CTA of the cluster, which has {}, got {}", members.size(), rank),
                {},
                int(lane)};
  Cta *member = members[rank];
  if (member == &w.block())
    return *member;
  if (!member && w.checks().cluster)
    throw Fault{
        "cluster", fmt::format("names shared memory of CTA {} of the cluster, which has ended", rank), {}, int(lane)};
  if (!member)
    return w.block();
  // Something that happened in the other CTA must come before.
  bool known = false;
  for (unsigned i = 0; i < member->warpCount; ++i)
    known |= w.clocks.seen.at[member->warps[i].clocks.warp] >= member->firstEpoch;
  if (!known && w.checks().cluster)
    throw Fault{"cluster",
                fmt::format("names shared memory of CTA {} of the cluster before it is known to run: expects "
                            "barrier.cluster first",
                            rank),
                {},
                int(lane)};
  return *member;
}

//===-- The barrier
//--------------------------------------------------------------------------------------------------===//

static void completeIfFull(Cluster &cluster) {
  uint32_t live = 0;
  for (Cta *member : cluster.members)
    for (unsigned i = 0; member && i < member->warpCount; ++i)
      live |= uint32_t(!member->warps[i].done()) << member->warps[i].clocks.warp;
  if (!cluster.arrived || (live & ~cluster.arrived))
    return;
  cluster.frozen = cluster.gathering;
  cluster.arrived = 0;
  ++cluster.phase;
  for (Cta *member : cluster.members)
    for (unsigned i = 0; member && i < member->warpCount; ++i) {
      Warp &warp = member->warps[i];
      if (warp.waitingFor() != Warp::Wait::Cluster)
        continue;
      cluster.frozen.leave(warp.clocks);
      warp.clocks.wroteShared = 0;
      warp.clusterArrived = false;
      warp.release();
    }
}

void clusterAfterExit(Cta &cta) { completeIfFull(*cta.cluster); }

namespace grid {

void clusterArrive(Warp &w, const Op &op, Mask) {
  Cluster &cluster = *w.block().cluster;
  if (w.clusterArrived && w.checks().barriers)
    throw Fault{"barrier-twice", fmt::format("warp {} arrives at the cluster's barrier twice", w.number())};
  w.clusterArrived = true;
  w.clusterPhase = cluster.phase;
  cluster.arrived |= 1u << w.clocks.warp;
  if (op.form->semantics != Semantics::Relaxed)
    cluster.gathering.arrive(w.clocks);
  w.progressed();
  completeIfFull(cluster);
}

void clusterWait(Warp &w, const Op &op, Mask) {
  Cluster &cluster = *w.block().cluster;
  if (!w.clusterArrived && w.checks().barriers)
    throw Fault{"barrier-twice",
                fmt::format("warp {} waits at the cluster's barrier without having arrived", w.number())};
  if (!w.clusterArrived || cluster.phase > w.clusterPhase) {
    cluster.frozen.leave(w.clocks);
    w.clocks.wroteShared = 0;
    w.clusterArrived = false;
    return;
  }
  w.barrierOp = &op;
  w.waitFor(Warp::Wait::Cluster);
}

// Launches run one after the other, so that there is nothing to let begin or to wait for; what comes behind a wait may
// touch what the launch before has written.
void dependentsLaunch(Warp &, const Op &, Mask) {}
void dependentsWait(Warp &w, const Op &, Mask) { w.clocks.seen.at[kLaunchBefore] = 1; }

} // namespace grid

//===-- Addresses
//----------------------------------------------------------------------------------------------------===//

namespace memory {

void mapToRank(Warp &w, const Op &op, Mask lanes) {
  if (w.checks().poison)
    w.requireDefined(op, op.b, lanes, "a CTA rank");
  const bool wide = bitWidth(op.form->type()) == 64;
  const Cta &own = w.block();
  for (unsigned lane : lanesOf(lanes)) {
    const uint32_t rank = w.registers.read(op.b)[lane];
    if (rank >= own.cluster->members.size())
      throw Fault{"param",
                  fmt::format("expects the rank of a CTA of the cluster, which has {}, got {}",
                              own.cluster->members.size(), rank),
                  {},
                  int(lane)};
    uint64_t address = w.registers.value(op.a, wide, lane);
    // An address of the own window; windows of ranks follow it.
    if (rank != own.rank)
      address += uint64_t(rank + 1) * kSharedWindowBytes;
    w.registers.setValue(op.dst, wide, lane, address);
  }
  w.registers.setPoison(op.dst, lanes, w.registers.poison(op.a));
}

void rankOf(Warp &w, const Op &op, Mask lanes) {
  const bool wide = bitWidth(op.form->type()) == 64;
  for (unsigned lane : lanesOf(lanes)) {
    uint64_t address = w.registers.value(op.a, wide, lane);
    uint64_t window = (op.form->space == Space::Generic ? address - kSharedWindow : address) / kSharedWindowBytes;
    w.registers.write(op.dst)[lane] = window ? uint32_t(window - 1) : w.block().rank;
  }
  w.registers.setPoison(op.dst, lanes, w.registers.poison(op.a));
}

} // namespace memory

} // namespace attn::sim
