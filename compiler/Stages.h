// SPDX-License-Identifier: Apache-2.0
// What the IR may hold after each stage.
#pragma once

#include "compiler/Compiler.h"

namespace attn {

/// Reports each operation that the stage does not allow, with the pass that left it. What a stage allows stands in one
/// table in Stages.cpp.
mlir::LogicalResult checkStage(mlir::ModuleOp module, Stage stage, llvm::StringRef pass);

} // namespace attn
