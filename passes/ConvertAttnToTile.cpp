// SPDX-License-Identifier: Apache-2.0
// convert-attn-to-tile: a kernel becomes the schedule's text, instantiated, inside a wrapper that makes the views.
#include "passes/Passes.h"

#include "dialect/AttnNames.h"
#include "dialect/Tile.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/Matchers.h"
#include "passes/DataFacts.h"
#include "passes/KeyShares.h"
#include "passes/ScheduleInstance.h"
#include "passes/ScheduleText.h"
#include "passes/SequenceViews.h"
#include "passes/Supported.h"
#include "passes/TileFunctions.h"

using namespace mlir;
using namespace attn::tile;

namespace attn {
#define GEN_PASS_DEF_CONVERTATTNTOTILE
#include "passes/Passes.h.inc"

namespace {

/// The conversion of one kernel.
class KernelConversion {
public:
  KernelConversion(KernelOp kernel, Attention attention)
      : kernel(kernel), attention(attention), schedule(kernel.getScheduleAttr()), shares(shareRuleOf(kernel)),
        builder(kernel.getLoc(), kernel.getContext()), symbols(kernel->getParentOfType<ModuleOp>()) {}

  LogicalResult run() {
    if (failed(foldScale()))
      return failure();
    ScheduleTypes types = scheduleTypes();
    text = parseSchedule(types, kernel.getContext());
    assert(text && "every schedule of the library parses");
    createWrapper(".tiles", schedule.getNumWarps(), schedule.getNumStages());
    func::FuncOp forward = wrapper;
    // A complete schedule names an overlap where products are those of warpgroups.
    if (std::optional<Overlap> overlap = schedule.getOverlap()) {
      wrapper->setAttr("tile.atom", builder.getStringAttr(stringifyAtom(Atom::wgmma_m64k16)));
      wrapper->setAttr("tile.overlap", builder.getStringAttr(stringifyOverlap(*overlap)));
      wrapper->setAttr("tile.distribution", builder.getStringAttr("persistent"));
    }
    if (failed(createFunctions()))
      return failure();
    writeBody();
    if (isSplit())
      writeMerge();
    StringAttr name = kernel.getSymNameAttr();
    symbols.erase(kernel);
    forward.setSymNameAttr(name);
    return success();
  }

private:
  //===-- scale ----------------------------------------------------------------===//

  /// Decides where the scale goes: into the exponent, or in front of the score functions.
  LogicalResult foldScale() {
    int64_t headDim = attention.keys.getShape().back();
    scale = 1.0 / std::sqrt(static_cast<double>(headDim));
    FloatAttr constant;
    if (Value given = attention.scores.getScale()) {
      if (matchPattern(given, m_Constant(&constant)))
        scale = constant.getValueAsDouble();
      else
        runtimeScale = given;
    }
    scaleInExponent = !runtimeScale && scale > 0 && attention.modifies.empty();
    return success();
  }

  ScheduleTypes scheduleTypes() {
    ScheduleTypes types;
    types.headDim = attention.query.getShape().back();
    types.headDimV = attention.values.getShape().back();
    types.blockQ = schedule.getBlockQ();
    types.blockKv = schedule.getBlockKv();
    types.operand = attention.query.getElementType();
    types.output = attention.result.getElementType();
    types.scale = scaleInExponent ? scale : 1.0;
    return types;
  }

  //===-- wrapper --------------------------------------------------------------===//

  /// Memory as a launch passes it: any strides, but head_dim contiguous in data.
  Type memoryType(Type type, bool isData) {
    auto tensor = dyn_cast<RankedTensorType>(type);
    if (!tensor)
      return type;
    SmallVector<int64_t> strides(tensor.getRank(), ShapedType::kDynamic);
    if (isData)
      strides.back() = 1;
    auto layout = StridedLayoutAttr::get(kernel.getContext(), 0, strides);
    return MemRefType::get(tensor.getShape(), tensor.getElementType(), layout);
  }

