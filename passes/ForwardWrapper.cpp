// SPDX-License-Identifier: Apache-2.0
// Attention as steps of a kernel: which rows and keys a program has, and the text of a walk over them.
#include "passes/ForwardWrapper.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Matchers.h"
#include "passes/ChooseSchedule.h"
#include "passes/DataFacts.h"
#include "passes/GatherColumns.h"
#include "passes/KernelWrapper.h"
#include "passes/KeyShares.h"
#include "passes/RowStatistics.h"
#include "passes/ScheduleInstance.h"
#include "passes/ScheduleText.h"
#include "passes/StreamShares.h"
#include "passes/SumsWrapper.h"
#include "passes/TileFunctions.h"

using namespace mlir;
using namespace attn::tile;

namespace attn {

ScoreScale scoreScaleOf(const Attention &attention) {
  int64_t headDim = attention.keys.getShape().back();
  ScoreScale scale{1.0 / std::sqrt(static_cast<double>(headDim)), Value(), false};
  ScoresOp scores = attention.scores;
  FloatAttr constant;
  if (Value given = scores.getScale()) {
    if (matchPattern(given, m_Constant(&constant)))
      scale.factor = constant.getValueAsDouble();
    else
      scale.given = given;
  }
  scale.inExponent = !scale.given && scale.factor > 0 && attention.modifies.empty();
  return scale;
}

namespace {

StringRef scheduleOf(Walk walk) {
  switch (walk) {
  case Walk::Forward:
    return "forward";
  case Walk::Statistics:
    return "statistics";
  case Walk::Weighted:
    return "weighted";
  case Walk::Sums:
    return "sums";
  }
  llvm_unreachable("every walk has a schedule");
}

/// The schedule of a forward walk has the kernel's own name behind its own, since it may be all of the kernel.
std::string suffixOf(Walk walk, size_t number) {
  if (walk == Walk::Forward)
    return ".tiles";
  return ("_" + scheduleOf(walk) + (number ? Twine(number + 1) : Twine())).str();
}

/// Whether a walk has values, and with them a second product.
bool hasValues(Walk walk) { return walk == Walk::Forward || walk == Walk::Weighted; }

/// Where keys are loaded without values, those of the next step come into a buffer of their own.
int64_t stagesOf(Walk walk, ScheduleAttr schedule) {
  return hasValues(walk) ? schedule.getNumStages() : std::max<int64_t>(2, schedule.getNumStages());
}

class ForwardWrapper {
public:
  ForwardWrapper(Walk walk, size_t number, KernelOp kernel, const Attention &attention, SymbolTable &symbols)
      : walk(walk), number(number), attention(attention), schedule(kernel.getScheduleAttr()),
        scale(scoreScaleOf(attention)), symbols(symbols),
        wrapper(kernel, symbols, suffixOf(walk, number), schedule.getNumWarps(), stagesOf(walk, schedule)) {}

  func::FuncOp write() {
    text = parseSchedule(scheduleOf(walk), scheduleTypes(), builder.getContext());
    assert(text && "every schedule of the library parses");
    // A complete schedule names an overlap where products are those of warpgroups.
    if (std::optional<Overlap> overlap = schedule.getOverlap()) {
      wrapper.function->setAttr("tile.atom", builder.getStringAttr(stringifyAtom(Atom::wgmma_m64k16)));
      wrapper.function->setAttr("tile.overlap",
                                builder.getStringAttr(stringifyOverlap(hasValues(walk) ? *overlap : Overlap::None)));
      wrapper.function->setAttr("tile.distribution", builder.getStringAttr("persistent"));
    }
    if ((!attention.masks.empty() || selection()) && hasRoomForList())
      wrapper.function->setAttr("tile.lists", builder.getUnitAttr());
    if (walk != Walk::Sums && mayGatherColumns(attention)) // cells are those of neighbouring columns
      wrapper.function->setAttr("tile.gather", builder.getUnitAttr());
    createFunctions();
    writeBody();
    return wrapper.function;
  }

private:
  /// Whether shared memory has room for a list of tiles beside the tiles themselves.
  bool hasRoomForList() {
    auto module = attention.scores->getParentOfType<ModuleOp>();
    FailureOr<Target> target = module->hasAttr(targetAttrName) ? targetOf(module) : FailureOr<Target>();
    if (failed(target))
      return false;
    int64_t bytes = costOf(shapeOf(attention), tilesOf(schedule), *target).sharedBytes;
    return bytes + sharedBytesOfList(mostListedTiles) <= target->sharedPerProgram;
  }

