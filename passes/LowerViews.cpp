// SPDX-License-Identifier: Apache-2.0
// Views: where the rows of a sequence lie, and what they are called.
#include "passes/TileLowering.h"

using namespace mlir;

namespace attn::tile {

/// A view that is only stored to is made where it is stored to: made before the loops, it would cost registers there.
LogicalResult TileLowering::lowerView(ViewOp op) {
  if (llvm::any_of(op->getUsers(), [](Operation *user) { return !isa<StoreOp>(user); }))
    return makeView(op);
  return success();
}

LogicalResult TileLowering::makeView(ViewOp op) {
  if (!op.isStrided() || op.getPacked() != 1 || op.getIndex() || op.getPositions())
    return op.emitOpError("expects rows a stride apart, one for each token: no other view is lowered yet");
  auto base = cast<MemRefType>(op.getBase().getType());
  int64_t bytes = base.getElementTypeBitWidth() / 8;
  LoweredView view;
  view.columns = op.getView().getType().getColumns();
  view.element = base.getElementType();
  view.batch = scalar(op.getBatch());
  view.head = scalar(op.getHead());
  view.length = scalar(op.getLength());
  view.position = op.getPosition() ? scalar(op.getPosition()) : Value();
  if (onlyCopiedByBoxes(op.getBase())) {
    view.uniformPoint = i32(0).getDefiningOp();
    views[op.getView()] = view;
    return success();
  }
  auto scaled = [&](Value index, int64_t dimension) -> Value {
    Value wide = arith::ExtSIOp::create(builder, builder.getI64Type(), index);
    Value elements = arith::MulIOp::create(builder, wide, strideParameter(op.getBase(), dimension));
    return arith::MulIOp::create(builder, elements, i64(bytes));
  };
  Value offset = arith::AddIOp::create(builder, scaled(view.batch, 0), scaled(view.head, 2));
  view.address = byteOffset(pointerParameter(op.getBase()), offset);
  view.rowStride = strideParameter(op.getBase(), 1);
  view.rowBytes = arith::MulIOp::create(builder, view.rowStride, i64(bytes));
  view.uniformPoint = i32(0).getDefiningOp();
  views[op.getView()] = view;
  return success();
}

} // namespace attn::tile