  /// Arguments that hold queries, keys or values.
  bool isData(BlockArgument argument) {
    return llvm::any_of(argument.getUses(), [](OpOperand &use) {
      Operation *user = use.getOwner();
      if (auto dense = dyn_cast<DenseOp>(user))
        return llvm::is_contained(dense.getTensors(), use.get());
      if (auto ragged = dyn_cast<RaggedOp>(user))
        return llvm::is_contained(ragged.getTensors(), use.get());
      if (auto pages = dyn_cast<PagesOp>(user))
        return llvm::is_contained(pages.getPools(), use.get());
      if (auto at = dyn_cast<AtOp>(user))
        return at.getOf() == use.get();
      if (auto scores = dyn_cast<ScoresOp>(user))
        return scores.getScale() != use.get();
      if (auto output = dyn_cast<OutputOp>(user))
        return output.getValues() == use.get();
      return isa<ShareOp>(user) ? cast<ShareOp>(user).getOf() == use.get() : isa<ConcatOp>(user);
    });
  }

  /// A function with the arguments and results of the kernel; the builder stands in it.
  void createWrapper(StringRef suffix, int64_t warps, int64_t stages) {
    SmallVector<NamedValue> values = argumentsOf(kernel);
    size_t inputs = values.size();
    for (const NamedValue &result : resultsOf(kernel))
      if (llvm::none_of(values, [&](const NamedValue &value) { return value.name == result.name; }))
        values.push_back(result);
    SmallVector<Type> types;
    std::string output = nameOfResult(attention.output.getOutput());
    for (auto [i, value] : llvm::enumerate(values))
      types.push_back(
          memoryType(value.type, i < inputs ? isData(kernel.getBody().getArgument(i)) : value.name == output));
    builder.setInsertionPoint(kernel);
    wrapper = func::FuncOp::create(builder, (kernel.getSymName() + suffix).str(), builder.getFunctionType(types, {}));
    for (auto [i, value] : llvm::enumerate(values)) {
      wrapper.setArgAttr(i, "attn.name", builder.getStringAttr(value.name));
      if (i >= inputs)
        wrapper.setArgAttr(i, "attn.result", builder.getUnitAttr());
      SmallVector<Attribute> dims;
      for (const NamedDimension &dimension : value.dimensions)
        dims.push_back(builder.getStringAttr(dimension.name));
      if (isa<ShapedType>(value.type))
        wrapper.setArgAttr(i, "attn.dims", builder.getArrayAttr(dims));
    }
    wrapper->setAttr("tile.warps", builder.getI64IntegerAttr(warps));
    wrapper->setAttr("tile.stages", builder.getI64IntegerAttr(stages));
    if (Attribute unaligned = kernel->getAttr("attn.unaligned"))
      wrapper->setAttr("attn.unaligned", unaligned);
    Block *body = wrapper.addEntryBlock();
    for (auto [from, to] : llvm::zip(kernel.getBody().getArguments(), body->getArguments().take_front(inputs)))
      arguments.map(from, to);
    builder.setInsertionPointToStart(body);
    // Constants that the kernel's text computes with (caps, windows) move into the wrapper.
    for (Operation &op : kernel.getBody().front())
      if (op.getDialect()->getNamespace() == "arith")
        builder.clone(op, arguments);
  }

  Value memoryNamed(StringRef name) {
    for (BlockArgument argument : wrapper.getArguments())
      if (wrapper.getArgAttrOfType<StringAttr>(argument.getArgNumber(), "attn.name") == name)
        return argument;
    return {};
  }

  /// The name of a result of the chain; empty if nobody asked for it.
  std::string nameOfResult(Value value) {
    auto results = resultsOf(kernel);
    for (auto [i, returned] : llvm::enumerate(kernel.getBody().front().getTerminator()->getOperands()))
      if (value && returned == value)
        return results[i].name.str();
    return {};
  }

  Value resultView(Value chainValue, int64_t columns, Type element, const SequencePart &query, Value head,
                   int64_t packed) {
    if (std::string name = nameOfResult(chainValue); !name.empty())
      return views.viewOfResult(memoryNamed(name), query, head, packed);
    return AbsentOp::create(builder, ViewType::get(kernel.getContext(), columns, element));
  }

  //===-- functions ------------------------------------------------------------===//

  func::FuncOp functionOf(FlatSymbolRefAttr name) { return symbols.lookup<func::FuncOp>(name.getValue()); }

