// SPDX-License-Identifier: Apache-2.0
// One table: which dialects and which single operations a stage may hold.
#include "compiler/Stages.h"

using namespace mlir;

namespace attn {
namespace {

struct StageRow {
  StringRef name;
  std::vector<StringRef> dialects;
  std::vector<StringRef> operations;
};

const StageRow &rowOf(Stage stage) {
  static const StageRow rows[] = {
      {"attn", {"attn", "builtin", "func", "arith", "math"}, {"tensor.extract"}},
      {"tile", {"tile", "builtin", "scf", "func", "arith", "math"}, {"memref.load", "memref.dim", "ub.poison"}},
      // Addresses are explicit from here on: a memref descriptor would cost registers for fields nobody reads.
      {"gpu",
       {"nvvm", "builtin", "scf", "cf", "arith", "math"},
       {"llvm.func", "llvm.return", "llvm.mlir.global", "llvm.mlir.addressof", "llvm.getelementptr", "llvm.load",
        "llvm.store", "llvm.ptrtoint", "llvm.inline_asm", "llvm.call_intrinsic", "llvm.bitcast", "llvm.extractvalue"}},
      {"llvm", {"llvm", "nvvm", "builtin"}, {}},
  };
  return rows[static_cast<size_t>(stage)];
}

} // namespace

LogicalResult checkStage(ModuleOp module, Stage stage, StringRef pass) {
  const StageRow &row = rowOf(stage);
  bool legal = true;
  module.walk([&](Operation *op) {
    if (llvm::is_contained(row.dialects, op->getName().getDialectNamespace()) ||
        llvm::is_contained(row.operations, op->getName().getStringRef()))
      return;
    legal = false;
    op->emitOpError("is not allowed in stage ") << row.name << ", after " << pass;
  });
  return success(legal);
}

} // namespace attn
