// SPDX-License-Identifier: Apache-2.0
// overlap-products: the loop is rotated, so that one matrix product runs beside the softmax of another tile.
#include "passes/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "passes/LoopSteps.h"

using namespace mlir;
using namespace attn::tile;

namespace attn {
#define GEN_PASS_DEF_OVERLAPPRODUCTS
#include "passes/Passes.h.inc"

namespace {

Value start(ImplicitLocOpBuilder &builder, DotOp dot, Value lhs, Value rhs, Value acc) {
  auto type = PendingType::get(builder.getContext(), cast<RankedTensorType>(dot.getResult().getType()));
  return DotStartOp::create(builder, type, lhs, rhs, acc, dot.getTransBAttr()).getResult();
}

Value wait(ImplicitLocOpBuilder &builder, Value product, int64_t leaving) {
  Type type = cast<PendingType>(product.getType()).getTile();
  return DotWaitOp::create(builder, type, product, leaving).getResult();
}

/// The loop of a schedule taken apart: two products, and what stands between them.
///
/// A step computes scores S(t), their softmax P(t), and acc(t) = acc(t-1) * alpha(t) + P(t) V(t).
class Rotation {
public:
  explicit Rotation(scf::ForOp loop) : loop(loop), builder(loop.getLoc(), loop.getContext()) {}
  virtual ~Rotation() = default;

  LogicalResult run() {
    if (failed(findProducts()))
      return failure();
    builder.setInsertionPoint(loop);
    Value first = loop.getLowerBound(), end = loop.getUpperBound();
    Value any = arith::CmpIOp::create(builder, arith::CmpIPredicate::slt, first, end);
    auto guarded = scf::IfOp::create(builder, loop.getResultTypes(), any, /*withElse=*/true);
    builder.setInsertionPointToStart(guarded.elseBlock());
    scf::YieldOp::create(builder, loop.getInitArgs());
    builder.setInsertionPointToStart(guarded.thenBlock());
    scf::YieldOp::create(builder, emitSteps(first, end));
    loop.replaceAllUsesWith(guarded.getResults());
    loop.erase();
    return success();
  }

protected:
  /// All steps from `first` on, of which there is one at least; returns what the loop does.
  virtual SmallVector<Value> emitSteps(Value first, Value end) = 0;

  Location loc() { return builder.getLoc(); }
  Value one() { return arith::ConstantIndexOp::create(builder, 1); }

  /// The output product accumulates into what the loop carries, and its sum is what the loop carries on; the other one
  /// depends on nothing that is carried.
  LogicalResult findProducts() {
    for (auto dot : loop.getBody()->getOps<DotOp>()) {
      bool carriedOn = dot.getAcc() && llvm::is_contained(loop.getYieldedValues(), dot.getResult());
      DotOp &place = carriedOn ? output : scores;
      if (place)
        return dot.emitOpError("expects one product of scores and one into a carried output in a loop whose products "
                               "overlap")
                   .attachNote(place.getLoc())
               << "the other product of its kind";
      place = dot;
    }
    if (!scores || !output)
      return loop.emitOpError("expects two products in a loop whose products overlap");
    accIndex = std::distance(loop.getYieldedValues().begin(), llvm::find(loop.getYieldedValues(), output.getResult()));
    return success();
  }

  /// Whether an operation is the product or serves only to load its right operand: it moves with it.
  bool onlyFor(DotOp product, Operation *op) {
    if (op == product)
      return true;
    if (!(isMemoryEffectFree(op) || isa<LoadOp>(op)) || op->use_empty())
      return false;
    return llvm::all_of(op->getUsers(), [&](Operation *user) {
      if (user == product)
        return op->getResult(0) == product.getRhs();
      return user->getBlock() == loop.getBody() && !isa<scf::YieldOp>(user) && onlyFor(product, user);
    });
  }

  static void dropClause(MaskOp mask) {
    mask.getNumberMutable().clear();
    mask.getFreeFromMutable().clear();
    mask.getFreeToMutable().clear();
    mask.getListMutable().clear();
  }

