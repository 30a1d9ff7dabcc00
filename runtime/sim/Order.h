// SPDX-License-Identifier: Apache-2.0
// Happens-before: clocks of warps and the records of who touched which word last. The only place that decides races.
#pragma once

#include "runtime/sim/Fault.h"
#include "runtime/sim/Simulator.h"
#include "runtime/sim/Table.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <unordered_map>
#include <vector>

namespace attn::sim {

/// Counts the releases of one actor. Never 0 for an access that happened. Epochs of a shared memory's later CTA are
/// larger than all of its earlier ones, so records need no clearing in between.
using Epoch = uint32_t;

/// Warps of a CTA (of a cluster, where there is one) are actors 0..31; the rest stand for the engine that copies on its
/// own. It is several actors, one or more mbarriers each, so that waiting for one copy says nothing about another.
inline constexpr unsigned kWarpActors = 32;
inline constexpr unsigned kFirstEngine = 32;
inline constexpr unsigned kEngines = 15;
/// Stands for a word whose bytes have records of their own; its clock is always 0, so the quick test fails on it.
inline constexpr unsigned kSplitActor = 47;
/// Stands for the launch before: 1 in the clock of whoever comes behind griddepcontrol.wait.
inline constexpr unsigned kLaunchBefore = 48;
inline constexpr unsigned kActors = 49;

/// Instructions of an entry that a record can name.
inline constexpr uint32_t kPcBits = 19;
inline constexpr uint32_t kMaxInstructions = 1u << kPcBits;

/// The latest epoch of each actor that happens before something.
struct Clock {
  std::array<Epoch, kActors> at{};
  void join(const Clock &other) {
    for (unsigned i = 0; i < kActors; ++i)
      at[i] = at[i] > other.at[i] ? at[i] : other.at[i];
  }
};

/// What happens before something, by CTA and warp. Null for most warps of most kernels.
using GridClock = std::map<uint32_t, std::array<Epoch, kActors>>;
using SharedGridClock = std::shared_ptr<const GridClock>;

/// The clocks of one warp.
struct WarpClocks {
  uint32_t cta = 0;        ///< linear index in the grid
  uint32_t cluster = 1;    ///< CTAs of its cluster, which are neighbours; actors are those of the cluster
  uint32_t warp = 0;       ///< its actor
  Clock seen;              ///< what happens before the warp's next access; its own entry is its current epoch
  Clock proxied;           ///< whose generic writes are ordered before the warp's asynchronous accesses
  Clock fenced;            ///< what was seen at the warp's last fence of the whole device: what strong writes publish
  Clock fencedLocal;       ///< the same for fences of any scope
  bool everFenced = false; ///< whether the two above hold anything
  Epoch waited = 0;        ///< the warp's own epoch when it waited for copies last
  SharedGridClock gridSeen, gridFenced; ///< the same for other CTAs
  SharedGridClock gridUnfenced;         ///< read from flags, but not ordered before a fence orders it
  uint32_t wroteShared = 0; ///< lanes that wrote shared memory since something ordered all of them: see proxyFence

