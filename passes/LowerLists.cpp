// SPDX-License-Identifier: Apache-2.0
// Lists of tiles: bits that threads set in shared memory, and the numbers that one word after another gives.
//
// A list has sets of tiles, a bit each: 0 may be visible, 1 may hide something, 2 and 3 are to compute with. The number
// of places follows, then 16 bits for each place: the number of the tile, counted from the first of the range, and in
// the highest bit whether it is full.
#include "passes/ListRow.h"

#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace attn::tile {

static constexpr int64_t kFullBit = 15;

Value TileLowering::loadShared(Value address, bool half) {
  Type i32Type = builder.getI32Type();
  if (!half)
    return ptx("ld.shared.u32 $0, [$1];", "=r,r,~{memory}", i32Type, address, /*effects=*/true);
  Value loaded = ptx("ld.shared.u16 $0, [$1];", "=h,r,~{memory}", builder.getI16Type(), address, /*effects=*/true);
  return arith::ExtUIOp::create(builder, i32Type, loaded);
}

void TileLowering::forRange(Value from, Value to, Value step, llvm::function_ref<void(Value)> body) {
  auto loop = scf::ForOp::create(builder, from, to, step);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(loop.getBody());
  body(loop.getInductionVar());
}

LogicalResult TileLowering::lowerListOp(Operation *op) {
  return llvm::TypeSwitch<Operation *, LogicalResult>(op)
      .Case([&](CollectOp op) { return lowerCollect(op); })
      .Case([&](EachOp op) { return lowerEach(op); })
      .Case([&](MarkOp op) { return lowerMark(op); })
      .Case([&](CommonOp op) { return lowerCommon(op); })
      .Case([&](EntryOp op) { return lowerEntry(op); })
      .Case([&](RunOp op) { return lowerRun(op); })
      .Case<MemberOp, PlaceOp>([&](auto op) { return lowerSearch(op); })
      .Case([&](FirstAboveOp op) { return lowerFirstAbove(op); })
      .Case([&](ExtremesOp op) { return lowerExtremes(op); })
      .Case([&](CountOp op) {
        scalars[op.getCount()] = lists.find(op.getList())->second.count;
        return success();
      });
}

LogicalResult TileLowering::lowerCollect(CollectOp op) {
  LoweredList list;
  list.words = llvm::divideCeil(op.getMost(), 32);
  sharedBytes = llvm::alignTo(sharedBytes, 4);
  list.bits = arith::AddIOp::create(builder, sharedBase, i32(sharedBytes));
  list.places = arith::AddIOp::create(builder, list.bits, i32(list.words * 16 + 4));
  sharedBytes += sharedBytesOfList(op.getMost());
  list.from = scalar(op.getFrom());
  Value range = arith::SubIOp::create(builder, scalar(op.getTo()), list.from);
  list.range = arith::MaxSIOp::create(builder, range, i32(0));
  list.all = arith::CmpIOp::create(builder, arith::CmpIPredicate::sgt, list.range, i32(op.getMost()));

  forRange(thread, i32(list.words * 4 + 2), allThreads(), [&](Value word) {
    ptxEffect("st.shared.u32 [$0], $1;", "r,r,~{memory}", {wordOf(list.bits, word), i32(0)});
  });
  meet();
  Value few = arith::XOrIOp::create(builder, list.all, arith::ConstantOp::create(builder, builder.getBoolAttr(true)));
  auto branch = scf::IfOp::create(builder, few);
  {
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPoint(branch.thenBlock()->getTerminator());
    lists[op.getList()] = list;
    if (failed(lowerOps(op.getBody())))
      return failure();
  }
  meet();
  forWords(list, [&](Value word) { writePlaces(list, word); });
  meet();
  Value listed = loadShared(wordOf(list.bits, i32(list.words * 4)), /*half=*/false);
  list.count = arith::SelectOp::create(builder, list.all, list.range, listed);
  lists[op.getList()] = list;
  return success();
}

Value TileLowering::wordOf(Value base, Value number) {
  return arith::AddIOp::create(builder, base, arith::ShLIOp::create(builder, number, i32(2)));
}

