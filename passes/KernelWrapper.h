// SPDX-License-Identifier: Apache-2.0
// The function around a schedule's text: what a kernel is given and returns as memory, its constants, and its programs.
#pragma once

#include "dialect/AttnNames.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/SymbolTable.h"
#include "passes/SequenceViews.h"

namespace attn {

/// Creates the function of one step of a kernel, in front of it. Every step has all arguments and results of the
/// kernel, in the launch's order; what it does not use costs nothing. The builder stands in the function from then on.
class KernelWrapper {
  mlir::IRMapping arguments; ///< of the kernel to those of the function

public:
  /// `suffix` sets its name apart from the kernel's; `symbols` are those of the module, which the name is new in.
  KernelWrapper(KernelOp kernel, mlir::SymbolTable &symbols, llvm::StringRef suffix, int64_t warps, int64_t stages);
  KernelWrapper(const KernelWrapper &) = delete;

  KernelOp kernel;
  mlir::ImplicitLocOpBuilder builder;
  mlir::func::FuncOp function;
  SequenceViews views{builder, arguments};

  /// What stands in the function for an argument or a constant of the kernel.
  mlir::Value of(mlir::Value ofKernel) const { return arguments.lookup(ofKernel); }
  llvm::SmallVector<mlir::Value> of(mlir::ValueRange ofKernel) const;

  /// The memory that a result of the chain is returned in; null if the kernel does not return it.
  mlir::Value memoryOfResult(mlir::Value chainValue);

  /// Rows of the memory that a result of the chain is returned in, as `views.viewOfResult` has them; an absent view of
  /// that type if the kernel does not return it.
  mlir::Value resultView(mlir::Value chainValue, tile::ViewType absent, const SequencePart &query, mlir::Value head,
                         int64_t packed);

  /// The numbers of a program in a grid of these extents.
  mlir::ValueRange programs(llvm::ArrayRef<mlir::Value> extents);

private:
  void createFunction(llvm::StringRef suffix, mlir::SymbolTable &symbols);
  void describeArgument(unsigned number, const NamedValue &value);
  mlir::Value memoryNamed(llvm::StringRef name);
};

} // namespace attn
