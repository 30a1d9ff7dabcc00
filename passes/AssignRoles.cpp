// SPDX-License-Identifier: Apache-2.0
// assign-roles: a warpgroup of its own loads what the others compute with, through rings.
#include "passes/Passes.h"

#include "dialect/Target.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/PatternMatch.h"
#include "passes/CostModel.h"
#include "passes/LoopSteps.h"
#include "llvm/ADT/MapVector.h"
#include <set>

using namespace mlir;
using namespace attn::tile;

namespace attn {
#define GEN_PASS_DEF_ASSIGNROLES
#include "passes/Passes.h.inc"

namespace {

/// Gives every load of a product's operand a ring and a fill number, and writes fill, await and release in its place.
///
/// Fills of a ring are numbered from 0 in the order in which they are executed. In a loop with n of them directly in a
/// step of 1, the j-th is base + (t - first) * n + j, and behind the loop the count goes on with base + steps * n. Any
/// other loop with loads carries the numbers: so does the one over items of work, whose items differ in their tiles. A
/// branch hands on the number that its loads leave behind.
class RingNumbering {
public:
  RingNumbering(func::FuncOp function, int64_t stages)
      : function(function), stages(stages), builder(function.getLoc(), function.getContext()),
        rewriter(function.getContext()) {}

  void run() {
    function.walk([&](LoadOp load) {
      if (feedsProduct(load))
        ringOf(load);
    });
    number(function.getBody().front());
  }

private:
  using Ring = Value;
  using Key = std::pair<Value, Type>;

  Ring ringOf(LoadOp load) {
    Key key{load.getView(), load.getTile().getType()};
    Ring &ring = rings[key];
    if (ring)
      return ring;
    // What is loaded once, or once an item, has one buffer.
    bool inLoop = llvm::any_of(load.getView().getUsers(), [&](Operation *user) {
      auto loop = isa<LoadOp>(user) ? user->getParentOfType<scf::ForOp>() : scf::ForOp();
      return loop && !isOverItems(loop);
    });
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(&function.getBody().front());
    auto type =
        RingType::get(builder.getContext(), inLoop ? stages : 1, cast<RankedTensorType>(load.getTile().getType()));
    ring = RingOp::create(builder, type);
    next[ring] = arith::ConstantIndexOp::create(builder, 0);
    return ring;
  }

  void number(Block &block) {
    for (Operation &op : llvm::make_early_inc_range(block)) {
      builder.setLoc(op.getLoc());
      if (auto load = dyn_cast<LoadOp>(op); load && feedsProduct(load))
        replace(load);
      else if (auto loop = dyn_cast<scf::ForOp>(op))
        countsBySteps(loop) ? numberLoop(loop) : carryThroughLoop(loop);
      else if (auto branch = dyn_cast<scf::IfOp>(op))
        numberBranch(branch);
    }
  }

  /// Whether all loads of a loop stand directly in its body and its steps are counted by ones.
  static bool countsBySteps(scf::ForOp loop) {
    bool direct = matchPattern(loop.getStep(), m_One());
    loop.getBody()->walk([&](LoadOp load) { direct &= !feedsProduct(load) || load->getBlock() == loop.getBody(); });
    return direct;
  }

  /// Loads of each ring directly in a block.
  llvm::MapVector<Ring, int64_t> loadsIn(Block &block) {
    llvm::MapVector<Ring, int64_t> count;
    for (auto load : block.getOps<LoadOp>())
      if (feedsProduct(load))
        ++count[ringOf(load)];
    return count;
  }

  void numberLoop(scf::ForOp loop) {
    llvm::MapVector<Ring, int64_t> count = loadsIn(*loop.getBody());
    llvm::MapVector<Ring, Value> before = next;
    builder.setInsertionPointToStart(loop.getBody());
    for (auto [ring, loads] : count) {
      Value steps = arith::SubIOp::create(builder, loop.getInductionVar(), loop.getLowerBound());
      next[ring] = advance(before[ring], steps, loads);
    }
    number(*loop.getBody());
    builder.setInsertionPointAfter(loop);
    for (auto [ring, loads] : count) {
      Value steps = arith::SubIOp::create(builder, loop.getUpperBound(), loop.getLowerBound());
      steps = arith::MaxSIOp::create(builder, steps, arith::ConstantIndexOp::create(builder, 0));
      next[ring] = advance(before[ring], steps, loads);
    }
  }

