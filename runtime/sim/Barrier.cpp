// SPDX-License-Identifier: Apache-2.0
// Named barriers of a CTA.
#include "runtime/sim/Grid.h"
#include "runtime/sim/Handlers.h"

#include <bit>
#include <fmt/format.h>

namespace attn::sim {

static void writeResult(Warp &warp, const NamedBarrier &barrier) {
  const Op &op = *warp.barrierOp;
  if (op.form->reduce == Reduce::None)
    return;
  Mask lanes = warp.lanesLive();
  if (op.form->reduce == Reduce::Popc) {
    for (unsigned lane : lanesOf(lanes))
      warp.registers.write(op.dst)[lane] = barrier.popc;
    warp.registers.setPoison(op.dst, lanes, 0);
    return;
  }
  bool value = op.form->reduce == Reduce::And ? barrier.all : barrier.any;
  warp.registers.setPredicate(op.dst, lanes, value ? kAllLanes : 0, 0);
}

/// Lets the waiting warps go if everybody has come.
static void completeIfFull(Cta &cta, NamedBarrier &barrier) {
  uint32_t needed = barrier.expected ? barrier.expected : cta.warpsLeft * kLanes;
  if (!barrier.arrivedWarps || barrier.arrived < needed)
    return;
  for (unsigned i = 0; i < cta.warpCount; ++i) {
    if (!(barrier.waitingWarps >> i & 1))
      continue;
    Warp &warp = cta.warps[i];
    barrier.meeting.leave(warp.clocks);
    warp.clocks.wroteShared = 0;
    writeResult(warp, barrier);
    warp.release();
  }
  barrier = NamedBarrier();
}

void barriersAfterExit(Cta &cta) {
  for (NamedBarrier &barrier : cta.barriers)
    if (barrier.arrivedWarps && !barrier.expected)
      completeIfFull(cta, barrier);
}

static void checkPhase(Warp &w, const Op &op, const NamedBarrier &barrier, uint32_t id, uint32_t count) {
  if (!w.checks().barriers || !barrier.arrivedWarps)
    return;
  std::vector<Fault::Note> notes = {{w.pcOf(*barrier.first), "the first arrival of this phase"}};
  if (barrier.arrivedWarps >> w.number() & 1)
    throw Fault{"barrier-twice",
                fmt::format("warp {} arrives at barrier {} twice before it is complete", w.number(), id), notes};
  if (barrier.reduce != op.form->reduce)
    throw Fault{"barrier-mixed", fmt::format("barrier {} is used by bar.red and by other instructions at once", id),
                notes};
  if (barrier.expected != count)
    throw Fault{"barrier-count",
                fmt::format("barrier {} expects {} threads, warp {} arrives with a count of {}", id,
                            barrier.expected ? std::to_string(barrier.expected) : "all", w.number(),
                            count ? std::to_string(count) : "all"),
                notes};
  if (count && barrier.arrived + kLanes > count)
    throw Fault{"barrier-count",
                fmt::format("barrier {} expects {} threads, warp {} arrives as number {}", id, count, w.number(),
                            barrier.arrived + kLanes),
                notes};
}

static void arrive(Warp &w, const Op &op, Mask lanes, bool waits) {
  Cta &cta = w.block();
  uint32_t id = uint32_t(w.uniformValue(op, op.a, false, lanes, "the number of a barrier"));
  uint32_t count =
      op.present & 2 ? uint32_t(w.uniformValue(op, op.b, false, lanes, "the thread count of a barrier")) : 0;
  if (id >= 16)
    throw Fault{"param", fmt::format("expects a barrier from 0 to 15, got {}", id)};
  if ((op.present & 2) && (count == 0 || count % kLanes))
    throw Fault{"param", fmt::format("expects a thread count that is a positive multiple of 32, got {}", count)};
  NamedBarrier &barrier = cta.barriers[id];
  checkPhase(w, op, barrier, id, count);
  if (!barrier.arrivedWarps) {
    barrier.first = &op;
    barrier.expected = count;
    barrier.reduce = op.form->reduce;
  }
  if (op.form->reduce != Reduce::None) {
    if (w.checks().poison)
      w.requireDefinedPredicate(op, op.c, lanes, "the predicate of a reduction");
    Mask value = w.registers.predicate(op.c);
    value = (op.negated & 4 ? ~value : value) & lanes;
    barrier.popc += unsigned(std::popcount(value));
    barrier.any |= value != 0;
    barrier.all &= value == lanes;
  }
  barrier.arrived += kLanes;
  barrier.arrivedWarps |= 1u << w.number();
  barrier.meeting.arrive(w.clocks);
  w.progressed();
  w.barrier = id;
  w.barrierOp = &op;
  if (waits) {
    barrier.waitingWarps |= 1u << w.number();
    w.waitFor(Warp::Wait::Barrier);
  }
  completeIfFull(cta, barrier);
}

namespace grid {

void barrierSync(Warp &w, const Op &op, Mask lanes) { arrive(w, op, lanes, true); }
void barrierArrive(Warp &w, const Op &op, Mask lanes) { arrive(w, op, lanes, false); }
void barrierReduce(Warp &w, const Op &op, Mask lanes) { arrive(w, op, lanes, true); }
void sleep(Warp &w, const Op &, Mask) { w.yieldSoon(); }

} // namespace grid

} // namespace attn::sim