  ScheduleTypes scheduleTypes() {
    ScheduleTypes types;
    types.headDim = attention.query.getShape().back();
    types.headDimV = attention.values.getShape().back();
    types.blockQ = schedule.getBlockQ();
    types.blockKv = schedule.getBlockKv();
    types.operand = attention.query.getElementType();
    types.output = attention.result ? attention.result.getElementType() : types.operand;
    types.scale = scale.inExponent ? scale.factor : 1.0;
    return types;
  }

  //===-- functions ------------------------------------------------------------===//

  func::FuncOp functionOf(FlatSymbolRefAttr name) { return symbols.lookup<func::FuncOp>(name.getValue()); }

  void createFunctions() {
    TileFunctionBuilder functions(wrapper.kernel->getParentOfType<ModuleOp>(), symbols);
    if (!scale.inExponent)
      createScore(functions);
    if (!attention.reweights.empty() && hasValues(walk))
      createReweigh(functions);
    for (MaskOp mask : attention.masks)
      createMask(functions, mask.getByAttr(), mask.getParams());
    if (SumsOp sums = selection())
      createMask(functions, sums.getByAttr(), sums.getParams());
    links.masks.push_back(FlatSymbolRefAttr::get(builder.getContext(), kInBounds));
    // Where a second step merges what programs leave, the sink counts there.
    if (Value given = attention.softmax.getSink();
        given && !leavesPartials() && (walk == Walk::Forward || walk == Walk::Statistics)) {
      links.sinkMemory = wrapper.of(given);
      links.sink = functions.createSink(builder.getLoc(), links.sinkMemory.getType());
    }
  }

  void createMask(TileFunctionBuilder &functions, FlatSymbolRefAttr by, ValueRange params) {
    SmallVector<Value> parameters = wrapper.of(params);
    links.masks.push_back(FlatSymbolRefAttr::get(functions.createMask(functionOf(by), parameters)));
    llvm::append_range(links.maskParameters, parameters);
  }

  /// Sums whose function hides what does not count, as a mask would: that of this walk, or where nobody else asks for
  /// statistics, of the one that they are for, if it leaves out whole rows.
  SumsOp selection() {
    if (walk == Walk::Sums)
      return SumsOp(attention.sums[number]).getByAttr() ? attention.sums[number] : SumsOp();
    bool alone = walk == Walk::Statistics && !attention.output && !attention.softmax.getLse() &&
                 attention.sums.size() == 1 && countsRows(attention.sums.front());
    return alone ? attention.sums.front() : SumsOp();
  }

  void createScore(TileFunctionBuilder &functions) {
    Value given = scale.given ? wrapper.of(scale.given) : Value();
    if (given)
      links.scoreParameters.push_back(given);
    SmallVector<ScoreStep> steps;
    for (ModifyOp modify : attention.modifies) {
      steps.push_back({functionOf(modify.getByAttr()), wrapper.of(modify.getParams())});
      llvm::append_range(links.scoreParameters, steps.back().parameters);
    }
    links.score =
        functions.createScore(builder.getLoc(), given ? std::nullopt : std::optional<double>(scale.factor), steps);
  }

  void createReweigh(TileFunctionBuilder &functions) {
    SmallVector<ScoreStep> steps;
    for (ReweightOp reweight : attention.reweights) {
      steps.push_back({functionOf(reweight.getByAttr()), wrapper.of(reweight.getParams())});
      llvm::append_range(links.reweighParameters, steps.back().parameters);
    }
    links.reweigh = functions.createReweigh(builder.getLoc(), steps, /*byFactors=*/walk == Walk::Forward);
  }

  //===-- programs -------------------------------------------------------------===//

  /// Heads of each token in the rows of a tile.
  int64_t packed() {
    // Sums of a tile's columns are those of one head.
    return walk == Walk::Sums ? 1 : std::max<int64_t>(1, schedule.getPacked());
  }

  Value rowsOf(Value tokens) {
    return packed() == 1 ? tokens : arith::MulIOp::create(builder, tokens, views.index(packed())).getResult();
  }

  /// Which rows a program has: the head, the sequence's number, and the first row; and which share of the keys, or
  /// which segment of the line of all tiles.
  struct Work {
    Value head, batch, row, share;
    StreamShares::Segment segment;
    Value slot;
  };

