// SPDX-License-Identifier: Apache-2.0
// The instructions on mbarriers, and the fences that make their initialisation and plain writes known to copies.
#include "runtime/sim/Mbarrier.h"
#include "runtime/sim/Access.h"
#include "runtime/sim/Bulk.h"
#include "runtime/sim/Grid.h"
#include "runtime/sim/Handlers.h"
#include "runtime/sim/Warp.h"

#include <bit>
#include <fmt/format.h>

namespace attn::sim {

/// A token holds the phase it belongs to above these bits, and the arrivals that were pending below.
static constexpr unsigned kTokenBits = 20;
/// Times in a row that a wait for a complete phase may come back empty-handed.
static constexpr uint32_t kMaxSpurious = 3;

std::string describeMbarrier(const Cta &cta, const Mbarrier &barrier) {
  return fmt::format("mbarrier {}", cta.shared.names().describe(barrier.address));
}

SharedPlace sharedPlace(Warp &w, Space space, bool symbol, uint64_t address, unsigned lane) {
  if (space == Space::Generic && !symbol) {
    if (address - kSharedWindow >= kSharedWindows * kSharedWindowBytes)
      throw Fault{"oob", fmt::format("expects an address of shared memory, got {:#x}", address), {}, int(lane)};
    address -= kSharedWindow;
  }
  uint64_t window = address / kSharedWindowBytes;
  if (window == 0 || (space == Space::Shared && !symbol))
    return {&w.block(), address};
  return {&clusterMember(w, window - 1, lane), address % kSharedWindowBytes};
}

Mbarrier *mbarrierAt(Warp &w, const Actor &actor, SharedPlace place) {
  if (!place.cta->shared.touchBarrier(actor, place.offset))
    return nullptr;
  Mbarrier *barrier = place.cta->mbarriers.find(uint32_t(place.offset));
  if (!barrier && w.checks().mbarriers)
    throw Fault{"mbar-uninit",
                fmt::format("expects an initialised mbarrier at {}, got none",
                            place.cta->shared.names().describe(uint32_t(place.offset))),
                {},
                int(actor.lane)};
  return barrier;
}

void settle(Cta &cta, Mbarrier &barrier, MbarrierCounts::Outcome outcome, const Checks &checks, int lane) {
  using Outcome = MbarrierCounts::Outcome;
  if (outcome == Outcome::Stays) {
    // While arrivals are pending data may be ahead of its announcement. Afterwards there is nobody to announce it.
    if (barrier.counts.pending == 0 && barrier.counts.bytes < 0 && checks.phases)
      throw Fault{"mbar-stale",
                  fmt::format("{} more bytes arrive at {} than its phase expects: expects an expect_tx of all bytes",
                              -barrier.counts.bytes, describeMbarrier(cta, barrier)),
                  {{barrier.initPc, "it is initialised here"}},
                  lane};
    return;
  }
  if (outcome == Outcome::Completes) {
    barrier.frozen = barrier.gathering;
    for (unsigned i = 0; i < cta.warpCount; ++i)
      cta.warps[i].wake(barrier);
    return;
  }
  std::vector<Fault::Note> notes = {{barrier.initPc, "it is initialised here"}};
  if (outcome == Outcome::TooManyArrivals && checks.mbarriers)
    throw Fault{"mbar-overflow",
                fmt::format("more arrivals at {} than the {} it expects in phase {}", describeMbarrier(cta, barrier),
                            barrier.counts.expected, barrier.counts.phase),
                notes, lane};
  if (outcome == Outcome::TooManyBytes && checks.mbarriers)
    throw Fault{"mbar-tx",
                fmt::format("{} counts {} bytes, expects less than 2^20 either way", describeMbarrier(cta, barrier),
                            barrier.counts.bytes),
                notes, lane};
  barrier.counts.pending = std::max<int64_t>(barrier.counts.pending, 0);
}

namespace async {

namespace {
/// What the lanes of an mbarrier instruction name.
struct Named {
  uint64_t address[kLanes];
  Actor actor;
  SharedPlace place(Warp &w, const Op &op, unsigned lane) const {
    return sharedPlace(w, op.form->space, op.a == kNoRow, address[lane], lane);
  }
};
} // namespace

static Named named(Warp &w, const Op &op, Mask lanes) {
  Named result{{}, w.actor(op)};
  w.addresses(op, op.a, op.wideAddress & 1, op.imm, lanes, result.address);
  return result;
}

static const uint32_t *operand(Warp &w, const Op &op, Mask lanes, const char *what) {
  if (w.checks().poison)
    w.requireDefined(op, op.b, lanes, what);
  return w.registers.read(op.b);
}

void mbarrierInit(Warp &w, const Op &op, Mask lanes) {
  Named names = named(w, op, lanes);
  const uint32_t *count = operand(w, op, lanes, "the count of an mbarrier");
  for (unsigned lane : lanesOf(lanes)) {
    names.actor.lane = lane;
    SharedPlace place = names.place(w, op, lane);
    if (count[lane] < 1 || count[lane] >= MbarrierCounts::kLimit)
      throw Fault{"param", fmt::format("expects a count from 1 to 2^20 - 1, got {}", count[lane]), {}, int(lane)};
    if (place.cta != &w.block())
      throw Fault{"param", "expects an mbarrier of the own CTA", {}, int(lane)};
    Mbarrier *live = place.cta->mbarriers.find(uint32_t(place.offset));
    if (live && w.checks().mbarriers)
      throw Fault{"mbar-uninit",
                  fmt::format("initialises {}, which is in use: expects mbarrier.inval first",
                              describeMbarrier(*place.cta, *live)),
                  {{live->initPc, "it was initialised here"}},
                  int(lane)};
    if (live)
      live->live = false;
    if (!place.cta->shared.makeBarrier(names.actor, place.offset))
      continue;
    Mbarrier &barrier = place.cta->mbarriers.make(uint32_t(place.offset));
    barrier.counts.init(count[lane]);
    barrier.initPc = w.pcOf(op);
    barrier.initWarp = w.clocks.warp;
    barrier.initLane = lane;
  }
  w.progressed();
}

void mbarrierInvalidate(Warp &w, const Op &op, Mask lanes) {
  Named names = named(w, op, lanes);
  for (unsigned lane : lanesOf(lanes)) {
    names.actor.lane = lane;
    if (Mbarrier *barrier = mbarrierAt(w, names.actor, names.place(w, op, lane))) {
      w.block().shared.dropBarrier(names.actor, barrier->address);
      barrier->live = false;
    }
  }
}

/// The counts by which one lane's instruction changes the barrier.
static MbarrierCounts::Outcome step(const Op &op, MbarrierCounts &counts, uint32_t operand) {
  const Form &form = *op.form;
  const uint32_t arrivals = form.expectTx || !(op.present & 2) ? 1 : operand;
  if (form.all)
    return counts.arriveAndDrop(arrivals, form.expectTx ? operand : 0);
  return form.expectTx ? counts.arriveExpecting(operand) : counts.arrive(arrivals);
}

void mbarrierArrive(Warp &w, const Op &op, Mask lanes) {
  const Form &form = *op.form;
  Named names = named(w, op, lanes);
  const uint32_t *count = nullptr;
  if (op.present & 2)
    count = operand(w, op, lanes, form.expectTx ? "the bytes of an mbarrier" : "the count of an arrival");
  Mbarrier *released = nullptr;
  for (unsigned lane : lanesOf(lanes)) {
    names.actor.lane = lane;
    SharedPlace place = names.place(w, op, lane);
    if (count && !form.expectTx && (count[lane] < 1 || count[lane] >= MbarrierCounts::kLimit))
      throw Fault{"param", fmt::format("expects 1 to 2^20 - 1 arrivals, got {}", count[lane]), {}, int(lane)};
    if (place.cta != &w.block() && op.dst != kSinkRow)
      throw Fault{"param", "an arrival at an mbarrier of another CTA gives no token: expects '_'", {}, int(lane)};
    Mbarrier *barrier = mbarrierAt(w, names.actor, place);
    if (!barrier)
      continue;
    if (barrier != released && form.semantics != Semantics::Relaxed)
      barrier->gathering.arrive(w.clocks);
    released = barrier;
    uint64_t token = barrier->counts.phase << kTokenBits | uint64_t(barrier->counts.pending);
    MbarrierCounts::Outcome outcome = step(op, barrier->counts, count ? count[lane] : 1);
    if (form.noComplete && outcome == MbarrierCounts::Outcome::Completes && w.checks().mbarriers)
      throw Fault{"mbar-overflow",
                  fmt::format("an arrival with .noComplete completes phase {} of {}", barrier->counts.phase - 1,
                              describeMbarrier(*place.cta, *barrier)),
                  {},
                  int(lane)};
    settle(*place.cta, *barrier, outcome, w.checks(), int(lane));
    if (op.dst != kSinkRow)
      w.registers.setValue(op.dst, true, lane, token);
  }
  if (op.dst != kSinkRow)
    w.registers.setPoison(op.dst, lanes, 0);
  w.progressed();
}

static void countBytes(Warp &w, const Op &op, Mask lanes, bool expects) {
  Named names = named(w, op, lanes);
  const uint32_t *bytes = operand(w, op, lanes, "the bytes of an mbarrier");
  for (unsigned lane : lanesOf(lanes)) {
    names.actor.lane = lane;
    SharedPlace place = names.place(w, op, lane);
    if (Mbarrier *barrier = mbarrierAt(w, names.actor, place))
      settle(*place.cta, *barrier,
             expects ? barrier->counts.expect(bytes[lane]) : barrier->counts.complete(bytes[lane]), w.checks(),
             int(lane));
  }
  w.progressed();
}

void mbarrierExpectTx(Warp &w, const Op &op, Mask lanes) { countBytes(w, op, lanes, true); }
void mbarrierCompleteTx(Warp &w, const Op &op, Mask lanes) { countBytes(w, op, lanes, false); }

/// The phase that a lane waits for: the one of its token, or the first of the parity that the warp does not know to be
/// over. Phase -1 is the one before the first, which is complete.
static int64_t awaited(Warp &w, const Op &op, const Cta &cta, const Mbarrier &barrier, int64_t known, unsigned lane) {
  if (!op.form->parity)
    return int64_t(w.registers.read64(op.b)[lane] >> kTokenBits);
  uint32_t parity = w.registers.read(op.b)[lane];
  if (parity > 1)
    throw Fault{"param", fmt::format("expects a parity of 0 or 1, got {}", parity), {}, int(lane)};
  int64_t phases = int64_t(barrier.counts.phase);
  int64_t phase = known + ((known & 1) != parity);
  if (phases > phase + 1 && w.checks().phases)
    throw Fault{"mbar-lapped",
                fmt::format("waits for phase {} of {} by parity {}, but phase {} is complete as well: the parity says "
                            "nothing any more",
                            phase, describeMbarrier(cta, barrier), parity, phases - 1),
                {},
                int(lane)};
  // With the check off, what the hardware would say.
  return phases > phase + 1 ? ((phases & 1) != parity ? phases - 1 : phases) : phase;
}

/// Which lanes find their phase complete. `only` is the mbarrier if all lanes name the same.
static Mask completeLanes(Warp &w, const Op &op, Mask lanes, Mbarrier *&only) {
  Named names = named(w, op, lanes);
  if (w.checks().poison)
    w.requireDefined(op, op.b, lanes, op.form->parity ? "a parity" : "the token of an mbarrier");
  Mask complete = 0;
  Mbarrier *barrier = nullptr, *acquired = nullptr;
  bool first = true;
  int64_t known = -1;
  for (unsigned lane : lanesOf(lanes)) {
    names.actor.lane = lane;
    SharedPlace place = names.place(w, op, lane);
    // Most often all lanes ask for the same.
    bool same = barrier && place.cta == &w.block() && barrier->address == place.offset;
    if (!same && (barrier = mbarrierAt(w, names.actor, place)))
      known = barrier->knownTo(w.clocks);
    if (!barrier)
      continue;
    only = first || only == barrier ? barrier : nullptr;
    first = false;
    int64_t phase = awaited(w, op, *place.cta, *barrier, known, lane);
    if (int64_t(barrier->counts.phase) <= phase)
      continue;
    complete |= Mask(1) << lane;
    barrier->learn(w.clocks, phase);
    if (op.form->semantics != Semantics::Relaxed && phase >= 0 && barrier != acquired)
      barrier->frozen.leave(w.clocks);
    acquired = barrier;
  }
  return complete;
}

void mbarrierTestWait(Warp &w, const Op &op, Mask lanes) {
  Mbarrier *only = nullptr;
  Mask complete = completeLanes(w, op, lanes, only);
  w.registers.setPredicate(op.dst, lanes, complete, 0);
  if (complete != lanes)
    w.yieldSoon();
}

void mbarrierTryWait(Warp &w, const Op &op, Mask lanes) {
  Launch &launch = w.context();
  // It may give up at any time, so under most seeds it sometimes does.
  if (launch.options.seed && w.spurious < kMaxSpurious &&
      launch.draw(Draw::Spurious, w.block().linear, ++w.block().event) % 8 == 0) {
    named(w, op, lanes);
    ++w.spurious;
    w.registers.setPredicate(op.dst, lanes, 0, 0);
    w.yieldSoon();
    return;
  }
  w.spurious = 0;
  Mbarrier *only = nullptr;
  Mask complete = completeLanes(w, op, lanes, only);
  w.registers.setPredicate(op.dst, lanes, complete, 0);
  if (complete == lanes)
    return;
  w.yieldSoon();
  if (only)
    w.park(op, *only, lanes & ~complete);
}

void mbarrierPendingCount(Warp &w, const Op &op, Mask lanes) {
  uint32_t *destination = w.registers.write(op.dst);
  const uint64_t *token = w.registers.read64(op.a);
  for (unsigned lane : lanesOf(lanes))
    destination[lane] = uint32_t(token[lane] & ((1u << kTokenBits) - 1));
  w.registers.setPoison(op.dst, lanes, w.registers.poison(op.a));
}

} // namespace async

namespace memory {

/// Initialisations by these lanes are known to copies from now on.
static void publish(Warp &w, Mask lanes) {
  for (Mbarrier &barrier : w.block().mbarriers.all)
    barrier.published |= barrier.live && barrier.initWarp == w.clocks.warp && (lanes >> barrier.initLane & 1);
}

void proxyFence(Warp &w, const Op &op, Mask lanes) {
  if (op.form->space == Space::Global)
    return;
  w.clocks.proxyFence(lanes);
  publish(w, lanes);
}

void mbarrierInitFence(Warp &w, const Op &, Mask lanes) { publish(w, lanes); }

} // namespace memory

} // namespace attn::sim
