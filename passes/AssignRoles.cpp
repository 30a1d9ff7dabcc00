// SPDX-License-Identifier: Apache-2.0
// assign-roles: a warpgroup of its own loads what the others compute with, through rings.
#include "passes/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "passes/CostModel.h"
#include "passes/LoopSteps.h"
#include "llvm/ADT/MapVector.h"

using namespace mlir;
using namespace attn::tile;

namespace attn {
#define GEN_PASS_DEF_ASSIGNROLES
#include "passes/Passes.h.inc"

namespace {

/// Gives every load of a product's operand a ring and a fill number, and writes fill, await and release in its place.
///
/// Fills of a ring are numbered from 0 in the order in which they are executed: in a loop with n of them a step, the
/// j-th is base + (t - first) * n + j, and behind the loop the count goes on with base + steps * n.
class RingNumbering {
public:
  RingNumbering(func::FuncOp function, int64_t stages)
      : function(function), stages(stages), builder(function.getLoc(), function.getContext()) {}

  LogicalResult run() { return number(function.getBody().front()); }

private:
  using Ring = Value;
  using Key = std::pair<Value, Type>;

  Ring ringOf(LoadOp load) {
    Key key{load.getView(), load.getTile().getType()};
    Ring &ring = rings[key];
    if (ring)
      return ring;
    // What is loaded once has one buffer.
    bool inLoop = llvm::any_of(load.getView().getUsers(), [&](Operation *user) {
      return isa<LoadOp>(user) && user->getParentOfType<scf::ForOp>();
    });
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(&function.getBody().front());
    auto type =
        RingType::get(builder.getContext(), inLoop ? stages : 1, cast<RankedTensorType>(load.getTile().getType()));
    ring = RingOp::create(builder, type);
    next[ring] = arith::ConstantIndexOp::create(builder, 0);
    return ring;
  }

  LogicalResult number(Block &block) {
    for (Operation &op : llvm::make_early_inc_range(block)) {
      builder.setLoc(op.getLoc());
      LogicalResult result = success();
      if (auto load = dyn_cast<LoadOp>(op); load && feedsProduct(load))
        result = replace(load);
      else if (auto loop = dyn_cast<scf::ForOp>(op))
        result = numberLoop(loop);
      else if (auto branch = dyn_cast<scf::IfOp>(op))
        result = numberBranch(branch);
      if (failed(result))
        return failure();
    }
    return success();
  }

  /// Loads of each ring directly in a block.
  llvm::MapVector<Ring, int64_t> loadsIn(Block &block) {
    llvm::MapVector<Ring, int64_t> count;
    for (auto load : block.getOps<LoadOp>())
      if (feedsProduct(load))
        ++count[ringOf(load)];
    return count;
  }

  LogicalResult numberLoop(scf::ForOp loop) {
    llvm::MapVector<Ring, int64_t> count = loadsIn(*loop.getBody());
    llvm::MapVector<Ring, Value> before = next;
    builder.setInsertionPointToStart(loop.getBody());
    for (auto [ring, loads] : count) {
      Value steps = arith::SubIOp::create(builder, loop.getInductionVar(), loop.getLowerBound());
      next[ring] = advance(before[ring], steps, loads);
    }
    if (failed(number(*loop.getBody())))
      return failure();
    builder.setInsertionPointAfter(loop);
    for (auto [ring, loads] : count) {
      Value steps = arith::SubIOp::create(builder, loop.getUpperBound(), loop.getLowerBound());
      steps = arith::MaxSIOp::create(builder, steps, arith::ConstantIndexOp::create(builder, 0));
      next[ring] = advance(before[ring], steps, loads);
    }
    return success();
  }

  Value advance(Value base, Value steps, int64_t loads) {
    if (loads != 1)
      steps = arith::MulIOp::create(builder, steps, arith::ConstantIndexOp::create(builder, loads));
    return builder.createOrFold<arith::AddIOp>(builder.getLoc(), base, steps);
  }

  LogicalResult numberBranch(scf::IfOp branch) {
    llvm::MapVector<Ring, Value> before = next;
    for (Region *region : {&branch.getThenRegion(), &branch.getElseRegion()}) {
      if (region->empty())
        continue;
      if (failed(number(region->front())))
        return failure();
      for (auto &[ring, value] : next)
        if (before.lookup(ring) != value)
          ended.insert(ring);
      next = before;
    }
    return success();
  }

