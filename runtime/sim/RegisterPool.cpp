// SPDX-License-Identifier: Apache-2.0
// setmaxnreg: warps hand registers to each other through a pool of the CTA.
#include "runtime/sim/Grid.h"
#include "runtime/sim/Handlers.h"
#include "runtime/sim/Warp.h"

#include <algorithm>
#include <fmt/format.h>

namespace attn::sim {

/// Registers of a multiprocessor, and of a thread at most when a kernel starts.
static constexpr uint32_t kRegisters = 65536, kMaxAtStart = 248;
static constexpr unsigned kGroupWarps = 4;

/// Registers of a thread when the kernel starts; 0 if the kernel does not determine it.
static uint32_t registersAtStart(const Launch &launch) {
  const Function &entry = launch.entry;
  bool threads = entry.maxntid[0] || entry.reqntid[0];
  if (entry.maxnreg)
    return threads ? entry.maxnreg : 0;
  if (!threads || !entry.minnctapersm)
    return 0;
  uint64_t most = kRegisters / (launch.block.count() * entry.minnctapersm) / 8 * 8;
  return uint32_t(std::min<uint64_t>(most, kMaxAtStart));
}

void startPool(const Launch &launch, Cta &cta) {
  cta.pool.free = 0;
  cta.pool.held.fill(registersAtStart(launch));
  cta.pool.wanted.fill(0);
  for (std::vector<uint32_t> &history : cta.pool.history)
    history.clear();
}

/// The four warps of a warpgroup execute the same sequence of setmaxnreg.
static void checkGroup(Warp &w, const Op &op) {
  RegisterPool &pool = w.block().pool;
  std::vector<uint32_t> &mine = pool.history[w.number()];
  mine.push_back(w.pcOf(op));
  unsigned first = w.number() / kGroupWarps * kGroupWarps;
  for (unsigned i = first; i < std::min(first + kGroupWarps, w.block().warpCount); ++i)
    if (pool.history[i].size() >= mine.size() && pool.history[i][mine.size() - 1] != mine.back() && w.checks().aligned)
      throw Fault{"aligned",
                  fmt::format("warps {} and {} of a warpgroup execute different setmaxnreg", i, w.number()),
                  {{pool.history[i][mine.size() - 1], fmt::format("warp {} executes this one", i)}}};
}

static bool take(RegisterPool &pool, unsigned warp, uint32_t count) {
  uint32_t more = (count - pool.held[warp]) * kLanes;
  if (more > pool.free)
    return false;
  pool.free -= more;
  pool.held[warp] = count;
  pool.wanted[warp] = 0;
  return true;
}

std::string describePool(const Cta &cta) {
  uint32_t wanted = 0;
  for (unsigned i = 0; i < cta.warpCount; ++i)
    if (cta.pool.wanted[i])
      wanted += (cta.pool.wanted[i] - cta.pool.held[i]) * kLanes;
  return wanted ? fmt::format("setmaxnreg pool: wants {} registers, {} free", wanted, cta.pool.free) : std::string();
}

namespace grid {

void setMaxRegisters(Warp &w, const Op &op, Mask) {
  Cta &cta = w.block();
  RegisterPool &pool = cta.pool;
  const uint32_t count = w.registers.read(op.a)[0], held = pool.held[w.number()];
  const bool more = op.form->reduce == Reduce::Inc;
  if (count % 8 || count < 24 || count > 256)
    throw Fault{"param", fmt::format("expects a multiple of 8 from 24 to 256, got {}", count)};
  if (!held)
    throw Fault{"param", "setmaxnreg has no effect: the kernel determines no register count at entry, expects .maxntid "
                         "or .reqntid, and .minnctapersm or .maxnreg"};
  if (more ? count < held : count > held)
    throw Fault{"param", fmt::format("expects at {} {} registers, got {}", more ? "least" : "most", held, count)};
  checkGroup(w, op);
  w.progressed();
  if (more) {
    if (!take(pool, w.number(), count)) {
      pool.wanted[w.number()] = count;
      w.barrierOp = &op;
      w.waitFor(Warp::Wait::Registers);
    }
    return;
  }
  pool.free += (held - count) * kLanes;
  pool.held[w.number()] = count;
  for (unsigned i = 0; i < cta.warpCount; ++i)
    if (pool.wanted[i] && take(pool, i, pool.wanted[i]))
      cta.warps[i].release();
}

} // namespace grid

} // namespace attn::sim
