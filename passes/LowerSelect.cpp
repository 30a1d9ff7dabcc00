// SPDX-License-Identifier: Apache-2.0
// tile.select: the list of the largest sums of a row, by a radix search for the least of them.
//
// Sums become 32-bit keys of the same order. Four rounds of eight bits find the key of the last entry that is listed:
// threads count in shared memory how many keys have each value of the next eight bits, and the values are added up from
// the largest until there are enough. A last walk writes all entries above that key, and the first of those equal to
// it. Everything that is added is an integer, so neither the order of threads nor that of atomics changes a bit.
#include "passes/TileLowering.h"

#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;

namespace attn::tile {

namespace {
// Shared memory of one selection, in bytes. A digit has a count and, for shares, a weight; each round says its choice
// in 16 bytes of its own: digit, number and weight of what is above it. Of the row: the largest magnitude, kinds of
// infinities, and the total. Of each warp: how many of its entries are above the least key, and equal to it.
constexpr int64_t kDigits = 256, kDigitBits = 8, kRounds = 4;
constexpr int64_t kWeightsAt = kDigits * 4, kRoundsAt = kWeightsAt + kDigits * 8, kRowAt = kRoundsAt + kRounds * 16,
                  kWarpsAt = kRowAt + 16;
constexpr int64_t kUnroll = 4;               ///< loads of a thread that are on their way at once
constexpr int64_t kNeverReached = 1LL << 62; ///< above every sum in units
constexpr int64_t kInfinity = 0x7f800000;
} // namespace

class RowSelection {
public:
  RowSelection(TileLowering &lowering, SelectOp op)
      : lowering(lowering), builder(lowering.builder), op(op), i32Type(builder.getI32Type()),
        i64Type(builder.getI64Type()), f64Type(builder.getF64Type()) {}

  void emit() {
    place();
    if (op.getCover()) {
      weigh();
      aim();
    }
    search();
    write();
    lowering.meet();
  }

private:
  //===-- words ----------------------------------------------------------------===//

  Value i32(int64_t value) { return lowering.i32(value); }
  Value i64(int64_t value) { return lowering.i64(value); }
  Value add(Value a, Value b) { return arith::AddIOp::create(builder, a, b); }
  Value sub(Value a, Value b) { return arith::SubIOp::create(builder, a, b); }
  Value mul(Value a, Value b) { return arith::MulIOp::create(builder, a, b); }
  Value bitAnd(Value a, Value b) { return arith::AndIOp::create(builder, a, b); }
  Value bitOr(Value a, Value b) { return arith::OrIOp::create(builder, a, b); }
  Value bitXor(Value a, Value b) { return arith::XOrIOp::create(builder, a, b); }
  Value left(Value a, Value b) { return arith::ShLIOp::create(builder, a, b); }
  Value right(Value a, Value b) { return arith::ShRUIOp::create(builder, a, b); }
  Value least(Value a, Value b) { return arith::MinSIOp::create(builder, a, b); }
  Value most(Value a, Value b) { return arith::MaxSIOp::create(builder, a, b); }
  Value is(arith::CmpIPredicate predicate, Value a, Value b) { return arith::CmpIOp::create(builder, predicate, a, b); }
  Value choose(Value condition, Value a, Value b) { return arith::SelectOp::create(builder, condition, a, b); }
  Value widened(Value number) {
    return number.getType() == i64Type ? number : arith::ExtSIOp::create(builder, i64Type, number).getResult();
  }
  Value narrowed(Value number) { return arith::TruncIOp::create(builder, i32Type, number); }
  Value ones(Value bits) { return math::CtPopOp::create(builder, bits); }
  Value flag(Value condition) { return arith::ExtUIOp::create(builder, i32Type, condition); }
  Value f64(double value) { return arith::ConstantOp::create(builder, builder.getF64FloatAttr(value)); }
  Value asDouble(Value units) { return arith::SIToFPOp::create(builder, f64Type, units); }

  void when(Value condition, llvm::function_ref<void()> body) {
    auto branch = scf::IfOp::create(builder, condition);
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPoint(branch.thenBlock()->getTerminator());
    body();
  }

  /// A loop that carries registers.
  Registers loop(Value from, Value to, Value step, Registers carried,
                 llvm::function_ref<void(Value number, Registers &carried)> body) {
    auto rounds = scf::ForOp::create(builder, from, to, step, carried);
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(rounds.getBody());
    Registers inside(rounds.getRegionIterArgs());
    body(rounds.getInductionVar(), inside);
    if (!inside.empty())
      scf::YieldOp::create(builder, inside);
    return Registers(rounds.getResults());
  }