  Epoch now() const { return seen.at[warp]; }
  bool afterLaunchBefore() const { return seen.at[kLaunchBefore] != 0; }
  void start(uint32_t ctaIndex, uint32_t warpIndex, unsigned warps, Epoch base);
  /// After a release: later accesses are not covered by it.
  void advance() { ++seen.at[warp]; }
  /// fence.proxy.async by `lanes`: orders what they and all that happens before them wrote before asynchronous
  /// accesses. A lane cannot speak for another one's writes unless something has ordered the two.
  void proxyFence(uint32_t lanes) {
    wroteShared &= ~lanes;
    if (wroteShared)
      return;
    proxied.join(seen);
    advance();
  }
};

/// Joins what the warps that meet at a barrier have seen.
class Meeting {
public:
  /// The warp gives what it has seen; its later accesses are not part of that.
  void arrive(WarpClocks &warp);
  /// The copying engine gives its writes up to `epoch`.
  void arrive(unsigned engine, Epoch epoch) { seen.at[engine] = std::max(seen.at[engine], epoch); }
  /// The warp takes what all arrivals have given.
  void leave(WarpClocks &warp) const;
  void clear() { *this = Meeting(); }

private:
  Clock seen, proxied, fenced, fencedLocal;
  bool everFenced = false;
  SharedGridClock gridSeen, gridFenced;
};

/// Who performs an access.
struct Actor {
  WarpClocks *clocks;
  uint32_t pc; ///< instruction index in the entry
  uint32_t lane;
  uint32_t serial; ///< differs between instructions executed in one CTA; never 0
  /// A copy that was issued before anything had waited for the launch before, whatever its warp has done since.
  bool early = false;
  /// A copy that an mbarrier ends: what it reads counts as read by this engine, at this epoch. Who has waited for the
  /// mbarrier comes behind the read, and the warp that issued the copy does not before it has waited as well.
  unsigned engine = 0;
  Epoch engineEpoch = 0;
  unsigned who() const { return engine ? engine : clocks->warp; }
  Epoch when() const { return engine ? engineEpoch : clocks->now(); }
  bool afterLaunchBefore() const { return !early && clocks->afterLaunchBefore(); }
};

enum class Proxy : uint8_t { Generic, Async };

/// Bytes of the shared window; both numbers are multiples of 16.
struct SharedRange {
  uint32_t begin, bytes;
};
/// A read of shared memory by the async proxy that is under way: see SharedMemory::beginAsyncRead.
using AsyncRead = uint32_t;

/// An operation that a warp has started and that goes on by itself.
struct Issued {
  uint32_t pc = kNoPc;
  uint32_t warp = 0;
  Epoch epoch = 0; ///< of the warp at the issue
};

/// Names parts of shared memory in diagnostics.
struct SharedLayout {
  struct Variable {
    std::string name;
    uint32_t offset, size; ///< offset within the window
  };
  std::vector<Variable> variables;
  uint32_t size = 0; ///< bytes from the start of the window, the reserved part included
  std::string describe(uint32_t offset) const;
};

/// Records of the words of one CTA's shared memory.
class SharedOrder {
public:
  /// Prepares for a CTA with that many warps. Returns the epoch at which its warps start.
  /// `byLane`: lanes of a warp need a barrier between them as well.
  Epoch start(const SharedLayout &layout, unsigned warps, const Checks &checks, bool byLane, Epoch after = 0);
  /// Remembers the largest epoch of a CTA that ends here.
  void finish(const WarpClocks &warp) { last = std::max(last, warp.now()); }
  /// The epoch from which on all that earlier CTAs did is over.
  Epoch lastEpoch() const;

  /// Whole words [word, word + count).
  void read(const Actor &actor, uint32_t word, uint32_t count, Proxy proxy = Proxy::Generic) {
    const WarpClocks &clocks = *actor.clocks;
    uint64_t tag = readTag(actor, 0xf);
    uint64_t *mine = reads[clocks.warp].data() + word;
    const Writer *writer = writers.data() + word;
    bool ordered = true;
    for (uint32_t i = 0; i < count; ++i) {
      ordered &= writer[i].epoch <= clocks.seen.at[writer[i].actor()];
      mine[i] = tag;
    }
    if (!ordered || proxy == Proxy::Async || byLane) [[unlikely]]
      readSlowly(actor, word, count, 0xf, proxy);
  }
  void write(const Actor &actor, uint32_t word, uint32_t count, Proxy proxy = Proxy::Generic);
  /// The bytes of one word that are in `mask`.
  void readPart(const Actor &actor, uint32_t word, uint32_t mask, Proxy proxy = Proxy::Generic);
  void writePart(const Actor &actor, uint32_t word, uint32_t mask, Proxy proxy = Proxy::Generic);
  /// Strong accesses (atomic operations, relaxed and volatile loads and stores) do not race with each other, but do
  /// with plain ones.
  void readStrong(const Actor &actor, uint32_t word, uint32_t mask);
  void writeStrong(const Actor &actor, uint32_t word, uint32_t mask);
  /// A read of a byte that a copy still writes. Throws if it is a race: if the copy is another warp's and no barrier
  /// has come after its issue, or after the reader's last wait for copies.
  void readCopied(const Actor &actor, uint32_t byte, const Issued &copy);
  /// The instruction that wrote a byte last in this CTA, kNoPc if none has.
  uint32_t writerOf(uint32_t byte) const;
  /// As write, but for bytes whose new value only arrives later: checks and records nothing.
  void checkWrite(const Actor &actor, uint32_t word, uint32_t count, Proxy proxy);