  LogicalResult replace(LoadOp load) {
    Ring ring = ringOf(load);
    if (ended.contains(ring))
      return load.emitOpError("expects no load behind a branch with loads of the same view");
    builder.setInsertionPoint(load);
    Value n = next[ring];
    FillOp::create(builder, ring, n, load.getView(), load.getAt(), Value());
    auto await = AwaitOp::create(builder, load.getTile().getType(), ring, n, 0);
    bool summedOver = llvm::any_of(load->getUsers(), [&](Operation *user) {
      auto dot = dyn_cast<DotOp>(user);
      auto start = dyn_cast<DotStartOp>(user);
      return (dot && dot.getRhs() == load.getTile() && !dot.getTransB()) ||
             (start && start.getRhs() == load.getTile() && !start.getTransB());
    });
    if (summedOver && function->hasAttr("attn.lengths"))
      BlankOp::create(builder, ring, n, load.getView(), load.getAt());
    next[ring] = builder.createOrFold<arith::AddIOp>(load.getLoc(), n, arith::ConstantIndexOp::create(builder, 1));
    builder.setInsertionPointAfter(lastUse(load));
    ReleaseOp::create(builder, ring, n);
    load.getTile().replaceAllUsesWith(await.getTile());
    load.erase();
    return success();
  }

  /// The last operation of the load's block in which the tile is still read: a product, or the wait that ends it.
  Operation *lastUse(LoadOp load) {
    Operation *last = load;
    auto visit = [&](Operation *user) {
      Operation *here = load->getBlock()->findAncestorOpInBlock(*user);
      if (last->isBeforeInBlock(here))
        last = here;
    };
    for (Operation *user : load->getUsers()) {
      visit(user);
      if (auto start = dyn_cast<DotStartOp>(user))
        for (Operation *end : start.getResult().getUsers())
          visit(end);
    }
    return last;
  }

  func::FuncOp function;
  int64_t stages;
  ImplicitLocOpBuilder builder;
  llvm::MapVector<Key, Ring> rings;
  llvm::MapVector<Ring, Value> next;
  llvm::SmallPtrSet<Ring, 4> ended;
};

/// Copies out of a body what begins copies: fills, the loops and branches they stand in, and what these compute with.
class LoadRole {
public:
  explicit LoadRole(OpBuilder &builder) : builder(builder) {}

  LogicalResult copy(Block &from) {
    WalkResult found = from.walk([&](FillOp fill) {
      for (Operation *op = fill; op; op = enclosing(op, from))
        for (Value operand : op->getOperands().take_front(isa<scf::ForOp>(op) ? 3 : op->getNumOperands()))
          if (failed(need(operand, fill, from)))
            return WalkResult::interrupt();
      return WalkResult::advance();
    });
    if (found.wasInterrupted())
      return failure();
    copyBlock(from);
    return success();
  }

private:
  static Operation *enclosing(Operation *op, Block &outermost) {
    return op->getBlock() == &outermost ? nullptr : op->getParentOp();
  }

  LogicalResult need(Value value, FillOp fill, Block &outermost) {
    Operation *op = value.getDefiningOp();
    if (!op) {
      auto argument = cast<BlockArgument>(value);
      auto loop = dyn_cast<scf::ForOp>(argument.getOwner()->getParentOp());
      if (!loop || argument == loop.getInductionVar())
        return success();
      return fill.emitOpError("expects a row that can be known without computing tiles");
    }
    if (!outermost.getParent()->isAncestor(op->getParentRegion()) || !needed.insert(op).second)
      return success();
    if (isa<scf::ForOp, scf::IfOp>(op) || llvm::any_of(op->getResultTypes(), llvm::IsaPred<RankedTensorType>))
      return fill.emitOpError("expects a row that can be known without computing tiles");
    for (Value operand : op->getOperands())
      if (failed(need(operand, fill, outermost)))
        return failure();
    return success();
  }

  static bool fills(Operation &op) {
    return op.walk([](FillOp) { return WalkResult::interrupt(); }).wasInterrupted();
  }

