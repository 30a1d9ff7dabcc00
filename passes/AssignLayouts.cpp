// SPDX-License-Identifier: Apache-2.0
// assign-layouts: every tile gets the encoding that says which thread holds which of its elements.
//
// All products of a schedule share one map from rows to warps, so there is one accumulator layout, one layout for
// values per row, and shared memory for what comes out of rings; the only conversion is from the accumulator of one
// product to the register operand of the next.
#include "passes/Passes.h"

#include "dialect/Tile.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Builders.h"

using namespace mlir;
using namespace attn::tile;

namespace attn {
#define GEN_PASS_DEF_ASSIGNLAYOUTS
#include "passes/Passes.h.inc"

namespace {

struct AssignLayouts : impl::AssignLayoutsBase<AssignLayouts> {
  AccAttr accumulator;

  RankedTensorType withLayout(RankedTensorType type, bool shared) {
    Attribute layout = accumulator;
    if (shared)
      layout = sharedLayoutOf(type);
    else if (type.getRank() == 1)
      layout = SliceAttr::get(type.getContext(), 1, accumulator, false);
    return RankedTensorType::get(type.getShape(), type.getElementType(), layout);
  }

  LogicalResult assign(Value value, bool shared) {
    auto type = dyn_cast<RankedTensorType>(value.getType());
    if (!type || type.getEncoding())
      return success();
    int64_t rows = 16 * accumulator.getWarps();
    if (!shared && type.getDimSize(0) % rows)
      return emitError(value.getLoc(), "expects tiles whose rows are a multiple of 16 x ")
             << accumulator.getWarps() << " warps, got " << type;
    int64_t columns = type.getRank() == 2 ? type.getDimSize(1) : 16;
    if (columns % 16)
      return emitError(value.getLoc(), "expects tiles whose columns are a multiple of 16, got ") << type;
    value.setType(withLayout(type, shared));
    return success();
  }

  LogicalResult assignResults(Operation *op) {
    for (Value result : op->getResults()) {
      if (auto ring = dyn_cast<RingType>(result.getType()))
        result.setType(RingType::get(op->getContext(), ring.getStages(), withLayout(ring.getTile(), true)));
      else if (auto pending = dyn_cast<PendingType>(result.getType()))
        result.setType(PendingType::get(op->getContext(), withLayout(pending.getTile(), false)));
      else if (failed(assign(result, isa<AwaitOp>(op))))
        return failure();
    }
    if (auto constant = dyn_cast<arith::ConstantOp>(op))
      if (auto splat = dyn_cast<SplatElementsAttr>(constant.getValue()))
        constant.setValueAttr(
            SplatElementsAttr::get(cast<ShapedType>(constant.getType()), splat.getSplatValue<Attribute>()));
    for (Region &region : op->getRegions())
      for (BlockArgument argument : region.getArguments())
        if (failed(assign(argument, false)))
          return failure();
    return success();
  }

  void runOnOperation() override {
    func::FuncOp function = getOperation();
    if (function.isExternal())
      return;
    auto warps = function->getAttrOfType<IntegerAttr>("tile.warps");
    if (!warps)
      return;
    Atom atom = function->hasAttr("tile.atom") ? Atom::wgmma_m64k16 : Atom::mma_m16n8k16;
    accumulator = AccAttr::get(&getContext(), atom, warps.getInt());
    WalkResult result = function.walk<WalkOrder::PreOrder>([&](Operation *op) {
      return op == function || succeeded(assignResults(op)) ? WalkResult::advance() : WalkResult::interrupt();
    });
    if (result.wasInterrupted())
      return signalPassFailure();
    function.walk([&](Operation *op) {
      if (auto dot = dyn_cast<DotOp>(op))
        convertOperand(op, dot.getLhsMutable());
      else if (auto start = dyn_cast<DotStartOp>(op))
        convertOperand(op, start.getLhsMutable());
    });
  }

  /// The left operand of a product, if it is in registers, in the layout of an operand.
  void convertOperand(Operation *product, OpOperand &lhs) {
    auto type = cast<RankedTensorType>(lhs.get().getType());
    if (encodingOf<SharedAttr>(type))
      return;
    OpBuilder builder(product);
    auto operand =
        RankedTensorType::get(type.getShape(), type.getElementType(), OperandAttr::get(&getContext(), 0, accumulator));
    lhs.set(ConvertOp::create(builder, product->getLoc(), operand, lhs.get()));
  }
};

} // namespace
} // namespace attn
