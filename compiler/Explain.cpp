// SPDX-License-Identifier: Apache-2.0
// attnc --explain: the chosen schedule, the tiles it visits and what they cost, in words and numbers.
#include "compiler/Explain.h"
#include "compiler/Compiler.h"
#include "compiler/ExplainInputs.h"
#include "compiler/ExplainText.h"
#include "compiler/Sizes.h"
#include "compiler/TileSurvey.h"
#include "dialect/AttnNames.h"
#include "dialect/Tile.h"
#include "mlir/Parser/Parser.h"
#include "passes/ChooseSchedule.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;

namespace attn {
namespace {

/// One kernel at the three stages that an explanation looks at.
struct Stages {
  KernelOp spec;
  func::FuncOp walking; ///< on tiles, with all masks
  func::FuncOp trimmed; ///< on tiles, with what trim-walks left of them
};

class KernelExplanation {
public:
  KernelExplanation(const Stages &stages, const Target &target, const llvm::StringMap<int64_t> &sizes,
                    const ExplainInputs &inputs, StringRef kernelFile, llvm::raw_ostream &out)
      : stages(stages), target(target), sizes(sizes), inputs(inputs), kernelFile(kernelFile), out(out) {}

  /// The kernel compiles, so nothing can fail here.
  void print() {
    KernelContent content = *contentOf(stages.spec);
    printKernel();
    if (content.steps.size() > 1 || !content.attention)
      printSteps(content);
    if (!content.attention) {
      printMemory(leastBytes());
      return printCode();
    }
    attention = *content.attention;
    shape = shapeOf(attention);
    choice = *chooseSchedule(stages.spec, shape, target);
    printSchedule();
    printFunctions();
    printAssumptions();
    ScalarEvaluator evaluator = evaluatorWithSizes();
    auto surveyed = surveyTiles(stages.trimmed, evaluator);
    if (auto *why = std::get_if<std::string>(&surveyed)) {
      out << "tiles      " << *why << "\n";
    } else {
      survey = std::get<TileSurvey>(std::move(surveyed));
      printTiles();
      printCosts();
    }
    printCode();
  }

private:
  //===-- the choice -----------------------------------------------------------===//

  void printKernel() {
    out << "kernel     @" << stages.spec.getSymName() << " for " << target.chip;
    for (const NamedDimension &dimension : dynamicDimensions())
      out << ", " << dimension.name << " = " << dimension.size;
    out << "\n";
  }

  void printSteps(const KernelContent &content) {
    out << "steps      "
        << llvm::join(llvm::map_range(content.steps,
                                      [](Operation *step) -> std::string {
                                        return isa<AppendOp>(step)   ? "append"
                                               : isa<SelectOp>(step) ? "select"
                                               : isa<MergeOp>(step)  ? "merge"
                                                                     : "attention";
                                      }),
                      ", then ")
        << "\n";
  }

  /// What has no products has no other floor.
  void printMemory(double bytes) {
    out << "memory     at least " << quantity(bytes, "B") << " (each tensor once)\n";
    out << "floor      " << duration(bytes / double(target.hbmBytesPerSecond)) << "\n";
  }

  void printSchedule() {
    const Tiles &tiles = choice.tiles;
    const Cost &cost = choice.cost;
    StringRef name = choice.programs ? "stream_k" : shape.decode ? "decode" : "prefill";
    out << "schedule   " << name << ", block_q = " << tiles.blockQ << ", block_kv = " << tiles.blockKv
        << ", num_stages = " << tiles.numStages << ", num_warps = " << tiles.numWarps;
    if (shape.decode && !choice.programs)
      out << ", num_splits = " << choice.numSplits;
    if (choice.numSplits > 1)
      out << " of " << choice.leastKeys << " keys or more";
    if (tiles.packed > 1)
      out << ", packed = " << tiles.packed;
    if (choice.programs)
      out << "\n           at most " << choice.programs << " programs take equal shares of the tiles of all sequences; "
          << "where a sequence is cut depends on the others";
    out << "\n           " << describe(choice.origin) << "\n";
    out << "program    " << 32 * tiles.numWarps << " threads, " << cost.sharedBytes << " bytes of shared memory of "
        << target.sharedPerProgram << ", about " << cost.registers << " registers per thread of "
        << target.registersPerThread << ": " << cost.programsPerSm << " per SM\n";
    if (!fitsRegisters(cost, target, /*withSpills=*/false))
      out << "           the registers beyond that are spilled, as the schedule of the kernel asks\n";
    out << llvm::formatv(
        "model      {0:F0} clocks a tile: products {1:F0}, softmax {2:F0}, shared memory {3:F0}, loads "
        "{4:F0}, stalls {5:F0}\n",
        cost.tileClocks, cost.matrixClocks, cost.softmaxClocks, cost.sharedClocks, cost.loadClocks, cost.latencyClocks);
  }

