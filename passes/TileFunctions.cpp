// SPDX-License-Identifier: Apache-2.0
// Rewrites the functions of a spec for tiles.
#include "passes/TileFunctions.h"

#include "dialect/Attn.h"
#include "dialect/Tile.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "passes/MaskRefinement.h"

using namespace mlir;

namespace attn {

func::FuncOp TileFunctionBuilder::create(Location loc, StringRef name, ArrayRef<Type> inputs, Type result) {
  OpBuilder builder = OpBuilder::atBlockEnd(module.getBody());
  auto function = func::FuncOp::create(loc, name, builder.getFunctionType(inputs, result));
  function.setPrivate();
  symbols.insert(function); // renames it if the name is taken
  function.addEntryBlock();
  return function;
}

/// The question to a list at tile level: which entries of the row count is computed beside it.
static Value createMember(ImplicitLocOpBuilder &builder, MemberOp op, const IRMapping &mapping) {
  auto load = [&](Value list, ValueRange place) -> Value {
    Value number = memref::LoadOp::create(builder, mapping.lookup(list), place);
    return arith::IndexCastOp::create(builder, builder.getIndexType(), number);
  };
  // No tensor is longer; the operation stops where the row does.
  constexpr int64_t kMostEntries = int64_t(1) << 30;
  SmallVector<Value> row = llvm::map_to_vector(op.getRow(), [&](Value value) { return mapping.lookup(value); });
  Value from = arith::ConstantIndexOp::create(builder, 0), to;
  if (op.getRows()) {
    Value next = arith::AddIOp::create(builder, row[0], arith::ConstantIndexOp::create(builder, 1));
    from = load(op.getRows(), row);
    to = load(op.getRows(), next);
    row.clear();
  } else if (op.getCount()) {
    to = load(op.getCount(), row);
  } else {
    to = arith::ConstantIndexOp::create(builder, kMostEntries);
  }
  return tile::MemberOp::create(builder, builder.getI1Type(), mapping.lookup(op.getValue()),
                                mapping.lookup(op.getList()), row, from, to);
}

/// Clones a spec's function into another at tile level. `operands` are its arguments there.
Value TileFunctionBuilder::inlineBody(ImplicitLocOpBuilder &builder, func::FuncOp function, ValueRange operands,
                                      Value row, Value column) {
  IRMapping mapping;
  mapping.map(function.getArguments(), operands);
  for (Operation &op : function.getBody().front().without_terminator()) {
    if (isa<RowOp>(op)) {
      mapping.map(op.getResult(0), row);
    } else if (isa<ColumnOp>(op)) {
      mapping.map(op.getResult(0), column);
    } else if (auto extract = dyn_cast<tensor::ExtractOp>(op)) {
      SmallVector<Value> indices =
          llvm::map_to_vector(extract.getIndices(), [&](Value value) { return mapping.lookup(value); });
      auto load = memref::LoadOp::create(builder, mapping.lookup(extract.getTensor()), indices);
      if (extract->hasAttr(sortedAttrName))
        load->setAttr(kSorted, builder.getUnitAttr());
      mapping.map(extract.getResult(), load.getResult());
    } else if (auto member = dyn_cast<MemberOp>(op)) {
      mapping.map(member.getFound(), createMember(builder, member, mapping));
    } else if (auto call = dyn_cast<func::CallOp>(op)) {
      SmallVector<Value> given =
          llvm::map_to_vector(call.getOperands(), [&](Value value) { return mapping.lookup(value); });
      auto callee = symbols.lookup<func::FuncOp>(call.getCallee());
      mapping.map(call.getResult(0), inlineBody(builder, callee, given, row, column));
    } else {
      builder.clone(op, mapping);
    }
  }
  return mapping.lookup(function.getBody().front().getTerminator()->getOperand(0));
}

/// What the steps make of an element, one after another. `parameters` are those of all steps.
Value TileFunctionBuilder::inlineSteps(ImplicitLocOpBuilder &builder, Value element, ValueRange coordinates,
                                       ValueRange parameters, ArrayRef<ScoreStep> steps) {
  for (const ScoreStep &step : steps) {
    SmallVector<Value> operands{element, coordinates[kBatch], coordinates[kHead], coordinates[kQuery],
                                coordinates[kKey]};
    llvm::append_range(operands, parameters.take_front(step.parameters.size()));
    parameters = parameters.drop_front(step.parameters.size());
    element = inlineBody(builder, step.function, operands, coordinates[kRow], coordinates[kColumn]);
  }
  return element;
}

func::FuncOp TileFunctionBuilder::createReweigh(Location loc, ArrayRef<ScoreStep> steps, bool byFactors) {
  Type f32 = Float32Type::get(module.getContext());
  SmallVector<Type> inputs{f32};
  inputs.append(kCoordinates, IndexType::get(module.getContext()));
  for (const ScoreStep &step : steps)
    llvm::append_range(inputs, ValueRange(step.parameters).getTypes());
  func::FuncOp function = create(loc, "reweigh", inputs, f32);
  auto builder = ImplicitLocOpBuilder::atBlockBegin(loc, &function.getBody().front());
  ValueRange arguments = function.getArguments();
  Value weight = inlineSteps(builder, arguments[0], arguments.slice(1, kCoordinates),
                             arguments.drop_front(1 + kCoordinates), steps);
  if (byFactors) {
    Value none = arith::ConstantOp::create(builder, builder.getF32FloatAttr(0));
    Value hidden = arith::CmpFOp::create(builder, arith::CmpFPredicate::OEQ, arguments[0], none);
    weight = arith::SelectOp::create(builder, hidden, none, weight);
  }
  func::ReturnOp::create(builder, weight);
  return function;
}

func::FuncOp TileFunctionBuilder::createScore(Location loc, std::optional<double> scale, ArrayRef<ScoreStep> steps) {
  Type f32 = Float32Type::get(module.getContext()), index = IndexType::get(module.getContext());
  SmallVector<Type> inputs{f32};
  inputs.append(kCoordinates, index);
  if (!scale)
    inputs.push_back(f32);
  for (const ScoreStep &step : steps)
    llvm::append_range(inputs, ValueRange(step.parameters).getTypes());
  func::FuncOp function = create(loc, "score", inputs, f32);
  auto builder = ImplicitLocOpBuilder::atBlockBegin(loc, &function.getBody().front());
  auto arguments = function.getArguments();
  auto parameters = arguments.drop_front(1 + kCoordinates);
  Value factor;
  if (scale) {
    factor = arith::ConstantOp::create(builder, builder.getF32FloatAttr(static_cast<float>(*scale)));
  } else {
    factor = parameters.front();
    parameters = parameters.drop_front();
  }
  Value score = arith::MulFOp::create(builder, arguments[0], factor);
  func::ReturnOp::create(builder, inlineSteps(builder, score, arguments.slice(1, kCoordinates), parameters, steps));
  return function;
}

/// Whether a function, or one that it calls, divides by its argument of this number.
static bool dividesBy(const SymbolTable &symbols, func::FuncOp function, unsigned number) {
  return llvm::any_of(function.getArgument(number).getUses(), [&](OpOperand &use) {
    if (auto call = dyn_cast<func::CallOp>(use.getOwner())) {
      auto callee = symbols.lookup<func::FuncOp>(call.getCallee());
      return callee && !callee.isExternal() && dividesBy(symbols, callee, use.getOperandNumber());
    }
    return use.getOperandNumber() == 1 &&
           isa<arith::FloorDivSIOp, arith::CeilDivSIOp, arith::RemSIOp, arith::ShRSIOp>(use.getOwner());
  });
}

func::FuncOp TileFunctionBuilder::createMask(func::FuncOp mask, SmallVectorImpl<Value> &parameters) {
  constexpr unsigned kCoordinatesOfSpec = 4;
  auto isPart = [&](unsigned i) {
    Operation *op = parameters[i].getDefiningOp();
    return op && op->hasTrait<OpTrait::ConstantLike>() && dividesBy(symbols, mask, kCoordinatesOfSpec + i);
  };
  SmallVector<Value> given;
  for (auto [i, parameter] : llvm::enumerate(parameters))
    if (!isPart(i))
      given.push_back(parameter);
  SmallVector<Type> inputs(kCoordinates, IndexType::get(module.getContext()));
  llvm::append_range(inputs, ValueRange(given).getTypes());
  func::FuncOp function =
      create(mask.getLoc(), ("visible_" + mask.getSymName()).str(), inputs, IntegerType::get(module.getContext(), 1));
  auto builder = ImplicitLocOpBuilder::atBlockBegin(mask.getLoc(), &function.getBody().front());
  auto arguments = function.getArguments();
  SmallVector<Value> operands{arguments[kBatch], arguments[kHead], arguments[kQuery], arguments[kKey]};
  unsigned next = kCoordinates;
  for (auto [i, parameter] : llvm::enumerate(parameters))
    operands.push_back(isPart(i) ? builder.clone(*parameter.getDefiningOp())->getResult(0) : Value(arguments[next++]));
  func::ReturnOp::create(builder, inlineBody(builder, mask, operands, arguments[kRow], arguments[kColumn]));
  parameters = given;
  return function;
}

func::FuncOp TileFunctionBuilder::createSink(Location loc, Type memory) {
  Type f32 = Float32Type::get(module.getContext()), index = IndexType::get(module.getContext());
  func::FuncOp function = create(loc, "sink", {f32, index, index, index, index, memory}, f32);
  auto builder = ImplicitLocOpBuilder::atBlockBegin(loc, &function.getBody().front());
  Value logit = memref::LoadOp::create(builder, function.getArgument(5), function.getArgument(2));
  func::ReturnOp::create(builder, logit);
  return function;
}

} // namespace attn
