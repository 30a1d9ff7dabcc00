// SPDX-License-Identifier: Apache-2.0
// The counts of mbarriers: every interleaving of few actors against the rules, told in another way.
#include "runtime/sim/Mbarrier.h"
#include "test/unit/Test.h"

#include <vector>

using attn::sim::MbarrierCounts;
using Outcome = MbarrierCounts::Outcome;

namespace {

/// What one actor does to an mbarrier.
struct Step {
  enum Kind { Arrive, ArriveExpect, Expect, Complete, Drop } kind;
  uint32_t amount;
};

/// A phase is the list of what happened in it; whether it is over is asked of the list, not of counters.
struct History {
  uint32_t members;
  uint64_t phase = 0;
  std::vector<Step> steps;

  Outcome add(Step step) {
    steps.push_back(step);
    int64_t arrivals = 0, bytes = 0, dropped = 0;
    for (const Step &s : steps) {
      arrivals += s.kind == Step::Arrive ? s.amount : s.kind == Step::ArriveExpect || s.kind == Step::Drop ? 1 : 0;
      bytes += s.kind == Step::Expect || s.kind == Step::ArriveExpect ? int64_t(s.amount) : 0;
      bytes -= s.kind == Step::Complete ? int64_t(s.amount) : 0;
      dropped += s.kind == Step::Drop;
    }
    if (arrivals > int64_t(members))
      return Outcome::TooManyArrivals;
    if (arrivals < int64_t(members) || bytes != 0)
      return Outcome::Stays;
    members -= uint32_t(dropped);
    steps.clear();
    ++phase;
    return Outcome::Completes;
  }
};

Outcome apply(MbarrierCounts &counts, Step step) {
  switch (step.kind) {
  case Step::Arrive:
    return counts.arrive(step.amount);
  case Step::ArriveExpect:
    return counts.arriveExpecting(step.amount);
  case Step::Expect:
    return counts.expect(step.amount);
  case Step::Complete:
    return counts.complete(step.amount);
  case Step::Drop:
    return counts.arriveAndDrop(1, 0);
  }
  return Outcome::Stays;
}

/// Runs all interleavings from here on; returns their number.
uint64_t interleave(const std::vector<std::vector<Step>> &actors, std::vector<size_t> at, MbarrierCounts counts,
                    History history) {
  uint64_t runs = 0;
  bool done = true;
  for (size_t actor = 0; actor < actors.size(); ++actor) {
    if (at[actor] == actors[actor].size())
      continue;
    done = false;
    MbarrierCounts next = counts;
    History after = history;
    Outcome got = apply(next, actors[actor][at[actor]]), wanted = after.add(actors[actor][at[actor]]);
    EXPECT(got == wanted);
    EXPECT_EQ(next.phase, after.phase);
    if (got != wanted || wanted == Outcome::TooManyArrivals) {
      ++runs;
      continue;
    }
    if (wanted == Outcome::Completes)
      EXPECT_EQ(next.expected, after.members);
    std::vector<size_t> further = at;
    ++further[actor];
    runs += interleave(actors, further, next, after);
  }
  return runs + done;
}

uint64_t all(uint32_t members, const std::vector<std::vector<Step>> &actors) {
  MbarrierCounts counts;
  counts.init(members);
  return interleave(actors, std::vector<size_t>(actors.size()), counts, {members, 0, {}});
}

} // namespace

TEST(mbarrierInterleavings) {
  using S = Step;
  // A producer that announces bytes, the engine that delivers them, a consumer: two phases.
  EXPECT(all(1, {{{S::ArriveExpect, 48}, {S::ArriveExpect, 16}},
                 {{S::Complete, 32}, {S::Complete, 16}, {S::Complete, 16}}}) > 3);
  all(2, {{{S::Expect, 16}, {S::Arrive, 1}, {S::Arrive, 1}},
          {{S::Complete, 16}, {S::Complete, 8}},
          {{S::ArriveExpect, 8}, {S::Arrive, 1}, {S::Arrive, 1}}});
  all(3, {{{S::Arrive, 2}, {S::Drop, 1}, {S::Arrive, 1}, {S::Arrive, 1}},
          {{S::Arrive, 1}, {S::Arrive, 1}, {S::Expect, 4}, {S::Arrive, 1}},
          {{S::Complete, 4}, {S::Arrive, 1}}});
  all(1, {{{S::Drop, 1}, {S::Arrive, 1}}, {{S::Complete, 3}, {S::Expect, 3}}});
}

TEST(mbarrierLimits) {
  MbarrierCounts counts;
  counts.init(2);
  EXPECT(counts.expect((1 << 20) - 1) == Outcome::Stays);
  EXPECT(counts.expect(1) == Outcome::TooManyBytes);
  counts.init(2);
  EXPECT(counts.complete((1 << 20) - 1) == Outcome::Stays);
  EXPECT(counts.complete(1) == Outcome::TooManyBytes);
  counts.init(2);
  EXPECT(counts.arrive(3) == Outcome::TooManyArrivals);
}
