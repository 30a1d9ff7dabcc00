// SPDX-License-Identifier: Apache-2.0
// distribute-programs: a loop over items of work around the body of a kernel, for as many programs as run at once.
#include "passes/Passes.h"

#include "dialect/Target.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/Matchers.h"
#include "passes/LoopSteps.h"
#include "llvm/ADT/MapVector.h"

using namespace mlir;
using namespace attn::tile;

namespace attn {
#define GEN_PASS_DEF_DISTRIBUTEPROGRAMS
#include "passes/Passes.h.inc"

namespace {

/// Half of the second cache is for the keys and values of a group; queries and results pass through the rest.
constexpr int64_t shareOfCache = 2;

std::optional<int64_t> constantOf(Value value) {
  APInt number;
  return matchPattern(value, m_ConstantInt(&number)) ? std::optional(number.getSExtValue()) : std::nullopt;
}

/// The loop over items of one function, and which point of the grid's box an item is.
class Distribution {
public:
  Distribution(func::FuncOp function, ProgramOp program, std::optional<Target> target)
      : function(function), program(program), target(std::move(target)), builder(program.getLoc(), program) {}

  void run() {
    SmallVector<Value> extents(program.getExtents());
    Value blocks = extents.front();
    Value heads = index(1);
    for (Value extent : llvm::drop_begin(extents))
      heads = multiply(heads, extent);
    Value items = multiply(blocks, heads);
    Value group = headsOfGroup(extents, heads);
    Type indexType = builder.getIndexType();
    auto worker = WorkerOp::create(builder, indexType, indexType, items);
    auto loop = scf::ForOp::create(builder, worker.getNumber(), items, worker.getCount());
    Block *body = loop.getBody();
    for (Operation &op : llvm::make_early_inc_range(llvm::make_range(
             std::next(loop->getIterator()), function.getBody().front().getTerminator()->getIterator())))
      op.moveBefore(body->getTerminator());
    builder.setInsertionPointToStart(body);
    for (auto [id, value] : llvm::zip(program.getIds(), pointOf(loop.getInductionVar(), blocks, heads, group, extents)))
      id.replaceAllUsesWith(value);
    program.erase();
  }

private:
  Value index(int64_t value) { return arith::ConstantIndexOp::create(builder, value); }
  Value multiply(Value a, Value b) {
    return builder.createOrFold<arith::MulIOp>(constantOf(a) == 1 ? b : a, constantOf(a) == 1 ? index(1) : b);
  }

  /// Item = ((group, block), head in group): groups one after the other, and in each all heads of a block before the
  /// next block. The last group may have fewer heads.
  SmallVector<Value> pointOf(Value item, Value blocks, Value heads, Value group, ArrayRef<Value> extents) {
    Value ofGroup = multiply(blocks, group);
    Value number = builder.createOrFold<arith::DivUIOp>(item, ofGroup);
    Value inGroup = builder.createOrFold<arith::RemUIOp>(item, ofGroup);
    Value first = builder.createOrFold<arith::MulIOp>(number, group);
    Value left = builder.createOrFold<arith::SubIOp>(heads, first);
    Value width = builder.createOrFold<arith::MinUIOp>(group, left);
    SmallVector<Value> point{builder.createOrFold<arith::DivUIOp>(inGroup, width)};
    Value head = builder.createOrFold<arith::AddIOp>(first, builder.createOrFold<arith::RemUIOp>(inGroup, width));
    for (size_t i = 1; i < extents.size(); ++i) {
      if (i + 1 == extents.size()) {
        point.push_back(head);
        break;
      }
      point.push_back(builder.createOrFold<arith::RemUIOp>(head, extents[i]));
      head = builder.createOrFold<arith::DivUIOp>(head, extents[i]);
    }
    return point;
  }

  /// Keys and values are what loops over tiles load: their views.
  SmallVector<ViewOp> streamed() {
    llvm::SetVector<ViewOp> views;
    function.walk([&](LoadOp load) {
      if (feedsProduct(load) && load->getParentOfType<scf::ForOp>())
        if (auto view = load.getView().getDefiningOp<ViewOp>())
          views.insert(view);
    });
    return views.takeVector();
  }

  /// How many heads are processed together: all of them, unless their keys and values are known to be too many.
  Value headsOfGroup(ArrayRef<Value> extents, Value heads) {
    int64_t rowBytes = 0, keyHeads = 0;
    Value rows;
    SmallVector<ViewOp> views = streamed();
    for (ViewOp view : views) {
      auto base = cast<MemRefType>(view.getBase().getType());
      if (!view.isStrided() || base.getRank() != 4 || base.isDynamicDim(2))
        return heads;
      rowBytes += base.getDimSize(3) * base.getElementTypeBitWidth() / 8;
      keyHeads = base.getDimSize(2);
      if (!rows)
        rows = base.isDynamicDim(1) ? memref::DimOp::create(builder, view.getBase(), 1).getResult()
                                    : index(base.getDimSize(1));
    }
    if (views.empty() || !target || extents.size() < 2)
      return heads;
    // Query heads that share their keys count as one.
    std::optional<int64_t> queryHeads = constantOf(extents[1]);
    int64_t sharing = queryHeads && *queryHeads % keyHeads == 0 ? *queryHeads / keyHeads : 1;
    Value most = index(target->l2Bytes / shareOfCache / rowBytes);
    Value fitting = builder.createOrFold<arith::DivUIOp>(most, builder.createOrFold<arith::MaxUIOp>(rows, index(1)));
    fitting = builder.createOrFold<arith::MaxUIOp>(fitting, index(1));
    return builder.createOrFold<arith::MinUIOp>(multiply(fitting, index(sharing)), heads);
  }

  func::FuncOp function;
  ProgramOp program;
  std::optional<Target> target;
  ImplicitLocOpBuilder builder;
};

struct DistributePrograms : impl::DistributeProgramsBase<DistributePrograms> {
  void runOnOperation() override {
    func::FuncOp function = getOperation();
    auto how = function->getAttrOfType<StringAttr>("tile.distribution");
    if (!how || how.getValue() != "persistent")
      return;
    SmallVector<ProgramOp> programs(function.getOps<ProgramOp>());
    if (programs.size() != 1) {
      function.emitOpError("expects one tile.program where programs share out their work, got ") << programs.size();
      return signalPassFailure();
    }
    // A module that says nothing of its hardware has no cache to group heads for.
    std::optional<Target> target;
    auto module = function->getParentOfType<ModuleOp>();
    if (module && module->hasAttr(targetAttrName)) {
      FailureOr<Target> known = targetOf(module);
      if (failed(known))
        return signalPassFailure();
      target = *known;
    }
    Distribution(function, programs.front(), target).run();
  }
};

} // namespace
} // namespace attn