/// The places of the tiles in a word: behind those of all words before it.
void TileLowering::writePlaces(const LoweredList &list, Value word) {
  auto before = scf::ForOp::create(builder, i32(0), word, i32(1), ValueRange{i32(0)});
  {
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(before.getBody());
    Value bits = math::CtPopOp::create(builder, loadShared(wordOf(list.bits, before.getInductionVar()), false));
    scf::YieldOp::create(builder, arith::AddIOp::create(builder, before.getRegionIterArg(0), bits).getResult());
  }
  Value visible = loadShared(wordOf(list.bits, word), false);
  Value hidden = loadShared(wordOf(list.bits, arith::AddIOp::create(builder, word, i32(list.words))), false);
  Value first = arith::ShLIOp::create(builder, word, i32(5));
  auto bits = scf::ForOp::create(builder, i32(0), i32(32), i32(1), before.getResults());
  {
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(bits.getBody());
    Value number = bits.getInductionVar(), place = bits.getRegionIterArg(0);
    auto bitOf = [&](Value of) -> Value {
      return arith::AndIOp::create(builder, arith::ShRUIOp::create(builder, of, number), i32(1));
    };
    Value isVisible = bitOf(visible), isFull = arith::XOrIOp::create(builder, bitOf(hidden), i32(1));
    Value entry = arith::OrIOp::create(builder, first, number);
    entry = arith::OrIOp::create(builder, entry, arith::ShLIOp::create(builder, isFull, i32(kFullBit)));
    auto write = scf::IfOp::create(
        builder, arith::CmpIOp::create(builder, arith::CmpIPredicate::ne, isVisible, i32(0)).getResult());
    {
      OpBuilder::InsertionGuard guard(builder);
      builder.setInsertionPoint(write.thenBlock()->getTerminator());
      Value address = arith::AddIOp::create(builder, list.places, arith::ShLIOp::create(builder, place, i32(1)));
      Value half = arith::TruncIOp::create(builder, builder.getI16Type(), entry);
      ptxEffect("st.shared.u16 [$0], $1;", "r,h,~{memory}", {address, half});
    }
    scf::YieldOp::create(builder, arith::AddIOp::create(builder, place, isVisible).getResult());
  }
  Value isLast = arith::CmpIOp::create(builder, arith::CmpIPredicate::eq, word, i32(list.words - 1));
  auto write = scf::IfOp::create(builder, isLast);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPoint(write.thenBlock()->getTerminator());
  ptxEffect("st.shared.u32 [$0], $1;", "r,r,~{memory}", {wordOf(list.bits, i32(list.words * 4)), bits.getResult(0)});
}

Value TileLowering::allThreads() { return i32((warps + (roles ? int64_t(roles.getLoadWarps()) : 0)) * 32); }

/// As an operation of which LLVM knows that all threads take part in it: some stand behind loops that others skip.
void TileLowering::meet() { NVVM::BarrierOp::create(builder); }

/// A region of at most one block, without a terminator.
LogicalResult TileLowering::lowerOps(Region &region) {
  for (Operation &op : region.getOps())
    if (failed(lowerOp(op)))
      return failure();
  return success();
}

/// Each word of a set by one thread.
void TileLowering::forWords(const LoweredList &list, llvm::function_ref<void(Value)> body) {
  forRange(thread, i32(list.words), allThreads(), body);
}

Value TileLowering::setOf(const LoweredList &list, int64_t number) {
  return arith::AddIOp::create(builder, list.bits, i32(number * list.words * 4));
}

LogicalResult TileLowering::lowerCommon(CommonOp op) {
  const LoweredList &list = lists.find(op->getParentOfType<CollectOp>().getList())->second;
  auto store = [&](Value set, Value word, Value bits) {
    ptxEffect("st.shared.u32 [$0], $1;", "r,r,~{memory}", {wordOf(set, word), bits});
  };
  Value all = setOf(list, 2), own = setOf(list, 3), target = setOf(list, op.getSight() == Sight::hidden ? 1 : 0);
  for (auto [i, part] : llvm::enumerate(op.getParts())) {
    marked = i ? own : all;
    forWords(list, [&](Value word) { store(marked, word, i32(0)); });
    meet();
    if (failed(lowerOps(part)))
      return failure();
    meet();
    if (i)
      forWords(list, [&](Value word) {
        Value both =
            arith::AndIOp::create(builder, loadShared(wordOf(all, word), false), loadShared(wordOf(own, word), false));
        store(all, word, both);
      });
  }
  marked = Value();
  forWords(list, [&](Value word) {
    ptxEffect("red.shared.or.b32 [$0], $1;", "r,r,~{memory}",
              {wordOf(target, word), loadShared(wordOf(all, word), false)});
  });
  meet();
  return success();
}

LogicalResult TileLowering::lowerEach(EachOp op) {
  Value from = arith::AddIOp::create(builder, scalar(op.getFrom()), thread);
  LogicalResult done = success();
  forRange(from, scalar(op.getTo()), allThreads(), [&](Value number) {
    scalars[op.getBody().getArgument(0)] = number;
    done = lowerOps(op.getBody());
  });
  return done;
}

