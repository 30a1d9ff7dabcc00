// SPDX-License-Identifier: Apache-2.0
// Merging as a step of a kernel: which rows and columns a program has, and the merge schedule's text for them.
#include "passes/MergeWrapper.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "passes/ForwardWrapper.h"
#include "passes/KernelWrapper.h"
#include "passes/KeyShares.h"
#include "passes/ScheduleInstance.h"
#include "passes/ScheduleText.h"
#include "passes/StreamShares.h"
#include "passes/TileFunctions.h"

using namespace mlir;
using namespace attn::tile;

namespace attn {

namespace {

/// A program of the merge: rows are all heads of some tokens, but only some columns of them, so that few rows are
/// enough for many programs and the loads of several parts for its registers.
constexpr int64_t kWarps = 1, kRowsOfTile = 16 * kWarps, kMostColumns = 32;

/// What is merged, in terms of the kernel.
struct Merged {
  Value output, lse, sink; ///< lse and sink may be null
  RankedTensorType type;   ///< of the output
  double scale = 1;        ///< makes the maximum of a part an exponent of e
};

class MergeWrapper {
public:
  MergeWrapper(KernelOp kernel, SymbolTable &symbols, const Merged &merged)
      : merged(merged), wrapper(kernel, symbols, "_merge", kWarps, /*stages=*/1), symbols(symbols) {}
  virtual ~MergeWrapper() = default;

  func::FuncOp write() {
    int64_t headDim = merged.type.getShape().back();
    while (headDim % work.columns)
      work.columns -= 8;
    text = parseMergeSchedule({kRowsOfTile, work.columns, merged.type.getElementType(), merged.scale},
                              builder.getContext());
    assert(text && "every schedule of the library parses");
    writeProgram();
    inlineMerge();
    func::ReturnOp::create(builder);
    return wrapper.function;
  }

protected:
  struct Work {
    Value row, column;
    SequencePart query; ///< where results lie, as the rows of a query
    Value head;         ///< which group of heads is in these rows; null for the only one
    int64_t columns = kMostColumns;
  };

  /// Writes the grid and the program's work: blocks of rows, then groups of columns, then sequences.
  virtual void writeProgram() = 0;
  /// Writes what joins all parts to (acc, m, l), by the schedule's @stack, @part and @join.
  virtual SmallVector<Value> joinParts(ScheduleInstance &merge, ValueRange state) = 0;
  /// A view of the rows of some part, all heads of each token.
  virtual Value someRows() = 0;

  ViewType viewType(int64_t columns, Type element) { return ViewType::get(builder.getContext(), columns, element); }

  /// The program's columns of a view.
  Value columnsOf(Value view) {
    auto type = viewType(work.columns, cast<ViewType>(view.getType()).getElement());
    if (view.getDefiningOp<AbsentOp>())
      return AbsentOp::create(builder, type);
    return ColumnsOp::create(builder, type, view, work.column);
  }

  /// The types of (acc, m, l).
  ArrayRef<Type> stateTypes() { return text->lookupSymbol<func::FuncOp>("part").getFunctionType().getResults(); }

  /// The rows of a part from `row` on; `otherwise` stands for those that do not exist.
  Value load(Type tile, Value view, Value row, float otherwise) {
    return LoadOp::create(builder, tile, view, row, llvm::APFloat(otherwise));
  }

  /// The query's rows where a part of this number exists, else none.
  SequencePart queryOfPart(Value number, Value count) {
    SequencePart query = work.query;
    Value exists = arith::CmpIOp::create(builder, arith::CmpIPredicate::slt, number, count);
    query.length = arith::SelectOp::create(builder, exists, query.length, views.index(0));
    return query;
  }

  Value groupsOfColumns() { return views.index(merged.type.getShape().back() / work.columns); }

  Value blocksOfRows(Value tokens) {
    Value rows = arith::MulIOp::create(builder, tokens, views.index(heads));
    return arith::CeilDivUIOp::create(builder, rows, views.index(kRowsOfTile));
  }

  Value headOfRows() { return work.head ? work.head : views.index(0); }

