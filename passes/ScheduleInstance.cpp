// SPDX-License-Identifier: Apache-2.0
// Cloning a schedule's functions into a kernel, operation by operation, so that what they name is linked.
#include "passes/ScheduleInstance.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace attn {

SmallVector<Value> ScheduleInstance::inlineFunction(StringRef name, ValueRange operands) {
  auto function = text.lookupSymbol<func::FuncOp>(name);
  IRMapping mapping;
  mapping.map(function.getArguments(), operands);
  cloneBlock(function.getBody().front(), mapping);
  return llvm::map_to_vector(function.getBody().front().getTerminator()->getOperands(),
                             [&](Value value) { return mapping.lookup(value); });
}

void ScheduleInstance::cloneBlock(Block &block, IRMapping &mapping) {
  for (Operation &op : block.without_terminator())
    cloneOp(op, mapping);
}

void ScheduleInstance::cloneOp(Operation &op, IRMapping &mapping) {
  if (auto call = dyn_cast<func::CallOp>(op)) {
    SmallVector<Value> operands =
        llvm::map_to_vector(op.getOperands(), [&](Value value) { return mapping.lookup(value); });
    mapping.map(op.getResults(), inlineCall(call, operands));
  } else if (auto apply = dyn_cast<tile::ApplyOp>(op)) {
    cloneApply(apply, mapping);
  } else if (auto mask = dyn_cast<tile::MaskOp>(op)) {
    cloneMask(mask, mapping);
  } else if (op.getNumRegions() == 0) {
    builder.clone(op, mapping);
  } else {
    cloneRegion(op, mapping);
  }
}

void ScheduleInstance::cloneApply(tile::ApplyOp op, IRMapping &mapping) {
  bool isWeight = op.getCallee() == "reweigh";
  func::FuncOp function = isWeight ? links.reweigh : links.score;
  if (!function)
    return mapping.map(op.getResult(), mapping.lookup(op.getTile()));
  auto clone = cast<tile::ApplyOp>(builder.clone(*op, mapping));
  clone.setCallee(function.getSymName());
  clone.getParamsMutable().assign(isWeight ? links.reweighParameters : links.scoreParameters);
}

void ScheduleInstance::cloneMask(tile::MaskOp op, IRMapping &mapping) {
  auto clone = cast<tile::MaskOp>(builder.clone(*op, mapping));
  clone.setByAttr(builder.getArrayAttr(links.masks));
  clone.getParamsMutable().assign(links.maskParameters);
}

/// A region is cloned operation by operation, so that what it holds is linked too.
void ScheduleInstance::cloneRegion(Operation &op, IRMapping &mapping) {
  Operation *clone = op.cloneWithoutRegions(mapping);
  builder.insert(clone);
  Block &from = op.getRegion(0).front();
  Block *to = &clone->getRegion(0).emplaceBlock();
  for (BlockArgument argument : from.getArguments())
    mapping.map(argument, to->addArgument(argument.getType(), argument.getLoc()));
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToEnd(to);
  cloneBlock(from, mapping);
  builder.clone(*from.getTerminator(), mapping);
}

SmallVector<Value> ScheduleInstance::inlineCall(func::CallOp call, SmallVector<Value> operands) {
  if (auto write = links.written.find(call.getCallee()); write != links.written.end())
    return write->second(operands);
  if (call.getCallee() != "finish" || !links.sink)
    return inlineFunction(call.getCallee(), operands);
  // The sink's logit of each row, from its head.
  auto rowsType = cast<RankedTensorType>(operands[1].getType());
  Value zero = arith::ConstantOp::create(builder, cast<TypedAttr>(DenseElementsAttr::get(rowsType, 0.0f)));
  operands.push_back(tile::ApplyOp::create(builder, rowsType, func::FuncOp(links.sink).getSymName(),
                                           ValueRange{links.sinkMemory}, zero, links.query, links.row, Value(),
                                           Value()));
  return inlineFunction("finish_with_sink", operands);
}

} // namespace attn
