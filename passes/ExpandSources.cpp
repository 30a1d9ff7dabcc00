// SPDX-License-Identifier: Apache-2.0
// expand-sources: a walk over joined sequences becomes one walk over each of them, the state handed on.
#include "passes/Passes.h"

#include "dialect/Tile.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace attn::tile;

namespace attn {
#define GEN_PASS_DEF_EXPANDSOURCES
#include "passes/Passes.h.inc"

namespace {

/// A walk that begins and ends inside a part would have to cut its tiles there.
LogicalResult checkRange(WalkOp walk) {
  auto to = walk.getTo().getDefiningOp<ExtentOp>();
  if (matchPattern(walk.getFrom(), m_Zero()) && to && to.getView() == walk.getView())
    return success();
  return walk.emitOpError("expects to walk joined sequences from row 0 to their extent");
}

LogicalResult checkBody(WalkOp walk, size_t parts) {
  WalkResult result = walk.getBody().walk([&](Operation *op) {
    for (Value operand : op->getOperands())
      if (auto concat = operand.getDefiningOp<tile::ConcatOp>(); concat && concat.getParts().size() != parts) {
        op->emitOpError("expects joined sequences of as many parts as those walked, ")
            << parts << ", got " << concat.getParts().size();
        return WalkResult::interrupt();
      }
    return WalkResult::advance();
  });
  return failure(result.wasInterrupted());
}

Value extentOf(OpBuilder &builder, Location location, Value view) {
  if (auto op = view.getDefiningOp<ViewOp>())
    return op.getLength();
  return ExtentOp::create(builder, location, builder.getIndexType(), view);
}

/// The walk over part `number`, which begins with `state`.
WalkOp walkPart(OpBuilder &builder, WalkOp walk, unsigned number, ValueRange state) {
  auto part = cast<WalkOp>(builder.clone(*walk));
  Value view = part.getView().getDefiningOp<tile::ConcatOp>().getParts()[number];
  part.walk([&](Operation *op) {
    for (OpOperand &operand : op->getOpOperands())
      if (auto concat = operand.get().getDefiningOp<tile::ConcatOp>())
        operand.set(concat.getParts()[number]);
  });
  OpBuilder before(part);
  part.getToMutable().assign(extentOf(before, walk.getLoc(), view));
  part.getInitsMutable().assign(state);
  return part;
}

struct ExpandSources : impl::ExpandSourcesBase<ExpandSources> {
  void runOnOperation() override {
    SmallVector<WalkOp> walks;
    getOperation().walk([&](WalkOp walk) {
      if (walk.getView().getDefiningOp<tile::ConcatOp>())
        walks.push_back(walk);
    });
    for (WalkOp walk : walks)
      if (failed(expand(walk)))
        return signalPassFailure();
    // Extents of joined sequences first, then what joined them.
    eraseUnused<ExtentOp>();
    eraseUnused<tile::ConcatOp>();
  }

  static LogicalResult expand(WalkOp walk) {
    size_t parts = walk.getView().getDefiningOp<tile::ConcatOp>().getParts().size();
    if (failed(checkRange(walk)) || failed(checkBody(walk, parts)))
      return failure();
    OpBuilder builder(walk);
    SmallVector<Value> state(walk.getInits());
    for (unsigned number = 0; number < parts; ++number)
      state = SmallVector<Value>(walkPart(builder, walk, number, state).getResults());
    walk.replaceAllUsesWith(state);
    walk.erase();
    return success();
  }

  template <typename Op> void eraseUnused() {
    getOperation().walk([](Op op) {
      if (op->use_empty())
        op.erase();
    });
  }
};

} // namespace
} // namespace attn
