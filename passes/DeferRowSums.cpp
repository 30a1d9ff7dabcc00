// SPDX-License-Identifier: Apache-2.0
// defer-row-sums: each thread keeps its part of a running row sum; the parts are added up once, after the loop.
#include "passes/Passes.h"

#include "dialect/Tile.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace attn::tile;

namespace attn {
#define GEN_PASS_DEF_DEFERROWSUMS
#include "passes/Passes.h.inc"

namespace {

/// sum' = reduce add tile into (sum * factor), the only use of the loop-carried sum.
struct RunningSum {
  arith::MulFOp scaled;
  ReduceOp reduced;
  Value factor;
};

/// Zero, or the sum of a first tile onto zero.
bool beginsAtZero(Value init) {
  auto first = init.getDefiningOp<ReduceOp>();
  if (first && first.getKind() == Reduction::add && first->hasOneUse())
    init = first.getInit();
  return matchPattern(init, m_AnyZeroFloat());
}

std::optional<RunningSum> matchRunningSum(scf::ForOp loop, unsigned index) {
  BlockArgument carried = loop.getRegionIterArg(index);
  auto slice = encodingOf<SliceAttr>(carried.getType());
  if (!slice || slice.getPartial() || !carried.hasOneUse())
    return std::nullopt;
  auto scaled = dyn_cast<arith::MulFOp>(*carried.user_begin());
  if (!scaled || !scaled->hasOneUse())
    return std::nullopt;
  auto reduced = dyn_cast<ReduceOp>(*scaled->user_begin());
  if (!reduced || reduced.getKind() != Reduction::add || reduced.getInit() != scaled.getResult() ||
      !reduced->hasOneUse() || loop.getYieldedValues()[index] != reduced.getResult() ||
      !beginsAtZero(loop.getInitArgs()[index]))
    return std::nullopt;
  return RunningSum{scaled, reduced, scaled.getLhs() == carried ? scaled.getRhs() : scaled.getLhs()};
}

struct DeferRowSums : impl::DeferRowSumsBase<DeferRowSums> {
  void defer(scf::ForOp loop, unsigned index, RunningSum sum) {
    auto whole = cast<RankedTensorType>(loop.getRegionIterArg(index).getType());
    auto slice = cast<SliceAttr>(whole.getEncoding());
    auto parts = RankedTensorType::get(whole.getShape(), whole.getElementType(),
                                       SliceAttr::get(&getContext(), 1, slice.getOf(), true));
    OpBuilder builder(sum.scaled);
    Value factor = ConvertOp::create(builder, sum.scaled.getLoc(), parts, sum.factor);
    sum.scaled->setOperands({loop.getRegionIterArg(index), factor});
    sum.scaled.getResult().setType(parts);
    sum.reduced.getResult().setType(parts);
    loop.getRegionIterArg(index).setType(parts);
    auto first = loop.getInitArgs()[index].getDefiningOp<ReduceOp>();
    first ? builder.setInsertionPoint(first) : builder.setInsertionPoint(loop);
    Value zero = arith::ConstantOp::create(
        builder, loop.getLoc(), cast<TypedAttr>(DenseElementsAttr::get(parts, builder.getF32FloatAttr(0.0))));
    if (first) {
      first.getInitMutable().assign(zero);
      first.getResult().setType(parts);
    } else {
      loop.getInitArgsMutable()[index].assign(zero);
    }
    Value result = loop.getResult(index);
    result.setType(parts);
    builder.setInsertionPointAfter(loop);
    auto complete = ConvertOp::create(builder, loop.getLoc(), whole, result);
    result.replaceAllUsesExcept(complete.getResult(), complete);
  }

  void runOnOperation() override {
    getOperation().walk([&](scf::ForOp loop) {
      for (unsigned i = 0; i < loop.getNumRegionIterArgs(); ++i)
        if (auto sum = matchRunningSum(loop, i))
          defer(loop, i, *sum);
    });
  }
};

} // namespace
} // namespace attn
