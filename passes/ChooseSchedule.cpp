// SPDX-License-Identifier: Apache-2.0
// choose-schedule: completes schedule<...> for the target, and refuses what cannot be lowered or cannot run.
#include "passes/ChooseSchedule.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "passes/DecodeCost.h"
#include "passes/GatherColumns.h"
#include "passes/Passes.h"
#include "llvm/ADT/STLExtras.h"

using namespace mlir;

namespace attn {
#define GEN_PASS_DEF_CHOOSESCHEDULE
#include "passes/Passes.h.inc"

namespace {

constexpr StringLiteral prefill = "prefill", decode = "decode", streamK = "stream_k";

bool isStreamK(ScheduleAttr schedule) { return schedule && schedule.getName().getValue() == streamK; }

/// Checks what is written in schedule<...>, each number by itself and then whether they fit the target together.
class Chooser {
public:
  Chooser(KernelOp kernel, const KernelShape &shape, const Target &target)
      : kernel(kernel), schedule(kernel.getScheduleAttr()), shape(shape), target(target), given(tilesOf(schedule)) {}

  FailureOr<Choice> choose() {
    if (schedule)
      checkGiven();
    if (failedOnce)
      return failure();
    if (std::optional<Choice> choice = chooseTiles(shape, given, target)) {
      if (isStreamK(schedule))
        choosePrograms(target, *choice);
      else if (shape.decode && shape.walksTwice)
        choice->numSplits = 1;
      else if (shape.decode)
        chooseShares(shape, schedule ? schedule.getNumSplits() : 0, target, *choice);
      // What was chosen before stays.
      if (auto share = kernel->getAttrOfType<DenseI64ArrayAttr>("attn.share"))
        choice->leastKeys = share[0];
      return *choice;
    }
    refuseTooLarge();
    return failure();
  }

private:
  InFlightDiagnostic fail() {
    failedOnce = true;
    return kernel.emitOpError("expects ");
  }

  void checkGiven() {
    StringRef name = schedule.getName().getValue();
    if (!name.empty() && name != prefill && name != decode && name != streamK)
      fail() << "a schedule that exists (" << prefill << ", " << decode << ", " << streamK << "), got '" << name << "'";
    if (name == prefill && schedule.getNumSplits())
      fail() << "no num_splits: '" << prefill << "' does not split sequences, got " << schedule.getNumSplits();
    if (name == streamK && schedule.getNumSplits())
      fail() << "no num_splits: '" << streamK << "' shares the keys of all sequences among its programs, got "
             << schedule.getNumSplits();
    if (name == streamK && shape.walksTwice)
      fail() << "a schedule that walks keys twice (" << prefill << ", " << decode
             << "), for weights that must be known before they are changed, got '" << name << "'";
    if (schedule.getNumSplits() > TileLimits::maxSplits)
      fail() << "num_splits of at most " << TileLimits::maxSplits << ", got " << schedule.getNumSplits();
    checkNumbers();
  }

  void checkNumbers() {
    if (given.numWarps && !llvm::is_contained(TileLimits::numWarps, given.numWarps))
      fail() << "num_warps of 1, 2, 4, 8 or 12, got " << given.numWarps;
    if (given.numStages > TileLimits::maxStages)
      fail() << "num_stages of at most " << TileLimits::maxStages << ", got " << given.numStages;
    int64_t rows = TileLimits::rowsPerWarp * std::max<int64_t>(1, given.numWarps);
    if (given.blockQ % rows) {
      if (given.numWarps)
        fail() << "block_q to be a multiple of 16 x num_warps (" << rows << "), got " << given.blockQ;
      else
        fail() << "block_q to be a multiple of 16, got " << given.blockQ;
    }
    if (given.blockKv % TileLimits::blockKvStep)
      fail() << "block_kv to be a multiple of " << TileLimits::blockKvStep << ", got " << given.blockKv;
    if (given.blockQ > TileLimits::maxBlockQ)
      fail() << "block_q of at most " << TileLimits::maxBlockQ << ", got " << given.blockQ;
    if (given.blockKv > TileLimits::maxBlockKv)
      fail() << "block_kv of at most " << TileLimits::maxBlockKv << ", got " << given.blockKv;
  }