  void copyBlock(Block &from) {
    for (Operation &op : from) {
      if (needed.contains(&op) || isa<FillOp>(op))
        builder.clone(op, mapping);
      else if (auto loop = dyn_cast<scf::ForOp>(op); loop && fills(op))
        copyLoop(loop);
      else if (auto branch = dyn_cast<scf::IfOp>(op); branch && fills(op))
        copyBranch(branch);
    }
  }

  void copyLoop(scf::ForOp loop) {
    auto copy =
        scf::ForOp::create(builder, loop.getLoc(), mapping.lookupOrDefault(loop.getLowerBound()),
                           mapping.lookupOrDefault(loop.getUpperBound()), mapping.lookupOrDefault(loop.getStep()));
    mapping.map(loop.getInductionVar(), copy.getInductionVar());
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(copy.getBody());
    copyBlock(*loop.getBody());
  }

  void copyBranch(scf::IfOp branch) {
    bool otherwise = !branch.getElseRegion().empty() && llvm::any_of(*branch.elseBlock(), fills);
    auto copy = scf::IfOp::create(builder, branch.getLoc(), mapping.lookupOrDefault(branch.getCondition()), otherwise);
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(copy.thenBlock());
    copyBlock(*branch.thenBlock());
    if (!otherwise)
      return;
    builder.setInsertionPointToStart(copy.elseBlock());
    copyBlock(*branch.elseBlock());
  }

  OpBuilder &builder;
  IRMapping mapping;
  llvm::SmallPtrSet<Operation *, 32> needed;
};

/// A result of 16 bits goes through the buffer of the queries, if it lies there in the same rows of bytes: each
/// warpgroup then overwrites what it alone has read. Boxes end where the tensor does, so a sequence must not end before
/// it, and hold whole tokens.
void storeThroughRing(StoreOp store) {
  auto tile = cast<RankedTensorType>(store.getTile().getType());
  Type element = store.getView().getType().getElement();
  auto view = store.getView().getDefiningOp<ViewOp>();
  if (tile.getRank() != 2 || element.getIntOrFloatBitWidth() != 16 || !view || 64 % view.getPacked())
    return;
  auto stored = RankedTensorType::get(tile.getShape(), element);
  for (auto ring : store->getParentOfType<func::FuncOp>().getBody().front().getOps<RingOp>()) {
    RankedTensorType read = ring.getRing().getType().getTile();
    if (ring.getRing().getType().getStages() == 1 && read.getDimSize(0) == stored.getDimSize(0) &&
        read.getDimSize(1) >= stored.getDimSize(1) && sharedLayoutOf(read) == sharedLayoutOf(stored))
      return store.getViaMutable().assign(ring.getRing());
  }
}

struct AssignRoles : impl::AssignRolesBase<AssignRoles> {
  void runOnOperation() override {
    func::FuncOp function = getOperation();
    if (!function->hasAttr("tile.atom"))
      return;
    auto number = [&](StringRef name) { return function->getAttrOfType<IntegerAttr>(name).getInt(); };
    if (failed(RingNumbering(function, number("tile.stages")).run()))
      return signalPassFailure();

    Block &body = function.getBody().front();
    ImplicitLocOpBuilder builder(function.getLoc(), &getContext());
    builder.setInsertionPoint(body.getTerminator());
    int64_t warps = number("tile.warps");
    RoleRegisters registers = warpgroupRegisters(warps);
    auto roles = RolesOp::create(builder, 4, registers.load, warps, registers.compute);
    Block *load = &roles.getLoad().emplaceBlock(), *compute = &roles.getCompute().emplaceBlock();
    for (Operation &op : llvm::make_early_inc_range(body))
      if (&op != roles && !isa<RingOp>(op) && &op != body.getTerminator())
        op.moveBefore(compute, compute->end());
    builder.setInsertionPointToEnd(load);
    if (failed(LoadRole(builder).copy(*compute)))
      return signalPassFailure();
    compute->walk([](FillOp fill) { fill.erase(); });
    if (!function->hasAttr("attn.lengths"))
      for (auto store : compute->getOps<StoreOp>())
        storeThroughRing(store);
  }
};

} // namespace
} // namespace attn
