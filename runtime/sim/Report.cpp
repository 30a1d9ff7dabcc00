// SPDX-License-Identifier: Apache-2.0
// What a warp says about itself: poison and where it came from, lanes that cannot go on, spinning, traces.
#include "runtime/sim/Grid.h"
#include "runtime/sim/Warp.h"

#include <algorithm>
#include <bit>
#include <fmt/format.h>
#include <set>

namespace attn::sim {

/// Registers looked at for the origin of an uninitialised value.
static constexpr size_t kMaxExplained = 4096;

/// "lanes 0-15, 17"
std::string Warp::laneRange(Mask lanes) {
  std::string text = std::popcount(lanes) == 1 ? "lane" : "lanes";
  for (unsigned lane = 0; lane < kLanes; ++lane) {
    if (!(lanes >> lane & 1) || (lane && (lanes >> (lane - 1) & 1)))
      continue;
    unsigned end = lane;
    while (end + 1 < kLanes && (lanes >> (end + 1) & 1))
      ++end;
    text += text.back() == 'e' || text.back() == 's' ? " " : ", ";
    text += end == lane ? fmt::format("{}", lane) : fmt::format("{}-{}", lane, end);
  }
  return text;
}

std::string Warp::position() const {
  std::string text;
  Mask left = live;
  while (left) {
    uint32_t where = uniform ? pc0 : pc[unsigned(std::countr_zero(left))];
    Mask here = 0;
    for (unsigned lane = 0; lane < kLanes; ++lane)
      here |= Mask((uniform ? pc0 : pc[lane]) == where) << lane;
    here &= left;
    // A warp that has arrived at a barrier stands behind it.
    const Op &op = barrierOp && (wait == Wait::Barrier || (wait != Wait::None && (here & parkedLanes)))
                       ? *barrierOp
                       : ops[std::min(size_t(where), launch->module.ops.size() - 1)];
    text += fmt::format("{}{} at line {} ({})", text.empty() ? "" : ", ", laneRange(here), op.line, op.form->text);
    left &= ~here;
  }
  return text;
}

void Warp::failStuck() {
  std::vector<Fault::Note> notes;
  for (const Waiting &entry : waiting)
    notes.push_back({pcOf(*entry.op), fmt::format("{} wait here", laneRange(entry.lanes & live))});
  if (!waiting.empty())
    at = pcOf(*waiting.front().op);
  throw Fault{"aligned", fmt::format("warp {} cannot go on: {}", number(), position()), std::move(notes)};
}

//===-- Poison
//-------------------------------------------------------------------------------------------------------===//

void Warp::notePoison(const Op &op, unsigned lane, uint64_t address) {
  if (poisonLoads.empty())
    poisonLoads.assign(launch->module.ops.size(), 0);
  poisonLoads[pcOf(op)] = uint64_t(lane + 1) << 56 | (address & ((uint64_t(1) << 56) - 1));
}

void Warp::failPoison(const Op &op, int32_t index, bool predicate, Mask lanes, const char *what) {
  unsigned lane = unsigned(std::countr_zero(lanes));
  std::string name = launch->module.registerName(pcOf(op), index, predicate);
  Fault fault{"poison-use",
              fmt::format("{} depends on an uninitialised value ({} in {})", what, name, laneRange(lanes)),
              {},
              int(lane)};
  explainPoison(pcOf(op), index, predicate, lane, fault);
  throw fault;
}

/// Says where a load of this instruction found nothing, and how that came about.
void Warp::explainLoad(uint32_t load, Fault &fault) const {
  uint64_t address = poisonLoads[load] & ((uint64_t(1) << 56) - 1);
  bool shared = address < kSharedWindow;
  std::string from = address >= kGlobalStart ? launch->memory.describe(address)
                     : shared                ? launch->layout.describe(uint32_t(address))
                                             : fmt::format("{:#x}", address);
  fault.notes.push_back(
      {load, fmt::format("lane {} loads uninitialised bytes here, at {}", (poisonLoads[load] >> 56) - 1, from)});
  if (!shared || ops[load].form->space == Space::Local)
    return;
  uint32_t writer = cta->shared.writerOf(uint32_t(address));
  if (writer == kNoPc) {
    fault.notes.push_back({kNoPc, fmt::format("nothing has been stored at {} before", from)});
    return;
  }
  fault.notes.push_back({writer, "they were stored here"});
  for (unsigned i = 0; i < cta->warpCount; ++i) {
    const std::vector<uint64_t> &loads = cta->warps[i].poisonLoads;
    if (!loads.empty() && loads[writer] && ops[writer].handler != ops[load].handler) {
      uint64_t source = loads[writer] & ((uint64_t(1) << 56) - 1);
      fault.notes.push_back({writer, fmt::format("and copied from {}", launch->memory.describe(source))});
      return;
    }
  }
}

/// Whether an instruction writes the register.
static bool writesRegister(const Module &module, uint32_t pc, std::pair<int32_t, bool> which) {
  const OperandUses &uses = module.opUses[pc];
  const OperandUse *all = module.uses.data() + uses.first;
  return std::any_of(all, all + uses.writes,
                     [&](const OperandUse &use) { return use.row == which.first && use.predicate == which.second; });
}

/// Follows the definitions of a register backwards, through registers that are poison now, to loads that gave poison.
void Warp::explainPoison(uint32_t where, int32_t index, bool predicate, unsigned lane, Fault &fault) const {
  const Module &module = launch->module;
  const Function &function = module.functions[module.functionOf(where)];
  std::vector<std::pair<int32_t, bool>> work = {{index, predicate}};
  std::set<std::pair<int32_t, bool>> seen(work.begin(), work.end());
  while (!work.empty() && seen.size() < kMaxExplained) {
    std::pair<int32_t, bool> which = work.back();
    work.pop_back();
    bool defined = false;
    for (uint32_t i = function.begin; i < function.end; ++i) {
      if (!writesRegister(module, i, which))
        continue;
      defined |= launch->counts[i] != 0;
      if (!poisonLoads.empty() && poisonLoads[i])
        return explainLoad(i, fault);
      const OperandUses &uses = module.opUses[i];
      for (unsigned j = uses.writes; j < unsigned(uses.writes) + uses.reads; ++j) {
        const OperandUse &use = module.uses[uses.first + j];
        Mask poison = use.predicate ? registers.predicatePoison(use.row) : registers.poison(use.row);
        if ((poison >> lane & 1) && seen.insert({use.row, use.predicate}).second)
          work.push_back({use.row, use.predicate});
      }
    }
    if (!defined) {
      std::string name = module.registerName(where, which.first, which.second);
      fault.notes.push_back({kNoPc, fmt::format("{} was never written", name)});
      return;
    }
  }
}

//===-- Spinning
//-----------------------------------------------------------------------------------------------------===//

/// Visits of backward branches without any effect after which a warp is watched.
static constexpr uint32_t kSpinVisits = 64;
/// Longest period, in visits, of a loop that is recognised.
static constexpr uint32_t kSpinPeriod = 8;

void Warp::progressed() {
  ++ownProgress;
  ++launch->progress;
}

uint64_t Warp::tick() { return launch->clock += 1 + launch->options.seed % 97; }

bool Warp::runnable() {
  if (wait == Wait::Spin && parkedAt != launch->progress)
    wait = Wait::None;
  return live && wait == Wait::None;
}

uint64_t Warp::hashState() const {
  uint64_t hash = 0xcbf29ce484222325;
  auto mix = [&](uint64_t value) { hash = (hash ^ value) * 0x100000001b3; };
  for (size_t row = kFirstRow; row < registers.rowCount(); ++row)
    if (launch->timed.empty() || !launch->timed[row])
      for (unsigned lane = 0; lane < kLanes; ++lane)
        mix(registers.read(Row(row))[lane]);
  for (size_t i = 0; i < registers.predicateCount(); ++i)
    mix(registers.predicate(Predicate(i)));
  mix(at);
  for (unsigned lane = 0; lane < kLanes && !uniform; ++lane)
    mix(pc[lane]);
  return hash;
}

/// A warp whose state repeats with nothing but loads in between can only be helped by others: it steps aside.
void Warp::checkSpin() {
  if (ownProgress != lastProgress) {
    lastProgress = ownProgress;
    backward = 0;
    return;
  }
  if (++backward < kSpinVisits)
    return;
  bool remember = std::has_single_bit(backward);
  if (!remember && backward - std::bit_floor(backward) > kSpinPeriod)
    return;
  uint64_t hash = hashState();
  if (remember) {
    spinHash = hash;
    return;
  }
  if (hash != spinHash)
    return;
  wait = Wait::Spin;
  parkedAt = launch->progress;
  backward = 0;
}

//===-- Trace
//--------------------------------------------------------------------------------------------------------===//

void Warp::traceLine(const Op &op, Mask lanes) {
  std::FILE *file = launch->trace;
  uint32_t where = pcOf(op);
  fmt::print(file, "{} {} {} {} {:08x} {}", cta->linear, number(), where, op.line, lanes, op.form->text);
  const OperandUses &uses = launch->module.opUses[where];
  for (unsigned i = 0; i < uses.writes && lanes; ++i) {
    const OperandUse &use = launch->module.uses[uses.first + i];
    std::string name = launch->module.registerName(where, use.row, use.predicate);
    if (use.predicate) {
      fmt::print(file, " {}={:08x}", name, registers.predicate(use.row) & lanes);
      continue;
    }
    if (use.row < kFirstRow)
      continue;
    uint64_t hash = 0xcbf29ce484222325;
    for (unsigned lane : lanesOf(lanes))
      hash = (hash ^ registers.value(use.row, use.wide, lane)) * 0x100000001b3;
    unsigned first = unsigned(std::countr_zero(lanes));
    fmt::print(file, " {}={:x}/{:08x}", name, registers.value(use.row, use.wide, first), uint32_t(hash >> 32));
  }
  fmt::print(file, "\n");
}

} // namespace attn::sim