  scf::ForOp loop;
  ImplicitLocOpBuilder builder;
  DotOp scores, output;
  unsigned accIndex = 0;
};

/// `output_behind` moves the output product one step on: a step begins S(t) and P(t-1) V(t-1), and does its softmax
/// while the second of them runs. What the loop carries as acc is then already multiplied by alpha, and P is carried
/// with it.
class OutputBehind : public Rotation {
public:
  using Rotation::Rotation;

private:
  SmallVector<Value> emitSteps(Value first, Value end) override {
    for (Operation &op : loop.getBody()->without_terminator())
      if (dependsOn(&op, loop.getRegionIterArg(accIndex)))
        afterOutput.insert(&op);
    SmallVector<Value> carried = emitFirst(first);
    carried = emitLoop(first, end, carried);
    Value last = builder.createOrFold<arith::SubIOp>(loc(), end, one());
    Value values = cloneForStep(builder, loop, output.getRhs(), last);
    Value product = start(builder, output, carried.back(), values, carried[accIndex]);
    carried[accIndex] = wait(builder, product, 0);
    carried.pop_back();
    return carried;
  }

  bool dependsOn(Operation *op, Value value) {
    return llvm::any_of(op->getOperands(), [&](Value operand) {
      Operation *def = operand.getDefiningOp();
      return operand == value || (def && afterOutput.contains(def));
    });
  }

  /// What makes the left operand of the output product of the softmax's result.
  Operation *conversion() { return output.getLhs().getDefiningOp<arith::TruncFOp>(); }

  static bool isZero(Value value) { return matchPattern(value, m_AnyZeroFloat()); }

  void cloneOp(Operation &op, IRMapping &mapping) {
    // Before the first step nothing is summed up: nothing becomes smaller.
    if (auto product = dyn_cast<arith::MulFOp>(op))
      for (Value operand : op.getOperands())
        if (Value mapped = mapping.lookupOrDefault(operand); isZero(mapped) && isCarried(operand))
          return mapping.map(product.getResult(), mapped);
    builder.clone(op, mapping);
  }

  bool isCarried(Value value) {
    auto argument = dyn_cast<BlockArgument>(value);
    return argument && argument.getOwner() == loop.getBody();
  }

  /// The first tile: scores and weights, with all masks: right whatever kind of tile it is.
  SmallVector<Value> emitFirst(Value first) {
    IRMapping mapping;
    mapping.map(loop.getInductionVar(), first);
    mapping.map(loop.getRegionIterArgs(), loop.getInitArgs());
    for (Operation &op : loop.getBody()->without_terminator()) {
      if (onlyFor(output, &op))
        continue;
      if (&op == scores) {
        Value product = start(builder, scores, mapping.lookupOrDefault(scores.getLhs()),
                              mapping.lookupOrDefault(scores.getRhs()), Value());
        mapping.map(scores.getResult(), wait(builder, product, 0));
        continue;
      }
      cloneOp(op, mapping);
      if (auto mask = dyn_cast<MaskOp>(op))
        dropClause(cast<MaskOp>(mapping.lookup(mask.getResult()).getDefiningOp()));
    }
    return carriedOn(mapping);
  }

  /// What a step hands on: its results, with the rescaled output in place of the product's sum, and the weights.
  SmallVector<Value> carriedOn(IRMapping &mapping) {
    SmallVector<Value> values;
    for (Value value : loop.getYieldedValues())
      values.push_back(value == output.getResult() ? mapping.lookupOrDefault(output.getAcc())
                                                   : mapping.lookupOrDefault(value));
    values.push_back(mapping.lookupOrDefault(output.getLhs()));
    return values;
  }

