// SPDX-License-Identifier: Apache-2.0
// pipeline-loads: loads of product operands become fills of rings that run ahead of their awaits.
//
// Number the loads of a loop in the order in which they are executed: K of the first tile, V of the first tile, K of
// the second, ... With n loads a step and s stages a ring, the buffer of load i was last used by load i - n*s. An
// await ends in a barrier, so at the await of load i every warp has finished with loads up to i - 1, and the fill of
// load i + n*s - 1 may begin right there: that distance is `ahead` below.
#include "passes/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/Builders.h"
#include "passes/LoopSteps.h"

using namespace mlir;
using namespace attn::tile;

namespace attn {
#define GEN_PASS_DEF_PIPELINELOADS
#include "passes/Passes.h.inc"

namespace {

/// A load in the loop's body and the ring it becomes a fill of.
struct PipelinedLoad {
  LoadOp load;
  Value ring;
};

class LoopPipeliner {
public:
  /// `rings` are those of the loop before, or none: they are used again if they fit, and replaced if they do not.
  LoopPipeliner(scf::ForOp loop, int64_t stages, OpBuilder &ringBuilder, SmallVectorImpl<Value> &rings)
      : loop(loop), stages(stages), builder(loop.getContext()) {
    for (auto load : loop.getBody()->getOps<LoadOp>())
      if (feedsProduct(load))
        loads.push_back({load, Value()});
    if (loads.empty())
      return;
    bool alike =
        loads.size() == rings.size() && llvm::all_of(llvm::zip(loads, rings), [](auto pair) {
          return cast<RingType>(std::get<1>(pair).getType()).getTile() == std::get<0>(pair).load.getTile().getType();
        });
    if (!alike)
      rings = llvm::map_to_vector(loads, [&](auto &entry) { return makeRing(ringBuilder, entry.load, stages); });
    for (auto [entry, ring] : llvm::zip(loads, rings))
      entry.ring = ring;
    ahead = static_cast<int64_t>(loads.size()) * stages - 1;
  }

  bool empty() const { return loads.empty(); }
  int64_t fillsAhead() const { return ahead; }

  /// Fills that begin before the loop.
  void emitPrologue() {
    builder.setInsertionPoint(loop);
    for (int64_t i = 0; i < ahead; ++i)
      emitFill(i, loop.getLowerBound());
  }

  void rewriteBody() {
    for (auto [i, entry] : llvm::enumerate(loads)) {
      builder.setInsertionPoint(entry.load);
      auto await = AwaitOp::create(builder, entry.load.getLoc(), entry.load.getTile().getType(), entry.ring,
                                   loop.getInductionVar(), ahead - 1);
      emitFill(i + ahead, loop.getInductionVar());
      Operation *last = lastUser(entry.load.getTile());
      entry.load.getTile().replaceAllUsesWith(await.getTile());
      builder.setInsertionPointAfter(last);
      ReleaseOp::create(builder, entry.load.getLoc(), entry.ring, loop.getInductionVar());
    }
    for (PipelinedLoad &entry : loads)
      entry.load.erase();
  }

  static Value makeRing(OpBuilder &builder, LoadOp load, int64_t stages) {
    auto tile = cast<RankedTensorType>(load.getTile().getType());
    return RingOp::create(builder, load.getLoc(), RingType::get(builder.getContext(), stages, tile));
  }

private:
  /// Begins load number `index`, counted from the first load of step `step`, if the loop gets there.
  void emitFill(int64_t index, Value step) {
    PipelinedLoad &entry = loads[index % loads.size()];
    Location loc = entry.load.getLoc();
    Value number = step;
    if (int64_t steps = index / loads.size()) {
      Value distance = arith::ConstantIndexOp::create(builder, loc, steps);
      number = arith::AddIOp::create(builder, loc, step, distance);
    }
    Value more;
    // Inside the loop the current step exists; any other may not.
    if (number != loop.getInductionVar())
      more = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::slt, number, loop.getUpperBound());
    Value at = cloneForStep(builder, loop, entry.load.getAt(), number);
    FillOp::create(builder, loc, entry.ring, number, entry.load.getView(), at, more);
  }

  Operation *lastUser(Value tile) {
    Operation *last = nullptr;
    for (Operation *user : tile.getUsers())
      if (!last || last->isBeforeInBlock(user))
        last = user;
    return last;
  }

