// SPDX-License-Identifier: Apache-2.0
// Happens-before between CTAs: strong accesses, fences, and the rules for words of global memory.
#include "runtime/sim/Fault.h"
#include "runtime/sim/Memory.h"
#include "runtime/sim/Order.h"

#include <algorithm>
#include <fmt/format.h>

namespace attn::sim {

static void joinInto(SharedGridClock &clock, const GridClock &other, uint32_t except) {
  auto result = clock ? std::make_shared<GridClock>(*clock) : std::make_shared<GridClock>();
  for (const auto &[cta, epochs] : other) {
    if (cta == except)
      continue;
    auto &mine = (*result)[cta];
    for (unsigned i = 0; i < kActors; ++i)
      mine[i] = std::max(mine[i], epochs[i]);
  }
  clock = std::move(result);
}

static bool includes(const SharedGridClock &clock, const GlobalPage::Touch &touch) {
  if (!clock)
    return false;
  auto entry = clock->find(touch.cta);
  return entry != clock->end() && entry->second[touch.actor()] >= touch.epoch;
}

std::string GlobalOrder::ctaName(uint32_t cta) const {
  return fmt::format("CTA ({},{},{})", cta % grid.x, cta / grid.x % grid.y, cta / grid.x / grid.y);
}

GlobalOrder::Touch GlobalOrder::record(const Actor &actor, uint32_t mask, Strength strength) {
  return {actor.clocks->cta, actor.when(),
          actor.pc | (actor.who() & 31) << kPcBits | uint32_t(strength.strongInCta()) << 24 |
              uint32_t(strength.strong()) << 25 | mask << 26 | actor.who() >> 5 << 30};
}

void GlobalOrder::fail(const Actor &actor, const Touch &other, const Place &place, bool otherWrote, bool writes) const {
  bool flagRead = otherWrote && !writes && includes(actor.clocks->gridUnfenced, other);
  auto named = [&](uint32_t cta, unsigned who) {
    return who < kWarpActors ? fmt::format("warp {} of {}", who, ctaName(cta)) : "a copy of " + ctaName(cta);
  };
  auto party = [&](uint32_t cta, unsigned who) {
    return other.cta == actor.clocks->cta ? named(cta, who) : ctaName(cta);
  };
  std::string text = fmt::format("word {} is {} by {} and was {} by {} without order between them",
                                 place.memory.describe(place.address), writes ? "written" : "read",
                                 party(actor.clocks->cta, actor.who()), otherWrote ? "written" : "read",
                                 party(other.cta, other.actor()));
  if (flagRead)
    text = fmt::format("word {} was written by {}, whose flag {} has read, but without acquire or a fence after that",
                       place.memory.describe(place.address), ctaName(other.cta), ctaName(actor.clocks->cta));
  throw Fault{
      flagRead ? "acquire-missing" : "race-global",
      std::move(text),
      {{other.pc(), fmt::format("{} {} it here", named(other.cta, other.actor()), otherWrote ? "writes" : "reads")}},
      int(actor.lane)};
}

void GlobalOrder::check(const Actor &actor, const Touch &other, uint32_t mask, Strength strength, const Place &place,
                        bool otherWrote, bool writes) const {
  if (other.epoch == 0 || !(other.mask() & mask))
    return;
  const WarpClocks &clocks = *actor.clocks;
  if (strength.strong() && other.strong())
    return;
  if (other.cta == clocks.cta && strength.strongInCta() && other.strongInCta())
    return;
  bool ordered =
      (other.cta / clocks.cluster == clocks.cta / clocks.cluster && other.epoch <= clocks.seen.at[other.actor()]) ||
      (other.cta != clocks.cta && includes(clocks.gridSeen, other));
  if (!ordered && checks.raceGlobal)
    fail(actor, other, place, otherWrote, writes);
}

/// Keeps `touch` as the record, moving what it would hide to the side list. `ordered`: everything of those bytes that
/// was recorded before happens before it.
static void remember(GlobalPage::Touch &record, std::vector<GlobalPage::Touch> *side, const GlobalPage::Touch &touch) {
  bool many = record.many();
  bool same = record.epoch == 0 || (record.cta == touch.cta && record.actor() == touch.actor());
  GlobalPage::Touch old = record;
  record = touch;
  if (same)
    record.info |= old.info & 15u << 26;
  else
    side->push_back(old);
  if (many || !same)
    record.info |= 1u << 31;
}

void GlobalOrder::read(const Actor &actor, Word &word, uint32_t mask, Strength strength, const Place &place) {
  check(actor, word.writer, mask, strength, place, true, false);
  if (word.writer.many())
    for (const Touch &other : more[&word].writers)
      check(actor, other, mask, strength, place, true, false);
  Touch mine = record(actor, mask, strength);
  Touch &last = word.reader;
  if (last.epoch == 0 || (last.cta == mine.cta && last.actor() == mine.actor())) {
    remember(last, nullptr, mine);
    return;
  }
  std::vector<Touch> &side = more[&word].readers;
  std::erase_if(side, [&](const Touch &t) { return t.cta == mine.cta && t.actor() == mine.actor(); });
  remember(last, &side, mine);
}

void GlobalOrder::write(const Actor &actor, Word &word, uint32_t mask, Strength strength, const Place &place) {
  check(actor, word.writer, mask, strength, place, true, true);
  check(actor, word.reader, mask, strength, place, false, true);
  bool many = word.writer.many() || word.reader.many();
  if (many) {
    Others &others = more[&word];
    for (const Touch &other : others.writers)
      check(actor, other, mask, strength, place, true, true);
    for (const Touch &other : others.readers)
      check(actor, other, mask, strength, place, false, true);
    // What this write covers is ordered before it and need not be asked about again.
    std::erase_if(others.writers, [&](const Touch &t) { return !(t.mask() & ~mask); });
    std::erase_if(others.readers, [&](const Touch &t) { return !(t.mask() & ~mask); });
    if (others.readers.empty())
      word.reader.info &= ~(1u << 31);
    if (others.writers.empty())
      word.writer.info &= ~(1u << 31);
  }
  if (!(word.reader.mask() & ~mask) && !word.reader.many())
    word.reader = Touch();
  Touch mine = record(actor, mask, strength);
  if (!(word.writer.mask() & ~mask) && !word.writer.many())
    word.writer = mine;
  else if (word.writer.cta == mine.cta && word.writer.actor() == mine.actor())
    remember(word.writer, nullptr, mine);
  else
    remember(word.writer, &more[&word].writers, mine);
}

void GlobalOrder::acquire(WarpClocks &warp, const SharedGridClock &clock, bool wholeGrid, bool now) {
  if (!clock)
    return;
  if (!now) {
    joinInto(warp.gridUnfenced, *clock, ~0u);
    return;
  }
  if (auto own = clock->find(warp.cta); own != clock->end())
    for (unsigned i = 0; i < kActors; ++i)
      if (i != warp.warp)
        warp.seen.at[i] = std::max(warp.seen.at[i], own->second[i]);
  if (wholeGrid && clock->size() > clock->count(warp.cta))
    joinInto(warp.gridSeen, *clock, warp.cta);
}

/// `own` and what was seen of other CTAs, as one clock.
static SharedGridClock published(const WarpClocks &warp, const Clock &own, const SharedGridClock &others) {
  auto result = others ? std::make_shared<GridClock>(*others) : std::make_shared<GridClock>();
  std::copy_n(own.at.begin(), kActors, (*result)[warp.cta].begin());
  return result;
}

void GlobalOrder::synchronise(WarpClocks &warp, uint64_t key, bool reads, bool writes, Strength strength) {
  if (strength.semantics <= Semantics::Weak)
    return;
  bool wholeDevice = strength.strong();
  if (reads) {
    if (auto found = releases.find(key); found != releases.end() && (wholeDevice || found->second.cta == warp.cta))
      acquire(warp, found->second.clock, wholeDevice, strength.acquires());
    if (auto found = localReleases.find(key); found != localReleases.end())
      if (auto own = found->second.find(warp.cta); own != found->second.end())
        acquire(warp, own->second, true, strength.acquires());
  }
  if (!writes)
    return;
  // The common counters and sums publish nothing and leave alone what others have published.
  if (!strength.releases() && !warp.everFenced) {
    if (!reads) {
      releases.erase(key);
      localReleases.erase(key);
    }
    return;
  }
  SharedGridClock local = published(warp, strength.releases() ? warp.seen : warp.fencedLocal, warp.gridSeen);
  SharedGridClock &here = localReleases[key][warp.cta];
  if (reads && here)
    joinInto(here, *local, ~0u);
  else
    here = local;
  if (wholeDevice) {
    SharedGridClock clock =
        strength.releases() ? published(warp, warp.seen, warp.gridSeen) : published(warp, warp.fenced, warp.gridFenced);
    Release &release = releases[key];
    // A read-modify-write carries on what earlier writes of the word have published; a plain write ends that.
    if (reads && release.clock)
      joinInto(release.clock, *clock, ~0u);
    else
      release.clock = clock;
    release.cta = warp.cta;
  } else {
    releases.erase(key);
  }
  if (strength.releases())
    warp.advance();
}

void GlobalOrder::fence(WarpClocks &warp, Scope scope) {
  bool wholeDevice = scope >= Scope::Gpu;
  if (warp.gridUnfenced) {
    SharedGridClock pending = warp.gridUnfenced;
    acquire(warp, pending, wholeDevice, true);
    if (wholeDevice)
      warp.gridUnfenced = nullptr;
  }
  warp.everFenced = true;
  warp.fencedLocal = warp.seen;
  if (wholeDevice) {
    warp.fenced = warp.seen;
    warp.gridFenced = warp.gridSeen;
  }
  warp.advance();
}

} // namespace attn::sim
