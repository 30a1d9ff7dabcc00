// SPDX-License-Identifier: Apache-2.0
// Executes regions of tile.collect, one step after another.
#include "compiler/ListRun.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "llvm/ADT/BitVector.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace attn {
namespace {

class ListRun {
public:
  ListRun(ScalarEvaluator &evaluator, int64_t from, int64_t to)
      : evaluator(evaluator), from(from), sets(2, llvm::BitVector(to - from)) {}

  bool run(Region &region) {
    return region.empty() || llvm::all_of(region.front(), [&](Operation &op) { return run(op); });
  }

  std::vector<ListedTile> tiles() const {
    std::vector<ListedTile> all;
    for (unsigned i : sets[0].set_bits())
      all.push_back({from + i, !sets[1].test(i)});
    return all;
  }

  Value unknown;

private:
  bool run(Operation &op) {
    return llvm::TypeSwitch<Operation *, bool>(&op)
        .Case([&](tile::MarkOp mark) { return runMark(mark); })
        .Case([&](tile::CommonOp common) { return runCommon(common); })
        .Case([&](tile::EachOp each) {
          return repeat(each.getFrom(), each.getTo(), each.getBody().getArgument(0), each.getBody());
        })
        .Case([&](scf::ForOp loop) {
          return repeat(loop.getLowerBound(), loop.getUpperBound(), loop.getInductionVar(), loop.getRegion());
        })
        .Case([&](scf::IfOp branch) {
          std::optional<int64_t> condition = valueOf(branch.getCondition());
          return condition && run(*condition ? branch.getThenRegion() : branch.getElseRegion());
        })
        .Default([&](Operation *op) {
          for (Value result : op->getResults())
            evaluator.evaluateAgain(result);
          return true;
        });
  }

  std::optional<int64_t> valueOf(Value value) {
    std::optional<int64_t> number = evaluator.valueOf(value);
    if (!number)
      unknown = value;
    return number;
  }

  bool repeat(Value first, Value end, Value number, Region &body) {
    std::optional<int64_t> begin = valueOf(first), stop = valueOf(end);
    if (!begin || !stop)
      return false;
    for (int64_t i = *begin; i < *stop; ++i) {
      evaluator.assign(number, i);
      if (!run(body))
        return false;
    }
    return true;
  }

  bool runMark(tile::MarkOp mark) {
    std::optional<int64_t> first = valueOf(mark.getFrom()), end = valueOf(mark.getTo());
    if (!first || !end)
      return false;
    llvm::BitVector &set = own ? *own : sets[mark.getSight() == tile::Sight::hidden];
    int64_t size = set.size(), a = std::clamp<int64_t>(*first - from, 0, size),
            b = std::clamp<int64_t>(*end - from, 0, size);
    if (a < b)
      set.set(a, b);
    return true;
  }

  bool runCommon(tile::CommonOp common) {
    llvm::BitVector all(sets[0].size(), true);
    for (Region &part : common.getParts()) {
      llvm::BitVector marked(sets[0].size());
      own = &marked;
      bool known = run(part);
      own = nullptr;
      if (!known)
        return false;
      all &= marked;
    }
    sets[common.getSight() == tile::Sight::hidden] |= all;
    return true;
  }

  ScalarEvaluator &evaluator;
  int64_t from;
  std::vector<llvm::BitVector> sets; ///< visible, hidden
  llvm::BitVector *own = nullptr;    ///< of a part of tile.common
};

} // namespace

std::optional<std::vector<ListedTile>> runCollect(tile::CollectOp list, ScalarEvaluator &evaluator, Value &unknown) {
  std::optional<int64_t> from = evaluator.valueOf(list.getFrom()), to = evaluator.valueOf(list.getTo());
  if (!from || !to) {
    unknown = from ? list.getTo() : list.getFrom();
    return std::nullopt;
  }
  if (*to - *from > int64_t(list.getMost())) {
    std::vector<ListedTile> all;
    for (int64_t tile = *from; tile < *to; ++tile)
      all.push_back({tile, false});
    return all;
  }
  ListRun run(evaluator, *from, std::max(*from, *to));
  if (!run.run(list.getBody())) {
    unknown = run.unknown;
    return std::nullopt;
  }
  return run.tiles();
}

} // namespace attn
