// SPDX-License-Identifier: Apache-2.0
// split-loops: a loop whose mask names the tiles that need none becomes one loop for each kind of tile.
#include "dialect/Tile.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Pass/Pass.h"
#include "passes/LoopSteps.h"

using namespace mlir;

namespace attn {
#define GEN_PASS_DEF_SPLITLOOPS
#include "passes/Passes.h.inc"

namespace {

constexpr StringLiteral kPart = "tile.part", kMasked = "masked", kFull = "full";

bool sameNumber(Value a, Value b) {
  APInt x, y;
  return a == b || (matchPattern(a, m_ConstantInt(&x)) && matchPattern(b, m_ConstantInt(&y)) && x == y);
}

struct Masks {
  SmallVector<tile::MaskOp> all;
  Value from, to; // of the clause; null without one
  Value list;     // in a loop over its places; null in one over tile numbers
};

/// The masks of the loop's own body.
FailureOr<Masks> masksOf(scf::ForOp loop) {
  Masks masks;
  WalkResult result = loop.getBody()->walk([&](tile::MaskOp mask) {
    if (mask->getParentOfType<scf::ForOp>() != loop)
      return WalkResult::advance();
    bool first = masks.all.empty();
    masks.all.push_back(mask);
    if (mask.getNumber() && mask.getNumber() != loop.getInductionVar()) {
      mask.emitOpError("expects the tile number of its loop in the unless clause");
      return WalkResult::interrupt();
    }
    if (first) {
      masks.from = mask.getFreeFrom();
      masks.to = mask.getFreeTo();
      masks.list = mask.getList();
    }
    if (masks.from == mask.getFreeFrom() && masks.to == mask.getFreeTo() && masks.list == mask.getList())
      return WalkResult::advance();
    InFlightDiagnostic error = mask.emitOpError("expects the unless clause of the other mask in its loop");
    error.attachNote(masks.all.front().getLoc()) << "the other mask";
    return WalkResult::interrupt();
  });
  if (result.wasInterrupted())
    return failure();
  return masks;
}

bool hasTiles(scf::ForOp loop) {
  return llvm::any_of(loop.getBody()->getOperations(),
                      [](Operation &op) { return isa<tile::DotOp, tile::DotStartOp, tile::MaskOp>(op); });
}

void dropClauses(ArrayRef<tile::MaskOp> masks) {
  for (tile::MaskOp mask : masks) {
    mask.getNumberMutable().clear();
    mask.getFreeFromMutable().clear();
    mask.getFreeToMutable().clear();
    mask.getListMutable().clear();
  }
}

void dropMasks(ArrayRef<tile::MaskOp> masks) {
  for (tile::MaskOp mask : masks) {
    mask.getResult().replaceAllUsesWith(mask.getTile());
    mask.erase();
  }
}

/// A copy of the loop over [from, to), begun with `inits`.
scf::ForOp clonePart(OpBuilder &builder, scf::ForOp loop, Value from, Value to, ValueRange inits, bool masked) {
  auto part = cast<scf::ForOp>(builder.clone(*loop));
  part.setLowerBound(from);
  part.setUpperBound(to);
  part.getInitArgsMutable().assign(inits);
  part->setDiscardableAttr(kPart, builder.getStringAttr(masked ? kMasked : kFull));
  SmallVector<tile::MaskOp> masks;
  part.getBody()->walk([&](tile::MaskOp mask) {
    if (mask->getParentOfType<scf::ForOp>() == part)
      masks.push_back(mask);
  });
  if (masked)
    dropClauses(masks);
  else
    dropMasks(masks);
  return part;
}

/// Masked tiles on both sides of the full ones, as a window has them: two rounds of (masked, full), of which the second
/// has no full tiles. A third copy of the body would cost more, in code and in compile time, than the round.
ValueRange splitAroundMiddle(OpBuilder &builder, scf::ForOp loop, Value from, Value to) {
  Location loc = loop.getLoc();
  Value first = loop.getLowerBound(), end = loop.getUpperBound();
  Value zero = arith::ConstantIndexOp::create(builder, loc, 0), one = arith::ConstantIndexOp::create(builder, loc, 1);
  Value two = arith::ConstantIndexOp::create(builder, loc, 2);
  auto rounds = scf::ForOp::create(builder, loc, zero, two, one, loop.getInitArgs());
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(rounds.getBody());
  Value before = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::eq, rounds.getInductionVar(), zero);
  auto choose = [&](Value a, Value b) -> Value { return arith::SelectOp::create(builder, loc, before, a, b); };
  Value maskedFrom = choose(first, to), maskedTo = choose(from, end), fullTo = choose(to, end);
  auto masked = clonePart(builder, loop, maskedFrom, maskedTo, rounds.getRegionIterArgs(), true);
  auto full = clonePart(builder, loop, maskedTo, fullTo, masked.getResults(), false);
  scf::YieldOp::create(builder, loc, full.getResults());
  return rounds.getResults();
}

/// Full tiles stand anywhere in a list: rounds of (masked, full) until its end.
ValueRange splitList(OpBuilder &builder, scf::ForOp loop, Value list) {
  Location loc = loop.getLoc();
  SmallVector<Value> inits{loop.getLowerBound()};
  llvm::append_range(inits, loop.getInitArgs());
  SmallVector<Type> types(ValueRange(inits).getTypes());
  auto rounds = scf::WhileOp::create(builder, loc, types, inits);
  OpBuilder::InsertionGuard guard(builder);
  SmallVector<Location> places(types.size(), loc);
  Block *before = builder.createBlock(&rounds.getBefore(), {}, types, places);
  Value more =
      arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::slt, before->getArgument(0), loop.getUpperBound());
  scf::ConditionOp::create(builder, loc, more, before->getArguments());
  Block *after = builder.createBlock(&rounds.getAfter(), {}, types, places);
  auto runTo = [&](tile::Sight sight, Value place) -> Value {
    Value end = tile::RunOp::create(builder, loc, builder.getIndexType(), sight, list, place);
    return arith::MinSIOp::create(builder, loc, end, loop.getUpperBound());
  };
  Value maskedTo = runTo(tile::Sight::hidden, after->getArgument(0));
  auto masked = clonePart(builder, loop, after->getArgument(0), maskedTo, after->getArguments().drop_front(), true);
  Value fullTo = runTo(tile::Sight::visible, maskedTo);
  auto full = clonePart(builder, loop, maskedTo, fullTo, masked.getResults(), false);
  SmallVector<Value> yielded{fullTo};
  llvm::append_range(yielded, full.getResults());
  scf::YieldOp::create(builder, loc, yielded);
  return rounds.getResults().drop_front();
}

