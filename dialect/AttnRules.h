// SPDX-License-Identifier: Apache-2.0
// The rules of a kernel, checked together: a fault never hides another one. Private to this folder.
#pragma once

#include "dialect/AttnNames.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/SmallPtrSet.h"

namespace attn {

/// Whether lists, lengths and tables may have this element type.
inline bool isTableInteger(mlir::Type type) { return type.isInteger(32) || type.isInteger(64); }

/// Whether two sizes can be equal at launch.
inline bool canBeEqual(int64_t a, int64_t b) {
  return a == b || mlir::ShapedType::isDynamic(a) || mlir::ShapedType::isDynamic(b);
}
bool canBeEqual(llvm::ArrayRef<int64_t> a, llvm::ArrayRef<int64_t> b);

class KernelRules {
public:
  explicit KernelRules(KernelOp kernel) : kernel(kernel) {}

  /// Reports every broken rule at its line.
  mlir::LogicalResult check();

private:
  // The kernel as a whole (AttnRules.cpp).
  void checkNames();
  void checkSignature();
  void checkSizes();
  void checkNamesOfDimensions();
  void checkAgreement();
  void checkOneAttention();
  void checkStep(mlir::Operation *op);
  void checkArithmetic(mlir::Operation *op);
  void checkUsed(mlir::Operation *op);
  void checkReturn(ReturnOp op);

  // Where queries and keys lie (AttnSequenceRules.cpp).
  void checkDense(DenseOp op);
  void checkRagged(RaggedOp op);
  void checkPages(PagesOp op);
  void checkShare(ShareOp op);
  void checkConcat(ConcatOp op);
  void checkAt(AtOp op);
  void checkAppend(AppendOp op);
  void checkNamesOfParts(ConcatOp op);
  void checkTensors(mlir::Operation *op, mlir::OperandRange tensors, llvm::ArrayRef<llvm::StringRef> names);
  bool checkPlainTensor(mlir::Operation *op, mlir::Value value, llvm::StringRef what,
                        llvm::ArrayRef<llvm::StringRef> names);
  bool checkRank(mlir::Operation *op, mlir::Value value, llvm::ArrayRef<llvm::StringRef> names);
  void checkStatic(mlir::Operation *op, mlir::Value value, llvm::ArrayRef<llvm::StringRef> names);
  void checkTable(mlir::Operation *op, mlir::Value value, llvm::StringRef what, llvm::ArrayRef<llvm::StringRef> names);

  // From scores to output (AttnChainRules.cpp).
  void checkScores(ScoresOp op);
  void checkQuery(ScoresOp op, const SequenceFacts &query);
  void checkBatch(ScoresOp op, const SequenceFacts &query);
  void checkSoftmax(SoftmaxOp op);
  void checkOutput(OutputOp op);
  bool checkValues(OutputOp op, ScoresOp scores);
  void checkMerge(MergeOp op);

  // What weights add up to (AttnSumRules.cpp).
  void checkSums(SumsOp op);
  void checkSelect(SelectOp op);

  void checkSink(mlir::Operation *op, mlir::Value sink, int64_t heads);
  void checkLse(mlir::Operation *op, mlir::Value lse, llvm::ArrayRef<int64_t> rows);

  // What functions may be (AttnFunctionRules.cpp).
  void checkFunction(mlir::Operation *op, mlir::FlatSymbolRefAttr name, mlir::OperandRange parameters, bool takesScore,
                     mlir::Type result);
  void checkBody(mlir::Operation *op, mlir::func::FuncOp function, llvm::SmallVectorImpl<mlir::func::FuncOp> &path);
  uint64_t expandedSize(mlir::func::FuncOp function, llvm::DenseMap<mlir::Operation *, uint64_t> &known);
  void checkBodyStep(mlir::Operation *user, mlir::func::FuncOp function, mlir::Operation *step);

  /// Begins "'op' op expects ".
  mlir::InFlightDiagnostic fail(mlir::Operation *op) {
    failed = true;
    return op->emitOpError("expects ");
  }
  /// 'k' for an argument, "the result of 'attn.x'" for a result.
  std::string nameOf(mlir::Value value);

  KernelOp kernel;
  bool failed = false;
  llvm::SmallPtrSet<mlir::Operation *, 8> checkedFunctions;
};

} // namespace attn
