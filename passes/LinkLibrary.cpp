// SPDX-License-Identifier: Apache-2.0
// link-library: the functions that a module names and does not hold, from the embedded library.
#include "passes/LinkLibrary.h"

#include "dialect/Attn.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Parser/Parser.h"
#include "passes/Passes.h"
#include "passes/Templates.h"

using namespace mlir;

namespace attn {
#define GEN_PASS_DEF_LINKLIBRARY
#include "passes/Passes.h.inc"

namespace {

constexpr StringLiteral kFolder = "variants/";

class Linker {
public:
  explicit Linker(ModuleOp module) : module(module), symbols(module) {}

  LogicalResult link() {
    for (KernelOp kernel : module.getOps<KernelOp>())
      kernel.walk([&](Operation *op) {
        if (auto by = op->getAttrOfType<FlatSymbolRefAttr>("by"))
          resolve(op, by.getValue());
      });
    // A function of the library may declare others, which then stand behind it.
    for (bool changed = true; changed && !broken;) {
      changed = false;
      for (func::FuncOp function : llvm::to_vector(module.getOps<func::FuncOp>()))
        changed |= function.isExternal() && resolve(function, function.getSymName());
    }
    return failure(broken || failed(verify(module)));
  }

private:
  /// Makes sure that a function of that name has a body. Returns whether the module changed.
  bool resolve(Operation *user, StringRef name) {
    Operation *symbol = symbols.lookup(name);
    auto declaration = dyn_cast_or_null<func::FuncOp>(symbol);
    if (symbol && !(declaration && declaration.isExternal()))
      return false;
    OwningOpRef<ModuleOp> library = parseLibrary(user, name);
    auto function = library ? library->lookupSymbol<func::FuncOp>(name) : func::FuncOp();
    if (!function || (declaration && failed(checkType(declaration, function))))
      return fail();
    if (declaration)
      symbols.erase(declaration);
    for (func::FuncOp other : library->getOps<func::FuncOp>())
      add(other);
    return true;
  }

  bool fail() {
    broken = true;
    return false;
  }

  /// The library's file with that function, or null after a report.
  OwningOpRef<ModuleOp> parseLibrary(Operation *user, StringRef name) {
    std::string path = (kFolder + name).str();
    StringRef text = templateText(path);
    if (text.empty()) {
      InFlightDiagnostic diagnostic = user->emitOpError("expects a function @")
                                      << name << " in this file or the library";
      if (std::string nearest = nearestName(name); !nearest.empty())
        diagnostic << "; did you mean @" << nearest << "?";
      return {};
    }
    ParserConfig config(module.getContext());
    return parseSourceString<ModuleOp>(text, config, "templates/" + path + ".mlir");
  }

  LogicalResult checkType(func::FuncOp declaration, func::FuncOp function) {
    if (declaration.getFunctionType() == function.getFunctionType())
      return success();
    InFlightDiagnostic diagnostic = declaration.emitOpError("expects @")
                                    << function.getSymName() << " to be " << function.getFunctionType()
                                    << ", as it is in the library, got " << declaration.getFunctionType();
    diagnostic.attachNote(function.getLoc()) << "the function is here";
    return failure();
  }

  void add(func::FuncOp function) {
    if (symbols.lookup(function.getSymName()))
      return; // the module's own, or linked before
    func::FuncOp copy = function.clone();
    copy.setPrivate();
    symbols.insert(copy, module.getBody()->end());
  }

  /// The function that the user may have meant: two letters or a third of them are different, at most.
  std::string nearestName(StringRef name) {
    std::string nearest;
    unsigned best = std::max<unsigned>(2, name.size() / 3) + 1;
    auto consider = [&](StringRef candidate) {
      unsigned distance = name.edit_distance(candidate, /*AllowReplacements=*/true, best);
      if (candidate != name && distance < best) {
        best = distance;
        nearest = candidate.str();
      }
    };
    for (func::FuncOp function : module.getOps<func::FuncOp>())
      consider(function.getSymName());
    for (const Template &entry : templates())
      if (entry.name.starts_with(kFolder))
        consider(entry.name.drop_front(kFolder.size()));
    return nearest;
  }

  ModuleOp module;
  SymbolTable symbols;
  bool broken = false;
};

struct LinkLibrary : impl::LinkLibraryBase<LinkLibrary> {
  void runOnOperation() override {
    if (failed(linkLibrary(getOperation())))
      signalPassFailure();
  }
};

} // namespace

LogicalResult linkLibrary(ModuleOp module) { return Linker(module).link(); }

} // namespace attn