/// The bounds of the clause count on a row that exists. Where lengths are data a program may have none, and its tiles
/// would not end where the loop does: warps that load would not bring what warps that compute wait for.
void keepInside(OpBuilder &builder, scf::ForOp loop, Masks &masks) {
  for (Value *bound : {&masks.from, &masks.to})
    if (!sameNumber(*bound, loop.getLowerBound()) && !sameNumber(*bound, loop.getUpperBound()))
      *bound = arith::MinSIOp::create(builder, loop.getLoc(), *bound, loop.getUpperBound());
}

/// With `oneBody` every tile is masked, for kernels whose code shall be small.
LogicalResult split(scf::ForOp loop, bool oneBody) {
  FailureOr<Masks> masks = masksOf(loop);
  if (failed(masks))
    return failure();
  OpBuilder builder(loop);
  if (!oneBody && masks->list) {
    loop.replaceAllUsesWith(splitList(builder, loop, masks->list));
    loop.erase();
    return success();
  }
  if (oneBody || !masks->from || sameNumber(masks->from, masks->to)) {
    if (hasTiles(loop) || !masks->all.empty())
      loop->setDiscardableAttr(kPart, builder.getStringAttr(masks->all.empty() ? kFull : kMasked));
    dropClauses(masks->all);
    return success();
  }
  APInt step;
  if (!matchPattern(loop.getStep(), m_ConstantInt(&step)) || !step.isOne())
    return masks->all.front().emitOpError("expects a loop over tile numbers, so a step of 1");
  if (loop->getParentOfType<func::FuncOp>()->hasAttr("attn.lengths"))
    keepInside(builder, loop, *masks);
  Value first = loop.getLowerBound(), end = loop.getUpperBound(), from = masks->from, to = masks->to;
  if (!sameNumber(first, from) && !sameNumber(to, end)) {
    loop.replaceAllUsesWith(splitAroundMiddle(builder, loop, from, to));
  } else {
    ValueRange carried = loop.getInitArgs();
    auto add = [&](Value from, Value to, bool masked) {
      if (!sameNumber(from, to))
        carried = clonePart(builder, loop, from, to, carried, masked).getResults();
    };
    add(first, from, true);
    add(from, to, false);
    add(to, end, true);
    loop.replaceAllUsesWith(carried);
  }
  loop.erase();
  return success();
}

struct SplitLoops : impl::SplitLoopsBase<SplitLoops> {
  using SplitLoopsBase::SplitLoopsBase;

  void runOnOperation() override {
    SmallVector<scf::ForOp> loops;
    getOperation().walk([&](scf::ForOp loop) {
      if (!tile::isOverItems(loop) && !loop->getParentOfType<tile::CollectOp>())
        loops.push_back(loop);
    });
    bool oneBody = getOperation()->hasAttr("attn.unaligned");
    for (scf::ForOp loop : loops)
      if (failed(split(loop, oneBody)))
        return signalPassFailure();
  }
};

} // namespace
} // namespace attn
