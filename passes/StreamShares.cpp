// SPDX-License-Identifier: Apache-2.0
// Shares of the line of all tiles: arithmetic on lengths that may lie on the device, and a loop over segments.
#include "passes/StreamShares.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "passes/DataFacts.h"

using namespace mlir;

namespace attn {

StreamRule streamRuleOf(KernelOp kernel) {
  auto numbers = kernel->getAttrOfType<DenseI64ArrayAttr>("attn.stream");
  return numbers ? StreamRule{numbers[0], numbers[1]} : StreamRule{0, 1};
}

StreamShares::StreamShares(KernelWrapper &wrapper, const Attention &attention)
    : wrapper(wrapper), builder(wrapper.builder), views(wrapper.views), queries(ScoresOp(attention.scores).getQuery()),
      keys(ScoresOp(attention.scores).getKeys()), batches(views.countOf(queries)),
      most(streamRuleOf(wrapper.kernel).programs), granule(streamRuleOf(wrapper.kernel).granule) {
  ScheduleAttr schedule = wrapper.kernel.getScheduleAttr();
  packed = std::max<int64_t>(1, schedule.getPacked());
  heads = headsOf(attention.query) / packed;
  blockQ = schedule.getBlockQ();
  headDim = attention.result.getShape().back();
  uniform = !lengthsAreData(wrapper.kernel);
  createWorkspace();
}

Value StreamShares::add(Value a, Value b) { return builder.createOrFold<arith::AddIOp>(a, b); }
Value StreamShares::subtract(Value a, Value b) { return builder.createOrFold<arith::SubIOp>(a, b); }
Value StreamShares::multiply(Value a, Value b) { return builder.createOrFold<arith::MulIOp>(a, b); }
Value StreamShares::tilesIn(Value rows, int64_t size) {
  return builder.createOrFold<arith::CeilDivUIOp>(rows, index(size));
}

Value StreamShares::rowsOf(Value tokens) { return packed == 1 ? tokens : multiply(tokens, index(packed)); }

//===-- from shapes --------------------------------------------------------------===//

Value StreamShares::items() {
  Value blocks;
  if (RaggedOp packing = packingOf(queries)) {
    blocks = views.blocksOf(packing, blockQ, packed);
  } else {
    Value rows = rowsOf(views.sizeOf(wrapper.of(tensorOf(queries, false)), 1));
    blocks = multiply(tilesIn(rows, blockQ), batches);
  }
  return multiply(blocks, index(heads));
}

Value StreamShares::programs() {
  Value capacity = views.capacityOf(keys, granule);
  if (!capacity)
    return index(most);
  Value tiles = multiply(tilesIn(capacity, granule), items());
  Value useful = tilesIn(tiles, 2);
  Value launched = arith::MinSIOp::create(builder, useful, index(most));
  return arith::MaxSIOp::create(builder, launched, index(1));
}

/// As many slots as a program and an item can number, one behind the other.
void StreamShares::createWorkspace() {
  Value slots = add(programs(), items()), offset = index(0);
  constexpr int64_t any = ShapedType::kDynamic;
  auto workspace = [&](ArrayRef<int64_t> sizes, int64_t elements) -> Value {
    auto type = MemRefType::get(sizes, builder.getF32Type());
    Value memory = tile::WorkspaceOp::create(builder, type, offset, ValueRange{slots});
    offset = add(offset, multiply(slots, index(elements * 4)));
    return memory;
  };
  outputs = workspace({any, blockQ, 1, headDim}, blockQ * headDim);
  maxima = workspace({any, blockQ, 1}, blockQ);
  sums = workspace({any, blockQ, 1}, blockQ);
}

StreamShares::Views StreamShares::slot(Value number, Value rows) {
  SequencePart part;
  part.batch = number;
  part.length = rows;
  auto rowsIn = [&](Value memory) { return views.viewOfResult(memory, part, index(0), /*packed=*/1); };
  return {rowsIn(outputs), rowsIn(maxima), rowsIn(sums)};
}

Value StreamShares::rowsOfBlock(Value length, Value block) {
  Value left = subtract(rowsOf(length), multiply(block, index(blockQ)));
  return arith::MaxSIOp::create(builder, arith::MinSIOp::create(builder, left, index(blockQ)), index(0));
}

//===-- from lengths ---------------------------------------------------------------===//

StreamShares::Sequence StreamShares::sequence(Value batch) {
  SequencePart query = views.partsOf(queries, batch, batches).front();
  auto parts = views.partsOf(keys, batch, batches);
  Sequence result;
  result.blocks = tilesIn(rowsOf(query.length), blockQ);
  result.tiles = tilesIn(views.lengthInTiles(parts, granule), granule);
  result.all = multiply(multiply(result.blocks, result.tiles), index(heads));
  Value blocksBefore;
  if (packingOf(queries)) { // as tile.locate counts them
    Value whole = arith::DivUIOp::create(builder, rowsOf(query.first), index(blockQ));
    blocksBefore = add(whole, batch);
  } else {
    Value rows = rowsOf(views.sizeOf(wrapper.of(tensorOf(queries, false)), 1));
    blocksBefore = multiply(batch, tilesIn(rows, blockQ));
  }
  result.firstItem = multiply(blocksBefore, index(heads));
  return result;
}

/// The tiles of all sequences, and with `batch` those of the sequences in front of it.
StreamShares::Values StreamShares::sumBefore(Value batch) {
  if (uniform) {
    Value each = sequence(index(0)).all;
    Values sums{multiply(batches, each)};
    if (batch)
      sums.push_back(multiply(batch, each));
    return sums;
  }
  Values zeros(batch ? 2 : 1, index(0));
  auto loop = scf::ForOp::create(builder, index(0), batches, index(1), zeros);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(loop.getBody());
  Value each = sequence(loop.getInductionVar()).all;
  Values sums{add(loop.getRegionIterArg(0), each)};
  if (batch) {
    Value isBefore = arith::CmpIOp::create(builder, arith::CmpIPredicate::slt, loop.getInductionVar(), batch);
    Value counted = arith::SelectOp::create(builder, isBefore, each, index(0));
    sums.push_back(add(loop.getRegionIterArg(1), counted));
  }
  scf::YieldOp::create(builder, sums);
  return Values(loop.getResults());
}

StreamShares::Plan StreamShares::plan(Value batch, Value *before) {
  Value launched = programs();
  Values sums = sumBefore(batch);
  if (batch)
    *before = sums[1];
  Plan plan;
  plan.all = sums[0];
  Value one = index(1), useful = tilesIn(plan.all, 2);
  Value working = arith::MaxSIOp::create(builder, arith::MinSIOp::create(builder, useful, launched), one);
  plan.most = arith::CeilDivUIOp::create(builder, plan.all, working);
  plan.less = arith::MaxSIOp::create(builder, subtract(plan.most, one), index(0));
  plan.more = subtract(plan.all, multiply(plan.less, working));
  return plan;
}

std::pair<Value, Value> StreamShares::range(const Plan &plan, Value program) {
  auto begin = [&](Value number) -> Value {
    Value longer = arith::MinSIOp::create(builder, number, plan.more);
    return add(multiply(number, plan.less), longer);
  };
  Value to = begin(add(program, index(1)));
  return {begin(program), arith::MinSIOp::create(builder, to, plan.all)};
}

Value StreamShares::programOf(const Plan &plan, Value tile) {
  Value ofLonger = multiply(plan.more, plan.most);
  Value isLonger = arith::CmpIOp::create(builder, arith::CmpIPredicate::slt, tile, ofLonger);
  Value one = index(1);
  Value most = arith::MaxSIOp::create(builder, plan.most, one), less = arith::MaxSIOp::create(builder, plan.less, one);
  Value behind = arith::DivSIOp::create(builder, subtract(tile, ofLonger), less);
  return arith::SelectOp::create(builder, isLonger, arith::DivSIOp::create(builder, tile, most).getResult(),
                                 add(plan.more, behind));
}

//===-- segments -------------------------------------------------------------------===//

StreamShares::Values StreamShares::loopWhile(ValueRange inits, llvm::function_ref<Value(ValueRange)> condition,
                                             llvm::function_ref<Values(ValueRange)> body) {
  TypeRange types = inits.getTypes();
  auto loop = scf::WhileOp::create(builder, types, inits);
  OpBuilder::InsertionGuard guard(builder);
  SmallVector<Location> places(inits.size(), builder.getLoc());
  Block *before = builder.createBlock(&loop.getBefore(), {}, types, places);
  scf::ConditionOp::create(builder, condition(before->getArguments()), before->getArguments());
  Block *after = builder.createBlock(&loop.getAfter(), {}, types, places);
  scf::YieldOp::create(builder, body(after->getArguments()));
  return Values(loop.getResults());
}

/// The sequence that a place lies in, among all of them: its number, the tiles in front of it and its own. A loop of
/// known length without a branch, so that the loads of several steps are under way together.
StreamShares::Values StreamShares::findAmongAll(Value place) {
  auto loop = scf::ForOp::create(builder, index(0), batches, index(1), Values(3, index(0)));
  {
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(loop.getBody());
    Value end = add(loop.getRegionIterArg(0), sequence(loop.getInductionVar()).all);
    Value isBefore = arith::CmpIOp::create(builder, arith::CmpIPredicate::sle, end, place);
    Value next = add(loop.getInductionVar(), index(1));
    Value batch = arith::SelectOp::create(builder, isBefore, next, loop.getRegionIterArg(1));
    Value before = arith::SelectOp::create(builder, isBefore, end, loop.getRegionIterArg(2));
    scf::YieldOp::create(builder, ValueRange{end, batch, before});
  }
  Value batch = loop.getResult(1);
  return {batch, loop.getResult(2), sequence(batch).all};
}

/// Of the sequence that a place lies in: its number and the tiles in front of it, and where lengths are data its own
/// tiles, to go on from. It is looked for from `known`, the same of a sequence that does not lie behind.
StreamShares::Values StreamShares::find(Value place, ValueRange known) {
  if (uniform) {
    Value all = sequence(index(0)).all;
    Value batch = arith::DivUIOp::create(builder, place, all);
    return {batch, multiply(batch, all)};
  }
  // The place lies before the end of the line, so there is a sequence that has it.
  return loopWhile(
      known,
      [&](ValueRange state) {
        Value end = add(state[1], state[2]);
        return arith::CmpIOp::create(builder, arith::CmpIPredicate::sle, end, place).getResult();
      },
      [&](ValueRange state) {
        Value next = add(state[0], index(1));
        return Values{next, add(state[1], state[2]), sequence(next).all};
      });
}

/// The item that a place lies in, from there up to its end or to `to`.
StreamShares::Segment StreamShares::segmentAt(Value place, Value to, Value batch, Value before) {
  Sequence of = sequence(batch);
  Value inSequence = subtract(place, before);
  Value item = arith::DivUIOp::create(builder, inSequence, of.tiles);
  Segment segment;
  segment.batch = batch;
  segment.head = arith::DivUIOp::create(builder, item, of.blocks);
  segment.block = arith::RemUIOp::create(builder, item, of.blocks);
  segment.firstTile = arith::RemUIOp::create(builder, inSequence, of.tiles);
  Value end = add(segment.firstTile, subtract(to, place));
  segment.endTile = arith::MinSIOp::create(builder, end, of.tiles);
  segment.item = add(of.firstItem, item);
  return segment;
}

void StreamShares::forEachSegment(Value from, Value to, llvm::function_ref<void(const Segment &)> body) {
  Values inits{from};
  if (!uniform)
    llvm::append_range(inits, findAmongAll(from));
  loopWhile(
      inits,
      [&](ValueRange state) {
        return arith::CmpIOp::create(builder, arith::CmpIPredicate::slt, state[0], to).getResult();
      },
      [&](ValueRange state) {
        Value place = state[0];
        Values found = find(place, state.drop_front());
        Segment segment = segmentAt(place, to, found[0], found[1]);
        body(segment);
        Values next{add(place, subtract(segment.endTile, segment.firstTile))};
        if (!uniform)
          llvm::append_range(next, found);
        return next;
      });
}

} // namespace attn
