// SPDX-License-Identifier: Apache-2.0
// convert-attn-to-tile: a kernel becomes its steps, each a function with the text of a schedule inside.
#include "passes/Passes.h"

#include "dialect/Tile.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "passes/ForwardWrapper.h"
#include "passes/KeyShares.h"
#include "passes/MergeWrapper.h"
#include "passes/Supported.h"

using namespace mlir;

namespace attn {
#define GEN_PASS_DEF_CONVERTATTNTOTILE
#include "passes/Passes.h.inc"

namespace {

/// The functions that a launch of the kernel starts, one after the other, in its place. The first has its name.
void writeSteps(KernelOp kernel, const Attention &attention) {
  SymbolTable symbols(kernel->getParentOfType<ModuleOp>());
  SmallVector<func::FuncOp> steps{writeForward(kernel, attention, symbols)};
  if (shareRuleOf(kernel).most > 1)
    steps.push_back(writeMergeOfShares(kernel, attention, symbols));
  StringAttr name = kernel.getSymNameAttr();
  symbols.erase(kernel);
  steps.front().setSymNameAttr(name);
  for (auto [number, step] : llvm::enumerate(steps))
    if (number)
      step->setAttr("attn.step", IntegerAttr::get(IntegerType::get(step.getContext(), 64), number));
}

struct ConvertAttnToTile : impl::ConvertAttnToTileBase<ConvertAttnToTile> {
  void getDependentDialects(DialectRegistry &registry) const override {
    registry.insert<tile::TileDialect, arith::ArithDialect, memref::MemRefDialect, func::FuncDialect, scf::SCFDialect,
                    math::MathDialect>();
  }

  void runOnOperation() override {
    SmallVector<func::FuncOp> library(getOperation().getOps<func::FuncOp>());
    for (auto kernel : llvm::make_early_inc_range(getOperation().getOps<KernelOp>())) {
      auto attention = findAttention(kernel);
      if (failed(attention))
        return signalPassFailure();
      if (!kernel.getScheduleAttr() || !kernel.getScheduleAttr().getBlockQ())
        return void(kernel.emitOpError("expects a complete schedule: run choose-schedule first")), signalPassFailure();
      writeSteps(kernel, *attention);
    }
    // What kernels used stands in functions of its own now.
    for (func::FuncOp function : library)
      function.erase();
    OpBuilder builder = OpBuilder::atBlockEnd(getOperation().getBody());
    Type index = builder.getIndexType();
    auto inBounds = func::FuncOp::create(builder, getOperation().getLoc(), tile::kInBounds,
                                         builder.getFunctionType(SmallVector<Type>(6, index), builder.getI1Type()));
    inBounds.setPrivate();
  }
};

} // namespace
} // namespace attn
