// SPDX-License-Identifier: Apache-2.0
// gather-columns: keys that a list names by their positions are walked as rows of their own.
#include "passes/GatherColumns.h"

#include "dialect/Attn.h"
#include "dialect/Tile.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Pass/Pass.h"
#include "passes/WalkConditions.h"

using namespace mlir;

namespace attn {
#define GEN_PASS_DEF_GATHERCOLUMNS
#include "passes/Passes.h.inc"

namespace {

/// The first term that says that the position of a key is among the numbers of a list.
const MaskTree *findColumns(const MaskTree &tree) {
  const AffineForm &form = tree.form;
  bool ofKey = form.key == 1 && !form.query && !form.row && !form.column && form.symbols.empty() && !form.constant;
  if (tree.kind == MaskTree::Kind::Member && !tree.negated && tree.divisor == 1 && ofKey &&
      !tree.condition.getDefiningOp<tile::MemberOp>().hasRanges())
    return &tree;
  for (const MaskTree &child : tree.children)
    if (const MaskTree *found = findColumns(child))
      return found;
  return nullptr;
}

/// Whether functions of the walk ask for the number of a column in its sequence: of gathered ones it is not known.
bool asksForColumns(tile::WalkOp walk) {
  auto asks = [&](FlatSymbolRefAttr name, unsigned column) {
    auto function = SymbolTable::lookupNearestSymbolFrom<func::FuncOp>(walk, name);
    return function && !function.isExternal() && function.getNumArguments() > column &&
           !function.getArgument(column).use_empty();
  };
  WalkResult found = walk.getBody().walk([&](Operation *op) {
    bool any = false;
    if (auto mask = dyn_cast<tile::MaskOp>(op))
      any = llvm::any_of(mask.getBy(), [&](Attribute name) { return asks(cast<FlatSymbolRefAttr>(name), kColumn); });
    else if (auto apply = dyn_cast<tile::ApplyOp>(op))
      any = apply.getCols() && asks(apply.getCalleeAttr(), kColumn + 1);
    return any ? WalkResult::interrupt() : WalkResult::advance();
  });
  return found.wasInterrupted();
}

/// Makes two walks of one whose mask asks a list of columns.
class ColumnGatherer {
public:
  ColumnGatherer(tile::WalkOp walk, tile::MaskOp mask, SymbolTable &symbols)
      : walk(walk), mask(mask), symbols(symbols), builder(walk.getLoc(), walk), conditions(walk, mask, builder) {}

  LogicalResult run() {
    if (failed(conditions.readConjuncts()))
      return failure();
    for (auto [number, conjunct] : llvm::enumerate(conditions.conjuncts)) {
      const MaskTree *term = conjunct.analysis ? findColumns(conjunct.analysis->tree()) : nullptr;
      if (term && readList(conjunct, term->condition.getDefiningOp<tile::MemberOp>())) {
        gather(number, term->condition.getDefiningOp<tile::MemberOp>());
        break;
      }
    }
    return success();
  }

private:
  Value index(int64_t value) { return arith::ConstantIndexOp::create(builder, value); }

  /// The row of the list and its entries, as values before the walk; false if they are not known there.
  bool readList(Conjunct &conjunct, tile::MemberOp member) {
    auto before = [&](Value value) {
      bool ofHead = conditions.packed() > 1 && conditions.dependsOnHead(conjunct, value);
      IRMapping known;
      return conjunct.analysis->dependence(value) || ofHead ? Value() : conditions.rebuild(conjunct, value, known);
    };
    row = llvm::map_to_vector(member.getRow(), before);
    first = before(member.getFrom());
    end = before(member.getTo());
    if (!first || !end || llvm::is_contained(row, Value()))
      return false;
    list = conjunct.params[cast<BlockArgument>(member.getList()).getArgNumber() - kCoordinates];
    return true;
  }

  void gather(size_t conjunct, tile::MemberOp member) {
    FlatSymbolRefAttr unlisted, listed;
    std::tie(unlisted, listed) = writeFunctions(member);
    readRange();
    builder.setInsertionPointAfter(walk);
    tile::WalkOp second = writeWalk(conjunct, listed);
    setFunction(mask, conjunct, unlisted);
    walk.getResults().replaceUsesWithIf(second.getResults(),
                                        [&](OpOperand &use) { return use.getOwner() != second.getOperation(); });
  }