  void take(Value block, Value group) {
    work.row = arith::MulIOp::create(builder, block, views.index(kRowsOfTile));
    work.column = arith::MulIOp::create(builder, group, views.index(work.columns));
  }

private:
  void inlineMerge() {
    links.row = work.row;
    ScheduleInstance merge(*text, links, builder);
    if (merged.sink) {
      links.sinkMemory = wrapper.of(merged.sink);
      TileFunctionBuilder functions(wrapper.kernel->getParentOfType<ModuleOp>(), symbols);
      links.sink = functions.createSink(builder.getLoc(), links.sinkMemory.getType());
      links.query = someRows();
    }
    links.written["parts"] = [&](ValueRange state) { return joinParts(merge, state); };
    auto [output, lse] = resultViews();
    merge.inlineFunction("merge", {work.row, output, lse});
  }

  /// Where a program writes its columns, and one program of each row the row's lse.
  std::pair<Value, Value> resultViews() {
    Value none = views.index(0);
    Value writes = arith::CmpIOp::create(builder, arith::CmpIPredicate::eq, work.column, none);
    SequencePart lseRows = work.query;
    lseRows.length = arith::SelectOp::create(builder, writes, lseRows.length, none);
    auto type = viewType(merged.type.getShape().back(), merged.type.getElementType());
    Value output = wrapper.resultView(merged.output, type, work.query, headOfRows(), heads);
    Value lse = wrapper.resultView(merged.lse, viewType(1, builder.getF32Type()), lseRows, headOfRows(), heads);
    return {columnsOf(output), lse};
  }

protected:
  Merged merged;
  KernelWrapper wrapper;
  ImplicitLocOpBuilder &builder{wrapper.builder};
  SequenceViews &views{wrapper.views};
  int64_t heads{headsOf(merged.type)}; ///< in the rows of a token
  ScheduleLinks links;
  Work work;

private:
  SymbolTable &symbols;
  OwningOpRef<ModuleOp> text;
};

//===-- of shares ----------------------------------------------------------------===//

Merged mergedOf(const Attention &attention) {
  SoftmaxOp softmax = attention.softmax;
  OutputOp output = attention.output;
  ScoreScale scale = scoreScaleOf(attention);
  return {output.getOutput(), softmax.getLse(), softmax.getSink(), attention.result,
          scale.inExponent ? scale.factor : 1.0};
}

/// Parts are what programs left in the workspace: as many as shares of the sequence have keys.
class MergeOfShares : public MergeWrapper {
public:
  MergeOfShares(KernelOp kernel, SymbolTable &symbols, const Attention &attention)
      : MergeWrapper(kernel, symbols, mergedOf(attention)), queries(ScoresOp(attention.scores).getQuery()),
        keys(ScoresOp(attention.scores).getKeys()), attention(attention) {}

private:
  /// Sequences of a packed batch have blocks one behind the other.
  void writeProgram() override {
    batches = views.countOf(queries);
    if (RaggedOp packing = packingOf(queries)) {
      ValueRange ids = wrapper.programs({views.blocksOf(packing, kRowsOfTile, heads), groupsOfColumns()});
      auto found = views.locate(packing, ids[0], kRowsOfTile, heads);
      batch = found.getBatch();
      take(found.getBlock(), ids[1]);
    } else {
      Value tokens = views.sizeOf(wrapper.of(tensorOf(queries, false)), 1);
      ValueRange ids = wrapper.programs({blocksOfRows(tokens), groupsOfColumns(), batches});
      batch = ids[2];
      take(ids[0], ids[1]);
    }
    work.query = views.partsOf(queries, batch, batches).front();
  }

  PartialResults &partials() {
    if (!memory)
      memory.emplace(partialResultsOf(wrapper, attention));
    return *memory;
  }

  Value someRows() override {
    Value none = views.index(0);
    return partials().of(none, work.query, none, heads).sums;
  }

  SmallVector<Value> joinParts(ScheduleInstance &merge, ValueRange state) override {
    ShareRule rule = shareRuleOf(wrapper.kernel);
    auto all = views.partsOf(keys, batch, batches);
    Value none = views.index(0), used = KeyShares(builder, rule).used(views.lengthInTiles(all, rule.granule));
    partials(); // in front of the loop
    links.written["part"] = [&](ValueRange operands) {
      return loadPart(operands[0], queryOfPart(operands[0], operands[1]));
    };
    SmallVector<Value> operands{none, used};
    llvm::append_range(operands, state);
    return merge.inlineFunction("stack", operands);
  }

