// SPDX-License-Identifier: Apache-2.0
// The compiler's pipeline: its passes in order, what each stage may hold, and diagnostics as text.
#include "compiler/Compiler.h"

#include "compiler/EmitPtx.h"
#include "compiler/Stages.h"
#include "dialect/Attn.h"
#include "dialect/Target.h"
#include "dialect/Tile.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlow.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/UB/IR/UBOps.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"
#include "passes/LinkLibrary.h"
#include "passes/Passes.h"
#include "llvm/Support/SourceMgr.h"

using namespace mlir;

namespace attn {
namespace {

/// Collects diagnostics as text, errors apart from the rest.
class DiagnosticText {
public:
  explicit DiagnosticText(MLIRContext &context)
      : handler(&context, [this](Diagnostic &diagnostic) {
          bool isError = diagnostic.getSeverity() == DiagnosticSeverity::Error;
          append(isError ? errors : remarks, diagnostic);
          for (Diagnostic &note : diagnostic.getNotes())
            append(isError ? errors : remarks, note);
          return success();
        }) {
    context.printOpOnDiagnostic(false); // users know their own text, not the generic form of an operation
  }

  llvm::Error error() const {
    std::string text = errors.empty() ? "error: the compiler failed without saying why\n" : errors;
    text.pop_back();
    return llvm::createStringError(llvm::inconvertibleErrorCode(), "%s", text.c_str());
  }

  std::string errors, remarks;

private:
  static void append(std::string &text, Diagnostic &diagnostic) {
    llvm::raw_string_ostream os(text);
    if (auto place = dyn_cast<FileLineColLoc>(diagnostic.getLocation()))
      os << place.getFilename().getValue() << ":" << place.getLine() << ":" << place.getColumn() << ": ";
    static const char *const severities[] = {"note", "warning", "error", "remark"};
    os << severities[static_cast<int>(diagnostic.getSeverity())] << ": " << diagnostic << "\n";
  }

