// SPDX-License-Identifier: Apache-2.0
// Happens-before within a CTA: clocks, barriers, and the rules for words of shared memory.
#include "runtime/sim/Order.h"
#include "runtime/sim/Fault.h"

#include <algorithm>
#include <cstring>
#include <fmt/format.h>

namespace attn::sim {

void WarpClocks::start(uint32_t ctaIndex, uint32_t warpIndex, unsigned warps, Epoch base) {
  *this = WarpClocks();
  cta = ctaIndex;
  warp = warpIndex;
  // All that earlier CTAs did with this memory is over. The split actor stays at 0.
  for (unsigned actor = 0; actor < kSplitActor; ++actor)
    seen.at[actor] = proxied.at[actor] = base - 1;
  seen.at[warp] = base;
}

static SharedGridClock joined(const SharedGridClock &a, const SharedGridClock &b) {
  if (!a || a == b)
    return b;
  if (!b)
    return a;
  auto result = std::make_shared<GridClock>(*a);
  for (const auto &[cta, epochs] : *b) {
    auto &mine = (*result)[cta];
    for (unsigned i = 0; i < kActors; ++i)
      mine[i] = std::max(mine[i], epochs[i]);
  }
  return result;
}

void Meeting::arrive(WarpClocks &warp) {
  seen.join(warp.seen);
  proxied.join(warp.proxied);
  fenced.join(warp.fenced);
  fencedLocal.join(warp.fencedLocal);
  everFenced |= warp.everFenced;
  gridSeen = joined(gridSeen, warp.gridSeen);
  gridFenced = joined(gridFenced, warp.gridFenced);
  warp.advance();
}

void Meeting::leave(WarpClocks &warp) const {
  warp.seen.join(seen);
  warp.proxied.join(proxied);
  warp.fenced.join(fenced);
  warp.fencedLocal.join(fencedLocal);
  warp.everFenced |= everFenced;
  warp.gridSeen = joined(warp.gridSeen, gridSeen);
  warp.gridFenced = joined(warp.gridFenced, gridFenced);
}

std::string SharedLayout::describe(uint32_t offset) const {
  const Variable *best = nullptr;
  for (const Variable &variable : variables)
    if (variable.offset <= offset &&
        (!best || variable.offset > best->offset || (variable.offset == best->offset && variable.size > best->size)))
      best = &variable;
  if (!best)
    return fmt::format("shared address {}", offset);
  return fmt::format("{}+{}", best->name, offset - best->offset);
}

Epoch SharedOrder::start(const SharedLayout &newLayout, unsigned warpCount, const Checks &newChecks, bool lanes,
                         Epoch after) {
  layout = &newLayout;
  checks = newChecks;
  byLane = lanes;
  size_t words = (newLayout.size + 3) / 4;
  last = std::max(lastEpoch(), after);
  // Epochs grow for ever within one memory; long before they overflow, begin anew.
  if (last > (1u << 30) || words != writers.size() || warpCount != warps) {
    writers.assign(words, Writer());
    reads.assign(warpCount, std::vector<uint64_t>(words, 0));
    splitWriters.clear();
    splitReadBytes.clear();
    splitWords.clear();
    splitFree.clear();
    last = after;
  }
  for (uint32_t word : splitWords)
    if (isSplit(word)) {
      splitFree.push_back(writers[word].epoch - 1);
      writers[word] = Writer();
    }
  splitWords.clear();
  if (asyncReadsOpen || openReads.size() != words / 4 + 1)
    openReads.assign(words / 4 + 1, 0);
  asyncReads.clear();
  asyncReadsFree.clear();
  asyncReadsOpen = 0;
  warps = warpCount;
  base = last + 2;
  engines.fill(base - 1);
  return base;
}

Epoch SharedOrder::lastEpoch() const { return std::max(last, *std::max_element(engines.begin(), engines.end())); }

/// "warp 3"
static std::string nameOf(unsigned actor) {
  return actor < kWarpActors ? fmt::format("warp {}", actor) : std::string("an asynchronous copy");
}

void SharedOrder::failRead(const Actor &actor, const Writer &writer, uint32_t byte) {
  throw Fault{"race-shared",
              fmt::format("word {} is read by warp {} and was written by {} with no barrier between",
                          layout->describe(byte), actor.clocks->warp, nameOf(writer.actor())),
              {{writer.pc(), fmt::format("{} writes it here", nameOf(writer.actor()))}},
              int(actor.lane)};
}

void SharedOrder::checkWriter(const Actor &actor, const Writer &writer, uint32_t byte, Proxy proxy, bool isRead,
                              bool strong) {
  const WarpClocks &clocks = *actor.clocks;
  if (writer.epoch > clocks.seen.at[writer.actor()] && !(strong && writer.strong())) {
    if (!checks.raceShared)
      return;
    if (isRead)
      failRead(actor, writer, byte);
    throw Fault{"race-shared",
                fmt::format("word {} is written by warp {} and was written by {} with no barrier between",
                            layout->describe(byte), clocks.warp, nameOf(writer.actor())),
                {{writer.pc(), fmt::format("{} writes it here", nameOf(writer.actor()))}},
                int(actor.lane)};
  }
  // Within one epoch nothing has ordered the lanes.
  if (byLane && writer.actor() == clocks.warp && writer.epoch == clocks.now() && writer.lane() != actor.lane &&
      writer.pc() != actor.pc && !(strong && writer.strong()) && checks.raceShared)
    throw Fault{"race-lanes",
                fmt::format("word {} is {} by lane {} and was written by lane {} with no bar.warp.sync between",
                            layout->describe(byte), isRead ? "read" : "written", actor.lane, writer.lane()),
                {{writer.pc(), fmt::format("lane {} writes it here", writer.lane())}},
                int(actor.lane)};
  if (proxy == Proxy::Async && checks.proxy && !writer.async() && writer.epoch > clocks.proxied.at[writer.actor()])
    throw Fault{"proxy",
                fmt::format("word {} is {} by the async proxy without a fence.proxy.async after it was written",
                            layout->describe(byte), isRead ? "read" : "overwritten"),
                {{writer.pc(), fmt::format("warp {} writes it here", writer.actor())}},
                int(actor.lane)};
}

void SharedOrder::readCopied(const Actor &actor, uint32_t byte, const Issued &copy) {
  const WarpClocks &reader = *actor.clocks;
  // What the async proxy copies is ordered by an mbarrier, not by barriers.
  if (copy.pc == kNoPc || copy.warp >= kWarpActors || copy.warp == reader.warp || !checks.raceShared)
    return;
  if (copy.epoch <= reader.seen.at[copy.warp] && reader.waited != reader.now())
    return;
  throw Fault{
      "race-shared",
      fmt::format("word {} is read by warp {} and is written by a copy of warp {}: expects that warp to wait for "
                  "the copy, and a barrier after the wait",
                  layout->describe(byte), reader.warp, copy.warp),
      {{copy.pc, fmt::format("warp {} issues the copy here", copy.warp)}},
      int(actor.lane)};
}

void SharedOrder::failWrite(const Actor &actor, uint64_t tag, unsigned reader, uint32_t byte) {
  throw Fault{"war-shared",
              fmt::format("word {} is overwritten by warp {} while warp {} may still read it", layout->describe(byte),
                          actor.clocks->warp, reader),
              {{uint32_t(tag) & (kMaxInstructions - 1), fmt::format("warp {} reads it here", reader)}},
              int(actor.lane)};
}

uint32_t SharedOrder::writerOf(uint32_t byte) const {
  const Writer &whole = writers[byte / 4];
  const Writer &writer = isSplit(byte / 4) ? splitWriters[(whole.epoch - 1) * 4 + byte % 4] : whole;
  return writer.epoch >= base ? writer.pc() : kNoPc;
}

void SharedOrder::checkReaders(const Actor &actor, uint32_t word, uint32_t mask, bool strong) {
  if (!checks.warShared)
    return;
  for (unsigned warp = 0; warp < warps; ++warp) {
    uint64_t tag = reads[warp][word];
    if (byLane && warp == actor.clocks->warp && (tag >> 32) == actor.clocks->now() && (tag >> kPcBits & mask) &&
        (tag >> (kPcBits + 5) & 31) != actor.lane && !(strong && (tag & kStrong)))
      throw Fault{"race-lanes",
                  fmt::format("word {} is overwritten by lane {} and was read by lane {} with no bar.warp.sync between",
                              layout->describe(word * 4), actor.lane, tag >> (kPcBits + 5) & 31),
                  {{uint32_t(tag) & (kMaxInstructions - 1), "it is read here"}},
                  int(actor.lane)};
    if ((tag >> 32) > actor.clocks->seen.at[warp] && (tag >> kPcBits & mask) && !(strong && (tag & kStrong)))
      failWrite(actor, tag, warp, word * 4);
  }
}

void SharedOrder::checkBytes(const Actor &actor, uint32_t word, uint32_t mask, Proxy proxy, bool strong) {
  uint32_t index = writers[word].epoch - 1;
  for (uint32_t byte = 0; byte < 4; ++byte) {
    if (!(mask >> byte & 1))
      continue;
    checkWriter(actor, splitWriters[index * 4 + byte], word * 4 + byte, proxy, false, strong);
    for (unsigned warp = 0; warp < warps && checks.warShared; ++warp) {
      uint64_t tag = splitReads(index, warp)[byte];
      if ((tag >> 32) > actor.clocks->seen.at[warp] && !(strong && (tag & kStrong)))
        failWrite(actor, tag, warp, word * 4 + byte);
    }
  }
}

void SharedOrder::split(uint32_t word) {
  uint32_t index;
  if (!splitFree.empty()) {
    index = splitFree.back();
    splitFree.pop_back();
  } else {
    index = uint32_t(splitWriters.size() / 4);
    splitWriters.resize(splitWriters.size() + 4);
    splitReadBytes.resize(splitReadBytes.size() + 4 * warps);
  }
  for (uint32_t byte = 0; byte < 4; ++byte) {
    splitWriters[index * 4 + byte] = writers[word];
    for (unsigned warp = 0; warp < warps; ++warp) {
      uint64_t tag = reads[warp][word];
      splitReads(index, warp)[byte] = (tag >> kPcBits >> byte & 1) ? tag : 0;
    }
  }
  splitWords.push_back(word);
  writers[word] = Writer{index + 1, kSplitActor << kPcBits};
}

void SharedOrder::readSlowly(const Actor &actor, uint32_t word, uint32_t count, uint32_t mask, Proxy proxy) {
  uint64_t tag = readTag(actor, 0xf);
  for (uint32_t i = word; i < word + count; ++i) {
    if (!isSplit(i)) {
      checkWriter(actor, writers[i], i * 4, proxy, true, false);
      continue;
    }
    uint32_t index = writers[i].epoch - 1;
    for (uint32_t byte = 0; byte < 4; ++byte)
      if (mask >> byte & 1) {
        checkWriter(actor, splitWriters[index * 4 + byte], i * 4 + byte, proxy, true, false);
        splitReads(index, actor.clocks->warp)[byte] = tag;
      }
  }
}

void SharedOrder::readPart(const Actor &actor, uint32_t word, uint32_t mask, Proxy proxy) {
  const WarpClocks &clocks = *actor.clocks;
  if (!isSplit(word)) {
    uint64_t &mine = reads[clocks.warp][word];
    uint32_t before = mine >> kPcBits & 0xf;
    // One tag holds one epoch: earlier reads of other bytes need records of their own.
    if (!(before & ~mask) || (mine >> 32) == clocks.now()) {
      if ((mine >> 32) == clocks.now())
        mask |= before;
      mine = readTag(actor, mask);
      checkWriter(actor, writers[word], word * 4, proxy, true, false);
      return;
    }
    split(word);
  }
  readSlowly(actor, word, 1, mask, proxy);
}

void SharedOrder::checkWrite(const Actor &actor, uint32_t word, uint32_t count, Proxy proxy) {
  const Clock &seen = actor.clocks->seen;
  checkAsyncReads(actor, word, count);
  bool ordered = !byLane;
  for (uint32_t i = word; i < word + count; ++i)
    ordered &= writers[i].epoch <= seen.at[writers[i].actor()];
  for (uint32_t i = word; i < word + count && proxy == Proxy::Async; ++i)
    ordered &= proxied(actor, i);
  for (unsigned warp = 0; warp < warps; ++warp)
    for (uint32_t i = word; i < word + count; ++i)
      ordered &= (reads[warp][i] >> 32) <= seen.at[warp];
  if (ordered) [[likely]]
    return;
  for (uint32_t i = word; i < word + count; ++i) {
    if (isSplit(i)) {
      checkBytes(actor, i, 0xf, proxy, false);
      continue;
    }
    checkWriter(actor, writers[i], i * 4, proxy, false, false);
    checkReaders(actor, i, 0xf, false);
  }
}

void SharedOrder::write(const Actor &actor, uint32_t word, uint32_t count, Proxy proxy) {
  checkWrite(actor, word, count, proxy);
  actor.clocks->wroteShared |= 1u << actor.lane;
  Writer mine = record(actor, proxy);
  for (uint32_t i = word; i < word + count; ++i) {
    if (isSplit(i)) [[unlikely]]
      splitFree.push_back(writers[i].epoch - 1);
    writers[i] = mine;
  }
}

void SharedOrder::writePart(const Actor &actor, uint32_t word, uint32_t mask, Proxy proxy) {
  checkAsyncReads(actor, word, 1);
  actor.clocks->wroteShared |= 1u << actor.lane;
  if (!isSplit(word))
    split(word);
  checkBytes(actor, word, mask, proxy, false);
  uint32_t index = writers[word].epoch - 1;
  for (uint32_t byte = 0; byte < 4; ++byte)
    if (mask >> byte & 1)
      splitWriters[index * 4 + byte] = record(actor, proxy);
}

void SharedOrder::readStrong(const Actor &actor, uint32_t word, uint32_t mask) {
  uint32_t now = actor.clocks->now();
  uint64_t tag = readTag(actor, mask) | kStrong;
  uint64_t &mine = reads[actor.clocks->warp][word];
  // A plain read of the same epoch says more than this one, and so does one of other bytes.
  if (!isSplit(word) && mask == 0xf) {
    checkWriter(actor, writers[word], word * 4, Proxy::Generic, true, true);
    if ((mine >> 32) != now || (mine & kStrong))
      mine = tag;
    return;
  }
  if (!isSplit(word))
    split(word);
  uint32_t index = writers[word].epoch - 1;
  for (uint32_t byte = 0; byte < 4; ++byte)
    if (mask >> byte & 1) {
      checkWriter(actor, splitWriters[index * 4 + byte], word * 4 + byte, Proxy::Generic, true, true);
      splitReads(index, actor.clocks->warp)[byte] = tag;
    }
}

void SharedOrder::writeStrong(const Actor &actor, uint32_t word, uint32_t mask) {
  Writer mine = record(actor, Proxy::Generic, true);
  checkAsyncReads(actor, word, 1);
  actor.clocks->wroteShared |= 1u << actor.lane;
  if (!isSplit(word) && mask == 0xf) {
    checkWriter(actor, writers[word], word * 4, Proxy::Generic, false, true);
    checkReaders(actor, word, 0xf, true);
    writers[word] = mine;
    return;
  }
  if (!isSplit(word))
    split(word);
  checkBytes(actor, word, mask, Proxy::Generic, true);
  uint32_t index = writers[word].epoch - 1;
  for (uint32_t byte = 0; byte < 4; ++byte)
    if (mask >> byte & 1)
      splitWriters[index * 4 + byte] = mine;
}

//===-- The async proxy
//----------------------------------------------------------------------------------------------===//

AsyncRead SharedOrder::beginAsyncRead(const Actor &actor, std::span<const SharedRange> ranges) {
  // Operands of thousands of words have a few writers: what holds for one word holds for the next of that writer.
  constexpr uint64_t kSameOrder = uint64_t(0x7f) << (32 + kPcBits) | 0xffffffff;
  static_assert(sizeof(Writer) == sizeof(uint64_t));
  const WarpClocks &clocks = *actor.clocks;
  uint64_t last = 0;
  for (const SharedRange &range : ranges) {
    bool ordered = true;
    const uint32_t end = (range.begin + range.bytes) / 16;
    for (uint32_t chunk = range.begin / 16; chunk < end; ++chunk) {
      ++openReads[chunk];
      uint64_t four[4];
      std::memcpy(four, writers.data() + chunk * 4, sizeof four);
      if (!(((four[0] ^ last) | (four[1] ^ last) | (four[2] ^ last) | (four[3] ^ last)) & kSameOrder)) [[likely]]
        continue;
      for (uint32_t word = chunk * 4; word < chunk * 4 + 4; ++word)
        ordered &= writers[word].epoch <= clocks.seen.at[writers[word].actor()] && proxied(actor, word);
      last = four[3];
    }
    if (!ordered) [[unlikely]]
      readSlowly(actor, range.begin / 4, range.bytes / 4, 0xf, Proxy::Async);
  }
  AsyncRead read;
  if (asyncReadsFree.empty()) {
    read = AsyncRead(asyncReads.size());
    asyncReads.emplace_back();
  } else {
    read = asyncReadsFree.back();
    asyncReadsFree.pop_back();
  }
  OpenRead &record = asyncReads[read];
  record.ranges.assign(ranges.begin(), ranges.end());
  record.pc = actor.pc;
  record.warp = clocks.warp;
  record.open = true;
  ++asyncReadsOpen;
  return read;
}

void SharedOrder::endAsyncRead(AsyncRead read, const WarpClocks &warp) {
  OpenRead &record = asyncReads[read];
  uint64_t tag = uint64_t(warp.now()) << 32 | 0xf << kPcBits | record.pc;
  uint64_t *mine = reads[warp.warp].data();
  for (const SharedRange &range : record.ranges) {
    const uint32_t end = (range.begin + range.bytes) / 16;
    for (uint32_t chunk = range.begin / 16; chunk < end; ++chunk) {
      --openReads[chunk];
      uint64_t *four = mine + chunk * 4;
      four[0] = four[1] = four[2] = four[3] = tag;
    }
    for (uint32_t i = range.begin / 4; i < (range.begin + range.bytes) / 4 && !splitWords.empty(); ++i)
      if (isSplit(i)) [[unlikely]]
        std::fill_n(splitReads(writers[i].epoch - 1, warp.warp), 4, tag);
  }
  record.open = false;
  --asyncReadsOpen;
  asyncReadsFree.push_back(read);
}

void SharedOrder::findAsyncRead(const Actor &actor, uint32_t word, uint32_t count) const {
  bool any = false;
  for (uint32_t chunk = word / 4; chunk <= (word + count - 1) / 4; ++chunk)
    any |= openReads[chunk] != 0;
  if (!any || !checks.asyncReads)
    return;
  uint32_t begin = word * 4, end = begin + count * 4;
  for (const OpenRead &read : asyncReads)
    for (const SharedRange &range : read.ranges)
      if (read.open && range.begin < end && begin < range.begin + range.bytes)
        throw Fault{
            "war-shared",
            fmt::format("word {} is overwritten by warp {} while an asynchronous read may still use it: expects "
                        "a wait that covers the read",
                        layout->describe(std::max(begin, range.begin)), actor.clocks->warp),
            {{read.pc, fmt::format("warp {} starts the read here", read.warp)}},
            int(actor.lane)};
}

Epoch SharedOrder::recordEngine(unsigned engine, uint32_t pc, SharedRange range, Proxy proxy) {
  Writer writer{++engines[engine - kFirstEngine], pc | engine << kPcBits | uint32_t(proxy == Proxy::Async) << 25};
  for (uint32_t i = range.begin / 4; i < (range.begin + range.bytes) / 4; ++i) {
    if (isSplit(i)) [[unlikely]]
      splitFree.push_back(writers[i].epoch - 1);
    writers[i] = writer;
  }
  return writer.epoch;
}

} // namespace attn::sim