  /// Rows that do not exist weigh nothing.
  SmallVector<Value> loadPart(Value number, const SequencePart &query) {
    auto part = partials().of(number, query, views.index(0), heads);
    Value row = partials().rowOf(query, work.row, heads);
    constexpr float lowest = std::numeric_limits<float>::lowest();
    ArrayRef<Type> types = stateTypes();
    return {load(types[0], columnsOf(part.outputs), row, 0), load(types[1], part.maxima, row, lowest),
            load(types[2], part.sums, row, 0)};
  }

  Value queries, keys, batch, batches;
  Attention attention;
  std::optional<PartialResults> memory;
};

/// Parts are the segments of an item: those of all programs whose share of the line has some of its tiles.
class MergeOfSegments : public MergeWrapper {
public:
  MergeOfSegments(KernelOp kernel, SymbolTable &symbols, const Attention &attention)
      : MergeWrapper(kernel, symbols, mergedOf(attention)), queries(ScoresOp(attention.scores).getQuery()),
        attention(attention) {
    heads = std::max<int64_t>(1, kernel.getScheduleAttr().getPacked());
    blockQ = kernel.getScheduleAttr().getBlockQ();
  }

private:
  /// Rows are those of one item: of one group of heads.
  void writeProgram() override {
    stream.emplace(wrapper, attention);
    Value groups = views.index(stream->headsOfPrograms());
    if (RaggedOp packing = packingOf(queries)) {
      ValueRange ids = wrapper.programs({views.blocksOf(packing, kRowsOfTile, heads), groupsOfColumns(), groups});
      auto found = views.locate(packing, ids[0], kRowsOfTile, heads);
      batch = found.getBatch();
      work.head = ids[2];
      take(found.getBlock(), ids[1]);
    } else {
      Value tokens = views.sizeOf(wrapper.of(tensorOf(queries, false)), 1);
      ValueRange ids = wrapper.programs({blocksOfRows(tokens), groupsOfColumns(), groups, views.countOf(queries)});
      batch = ids[3];
      work.head = ids[2];
      take(ids[0], ids[1]);
    }
    work.query = views.partsOf(queries, batch, views.countOf(queries)).front();
  }

  Value someRows() override { return views.viewOfResult(work.query.keys, work.query, work.head, heads); }

  SmallVector<Value> joinParts(ScheduleInstance &merge, ValueRange state) override {
    Value before;
    StreamShares::Plan plan = stream->plan(batch, &before);
    StreamShares::Sequence sequence = stream->sequence(batch);
    Value block = arith::DivUIOp::create(builder, work.row, views.index(blockQ));
    Value ofHead = arith::MulIOp::create(builder, work.head, sequence.blocks);
    Value inSequence = arith::AddIOp::create(builder, ofHead, block);
    item = arith::AddIOp::create(builder, sequence.firstItem, inSequence);
    Value tilesBefore = arith::MulIOp::create(builder, inSequence, sequence.tiles);
    Value first = arith::AddIOp::create(builder, before, tilesBefore);
    Value last = arith::AddIOp::create(builder, first, arith::SubIOp::create(builder, sequence.tiles, views.index(1)));
    Value from = stream->programOf(plan, first);
    Value to = arith::AddIOp::create(builder, stream->programOf(plan, last), views.index(1));
    Value none = arith::CmpIOp::create(builder, arith::CmpIPredicate::eq, sequence.tiles, views.index(0));
    to = arith::SelectOp::create(builder, none, from, to);
    rowOfSlot = arith::RemUIOp::create(builder, work.row, views.index(blockQ));
    rows = stream->rowsOfBlock(work.query.length, block);
    links.written["part"] = [&](ValueRange operands) { return loadPart(operands[0], operands[1]); };
    SmallVector<Value> operands{from, to};
    llvm::append_range(operands, state);
    return merge.inlineFunction("stack", operands);
  }

  SmallVector<Value> loadPart(Value program, Value end) {
    Value exists = arith::CmpIOp::create(builder, arith::CmpIPredicate::slt, program, end);
    Value existing = arith::SelectOp::create(builder, exists, rows, views.index(0));
    auto part = stream->slot(arith::AddIOp::create(builder, program, item), existing);
    constexpr float lowest = std::numeric_limits<float>::lowest();
    ArrayRef<Type> types = stateTypes();
    return {load(types[0], columnsOf(part.outputs), rowOfSlot, 0), load(types[1], part.maxima, rowOfSlot, lowest),
            load(types[2], part.sums, rowOfSlot, 0)};
  }

