// SPDX-License-Identifier: Apache-2.0
// From the LLVM dialect to a kernel file.
#pragma once

#include "dialect/Target.h"
#include "mlir/IR/BuiltinOps.h"
#include "llvm/Support/Error.h"
#include <string>

namespace attn {

/// What translation to LLVM IR needs to know of each dialect.
void registerPtxTranslation(mlir::DialectRegistry &registry);

/// The kernel file of a module in the LLVM dialect, whose functions carry what a launch must know (`attn.arguments`,
/// `attn.parameters`, `attn.grid`, `attn.block`, `attn.shared`). `source` is the spec, or empty if it is not known.
llvm::Expected<std::string> emitKernelFile(mlir::ModuleOp module, const Target &target, llvm::StringRef source);

} // namespace attn