  /// Keys of a sequence are shared among programs, whose partial results a second step merges.
  bool isSplit() const { return walk == Walk::Forward && shares.most > 1; }
  /// Programs take equal shares of the tiles of all keys.
  bool isStream() const { return walk == Walk::Forward && streamRuleOf(wrapper.kernel).programs > 0; }
  bool leavesPartials() const { return isSplit() || isStream(); }

  /// Programs: row tiles vary fastest, so that programs that run together read the same keys; the rows with the most
  /// keys under a causal mask come first. Sequences of a packed batch have blocks one behind the other.
  Work writeProgram(Value queries, int64_t heads) {
    RaggedOp packing = packingOf(queries);
    Value blockQ = views.index(schedule.getBlockQ()), batches = views.countOf(queries);
    SmallVector<Value> extents;
    if (packing) {
      extents = {views.blocksOf(packing, schedule.getBlockQ(), packed()), views.index(heads / packed())};
    } else {
      Value rows = rowsOf(views.sizeOf(wrapper.of(tensorOf(queries, false)), 1));
      extents = {arith::CeilDivUIOp::create(builder, rows, blockQ), views.index(heads / packed()), batches};
    }
    if (isSplit())
      extents.push_back(countOfShares(wrapper, attention));
    ValueRange ids = wrapper.programs(extents);
    Value last = arith::SubIOp::create(builder, extents[0], views.index(1));
    Value block = arith::SubIOp::create(builder, last, ids[0]), batch;
    if (packing) {
      auto found = views.locate(packing, block, schedule.getBlockQ(), packed());
      batch = found.getBatch();
      block = found.getBlock();
    } else {
      batch = ids[2];
    }
    Value row = arith::MulIOp::create(builder, block, blockQ);
    return {ids[1], batch, row, isSplit() ? ids.back() : Value(), {}, {}};
  }

  /// A fixed grid, and in each program a loop over what it has of one item after the other.
  void writeStream() {
    stream.emplace(wrapper, attention);
    Value program = wrapper.programs(stream->programs()).front();
    auto [from, to] = stream->range(stream->plan(), program);
    // Few tiles are not shared out to all.
    LeaveOp::create(builder, arith::CmpIOp::create(builder, arith::CmpIPredicate::sge, from, to));
    stream->forEachSegment(from, to, [&, program = program](const StreamShares::Segment &segment) {
      Value row = arith::MulIOp::create(builder, segment.block, views.index(schedule.getBlockQ()));
      Value slot = arith::AddIOp::create(builder, program, segment.item);
      writeItem({segment.head, segment.batch, row, Value(), segment, slot});
    });
  }

  //===-- rows and keys ----------------------------------------------------------===//

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
    Value values = attention.output ? attention.output.getValues() : attention.scores.getKeys();
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
    if (isStream())
      writeStream();
    else
      writeItem(writeProgram(attention.scores.getQuery(), headsOf(attention.query)));
    func::ReturnOp::create(builder);
    if (lengthsAreData(wrapper.kernel))
      wrapper.function->setAttr("attn.lengths", builder.getUnitAttr());
  }

  void writeItem(const Work &work) {
    Value queries = attention.scores.getQuery(), keys = attention.scores.getKeys();
    int64_t heads = headsOf(attention.query), kvHeads = headsOf(attention.keys);
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
    if (packingOf(queries) && !isStream())
      columns = hideKeysOfEmptyBlock(work.row, rowsOf(query.length), keyParts, valueParts);
    Value queryView = views.viewOfQuery(query, work.head, packed());
    SmallVector<Value> sequences{queryView, viewOf(keyParts, false, kvHead)};
    Value keyView = sequences.back();
    if (hasValues(walk))
      sequences.push_back(viewOf(valueParts, true, kvHead));
    if (leavesPartials())
      columns = views.lengthInTiles(keyParts, isStream() ? streamRuleOf(wrapper.kernel).granule : shares.granule);
    else if (keyParts.size() > 1)
      columns = ExtentOp::create(builder, builder.getIndexType(), keyView);
    links.query = queryView;
    links.row = work.row;
    if (walk == Walk::Forward)
      inlineForward(work, query, sequences, columns);
    else
      inlineWithStatistics(work, query, sequences, columns);
  }