  //===-- threads --------------------------------------------------------------===//

  Value threads() { return lowering.allThreads(); }
  Value warpsOfProgram() { return right(threads(), i32(5)); }
  Value isFirstThread() { return is(arith::CmpIPredicate::eq, lowering.thread, i32(0)); }

  /// A bit for each thread of the warp.
  Value ballot(Value condition) {
    return lowering.intrinsic("llvm.nvvm.vote.ballot.sync", i32Type, {i32(-1), condition});
  }
  Value fromLane(Value number, Value lane) {
    return lowering.intrinsic("llvm.nvvm.shfl.sync.idx.i32", i32Type, {i32(-1), number, lane, i32(31)});
  }
  Value fromLaneBefore(Value number, int64_t distance) {
    return inHalves(number, [&](Value half) {
      return lowering.intrinsic("llvm.nvvm.shfl.sync.up.i32", i32Type, {i32(-1), half, i32(distance), i32(0)});
    });
  }
  Value fromOtherLane(Value number, int64_t distance) {
    return inHalves(number, [&](Value half) {
      return lowering.intrinsic("llvm.nvvm.shfl.sync.bfly.i32", i32Type, {i32(-1), half, i32(distance), i32(31)});
    });
  }
  Value inHalves(Value number, llvm::function_ref<Value(Value)> move) {
    if (number.getType() == i32Type)
      return move(number);
    Value low = arith::ExtUIOp::create(builder, i64Type, move(narrowed(number)));
    Value high = arith::ExtUIOp::create(builder, i64Type, move(narrowed(right(number, i64(32)))));
    return bitOr(low, left(high, i64(32)));
  }
  /// The sum over this lane and those before it.
  Value summedUpToLane(Value number) {
    for (int64_t distance : {1, 2, 4, 8, 16}) {
      Value before = fromLaneBefore(number, distance);
      Value none = number.getType() == i32Type ? i32(0) : i64(0);
      number = add(number, choose(is(arith::CmpIPredicate::sge, lowering.lane, i32(distance)), before, none));
    }
    return number;
  }

  Value shared(int64_t at) { return add(base, i32(at)); }
  Value word(Value address) { return lowering.loadShared(address, /*half=*/false); }
  Value longWord(Value address) {
    return lowering.ptx("ld.shared.u64 $0, [$1];", "=l,r,~{memory}", i64Type, address, /*effects=*/true);
  }
  void store(Value address, Value number) {
    bool wide = number.getType() == i64Type;
    lowering.ptxEffect(wide ? "st.shared.u64 [$0], $1;" : "st.shared.u32 [$0], $1;",
                       wide ? "r,l,~{memory}" : "r,r,~{memory}", {address, number});
  }
  /// `how` is an operation and its type.
  void reduce(StringRef how, Value address, Value number) {
    bool wide = number.getType() == i64Type;
    lowering.ptxEffect(("red.shared." + how + " [$0], $1;").str(), wide ? "r,l,~{memory}" : "r,r,~{memory}",
                       {address, number});
  }

  //===-- the row --------------------------------------------------------------===//

  Value rowOf(Value memory) {
    Value address = lowering.pointerParameter(memory);
    for (auto [dimension, number] : llvm::enumerate(op.getRow()))
      address = lowering.byteOffset(address, mul(widened(lowering.scalar(number)), strideOf(memory, dimension)));
    return address;
  }
  Value strideOf(Value memory, unsigned dimension) {
    int64_t bytes = elementOf(memory).getIntOrFloatBitWidth() / 8;
    return mul(lowering.strideParameter(memory, dimension), i64(bytes));
  }
  static Type elementOf(Value memory) { return cast<MemRefType>(memory.getType()).getElementType(); }

  void place() {
    lowering.sharedBytes = llvm::alignTo(lowering.sharedBytes, 8);
    base = add(lowering.sharedBase, i32(lowering.sharedBytes));
    lowering.sharedBytes += kWarpsAt + lowering.warps * 8;
    unsigned inner = op.getRow().size();
    sums = rowOf(op.getSums());
    list = rowOf(op.getList());
    sumStride = strideOf(op.getSums(), inner);
    listStride = strideOf(op.getList(), inner);
    room = lowering.sizeParameter(op.getList(), inner);
    entries = lowering.scalar(op.getTo());
    wanted = least(entries, room);
    if (op.getTop()) {
      Value top = least(widened(lowering.scalar(op.getTop())), widened(wanted));
      wanted = narrowed(most(top, i64(0)));
    }
  }

