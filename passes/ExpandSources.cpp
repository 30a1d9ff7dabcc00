// SPDX-License-Identifier: Apache-2.0
// expand-sources: a walk over joined sequences becomes one walk over each of them, the state handed on.
#include "passes/Passes.h"

#include "dialect/Tile.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace attn::tile;

namespace attn {
#define GEN_PASS_DEF_EXPANDSOURCES
#include "passes/Passes.h.inc"

namespace {

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

/// The walks over the parts of joined sequences, each over what the range of the whole has of it.
class PartWalks {
public:
  explicit PartWalks(WalkOp walk) : walk(walk), builder(walk.getLoc(), walk) {
    auto to = walk.getTo().getDefiningOp<ExtentOp>();
    toEnd = to && to.getView() == walk.getView();
    fromStart = matchPattern(walk.getFrom(), m_Zero());
  }

  /// The walk over the next part, which begins with `state`.
  WalkOp write(unsigned number, ValueRange state) {
    auto part = cast<WalkOp>(builder.clone(*walk));
    Value view = part.getView().getDefiningOp<tile::ConcatOp>().getParts()[number];
    part.walk([&](Operation *op) {
      for (OpOperand &operand : op->getOpOperands())
        if (auto concat = operand.get().getDefiningOp<tile::ConcatOp>())
          operand.set(concat.getParts()[number]);
    });
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPoint(part);
    if (number && !(fromStart && toEnd))
      goOnBehind();
    length = extentOf(builder, walk.getLoc(), view);
    part.getFromMutable().assign(firstOf());
    part.getToMutable().assign(endOf());
    part.getInitsMutable().assign(state);
    return part;
  }

private:
  Value index(int64_t value) { return arith::ConstantIndexOp::create(builder, value); }

  /// A place of the whole, counted from where the part begins; 0 where it lies before.
  Value inPart(Value place) {
    if (!begin)
      return place;
    return arith::MaxSIOp::create(builder, arith::SubIOp::create(builder, place, begin), index(0));
  }

  Value firstOf() { return fromStart ? walk.getFrom() : inPart(walk.getFrom()); }
  Value endOf() {
    if (toEnd)
      return length;
    return arith::MinSIOp::create(builder, inPart(walk.getTo()), length);
  }

  /// The next part begins a tile of its own.
  void goOnBehind() {
    Value step = index(walk.getStep());
    Value tiles = arith::CeilDivUIOp::create(builder, length, step);
    Value rows = arith::MulIOp::create(builder, tiles, step);
    begin = begin ? arith::AddIOp::create(builder, begin, rows).getResult() : rows;
  }

  WalkOp walk;
  ImplicitLocOpBuilder builder;
  Value length; ///< of the part
  Value begin;  ///< of the part, in rows of the whole; null for 0
  bool fromStart, toEnd;
};

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
    if (failed(checkBody(walk, parts)))
      return failure();
    PartWalks walks(walk);
    SmallVector<Value> state(walk.getInits());
    for (unsigned number = 0; number < parts; ++number)
      state = SmallVector<Value>(walks.write(number, state).getResults());
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