  SmallVector<Value> mapped(ValueRange values) {
    return llvm::map_to_vector(values, [&](Value value) { return arguments.lookup(value); });
  }

  LogicalResult createFunctions() {
    TileFunctionBuilder functions(kernel->getParentOfType<ModuleOp>(), symbols);
    if (!scaleInExponent) {
      Value given = runtimeScale ? arguments.lookup(runtimeScale) : Value();
      if (given)
        links.scoreParameters.push_back(given);
      SmallVector<ScoreStep> steps;
      for (ModifyOp modify : attention.modifies) {
        steps.push_back({functionOf(modify.getByAttr()), mapped(modify.getParams())});
        llvm::append_range(links.scoreParameters, steps.back().parameters);
      }
      links.score = functions.createScore(kernel.getLoc(), given ? std::nullopt : std::optional<double>(scale), steps);
    }
    for (MaskOp mask : attention.masks) {
      SmallVector<Value> parameters = mapped(mask.getParams());
      func::FuncOp function = functions.createMask(functionOf(mask.getByAttr()), parameters);
      links.masks.push_back(FlatSymbolRefAttr::get(function));
      llvm::append_range(links.maskParameters, parameters);
    }
    links.masks.push_back(FlatSymbolRefAttr::get(kernel.getContext(), kInBounds));
    if (Value given = attention.softmax.getSink()) {
      links.sinkMemory = arguments.lookup(given);
      links.sink = functions.createSink(kernel.getLoc(), links.sinkMemory.getType());
    }
    return success();
  }

  //===-- body -----------------------------------------------------------------===//

  /// Heads of each token in the rows of a tile.
  int64_t packed() { return std::max<int64_t>(1, schedule.getPacked()); }

  Value rowsOf(Value tokens) {
    return packed() == 1 ? tokens : arith::MulIOp::create(builder, tokens, views.index(packed())).getResult();
  }

  /// Which rows a program has: the head, the sequence's number, and the first row; and which share of the keys.
  struct Work {
    Value head, batch, row, share;
  };

  /// Keys of a sequence are shared among programs, whose partial results a second step merges.
  bool isSplit() const { return shares.most > 1; }

  /// The most keys that a sequence can have, as shapes say; only asked where keys are shared.
  Value capacity() {
    Value keys = attention.scores.getKeys(), memory = arguments.lookup(tensorOf(keys, false));
    auto pages = keys.getDefiningOp<PagesOp>();
    if (!pages)
      return views.sizeOf(memory, 1);
    Value held = views.sizeOf(arguments.lookup(pages.getTable()), 1);
    return arith::MulIOp::create(builder, held, views.sizeOf(memory, 1));
  }

  PartialResults partialResults() {
    Value queries = attention.scores.getQuery(), q = arguments.lookup(tensorOf(queries, false));
    return PartialResults(builder, views,
                          {KeyShares(builder, shares).count(capacity()), views.countOf(queries), views.sizeOf(q, 1),
                           headsOf(attention.query), attention.result.getShape().back()});
  }

  /// Programs: row tiles vary fastest, so that programs that run together read the same keys; the rows with the most
  /// keys under a causal mask come first. Sequences of a packed batch have blocks one behind the other.
  Work writeProgram(Value queries, int64_t heads) {
    auto ragged = raggedOf(queries);
    Value blockQ = views.index(schedule.getBlockQ()), batches = views.countOf(queries);
    // Tokens of a block, rounded down: blocks are never too few then.
    int64_t tokens = std::max<int64_t>(1, schedule.getBlockQ() / packed());
    SmallVector<Value> extents;
    if (ragged) {
      Value total = views.sizeOf(arguments.lookup(ragged.getTensors().front()), 0);
      Value whole = arith::FloorDivSIOp::create(builder, total, views.index(tokens));
      extents = {arith::AddIOp::create(builder, whole, batches), views.index(heads / packed())};
    } else {
      Value rows = rowsOf(views.sizeOf(arguments.lookup(tensorOf(queries, false)), 1));
      extents = {arith::CeilDivUIOp::create(builder, rows, blockQ), views.index(heads / packed()), batches};
    }
    if (isSplit())
      extents.push_back(KeyShares(builder, shares).count(capacity()));
    auto program = ProgramOp::create(builder, SmallVector<Type>(extents.size(), builder.getIndexType()), extents);
    Value last = arith::SubIOp::create(builder, extents[0], views.index(1));
    Value block = arith::SubIOp::create(builder, last, program.getIds()[0]), batch;
    if (ragged) {
      auto found = LocateOp::create(builder, builder.getIndexType(), builder.getIndexType(), block,
                                    arguments.lookup(ragged.getIndptr()), tokens);
      batch = found.getBatch();
      block = found.getBlock();
    } else {
      batch = program.getIds()[2];
    }
    Value row = arith::MulIOp::create(builder, block, blockQ);
    return {program.getIds()[1], batch, row, isSplit() ? program.getIds().back() : Value()};
  }

