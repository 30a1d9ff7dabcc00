// SPDX-License-Identifier: Apache-2.0
// check-rings: runs both roles of a kernel on small sizes, events of rings only, and reports what does not fit.
#include "passes/Passes.h"

#include "dialect/Tile.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace attn::tile;

namespace attn {
#define GEN_PASS_DEF_CHECKRINGS
#include "passes/Passes.h.inc"

namespace {

/// What a role does to a ring.
struct Event {
  enum Kind { Fill, Await, Release } kind;
  Value ring;
  int64_t number;
  Operation *op;
};

/// Evaluates the index arithmetic of a role and lists its events. Sizes of arguments, numbers of programs and numbers
/// in memory are taken from a sequence that the seed determines, the same for both roles.
class RoleRun {
public:
  explicit RoleRun(uint64_t seed) : seed(seed) {}

  std::vector<Event> run(Region &role) {
    if (!role.empty())
      runBlock(role.front());
    return std::move(events);
  }

private:
  /// A number from 0 to 700 for a thing that has no value here: some tiles, and no multiple of one.
  int64_t invent(uint64_t key) const {
    uint64_t z = (seed + 1) * 0x9e3779b97f4a7c15u + key * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 29)) * 0x94d049bb133111ebu;
    return static_cast<int64_t>((z ^ (z >> 32)) % 701);
  }

  int64_t value(Value of) {
    if (auto found = values.find(of); found != values.end())
      return found->second;
    APInt constant;
    if (matchPattern(of, m_ConstantInt(&constant)))
      return constant.getSExtValue();
    // An argument is the same number in both roles, and in every run of the compiler.
    auto argument = dyn_cast<BlockArgument>(of);
    return invent(argument ? 3000 + argument.getArgNumber() : 4000);
  }

  void runBlock(Block &block) {
    for (Operation &op : block.without_terminator())
      TypeSwitch<Operation *>(&op)
          .Case<FillOp>([&](FillOp fill) {
            events.push_back({Event::Fill, fill.getRing(), value(fill.getNumber()), fill});
          })
          .Case<AwaitOp>([&](AwaitOp await) {
            events.push_back({Event::Await, await.getRing(), value(await.getNumber()), await});
          })
          .Case<ReleaseOp>([&](ReleaseOp release) {
            events.push_back({Event::Release, release.getRing(), value(release.getNumber()), release});
          })
          .Case<scf::ForOp>([&](scf::ForOp loop) { runLoop(loop); })
          .Case<scf::IfOp>([&](scf::IfOp branch) {
            Region &taken = value(branch.getCondition()) ? branch.getThenRegion() : branch.getElseRegion();
            if (taken.empty())
              return;
            runBlock(taken.front());
            bind(branch.getResults(), taken.front().getTerminator()->getOperands());
          })
          .Default([&](Operation *scalar) { evaluate(scalar); });
  }

  void runLoop(scf::ForOp loop) {
    int64_t step = std::max<int64_t>(1, value(loop.getStep()));
    bind(loop.getRegionIterArgs(), loop.getInitArgs());
    for (int64_t t = value(loop.getLowerBound()); t < value(loop.getUpperBound()); t += step) {
      values[loop.getInductionVar()] = t;
      runBlock(*loop.getBody());
      bind(loop.getRegionIterArgs(), loop.getYieldedValues());
    }
    bind(loop.getResults(), loop.getRegionIterArgs());
  }

  /// Gives numbers on, all at once; tiles have no value here.
  void bind(ValueRange to, ValueRange from) {
    SmallVector<std::pair<Value, int64_t>> numbers;
    for (auto [target, source] : llvm::zip(to, from))
      if (target.getType().isIntOrIndex())
        numbers.emplace_back(target, value(source));
    for (auto [target, number] : numbers)
      values[target] = number;
  }

  void evaluate(Operation *op) {
    if (auto dim = dyn_cast<memref::DimOp>(op)) {
      // The same dimension of the same argument is the same size, wherever it is asked for.
      auto argument = cast<BlockArgument>(dim.getSource());
      values[dim.getResult()] = invent(argument.getArgNumber() * 8 + dim.getConstantIndex().value_or(0));
      return;
    }
    if (auto program = dyn_cast<ProgramOp>(op)) {
      for (auto [i, extent] : llvm::enumerate(program.getExtents()))
        values[program.getIds()[i]] = invent(1000 + i) % std::max<int64_t>(1, value(extent));
      return;
    }
    if (auto worker = dyn_cast<WorkerOp>(op)) {
      // Up to four items each, so that numbers have to go on from one to the next.
      int64_t count = std::max<int64_t>(1, value(worker.getItems()) / (1 + int64_t(seed % 4)));
      values[worker.getCount()] = count;
      values[worker.getNumber()] = invent(1000) % count;
      return;
    }
    if (auto extent = dyn_cast<ExtentOp>(op)) {
      if (auto view = extent.getView().getDefiningOp<ViewOp>())
        values[extent.getLength()] = value(view.getLength());
      return;
    }
    if (auto count = dyn_cast<CountOp>(op)) {
      values[count.getCount()] = invent(5000) % 8;
      return;
    }
    if (auto load = dyn_cast<memref::LoadOp>(op)) {
      values[load.getResult()] = invent(2000 + cast<BlockArgument>(load.getMemref()).getArgNumber());
      return;
    }
    if (op->getNumResults() == 1 && op->getResult(0).getType().isIntOrIndex())
      if (std::optional<int64_t> result = arithmetic(op))
        values[op->getResult(0)] = *result;
  }

