// SPDX-License-Identifier: Apache-2.0
// Brings the functions that a module names and does not hold from the embedded library.
#pragma once

#include "mlir/IR/BuiltinOps.h"

namespace attn {

/// Gives a body to every function that kernels name (`by @f`) or that is declared: the module's own function of that
/// name, else the library's, and so on for what those call. Added functions are private and stand at the end; their
/// locations name the file of the library. A name that neither has is reported at each line that uses it. Afterwards
/// the whole module is verified, because a kernel's rules also hold for functions of the library.
/// The dialects arith, math, func, tensor and attn must be registered with the context.
mlir::LogicalResult linkLibrary(mlir::ModuleOp module);

} // namespace attn
