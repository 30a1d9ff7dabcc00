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
      : kernel(kernel), attention(attention), schedule(kernel.getScheduleAttr()),
        builder(kernel.getLoc(), kernel.getContext()), symbols(kernel->getParentOfType<ModuleOp>()) {}

  LogicalResult run() {
    if (failed(foldScale()))
      return failure();
    ScheduleTypes types = scheduleTypes();
    text = parseSchedule(types, kernel.getContext());
    assert(text && "every schedule of the library parses");
    createWrapper();
    if (failed(createFunctions()))
      return failure();
    writeBody();
    return success();
  }

private:
  //===-- scale ----------------------------------------------------------------===//

  /// Decides where the scale goes: into the exponent, or in front of the score functions.
  LogicalResult foldScale() {
    int64_t headDim = attention.keys.getDimSize(3);
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
    types.headDim = attention.query.getDimSize(3);
    types.headDimV = attention.values.getDimSize(3);
    types.blockQ = schedule.getBlockQ();
    types.blockKv = schedule.getBlockKv();
    types.operand = attention.query.getElementType();
    types.output = attention.result.getElementType();
    types.toExp2 = (scaleInExponent ? scale : 1.0) * 1.4426950408889634;
    return types;
  }

  //===-- wrapper --------------------------------------------------------------===//

  /// Memory as a launch passes it: any strides, but head_dim contiguous in data of rank 4.
  Type memoryType(Type type) {
    auto tensor = dyn_cast<RankedTensorType>(type);
    if (!tensor)
      return type;
    SmallVector<int64_t> strides(tensor.getRank(), ShapedType::kDynamic);
    if (isData(tensor))
      strides.back() = 1;
    auto layout = StridedLayoutAttr::get(kernel.getContext(), 0, strides);
    return MemRefType::get(tensor.getShape(), tensor.getElementType(), layout);
  }

  bool isData(RankedTensorType type) {
    return llvm::is_contained({attention.query, attention.keys, attention.values, attention.result}, type);
  }

  void createWrapper() {
    SmallVector<NamedValue> values = argumentsOf(kernel);
    size_t inputs = values.size();
    for (const NamedValue &result : resultsOf(kernel))
      if (llvm::none_of(values, [&](const NamedValue &value) { return value.name == result.name; }))
        values.push_back(result);
    SmallVector<Type> types;
    for (const NamedValue &value : values)
      types.push_back(memoryType(value.type));
    builder.setInsertionPoint(kernel);
    wrapper = func::FuncOp::create(builder, (kernel.getSymName() + ".tiles").str(), builder.getFunctionType(types, {}));
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
    wrapper->setAttr("tile.warps", builder.getI64IntegerAttr(schedule.getNumWarps()));
    wrapper->setAttr("tile.stages", builder.getI64IntegerAttr(schedule.getNumStages()));
    if (Attribute unaligned = kernel->getAttr("attn.unaligned"))
      wrapper->setAttr("attn.unaligned", unaligned);
    // A complete schedule names an overlap where products are those of warpgroups.
    if (std::optional<Overlap> overlap = schedule.getOverlap()) {
      wrapper->setAttr("tile.atom", builder.getStringAttr(stringifyAtom(Atom::wgmma_m64k16)));
      wrapper->setAttr("tile.overlap", builder.getStringAttr(stringifyOverlap(*overlap)));
    }
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

  /// Where a result of the chain goes; null if nobody asked for it.
  Value resultMemory(Value value) {
    auto results = resultsOf(kernel);
    if (!value)
      return {};
    for (auto [i, returned] : llvm::enumerate(kernel.getBody().front().getTerminator()->getOperands()))
      if (returned == value)
        return memoryNamed(results[i].name);
    return {};
  }

  Value resultView(Value chainValue, int64_t columns, Type element, Value batch, Value head, Value length) {
    if (Value memory = resultMemory(chainValue))
      return views.viewOfMemory(memory, batch, head, length, /*position=*/Value(), packed());
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

  void writeBody() {
    Value queries = attention.scores.getQuery(), keys = attention.scores.getKeys();
    int64_t heads = attention.query.getDimSize(2), kvHeads = attention.keys.getDimSize(2);

    // Programs: row tiles vary fastest, so that programs that run together read the same keys; the rows with the most
    // keys under a causal mask come first.
    Value q = views.memoryOf(queries, false);
    Value blockQ = views.index(schedule.getBlockQ());
    Value blocks = arith::CeilDivUIOp::create(builder, rowsOf(views.sizeOf(q, 1)), blockQ);
    auto program = ProgramOp::create(builder, SmallVector<Type>(3, builder.getIndexType()),
                                     ValueRange{blocks, views.index(heads / packed()), views.sizeOf(q, 0)});
    Value head = program.getIds()[1], batch = program.getIds()[2];
    Value last = arith::SubIOp::create(builder, blocks, views.index(1));
    Value block = arith::SubIOp::create(builder, last, program.getIds()[0]);
    Value row = arith::MulIOp::create(builder, block, blockQ);
    Value kvHead = head;
    if (int64_t programs = heads / kvHeads / packed(); programs > 1)
      kvHead = arith::DivUIOp::create(builder, head, views.index(programs));

    Value tokens = views.lengthOf(queries, batch), columns = views.lengthOf(keys, batch);
    Value position, rows = rowsOf(tokens);
    if (attention.scores.getAlign() == Align::End)
      position = arith::SubIOp::create(builder, columns, tokens);
    Value queryView = views.viewOf(queries, false, batch, head, rows, position, packed());
    Value keyView = views.viewOf(keys, false, batch, kvHead, columns);
    Value valueView = views.viewOf(attention.output.getValues(), true, batch, kvHead, columns);
    Value outView = resultView(attention.output.getOutput(), attention.result.getDimSize(3),
                               attention.result.getElementType(), batch, head, rows);
    Value lseView = resultView(attention.softmax.getLse(), 1, builder.getF32Type(), batch, head, rows);
    links.query = queryView;
    links.row = row;
    ScheduleInstance(*text, links, builder)
        .inlineFunction("forward", {row, views.index(0), columns, queryView, keyView, valueView, outView, lseView});
    func::ReturnOp::create(builder);
    if (lengthsAreData(kernel))
      wrapper->setAttr("attn.lengths", builder.getUnitAttr());
    if (ArrayAttr facts = dataFactsOf(kernel); !facts.empty())
      wrapper->setAttr("attn.facts", facts);
    StringAttr name = kernel.getSymNameAttr();
    symbols.erase(kernel);
    wrapper.setSymNameAttr(name);
  }

  KernelOp kernel;
  Attention attention;
  ScheduleAttr schedule;
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