  /// The walk over all `columns` keys or a share of them, and what becomes of its results.
  void inlineForward(const Work &work, const SequencePart &query, ValueRange sequences, Value columns) {
    Value from = views.index(0), to = columns;
    if (isSplit()) {
      std::tie(from, to) = KeyShares(builder, shares).range(work.share, columns);
      // The grid has as many shares as there can be. The merge asks for none of those without keys.
      LeaveOp::create(builder, arith::CmpIOp::create(builder, arith::CmpIPredicate::sge, from, to));
    }
    if (isStream()) {
      Value step = views.index(streamRuleOf(wrapper.kernel).granule);
      from = arith::MulIOp::create(builder, work.segment.firstTile, step);
      to = arith::MinSIOp::create(builder, arith::MulIOp::create(builder, work.segment.endTile, step), columns);
    }
    SmallVector<Value> operands{work.row, from, to};
    llvm::append_range(operands, sequences);
    if (isStream()) {
      Value rows = stream->rowsOfBlock(query.length, work.segment.block);
      auto [outputs, maxima, sums] = stream->slot(work.slot, rows);
      operands.append({views.index(0), outputs, maxima, sums});
    } else if (isSplit()) {
      PartialResults partials = partialResultsOf(wrapper, attention);
      auto [outputs, maxima, sums] = partials.of(work.share, query, work.head, packed());
      operands.append({partials.rowOf(query, work.row, packed()), outputs, maxima, sums});
    } else {
      operands.push_back(outputView(work, query));
      operands.push_back(lseView(work, query));
    }
    ScheduleInstance(*text, links, builder).inlineFunction(leavesPartials() ? "forward_partial" : "forward", operands);
  }

  Value outputView(const Work &work, const SequencePart &query) {
    RankedTensorType result = attention.result;
    auto absent = ViewType::get(builder.getContext(), result.getShape().back(), result.getElementType());
    return wrapper.resultView(attention.output.getOutput(), absent, query, work.head, packed());
  }

  /// Where an lse goes: statistics have it too, and write it if no forward walk does.
  Value lseView(const Work &work, const SequencePart &query) {
    auto absent = ViewType::get(builder.getContext(), 1, builder.getF32Type());
    if (walk == Walk::Statistics && attention.output && !attention.changesKnownWeights)
      return AbsentOp::create(builder, absent);
    return wrapper.resultView(attention.softmax.getLse(), absent, query, work.head, packed());
  }

  /// A walk that writes statistics, or reads them: sequences are those of query and keys, and of values if it has any.
  void inlineWithStatistics(const Work &work, const SequencePart &query, ValueRange sequences, Value columns) {
    RowStatistics statistics(wrapper, attention);
    auto [maxima, largest] = statistics.of(query, work.head, packed());
    SmallVector<Value> operands{work.row, views.index(0), columns};
    llvm::append_range(operands, sequences);
    operands.append({statistics.rowOf(query, work.row, packed()), maxima, largest});
    if (walk == Walk::Statistics)
      operands.push_back(lseView(work, query));
    else if (walk == Walk::Weighted)
      operands.push_back(outputView(work, query));
    else
      linkTally(work, sequences);
    ScheduleInstance(*text, links, builder).inlineFunction(scheduleOf(walk), operands);
  }

  /// What becomes of weights: those of a column or distance are added to its cell.
  void linkTally(const Work &work, ValueRange sequences) {
    Value cells = cellsOfSums(wrapper, attention, number);
    Value before = arith::MulIOp::create(builder, work.batch, views.index(headsOf(attention.query)));
    Value row = arith::AddIOp::create(builder, before, work.head), query = sequences[0], keys = sequences[1];
    SumsPer per = SumsOp(attention.sums[number]).getPer() == Per::Key ? SumsPer::key : SumsPer::distance;
    links.written["tally"] = [=, this, firstRow = work.row](ValueRange given) -> SmallVector<Value> {
      TallyOp::create(builder, given[0], cells, row, per, query, firstRow, keys, given[1]);
      return {};
    };
  }

  Walk walk;
  size_t number;
  Attention attention;
  ScheduleAttr schedule;
  ScoreScale scale;
  SymbolTable &symbols;
  KernelWrapper wrapper;
  ImplicitLocOpBuilder &builder{wrapper.builder};
  SequenceViews &views{wrapper.views};
  ShareRule shares{shareRuleOf(wrapper.kernel)};
  std::optional<StreamShares> stream;
  OwningOpRef<ModuleOp> text;
  ScheduleLinks links;
};

} // namespace

func::FuncOp writeWalk(Walk walk, KernelOp kernel, const Attention &attention, SymbolTable &symbols, size_t number) {
  return ForwardWrapper(walk, number, kernel, attention, symbols).write();
}

} // namespace attn