  Value advance(Value base, Value steps, int64_t loads) {
    if (loads != 1)
      steps = arith::MulIOp::create(builder, steps, arith::ConstantIndexOp::create(builder, loads));
    return builder.createOrFold<arith::AddIOp>(builder.getLoc(), base, steps);
  }

  /// Rings that loads anywhere in an operation fill.
  SmallVector<Ring> ringsIn(Operation *op) {
    llvm::SetVector<Ring> found;
    op->walk([&](LoadOp load) {
      if (feedsProduct(load))
        found.insert(ringOf(load));
    });
    return found.takeVector();
  }

  SmallVector<Value> nextOf(ArrayRef<Ring> of) {
    return llvm::map_to_vector(of, [&](Ring ring) { return next[ring]; });
  }

  void setNext(ArrayRef<Ring> of, ValueRange values) {
    for (auto [ring, value] : llvm::zip(of, values))
      next[ring] = value;
  }

  void carryThroughLoop(scf::ForOp loop) {
    SmallVector<Ring> filled = ringsIn(loop);
    unsigned carried = loop.getNumRegionIterArgs();
    rewriter.setInsertionPoint(loop);
    loop = cast<scf::ForOp>(
        *loop.replaceWithAdditionalYields(rewriter, nextOf(filled), /*replaceInitOperandUsesInLoop=*/false,
                                          [](OpBuilder &, Location, ArrayRef<BlockArgument> numbers) {
                                            return SmallVector<Value>(numbers.begin(), numbers.end());
                                          }));
    setNext(filled, loop.getRegionIterArgs().drop_front(carried));
    number(*loop.getBody());
    loop.getBody()->getTerminator()->setOperands(carried, filled.size(), nextOf(filled));
    setNext(filled, loop.getResults().drop_front(carried));
  }

  void numberBranch(scf::IfOp branch) {
    SmallVector<Ring> filled = ringsIn(branch);
    if (filled.empty())
      return;
    SmallVector<Value> before = nextOf(filled);
    SmallVector<Type> types(branch.getResultTypes());
    types.append(filled.size(), builder.getIndexType());
    builder.setInsertionPoint(branch);
    auto numbered = scf::IfOp::create(builder, types, branch.getCondition(), /*withElse=*/true);
    for (auto [from, to] : llvm::zip(branch->getRegions(), numbered->getRegions())) {
      if (from.empty()) {
        builder.setInsertionPointToEnd(&to.front());
        scf::YieldOp::create(builder);
      } else {
        to.takeBody(from);
      }
      setNext(filled, before);
      number(to.front());
      Operation *end = to.front().getTerminator();
      end->insertOperands(end->getNumOperands(), nextOf(filled));
    }
    setNext(filled, numbered.getResults().take_back(filled.size()));
    branch.replaceAllUsesWith(numbered.getResults().drop_back(filled.size()));
    branch.erase();
  }

  void replace(LoadOp load) {
    Ring ring = ringOf(load);
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
    SmallVector<Operation *> uses = usesOf(load);
    release(ring, n, *load->getBlock(), load, uses);
    load.getTile().replaceAllUsesWith(await.getTile());
    load.erase();
  }

  /// Where a tile is read: in products, until the waits that end them.
  static SmallVector<Operation *> usesOf(LoadOp load) {
    SmallVector<Operation *> uses(load->getUsers());
    for (Operation *user : load->getUsers())
      if (auto start = dyn_cast<DotStartOp>(user))
        llvm::append_range(uses, start->getUsers());
    return uses;
  }