  SmallVector<Value> emitLoop(Value first, Value end, ArrayRef<Value> inits) {
    Value second = builder.createOrFold<arith::AddIOp>(loc(), first, one());
    SmallVector<std::pair<Value, Value>> clauses = clausesFrom(second);
    auto rotated = scf::ForOp::create(builder, second, end, loop.getStep(), inits);
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(rotated.getBody());
    IRMapping mapping;
    mapping.map(loop.getInductionVar(), rotated.getInductionVar());
    mapping.map(loop.getRegionIterArgs(), rotated.getRegionIterArgs().drop_back());
    Value weights = rotated.getRegionIterArgs().back();
    Value outputSum;
    auto clauseOf = clauses.begin();
    for (Operation &op : loop.getBody()->without_terminator()) {
      if (onlyFor(output, &op) || afterOutput.contains(&op) || &op == conversion())
        continue;
      if (&op == scores) {
        outputSum = emitProducts(rotated, mapping, weights);
        continue;
      }
      Operation *clone = builder.clone(op, mapping);
      if (auto mask = dyn_cast<MaskOp>(clone); mask && mask.getFreeFrom()) {
        mask.getFreeFromMutable().assign(clauseOf->first);
        mask.getFreeToMutable().assign(clauseOf++->second);
      }
    }
    mapping.map(loop.getRegionIterArg(accIndex), wait(builder, outputSum, 0));
    // The running product reads the last weights; the assembler gives the new ones the same registers.
    if (conversion())
      builder.clone(*conversion(), mapping);
    for (Operation &op : loop.getBody()->without_terminator())
      if (afterOutput.contains(&op) && &op != output)
        builder.clone(op, mapping);
    SmallVector<Value> yielded = carriedOn(mapping);
    scf::YieldOp::create(builder, yielded);
    return llvm::to_vector(ValueRange(rotated.getResults()));
  }

  /// Begins both products of a step, waits for the scores, and returns the output product.
  Value emitProducts(scf::ForOp rotated, IRMapping &mapping, Value weights) {
    Value product = start(builder, scores, mapping.lookupOrDefault(scores.getLhs()),
                          mapping.lookupOrDefault(scores.getRhs()), Value());
    Value before = arith::SubIOp::create(builder, rotated.getInductionVar(), one());
    Value values = cloneForStep(builder, loop, output.getRhs(), before);
    Value sum = start(builder, output, weights, values, rotated.getRegionIterArg(accIndex));
    mapping.map(scores.getResult(), wait(builder, product, 1));
    return sum;
  }

  /// The clauses of the masks, none of which begins before the loop does.
  SmallVector<std::pair<Value, Value>> clausesFrom(Value second) {
    SmallVector<std::pair<Value, Value>> clauses;
    for (auto mask : loop.getBody()->getOps<MaskOp>())
      if (mask.getFreeFrom()) {
        Value from = builder.createOrFold<arith::MaxSIOp>(loc(), mask.getFreeFrom(), second);
        Value to = builder.createOrFold<arith::MaxSIOp>(loc(), mask.getFreeTo(), second);
        clauses.emplace_back(from, to);
      }
    return clauses;
  }

  llvm::SmallPtrSet<Operation *, 8> afterOutput; ///< what depends on the carried output, the product included
};

/// `scores_ahead` moves the score product one step back: a step does the softmax of scores that are there, then begins
/// P(t) V(t) and behind it S(t+1). Only scores are carried in addition; what runs beside the products of a warpgroup is
/// the softmax of another. The last step stands behind the loop, because there are no scores to begin in it.
class ScoresAhead : public Rotation {
public:
  using Rotation::Rotation;

private:
  SmallVector<Value> emitSteps(Value first, Value end) override {
    SmallVector<Value> carried(loop.getInitArgs());
    carried.push_back(wait(builder, startScores(first), 0));
    Value last = builder.createOrFold<arith::SubIOp>(loc(), end, one());
    carried = emitLoop(first, last, carried);
    IRMapping mapping;
    mapping.map(loop.getInductionVar(), last);
    for (MaskOp mask : emitSoftmax(mapping, carried))
      dropClause(mask);
    mapping.map(output.getResult(), wait(builder, startOutput(mapping, last), 0));
    return yielded(mapping);
  }

