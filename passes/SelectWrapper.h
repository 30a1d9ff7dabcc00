// SPDX-License-Identifier: Apache-2.0
// Selecting as a step of a kernel: the select schedule, given a row of sums and its list.
#pragma once

#include "mlir/IR/SymbolTable.h"
#include "passes/Supported.h"

namespace attn {

/// Writes the function of an attn.select in front of the kernel, named after it with "_select" behind.
mlir::func::FuncOp writeSelect(KernelOp kernel, SelectOp select, mlir::SymbolTable &symbols);

} // namespace attn
