// SPDX-License-Identifier: Apache-2.0
// take-turns: warpgroups begin their products one after the other, so that one's softmax runs beside another's
// products.
#include "passes/Passes.h"

#include "dialect/Tile.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/Builders.h"

using namespace mlir;
using namespace attn::tile;

namespace attn {
#define GEN_PASS_DEF_TAKETURNS
#include "passes/Passes.h.inc"

namespace {

/// As FlashAttention-3 does; beyond it the products alone keep the matrix unit busy.
constexpr int64_t widestOutput = 128;

struct TakeTurns : impl::TakeTurnsBase<TakeTurns> {
  void runOnOperation() override {
    getOperation().walk([](RolesOp roles) {
      if (roles.getComputeWarps() >= 8)
        roles.getCompute().walk([](scf::ForOp loop) { takeTurns(loop); });
    });
  }

  static void takeTurns(scf::ForOp loop) {
    SmallVector<DotStartOp> products(loop.getBody()->getOps<DotStartOp>());
    if (products.size() != 2)
      return;
    DotStartOp output = products.front().getAcc() ? products.front() : products.back();
    if (output.getResult().getType().getTile().getDimSize(1) > widestOutput)
      return;
    OpBuilder builder(products.front());
    TakeTurnOp::create(builder, products.front().getLoc());
    builder.setInsertionPointAfter(products.back());
    PassTurnOp::create(builder, products.back().getLoc());
  }
};

} // namespace
} // namespace attn
