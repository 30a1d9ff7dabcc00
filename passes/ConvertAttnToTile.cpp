// SPDX-License-Identifier: Apache-2.0
// convert-attn-to-tile: a kernel becomes its steps, each a function with the text of a schedule inside.
#include "passes/Passes.h"

#include "dialect/Tile.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "passes/AppendWrapper.h"
#include "passes/DataFacts.h"
#include "passes/ForwardWrapper.h"
#include "passes/KeyShares.h"
#include "passes/MergeWrapper.h"
#include "passes/SelectWrapper.h"
#include "passes/StreamShares.h"
#include "passes/SumsWrapper.h"
#include "passes/Supported.h"

using namespace mlir;

namespace attn {
#define GEN_PASS_DEF_CONVERTATTNTOTILE
#include "passes/Passes.h.inc"

namespace {

/// Attention is one step, or two where keys are shared or weights must be known before they are changed. Returns which
/// of the steps has the kernel's name.
size_t writeAttention(KernelOp kernel, const Attention &attention, SymbolTable &symbols,
                      SmallVectorImpl<func::FuncOp> &steps) {
  auto write = [&](Walk walk) { steps.push_back(writeWalk(walk, kernel, attention, symbols)); };
  if (attention.changesKnownWeights || !attention.sums.empty())
    write(Walk::Statistics);
  // An output may take the place of the queries: what else reads them goes first.
  size_t main = steps.size() + 1;
  for (size_t number = 0; number != attention.sums.size(); ++number) {
    steps.push_back(writeClear(kernel, attention, number, symbols));
    steps.push_back(writeWalk(Walk::Sums, kernel, attention, symbols, number));
    steps.push_back(writeSettle(kernel, attention, number, symbols));
  }
  if (!attention.output)
    return main;
  main = steps.size();
  write(attention.changesKnownWeights ? Walk::Weighted : Walk::Forward);
  if (attention.changesKnownWeights)
    return main;
  if (streamRuleOf(kernel).programs)
    steps.push_back(writeMergeOfSegments(kernel, attention, symbols));
  else if (shareRuleOf(kernel).most > 1)
    steps.push_back(writeMergeOfShares(kernel, attention, symbols));
  return main;
}

/// The functions that a launch of the kernel starts, one after the other, in its place. One of them has its name.
void writeSteps(KernelOp kernel, const KernelContent &content) {
  SymbolTable symbols(kernel->getParentOfType<ModuleOp>());
  SmallVector<func::FuncOp> steps;
  size_t main = 0;
  for (Operation *step : content.steps) {
    if (auto append = dyn_cast<AppendOp>(step)) {
      steps.push_back(writeAppend(kernel, append, symbols));
      continue;
    }
    if (auto select = dyn_cast<SelectOp>(step)) {
      steps.push_back(writeSelect(kernel, select, symbols));
      continue;
    }
    main = steps.size();
    if (auto merge = dyn_cast<MergeOp>(step))
      steps.push_back(writeMerge(kernel, merge, symbols));
    else
      main = writeAttention(kernel, *content.attention, symbols, steps);
  }
  StringAttr name = kernel.getSymNameAttr();
  if (ArrayAttr facts = dataFactsOf(kernel); !facts.empty())
    steps.front()->setAttr("attn.facts", facts);
  symbols.erase(kernel);
  steps[main].setSymNameAttr(name);
  if (main)
    steps.front()->setAttr("attn.kernel", name);
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
      FailureOr<KernelContent> content = contentOf(kernel);
      if (failed(content))
        return signalPassFailure();
      if (content->attention && (!kernel.getScheduleAttr() || !kernel.getScheduleAttr().getBlockQ()))
        return void(kernel.emitOpError("expects a complete schedule: run choose-schedule first")), signalPassFailure();
      writeSteps(kernel, *content);
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