  /// One entry as a thread sees it: its number, whether there is one, and the bits of its sum.
  struct Entry {
    Value number, exists, bits;
  };

  /// Whole warps walk entries `from` up to `to`, 32 of them `stride` apart; some loads begin before the first is used.
  Registers eachEntry(Value from, Value to, Value stride, Registers carried,
                      llvm::function_ref<void(const Entry &, Registers &carried)> body) {
    return loop(from, to, mul(stride, i32(kUnroll)), std::move(carried), [&](Value first, Registers &inside) {
      SmallVector<Entry, kUnroll> some;
      Value number = add(first, lowering.lane), last = sub(to, i32(1));
      for (int64_t i = 0; i < kUnroll; ++i, number = add(number, stride)) {
        Value address = lowering.byteOffset(sums, mul(widened(least(number, last)), sumStride));
        some.push_back({number, is(arith::CmpIPredicate::slt, number, to),
                        LLVM::LoadOp::create(builder, i32Type, address, /*alignment=*/4)});
      }
      for (const Entry &entry : some)
        body(entry, inside);
    });
  }

  /// All entries, in chunks that warps share out.
  Registers eachOfAll(Registers carried, llvm::function_ref<void(const Entry &, Registers &carried)> body) {
    return eachEntry(left(lowering.warp, i32(5)), entries, threads(), std::move(carried), body);
  }

  Value magnitudeOf(Value bits) { return bitAnd(bits, i32(0x7fffffff)); }

  /// Keys, unsigned, are in the order of sums; both zeros are one, and NaN is minus infinity.
  Value keyOf(Value bits) {
    Value magnitude = magnitudeOf(bits);
    Value isNan = is(arith::CmpIPredicate::sgt, magnitude, i32(kInfinity));
    Value number = choose(is(arith::CmpIPredicate::eq, magnitude, i32(0)), magnitude, bits);
    number = choose(isNan, i32(kInfinity | INT32_MIN), number);
    Value sign = arith::ShRSIOp::create(builder, number, i32(31));
    return bitXor(number, bitOr(sign, i32(INT32_MIN)));
  }
  Value bitsOfKey(Value key) {
    Value sign = arith::ShRSIOp::create(builder, key, i32(31));
    return bitXor(key, bitOr(bitXor(sign, i32(-1)), i32(INT32_MIN)));
  }

  //===-- shares ---------------------------------------------------------------===//

  /// A sum in units, cut off; 0 for what is not finite.
  Value unitsOf(Value bits) {
    Value finite = is(arith::CmpIPredicate::slt, magnitudeOf(bits), i32(kInfinity));
    Value number = arith::BitcastOp::create(builder, builder.getF32Type(), choose(finite, bits, i32(0)));
    Value scaled = arith::MulFOp::create(builder, arith::ExtFOp::create(builder, f64Type, number), unitsPerOne);
    return arith::FPToSIOp::create(builder, i64Type, scaled);
  }

  /// What an entry adds to the weight of what is listed: those below zero are never what reaches a share.
  Value weightOf(Value bits) { return most(unitsOf(bits), i64(0)); }

