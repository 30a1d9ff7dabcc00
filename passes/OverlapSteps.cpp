// SPDX-License-Identifier: Apache-2.0
// overlap-steps: programs of a later step begin early, and wait for the step before where they first need it.
#include "passes/Passes.h"

#include "dialect/Target.h"
#include "dialect/Tile.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/Builders.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

using namespace mlir;
using namespace attn::tile;

namespace attn {
#define GEN_PASS_DEF_OVERLAPSTEPS
#include "passes/Passes.h.inc"

namespace {

/// Whether a step may write memory: all but integers that the kernel is given and does not update.
bool mayBeWritten(Value memory) {
  auto argument = dyn_cast<BlockArgument>(memory);
  if (!argument || !cast<MemRefType>(memory.getType()).getElementType().isInteger())
    return true;
  auto function = dyn_cast<func::FuncOp>(argument.getOwner()->getParentOp());
  unsigned number = argument.getArgNumber();
  return !function || function.getArgAttr(number, "attn.result") || function.getArgAttr(number, "attn.written");
}

/// Whether an operation and all in it leave alone what steps write. Nobody else sees shared memory.
bool needsNoStep(Operation *op) {
  WalkResult found = op->walk([](Operation *inner) {
    if (inner->hasTrait<OpTrait::HasRecursiveMemoryEffects>() || isMemoryEffectFree(inner) || isa<RingOp>(inner))
      return WalkResult::advance();
    Value memory;
    if (auto load = dyn_cast<memref::LoadOp>(inner))
      memory = load.getMemref();
    else if (auto locate = dyn_cast<LocateOp>(inner))
      memory = locate.getStarts();
    else if (auto held = dyn_cast<HeldOp>(inner))
      memory = held.getRuns();
    return memory && !mayBeWritten(memory) ? WalkResult::advance() : WalkResult::interrupt();
  });
  return !found.wasInterrupted();
}

struct OverlapSteps : impl::OverlapStepsBase<OverlapSteps> {
  void runOnOperation() override {
    SmallVector<func::FuncOp> kernel; // the steps of one, and of its fallback, first to last
    for (auto function : getOperation().getOps<func::FuncOp>()) {
      if (!function->hasAttr("tile.warps"))
        continue;
      if (!stepOf(function) && !function->hasAttr("attn.unaligned")) {
        if (failed(overlap(kernel)))
          return signalPassFailure();
        kernel.clear();
      }
      kernel.push_back(function);
    }
    if (failed(overlap(kernel)))
      return signalPassFailure();
  }

  static int64_t stepOf(func::FuncOp function) {
    auto step = function->getAttrOfType<IntegerAttr>("attn.step");
    return step ? step.getInt() : 0;
  }

  LogicalResult overlap(ArrayRef<func::FuncOp> kernel) {
    int64_t last = 0;
    for (func::FuncOp function : kernel)
      last = std::max(last, stepOf(function));
    if (!last)
      return success();
    FailureOr<Target> target = targetOf(getOperation());
    if (failed(target))
      return failure();
    if (!target->beginsStepsEarly())
      return success();
    for (func::FuncOp function : kernel) {
      Block &body = function.getBody().front();
      if (stepOf(function)) {
        Operation *first = &*llvm::find_if_not(
            body, [](Operation &op) { return !op.hasTrait<OpTrait::IsTerminator>() && needsNoStep(&op); });
        OpBuilder builder(first);
        AwaitPreviousOp::create(builder, first->getLoc());
      }
      if (stepOf(function) < last) {
        OpBuilder builder = OpBuilder::atBlockBegin(&body);
        BeginNextOp::create(builder, function.getLoc());
      }
    }
    return success();
  }
};

} // namespace
} // namespace attn