  SmallVector<Value> emitLoop(Value first, Value last, ValueRange inits) {
    llvm::DenseMap<Value, Value> bounds = clausesUpTo(first, last);
    auto rotated = scf::ForOp::create(builder, first, last, loop.getStep(), inits);
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(rotated.getBody());
    Value number = rotated.getInductionVar();
    IRMapping mapping;
    mapping.map(loop.getInductionVar(), number);
    for (MaskOp mask : emitSoftmax(mapping, rotated.getRegionIterArgs()))
      if (mask.getFreeFrom()) {
        mask.getFreeFromMutable().assign(bounds.lookup(mask.getFreeFrom()));
        mask.getFreeToMutable().assign(bounds.lookup(mask.getFreeTo()));
      }
    Value outputSum = startOutput(mapping, number);
    Value nextScores = startScores(arith::AddIOp::create(builder, number, one()));
    // The values' buffer is free when the first of the two is done.
    mapping.map(output.getResult(), wait(builder, outputSum, 1));
    SmallVector<Value> results = yielded(mapping);
    results.push_back(wait(builder, nextScores, 0));
    scf::YieldOp::create(builder, results);
    return llvm::to_vector(ValueRange(rotated.getResults()));
  }

  Value startScores(Value number) {
    return start(builder, scores, scores.getLhs(), cloneForStep(builder, loop, scores.getRhs(), number), Value());
  }

  Value startOutput(IRMapping &mapping, Value number) {
    Value values = cloneForStep(builder, loop, output.getRhs(), number);
    return start(builder, output, mapping.lookupOrDefault(output.getLhs()), values,
                 mapping.lookupOrDefault(output.getAcc()));
  }

  /// What a step does besides its products, from what the step before carried on, the scores last. Returns its masks.
  SmallVector<MaskOp> emitSoftmax(IRMapping &mapping, ValueRange carried) {
    mapping.map(loop.getRegionIterArgs(), carried.drop_back());
    mapping.map(scores.getResult(), carried.back());
    SmallVector<MaskOp> masks;
    for (Operation &op : loop.getBody()->without_terminator())
      if (!onlyFor(output, &op) && !onlyFor(scores, &op))
        if (auto mask = dyn_cast<MaskOp>(builder.clone(op, mapping)))
          masks.push_back(mask);
    return masks;
  }

  SmallVector<Value> yielded(IRMapping &mapping) {
    return llvm::map_to_vector(loop.getYieldedValues(), [&](Value value) { return mapping.lookupOrDefault(value); });
  }

  /// The bounds of the masks' clauses, none of which lies behind the end of the loop. One that is an end of the loop
  /// stays it, so that it does not cut off a part without tiles.
  llvm::DenseMap<Value, Value> clausesUpTo(Value first, Value last) {
    llvm::DenseMap<Value, Value> bounds;
    for (auto mask : loop.getBody()->getOps<MaskOp>())
      if (mask.getFreeFrom())
        for (Value bound : {mask.getFreeFrom(), mask.getFreeTo()})
          if (Value &within = bounds[bound]; !within)
            within = isSame(bound, first)                  ? first
                     : isSame(bound, loop.getUpperBound()) ? last
                                                           : builder.createOrFold<arith::MinSIOp>(loc(), bound, last);
    return bounds;
  }

  static bool isSame(Value a, Value b) {
    APInt x, y;
    return a == b || (matchPattern(a, m_ConstantInt(&x)) && matchPattern(b, m_ConstantInt(&y)) && x == y);
  }
};

/// What the rotation left without users.
void eraseDead(Operation *root) {
  bool changed = true;
  while (changed) {
    changed = false;
    root->walk([&](Operation *op) {
      if (op != root && isOpTriviallyDead(op)) {
        op->erase();
        changed = true;
      }
    });
  }
}

struct OverlapProducts : impl::OverlapProductsBase<OverlapProducts> {
  void runOnOperation() override {
    func::FuncOp function = getOperation();
    auto order = function->getAttrOfType<StringAttr>("tile.overlap");
    if (!order || order.getValue() == "none")
      return;
    // Loops around others have no products of their own.
    SmallVector<scf::ForOp> loops;
    function.walk([&](scf::ForOp loop) {
      if (!loop.getBody()->getOps<DotOp>().empty())
        loops.push_back(loop);
    });
    for (scf::ForOp loop : loops) {
      LogicalResult rotated = order.getValue() == "scores_ahead" ? ScoresAhead(loop).run() : OutputBehind(loop).run();
      if (failed(rotated))
        return signalPassFailure();
    }
    eraseDead(function);
  }
};

} // namespace
} // namespace attn