  /// The unit, the kinds of infinities (1: plus, 2: minus, or NaN), and the total.
  void weigh() {
    lowering.forRange(lowering.thread, i32(4), threads(),
                      [&](Value number) { store(lowering.wordOf(shared(kRowAt), number), i32(0)); });
    lowering.meet();
    Registers seen = eachOfAll({i32(0), i32(0)}, [&](const Entry &entry, Registers &carried) {
      Value magnitude = magnitudeOf(entry.bits);
      Value finite = is(arith::CmpIPredicate::slt, magnitude, i32(kInfinity));
      // Entries that do not exist repeat the last one.
      carried[0] = choose(finite, most(carried[0], magnitude), carried[0]);
      Value kind = choose(is(arith::CmpIPredicate::eq, entry.bits, i32(kInfinity)), i32(1), i32(2));
      carried[1] = bitOr(carried[1], choose(finite, i32(0), kind));
    });
    reduce("max.u32", shared(kRowAt), seen[0]);
    reduce("or.b32", shared(kRowAt + 4), seen[1]);
    lowering.meet();
    // 2^(exponent - 126) is above all magnitudes; that many entries of that size are below 2^62 units.
    Value exponent = most(right(word(shared(kRowAt)), i32(23)), i32(1));
    Value spare = math::CountLeadingZerosOp::create(builder, sub(entries, i32(1)));
    Value biased = sub(add(spare, i32(1023 + 62 - 32 + 126)), exponent);
    unitsPerOne =
        arith::BitcastOp::create(builder, f64Type, left(arith::ExtUIOp::create(builder, i64Type, biased), i64(52)));
    Registers mine = eachOfAll({i64(0)}, [&](const Entry &entry, Registers &carried) {
      carried[0] = add(carried[0], choose(entry.exists, unitsOf(entry.bits), i64(0)));
    });
    reduce("add.u64", shared(kRowAt + 8), mine[0]);
    lowering.meet();
  }

  /// The weight that is enough, and how many entries are listed at most.
  void aim() {
    Value infinities = word(shared(kRowAt + 4)), total = longWord(shared(kRowAt + 8));
    auto infinity = [&](double sign) { return f64(sign * std::numeric_limits<double>::infinity()); };
    auto kind = [&](int64_t number) { return is(arith::CmpIPredicate::eq, infinities, i32(number)); };
    Value real = choose(kind(1), infinity(1), choose(kind(2), infinity(-1), asDouble(total)));
    real = choose(kind(3), f64(std::numeric_limits<double>::quiet_NaN()), real);
    Value share = arith::ExtFOp::create(builder, f64Type, lowering.scalar(op.getCover()));
    Value target = arith::MulFOp::create(builder, share, real);
    auto compare = [&](arith::CmpFPredicate predicate, Value a, Value b) -> Value {
      return arith::CmpFOp::create(builder, predicate, a, b);
    };
    // One plus infinity is enough, and nothing is enough for a target that is not above zero or no number.
    wanted = choose(kind(1), least(wanted, i32(1)), wanted);
    wanted = choose(compare(arith::CmpFPredicate::OGT, target, f64(0)), wanted, i32(0));
    Value reachable = compare(arith::CmpFPredicate::OLT, target, f64(static_cast<double>(kNeverReached)));
    Value whole = arith::FPToSIOp::create(builder, i64Type, choose(reachable, target, f64(0)));
    Value isBelow = compare(arith::CmpFPredicate::OLT, asDouble(whole), target);
    whole = add(whole, arith::ExtUIOp::create(builder, i64Type, isBelow));
    // As f64 a large total may be rounded up; a part of it is no more than all.
    Value isPart = compare(arith::CmpFPredicate::OLE, share, f64(1));
    isPart = bitAnd(isPart, is(arith::CmpIPredicate::sgt, total, i64(0)));
    whole = choose(isPart, least(whole, total), whole);
    enough = choose(bitAnd(reachable, is(arith::CmpIPredicate::eq, infinities, i32(0))), whole, i64(kNeverReached));
  }

  //===-- the least key --------------------------------------------------------===//

  void search() {
    Registers carried{i32(0), wanted};
    if (enough)
      carried.push_back(enough);
    carried = loop(i32(0), i32(kRounds), i32(1), carried, [&](Value round, Registers &state) {
      Value shift = sub(i32(32 - kDigitBits), mul(round, i32(kDigitBits)));
      Value choice = add(shared(kRoundsAt), left(round, i32(4)));
      clearDigits(choice);
      lowering.meet();
      countDigits(state[0], shift);
      lowering.meet();
      when(is(arith::CmpIPredicate::eq, lowering.warp, i32(0)), [&] { chooseDigit(choice, state); });
      lowering.meet();
      state[0] = bitOr(state[0], left(word(choice), shift));
      state[1] = sub(state[1], word(add(choice, i32(4))));
      if (enough)
        state[2] = sub(state[2], longWord(add(choice, i32(8))));
    });
    key = carried[0];
    equal = carried[1];
    number = wanted;
    if (!enough)
      return;
    Value each = weightOf(bitsOfKey(key)), atLeast = most(each, i64(1));
    Value needed = arith::DivUIOp::create(builder, add(carried[2], sub(atLeast, i64(1))), atLeast);
    needed = choose(is(arith::CmpIPredicate::sgt, each, i64(0)), needed, i64(kNeverReached));
    equal = narrowed(least(widened(equal), needed));
    number = add(sub(wanted, carried[1]), equal);
  }