  /// Nothing with the given numbers fits: says by how much even the smallest does not.
  void refuseTooLarge() {
    Tiles tiles = smallestTiles(shape, given, target);
    Cost cost = costOf(shape, tiles, target);
    if (!fitsShared(cost, target))
      fail() << "tiles that fit shared memory: needs " << cost.sharedBytes << " bytes, " << target.chip << " has "
             << target.sharedPerProgram;
    if (!fitsRegisters(cost, target, /*withSpills=*/true))
      fail() << "tiles that fit registers: needs about " << cost.registers << " per thread, " << target.chip << " has "
             << target.registersPerThread;
    // Threads whose registers fit one by one may still be too many for a multiprocessor.
    if (!failedOnce)
      fail() << "tiles that fit a multiprocessor: needs about " << cost.registers * 32 * tiles.numWarps
             << " registers and " << cost.sharedBytes << " bytes of shared memory, " << target.chip << " has "
             << target.registersPerSm << " and " << target.sharedPerSm;
  }

  KernelOp kernel;
  ScheduleAttr schedule;
  const KernelShape &shape;
  const Target &target;
  Tiles given;
  bool failedOnce = false;
};

struct ChooseSchedule : impl::ChooseScheduleBase<ChooseSchedule> {
  void runOnOperation() override {
    FailureOr<Target> target = targetOf(getOperation());
    bool failedOnce = failed(target);
    // Faults of all kernels are reported, also beside a target that is faulty itself.
    for (auto kernel : getOperation().getOps<KernelOp>()) {
      FailureOr<KernelContent> content = contentOf(kernel);
      if (failed(content) || failed(target) || failed(complete(kernel, *content, *target)))
        failedOnce = true;
    }
    if (failedOnce)
      signalPassFailure();
  }

  static StringRef nameOf(KernelOp kernel, const KernelShape &shape) {
    return isStreamK(kernel.getScheduleAttr()) ? streamK : shape.decode ? decode : prefill;
  }

  /// Nothing where products are done when they return.
  static FailureOr<std::optional<Overlap>> chooseOverlap(KernelOp kernel, const KernelShape &shape, const Tiles &tiles,
                                                         const Target &target) {
    std::optional<Overlap> given;
    if (ScheduleAttr schedule = kernel.getScheduleAttr())
      given = schedule.getOverlap();
    if (shape.decode && given.value_or(Overlap::None) != Overlap::None)
      return kernel.emitOpError("expects overlap to be none: '")
             << nameOf(kernel, shape) << "' waits for keys, not for products, got " << stringifyOverlap(*given);
    if (servesWarpgroups(shape, tiles, target))
      return std::optional(given.value_or(Overlap::OutputBehind));
    if (given.value_or(Overlap::None) == Overlap::None)
      return std::optional<Overlap>();
    InFlightDiagnostic fault = kernel.emitOpError("expects overlap to be none: ")
                               << "products overlap on a target with wgmma and with block_q = 16 x num_warps, "
                               << "num_warps 4, 8 or 12, got " << stringifyOverlap(*given)
                               << " with block_q = " << tiles.blockQ << ", num_warps = " << tiles.numWarps;
    if (tiles.packed && tiles.blockQ % tiles.packed)
      fault << " and packed = " << tiles.packed << ", which does not divide it,";
    return fault << " on " << target.chip;
  }

  static LogicalResult complete(KernelOp kernel, const KernelContent &content, const Target &target) {
    if (!content.attention) {
      if (ScheduleAttr given = kernel.getScheduleAttr())
        return kernel.emitOpError("expects no schedule without attention: merges and appends have one each, got ")
               << given;
      return success();
    }
    KernelShape shape = shapeOf(*content.attention);
    FailureOr<Choice> choice = chooseSchedule(kernel, shape, target);
    if (failed(choice))
      return failure();
    const Tiles &tiles = choice->tiles;
    MLIRContext *context = kernel.getContext();
    FailureOr<std::optional<Overlap>> overlap = chooseOverlap(kernel, shape, tiles, target);
    if (failed(overlap))
      return failure();
    kernel.setScheduleAttr(ScheduleAttr::get(context, StringAttr::get(context, nameOf(kernel, shape)), tiles.blockQ,
                                             tiles.blockKv, tiles.numStages, tiles.numWarps, choice->numSplits,
                                             shape.group == 1 ? 0 : tiles.packed, *overlap));
    if (choice->programs)
      kernel->setAttr("attn.stream", DenseI64ArrayAttr::get(context, {choice->programs, tiles.blockKv}));
    if (choice->numSplits > 1) {
      int64_t least = llvm::alignTo(choice->leastKeys, tiles.blockKv);
      kernel->setAttr("attn.share", DenseI64ArrayAttr::get(context, {least, tiles.blockKv}));
    }
    return success();
  }
};

std::optional<int64_t> staticSize(RankedTensorType type, unsigned dimension) {
  int64_t size = type.getDimSize(dimension);
  return ShapedType::isDynamic(size) ? std::nullopt : std::optional(size);
}

/// What score functions do for each score: what depends on the score or on the key, calls included.
class ScoreWork {
public:
  explicit ScoreWork(ModuleOp module) : module(module) {}