  /// A read by the async proxy begins: what it reads must be ordered before `actor`, generic writes by a proxy fence
  /// too. Until endAsyncRead nobody may write these bytes.
  AsyncRead beginAsyncRead(const Actor &actor, std::span<const SharedRange> ranges);
  /// The read is over for `warp`, which has waited for it: from now on it counts as a read of that warp.
  void endAsyncRead(AsyncRead read, const WarpClocks &warp);
  /// The copying engine has written bytes: whoever has waited for the returned epoch of `engine` may touch them.
  Epoch recordEngine(unsigned engine, uint32_t pc, SharedRange range, Proxy proxy);
  /// The epoch of what the engine writes next.
  Epoch nextOf(unsigned engine) const { return engines[engine - kFirstEngine] + 1; }
  /// Whether the last write of a word is ordered before asynchronous accesses of the actor.
  bool proxied(const Actor &actor, uint32_t word) const {
    const Writer &writer = writers[word];
    return writer.async() || writer.epoch <= actor.clocks->proxied.at[writer.actor()];
  }

private:
  /// Read tags: epoch : 32, lane : 5, strong : 1, byte mask : 4, pc : 19; 0: none.
  static constexpr uint64_t kStrong = uint64_t(1) << (kPcBits + 4);
  static uint64_t readTag(const Actor &actor, uint32_t mask) {
    return uint64_t(actor.clocks->now()) << 32 | actor.lane << (kPcBits + 5) | mask << kPcBits | actor.pc;
  }
  struct Writer {
    Epoch epoch = 0;
    uint32_t info = 0; ///< pc : 19, actor : 6, async : 1, strong : 1, lane : 5
    unsigned actor() const { return info >> kPcBits & 63; }
    uint32_t pc() const { return info & (kMaxInstructions - 1); }
    bool async() const { return info >> 25 & 1; }
    bool strong() const { return info >> 26 & 1; }
    unsigned lane() const { return info >> 27; }
  };
  static Writer record(const Actor &actor, Proxy proxy, bool strong = false) {
    return {actor.clocks->now(), actor.pc | actor.clocks->warp << kPcBits | uint32_t(proxy == Proxy::Async) << 25 |
                                     uint32_t(strong) << 26 | actor.lane << 27};
  }
  void readSlowly(const Actor &actor, uint32_t word, uint32_t count, uint32_t mask, Proxy proxy);
  void checkWriter(const Actor &actor, const Writer &writer, uint32_t byte, Proxy proxy, bool isRead, bool strong);
  void checkReaders(const Actor &actor, uint32_t word, uint32_t mask, bool strong);
  void checkBytes(const Actor &actor, uint32_t word, uint32_t mask, Proxy proxy, bool strong);
  void split(uint32_t word);
  bool isSplit(uint32_t word) const { return writers[word].actor() == kSplitActor; }
  uint64_t *splitReads(uint32_t index, unsigned warp) {
    return splitReadBytes.data() + (size_t(index) * warps + warp) * 4;
  }
  [[noreturn]] void failRead(const Actor &actor, const Writer &writer, uint32_t byte);
  [[noreturn]] void failWrite(const Actor &actor, uint64_t tag, unsigned reader, uint32_t byte);
  /// Fails if a read of the async proxy may still be reading some of the words.
  void checkAsyncReads(const Actor &actor, uint32_t word, uint32_t count) const {
    if (asyncReadsOpen) [[unlikely]]
      findAsyncRead(actor, word, count);
  }
  void findAsyncRead(const Actor &actor, uint32_t word, uint32_t count) const;

