// SPDX-License-Identifier: Apache-2.0
// Appending to a cache as a step of a kernel: the append schedule, given the new entries and their places.
#pragma once

#include "mlir/IR/SymbolTable.h"
#include "passes/Supported.h"

namespace attn {

/// Writes the function of an attn.append in front of the kernel, named after it with "_append" behind.
mlir::func::FuncOp writeAppend(KernelOp kernel, AppendOp append, mlir::SymbolTable &symbols);

} // namespace attn
