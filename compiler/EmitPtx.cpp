// SPDX-License-Identifier: Apache-2.0
// Code generation by LLVM's NVPTX back end, and the header of the kernel file.
#include "compiler/EmitPtx.h"

#include "compiler/Compiler.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/NVVM/NVVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "runtime/KernelFile.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Pass.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/TargetParser/Triple.h"

using namespace mlir;

// Only this back end is needed; initialising all of LLVM's costs start-up time.
extern "C" {
void LLVMInitializeNVPTXTargetInfo();
void LLVMInitializeNVPTXTarget();
void LLVMInitializeNVPTXTargetMC();
void LLVMInitializeNVPTXAsmPrinter();
}

namespace attn {
namespace {

std::unique_ptr<llvm::TargetMachine> createMachine(const Target &target) {
  static const bool once = [] {
    LLVMInitializeNVPTXTargetInfo();
    LLVMInitializeNVPTXTarget();
    LLVMInitializeNVPTXTargetMC();
    LLVMInitializeNVPTXAsmPrinter();
    return true;
  }();
  (void)once;
  std::string error;
  llvm::Triple triple("nvptx64-nvidia-cuda");
  const llvm::Target *backEnd = llvm::TargetRegistry::lookupTarget(triple, error);
  assert(backEnd && "the NVPTX back end is linked in");
  std::string features = "+ptx" + std::to_string(target.ptxVersion);
  llvm::TargetOptions options;
  return std::unique_ptr<llvm::TargetMachine>(backEnd->createTargetMachine(
      triple, target.chip, features, options, std::nullopt, std::nullopt, llvm::CodeGenOptLevel::Less));
}

/// Passes that the code generator would add and that are left out. MLIR's have removed what is common and invariant,
/// and the assembler simplifies, schedules and allocates once more; these cost a third of the time. Loop strength
/// reduction and straight-line reassociation also lengthen the lives of values, which ends in spills.
constexpr StringLiteral kLeftOut[] = {
    // On LLVM IR.
    "CodeGen Prepare", "Canonicalize Freeze Instructions in Loops", "Constant Hoisting", "Early CSE",
    "Expand memcmp() to load/stores", "Expand reduction intrinsics", "GPU Load and Store Vectorizer",
    "Loop Strength Reduction", "Lower Garbage Collection Instructions", "Merge contiguous icmps into a memcmp",
    "Module Verifier", "Nary reassociation", "ObjC ARC contraction", "Partially inline calls to library functions",
    "Replace intrinsics with calls to vector library", "SROA", "Scalarize Masked Memory Intrinsics",
    "Shadow Stack GC Lowering", "Speculatively execute instructions",
    "Split GEPs to a variadic base and a constant offset for better CSE", "Straight line strength reduction",
    // On machine instructions.
    "Early Machine Loop Invariant Code Motion", "Early Tail Duplication", "Local Stack Slot Allocation",
    "Machine Common Subexpression Elimination", "Machine Instruction Scheduler", "Machine Sanitizer Binary Metadata",
    "Machine code sinking", "Merge disjoint stack slots", "Optimize machine instruction PHIs", "Stack Slot Coloring"};

class LeanPasses : public llvm::legacy::PassManager {
public:
  void add(llvm::Pass *pass) override {
    if (llvm::is_contained(kLeftOut, pass->getPassName()))
      delete pass; // a manager owns what is added
    else
      llvm::legacy::PassManager::add(pass);
  }
};

llvm::Expected<std::string> generatePtx(ModuleOp module, const Target &target) {
  llvm::LLVMContext context;
  std::unique_ptr<llvm::Module> code = translateModuleToLLVMIR(module, context, "attn", /*disableVerification=*/true);
  if (!code) // with a diagnostic
    return llvm::createStringError("error: the module has no form in LLVM IR");
  auto machine = createMachine(target);
  code->setTargetTriple(machine->getTargetTriple());
  code->setDataLayout(machine->createDataLayout());
  llvm::SmallString<0> text;
  llvm::raw_svector_ostream os(text);
  LeanPasses passes;
  [[maybe_unused]] bool refused =
      machine->addPassesToEmitFile(passes, os, nullptr, llvm::CodeGenFileType::AssemblyFile, /*DisableVerify=*/true);
  assert(!refused && "the NVPTX back end writes text");
  passes.run(*code);
  return std::string(text);
}

//===-- readable text ----------------------------------------------------------===//

/// Where a marker `// part NAME` says that the block it stands in is the body of a loop, that block's label gets the
/// part's name. `$L__BB0_3` becomes `full_tiles`; the next one of that name in the file `full_tiles_2`.
class LabelNames {
public:
  void visit(StringRef line) {
    line = line.trim();
    if (line.starts_with("$L__BB") && line.contains(':'))
      label = line.take_until([](char c) { return c == ':'; });
    else if (line.consume_front("// part ") && !label.empty() && !names.count(label)) {
      unsigned count = ++uses[line];
      names[label] = (line + "_tiles" + (count > 1 ? "_" + Twine(count) : Twine())).str();
    }
  }