  static RaggedOp raggedOf(Value queries) {
    while (auto at = queries.getDefiningOp<AtOp>())
      queries = at.getOf();
    return queries.getDefiningOp<RaggedOp>();
  }

  /// The parts of keys or values as one view.
  Value viewOf(ArrayRef<SequencePart> parts, bool values, Value head) {
    SmallVector<Value> all;
    Value index;
    for (const SequencePart &part : parts) {
      all.push_back(views.viewOf(part, values, head, index));
      index = index ? arith::AddIOp::create(builder, index, part.length).getResult() : part.length;
    }
    if (all.size() == 1)
      return all[0];
    return tile::ConcatOp::create(builder, all[0].getType(), all);
  }

  /// The values' own memory beside the keys' lengths.
  SmallVector<SequencePart, 1> partsOfValues(ArrayRef<SequencePart> keys, Value batch, Value batches) {
    Value values = attention.output.getValues();
    if (values == attention.scores.getKeys())
      return SmallVector<SequencePart, 1>(keys);
    auto parts = views.partsOf(values, batch, batches);
    for (auto [part, key] : llvm::zip(parts, keys))
      part.length = key.length;
    return parts;
  }

  /// A block without rows, of which a packed batch has some, walks no keys. Returns the number of keys.
  Value hideKeysOfEmptyBlock(Value row, Value rows, MutableArrayRef<SequencePart> keys,
                             MutableArrayRef<SequencePart> values) {
    Value any = arith::CmpIOp::create(builder, arith::CmpIPredicate::slt, row, rows);
    for (auto [key, value] : llvm::zip(keys, values))
      key.length = value.length = arith::SelectOp::create(builder, any, key.length, views.index(0));
    return keys.front().length;
  }

  void writeBody() {
    Value queries = attention.scores.getQuery(), keys = attention.scores.getKeys();
    int64_t heads = headsOf(attention.query), kvHeads = headsOf(attention.keys);
    Work work = writeProgram(queries, heads);
    Value kvHead = work.head;
    if (int64_t programs = heads / kvHeads / packed(); programs > 1)
      kvHead = arith::DivUIOp::create(builder, work.head, views.index(programs));

    Value batches = views.countOf(queries);
    SequencePart query = views.partsOf(queries, work.batch, batches).front();
    auto keyParts = views.partsOf(keys, work.batch, batches);
    auto valueParts = partsOfValues(keyParts, work.batch, batches);
    Value columns = keyParts.front().length;
    for (const SequencePart &part : ArrayRef(keyParts).drop_front())
      columns = arith::AddIOp::create(builder, columns, part.length);
    if (attention.scores.getAlign() == Align::End && !query.position && !query.positions)
      query.position = arith::SubIOp::create(builder, columns, query.length);
    if (raggedOf(queries))
      columns = hideKeysOfEmptyBlock(work.row, rowsOf(query.length), keyParts, valueParts);
    Value queryView = views.viewOfQuery(query, work.head, packed());
    Value keyView = viewOf(keyParts, false, kvHead), valueView = viewOf(valueParts, true, kvHead);
    if (keyParts.size() > 1)
      columns = ExtentOp::create(builder, builder.getIndexType(), keyView);
    links.query = queryView;
    links.row = work.row;
    inlineForward(work, query, {queryView, keyView, valueView}, columns);
    func::ReturnOp::create(builder);
    if (lengthsAreData(kernel))
      wrapper->setAttr("attn.lengths", builder.getUnitAttr());
    if (ArrayAttr facts = dataFactsOf(kernel); !facts.empty())
      wrapper->setAttr("attn.facts", facts);
  }

