// SPDX-License-Identifier: Apache-2.0
// Values of one step of a loop in another.
#include "passes/LoopSteps.h"

#include "mlir/IR/IRMapping.h"

using namespace mlir;

namespace attn::tile {

bool feedsProduct(LoadOp load) {
  return llvm::any_of(load->getUsers(), [](Operation *user) { return isa<DotOp, DotStartOp>(user); });
}

bool isOverItems(scf::ForOp loop) { return loop.getLowerBound().getDefiningOp<WorkerOp>() != nullptr; }

Value cloneForStep(OpBuilder &builder, scf::ForOp loop, Value value, Value number) {
  if (value == loop.getInductionVar())
    return number;
  Operation *op = value.getDefiningOp();
  if (!op || !loop->isProperAncestor(op))
    return value;
  IRMapping mapping;
  for (Value operand : op->getOperands())
    mapping.map(operand, cloneForStep(builder, loop, operand, number));
  return builder.clone(*op, mapping)->getResult(cast<OpResult>(value).getResultNumber());
}

} // namespace attn::tile
