// SPDX-License-Identifier: Apache-2.0
// Applies score functions and masks to the registers of a tile.
#include "passes/FunctionEmitter.h"

#include <limits>

using namespace mlir;

namespace attn::tile {

static func::FuncOp functionNamed(Operation *user, FlatSymbolRefAttr name) {
  return SymbolTable::lookupNearestSymbolFrom<func::FuncOp>(user, name);
}

LogicalResult TileLowering::lowerApply(ApplyOp op) {
  auto type = cast<RankedTensorType>(op.getTile().getType());
  func::FuncOp function = functionNamed(op, op.getCalleeAttr());
  if (!function || function.isExternal())
    return op.emitOpError("expects @") << op.getCallee() << " to have a body";
  FunctionEmitter emitter(*this, function, /*coordinates=*/1, op.getParams(),
                          {op.getRows(), op.getRow(), op.getCols(), op.getCol(), type.getDimSize(0) / warps});
  int64_t atoms = type.getRank() == 2 ? columnAtoms(type) : 0;
  Registers result = registers(op.getTile());
  for (auto [r, value] : llvm::enumerate(result)) {
    ElementPlace place;
    int64_t n = r;
    place.slot = atoms ? (n / 4 / atoms) * 2 + (n % 4) / 2 : n;
    place.column = atoms ? (n / 4 % atoms) * 8 + n % 2 : -1;
    auto applied = emitter.result(place, value);
    if (failed(applied))
      return failure();
    value = *applied;
  }
  tiles[op.getResult()] = result;
  return success();
}

LogicalResult TileLowering::lowerMask(MaskOp op) {
  auto type = cast<RankedTensorType>(op.getTile().getType());
  TilePlace place{op.getRows(), op.getRow(), op.getCols(), op.getCol(), type.getDimSize(0) / warps};
  struct Conjunct {
    std::unique_ptr<MaskAnalysis> analysis;
    std::unique_ptr<FunctionEmitter> emitter;
  };
  SmallVector<Conjunct> conjuncts;
  ValueRange parameters = op.getParams();
  bool inBounds = false;
  for (auto name : op.getBy().getAsRange<FlatSymbolRefAttr>()) {
    if (name.getValue() == kInBounds) {
      inBounds = true;
      continue;
    }
    func::FuncOp function = functionNamed(op, name);
    if (!function || function.isExternal())
      return op.emitOpError("expects ") << name << " to have a body";
    unsigned count = function.getNumArguments() - kCoordinates;
    conjuncts.push_back({std::make_unique<MaskAnalysis>(function),
                         std::make_unique<FunctionEmitter>(*this, function, 0, parameters.take_front(count), place)});
    parameters = parameters.drop_front(count);
  }
  int64_t atoms = columnAtoms(type);
  Value hidden = f32(-std::numeric_limits<float>::infinity());
  // The last existing column, counted from this thread's first.
  Value last;
  if (inBounds) {
    last = arith::SubIOp::create(builder, view(op.getCols()).length, scalar(op.getCol()));
    last = arith::SubIOp::create(builder, last, quadColumn);
  }
  Registers result = registers(op.getTile());
  for (auto [r, value] : llvm::enumerate(result)) {
    int64_t n = r;
    ElementPlace at{(n / 4 / atoms) * 2 + (n % 4) / 2, (n / 4 % atoms) * 8 + n % 2};
    Value visible;
    if (inBounds)
      visible = arith::CmpIOp::create(builder, arith::CmpIPredicate::sgt, last, i32(at.column));
    for (Conjunct &conjunct : conjuncts) {
      auto holds = conjunct.emitter->holds(conjunct.analysis->tree(), at);
      if (failed(holds))
        return failure();
      visible = visible ? arith::AndIOp::create(builder, visible, *holds).getResult() : *holds;
    }
    if (visible)
      value = arith::SelectOp::create(builder, visible, value, hidden);
  }
  tiles[op.getResult()] = result;
  return success();
}

} // namespace attn::tile