  /// Writes the release behind the last use in a block: where that is a branch, in both of its ways, so that what
  /// follows the use there does not hold the buffer. Without a use, in front of `begin`.
  void release(Ring ring, Value n, Block &block, Operation *begin, ArrayRef<Operation *> uses) {
    Operation *last = nullptr;
    for (Operation *use : uses)
      if (Operation *here = block.findAncestorOpInBlock(*use); here && (!last || last->isBeforeInBlock(here)))
        last = here;
    if (auto branch = dyn_cast_or_null<scf::IfOp>(last); branch && branch.elseBlock()) {
      for (Region &way : branch->getRegions())
        release(ring, n, way.front(), &way.front().front(), uses);
      return;
    }
    last ? builder.setInsertionPointAfter(last) : builder.setInsertionPoint(begin);
    ReleaseOp::create(builder, ring, n);
  }

  func::FuncOp function;
  int64_t stages;
  ImplicitLocOpBuilder builder;
  IRRewriter rewriter;
  llvm::MapVector<Key, Ring> rings;
  llvm::MapVector<Ring, Value> next; ///< number of the next fill of a ring
};

/// Copies out of a body what begins copies: fills, the loops and branches they stand in, and what these compute with.
class LoadRole {
public:
  explicit LoadRole(OpBuilder &builder) : builder(builder) {}

  LogicalResult copy(Block &from) {
    outermost = &from;
    WalkResult found = from.walk([&](FillOp fill) {
      asking = fill;
      bool known = llvm::all_of(fill->getOperands(), [&](Value operand) { return need(operand); });
      for (Operation *op = fill; known && op->getBlock() != &from;)
        known = keep(op = op->getParentOp());
      return known ? WalkResult::advance() : WalkResult::interrupt();
    });
    if (found.wasInterrupted())
      return asking.emitOpError("expects a row that can be known without computing tiles");
    copyBlock(from);
    return success();
  }

private:
  /// What is copied of a loop or branch: its body, as far as that is needed, and these of the values it hands on.
  using HandedOn = std::set<unsigned>;

  /// Whether a value can be had without tiles; notes what is copied for it.
  bool need(Value value) {
    if (auto argument = dyn_cast<BlockArgument>(value)) {
      auto loop = dyn_cast<scf::ForOp>(argument.getOwner()->getParentOp());
      return !loop || argument == loop.getInductionVar() || needHandedOn(loop, argument.getArgNumber() - 1);
    }
    Operation *op = value.getDefiningOp();
    if (!outermost->getParent()->isAncestor(op->getParentRegion()))
      return true;
    if (isa<scf::ForOp, scf::IfOp>(op))
      return needHandedOn(op, cast<OpResult>(value).getResultNumber());
    auto isScalar = [](Type type) {
      return type.isIntOrIndex() || isa<ViewType, MemRefType, RingType, ListType>(type);
    };
    if (!llvm::all_of(op->getOperandTypes(), isScalar) || !llvm::all_of(op->getResultTypes(), isScalar))
      return false;
    return !needed.insert(op).second || llvm::all_of(op->getOperands(), [&](Value operand) { return need(operand); });
  }

  /// The value that a loop or branch hands on in place `i`, to its next step and behind it.
  bool needHandedOn(Operation *op, unsigned i) {
    if (!op->getResult(i).getType().isIntOrIndex())
      return false;
    if (!keep(op) || !kept[op].insert(i).second)
      return kept.contains(op);
    if (auto loop = dyn_cast<scf::ForOp>(op))
      return need(loop.getInitArgs()[i]) && need(loop.getYieldedValues()[i]);
    auto branch = cast<scf::IfOp>(op);
    return need(branch.thenYield().getOperand(i)) && need(branch.elseYield().getOperand(i));
  }

  /// A loop or branch is copied: so are its bounds or its condition.
  bool keep(Operation *op) {
    if (!kept.try_emplace(op).second)
      return true;
    if (isa<scf::IfOp>(op))
      return need(op->getOperand(0));
    auto loop = cast<scf::ForOp>(op);
    return need(loop.getLowerBound()) && need(loop.getUpperBound()) && need(loop.getStep());
  }