  /// No counts, and a choice that is right where nothing is wanted: nothing is above the largest key.
  void clearDigits(Value choice) {
    int64_t words = enough ? kRoundsAt / 4 : kDigits;
    lowering.forRange(lowering.thread, i32(words), threads(),
                      [&](Value number) { store(lowering.wordOf(base, number), i32(0)); });
    lowering.forRange(lowering.thread, i32(4), threads(), [&](Value number) {
      Value digit = choose(is(arith::CmpIPredicate::eq, number, i32(0)), i32(kDigits - 1), i32(0));
      store(lowering.wordOf(choice, number), digit);
    });
  }

  /// Keys that begin as the least one does, by their next digit.
  void countDigits(Value begin, Value shift) {
    Value behind = arith::ExtUIOp::create(builder, i64Type, add(shift, i32(kDigitBits)));
    Value beginBits = narrowed(left(i64(-1), behind));
    eachOfAll({}, [&](const Entry &entry, Registers &) {
      Value ofEntry = keyOf(entry.bits);
      Value counts = is(arith::CmpIPredicate::eq, bitAnd(ofEntry, beginBits), begin);
      counts = bitAnd(counts, entry.exists);
      Value digit = bitAnd(right(ofEntry, shift), i32(kDigits - 1));
      Value weight = enough ? choose(counts, weightOf(entry.bits), i64(0)) : Value();
      countDigit(counts, digit, weight);
    });
  }

  /// The sums of a row are often of one size, so that threads would queue up for one counter: where all that count in a
  /// warp have one digit, one thread counts for all.
  void countDigit(Value counts, Value digit, Value weight) {
    Value who = ballot(counts);
    Value leader = math::CountTrailingZerosOp::create(builder, who);
    Value same = bitAnd(counts, is(arith::CmpIPredicate::eq, digit, fromLane(digit, bitAnd(leader, i32(31)))));
    Value together = is(arith::CmpIPredicate::eq, ballot(same), who);
    auto addTo = [&](Value count, Value weight) {
      reduce("add.u32", lowering.wordOf(base, digit), count);
      if (weight)
        reduce("add.u64", add(shared(kWeightsAt), left(digit, i32(3))), weight);
    };
    when(together, [&] {
      Value all = weight;
      for (int64_t distance = 16; weight && distance; distance /= 2)
        all = add(all, fromOtherLane(all, distance));
      when(is(arith::CmpIPredicate::eq, lowering.lane, leader), [&] { addTo(ones(who), all); });
    });
    Value alone = bitXor(together, arith::ConstantOp::create(builder, builder.getBoolAttr(true)));
    when(bitAnd(alone, counts), [&] { addTo(i32(1), weight); });
  }

  /// By one warp: the largest digit with which enough are listed. Each lane has some neighbouring digits, largest
  /// first.
  void chooseDigit(Value choice, const Registers &state) {
    constexpr int64_t kOfLane = kDigits / 32;
    Value first = sub(i32(kDigits - 1), mul(lowering.lane, i32(kOfLane)));
    SmallVector<Value> counts, weights;
    Value count = i32(0), weight = i64(0);
    for (int64_t i = 0; i < kOfLane; ++i) {
      Value digit = sub(first, i32(i));
      counts.push_back(word(lowering.wordOf(base, digit)));
      count = add(count, counts.back());
      if (!enough)
        continue;
      weights.push_back(longWord(add(shared(kWeightsAt), left(digit, i32(3)))));
      weight = add(weight, weights.back());
    }
    Value above = sub(summedUpToLane(count), count), weightAbove = i64(0);
    if (enough)
      weightAbove = sub(summedUpToLane(weight), weight);
    auto suffices = [&]() -> Value {
      Value many = is(arith::CmpIPredicate::sge, above, state[1]);
      return enough ? bitOr(many, is(arith::CmpIPredicate::sge, weightAbove, state[2])) : many;
    };
    Value before = suffices();
    for (int64_t i = 0; i < kOfLane; ++i) {
      Value countBefore = above, weightBefore = weightAbove;
      above = add(above, counts[i]);
      if (enough)
        weightAbove = add(weightAbove, weights[i]);
      Value now = suffices();
      when(bitAnd(now, bitXor(before, arith::ConstantOp::create(builder, builder.getBoolAttr(true)))), [&] {
        store(choice, sub(first, i32(i)));
        store(add(choice, i32(4)), countBefore);
        store(add(choice, i32(8)), weightBefore);
      });
      before = now;
    }
  }

