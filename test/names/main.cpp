// SPDX-License-Identifier: Apache-2.0
// attn-names FILE.mlir: writes what passes learn about each kernel: arguments, results, dimensions, and the chain.
#include "dialect/AttnNames.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Parser/Parser.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;

static void print(llvm::StringRef what, const attn::NamedValue &value) {
  llvm::outs() << "  " << what << " " << value.name;
  if (auto tensor = dyn_cast<RankedTensorType>(value.type)) {
    llvm::outs() << " " << tensor.getElementType() << " [";
    llvm::interleaveComma(value.dimensions, llvm::outs(), [](const attn::NamedDimension &dimension) {
      llvm::outs() << dimension.name;
      if (!dimension.isDynamic())
        llvm::outs() << (dimension.name.empty() ? "" : " = ") << dimension.size;
    });
    llvm::outs() << "]";
  } else {
    llvm::outs() << " " << value.type;
  }
  llvm::outs() << "\n";
}

static void print(const attn::AttentionChain &chain) {
  llvm::outs() << "  chain";
  for (attn::ModifyOp modify : chain.modifications)
    llvm::outs() << " " << modify.getBy();
  llvm::outs() << " |";
  for (attn::MaskOp mask : chain.masks)
    llvm::outs() << " " << mask.getBy();
  if (!chain.reweights.empty())
    llvm::outs() << " |";
  for (attn::ReweightOp reweight : chain.reweights)
    llvm::outs() << " " << reweight.getBy();
  llvm::outs() << "\n";
}

int main(int argc, char **argv) {
  MLIRContext context;
  context.loadDialect<attn::AttnDialect, arith::ArithDialect, func::FuncDialect>();
  auto module = parseSourceFile<ModuleOp>(argv[argc - 1], &context);
  if (!module)
    return 1;
  for (auto kernel : module->getOps<attn::KernelOp>()) {
    llvm::outs() << kernel.getSymName() << "\n";
    for (const attn::NamedValue &value : attn::argumentsOf(kernel))
      print("input", value);
    for (const attn::NamedValue &value : attn::resultsOf(kernel))
      print("output", value);
    if (auto chain = attn::attentionOf(kernel))
      print(*chain);
  }
  return 0;
}