  std::string apply(StringRef line) const {
    std::string result;
    while (true) {
      size_t at = line.find("$L__BB");
      if (at == StringRef::npos)
        return result + line.str();
      result += line.take_front(at);
      line = line.drop_front(at);
      StringRef found = line.take_while([](char c) { return llvm::isAlnum(c) || c == '_' || c == '$'; });
      auto name = names.find(found);
      result += name == names.end() ? found.str() : name->second;
      line = line.drop_front(found.size());
    }
  }

private:
  StringRef label;
  llvm::StringMap<std::string> names;
  llvm::StringMap<unsigned> uses;
};

/// Drops the code generator's comments, names the labels of loops, and begins at `.version`.
std::string tidy(StringRef ptx) {
  SmallVector<StringRef, 0> lines;
  ptx.drop_front(ptx.find(".version")).split(lines, '\n');
  LabelNames labels;
  for (StringRef line : lines)
    labels.visit(line);
  std::string text;
  text.reserve(ptx.size());
  for (StringRef line : lines) {
    StringRef trimmed = line.trim();
    if (trimmed.starts_with("//"))
      continue;
    size_t comment = line.find("//");
    text += labels.apply(line.take_front(comment).rtrim());
    text += "\n";
  }
  return text;
}

//===-- header -----------------------------------------------------------------===//

DType typeOf(Type type) {
  if (type.isBF16())
    return DType::BF16;
  if (type.isF16())
    return DType::F16;
  if (type.isF64())
    return DType::F64;
  if (type.isInteger(32))
    return DType::I32;
  if (type.isInteger(64))
    return DType::I64;
  if (type.isInteger(1))
    return DType::Bool;
  if (isa<IndexType>(type))
    return DType::Index;
  return DType::F32;
}

KernelArgument argumentOf(DictionaryAttr entry) {
  KernelArgument argument;
  argument.name = entry.getAs<StringAttr>("name").str();
  StringRef role = entry.getAs<StringAttr>("role");
  argument.kind = role == "scalar"   ? KernelArgument::Role::Scalar
                  : role == "output" ? KernelArgument::Role::Output
                  : role == "inout"  ? KernelArgument::Role::InOut
                                     : KernelArgument::Role::Input;
  argument.type = typeOf(entry.getAs<TypeAttr>("type").getValue());
  if (auto dims = entry.getAs<ArrayAttr>("dims"))
    for (auto [name, size] : llvm::zip(dims, entry.getAs<ArrayAttr>("sizes"))) {
      Dimension dimension{cast<StringAttr>(name).str(), {}};
      // A number that nothing names still needs one in the kernel file: that of its tensor and place.
      if (dimension.name.empty())
        dimension.name = argument.name + "_" + std::to_string(argument.shape.size());
      if (int64_t number = cast<IntegerAttr>(size).getInt(); number >= 0)
        dimension.size = number;
      argument.shape.push_back(dimension);
    }
  return argument;
}

KernelParameter parameterOf(StringRef text) {
  auto [kind, rest] = text.split(' ');
  KernelParameter parameter;
  auto [name, dimension] = rest.split(' ');
  parameter.name = name.str();
  if (kind == "size")
    parameter.what = KernelParameter::Kind::Size;
  else if (kind == "scalar")
    parameter.what = KernelParameter::Kind::Scalar;
  else if (kind == "stride") {
    parameter.what = KernelParameter::Kind::Stride;
    dimension.getAsInteger(10, parameter.dimension);
  } else if (kind == "workspace") {
    parameter = {KernelParameter::Kind::Workspace, {}, 0, Expression::parse(rest.str())};
  } else if (kind == "map") { // NAME box [1, 128, 1, 64] swizzle 128
    parameter.what = KernelParameter::Kind::Map;
    auto [box, swizzle] = dimension.drop_front(StringRef("box [").size()).split("] swizzle ");
    SmallVector<StringRef, 5> sizes;
    box.split(sizes, ", ");
    for (StringRef size : sizes)
      size.getAsInteger(10, parameter.box.emplace_back());
    swizzle.getAsInteger(10, parameter.swizzle);
  }
  return parameter;
}

/// Whether an entry gets the address of a tensor.
bool reads(const KernelEntry &entry, StringRef tensor) {
  return llvm::any_of(entry.parameters, [&](const KernelParameter &parameter) {
    return parameter.what == KernelParameter::Kind::Address && parameter.name == tensor;
  });
}

KernelEntry entryOf(LLVM::LLVMFuncOp function) {
  KernelEntry entry;
  entry.name = function.getName().str();
  entry.grid = Expression::parse(function->getAttrOfType<StringAttr>("attn.grid").str());
  entry.block = function->getAttrOfType<IntegerAttr>("attn.block").getInt();
  entry.shared = function->getAttrOfType<IntegerAttr>("attn.shared").getInt();
  entry.overlapsPrevious = function->hasAttr("attn.early");
  for (auto text : function->getAttrOfType<ArrayAttr>("attn.parameters").getAsRange<StringAttr>())
    entry.parameters.push_back(parameterOf(text));
  for (const KernelParameter &parameter : entry.parameters)
    if (parameter.what == KernelParameter::Kind::Map && !llvm::is_contained(entry.tensorMaps, parameter.name))
      entry.tensorMaps.push_back(parameter.name);
  if (!function->hasAttr("attn.unaligned"))
    for (auto argument : function->getAttrOfType<ArrayAttr>("attn.arguments").getAsRange<DictionaryAttr>())
      if (std::string name = argument.getAs<StringAttr>("name").str(); argument.get("rows") && reads(entry, name))
        entry.required.push_back({name, 16});
  return entry;
}

std::vector<std::string> wordsOf(ArrayAttr words) {
  std::vector<std::string> all;
  for (auto word : words.getAsRange<StringAttr>())
    all.push_back(word.str());
  return all;
}

/// Steps that use the workspace use the same one, as large as the largest of them needs it.
void takeWorkspace(LLVM::LLVMFuncOp function, KernelSection &section) {
  auto workspace = function->getAttrOfType<StringAttr>("attn.workspace");
  if (!workspace)
    return;
  std::string known = section.workspace.text();
  if (known == "0")
    section.workspace = Expression::parse(workspace.str());
  else if (known.find(workspace.str()) == known.npos)
    section.workspace = Expression::parse("max(" + known + ", " + workspace.str() + ")");
}

/// A function begins a kernel, whose name is its own unless `attn.kernel` says another, or it is a later step
/// (`attn.step`) or a fallback (`attn.unaligned`) of the one before it.
std::vector<KernelSection> sectionsOf(ModuleOp module) {
  std::vector<KernelSection> sections;
  for (auto function : module.getOps<LLVM::LLVMFuncOp>()) {
    if (!function->hasAttr("attn.arguments"))
      continue;
    auto step = function->getAttrOfType<IntegerAttr>("attn.step");
    size_t number = step ? step.getInt() : 0;
    if ((number || function->hasAttr("attn.unaligned")) && !sections.empty()) {
      std::vector<KernelStep> &steps = sections.back().steps;
      steps.resize(std::max(steps.size(), number + 1));
      steps[number].alternatives.push_back(entryOf(function));
      takeWorkspace(function, sections.back());
      continue;
    }
    KernelSection section;
    auto name = function->getAttrOfType<StringAttr>("attn.kernel");
    section.name = name ? name.str() : function.getName().str();
    for (auto argument : function->getAttrOfType<ArrayAttr>("attn.arguments").getAsRange<DictionaryAttr>())
      section.arguments.push_back(argumentOf(argument));
    if (auto facts = function->getAttrOfType<ArrayAttr>("attn.facts"))
      for (auto words : facts.getAsRange<ArrayAttr>())
        if (std::optional<DataFact> fact = dataFactOf(wordsOf(words)))
          section.facts.push_back(*fact);
    takeWorkspace(function, section);
    section.steps.push_back({{entryOf(function)}});
    sections.push_back(std::move(section));
  }
  return sections;
}

} // namespace

void registerPtxTranslation(DialectRegistry &registry) {
  registerBuiltinDialectTranslation(registry);
  registerLLVMDialectTranslation(registry);
  registerNVVMDialectTranslation(registry);
}

llvm::Expected<std::string> emitKernelFile(ModuleOp module, const Target &target, StringRef source) {
  auto ptx = generatePtx(module, target);
  if (!ptx)
    return ptx.takeError();
  KernelFile file;
  file.build = compilerBuild();
  file.target = target.chip;
  file.specHash = hexadecimal(hashOf(source.str()));
  file.source = source.str();
  if (!file.source.empty() && file.source.back() != '\n')
    file.source += '\n';
  file.kernels = sectionsOf(module);
  return printKernelFile(file, tidy(*ptx));
}

} // namespace attn