  std::optional<int64_t> arithmetic(Operation *op) {
    auto a = [&] { return value(op->getOperand(0)); };
    auto b = [&] { return value(op->getOperand(1)); };
    auto divisor = [&] { return std::max<int64_t>(1, b()); };
    return TypeSwitch<Operation *, std::optional<int64_t>>(op)
        .Case<arith::AddIOp>([&](auto) { return a() + b(); })
        .Case<arith::SubIOp>([&](auto) { return a() - b(); })
        .Case<arith::MulIOp>([&](auto) { return a() * b(); })
        .Case<arith::MinSIOp, arith::MinUIOp>([&](auto) { return std::min(a(), b()); })
        .Case<arith::MaxSIOp, arith::MaxUIOp>([&](auto) { return std::max(a(), b()); })
        .Case<arith::DivUIOp, arith::DivSIOp>([&](auto) { return a() / divisor(); })
        .Case<arith::RemUIOp, arith::RemSIOp>([&](auto) { return a() % divisor(); })
        .Case<arith::FloorDivSIOp>([&](auto) { return llvm::divideFloorSigned(a(), divisor()); })
        .Case<arith::CeilDivSIOp, arith::CeilDivUIOp>([&](auto) { return llvm::divideCeilSigned(a(), divisor()); })
        .Case<arith::IndexCastOp, arith::ExtSIOp, arith::TruncIOp>([&](auto) { return a(); })
        .Case<arith::SelectOp>([&](auto) { return a() ? b() : value(op->getOperand(2)); })
        .Case<arith::AndIOp>([&](auto) { return a() & b(); })
        .Case<arith::OrIOp>([&](auto) { return a() | b(); })
        .Case<arith::XOrIOp>([&](auto) { return a() ^ b(); })
        .Case<arith::CmpIOp>([&](arith::CmpIOp compare) {
          return int64_t(arith::applyCmpPredicate(compare.getPredicate(), APInt(64, a(), true), APInt(64, b(), true)));
        })
        .Default([](Operation *) { return std::nullopt; });
  }

  uint64_t seed;
  llvm::DenseMap<Value, int64_t> values;
  std::vector<Event> events;
};

/// Lets both roles go on as far as the rings allow.
class RingRun {
public:
  RingRun(std::vector<Event> loads, std::vector<Event> computes)
      : loads(std::move(loads)), computes(std::move(computes)) {}

  LogicalResult run() {
    size_t load = 0, compute = 0;
    for (bool moved = true; moved;) {
      moved = false;
      for (; load < loads.size() && canFill(loads[load]); ++load, moved = true)
        if (failed(fill(loads[load])))
          return failure();
      for (; compute < computes.size() && canGoOn(computes[compute]); ++compute, moved = true)
        if (failed(use(computes[compute])))
          return failure();
    }
    if (compute < computes.size())
      return computes[compute].op->emitOpError("waits for fill ") << computes[compute].number << ", which never begins";
    if (load < loads.size())
      return loads[load].op->emitOpError("waits for its stage, which is never released, with fill ")
             << loads[load].number;
    for (auto &[ring, state] : rings)
      if (state.released != state.filled)
        return emitError(ring.getLoc(), "expects every fill of a ring to be awaited and released, got ")
               << state.filled << " fills and " << state.released << " releases";
    return success();
  }

private:
  struct State {
    int64_t filled = 0, awaited = 0, released = 0; ///< numbers below these
  };

  static int64_t stagesOf(Value ring) { return cast<RingType>(ring.getType()).getStages(); }
  bool canFill(const Event &event) { return event.number < rings[event.ring].released + stagesOf(event.ring); }
  bool canGoOn(const Event &event) { return event.kind != Event::Await || event.number < rings[event.ring].filled; }

  LogicalResult fill(const Event &event) { return next(event, rings[event.ring].filled, "fill"); }

  LogicalResult use(const Event &event) {
    State &state = rings[event.ring];
    if (event.kind == Event::Await)
      return next(event, state.awaited, "await");
    if (event.number >= state.awaited)
      return event.op->emitOpError("releases fill ") << event.number << ", which was not awaited";
    return next(event, state.released, "release");
  }

  /// Numbers of each kind count up from 0.
  static LogicalResult next(const Event &event, int64_t &count, StringRef what) {
    if (event.number != count++)
      return event.op->emitOpError("expects ") << what << " number " << count - 1 << ", got " << event.number;
    return success();
  }

  std::vector<Event> loads, computes;
  llvm::MapVector<Value, State> rings;
};

struct CheckRings : impl::CheckRingsBase<CheckRings> {
  void runOnOperation() override {
    getOperation().walk([&](RolesOp roles) {
      constexpr uint64_t kSizes = 24;
      for (uint64_t seed = 0; seed < kSizes; ++seed)
        if (failed(RingRun(RoleRun(seed).run(roles.getLoad()), RoleRun(seed).run(roles.getCompute())).run()))
          return signalPassFailure();
    });
    markAllAnalysesPreserved();
  }
};

} // namespace
} // namespace attn