  static void setFunction(tile::MaskOp mask, size_t conjunct, FlatSymbolRefAttr name) {
    SmallVector<Attribute> by(mask.getBy().getValue());
    by[conjunct] = name;
    mask.setByAttr(ArrayAttr::get(mask.getContext(), by));
  }

  /// What is visible without the list, and what is with it: each pair in one of them. Where the position of each column
  /// is looked up, other lists would be searched for each pair; so if what is visible without this one asks others, the
  /// listed columns are left out of the first, and else what the first shows is left out of the second.
  std::pair<FlatSymbolRefAttr, FlatSymbolRefAttr> writeFunctions(tile::MemberOp member) {
    auto opposite = [&](Value value) -> Value {
      Value yes = arith::ConstantOp::create(builder, builder.getBoolAttr(true));
      return arith::XOrIOp::create(builder, value, yes);
    };
    using Where = llvm::function_ref<Value(std::optional<bool>)>;
    func::FuncOp without = writeFunction(member, "_unlisted", [&](Where where) { return where(false); });
    bool asksOthers = isHeavy(MaskAnalysis(without).tree());
    if (asksOthers) {
      symbols.erase(without);
      without = writeFunction(member, "_unlisted", [&](Where where) -> Value {
        Value found = where(std::nullopt);
        return arith::AndIOp::create(builder, where(false), opposite(found));
      });
    }
    func::FuncOp with = writeFunction(member, "_listed", [&](Where where) -> Value {
      Value result = where(true);
      return asksOthers ? result : arith::AndIOp::create(builder, result, opposite(where(false))).getResult();
    });
    return {FlatSymbolRefAttr::get(without), FlatSymbolRefAttr::get(with)};
  }

  static bool isHeavy(const MaskTree &tree) {
    return tree.kind == MaskTree::Kind::Member || tree.kind == MaskTree::Kind::Opaque ||
           llvm::any_of(tree.children, isHeavy);
  }

  /// A function beside that of the question. `write` gets the text of that one with an answer in the place of the
  /// question, and gives the result; without an answer what it gets is the answer.
  func::FuncOp writeFunction(tile::MemberOp member, StringRef suffix,
                             llvm::function_ref<Value(llvm::function_ref<Value(std::optional<bool>)>)> write) {
    OpBuilder::InsertionGuard guard(builder);
    auto function = member->getParentOfType<func::FuncOp>();
    auto copy = cast<func::FuncOp>(function->clone());
    copy.setName((function.getName() + suffix).str());
    copy->setAttr("tile.part_of", FlatSymbolRefAttr::get(function));
    symbols.insert(copy, std::next(Block::iterator(function)));
    copy.getBody().front().clear();
    builder.setInsertionPointToStart(&copy.getBody().front());
    Value result = write([&](std::optional<bool> answer) {
      IRMapping mapping;
      mapping.map(function.getArguments(), copy.getArguments());
      for (Operation &op : function.getBody().front().without_terminator()) {
        if (&op == member && answer)
          mapping.map(member.getFound(), arith::ConstantOp::create(builder, builder.getBoolAttr(*answer)).getResult());
        else
          builder.clone(op, mapping);
      }
      return mapping.lookup(answer ? function.getBody().front().getTerminator()->getOperand(0) : member.getFound());
    });
    func::ReturnOp::create(builder, result);
    return copy;
  }

  /// Columns outside of which nothing is visible, as far as what all alternatives have in common says so.
  Columns visibleColumns() {
    Linear c = Linear::variable(conditions.column);
    Clause all = {c.plus(conditions.from, -1), conditions.to.plus(c, -1).plus(-1)};
    for (Conjunct &conjunct : conditions.conjuncts)
      llvm::append_range(all, conditions.necessary(conjunct));
    llvm::append_range(all, conditions.rowBounds());
    return conditions.emitter.emit(conditions.system.project(all, conditions.column));
  }