/// One thread sets the bits of its mark; where all have the same mark, each sets some words of it.
LogicalResult TileLowering::lowerMark(MarkOp op) {
  const LoweredList &list = lists.find(op->getParentOfType<CollectOp>().getList())->second;
  bool alone = op->getParentOfType<EachOp>() != nullptr;
  auto placeOf = [&](Value tile) -> Value {
    Value place = arith::SubIOp::create(builder, scalar(tile), list.from);
    return arith::MinSIOp::create(builder, arith::MaxSIOp::create(builder, place, i32(0)), list.range);
  };
  Value from = placeOf(op.getFrom()), to = placeOf(op.getTo());
  Value firstWord = arith::ShRUIOp::create(builder, from, i32(5));
  Value behind = arith::ShRUIOp::create(builder, arith::AddIOp::create(builder, to, i32(31)), i32(5));
  Value step = i32(1);
  if (!alone) {
    firstWord = arith::AddIOp::create(builder, firstWord, thread);
    step = allThreads();
  }
  Value bits = marked ? marked : setOf(list, op.getSight() == Sight::hidden ? 1 : 0);
  forRange(firstWord, behind, step, [&](Value word) {
    Value first = arith::ShLIOp::create(builder, word, i32(5));
    auto inWord = [&](Value place) -> Value {
      return arith::ExtSIOp::create(builder, builder.getI64Type(), arith::SubIOp::create(builder, place, first));
    };
    Value set = bitsBetween(builder, inWord(from), inWord(to));
    ptxEffect("red.shared.or.b32 [$0], $1;", "r,r,~{memory}", {wordOf(bits, word), set});
  });
  return success();
}

/// What stands in a place; for one behind the last, what stands there. The first one of an empty list was set to 0.
Value TileLowering::entryOf(const LoweredList &list, Value place) {
  Value last = arith::SubIOp::create(builder, list.count, i32(1));
  last = arith::MinSIOp::create(builder, arith::MaxSIOp::create(builder, last, i32(0)), i32(list.words * 32 - 1));
  Value inside = arith::MinSIOp::create(builder, place, last);
  Value address = arith::AddIOp::create(builder, list.places, arith::ShLIOp::create(builder, inside, i32(1)));
  return loadShared(address, /*half=*/true);
}

LogicalResult TileLowering::lowerEntry(EntryOp op) {
  const LoweredList &list = lists.find(op.getList())->second;
  Value place = scalar(op.getPlace());
  Value number = arith::AndIOp::create(builder, entryOf(list, place), i32((1 << kFullBit) - 1));
  number = arith::SelectOp::create(builder, list.all, place, number);
  scalars[op.getTile()] = arith::AddIOp::create(builder, number, list.from);
  return success();
}

LogicalResult TileLowering::lowerRun(RunOp op) {
  const LoweredList &list = lists.find(op.getList())->second;
  bool ofHidden = op.getSight() == Sight::hidden;
  Type type = builder.getI32Type();
  // Where the list is all of the range, places hold nothing but the first, and no tile is full.
  Value begin = scalar(op.getPlace());
  if (ofHidden)
    begin = arith::SelectOp::create(builder, list.all, list.count, begin);
  auto search = scf::WhileOp::create(builder, TypeRange{type}, ValueRange{begin});
  OpBuilder::InsertionGuard guard(builder);
  Block *before = builder.createBlock(&search.getBefore(), {}, type, builder.getLoc());
  Value place = before->getArgument(0);
  Value more = arith::CmpIOp::create(builder, arith::CmpIPredicate::slt, place, list.count);
  Value held = arith::SelectOp::create(builder, list.all, i32(0), place);
  Value full = arith::ShRUIOp::create(builder, entryOf(list, held), i32(kFullBit));
  Value wanted = arith::CmpIOp::create(builder, arith::CmpIPredicate::eq, full, i32(ofHidden ? 0 : 1));
  more = arith::AndIOp::create(builder, more, wanted);
  if (!ofHidden) {
    Value listed =
        arith::XOrIOp::create(builder, list.all, arith::ConstantOp::create(builder, builder.getBoolAttr(true)));
    more = arith::AndIOp::create(builder, more, listed);
  }
  scf::ConditionOp::create(builder, more, before->getArguments());
  Block *after = builder.createBlock(&search.getAfter(), {}, type, builder.getLoc());
  scf::YieldOp::create(builder, arith::AddIOp::create(builder, after->getArgument(0), i32(1)).getResult());
  scalars[op.getEnd()] = search.getResult(0);
  return success();
}

/// A question that is the same for the whole program.
template <typename Op> LogicalResult TileLowering::lowerSearch(Op op) {
  auto wide = [&](Value value) -> Value {
    Value number = scalar(value);
    return number.getType().isInteger(64) ? number
                                          : arith::ExtSIOp::create(builder, builder.getI64Type(), number).getResult();
  };
  SmallVector<Value> indices;
  for (Value index : op.getRow())
    indices.push_back(scalar(index));
  ListRow row(*this, op.getList(), indices.size(), rowAddressIn(op.getList(), indices), wide(op.getFrom()),
              wide(op.getTo()));
  if constexpr (std::is_same_v<Op, MemberOp>)
    scalars[op.getFound()] = row.holds(wide(op.getValue()));
  else
    scalars[op.getPlace()] = row.firstFrom(wide(op.getNumber()));
  return success();
}

} // namespace attn::tile