  ScopedDiagnosticHandler handler;
};

/// One pass and the stage that its result belongs to.
struct PipelineEntry {
  StringRef name;
  Stage stage;
  void (*add)(OpPassManager &);
};

template <std::unique_ptr<Pass> (*create)()> void addPass(OpPassManager &manager) { manager.addPass(create()); }
template <std::unique_ptr<Pass> (*create)()> void addFunctionPass(OpPassManager &manager) {
  manager.addNestedPass<func::FuncOp>(create());
}
std::unique_ptr<Pass> createCleanUp() { return createCSEPass(); }

const PipelineEntry kPipeline[] = {
    {"choose-schedule", Stage::Attn, addPass<createChooseSchedule>},
    {"add-fallback", Stage::Attn, addPass<createAddFallback>},
    {"convert-attn-to-tile", Stage::Tile, addPass<createConvertAttnToTile>},
    {"expand-sources", Stage::Tile, addFunctionPass<createExpandSources>},
    {"gather-columns", Stage::Tile, addPass<createGatherColumns>},
    {"trim-walks", Stage::Tile, addPass<createTrimWalks>},
    {"overlap-products", Stage::Tile, addFunctionPass<createOverlapProducts>},
    {"distribute-programs", Stage::Tile, addFunctionPass<createDistributePrograms>},
    {"assign-roles", Stage::Tile, addFunctionPass<createAssignRoles>},
    {"check-rings", Stage::Tile, addFunctionPass<createCheckRings>},
    {"pipeline-loads", Stage::Tile, addFunctionPass<createPipelineLoads>},
    {"assign-layouts", Stage::Tile, addFunctionPass<createAssignLayouts>},
    {"defer-row-sums", Stage::Tile, addFunctionPass<createDeferRowSums>},
    {"take-turns", Stage::Tile, addFunctionPass<createTakeTurns>},
    {"overlap-steps", Stage::Tile, addPass<createOverlapSteps>},
    {"split-loops", Stage::Tile, addFunctionPass<createSplitLoops>},
    {"convert-tile-to-gpu", Stage::Gpu, addPass<createConvertTileToGpu>},
    {"cse", Stage::Gpu, addPass<createCleanUp>},
    {"loop-invariant-code-motion", Stage::Gpu, addPass<createLoopInvariantCodeMotionPass>},
    {"convert-gpu-to-llvm", Stage::Llvm, addPass<createConvertGpuToLlvm>},
};

std::string textOf(ModuleOp module) {
  std::string text;
  llvm::raw_string_ostream os(text);
  module.print(os);
  os << "\n";
  return text;
}

/// Index of the first pass to run: 0, or one past `startAfter`; nothing if there is no such pass.
std::optional<size_t> passAfter(StringRef startAfter) {
  if (startAfter.empty())
    return 0;
  for (auto [i, entry] : llvm::enumerate(kPipeline))
    if (entry.name == startAfter)
      return i + 1;
  return std::nullopt;
}

} // namespace

std::optional<Stage> stageNamed(StringRef name) {
  static const StringRef names[] = {"attn", "tile", "gpu", "llvm", "ptx"};
  for (auto [i, known] : llvm::enumerate(names))
    if (known == name)
      return static_cast<Stage>(i);
  return std::nullopt;
}

ArrayRef<StringRef> passNames() {
  static const SmallVector<StringRef> names =
      llvm::map_to_vector(kPipeline, [](const PipelineEntry &entry) { return entry.name; });
  return names;
}

DialectRegistry compilerDialects() {
  DialectRegistry registry;
  registerPtxTranslation(registry);
  registry.insert<AttnDialect, tile::TileDialect, arith::ArithDialect, cf::ControlFlowDialect, func::FuncDialect,
                  LLVM::LLVMDialect, math::MathDialect, memref::MemRefDialect, NVVM::NVVMDialect, scf::SCFDialect,
                  tensor::TensorDialect, ub::UBDialect>();
  return registry;
}

static OwningOpRef<ModuleOp> parseText(StringRef text, StringRef fileName, MLIRContext &context) {
  llvm::SourceMgr sources;
  sources.AddNewSourceBuffer(llvm::MemoryBuffer::getMemBufferCopy(text, fileName), llvm::SMLoc());
  return parseSourceFile<ModuleOp>(sources, &context);
}

static OwningOpRef<ModuleOp> parseAndLink(StringRef text, StringRef fileName, MLIRContext &context) {
  OwningOpRef<ModuleOp> module = parseText(text, fileName, context);
  if (!module || failed(linkLibrary(*module)))
    return nullptr;
  if (module->getOps<KernelOp>().empty()) {
    module->emitError("expects a file with a kernel, got none");
    return nullptr;
  }
  return module;
}

llvm::Expected<OwningOpRef<ModuleOp>> parseSpec(StringRef text, StringRef fileName, MLIRContext &context) {
  context.printOpOnDiagnostic(false);
  DiagnosticText diagnostics(context);
  OwningOpRef<ModuleOp> module = parseAndLink(text, fileName, context);
  if (!module)
    return diagnostics.error();
  return module;
}

llvm::Expected<std::string> compileSpec(StringRef text, StringRef fileName, const CompileOptions &options,
                                        std::string *remarks) {
  const Target *target = lookupTarget(options.target);
  if (!target)
    return llvm::createStringError("error: unknown target '%s', expects one of %s", options.target.c_str(),
                                   targetNames().c_str());
  std::optional<size_t> first = passAfter(options.startAfter);
  if (!first || (!options.printAfter.empty() && !passAfter(options.printAfter)))
    return llvm::createStringError("error: unknown pass '%s', expects one of %s",
                                   (first ? options.printAfter : options.startAfter).c_str(),
                                   llvm::join(passNames(), ", ").c_str());
  MLIRContext context(compilerDialects(), MLIRContext::Threading::DISABLED);
  context.printOpOnDiagnostic(false);
  DiagnosticText diagnostics(context);
  OwningOpRef<ModuleOp> module =
      *first == 0 ? parseAndLink(text, fileName, context) : parseText(text, fileName, context);
  if (!module)
    return diagnostics.error();
  if (*first != 0 && failed(checkStage(*module, kPipeline[*first - 1].stage, options.startAfter)))
    return diagnostics.error();
  if (*first == 0)
    (*module)->setAttr(targetAttrName, targetToAttr(&context, *target));
  for (size_t i = *first; i < std::size(kPipeline); ++i) {
    const PipelineEntry &entry = kPipeline[i];
    if (entry.stage > options.emit)
      break;
    PassManager manager(&context, ModuleOp::getOperationName());
    manager.enableVerifier(false);
    entry.add(manager);
    if (failed(manager.run(*module)) || failed(checkStage(*module, entry.stage, entry.name)))
      return diagnostics.error();
    if (entry.name == options.printAfter)
      return textOf(*module);
  }
  if (remarks)
    *remarks = diagnostics.remarks;
  if (options.emit != Stage::Ptx)
    return textOf(*module);
  auto file = emitKernelFile(*module, *target, *first == 0 ? text : StringRef());
  if (!file && !diagnostics.errors.empty()) {
    llvm::consumeError(file.takeError());
    return diagnostics.error();
  }
  return file;
}

} // namespace attn