  /// The entries whose positions the walk visits.
  void readRange() {
    auto view = walk.getView().getDefiningOp<tile::ViewOp>();
    Value begin = view.getPosition() ? view.getPosition() : view.getIndex();
    auto positionOf = [&](Value number) -> Value {
      return begin ? arith::AddIOp::create(builder, number, begin).getResult() : number;
    };
    Value zero = index(0);
    Value from = arith::MaxSIOp::create(builder, first, zero);
    Value size = memref::DimOp::create(builder, list, row.size());
    Value to = arith::MinSIOp::create(builder, end, size);
    Columns columns = visibleColumns();
    Value begins = columns.first ? conditions.emitter.index(columns.first) : walk.getFrom();
    Value ends = columns.end ? conditions.emitter.index(columns.end) : walk.getTo();
    first = placeOf(positionOf(begins), from, to);
    end = placeOf(positionOf(ends), from, to);
    length = arith::MaxSIOp::create(builder, arith::SubIOp::create(builder, end, first), zero);
  }

  Value placeOf(Value number, Value from, Value to) {
    return tile::PlaceOp::create(builder, builder.getIndexType(), number, list, row, from, to);
  }

  /// The same steps over the listed rows of all that the walk reads tile by tile.
  tile::WalkOp writeWalk(size_t conjunct, FlatSymbolRefAttr function) {
    Value column = walk.getBody().getArgument(0);
    IRMapping gathered;
    auto gatherView = [&](Value view) {
      if (!gathered.contains(view))
        gathered.map(view, tile::GatherOp::create(builder, view.getType(), view, list, row, first, length).getSome());
    };
    gatherView(walk.getView());
    walk.getBody().walk([&](tile::LoadOp load) {
      if (load.getAt() == column)
        gatherView(load.getView());
    });
    auto second = cast<tile::WalkOp>(builder.clone(*walk, gathered));
    second.getToMutable().assign(length);
    second.getInitsMutable().assign(walk.getResults());
    builder.setInsertionPoint(second);
    second.getFromMutable().assign(index(0));
    second.walk([&](tile::MaskOp copy) { setFunction(copy, conjunct, function); });
    return second;
  }

  tile::WalkOp walk;
  tile::MaskOp mask;
  SymbolTable &symbols;
  ImplicitLocOpBuilder builder;
  WalkConditions conditions;
  Value list, first, end, length; ///< entries of the list from `first` up to `end`
  SmallVector<Value> row;
};

struct GatherColumns : impl::GatherColumnsBase<GatherColumns> {
  void runOnOperation() override {
    SymbolTable symbols(getOperation());
    SmallVector<std::pair<tile::WalkOp, tile::MaskOp>> walks;
    getOperation().walk([&](tile::MaskOp mask) {
      auto walk = mask->getParentOfType<tile::WalkOp>();
      if (walk && mask.getCols() == walk.getView() && mask->getParentOfType<func::FuncOp>()->hasAttr("tile.gather"))
        walks.push_back({walk, mask});
    });
    for (auto [walk, mask] : walks) {
      auto view = walk.getView().getDefiningOp<tile::ViewOp>();
      if (!view || view.getPositions() || asksForColumns(walk))
        continue;
      if (failed(ColumnGatherer(walk, mask, symbols).run()))
        return signalPassFailure();
    }
  }
};

/// Whether a value of a function (b, h, q, kv, parameters...) -> i1 is the same for all queries and keys.
bool isOfHead(Value value) {
  if (auto argument = dyn_cast<BlockArgument>(value))
    return argument.getArgNumber() != 2 && argument.getArgNumber() != 3;
  return !isa<RowOp, ColumnOp>(value.getDefiningOp()) && llvm::all_of(value.getDefiningOp()->getOperands(), isOfHead);
}

} // namespace

bool mayGatherColumns(const Attention &attention) {
  ScoresOp scores = attention.scores;
  if (hasListedPositions(scores.getKeys()))
    return false;
  return llvm::any_of(attention.masks, [&](MaskOp mask) {
    auto function = SymbolTable::lookupNearestSymbolFrom<func::FuncOp>(mask, mask.getByAttr());
    if (!function || function.isExternal())
      return false;
    return function
        .walk([](MemberOp member) {
          auto list = cast<RankedTensorType>(member.getList().getType());
          bool numbers = list.getRank() == int64_t(member.getRow().size()) + 1;
          auto key = dyn_cast<BlockArgument>(member.getValue());
          bool ofKey = key && key.getArgNumber() == 3 && isa<func::FuncOp>(key.getOwner()->getParentOp());
          return numbers && ofKey && llvm::all_of(member.getRow(), isOfHead) ? WalkResult::interrupt()
                                                                             : WalkResult::advance();
        })
        .wasInterrupted();
  });
}

} // namespace attn