  const SharedLayout *layout = nullptr;
  Checks checks;
  bool byLane = false;
  unsigned warps = 0;
  Epoch last = 0, base = 1;
  std::vector<Writer> writers;
  std::vector<std::vector<uint64_t>> reads; ///< by warp, by word: tags
  // Words that were written in parts: four records each instead of one.
  std::vector<Writer> splitWriters;
  std::vector<uint64_t> splitReadBytes;
  std::vector<uint32_t> splitWords, splitFree;
  // Reads of the async proxy that have not ended, by chunk of 16 bytes their number.
  struct OpenRead {
    std::vector<SharedRange> ranges;
    uint32_t pc = 0, warp = 0;
    bool open = false;
  };
  std::vector<OpenRead> asyncReads;
  std::vector<AsyncRead> asyncReadsFree;
  std::vector<uint16_t> openReads;
  unsigned asyncReadsOpen = 0;
  std::array<Epoch, kEngines> engines{}; ///< the last epoch of each
};

/// How an access takes part in the order between CTAs.
struct Strength {
  Semantics semantics = Semantics::None;
  Scope scope = Scope::Gpu;
  bool strong() const { return semantics > Semantics::Weak && scope >= Scope::Gpu; }
  /// Towards other threads of the CTA, any scope will do.
  bool strongInCta() const { return semantics > Semantics::Weak; }
  bool acquires() const { return semantics == Semantics::Acquire || semantics == Semantics::AcqRel; }
  bool releases() const { return semantics == Semantics::Release || semantics == Semantics::AcqRel; }
};

/// Records of the words of one 4 KiB page of global memory; made when the page is first written.
struct GlobalPage {
  static constexpr uint32_t kBytes = 4096, kWords = kBytes / 4;
  struct Touch {
    uint32_t cta = 0;
    Epoch epoch = 0; ///< 0: nobody
    /// pc : 19, actor : 5, strong in its CTA : 1, strong : 1, byte mask : 4, upper bit of the actor, and in bit 31
    /// "more in the side table"
    uint32_t info = 0;
    uint32_t pc() const { return info & (kMaxInstructions - 1); }
    unsigned actor() const { return (info >> kPcBits & 31) | (info >> 30 & 1) << 5; }
    bool strongInCta() const { return info >> 24 & 1; }
    bool strong() const { return info >> 25 & 1; }
    uint32_t mask() const { return info >> 26 & 15; }
    bool many() const { return info >> 31; }
  };
  struct Word {
    Touch writer, reader;
    uint32_t serial = 0;     ///< of the instruction that stored to it last, in its CTA
    uint32_t storedCta : 28; ///< the CTA, as far as it fits
    uint32_t storedMask : 4; ///< which bytes that instruction stored
    Word() : storedCta(0), storedMask(0) {}
  };
  std::array<Word, kWords> words;
};

class GlobalMemory;

/// Order between CTAs, for one launch.
class GlobalOrder {
public:
  using Word = GlobalPage::Word;
  using Touch = GlobalPage::Touch;
  /// For diagnostics.
  struct Place {
    uint64_t address;
    const GlobalMemory &memory;
  };
  void start(const Checks &which, Dim3 gridSize) {
    checks = which;
    grid = gridSize;
    releases.clear();
    localReleases.clear();
    more.clear();
  }
  /// A word of a page that has records; `mask` is the bytes touched.
  void read(const Actor &actor, Word &word, uint32_t mask, Strength strength, const Place &place);
  void write(const Actor &actor, Word &word, uint32_t mask, Strength strength, const Place &place);
  /// Orders a strong read, write or both of a word with fences and with other strong accesses of it; to be called
  /// besides read and write. `key` is the word's address, made unique by sharedKey for shared memory.
  void synchronise(WarpClocks &warp, uint64_t key, bool reads, bool writes, Strength strength);
  static uint64_t sharedKey(uint32_t cta, uint32_t offset) { return uint64_t(1) << 63 | uint64_t(cta) << 24 | offset; }
  /// fence.acq_rel, fence.sc and membar.
  void fence(WarpClocks &warp, Scope scope);
  /// "CTA (1,0,0)"
  std::string ctaName(uint32_t cta) const;

private:
  void check(const Actor &actor, const Touch &other, uint32_t mask, Strength strength, const Place &place,
             bool otherWrote, bool writes) const;
  [[noreturn]] void fail(const Actor &actor, const Touch &other, const Place &place, bool otherWrote,
                         bool writes) const;
  static Touch record(const Actor &actor, uint32_t mask, Strength strength);
  void acquire(WarpClocks &warp, const SharedGridClock &clock, bool wholeGrid, bool now);

  struct Others {
    std::vector<Touch> readers, writers;
  };
  struct Release {
    SharedGridClock clock;
    uint32_t cta = 0;
  };
  Checks checks;
  Dim3 grid;
  std::unordered_map<uint64_t, Release> releases; ///< by key: what strong writes of the whole device published there
  std::unordered_map<uint64_t, std::map<uint32_t, SharedGridClock>> localReleases; ///< by key and CTA, of any scope
  std::unordered_map<const Word *, Others> more; ///< touches for which a word's record has no room
};

} // namespace attn::sim
