// SPDX-License-Identifier: Apache-2.0
// Instructions by which the lanes of a warp exchange values: shfl, vote, match, redux, elect, and the special
// registers.
#include "runtime/sim/Grid.h"
#include "runtime/sim/Handlers.h"
#include "runtime/sim/Warp.h"

#include <bit>
#include <fmt/format.h>

namespace attn::sim {

static constexpr unsigned kMultiprocessors = 16, kMaxWarpIds = 64;

static bool has(const Op &op, char letter) {
  static constexpr char letters[] = "abcedq";
  for (unsigned i = 0; letters[i]; ++i)
    if (letters[i] == letter)
      return op.present >> i & 1;
  return false;
}

namespace warp {

namespace {
/// What the lanes that meet bring along; they may stand at different instructions.
struct Gathered {
  uint64_t values[kLanes];
  Mask poison = 0;
};
} // namespace

static Gathered gather(Warp &w, Row Op::*operand, bool wide) {
  Gathered result{};
  for (const Warp::Party &party : w.parties()) {
    Row row = (*party.op).*operand;
    for (unsigned lane : lanesOf(party.lanes))
      result.values[lane] = w.registers.value(row, wide, lane);
    result.poison |= w.registers.poison(row) & party.lanes;
  }
  return result;
}

/// The lane that lane `lane` reads from, and whether it is inside its segment.
static unsigned shuffleSource(Mode mode, unsigned lane, uint32_t b, uint32_t c, bool &inside) {
  unsigned clamp = c & 31, segment = c >> 8 & 31, delta = b & 31;
  unsigned last = (lane & segment) | (clamp & ~segment), first = lane & segment;
  int source = 0;
  switch (mode) {
  case Mode::Up:
    source = int(lane) - int(delta);
    inside = source >= int(last);
    break;
  case Mode::Down:
    source = int(lane + delta);
    inside = source <= int(last);
    break;
  case Mode::Bfly:
    source = int(lane ^ delta);
    inside = source <= int(last);
    break;
  default:
    source = int(first | (delta & ~segment));
    inside = source <= int(last);
    break;
  }
  return inside ? unsigned(source) : lane;
}

void shuffle(Warp &w, const Op &first, Mask lanes) {
  uint32_t values[kLanes];
  Mask sourcePoison = 0;
  for (const Warp::Party &party : w.parties()) {
    const uint32_t *source = w.registers.read(party.op->a);
    for (unsigned lane : lanesOf(party.lanes))
      values[lane] = source[lane];
    sourcePoison |= w.registers.poison(party.op->a) & party.lanes;
  }
  for (const Warp::Party &party : w.parties()) {
    const Op &op = *party.op;
    if (w.checks().poison) {
      w.requireDefined(op, op.b, party.lanes, "the lane of a shuffle");
      w.requireDefined(op, op.c, party.lanes, "the clamp of a shuffle");
    }
    const uint32_t *b = w.registers.read(op.b), *c = w.registers.read(op.c);
    uint32_t result[kLanes];
    Mask poison = 0, ok = 0;
    for (unsigned lane = 0; lane < kLanes; ++lane) {
      bool inside = false;
      unsigned source = shuffleSource(op.form->mode, lane, b[lane], c[lane], inside);
      ok |= Mask(inside) << lane;
      // A lane that does not take part gives nothing.
      bool absent = !(lanes >> source & 1);
      result[lane] = absent ? 0 : values[source];
      poison |= Mask(absent || (sourcePoison >> source & 1)) << lane;
    }
    uint32_t *destination = w.registers.write(op.dst);
    for (unsigned lane : lanesOf(party.lanes))
      destination[lane] = result[lane];
    w.registers.setPoison(op.dst, party.lanes, poison);
    if (has(op, 'q'))
      w.registers.setPredicate(op.dst2, party.lanes, ok, 0);
  }
}

void vote(Warp &w, const Op &first, Mask lanes) {
  Mask value = 0, poison = 0;
  for (const Warp::Party &party : w.parties()) {
    Mask mine = w.registers.predicate(party.op->a);
    value |= (party.op->negated & 1 ? ~mine : mine) & party.lanes;
    poison |= w.registers.predicatePoison(party.op->a) & party.lanes;
  }
  for (const Warp::Party &party : w.parties()) {
    const Op &op = *party.op;
    Mask undefined = poison ? party.lanes : 0;
    if (op.form->reduce == Reduce::Ballot) {
      uint32_t *destination = w.registers.write(op.dst);
      for (unsigned lane : lanesOf(party.lanes))
        destination[lane] = value;
      w.registers.setPoison(op.dst, party.lanes, undefined);
      continue;
    }
    bool result = op.form->reduce == Reduce::Any   ? value != 0
                  : op.form->reduce == Reduce::All ? value == lanes
                                                   : value == 0 || value == lanes;
    w.registers.setPredicate(op.dst, party.lanes, result ? kAllLanes : 0, undefined);
  }
}

void match(Warp &w, const Op &first, Mask lanes) {
  bool wide = bitWidth(first.form->type()) == 64;
  Gathered values = gather(w, &Op::a, wide);
  for (const Warp::Party &party : w.parties()) {
    const Op &op = *party.op;
    uint32_t *destination = w.registers.write(op.dst);
    Mask same = 0;
    for (unsigned lane : lanesOf(party.lanes)) {
      Mask equal = 0;
      for (unsigned other = 0; other < kLanes; ++other)
        if (lanes >> other & 1)
          equal |= Mask(values.values[other] == values.values[lane]) << other;
      bool all = equal == lanes;
      same |= Mask(all) << lane;
      destination[lane] = op.form->reduce == Reduce::All ? (all ? lanes : 0) : equal;
    }
    w.registers.setPoison(op.dst, party.lanes, values.poison ? party.lanes : 0);
    if (has(op, 'q'))
      w.registers.setPredicate(op.dst2, party.lanes, same, values.poison ? party.lanes : 0);
  }
}

static uint32_t combine(Reduce operation, bool isSignedType, uint32_t a, uint32_t b) {
  switch (operation) {
  case Reduce::Add:
    return a + b;
  case Reduce::Min:
    return (isSignedType ? int32_t(a) < int32_t(b) : a < b) ? a : b;
  case Reduce::Max:
    return (isSignedType ? int32_t(a) > int32_t(b) : a > b) ? a : b;
  case Reduce::And:
    return a & b;
  case Reduce::Or:
    return a | b;
  default:
    return a ^ b;
  }
}

void reduce(Warp &w, const Op &first, Mask lanes) {
  Gathered values = gather(w, &Op::a, false);
  bool started = false;
  uint32_t result = 0;
  for (unsigned lane : lanesOf(lanes)) {
    uint32_t value = uint32_t(values.values[lane]);
    result = started ? combine(first.form->reduce, isSigned(first.form->type()), result, value) : value;
    started = true;
  }
  for (const Warp::Party &party : w.parties()) {
    uint32_t *destination = w.registers.write(party.op->dst);
    for (unsigned lane : lanesOf(party.lanes))
      destination[lane] = result;
    w.registers.setPoison(party.op->dst, party.lanes, values.poison ? party.lanes : 0);
  }
}

void elect(Warp &w, const Op &first, Mask lanes) {
  // Any lane may be the leader, the same one each time for a mask.
  unsigned leader = unsigned(std::countr_zero(lanes));
  if (w.context().options.seed) {
    unsigned skip = unsigned(w.context().draw(Draw::Leader, 0, lanes) % unsigned(std::popcount(lanes)));
    Mask left = lanes;
    for (; skip; --skip)
      left &= left - 1;
    leader = unsigned(std::countr_zero(left));
  }
  for (const Warp::Party &party : w.parties()) {
    const Op &op = *party.op;
    if (op.dst != kNoRow) {
      uint32_t *destination = w.registers.write(op.dst);
      for (unsigned lane : lanesOf(party.lanes))
        destination[lane] = leader;
      w.registers.setPoison(op.dst, party.lanes, 0);
    }
    if (op.dst2 != kNoRow)
      w.registers.setPredicate(op.dst2, party.lanes, Mask(1) << leader, 0);
  }
}

void activeMask(Warp &w, const Op &op, Mask lanes) {
  uint32_t *destination = w.registers.write(op.dst);
  for (unsigned lane : lanesOf(lanes))
    destination[lane] = lanes;
  w.registers.setPoison(op.dst, lanes, 0);
}

void synchronize(Warp &w, const Op &, Mask) {
  // It orders the lanes, and nothing besides: a warp is one actor. A new epoch tells what came before it.
  w.clocks.advance();
  w.clocks.wroteShared = 0;
}

//===-- Special registers
//--------------------------------------------------------------------------------------------===//

/// Positions: of the thread, the CTA, and the cluster.
static bool positionValue(Warp &w, Special which, unsigned lane, uint64_t &value) {
  const Launch &launch = w.context();
  const Cta &cta = w.block();
  const Dim3 &block = launch.block, &grid = launch.grid;
  const unsigned thread = w.number() * kLanes + lane;
  const uint32_t inCta[4][3] = {{thread % block.x, thread / block.x % block.y, thread / block.x / block.y},
                                {block.x, block.y, block.z},
                                {cta.x, cta.y, cta.z},
                                {grid.x, grid.y, grid.z}};
  const uint32_t size = launch.cluster;
  const uint32_t inCluster[4][3] = {
      {cta.x / size, cta.y, cta.z}, {grid.x / size, grid.y, grid.z}, {cta.x % size, 0, 0}, {size, 1, 1}};
  const unsigned index = unsigned(which), first = unsigned(Special::ClusterIdX);
  if (which <= Special::NctaidZ)
    value = inCta[index / 3][index % 3];
  else if (which >= Special::ClusterIdX && which <= Special::ClusterNctaidZ)
    value = inCluster[(index - first) / 3][(index - first) % 3];
  else
    return false;
  return true;
}

static uint64_t specialValue(Warp &w, Special which, unsigned lane) {
  const Launch &launch = w.context();
  uint64_t value = 0;
  if (positionValue(w, which, lane, value))
    return value;
  const Mask self = Mask(1) << lane, below = self - 1;
  switch (which) {
  case Special::LaneId:
    return lane;
  // Neither says anything reliable, so they are made useless: legal values that follow no order.
  case Special::WarpId:
    return (w.number() + launch.draw(Draw::WarpId, w.block().linear, 0)) % w.block().warpCount;
  case Special::SmId:
    return launch.draw(Draw::WarpId, w.block().linear, 1) % kMultiprocessors;
  case Special::NsmId:
    return kMultiprocessors;
  case Special::NwarpId:
    return kMaxWarpIds;
  case Special::LanemaskEq:
    return self;
  case Special::LanemaskLt:
    return below;
  case Special::LanemaskLe:
    return below | self;
  case Special::LanemaskGt:
    return Mask(~(below | self));
  case Special::LanemaskGe:
    return Mask(~below);
  case Special::ClusterNctarank:
    return launch.cluster;
  case Special::ClusterCtarank:
    return w.block().rank;
  case Special::DynamicSmemSize:
    return launch.dynamicShared;
  case Special::TotalSmemSize:
  case Special::AggrSmemSize:
    return launch.layout.size;
  case Special::Clock:
  case Special::Clock64:
  case Special::GlobalTimer:
  case Special::GlobalTimerLo:
    return w.tick();
  case Special::ClockHi:
  case Special::GlobalTimerHi:
    return w.tick() >> 32;
  default:
    return 0;
  }
}

void special(Warp &w, const Op &op, Mask lanes) {
  bool wide = w.isWide(op, op.dst);
  for (unsigned lane : lanesOf(lanes))
    w.registers.setValue(op.dst, wide, lane, specialValue(w, Special(op.imm), lane));
  w.registers.setPoison(op.dst, lanes, 0);
}

} // namespace warp

namespace control {

void branch(Warp &w, const Op &op, Mask lanes) { w.branch(lanes, uint32_t(op.imm)); }

void branchIndexed(Warp &w, const Op &op, Mask lanes) {
  if (w.checks().poison)
    w.requireDefined(op, op.a, lanes, "the index of a branch");
  const std::vector<uint32_t> &targets = w.context().module.branchTables[op.imm].targets;
  const uint32_t *index = w.registers.read(op.a);
  uint32_t chosen[kLanes];
  for (unsigned lane = 0; lane < kLanes; ++lane)
    chosen[lane] = lanes >> lane & 1 ? index[lane] : 0;
  while (lanes) {
    unsigned lane = unsigned(std::countr_zero(lanes));
    if (chosen[lane] >= targets.size())
      throw Fault{
          "param", fmt::format("expects an index below {}, got {}", targets.size(), chosen[lane]), {}, int(lane)};
    Mask same = 0;
    for (unsigned other = 0; other < kLanes; ++other)
      same |= Mask(chosen[other] == chosen[lane]) << other;
    same &= lanes;
    w.branch(same, targets[chosen[lane]]);
    lanes &= ~same;
  }
}

void ret(Warp &w, const Op &, Mask lanes) { w.ret(lanes); }
void exit(Warp &w, const Op &, Mask lanes) { w.exit(lanes); }
void trap(Warp &, const Op &, Mask) { throw Fault{"trap", "the kernel executes a trap"}; }
void nop(Warp &, const Op &, Mask) {}

} // namespace control

} // namespace attn::sim