  static StringRef describe(Origin origin) {
    switch (origin) {
    case Origin::Given:
      return "as the kernel says";
    case Origin::Tuned:
      return "a tuned row of the table for these head dimensions";
    case Origin::Model:
      return "the cheapest candidate of the cost model";
    }
    llvm_unreachable("three origins");
  }

  /// The dynamic dimensions with their sizes, each once.
  SmallVector<NamedDimension> dynamicDimensions() {
    SmallVector<NamedDimension> all;
    auto values = argumentsOf(stages.spec);
    llvm::append_range(values, resultsOf(stages.spec));
    for (const NamedValue &value : values)
      for (const NamedDimension &dimension : value.dimensions)
        if (dimension.isDynamic() &&
            llvm::none_of(all, [&](const NamedDimension &other) { return other.name == dimension.name; }))
          all.push_back({dimension.name, sizes.lookup(dimension.name)});
    return all;
  }

  //===-- functions ------------------------------------------------------------===//

  void printFunctions() {
    for (ModifyOp modify : attention.modifies)
      out << "score      " << describeFunction(stages.spec, modify.getByAttr()) << "\n";
    for (ReweightOp reweight : attention.reweights)
      out << "weight     " << describeFunction(stages.spec, reweight.getByAttr()) << "\n";
    tile::MaskOp walking;
    stages.walking.walk([&](tile::MaskOp op) { walking = op; });
    llvm::SmallPtrSet<Attribute, 8> evaluated;
    stages.trimmed.walk([&](tile::MaskOp op) {
      for (auto by : op.getBy().getAsRange<FlatSymbolRefAttr>()) {
        // Where listed keys are gathered, a mask has two parts.
        auto function = SymbolTable::lookupNearestSymbolFrom<func::FuncOp>(op, by);
        auto whole = function ? function->getAttrOfType<FlatSymbolRefAttr>("tile.part_of") : FlatSymbolRefAttr();
        evaluated.insert(whole ? whole : by);
      }
    });
    if (!walking)
      return;
    // The list of tile.mask has the kernel's masks in their order, then what sums leave out, then @in_bounds.
    for (auto [i, by] : llvm::enumerate(walking.getBy().getAsRange<FlatSymbolRefAttr>())) {
      bool left = evaluated.contains(by);
      std::string text = i < attention.masks.size()         ? describeMask(stages.walking, by, attention.masks[i])
                         : by.getValue() == tile::kInBounds ? std::string("the key exists")
                                                            : std::string("the weight is summed");
      std::string name = i < attention.masks.size() ? describeFunction(stages.spec, attention.masks[i].getByAttr())
                                                    : ("@" + by.getValue()).str();
      auto [whole, terms] = StringRef(text).split('\n');
      out << "mask       " << name << ": " << whole
          << (left ? "" : "; never evaluated, as the rest implies it or no tile needs it") << "\n"
          << terms << (terms.empty() ? "" : "\n");
    }
  }

  //===-- tiles ----------------------------------------------------------------===//

  ScalarEvaluator evaluatorWithSizes() {
    ScalarEvaluator evaluator;
    func::FuncOp function = stages.trimmed;
    llvm::StringSet<> lengths = lengthTensors();
    for (BlockArgument argument : function.getArguments()) {
      auto names = function.getArgAttrOfType<ArrayAttr>(argument.getArgNumber(), "attn.dims");
      if (auto type = dyn_cast<MemRefType>(argument.getType()); type && names) {
        SmallVector<int64_t> all;
        for (auto [size, dimension] : llvm::zip(type.getShape(), names.getAsRange<StringAttr>()))
          all.push_back(ShapedType::isDynamic(size) ? sizes.lookup(dimension.getValue()) : size);
        evaluator.setSizes(argument, all);
      } else if (sizes.contains(nameOf(function, argument))) {
        evaluator.set(argument, sizes.lookup(nameOf(function, argument)));
      }
    }
    // An integer tensor has one value everywhere if --sizes gives it one; lengths that are not given are full.
    evaluator.setReader([this, lengths = std::move(lengths),
                         function](Value memref, ArrayRef<int64_t> indices) -> std::optional<int64_t> {
      auto argument = dyn_cast<BlockArgument>(memref);
      if (!argument || argument.getOwner() != &function->getRegion(0).front())
        return std::nullopt;
      auto name = function->getAttrOfType<ArrayAttr>("arg_attrs")[argument.getArgNumber()];
      StringRef text = cast<StringAttr>(cast<DictionaryAttr>(name).get("attn.name")).getValue();
      if (inputs.arrays.count(text.str()))
        return inputs.read(text, indices);
      if (sizes.contains(text))
        return sizes.lookup(text);
      return lengths.contains(text) ? std::optional<int64_t>(std::numeric_limits<int32_t>::max()) : std::nullopt;
    });
    return evaluator;
  }