  /// The walk over all `columns` keys or a share of them, and what becomes of its results.
  void inlineForward(const Work &work, const SequencePart &query, ValueRange sequences, Value columns) {
    Value from = views.index(0), to = columns;
    if (isSplit())
      std::tie(from, to) = KeyShares(builder, shares).range(work.share, columns);
    SmallVector<Value> operands{work.row, from, to};
    llvm::append_range(operands, sequences);
    if (isSplit()) {
      auto [outputs, maxima, sums] = partialResults().of(work.share, work.batch, work.head, query.length, packed());
      operands.append({outputs, maxima, sums});
    } else {
      operands.push_back(resultView(attention.output.getOutput(), attention.result.getShape().back(),
                                    attention.result.getElementType(), query, work.head, packed()));
      operands.push_back(resultView(attention.softmax.getLse(), 1, builder.getF32Type(), query, work.head, packed()));
    }
    ScheduleInstance(*text, links, builder).inlineFunction(isSplit() ? "forward_partial" : "forward", operands);
  }

  //===-- merge ----------------------------------------------------------------===//

  /// A program of the merge: rows are all heads of some tokens, but only some columns of them, so that few rows are
  /// enough for many programs and the loads of several parts for its registers.
  struct MergeWork {
    static constexpr int64_t warps = 1, rowsOfTile = 16 * warps, mostColumns = 32;
    Value row, batch, column, length;
    int64_t columns = mostColumns;
  };

  /// The second step: rows of the result from what all shares of their sequence left of them.
  void writeMerge() {
    int64_t heads = headsOf(attention.query), headDim = attention.result.getShape().back();
    MergeWork work;
    while (headDim % work.columns)
      work.columns -= 8;
    text = parseMergeSchedule(
        {MergeWork::rowsOfTile, work.columns, attention.result.getElementType(), scaleInExponent ? scale : 1.0},
        kernel.getContext());
    assert(text && "every schedule of the library parses");
    createWrapper("_merge", MergeWork::warps, /*stages=*/1);
    wrapper->setAttr("attn.step", builder.getI64IntegerAttr(1));
    while (symbols.lookup(wrapper.getSymName())) // the user may have a kernel of that name
      wrapper.setSymName((wrapper.getSymName() + "_").str());

    Value queries = attention.scores.getQuery(), batches = views.countOf(queries);
    Value tokens = views.sizeOf(arguments.lookup(tensorOf(queries, false)), 1);
    Value rows = arith::MulIOp::create(builder, tokens, views.index(heads));
    Value blocks = arith::CeilDivUIOp::create(builder, rows, views.index(MergeWork::rowsOfTile));
    auto ids = ProgramOp::create(builder, SmallVector<Type>(3, builder.getIndexType()),
                                 ValueRange{blocks, views.index(headDim / work.columns), batches})
                   .getIds();
    work.row = arith::MulIOp::create(builder, ids[0], views.index(MergeWork::rowsOfTile));
    work.column = arith::MulIOp::create(builder, ids[1], views.index(work.columns));
    work.batch = ids[2];
    work.length = views.partsOf(queries, work.batch, batches).front().length;
    inlineMerge(work, batches);
    func::ReturnOp::create(builder);
  }

  Value columnsOf(Value view, const MergeWork &work) {
    auto type = ViewType::get(kernel.getContext(), work.columns, cast<ViewType>(view.getType()).getElement());
    if (view.getDefiningOp<AbsentOp>())
      return AbsentOp::create(builder, type);
    return ColumnsOp::create(builder, type, view, work.column);
  }