  void copyBlock(Block &from) {
    for (Operation &op : from) {
      if (needed.contains(&op) || isa<FillOp>(op))
        builder.clone(op, mapping);
      else if (auto loop = dyn_cast<scf::ForOp>(op); loop && kept.contains(&op))
        copyLoop(loop);
      else if (auto branch = dyn_cast<scf::IfOp>(op); branch && kept.contains(&op))
        copyBranch(branch);
    }
  }

  Value copied(Value value) { return mapping.lookupOrDefault(value); }

  /// Those of the values that are handed on.
  template <typename Values> SmallVector<Value> chosen(Values &&values, const HandedOn &which) {
    return llvm::map_to_vector(which, [&](unsigned i) -> Value { return copied(values[i]); });
  }

  void copyLoop(scf::ForOp loop) {
    const HandedOn &which = kept[loop];
    auto copy = scf::ForOp::create(builder, loop.getLoc(), copied(loop.getLowerBound()), copied(loop.getUpperBound()),
                                   copied(loop.getStep()), chosen(loop.getInitArgs(), which));
    mapping.map(loop.getInductionVar(), copy.getInductionVar());
    for (auto [i, place] : llvm::enumerate(which)) {
      mapping.map(loop.getRegionIterArg(place), copy.getRegionIterArg(i));
      mapping.map(loop.getResult(place), copy.getResult(i));
    }
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(copy.getBody());
    copyBlock(*loop.getBody());
    if (!which.empty())
      scf::YieldOp::create(builder, loop.getLoc(), chosen(loop.getYieldedValues(), which));
  }

  void copyBranch(scf::IfOp branch) {
    const HandedOn &which = kept[branch];
    SmallVector<Type> types(which.size(), builder.getIndexType());
    for (auto [type, place] : llvm::zip(types, which))
      type = branch.getResult(place).getType();
    auto fills = [](Operation &op) { return op.walk([](FillOp) { return WalkResult::interrupt(); }).wasInterrupted(); };
    bool otherwise = !which.empty() || (branch.elseBlock() && llvm::any_of(*branch.elseBlock(), fills));
    auto copy = scf::IfOp::create(builder, branch.getLoc(), types, copied(branch.getCondition()), otherwise);
    for (auto [i, place] : llvm::enumerate(which))
      mapping.map(branch.getResult(place), copy.getResult(i));
    OpBuilder::InsertionGuard guard(builder);
    for (auto [from, to] : llvm::zip(branch->getRegions(), copy->getRegions())) {
      if (to.empty())
        continue;
      builder.setInsertionPointToStart(&to.front());
      copyBlock(from.front());
      if (!which.empty())
        scf::YieldOp::create(builder, branch.getLoc(), chosen(from.front().getTerminator()->getOperands(), which));
    }
  }

  OpBuilder &builder;
  IRMapping mapping;
  Block *outermost = nullptr;
  FillOp asking; ///< whose operands are looked at
  llvm::SmallPtrSet<Operation *, 32> needed;
  llvm::DenseMap<Operation *, HandedOn> kept;
};

/// Results leave through shared memory, from where one copy writes the rows of a warpgroup.
class ResultStores {
public:
  ResultStores(func::FuncOp function, std::optional<int64_t> sharedBytes)
      : function(function), sharedBytes(sharedBytes) {}