  Value queries, batch, item, rowOfSlot, rows;
  Attention attention;
  int64_t blockQ;
  std::optional<StreamShares> stream;
};

//===-- of what a kernel is given ------------------------------------------------===//

/// Parts are (output, lse, 1). One whose lse is minus infinity weighs nothing, and what its output holds is not looked
/// at: it may be NaN.
class MergeOfParts : public MergeWrapper {
public:
  MergeOfParts(KernelOp kernel, SymbolTable &symbols, MergeOp merge)
      : MergeWrapper(
            kernel, symbols,
            {merge.getOutput(), merge.getLse(), merge.getSink(), cast<RankedTensorType>(merge.getOutput().getType())}),
        merge(merge) {}

private:
  bool hasBatch() const { return merged.type.getRank() == 4; }
  bool isStack(Value part) const { return cast<RankedTensorType>(part.getType()).getRank() > merged.type.getRank(); }

  void writeProgram() override {
    Value part = merge.getOutputs().front(), memory = wrapper.of(part);
    int64_t first = isStack(part) ? 1 : 0;
    SmallVector<Value> extents{Value(), groupsOfColumns()};
    if (hasBatch())
      extents.push_back(views.sizeOf(memory, first++));
    Value tokens = views.sizeOf(memory, first);
    extents[0] = blocksOfRows(tokens);
    ValueRange ids = wrapper.programs(extents);
    take(ids[0], ids[1]);
    work.query.batch = hasBatch() ? ids[2] : Value();
    work.query.length = tokens;
  }

  /// Rows of a part, or of part `number` of a stack.
  Value rowsOf(Value part, Value number, SequencePart query) {
    query.part = number;
    return views.viewOfResult(wrapper.of(part), query, views.index(0), heads);
  }

  Value someRows() override {
    Value lse = merge.getLses().front();
    return rowsOf(lse, isStack(merge.getOutputs().front()) ? views.index(0) : Value(), work.query);
  }

  SmallVector<Value> joinParts(ScheduleInstance &schedule, ValueRange given) override {
    SmallVector<Value> state(given);
    for (auto [part, lse] : llvm::zip(merge.getOutputs(), merge.getLses())) {
      if (!isStack(part)) {
        llvm::append_range(state, loadPart(part, lse, Value(), work.query));
        state = schedule.inlineFunction("join", state);
        continue;
      }
      links.written["part"] = [&, part = part, lse = lse](ValueRange operands) {
        return loadPart(part, lse, operands[0], queryOfPart(operands[0], operands[1]));
      };
      Value count = views.sizeOf(wrapper.of(part), 0);
      SmallVector<Value> operands{views.index(0), count};
      llvm::append_range(operands, state);
      state = schedule.inlineFunction("stack", operands);
    }
    return state;
  }

  SmallVector<Value> loadPart(Value part, Value lse, Value number, const SequencePart &query) {
    ArrayRef<Type> types = stateTypes();
    auto wide = cast<RankedTensorType>(types[0]), rowType = cast<RankedTensorType>(types[2]);
    constexpr float nothing = -std::numeric_limits<float>::infinity();
    auto splat = [&](RankedTensorType type, float value) -> Value {
      return arith::ConstantOp::create(builder, DenseElementsAttr::get(type, value));
    };
    Value maximum = load(types[1], rowsOf(lse, number, query), work.row, nothing);
    Value rows = columnsOf(rowsOf(part, number, query));
    Type element = cast<ViewType>(rows.getType()).getElement();
    Value output = load(wide.clone(element), rows, work.row, 0);
    if (!element.isF32())
      output = arith::ExtFOp::create(builder, wide, output);
    Value weights = BroadcastOp::create(builder, wide, maximum);
    Value counts = arith::CmpFOp::create(builder, arith::CmpFPredicate::UNE, weights, splat(wide, nothing));
    output = arith::SelectOp::create(builder, counts, output, splat(wide, 0));
    return {output, maximum, splat(rowType, 1)};
  }

  MergeOp merge;
};

} // namespace

func::FuncOp writeMergeOfShares(KernelOp kernel, const Attention &attention, SymbolTable &symbols) {
  return MergeOfShares(kernel, symbols, attention).write();
}

func::FuncOp writeMergeOfSegments(KernelOp kernel, const Attention &attention, SymbolTable &symbols) {
  return MergeOfSegments(kernel, symbols, attention).write();
}

func::FuncOp writeMerge(KernelOp kernel, MergeOp merge, SymbolTable &symbols) {
  return MergeOfParts(kernel, symbols, merge).write();
}

} // namespace attn
