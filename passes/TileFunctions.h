// SPDX-License-Identifier: Apache-2.0
// Score and mask functions of a spec, rewritten for tiles: with rows and columns as arguments, reading memory.
#pragma once

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/SymbolTable.h"
#include <optional>

namespace attn {

/// One attn.modify or attn.reweight: its function and what it is given, as values of the scheduled function.
struct ScoreStep {
  mlir::func::FuncOp function;
  llvm::SmallVector<mlir::Value> parameters;
};

/// Functions at tile level: (element, b, h, row, column, q, kv, parameters...) for scores, the same without the element
/// for masks. Calls are inlined, attn.row and attn.column are arguments, tensors are memory.
class TileFunctionBuilder {
public:
  TileFunctionBuilder(mlir::ModuleOp module, mlir::SymbolTable &symbols) : module(module), symbols(symbols) {}

  /// The scaled score after all modifications. The scale is a constant, or the first parameter if there is none.
  mlir::func::FuncOp createScore(mlir::Location loc, std::optional<double> scale, llvm::ArrayRef<ScoreStep> steps);

  /// A weight after all changes. Where each of them multiplies it (`byFactors`), what weighs nothing stays so, whatever
  /// it is multiplied by.
  mlir::func::FuncOp createReweigh(mlir::Location loc, llvm::ArrayRef<ScoreStep> steps, bool byFactors);

  /// One mask, under the name of its function if that is free. Constants that it divides by become part of it, and are
  /// taken out of the parameters: blocks of a known size can be followed.
  mlir::func::FuncOp createMask(mlir::func::FuncOp mask, llvm::SmallVectorImpl<mlir::Value> &parameters);

  /// The logit that takes part in a row's softmax without a key: (element, b, h, row, q, sink) -> sink[h].
  mlir::func::FuncOp createSink(mlir::Location loc, mlir::Type memory);

private:
  mlir::Value inlineSteps(mlir::ImplicitLocOpBuilder &builder, mlir::Value element, mlir::ValueRange coordinates,
                          mlir::ValueRange parameters, llvm::ArrayRef<ScoreStep> steps);
  mlir::func::FuncOp create(mlir::Location loc, llvm::StringRef name, llvm::ArrayRef<mlir::Type> inputs,
                            mlir::Type result);
  mlir::Value inlineBody(mlir::ImplicitLocOpBuilder &builder, mlir::func::FuncOp function, mlir::ValueRange operands,
                         mlir::Value row, mlir::Value column);

  mlir::ModuleOp module;
  mlir::SymbolTable &symbols;
};

} // namespace attn