  /// A result of 16 bits gets a buffer of its own if there is room for it: the next item's copies then need not wait
  /// for the store. Otherwise it goes through the buffer of the queries, if it lies there in the same rows of bytes:
  /// each warpgroup overwrites what it alone has read. They are released behind the store.
  void route(StoreOp store) {
    auto tile = cast<RankedTensorType>(store.getTile().getType());
    Type element = store.getView().getType().getElement();
    auto view = store.getView().getDefiningOp<ViewOp>();
    if (tile.getRank() != 2 || element.getIntOrFloatBitWidth() != 16 || !view || !view.isStrided() ||
        64 % view.getPacked())
      return;
    auto stored = RankedTensorType::get(tile.getShape(), element);
    if (!sharedBytes || usedBytes() + sharedBytesOf(stored) <= *sharedBytes) {
      OpBuilder builder = OpBuilder::atBlockBegin(&function.getBody().front());
      auto own = RingOp::create(builder, store.getLoc(), RingType::get(function.getContext(), 1, stored));
      return store.getViaMutable().assign(own);
    }
    for (auto ring : function.getBody().front().getOps<RingOp>()) {
      RankedTensorType read = ring.getRing().getType().getTile();
      if (ring.getRing().getType().getStages() == 1 && read.getDimSize(0) == stored.getDimSize(0) &&
          read.getDimSize(1) >= stored.getDimSize(1) && sharedLayoutOf(read) == sharedLayoutOf(stored) &&
          passThrough(store, ring))
        return;
    }
  }

private:
  /// Lets a store use the buffer of what is loaded once an item, and moves the release behind it.
  static bool passThrough(StoreOp store, Value ring) {
    SmallVector<ReleaseOp> releases;
    for (Operation *user : ring.getUsers()) {
      if (auto await = dyn_cast<AwaitOp>(user); await && await->getBlock() != store->getBlock())
        return false;
      if (auto release = dyn_cast<ReleaseOp>(user))
        releases.push_back(release);
    }
    if (releases.empty())
      return false;
    OpBuilder builder(store->getContext());
    builder.setInsertionPointAfter(store);
    ReleaseOp::create(builder, store.getLoc(), ring, releases.front().getNumber());
    for (ReleaseOp release : releases)
      release.erase();
    store.getViaMutable().assign(ring);
    return true;
  }

  /// Buffers of all rings, each at a multiple of what swizzles repeat after, and two barriers for each; lists of tiles.
  int64_t usedBytes() {
    int64_t bytes = 0;
    for (auto ring : function.getBody().front().getOps<RingOp>()) {
      RingType type = ring.getRing().getType();
      bytes += llvm::alignTo(type.getStages() * sharedBytesOf(type.getTile()), 1024) + type.getStages() * 16;
    }
    for (auto list : function.getBody().front().getOps<CollectOp>())
      bytes += sharedBytesOfList(list.getMost());
    return bytes;
  }

  func::FuncOp function;
  std::optional<int64_t> sharedBytes;
};

/// Makes lists of tiles in front of the roles: all warps have a part in that. What they are made of is computed there
/// again.
void moveListsBefore(RolesOp roles) {
  OpBuilder builder(roles);
  IRMapping mapping;
  std::function<void(Operation *)> copy = [&](Operation *op) {
    if (!op || !roles->isProperAncestor(op) || mapping.contains(op))
      return;
    op->walk([&](Operation *inner) {
      for (Value operand : inner->getOperands())
        if (Operation *maker = operand.getDefiningOp(); maker && !op->isAncestor(maker))
          copy(maker);
    });
    builder.clone(*op, mapping);
  };
  SmallVector<CollectOp> lists;
  roles.walk([&](CollectOp list) { lists.push_back(list); });
  for (CollectOp list : lists) {
    copy(list);
    list.getList().replaceAllUsesWith(mapping.lookup(list.getList()));
    list.erase();
  }
}

struct AssignRoles : impl::AssignRolesBase<AssignRoles> {
  void runOnOperation() override {
    func::FuncOp function = getOperation();
    if (!function->hasAttr("tile.atom"))
      return;
    auto number = [&](StringRef name) { return function->getAttrOfType<IntegerAttr>(name).getInt(); };
    std::optional<int64_t> sharedBytes;
    if (function->getParentOfType<ModuleOp>()->hasAttr(targetAttrName)) {
      FailureOr<Target> target = targetOf(function);
      if (failed(target))
        return signalPassFailure();
      sharedBytes = target->sharedPerProgram;
    }
    RingNumbering(function, number("tile.stages")).run();

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
    moveListsBefore(roles);
    builder.setInsertionPointToEnd(load);
    if (failed(LoadRole(builder).copy(*compute)))
      return signalPassFailure();
    compute->walk([](FillOp fill) { fill.erase(); });
    compute->walk([&](StoreOp store) { ResultStores(function, sharedBytes).route(store); });
  }
};

} // namespace
} // namespace attn