  void inlineMerge(const MergeWork &work, Value batches) {
    int64_t heads = headsOf(attention.query);
    Value none = views.index(0), all = views.partsOf(attention.scores.getKeys(), work.batch, batches).front().length;
    Value used = KeyShares(builder, shares).used(all);
    PartialResults partials = partialResults();
    links.row = work.row;
    if (Value given = attention.softmax.getSink()) {
      links.sinkMemory = arguments.lookup(given);
      links.query = partials.of(none, work.batch, none, work.length, heads).sums;
    }
    ScheduleInstance merge(*text, links, builder);
    links.written["parts"] = [&](ValueRange state) {
      SmallVector<Value> operands{none, used};
      llvm::append_range(operands, state);
      return merge.inlineFunction("stack", operands);
    };
    links.written["part"] = [&](ValueRange operands) {
      Value exists = arith::CmpIOp::create(builder, arith::CmpIPredicate::slt, operands[0], operands[1]);
      Value length = arith::SelectOp::create(builder, exists, work.length, none);
      return loadPart(partials.of(operands[0], work.batch, none, length, heads), work);
    };
    // One program of each row writes its lse.
    Value writes = arith::CmpIOp::create(builder, arith::CmpIPredicate::eq, work.column, none);
    SequencePart rows, lseRows;
    rows.batch = lseRows.batch = work.batch;
    rows.length = work.length;
    lseRows.length = arith::SelectOp::create(builder, writes, work.length, none);
    Value output = resultView(attention.output.getOutput(), attention.result.getShape().back(),
                              attention.result.getElementType(), rows, none, heads);
    Value lse = resultView(attention.softmax.getLse(), 1, builder.getF32Type(), lseRows, none, heads);
    merge.inlineFunction("merge", {work.row, columnsOf(output, work), lse});
  }

  /// (acc, m, l) of a part; rows that do not exist weigh nothing.
  SmallVector<Value> loadPart(const PartialResults::Views &part, const MergeWork &work) {
    auto types = text->lookupSymbol<func::FuncOp>("part").getFunctionType().getResults();
    auto load = [&](unsigned i, Value view, float otherwise) -> Value {
      return LoadOp::create(builder, types[i], view, work.row, llvm::APFloat(otherwise));
    };
    constexpr float lowest = std::numeric_limits<float>::lowest();
    return {load(0, columnsOf(part.outputs, work), 0), load(1, part.maxima, lowest), load(2, part.sums, 0)};
  }

  KernelOp kernel;
  Attention attention;
  ScheduleAttr schedule;
  ShareRule shares;
  ImplicitLocOpBuilder builder;
  SymbolTable symbols;
  OwningOpRef<ModuleOp> text;
  func::FuncOp wrapper;
  IRMapping arguments; ///< of the kernel to those of the wrapper
  SequenceViews views{builder, arguments};
  ScheduleLinks links;
  double scale = 1;
  Value runtimeScale;
  bool scaleInExponent = false;
};

struct ConvertAttnToTile : impl::ConvertAttnToTileBase<ConvertAttnToTile> {
  void getDependentDialects(DialectRegistry &registry) const override {
    registry.insert<TileDialect, arith::ArithDialect, memref::MemRefDialect, func::FuncDialect, scf::SCFDialect,
                    math::MathDialect>();
  }

  void runOnOperation() override {
    SmallVector<func::FuncOp> library(getOperation().getOps<func::FuncOp>());
    for (auto kernel : llvm::make_early_inc_range(getOperation().getOps<KernelOp>())) {
      auto attention = findAttention(kernel);
      if (failed(attention))
        return signalPassFailure();
      if (!kernel.getScheduleAttr() || !kernel.getScheduleAttr().getBlockQ())
        return void(kernel.emitOpError("expects a complete schedule: run choose-schedule first")), signalPassFailure();
      if (failed(KernelConversion(kernel, *attention).run()))
        return signalPassFailure();
    }
    // What kernels used stands in functions of its own now.
    for (func::FuncOp function : library)
      function.erase();
    OpBuilder builder = OpBuilder::atBlockEnd(getOperation().getBody());
    Type index = builder.getIndexType();
    auto inBounds = func::FuncOp::create(builder, getOperation().getLoc(), kInBounds,
                                         builder.getFunctionType(SmallVector<Type>(6, index), builder.getI1Type()));
    inBounds.setPrivate();
  }
};

} // namespace
} // namespace attn
