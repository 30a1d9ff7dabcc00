// SPDX-License-Identifier: Apache-2.0
// Merging as a step of a kernel: which rows and columns a program has, and the merge schedule's text for them.
#include "passes/MergeWrapper.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "passes/ForwardWrapper.h"
#include "passes/KernelWrapper.h"
#include "passes/KeyShares.h"
#include "passes/ScheduleInstance.h"
#include "passes/ScheduleText.h"
#include "passes/TileFunctions.h"

using namespace mlir;
using namespace attn::tile;

namespace attn {

namespace {

/// A program of the merge: rows are all heads of some tokens, but only some columns of them, so that few rows are
/// enough for many programs and the loads of several parts for its registers.
constexpr int64_t kWarps = 1, kRowsOfTile = 16 * kWarps, kMostColumns = 32;

class MergeWrapper {
public:
  MergeWrapper(KernelOp kernel, const Attention &attention, SymbolTable &symbols)
      : attention(attention), symbols(symbols), wrapper(kernel, symbols, "_merge", kWarps, /*stages=*/1) {}

  func::FuncOp write() {
    int64_t headDim = attention.result.getShape().back();
    while (headDim % work.columns)
      work.columns -= 8;
    ScoreScale scale = scoreScaleOf(attention);
    text = parseMergeSchedule(
        {kRowsOfTile, work.columns, attention.result.getElementType(), scale.inExponent ? scale.factor : 1.0},
        builder.getContext());
    assert(text && "every schedule of the library parses");
    writeProgram();
    inlineMerge();
    func::ReturnOp::create(builder);
    return wrapper.function;
  }

private:
  struct Work {
    Value row, column, batch;
    SequencePart query;
    int64_t columns = kMostColumns;
  };

  /// Programs: blocks of rows, then groups of columns, then sequences. Those of a packed batch have blocks one behind
  /// the other.
  void writeProgram() {
    Value queries = attention.scores.getQuery(), batches = views.countOf(queries);
    Value groups = views.index(attention.result.getShape().back() / work.columns), block;
    ValueRange ids;
    if (RaggedOp packing = packingOf(queries)) {
      ids = wrapper.programs({views.blocksOf(packing, kRowsOfTile, heads), groups});
      auto found = views.locate(packing, ids[0], kRowsOfTile, heads);
      block = found.getBlock();
      work.batch = found.getBatch();
    } else {
      Value tokens = views.sizeOf(wrapper.of(tensorOf(queries, false)), 1);
      Value rows = arith::MulIOp::create(builder, tokens, views.index(heads));
      ids = wrapper.programs({arith::CeilDivUIOp::create(builder, rows, views.index(kRowsOfTile)), groups, batches});
      block = ids[0];
      work.batch = ids[2];
    }
    work.row = arith::MulIOp::create(builder, block, views.index(kRowsOfTile));
    work.column = arith::MulIOp::create(builder, ids[1], views.index(work.columns));
    work.query = views.partsOf(queries, work.batch, batches).front();
  }

  ViewType viewType(int64_t columns, Type element) { return ViewType::get(builder.getContext(), columns, element); }

  Value columnsOf(Value view) {
    auto type = viewType(work.columns, cast<ViewType>(view.getType()).getElement());
    if (view.getDefiningOp<AbsentOp>())
      return AbsentOp::create(builder, type);
    return ColumnsOp::create(builder, type, view, work.column);
  }

  void inlineMerge() {
    Value batches = views.countOf(attention.scores.getQuery());
    ShareRule rule = shareRuleOf(wrapper.kernel);
    auto keys = views.partsOf(attention.scores.getKeys(), work.batch, batches);
    Value none = views.index(0), used = KeyShares(builder, rule).used(views.lengthInTiles(keys, rule.granule));
    PartialResults partials = partialResultsOf(wrapper, attention);
    links.row = work.row;
    if (Value given = attention.softmax.getSink()) {
      links.sinkMemory = wrapper.of(given);
      TileFunctionBuilder functions(wrapper.kernel->getParentOfType<ModuleOp>(), symbols);
      links.sink = functions.createSink(builder.getLoc(), links.sinkMemory.getType());
      links.query = partials.of(none, work.query, none, heads).sums;
    }
    ScheduleInstance merge(*text, links, builder);
    links.written["parts"] = [&](ValueRange state) {
      SmallVector<Value> operands{none, used};
      llvm::append_range(operands, state);
      return merge.inlineFunction("stack", operands);
    };
    links.written["part"] = [&](ValueRange operands) {
      Value exists = arith::CmpIOp::create(builder, arith::CmpIPredicate::slt, operands[0], operands[1]);
      SequencePart query = work.query;
      query.length = arith::SelectOp::create(builder, exists, query.length, none);
      return loadPart(partials.of(operands[0], query, none, heads), partials.rowOf(query, work.row, heads));
    };
    auto [output, lse] = resultViews();
    merge.inlineFunction("merge", {work.row, output, lse});
  }

  /// Where a program writes its columns, and one program of each row the row's lse.
  std::pair<Value, Value> resultViews() {
    Value none = views.index(0);
    Value writes = arith::CmpIOp::create(builder, arith::CmpIPredicate::eq, work.column, none);
    SequencePart lseRows = work.query;
    lseRows.length = arith::SelectOp::create(builder, writes, lseRows.length, none);
    auto type = viewType(attention.result.getShape().back(), attention.result.getElementType());
    Value output = wrapper.resultView(attention.output.getOutput(), type, work.query, none, heads);
    Value lse = wrapper.resultView(attention.softmax.getLse(), viewType(1, builder.getF32Type()), lseRows, none, heads);
    return {columnsOf(output), lse};
  }

  /// (acc, m, l) of a part; rows that do not exist weigh nothing.
  SmallVector<Value> loadPart(const PartialResults::Views &part, Value row) {
    auto types = text->lookupSymbol<func::FuncOp>("part").getFunctionType().getResults();
    auto load = [&](unsigned i, Value view, float otherwise) -> Value {
      return LoadOp::create(builder, types[i], view, row, llvm::APFloat(otherwise));
    };
    constexpr float lowest = std::numeric_limits<float>::lowest();
    return {load(0, columnsOf(part.outputs), 0), load(1, part.maxima, lowest), load(2, part.sums, 0)};
  }

  Attention attention;
  SymbolTable &symbols;
  KernelWrapper wrapper;
  ImplicitLocOpBuilder &builder{wrapper.builder};
  SequenceViews &views{wrapper.views};
  int64_t heads{headsOf(attention.query)};
  OwningOpRef<ModuleOp> text;
  ScheduleLinks links;
  Work work;
};

} // namespace

func::FuncOp writeMergeOfShares(KernelOp kernel, const Attention &attention, SymbolTable &symbols) {
  return MergeWrapper(kernel, attention, symbols).write();
}

} // namespace attn
