// SPDX-License-Identifier: Apache-2.0
// The scheduler: which CTAs are alive, which warp runs next, and what to say when none can.
#include "runtime/sim/Grid.h"
#include "runtime/Error.h"

#include <algorithm>
#include <bit>
#include <fmt/format.h>
#include <numeric>
#include <set>

namespace attn::sim {

static constexpr uint64_t kQuantum = 64;
/// Instructions without a store, an arrival or an exit anywhere after which a launch is given up.
static constexpr uint64_t kIdleLimit = uint64_t(1) << 26;
/// CTAs alive at once under other seeds than 0, at most.
static constexpr uint32_t kSeededResident = 4;

void startPool(const Launch &launch, Cta &cta);
Issued pendingCopyAt(const void *owner, uint32_t address);

uint64_t Launch::draw(Draw purpose, uint32_t cta, uint64_t event) const {
  // splitmix64 over everything the number depends on.
  uint64_t state = options.seed;
  auto mix = [&](uint64_t value) {
    state += value * 0x9e3779b97f4a7c15 + 0x9e3779b97f4a7c15;
    state = (state ^ state >> 30) * 0xbf58476d1ce4e5b9;
    state = (state ^ state >> 27) * 0x94d049bb133111eb;
    state ^= state >> 31;
  };
  mix(uint64_t(purpose));
  mix(cta);
  mix(event);
  return state;
}

/// Chooses how many CTAs live at once, and their order.
void Grid::plan() {
  const LaunchOptions &options = launch.options;
  total = uint32_t(launch.grid.count());
  const uint32_t clusters = total / launch.cluster;
  residentLimit = options.resident;
  if (!residentLimit)
    residentLimit = options.seed ? 1 + uint32_t(launch.draw(Draw::Resident, 0, 0) % kSeededResident) : 1;
  if (options.cooperative)
    residentLimit = total;
  CtaOrder order = options.order;
  if (order == CtaOrder::FromSeed)
    order = options.seed ? CtaOrder(uint8_t(CtaOrder::Linear) + launch.draw(Draw::Order, 0, 0) % 3) : CtaOrder::Linear;
  if (order == CtaOrder::Linear)
    return;
  shuffled.resize(clusters);
  std::iota(shuffled.begin(), shuffled.end(), 0u);
  if (order == CtaOrder::Reversed)
    std::reverse(shuffled.begin(), shuffled.end());
  else
    for (uint32_t i = clusters; i > 1; --i)
      std::swap(shuffled[i - 1], shuffled[launch.draw(Draw::Cta, 0, i) % i]);
}

uint32_t Grid::ctaAt(uint32_t position) const { return shuffled.empty() ? position : shuffled[position]; }

void Grid::admit() {
  const uint32_t size = launch.cluster;
  while (started < total && (resident.empty() || resident.size() + size <= residentLimit)) {
    startCluster(ctaAt(started / size) * size);
    started += size;
  }
}

/// Starts the CTAs of a cluster at once: from one epoch on, as they share their clocks.
void Grid::startCluster(uint32_t first) {
  auto cluster = std::make_shared<Cluster>();
  Epoch epoch = 0;
  for (uint32_t rank = 0; rank < launch.cluster; ++rank) {
    std::unique_ptr<Cta> cta;
    if (!idle.empty()) {
      cta = std::move(idle.back());
      idle.pop_back();
    } else {
      cta = std::make_unique<Cta>();
    }
    if (launch.cluster > 1)
      epoch = std::max(epoch, cta->shared.lastEpoch());
    cta->cluster = cluster;
    cta->rank = rank;
    cluster->members.push_back(cta.get());
    resident.push_back(std::move(cta));
  }
  for (Cta *cta : cluster->members)
    startCta(*cta, first + cta->rank, epoch);
}

void Grid::startCta(Cta &cta, uint32_t linear, Epoch epoch) {
  const Dim3 &grid = launch.grid;
  cta.linear = linear;
  cta.x = linear % grid.x;
  cta.y = linear / grid.x % grid.y;
  cta.z = linear / grid.x / grid.y;
  uint64_t threads = launch.block.count();
  cta.warpCount = cta.warpsLeft = unsigned((threads + kLanes - 1) / kLanes);
  if (cta.warps.size() != cta.warpCount)
    cta.warps = std::vector<Warp>(cta.warpCount);
  for (NamedBarrier &barrier : cta.barriers)
    barrier = NamedBarrier();
  cta.mbarriers.clear();
  cta.bulk.clear();
  cta.quanta = 0;
  cta.serial = 0;
  cta.event = 0;
  cta.turn = cta.warpCount - 1;
  cta.shared.copyAt = pendingCopyAt;
  cta.shared.copyOwner = &cta;
  startPool(launch, cta);
  epoch = cta.shared.start(launch.layout, kSharedWindowStart, cta.warpCount * launch.cluster, launch.options.checks,
                           launch.options.laneOrder, epoch);
  cta.firstEpoch = epoch;
  for (unsigned i = 0; i < cta.warpCount; ++i) {
    uint64_t here = std::min<uint64_t>(kLanes, threads - uint64_t(i) * kLanes);
    cta.warps[i].start(launch, cta, i, here == kLanes ? kAllLanes : (Mask(1) << here) - 1, epoch);
  }
}

void Grid::finishCta(Cta &cta) {
  try {
    finishBulk(cta);
  } catch (const Fault &fault) {
    report(fault, &cta, nullptr);
  }
  for (unsigned i = 0; i < cta.warpCount; ++i)
    for (Cta *member : cta.cluster->members)
      if (member)
        member->shared.finish(cta.warps[i].clocks);
  for (Cta *member : cta.cluster->members)
    for (unsigned i = 0; member && i < member->warpCount; ++i)
      cta.shared.finish(member->warps[i].clocks);
  cta.cluster->members[cta.rank] = nullptr;
  cta.cluster = nullptr;
  auto found = std::find_if(resident.begin(), resident.end(), [&](const auto &c) { return c.get() == &cta; });
  idle.push_back(std::move(*found));
  resident.erase(found);
}

/// The next warp of a CTA that can run, if there is one.
Warp *Grid::pickWarp(Cta &cta) {
  unsigned first = cta.turn + 1;
  if (launch.options.seed)
    first = unsigned(launch.draw(Draw::Warp, cta.linear, ++cta.event) % cta.warpCount);
  for (unsigned i = 0; i < cta.warpCount; ++i) {
    unsigned index = (first + i) % cta.warpCount;
    if (cta.warps[index].runnable()) {
      cta.turn = index;
      return &cta.warps[index];
    }
  }
  return nullptr;
}

void Grid::runQuantum(Cta &cta, Warp &warp) {
  const LaunchOptions &options = launch.options;
  uint64_t quantum = options.seed ? 1 + launch.draw(Draw::Quantum, cta.linear, ++cta.event) % kQuantum : kQuantum;
  uint64_t progress = launch.progress;
  try {
    launch.executed += warp.run(quantum);
    ++cta.quanta;
    if (options.seed && !cta.bulk.pending.empty())
      landDue(cta);
  } catch (const Fault &fault) {
    report(fault, &cta, &warp);
  } catch (const ScalarFault &fault) {
    report({"param", fault.message, {}, std::countr_zero(fault.lanes)}, &cta, &warp);
  }
  if (launch.progress != progress)
    launch.progressedAt = launch.executed;
  if (launch.executed > options.instructionLimit)
    report({"limit", fmt::format("the launch has executed {} instructions, its limit", options.instructionLimit)}, &cta,
           &warp);
  if (launch.executed - launch.progressedAt > kIdleLimit)
    report(
        {"deadlock", fmt::format("{} instructions have been executed without any store, arrival or exit", kIdleLimit)},
        &cta, &warp);
}

Warp *Grid::landUntilRunnable(Cta &cta) {
  try {
    while (landOne(cta))
      if (Warp *warp = pickWarp(cta))
        return warp;
  } catch (const Fault &fault) {
    report(fault, &cta, nullptr);
  }
  return nullptr;
}

/// Times that warps which wait for mbarriers are sent on without one having changed.
static constexpr unsigned kNudges = 4;

/// Waits for mbarriers may give up at any time. False if that has been tried and led nowhere.
bool Grid::nudge() {
  if (nudgedAt != launch.progress)
    nudges = 0;
  nudgedAt = launch.progress;
  bool any = false;
  if (nudges++ < kNudges)
    for (const auto &cta : resident)
      for (unsigned i = 0; i < cta->warpCount; ++i)
        any |= cta->warps[i].nudge();
  return any;
}

void Grid::run() {
  plan();
  for (;;) {
    admit();
    if (resident.empty())
      return;
    size_t first =
        launch.options.seed ? launch.draw(Draw::Cta, 1, ++rounds) % resident.size() : turn++ % resident.size();
    Cta *cta = nullptr;
    Warp *warp = nullptr;
    const uint64_t before = launch.progress;
    for (size_t i = 0; i < resident.size() && !warp; ++i) {
      cta = resident[(first + i) % resident.size()].get();
      warp = pickWarp(*cta);
      if (!warp)
        warp = landUntilRunnable(*cta);
    }
    if (!warp) {
      // What has landed may have woken a CTA that was looked at earlier.
      if (launch.progress != before || nudge())
        continue;
      if (started < total && !launch.options.checks.coresident) {
        residentLimit = total;
        continue;
      }
      reportStuck();
    }
    runQuantum(*cta, *warp);
    if (!cta->warpsLeft)
      finishCta(*cta);
  }
}

//===-- Reports
//------------------------------------------------------------------------------------------------------===//

static std::string note(const Launch &launch, uint32_t pc, const std::string &text) {
  if (pc == kNoPc || pc >= launch.module.ops.size())
    return fmt::format("\n{}: note: {}", launch.module.file, text);
  return fmt::format("\n{}:{}: note: {}", launch.module.file, launch.module.ops[pc].line, text);
}

void Grid::report(const Fault &fault, const Cta *cta, const Warp *warp) {
  uint32_t pc = fault.pc != kNoPc ? fault.pc : warp ? warp->currentPc() : kNoPc;
  std::string text = launch.module.file;
  if (pc != kNoPc && pc < launch.module.ops.size())
    text += fmt::format(":{}:{}", launch.module.ops[pc].line, launch.module.ops[pc].column);
  text += fmt::format(": error: {} [{}]", fault.sentence, fault.id);
  for (const Fault::Note &other : fault.notes)
    text += note(launch, other.pc, other.text);
  std::string where;
  if (cta)
    where = fmt::format("in CTA ({},{},{}) of '{}'", cta->x, cta->y, cta->z, launch.entry.name);
  if (warp) {
    where += fmt::format(", warp {}", warp->number());
    if (fault.lane >= 0) {
      unsigned thread = warp->number() * kLanes + unsigned(fault.lane);
      const Dim3 &block = launch.block;
      where += fmt::format(", lane {} (thread ({},{},{}))", fault.lane, thread % block.x, thread / block.x % block.y,
                           thread / block.x / block.y);
    }
  }
  if (!where.empty())
    text += note(launch, pc, fmt::format("{}, seed {}", where, launch.options.seed));
  throw Error(std::move(text));
}

/// What is missing at a barrier: "barrier 2: 128 of 256 threads have arrived (warps 0-3)".
static std::string describeBarrier(const Cta &cta, uint32_t id) {
  const NamedBarrier &barrier = cta.barriers[id];
  auto warps = [](uint32_t mask) {
    std::string text;
    for (unsigned i = 0; i < 32; ++i)
      if (mask >> i & 1)
        text += fmt::format("{}{}", text.empty() ? "" : " ", i);
    return text;
  };
  uint32_t exited = 0;
  for (unsigned i = 0; i < cta.warpCount; ++i)
    exited |= uint32_t(cta.warps[i].done()) << i;
  std::string text =
      fmt::format("barrier {}: {} of {} threads have arrived (warps {})", id, barrier.arrived,
                  barrier.expected ? barrier.expected : cta.warpsLeft * kLanes, warps(barrier.arrivedWarps));
  if (exited)
    text += fmt::format("; warps {} have exited", warps(exited));
  return text;
}

void Grid::reportStuck() {
  std::vector<Fault::Note> notes;
  const Cta *firstCta = nullptr;
  const Warp *spinning = nullptr, *firstWarp = nullptr;
  for (const auto &cta : resident) {
    uint32_t barriers = 0;
    std::set<uint32_t> mbarriers;
    for (unsigned i = 0; i < cta->warpCount; ++i) {
      const Warp &warp = cta->warps[i];
      if (warp.done())
        continue;
      if (!firstWarp) {
        firstWarp = &warp;
        firstCta = cta.get();
      }
      if (warp.waitingFor() == Warp::Wait::Spin && !spinning) {
        spinning = firstWarp = &warp;
        firstCta = cta.get();
      }
      if (warp.waitingFor() == Warp::Wait::Barrier)
        barriers |= 1u << warp.barrier;
      if (warp.waitingFor() == Warp::Wait::Mbarrier)
        mbarriers.insert(warp.mbarrierWaitedFor());
      // A few warps tell the story.
      if (notes.size() < 64)
        notes.push_back(
            {kNoPc, fmt::format("CTA ({},{},{}) warp {}: {}{}", cta->x, cta->y, cta->z, warp.number(), warp.position(),
                                warp.waitingFor() == Warp::Wait::Spin ? ", spinning" : "")});
    }
    for (uint32_t id = 0; id < 16; ++id)
      if (barriers >> id & 1)
        notes.push_back({kNoPc, describeBarrier(*cta, id)});
    if (std::string pool = describePool(*cta); !pool.empty())
      notes.push_back({kNoPc, std::move(pool)});
    for (uint32_t address : mbarriers)
      if (const Mbarrier *barrier = cta->mbarriers.find(address))
        notes.push_back(
            {kNoPc, fmt::format("{}: phase {}, {} of {} arrivals pending, {} transaction bytes still expected",
                                describeMbarrier(*cta, *barrier), barrier->counts.phase, barrier->counts.pending,
                                barrier->counts.expected, barrier->counts.bytes)});
  }
  if (spinning && started < total)
    report(
        {"coresident",
         fmt::format("waits for a change of memory while {} CTAs are resident and all wait; {} have not started: the "
                     "kernel needs co-residency it did not ask for",
                     resident.size(), total - started),
         std::move(notes)},
        firstCta, firstWarp);
  report({"deadlock", "no warp can go on", std::move(notes)}, firstCta, firstWarp);
}

} // namespace attn::sim
