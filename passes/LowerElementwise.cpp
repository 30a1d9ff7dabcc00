// SPDX-License-Identifier: Apache-2.0
// Arithmetic on tiles: one scalar operation a register, reductions over the columns of a row, changes of layout.
#include "passes/TileLowering.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;

namespace attn::tile {

LogicalResult TileLowering::lowerConstant(arith::ConstantOp op) {
  auto type = cast<RankedTensorType>(op.getType());
  auto splat = dyn_cast<SplatElementsAttr>(op.getValue());
  if (!splat)
    return op.emitOpError("expects one value for the whole tile");
  Value value = arith::ConstantOp::create(builder, cast<TypedAttr>(splat.getSplatValue<Attribute>()));
  tiles[op.getResult()] = Registers(registersOf(type), value);
  return success();
}

Value TileLowering::packPair(Type element, Value low, Value high) {
  Value pair = intrinsic(element.isBF16() ? "llvm.nvvm.ff2bf16x2.rn" : "llvm.nvvm.ff2f16x2.rn",
                         VectorType::get(2, element), {high, low});
  return LLVM::BitcastOp::create(builder, builder.getI32Type(), pair);
}

/// Two neighbouring columns become one register; the lower half holds the lower column.
LogicalResult TileLowering::lowerTruncation(arith::TruncFOp op) {
  Type element = cast<RankedTensorType>(op.getType()).getElementType();
  Registers packed;
  Registers &wide = registers(op.getIn());
  for (size_t i = 0; i < wide.size(); i += 2)
    packed.push_back(packPair(element, wide[i], wide[i + 1]));
  tiles[op.getOut()] = packed;
  return success();
}

/// The two columns of each register become two registers.
LogicalResult TileLowering::lowerExtension(arith::ExtFOp op) {
  Type element = cast<RankedTensorType>(op.getIn().getType()).getElementType(), f32Type = builder.getF32Type();
  Registers wide;
  for (Value pair : registers(op.getIn())) {
    if (element.isF16()) {
      llvm::append_range(wide, ptxMany("{ .reg .b16 lo, hi; mov.b32 {lo, hi}, $2; cvt.f32.f16 $0, lo; "
                                       "cvt.f32.f16 $1, hi; }",
                                       "=f,=f,r", f32Type, 2, pair));
      continue;
    }
    // The bits of a bf16 are the upper ones of the same number in f32.
    Value low = arith::ShLIOp::create(builder, pair, i32(16)), high = arith::AndIOp::create(builder, pair, i32(-65536));
    wide.push_back(LLVM::BitcastOp::create(builder, f32Type, low));
    wide.push_back(LLVM::BitcastOp::create(builder, f32Type, high));
  }
  tiles[op.getOut()] = wide;
  return success();
}

LogicalResult TileLowering::lowerElementwise(Operation &op) {
  auto type = cast<RankedTensorType>(op.getResult(0).getType());
  if (auto truncation = dyn_cast<arith::TruncFOp>(op))
    return lowerTruncation(truncation);
  if (auto extension = dyn_cast<arith::ExtFOp>(op))
    return lowerExtension(extension);
  if (type.getElementTypeBitWidth() == 16)
    return op.emitOpError("expects tiles of f32: 16-bit tiles are only converted to and multiplied");
  int64_t count = registersOf(type);
  Registers result;
  for (int64_t r = 0; r < count; ++r) {
    SmallVector<Value> operands;
    for (Value operand : op.getOperands())
      operands.push_back(registers(operand)[r]);
    if (isa<math::Exp2Op>(op)) {
      // Two units in the last place; flushes what is below 2^-126.
      result.push_back(intrinsic("llvm.nvvm.ex2.approx.ftz.f", builder.getF32Type(), operands));
      continue;
    }
    if (isa<math::Log2Op>(op)) {
      // 2^-22 relative, and absolute near 1.
      result.push_back(intrinsic("llvm.nvvm.lg2.approx.ftz.f", builder.getF32Type(), operands));
      continue;
    }
    if (isa<arith::DivFOp>(op)) {
      // Two units in the last place over the full range; the exact division is a subroutine.
      result.push_back(ptx("div.full.f32 $0, $1, $2;", "=f,f,f", builder.getF32Type(), operands));
      continue;
    }
    OperationState state(op.getLoc(), op.getName(), operands, {type.getElementType()}, op.getAttrs());
    result.push_back(builder.create(state)->getResult(0));
  }
  tiles[op.getResult(0)] = result;
  return success();
}

/// Combines a value with that of the other three lanes that share its row.
static Value shuffle(TileLowering &lowering, Value value, int64_t distance) {
  return lowering.ptx("shfl.sync.bfly.b32 $0, $1, " + std::to_string(distance) + ", 31, -1;", "=f,f",
                      lowering.builder.getF32Type(), value, /*effects=*/true);
}

Value TileLowering::addAcrossRow(Value value) {
  for (int64_t distance : {2, 1})
    value = arith::AddFOp::create(builder, value, shuffle(*this, value, distance));
  return value;
}

Value TileLowering::maxAcrossRow(Value value) {
  for (int64_t distance : {2, 1})
    value = arith::MaximumFOp::create(builder, value, shuffle(*this, value, distance));
  return value;
}

LogicalResult TileLowering::lowerReduce(ReduceOp op) {
  auto type = cast<RankedTensorType>(op.getTile().getType());
  bool partial = encodingOf<SliceAttr>(op.getResult().getType()).getPartial();
  bool isMax = op.getKind() == Reduction::max;
  int64_t atoms = columnAtoms(type);
  Registers &tile = registers(op.getTile());
  Registers result = registers(op.getInit());
  for (int64_t slot = 0; slot < static_cast<int64_t>(result.size()); ++slot) {
    // Two chains per row, so that the additions of one need not wait for each other.
    Value chains[2];
    for (int64_t n = 0; n < atoms; ++n)
      for (int64_t v = 0; v < 2; ++v) {
        Value x = tile[((slot / 2) * atoms + n) * 4 + (slot % 2) * 2 + v];
        if (!chains[v])
          chains[v] = x;
        else
          chains[v] = isMax ? arith::MaximumFOp::create(builder, chains[v], x).getResult()
                            : arith::AddFOp::create(builder, chains[v], x).getResult();
      }
    if (isMax) {
      Value all = maxAcrossRow(arith::MaximumFOp::create(builder, chains[0], chains[1]));
      result[slot] = arith::MaximumFOp::create(builder, result[slot], all);
    } else {
      Value all = arith::AddFOp::create(builder, chains[0], chains[1]);
      result[slot] = arith::AddFOp::create(builder, result[slot], partial ? all : addAcrossRow(all));
    }
  }
  tiles[op.getResult()] = result;
  return success();
}

LogicalResult TileLowering::lowerBroadcast(BroadcastOp op) {
  auto type = cast<RankedTensorType>(op.getTile().getType());
  int64_t atoms = columnAtoms(type);
  Registers &rows = registers(op.getVector());
  Registers result;
  for (int64_t r = 0; r < registersOf(type); ++r)
    result.push_back(rows[(r / 4 / atoms) * 2 + (r % 4) / 2]);
  tiles[op.getTile()] = result;
  return success();
}

LogicalResult TileLowering::lowerConvert(ConvertOp op) {
  Type from = op.getTile().getType(), to = op.getResult().getType();
  Registers result = registers(op.getTile());
  auto fromSlice = encodingOf<SliceAttr>(from), toSlice = encodingOf<SliceAttr>(to);
  if (fromSlice && toSlice) {
    // Parts are added up; a factor of parts is the same factor for every thread.
    if (fromSlice.getPartial() && !toSlice.getPartial())
      for (Value &value : result)
        value = addAcrossRow(value);
  } else if (!encodingOf<AccAttr>(from) || !encodingOf<OperandAttr>(to)) {
    return op.emitOpError("expects accumulator to operand, or one slice to another, got ") << from << " and " << to;
  }
  // From accumulator to operand the registers keep their places: see #tile.operand.
  tiles[op.getResult()] = result;
  return success();
}

} // namespace attn::tile
