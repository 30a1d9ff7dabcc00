// SPDX-License-Identifier: Apache-2.0
// A schedule's text, instantiated: its functions cloned to where they are used, and its names linked to a kernel's own.
#pragma once

#include "dialect/Tile.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "llvm/ADT/StringMap.h"
#include <functional>

namespace attn {

/// What the names in a schedule stand for in one kernel. Parameters are values of the function that is written.
struct ScheduleLinks {
  mlir::func::FuncOp score; ///< for @score; null if it changes nothing
  llvm::SmallVector<mlir::Value> scoreParameters;
  mlir::func::FuncOp reweigh; ///< for @reweigh; null if weights stay what they are
  llvm::SmallVector<mlir::Value> reweighParameters;
  llvm::SmallVector<mlir::Attribute> masks; ///< for @visible and @in_bounds
  llvm::SmallVector<mlir::Value> maskParameters;
  mlir::func::FuncOp sink; ///< gives a row's sink logit; null without a sink
  mlir::Value sinkMemory;
  mlir::Value query, row; ///< the view of the queries and the tile's first row, for the sink
  /// Functions without a body in the text: what writes them at the builder's place. They may inline others.
  llvm::StringMap<std::function<llvm::SmallVector<mlir::Value>(mlir::ValueRange)>> written;
};

/// Clones functions of a schedule's text to the builder's place, with what they call.
class ScheduleInstance {
public:
  ScheduleInstance(mlir::ModuleOp text, const ScheduleLinks &links, mlir::ImplicitLocOpBuilder &builder)
      : text(text), links(links), builder(builder) {}

  /// The body of the function of this name, which must exist, with these operands. Returns what it returns.
  llvm::SmallVector<mlir::Value> inlineFunction(llvm::StringRef name, mlir::ValueRange operands);

private:
  void cloneBlock(mlir::Block &block, mlir::IRMapping &mapping);
  void cloneOp(mlir::Operation &op, mlir::IRMapping &mapping);
  void cloneApply(tile::ApplyOp op, mlir::IRMapping &mapping);
  void cloneMask(tile::MaskOp op, mlir::IRMapping &mapping);
  void cloneRegion(mlir::Operation &op, mlir::IRMapping &mapping);
  llvm::SmallVector<mlir::Value> inlineCall(mlir::func::CallOp call, llvm::SmallVector<mlir::Value> operands);

  mlir::ModuleOp text;
  const ScheduleLinks &links;
  mlir::ImplicitLocOpBuilder &builder;
};

} // namespace attn