  //===-- the list -------------------------------------------------------------===//

  void put(Value place, Value entry) {
    Value address = lowering.byteOffset(list, mul(widened(place), listStride));
    Type element = elementOf(op.getList());
    LLVM::StoreOp::create(builder, element == i64Type ? widened(entry) : entry, address,
                          element.getIntOrFloatBitWidth() / 8);
  }

  /// A bit for each entry of the warp above the least key, and for each equal to it.
  std::pair<Value, Value> compareWithKey(const Entry &entry) {
    Value ofEntry = keyOf(entry.bits);
    return {bitAnd(entry.exists, is(arith::CmpIPredicate::ugt, ofEntry, key)),
            bitAnd(entry.exists, is(arith::CmpIPredicate::eq, ofEntry, key))};
  }

  /// Each warp has some neighbouring entries. It counts those of each kind first, and writes them behind those of the
  /// warps before it.
  void write() {
    Value chunks = arith::DivUIOp::create(builder, add(entries, sub(threads(), i32(1))), threads());
    Value ofWarp = mul(chunks, i32(32));
    Value from = mul(ofWarp, lowering.warp), to = least(add(from, ofWarp), entries);
    Registers own = eachEntry(from, to, i32(32), {i32(0), i32(0)}, [&](const Entry &entry, Registers &carried) {
      auto [above, same] = compareWithKey(entry);
      carried[0] = add(carried[0], ones(ballot(above)));
      carried[1] = add(carried[1], ones(ballot(same)));
    });
    auto countsOf = [&](Value warp) { return add(shared(kWarpsAt), left(warp, i32(3))); };
    when(is(arith::CmpIPredicate::eq, lowering.lane, i32(0)), [&] {
      store(countsOf(lowering.warp), own[0]);
      store(add(countsOf(lowering.warp), i32(4)), own[1]);
    });
    lowering.meet();
    Registers before = loop(i32(0), lowering.warp, i32(1), {i32(0), i32(0)}, [&](Value warp, Registers &carried) {
      carried[0] = add(carried[0], word(countsOf(warp)));
      carried[1] = add(carried[1], word(add(countsOf(warp), i32(4))));
    });
    Value lanesBefore = sub(left(i32(1), lowering.lane), i32(1));
    eachEntry(from, to, i32(32), before, [&](const Entry &entry, Registers &carried) {
      auto [above, same] = compareWithKey(entry);
      Value aboves = ballot(above), sames = ballot(same);
      Value sameBefore = add(carried[1], ones(bitAnd(sames, lanesBefore)));
      Value at = add(add(carried[0], ones(bitAnd(aboves, lanesBefore))), least(sameBefore, equal));
      Value listed = bitOr(above, bitAnd(same, is(arith::CmpIPredicate::slt, sameBefore, equal)));
      when(listed, [&] { put(at, entry.number); });
      carried = {add(carried[0], ones(aboves)), add(carried[1], ones(sames))};
    });
    lowering.forRange(add(number, lowering.thread), room, threads(), [&](Value place) { put(place, i32(-1)); });
    when(isFirstThread(), [&] {
      Type element = elementOf(op.getCount());
      LLVM::StoreOp::create(builder, element == i64Type ? widened(number) : number, rowOf(op.getCount()),
                            element.getIntOrFloatBitWidth() / 8);
    });
  }

  TileLowering &lowering;
  ImplicitLocOpBuilder &builder;
  SelectOp op;
  Type i32Type, i64Type, f64Type;
  Value base;                  ///< address of the shared memory
  Value sums, list;            ///< addresses of the row's first entries
  Value sumStride, listStride; ///< i64, bytes
  Value entries, room, wanted; ///< i32; wanted: at most that many are listed
  Value unitsPerOne, enough;   ///< f64, a power of two; i64, units, null without a share
  Value key, equal, number;    ///< i32: the least key that is listed, how many of those equal to it, and of all
};

LogicalResult TileLowering::lowerSelect(SelectOp op) {
  RowSelection(*this, op).emit();
  return success();
}

} // namespace attn::tile