  int64_t operations = 0;
  bool loads = false;

  void visit(func::FuncOp function) {
    SmallVector<bool> varies(function.getNumArguments(), false);
    varies[0] = varies[4] = true; // (score, b, h, q, kv, parameters...)
    visit(function, varies);
  }

private:
  /// Whether the result depends on arguments for which `varies` holds.
  bool visit(func::FuncOp function, ArrayRef<bool> varies) {
    llvm::DenseSet<Value> varying;
    for (auto [argument, doesVary] : llvm::zip(function.getArguments(), varies))
      if (doesVary)
        varying.insert(argument);
    auto varied = [&](Value value) { return varying.contains(value); };
    bool result = false;
    function.walk([&](Operation *op) {
      bool any = isa<ColumnOp>(op) || llvm::any_of(op->getOperands(), varied);
      if (isa<func::ReturnOp>(op)) {
        result = any;
        return;
      }
      if (auto call = dyn_cast<func::CallOp>(op)) {
        auto callee = module.lookupSymbol<func::FuncOp>(call.getCallee());
        any = callee && !callee.isExternal() && visit(callee, llvm::map_to_vector(call.getOperands(), varied));
      } else if (any) {
        ++operations;
        loads |= isa<tensor::ExtractOp>(op);
      }
      if (any)
        varying.insert(op->result_begin(), op->result_end());
    });
    return result;
  }

  ModuleOp module;
};

/// Whether a function, or one that it calls, asks a list.
bool asksLists(ModuleOp module, FlatSymbolRefAttr name) {
  auto function = module.lookupSymbol<func::FuncOp>(name.getValue());
  return function && function
                         .walk([&](Operation *op) {
                           auto call = dyn_cast<func::CallOp>(op);
                           bool asks = isa<MemberOp>(op) || (call && asksLists(module, call.getCalleeAttr()));
                           return asks ? WalkResult::interrupt() : WalkResult::advance();
                         })
                         .wasInterrupted();
}

/// As the schedule says; where it says nothing, by the rows that meet the keys of a head, if their number is known.
bool isDecode(ScheduleAttr schedule, const KernelShape &shape) {
  if (schedule && !schedule.getName().getValue().empty())
    return schedule.getName().getValue() == decode || isStreamK(schedule);
  if (schedule && schedule.getNumSplits())
    return true;
  return shape.seqQ && *shape.seqQ * shape.group <= mostDecodeRows;
}

} // namespace

KernelShape shapeOf(const Attention &attention) {
  KernelShape shape;
  shape.headDimQk = attention.query.getShape().back();
  shape.headDimV = attention.values.getShape().back();
  shape.masks = !attention.masks.empty();
  auto module = attention.scores->getParentOfType<ModuleOp>();
  shape.listed = llvm::any_of(attention.masks, [&](MaskOp mask) { return asksLists(module, mask.getByAttr()); });
  shape.walksTwice = attention.changesKnownWeights || !attention.output;
  ScoreWork work(module);
  SmallVector<FlatSymbolRefAttr> changes;
  for (ModifyOp modify : attention.modifies)
    changes.push_back(modify.getByAttr());
  for (ReweightOp reweight : attention.reweights)
    changes.push_back(reweight.getByAttr());
  for (FlatSymbolRefAttr name : changes)
    if (auto function = module.lookupSymbol<func::FuncOp>(name.getValue()); function && !function.isExternal())
      work.visit(function);
  shape.scoreOperations = work.operations;
  shape.loadsByKey = work.loads;
  ScoresOp scores = attention.scores;
  Value query = scores.getQuery(), keys = scores.getKeys();
  shape.heads = headsOf(attention.query);
  shape.group = shape.heads / headsOf(attention.keys);
  shape.gathers = !isStrided(query) || !isStrided(keys) || mayGatherColumns(attention);
  shape.listedPositions = hasListedPositions(keys);
  if (isStrided(query))
    shape.seqQ = staticSize(attention.query, 1);
  if (isStrided(keys))
    shape.seqKv = staticSize(attention.keys, 1);
  shape.decode = isDecode(scores->getParentOfType<KernelOp>().getScheduleAttr(), shape);
  return shape;
}

Tiles tilesOf(ScheduleAttr schedule) {
  if (!schedule)
    return {};
  return {schedule.getBlockQ(), schedule.getBlockKv(), schedule.getNumStages(), schedule.getNumWarps(),
          schedule.getPacked()};
}

FailureOr<Choice> chooseSchedule(KernelOp kernel, const KernelShape &shape, const Target &target) {
  return Chooser(kernel, shape, target).choose();
}

} // namespace attn