  static StringRef nameOf(func::FuncOp function, BlockArgument argument) {
    auto name = function.getArgAttrOfType<StringAttr>(argument.getArgNumber(), "attn.name");
    return name ? name.getValue() : StringRef();
  }

  llvm::StringSet<> lengthTensors() {
    llvm::StringSet<> names;
    stages.spec.walk([&](DenseOp dense) {
      if (auto argument = dyn_cast_or_null<BlockArgument>(dense.getLens()))
        names.insert(stages.spec.argName(argument.getArgNumber()));
    });
    return names;
  }

  void printAssumptions() {
    for (const auto &entry : lengthTensors())
      if (!sizes.contains(entry.getKey()) && !inputs.arrays.count(entry.getKey().str()))
        out << "lengths    '" << entry.getKey() << "' taken to be all that the tensors hold\n";
  }

  void printTiles() {
    int64_t full = survey.count(TileClass::Full), masked = survey.count(TileClass::Masked),
            skipped = survey.count(TileClass::Skipped);
    int64_t resident = std::max<int64_t>(1, choice.cost.programsPerSm * target.sms);
    out << "grid       " << survey.programs << " programs ("
        << llvm::join(llvm::map_range(survey.grid, [](int64_t n) { return std::to_string(n); }), " x ")
        << llvm::formatv("), {0} at once: {1:F2} waves\n", resident, double(survey.programs) / double(resident));
    out << "tiles      " << full << " full, " << masked << " masked, " << skipped << " skipped, of " << survey.blockQ
        << " x " << survey.blockKv << "\n";
    printPicture(survey, out);
  }

  //===-- costs ----------------------------------------------------------------===//

  struct Work {
    double visitedFlops = 0; ///< what matrix instructions compute, padding included
    double allFlops = 0;     ///< of every pair that exists, hidden or not
    double exponentials = 0;
    double visited = 0;    ///< tiles
    double longest = 0;    ///< most tiles that one program visits
    double leastBytes = 0; ///< every argument and result once
    double movedBytes = 0; ///< queries, keys and values into multiprocessors, results out of them
  };

  Work work() {
    Work total;
    double qk = shape.headDimQk, v = shape.headDimV;
    double resultBytes = (attention.result ? v * bytesOf(attention.result) : 0) + (attention.softmax.getLse() ? 4 : 0);
    double tileScores = double(survey.blockQ) * double(survey.blockKv);
    for (const RowTiles &row : survey.rows) {
      double keys = 0, visited = 0;
      for (auto [i, kind] : llvm::enumerate(row.tiles)) {
        if (kind == TileClass::Skipped)
          continue;
        keys += std::min<int64_t>(survey.blockKv, row.keys - int64_t(i) * survey.blockKv);
        ++visited;
      }
      double times = survey.repeats;
      total.visited += times * visited;
      total.longest = std::max(total.longest, visited);
      total.movedBytes += times * (row.rows * qk * 2 + keys * (qk + v) * 2 + row.rows * resultBytes);
      total.allFlops += times * 2 * double(row.rows) * double(row.keys) * (qk + v);
    }
    total.visitedFlops =
        total.visited * 2 * tileScores * (paddedHeadDim(shape.headDimQk) + paddedHeadDim(shape.headDimV));
    total.exponentials = total.visited * tileScores;
    total.leastBytes = leastBytes();
    return total;
  }

  static int64_t bytesOf(ShapedType type) { return (type.getElementTypeBitWidth() + 7) / 8; }

  double leastBytes() {
    double bytes = 0;
    auto values = argumentsOf(stages.spec);
    llvm::append_range(values, resultsOf(stages.spec));
    for (const NamedValue &value : values) {
      auto type = dyn_cast<RankedTensorType>(value.type);
      if (!type)
        continue;
      double size = bytesOf(type);
      for (const NamedDimension &dimension : value.dimensions)
        size *= dimension.isDynamic() ? sizes.lookup(dimension.name) : dimension.size;
      bytes += size;
    }
    return bytes;
  }

