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
  if (!op.isStrided() || op.getIndex() || op.getPositions())
    return op.emitOpError("expects tokens a stride apart, each at its index: no other view is lowered yet");
  auto base = cast<MemRefType>(op.getBase().getType());
  int64_t bytes = base.getElementTypeBitWidth() / 8;
  LoweredView view;
  view.columns = op.getView().getType().getColumns();
  view.element = base.getElementType();
  view.batch = scalar(op.getBatch());
  view.packed = op.getPacked();
  view.head = scalar(op.getHead());
  if (view.packed > 1)
    view.head = arith::MulIOp::create(builder, view.head, i32(view.packed));
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
  if (view.packed > 1)
    view.headBytes = arith::MulIOp::create(builder, strideParameter(op.getBase(), 2), i64(bytes));
  view.uniformPoint = i32(0).getDefiningOp();
  views[op.getView()] = view;
  return success();
}

// Rows are counted from 0, so divisions of them are those of unsigned numbers: a multiplication and a shift.

Value TileLowering::tokenOf(const LoweredView &view, Value row) {
  return view.packed == 1 ? row : arith::DivUIOp::create(builder, row, i32(view.packed)).getResult();
}

Value TileLowering::headOf(const LoweredView &view, Value row) {
  if (view.packed == 1)
    return view.head;
  return arith::AddIOp::create(builder, view.head, arith::RemUIOp::create(builder, row, i32(view.packed)));
}

Value TileLowering::addressOf(const LoweredView &view, Value row) {
  auto step = [&](Value from, Value number, Value distance) {
    Value wide = arith::ExtSIOp::create(builder, builder.getI64Type(), number);
    return byteOffset(from, arith::MulIOp::create(builder, wide, distance));
  };
  Value token = step(view.address, tokenOf(view, row), view.rowBytes);
  if (view.packed == 1)
    return token;
  return step(token, arith::RemUIOp::create(builder, row, i32(view.packed)), view.headBytes);
}

} // namespace attn::tile
