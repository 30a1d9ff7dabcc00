// SPDX-License-Identifier: Apache-2.0
// The attn dialect in C++; Attn.td describes it.
#pragma once

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/IR/TensorEncoding.h"
#include "mlir/Interfaces/ControlFlowInterfaces.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include <optional>

#include "dialect/AttnDialect.h.inc"
#include "dialect/AttnEnums.h.inc"
#define GET_TYPEDEF_CLASSES
#include "dialect/AttnTypes.h.inc"
#define GET_ATTRDEF_CLASSES
#include "dialect/AttnAttrs.h.inc"
namespace attn {
/// The attribute of a tensor.extract from values that do not fall along the last dimension of the tensor.
inline constexpr llvm::StringLiteral sortedAttrName = "attn.sorted";
} // namespace attn
#define GET_OP_CLASSES
#include "dialect/AttnOps.h.inc"