  void printCosts() {
    Work total = work();
    out << "work       " << quantity(total.visitedFlops, "FLOP") << " in visited tiles ("
        << quantity(total.allFlops, "FLOP") << " without masks), " << quantity(total.exponentials, " exponentials")
        << "\n";
    out << "memory     at least " << quantity(total.leastBytes, "B") << " (each tensor once); this schedule moves "
        << quantity(total.movedBytes, "B") << " between L2 and programs\n";
    double intensity = total.leastBytes > 0 ? total.visitedFlops / total.leastBytes : 0;
    out << llvm::formatv("intensity  {0:F1} FLOP per byte, the ridge of {1} is {2:F1}: {3}\n", intensity, target.chip,
                         target.ridge(), intensity < target.ridge() ? "bound by memory" : "bound by arithmetic");
    double products = total.visitedFlops / double(target.matrixFlopsPerSecond);
    double exponentials = total.exponentials / (double(target.sms * target.exp2PerClock) * double(target.clockHz));
    double memory = total.leastBytes / double(target.hbmBytesPerSecond);
    out << "floor      " << duration(std::max({products, exponentials, memory})) << " (products " << duration(products)
        << ", exponentials " << duration(exponentials) << ", memory " << duration(memory) << "); the model expects "
        << duration(std::max(memory, expectedSeconds(total))) << "\n";
  }

  /// What the model says of the time in multiprocessors: all of them work on tiles, but on none longer than one program
  /// takes by itself.
  double expectedSeconds(const Work &total) {
    double busy = std::min<double>(double(survey.programs), double(target.sms));
    double tiles = busy > 0 ? std::max(total.visited / busy, total.longest) : 0;
    return tiles * choice.cost.tileClocks / double(target.clockHz);
  }

  //===-- code -----------------------------------------------------------------===//

  void printCode() {
    for (const EntryCode &entry : entriesOf(kernelFile))
      if (belongs(entry.name))
        out << "code       ."
            << "entry " << entry.name << ": " << entry.bytes << " bytes of PTX, " << entry.instructions
            << " instructions, " << entry.matrixInstructions << " of them matrix products\n";
  }

  /// Alternatives of a step are named by the kernel and what they ask for.
  bool belongs(StringRef entry) {
    return entry.consume_front(stages.spec.getSymName()) && (entry.empty() || entry.starts_with("_"));
  }

  Stages stages;
  const Target &target;
  const llvm::StringMap<int64_t> &sizes;
  const ExplainInputs &inputs;
  StringRef kernelFile;
  llvm::raw_ostream &out;
  Attention attention;
  KernelShape shape;
  Choice choice;
  TileSurvey survey;
};

/// The IR of a spec after a pass, in the given context.
llvm::Expected<OwningOpRef<ModuleOp>> irAfter(StringRef pass, StringRef text, StringRef fileName, StringRef target,
                                              MLIRContext &context) {
  CompileOptions options;
  options.target = target.str();
  options.printAfter = pass.str();
  auto printed = compileSpec(text, fileName, options);
  if (!printed)
    return printed.takeError();
  OwningOpRef<ModuleOp> module = parseSourceString<ModuleOp>(*printed, &context);
  assert(module && "the IR after every pass parses");
  return module;
}

llvm::Error errorOf(ArrayRef<std::string> faults) {
  return llvm::createStringError(llvm::inconvertibleErrorCode(), "%s",
                                 ("error: " + llvm::join(faults, "\nerror: ")).c_str());
}

} // namespace

llvm::Expected<std::string> explainSpec(StringRef text, StringRef fileName, StringRef targetName, StringRef sizesText,
                                        const std::map<std::string, std::string> &files) {
  MLIRContext context(compilerDialects(), MLIRContext::Threading::DISABLED);
  auto spec = parseSpec(text, fileName, context);
  if (!spec)
    return spec.takeError();
  SmallVector<KernelOp> kernels((*spec)->getOps<KernelOp>());
  SmallVector<std::string> faults;
  ExplainInputs inputs = readExplainInputs(files, kernels, faults);
  llvm::StringMap<int64_t> sizes = parseSizes(sizesText, kernels, inputs.sizes, faults);
  if (!faults.empty())
    return errorOf(faults);
  auto walking = irAfter("convert-attn-to-tile", text, fileName, targetName, context);
  if (!walking)
    return walking.takeError();
  auto trimmed = irAfter("trim-walks", text, fileName, targetName, context);
  if (!trimmed)
    return trimmed.takeError();
  CompileOptions options;
  options.target = targetName.str();
  auto ptx = compileSpec(text, fileName, options);
  if (!ptx)
    return ptx.takeError();

  std::string result;
  llvm::raw_string_ostream out(result);
  for (KernelOp kernel : kernels) {
    StringRef name = kernel.getSymName();
    Stages stages{kernel, (*walking)->lookupSymbol<func::FuncOp>(name), (*trimmed)->lookupSymbol<func::FuncOp>(name)};
    KernelExplanation(stages, *lookupTarget(targetName), sizes, inputs, *ptx, out).print();
    if (kernel != kernels.back())
      out << "\n";
  }
  return result;
}

} // namespace attn
