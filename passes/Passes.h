// SPDX-License-Identifier: Apache-2.0
// The passes of the compiler; Passes.td describes each with what it reads and what it leaves.
#pragma once

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"

namespace attn {
#define GEN_PASS_DECL
#include "passes/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "passes/Passes.h.inc"

/// Registers every pass of this folder with the command line of attn-opt.
inline void registerPasses() { registerAttnPasses(); }
} // namespace attn
