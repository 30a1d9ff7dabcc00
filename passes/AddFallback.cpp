// SPDX-License-Identifier: Apache-2.0
// add-fallback: a twin of each kernel for tensors whose bases or strides are no multiples of 16 bytes.
#include "passes/Passes.h"

#include "dialect/Attn.h"
#include "mlir/IR/Builders.h"

using namespace mlir;

namespace attn {
#define GEN_PASS_DEF_ADDFALLBACK
#include "passes/Passes.h.inc"

namespace {
struct AddFallback : impl::AddFallbackBase<AddFallback> {
  void runOnOperation() override {
    for (auto kernel : llvm::make_early_inc_range(getOperation().getOps<KernelOp>())) {
      ScheduleAttr given = kernel.getScheduleAttr();
      OpBuilder builder(kernel);
      builder.setInsertionPointAfter(kernel);
      auto twin = cast<KernelOp>(builder.clone(*kernel));
      std::string name = (kernel.getSymName() + "_unaligned").str();
      while (getOperation().lookupSymbol(name)) // the user may have a kernel of that name
        name += "_";
      twin.setSymName(name);
      twin->setAttr("attn.unaligned", builder.getStringAttr(kernel.getSymName()));
      if (!given) // nothing to choose: no attention
        continue;
      constexpr int64_t kWarps = 4, kRows = 16 * kWarps, kKeys = 16, kStages = 1;
      // What programs leave for a later step lies by blocks of rows, and either of the two may be asked for that step.
      bool blocks = kernel->hasAttr("attn.stream");
      twin.setScheduleAttr(ScheduleAttr::get(&getContext(), given.getName(), blocks ? given.getBlockQ() : kRows, kKeys,
                                             kStages, blocks ? given.getNumWarps() : kWarps, given.getNumSplits(),
                                             given.getPacked(), std::nullopt));
    }
  }
};
} // namespace
} // namespace attn
