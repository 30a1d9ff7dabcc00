// SPDX-License-Identifier: Apache-2.0
// How a warp runs: the uniform fast path, diverged groups, and instructions that wait for other lanes.
#include "runtime/sim/Warp.h"
#include "runtime/sim/Grid.h"
#include "runtime/sim/Handlers.h"
#include "runtime/sim/Mbarrier.h"

#include <algorithm>
#include <bit>
#include <fmt/format.h>

namespace attn::sim {

/// A group that has run this many steps while another could is held back once, so that lanes may wait for each other.
static constexpr uint32_t kFairSteps = 1024;
static constexpr size_t kMaxCallDepth = 64;

void Warp::start(Launch &newLaunch, Cta &newCta, unsigned number, Mask lanes, Epoch epoch) {
  launch = &newLaunch;
  cta = &newCta;
  ops = launch->module.ops.data();
  registers.reset(launch->module.rowCount, launch->module.predicateCount, launch->module.constants);
  index = number;
  clocks.start(newCta.linear, newCta.rank * newCta.warpCount + number, newCta.warpCount, epoch);
  clocks.cluster = launch->cluster;
  clusterArrived = false;
  clusterPhase = 0;
  local.reset(launch->entry.frameBytes);
  copies.reset();
  products.reset();
  live = lanes;
  blocked = 0;
  wait = Wait::None;
  uniform = true;
  pc0 = at = launch->entry.begin;
  streak = 0;
  waiting.clear();
  meeting.clear();
  barrierOp = nullptr;
  spurious = 0;
  bulkGroups.fill(0);
  parkedLanes = held = 0;
  for (auto &stack : stacks)
    stack.clear();
  poisonLoads.clear();
  ownProgress = lastProgress = 0;
  backward = 0;
}

const Checks &Warp::checks() const { return launch->options.checks; }

Actor Warp::actor(const Op &op) { return {&clocks, pcOf(op), 0, cta->serial}; }

inline Mask Warp::guarded(const Op &op, Mask here) {
  if (Mask poison = registers.predicatePoison(op.guard) & here; poison && checks().poison) [[unlikely]]
    failPoison(op, op.guard, true, poison, op.flags & FlagBranch ? "the condition of a branch" : "a guard");
  Mask value = registers.predicate(op.guard);
  return (op.guardNegated ? ~value : value) & here;
}

uint64_t Warp::run(uint64_t limit) {
  uint64_t steps = 0;
  uint64_t *counts = launch->counts.data();
  const uint8_t *falls = launch->falls.data();
  const bool traced = launch->trace != nullptr;
  switchSoon = false;
  while (steps < limit && live && wait == Wait::None && !switchSoon) {
    ++steps;
    if (!uniform) [[unlikely]] {
      stepDiverged();
      continue;
    }
    at = pc0;
    const Op &op = ops[at];
    if (!op.scalar) {
      ++counts[at];
      execute(op, live);
      continue;
    }
    ++counts[at];
    Mask lanes = op.guard == kNoPredicate ? live : guarded(op, live);
    if (lanes) {
      if (op.flags & FlagProduct) [[unlikely]]
        checkProductRegisters(*this, op);
      op.scalar(registers, op, lanes);
    }
    if (traced) [[unlikely]]
      traceLine(op, lanes);
    pc0 = at + 1;
    if (falls[pc0]) [[unlikely]]
      ret(live);
  }
  return steps;
}

/// Runs the group with the lowest program counter, with two exceptions: fairness, and the option to draw the group.
void Warp::stepDiverged() {
  Mask ready = live & ~blocked;
  if (!ready)
    failStuck();
  if (held) {
    if (!(ready & ~held)) {
      wait = Wait::Mbarrier;
      return;
    }
    ready &= ~held;
  }
  bool random = launch->options.divergeRandom && (ops[at].flags & FlagBranch);
  uint32_t chosen = ~0u;
  for (unsigned lane : lanesOf(ready))
    chosen = std::min(chosen, pc[lane]);
  auto groupAt = [&](uint32_t where) {
    Mask group = 0;
    for (unsigned lane = 0; lane < kLanes; ++lane)
      group |= Mask(pc[lane] == where) << lane;
    return group & ready;
  };
  Mask here = groupAt(chosen);
  if (here != ready && (random || ++streak >= kFairSteps)) {
    streak = 0;
    Mask candidates = random ? ready : ready & ~here;
    unsigned lane = random ? unsigned(launch->draw(Draw::Divergence, cta->linear, ++cta->event) % kLanes) : 0;
    while (!(candidates >> lane & 1))
      lane = (lane + 1) % kLanes;
    here = groupAt(pc[lane]);
    chosen = pc[lane];
  }
  at = chosen;
  ++launch->counts[at];
  execute(ops[at], here);
  converge();
}

void Warp::execute(const Op &op, Mask here) {
  ++cta->serial;
  Mask lanes = op.guard == kNoPredicate ? here : guarded(op, here);
  if ((op.flags & FlagProduct) && lanes)
    checkProductRegisters(*this, op);
  if (op.flags & (FlagSync | FlagAligned)) {
    collective(op, here, lanes);
    return;
  }
  jump(here, at + 1);
  if (launch->options.fine && (op.flags & (FlagMemory | FlagAsync)))
    switchSoon = true;
  if (lanes) {
    if (op.scalar)
      op.scalar(registers, op, lanes);
    else
      op.handler(*this, op, lanes);
  }
  if (launch->trace) [[unlikely]]
    traceLine(op, lanes);
  fall(op.flags & FlagBranch ? here & ~lanes : here, pcOf(op) + 1);
}

void Warp::park(const Op &op, const Mbarrier &barrier, Mask lanes) {
  wait = Wait::Mbarrier;
  barrierOp = &op;
  parkedLanes = lanes;
  parkedMbarrier = barrier.address;
  held = 0;
}

void Warp::wake(const Mbarrier &barrier) {
  if (!waitsForMbarrier(barrier.address))
    return;
  if (wait == Wait::Mbarrier)
    wait = Wait::None;
  parkedLanes = held = 0;
}

bool Warp::nudge() {
  if (wait != Wait::Mbarrier)
    return false;
  wait = Wait::None;
  held = !held && !uniform && (live & ~blocked & ~parkedLanes) ? parkedLanes : 0;
  if (!held)
    parkedLanes = 0;
  return true;
}

//===-- Program counters
//---------------------------------------------------------------------------------------------===//

void Warp::diverge() {
  uniform = false;
  pc.fill(pc0);
}

void Warp::converge() {
  if (uniform || !live || (blocked & live))
    return;
  uint32_t first = pc[std::countr_zero(live)];
  for (unsigned lane = 0; lane < kLanes; ++lane)
    if ((live >> lane & 1) && pc[lane] != first)
      return;
  uniform = true;
  pc0 = first;
  streak = 0;
  held = 0;
}

void Warp::jump(Mask lanes, uint32_t target) {
  if (target <= at) [[unlikely]]
    checkSpin();
  if (uniform) {
    if (lanes == live) {
      pc0 = target;
      return;
    }
    diverge();
  }
  for (unsigned lane : lanesOf(lanes))
    pc[lane] = target;
}

/// Lanes that run into the end of their function return from it.
void Warp::fall(Mask lanes, uint32_t into) {
  if (launch->falls[into] && (lanes & live)) [[unlikely]]
    ret(lanes & live);
}

void Warp::branch(Mask lanes, uint32_t target) {
  if (launch->falls[target]) [[unlikely]]
    ret(lanes);
  else
    jump(lanes, target);
}

void Warp::exit(Mask lanes) {
  live &= ~lanes;
  blocked &= live;
  if (!live) {
    --cta->warpsLeft;
    progressed();
    productsAfterExit(*this);
    barriersAfterExit(*cta);
    clusterAfterExit(*cta);
    return;
  }
  // Lanes that wait need no longer wait for these.
  for (size_t i = 0; i < waiting.size();)
    i = tryComplete(i) ? 0 : i + 1;
}

void Warp::saveRegisters(const Function &function, unsigned lane, Frame &frame) const {
  for (const OperandUse &r : function.saved) {
    frame.saved.push_back(r.predicate ? registers.predicate(r.row) >> lane & 1 : registers.value(r.row, r.wide, lane));
    frame.poison.push_back((r.predicate ? registers.predicatePoison(r.row) : registers.poison(r.row)) >> lane & 1);
  }
}

void Warp::restoreRegisters(const Function &function, unsigned lane, const Frame &frame) {
  const Mask here = Mask(1) << lane;
  for (size_t i = 0; i < function.saved.size(); ++i) {
    const OperandUse &r = function.saved[i];
    const Mask poison = frame.poison[i] ? here : 0;
    if (r.predicate) {
      registers.setPredicate(r.row, here, frame.saved[i] ? here : 0, poison);
    } else {
      registers.setValue(r.row, r.wide, lane, frame.saved[i]);
      registers.setPoison(r.row, here, poison);
    }
  }
}

void Warp::call(const Op &op, Mask lanes) {
  const CallSite &site = launch->module.calls[op.imm];
  const Function &callee = launch->module.functions[site.function];
  const Function &caller = launch->module.functions[launch->module.functionOf(pcOf(op))];
  for (unsigned lane : lanesOf(lanes)) {
    if (stacks[lane].size() >= kMaxCallDepth)
      throw Fault{
          "param", fmt::format("call of '{}' is nested deeper than {}", callee.name, kMaxCallDepth), {}, int(lane)};
    uint32_t old = local.base(lane);
    uint32_t base = local.push(lane, callee.frameBytes);
    for (const CallSite::Copy &copy : site.arguments)
      local.copy(lane, base + copy.callee, old + copy.caller, copy.size);
    stacks[lane].push_back({pcOf(op) + 1, uint32_t(op.imm), old, {}, {}});
    saveRegisters(caller, lane, stacks[lane].back());
  }
  jump(lanes, callee.begin);
}

void Warp::ret(Mask lanes) {
  Mask leaving = 0;
  for (unsigned lane = 0; lane < kLanes; ++lane)
    if ((lanes >> lane & 1) && stacks[lane].empty())
      leaving |= Mask(1) << lane;
  if (leaving == lanes) {
    exit(lanes);
    return;
  }
  if (uniform)
    diverge();
  for (unsigned lane : lanesOf(lanes & ~leaving)) {
    const Frame frame = std::move(stacks[lane].back());
    stacks[lane].pop_back();
    restoreRegisters(launch->module.functions[launch->module.functionOf(frame.returnTo - 1)], lane, frame);
    uint32_t base = local.base(lane);
    for (const CallSite::Copy &copy : launch->module.calls[frame.callSite].results)
      local.copy(lane, frame.oldBase + copy.caller, base + copy.callee, copy.size);
    local.pop(lane, frame.oldBase);
    pc[lane] = frame.returnTo;
  }
  if (leaving)
    exit(leaving);
  converge();
}

//===-- Instructions that wait for other lanes
//-----------------------------------------------------------------------===//

/// The register with the membership mask, kNoRow if all lanes are members.
Row Warp::membership(const Op &op) const {
  if (op.handler == warp::shuffle)
    return op.e;
  if (op.handler == warp::vote || op.handler == warp::match || op.handler == warp::reduce)
    return op.b;
  if (op.handler == warp::elect || op.handler == warp::synchronize)
    return op.a;
  return kNoRow;
}

void Warp::collective(const Op &op, Mask here, Mask lanes) {
  if (launch->options.fine)
    switchSoon = true;
  Row row = op.flags & FlagAligned ? kNoRow : membership(op);
  if ((op.flags & FlagAligned) && lanes && lanes != here && checks().aligned)
    throw Fault{"aligned", fmt::format("expects a guard that is equal in all lanes, got true in {} and false in {}",
                                       laneRange(lanes), laneRange(here & ~lanes))};
  if (lanes != here) {
    jump(here & ~lanes, at + 1);
    fall(here & ~lanes, at + 1);
    if (!lanes)
      return;
  }
  while (lanes) {
    unsigned lane = unsigned(std::countr_zero(lanes));
    Mask members = kAllLanes, same = lanes;
    if (row != kNoRow) {
      if (checks().poison)
        requireDefined(op, row, lanes, "a membership mask");
      const uint32_t *values = registers.read(row);
      members = values[lane];
      if (row >= 0)
        for (unsigned other = 0; other < kLanes; ++other)
          if (values[other] != members)
            same &= ~(Mask(1) << other);
      if ((same & ~members) && checks().collectives)
        throw Fault{"aligned",
                    fmt::format("executing {} not in the membership mask {:#x}", laneRange(same & ~members), members)};
      members |= same;
    }
    lanes &= ~same;
    if (same == (members & live) || (!checks().aligned && (op.flags & FlagAligned))) [[likely]] {
      meeting.assign(1, Party{&op, same});
      jump(same, at + 1);
      op.handler(*this, op, same);
      if (launch->trace) [[unlikely]]
        traceLine(op, same);
      fall(same, pcOf(op) + 1);
    } else {
      arrive(op, members, same);
    }
  }
}

void Warp::arrive(const Op &op, Mask need, Mask lanes) {
  if (uniform)
    diverge();
  blocked |= lanes;
  for (size_t i = 0; i < waiting.size(); ++i)
    if (waiting[i].op == &op && waiting[i].need == need) {
      waiting[i].lanes |= lanes;
      tryComplete(i);
      return;
    }
  waiting.push_back({&op, need, lanes});
  tryComplete(waiting.size() - 1);
}

/// Runs the instruction if all its members are there. They may be at different places of the program unless it is
/// `.aligned`.
bool Warp::tryComplete(size_t index) {
  Waiting entry = waiting[index];
  bool aligned = entry.op->flags & FlagAligned;
  auto compatible = [&](const Waiting &other) {
    return aligned ? other.op == entry.op : other.op->form == entry.op->form && other.need == entry.need;
  };
  Mask present = 0;
  for (const Waiting &other : waiting)
    if (compatible(other))
      present |= other.lanes;
  present &= live;
  if (!present) {
    std::erase_if(waiting, compatible);
    return true;
  }
  if ((entry.need & live) & ~present)
    return false;
  meeting.clear();
  for (const Waiting &other : waiting)
    if (compatible(other) && (other.lanes & live))
      meeting.push_back({other.op, other.lanes & live});
  std::erase_if(waiting, compatible);
  blocked &= ~present;
  std::vector<Party> parties = meeting;
  for (const Party &party : parties)
    jump(party.lanes, pcOf(*party.op) + 1);
  const Op &op = *parties[0].op;
  at = pcOf(op);
  op.handler(*this, op, present);
  if (launch->trace)
    traceLine(op, present);
  for (const Party &party : parties)
    fall(party.lanes, pcOf(*party.op) + 1);
  return true;
}

//===-- Values for handlers
//------------------------------------------------------------------------------------------===//

void Warp::addresses(const Op &op, Row base, bool wide, uint64_t offset, Mask lanes, uint64_t *out) {
  if (base == kNoRow) {
    std::fill(out, out + kLanes, offset);
    return;
  }
  if (checks().poison)
    requireDefined(op, base, lanes, "an address");
  if (wide) {
    const uint64_t *values = registers.read64(base);
    for (unsigned lane = 0; lane < kLanes; ++lane)
      out[lane] = values[lane] + offset;
  } else {
    const uint32_t *values = registers.read(base);
    for (unsigned lane = 0; lane < kLanes; ++lane)
      out[lane] = uint32_t(values[lane] + uint32_t(offset));
  }
}

uint64_t Warp::uniformValue(const Op &op, Row row, bool wide, Mask lanes, const char *what) {
  if (checks().poison)
    requireDefined(op, row, lanes, what);
  uint64_t first = registers.value(row, wide, unsigned(std::countr_zero(lanes)));
  for (unsigned lane = 0; lane < kLanes; ++lane)
    if ((lanes >> lane & 1) && registers.value(row, wide, lane) != first)
      throw Fault{"aligned",
                  fmt::format("expects {} to be equal in all lanes, got {} and {}", what, first,
                              registers.value(row, wide, lane)),
                  {},
                  int(lane)};
  return first;
}

bool Warp::isWide(const Op &op, Row row) const {
  const OperandUses &uses = launch->module.opUses[pcOf(op)];
  for (unsigned i = 0; i < unsigned(uses.writes) + uses.reads; ++i) {
    const OperandUse &use = launch->module.uses[uses.first + i];
    if (!use.predicate && use.row == row)
      return use.wide;
  }
  return false;
}

} // namespace attn::sim
