// SPDX-License-Identifier: Apache-2.0
// Applies score functions and masks to the registers of a tile.
#include "passes/FunctionEmitter.h"

#include <limits>

using namespace mlir;

namespace attn::tile {

static func::FuncOp functionNamed(Operation *user, FlatSymbolRefAttr name) {
  return SymbolTable::lookupNearestSymbolFrom<func::FuncOp>(user, name);
}

static int64_t columnsOf(RankedTensorType type) { return type.getRank() == 2 ? type.getDimSize(1) : 0; }

namespace {
/// Elements of a heavy function that may be under way at once: enough to fill the time of a load from L1.
constexpr int64_t kElementsPerTurn = 16;

struct PlacedRegister {
  int64_t number;
  ElementPlace place;
};
} // namespace

/// The registers of a tile column by column: what is computed for a column is then needed by neighbours only. Kept for
/// all columns while rows pass by, such values would cost two registers for each of eight columns.
static SmallVector<PlacedRegister> elementsOf(RankedTensorType type) {
  SmallVector<PlacedRegister> all;
  if (type.getRank() == 1) {
    for (int64_t slot = 0; slot < registersOf(type); ++slot)
      all.push_back({slot, {slot, -1}});
    return all;
  }
  int64_t atoms = columnAtoms(type), slots = registersOf(type) / atoms / 2;
  for (int64_t n = 0; n < atoms; ++n)
    for (int64_t v = 0; v < 2; ++v)
      for (int64_t slot = 0; slot < slots; ++slot)
        all.push_back({((slot / 2) * atoms + n) * 4 + (slot % 2) * 2 + v, {slot, n * 8 + v}});
  return all;
}

LogicalResult TileLowering::lowerApply(ApplyOp op) {
  auto type = cast<RankedTensorType>(op.getTile().getType());
  func::FuncOp function = functionNamed(op, op.getCalleeAttr());
  if (!function || function.isExternal())
    return op.emitOpError("expects @") << op.getCallee() << " to have a body";
  FunctionEmitter emitter(
      *this, function, /*coordinates=*/1, op.getParams(),
      {op.getRows(), op.getRow(), op.getCols(), op.getCol(), type.getDimSize(0) / warps, columnsOf(type)});
  Registers result = registers(op.getTile());
  bool inTurns = type.getRank() == 2 && emitter.isHeavy();
  Value last;
  for (auto [i, at] : llvm::enumerate(elementsOf(type))) {
    if (inTurns && i && i % kElementsPerTurn == 0)
      emitter.waitFor(last);
    auto applied = emitter.result(at.place, result[at.number]);
    if (failed(applied))
      return failure();
    result[at.number] = last = *applied;
  }
  tiles[op.getResult()] = result;
  return success();
}

LogicalResult TileLowering::lowerMask(MaskOp op) {
  auto type = cast<RankedTensorType>(op.getTile().getType());
  TilePlace place{op.getRows(), op.getRow(), op.getCols(), op.getCol(), type.getDimSize(0) / warps, columnsOf(type)};
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
  Value hidden = f32(-std::numeric_limits<float>::infinity());
  // The last existing column, counted from this thread's first.
  Value last, previous;
  if (inBounds) {
    last = arith::SubIOp::create(builder, view(op.getCols()).length, scalar(op.getCol()));
    last = arith::SubIOp::create(builder, last, quadColumn);
  }
  Registers result = registers(op.getTile());
  bool inTurns =
      llvm::any_of(conjuncts, [](Conjunct &conjunct) { return conjunct.emitter->isHeavy(conjunct.analysis->tree()); });
  for (auto [i, element] : llvm::enumerate(elementsOf(type))) {
    auto [number, at] = element;
    if (inTurns && i && i % kElementsPerTurn == 0)
      for (Conjunct &conjunct : conjuncts)
        conjunct.emitter->waitFor(previous);
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
      result[number] = arith::SelectOp::create(builder, visible, result[number], hidden);
    previous = result[number];
  }
  tiles[op.getResult()] = result;
  return success();
}

} // namespace attn::tile