  scf::ForOp loop;
  int64_t stages;
  OpBuilder builder;
  SmallVector<PipelinedLoad> loads;
  int64_t ahead = 0;
};

/// Loops over tiles, or around such loops; not those in which lists of tiles are made, nor those that count.
SmallVector<scf::ForOp> loopsOver(Block &block) {
  SmallVector<scf::ForOp> loops;
  block.walk([&](scf::ForOp loop) {
    bool tiles = llvm::any_of(loop.getResultTypes(), llvm::IsaPred<RankedTensorType>) ||
                 loop.walk([](LoadOp) { return WalkResult::interrupt(); }).wasInterrupted();
    if (tiles && !loop->getParentOfType<CollectOp>())
      loops.push_back(loop);
  });
  return loops;
}

/// The body of a loop over segments, which has loads that every segment begins anew; null without such a loop.
Block *segmentsOf(func::FuncOp function) {
  for (auto loop : function.getBody().front().getOps<scf::WhileOp>())
    if (Block &body = loop.getAfter().front(); llvm::any_of(body.getOps<LoadOp>(), feedsProduct))
      return &body;
  return nullptr;
}

struct PipelineLoads : impl::PipelineLoadsBase<PipelineLoads> {
  void runOnOperation() override {
    func::FuncOp function = getOperation();
    if (function.isExternal() || function->hasAttr("tile.atom")) // warpgroups have their loads from another role
      return;
    int64_t stages = 1;
    if (auto attr = function->getAttrOfType<IntegerAttr>("tile.stages"))
      stages = attr.getInt();
    OpBuilder ringBuilder = OpBuilder::atBlockBegin(&function.getBody().front());
    Block *segments = segmentsOf(function);
    if (failed(pipeline(segments ? *segments : function.getBody().front(), stages, ringBuilder, segments != nullptr)))
      signalPassFailure();
  }

  /// With `again` the block is left with all fills landed and read, so that the rings can be filled from its start.
  static LogicalResult pipeline(Block &block, int64_t stages, OpBuilder &ringBuilder, bool again) {
    // Loads that stand before all loops: begun where they stand, awaited right before the first loop that reads them.
    SmallVector<std::pair<LoadOp, Value>> early = earlyLoads(block, ringBuilder);

    SmallVector<scf::ForOp> loops = loopsOver(block);
    if (!loops.empty())
      for (auto &entry : early)
        if (!entry.first->isBeforeInBlock(block.findAncestorOpInBlock(*loops.front())))
          return entry.first.emitOpError("expects to stand before the loops that read it");

    SmallVector<Value> rings;
    scf::ForOp before;
    for (auto [n, loop] : llvm::enumerate(loops)) {
      if (before)
        drain(before, rings, loop);
      LoopPipeliner pipeliner(loop, stages, ringBuilder, rings);
      before = pipeliner.empty() ? before : loop;
      if (n == 0)
        for (auto &[load, ring] : early) {
          OpBuilder builder(load);
          Value zero = arith::ConstantIndexOp::create(builder, load.getLoc(), 0);
          FillOp::create(builder, load.getLoc(), ring, zero, load.getView(), load.getAt(), Value());
        }
      if (!pipeliner.empty())
        pipeliner.emitPrologue();
      if (n == 0)
        awaitEarly(early, loop, pipeliner.empty() ? 0 : pipeliner.fillsAhead());
      if (!pipeliner.empty())
        pipeliner.rewriteBody();
    }
    if (again && before)
      drain(before, rings, block.getTerminator());
    return success();
  }

  static SmallVector<std::pair<LoadOp, Value>> earlyLoads(Block &block, OpBuilder &ringBuilder) {
    SmallVector<std::pair<LoadOp, Value>> early;
    for (auto load : block.getOps<LoadOp>())
      if (feedsProduct(load) || llvm::any_of(load->getUsers(), [](Operation *user) {
            return user->getParentOfType<scf::ForOp>() != nullptr;
          }))
        early.push_back({load, LoopPipeliner::makeRing(ringBuilder, load, 1)});
    return early;
  }

  /// Behind a loop one fill is under way that it did not come to, of no rows: when it has landed, all have, and the
  /// rings can be filled anew.
  static void drain(scf::ForOp before, ArrayRef<Value> rings, Operation *behind) {
    OpBuilder builder(behind);
    Location loc = before.getLoc();
    Value number =
        arith::MaxSIOp::create(builder, loc, before.getLowerBound(), before.getUpperBound()); // it may not have run
    Type tile = cast<RingType>(rings[0].getType()).getTile();
    AwaitOp::create(builder, loc, tile, rings[0], number, /*leaving=*/0);
    ReleaseOp::create(builder, loc, rings[0], number);
  }

  static void awaitEarly(ArrayRef<std::pair<LoadOp, Value>> early, scf::ForOp loop, int64_t younger) {
    OpBuilder builder(loop);
    for (auto [i, entry] : llvm::enumerate(early)) {
      auto [load, ring] = entry;
      Value zero = arith::ConstantIndexOp::create(builder, load.getLoc(), 0);
      int64_t leaving = younger + static_cast<int64_t>(early.size() - 1 - i);
      auto await = AwaitOp::create(builder, load.getLoc(), load.getTile().getType(), ring, zero, leaving);
      load.getTile().replaceAllUsesWith(await.getTile());
      load.erase();
    }
  }
};

} // namespace
} // namespace attn
