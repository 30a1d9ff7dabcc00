// SPDX-License-Identifier: Apache-2.0
// The tile dialect in C++; Tile.td describes it.
#pragma once

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/Interfaces/ControlFlowInterfaces.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "dialect/TileDialect.h.inc"
#include "dialect/TileEnums.h.inc"
#define GET_ATTRDEF_CLASSES
#include "dialect/TileAttrs.h.inc"
#define GET_TYPEDEF_CLASSES
#include "dialect/TileTypes.h.inc"
#define GET_OP_CLASSES
#include "dialect/TileOps.h.inc"

namespace attn::tile {

/// The conjunct every schedule writes for "the key exists"; it has no body.
inline constexpr llvm::StringLiteral kInBounds = "in_bounds";

/// The type's encoding if it is of kind T, else null.
template <typename T> T encodingOf(mlir::Type type) {
  auto tensor = llvm::dyn_cast<mlir::RankedTensorType>(type);
  return tensor ? llvm::dyn_cast_or_null<T>(tensor.getEncoding()) : T();
}

/// The accumulator a register layout derives from: itself for `acc`, the one it is `of` for operands and slices, null
/// for tiles in shared memory and tiles without a layout.
AccAttr accumulatorOf(mlir::Type type);

/// Registers a thread needs for a tile of this type, which must have a register layout: 32-bit each, two elements of
/// a 16-bit type to a register.
int64_t registersOf(mlir::RankedTensorType type);

/// How a tile lies in shared memory: with the widest swizzle whose slabs divide its columns.
SharedAttr sharedLayoutOf(mlir::RankedTensorType type);

/// Bytes of a list of tiles of at most so many places in shared memory.
int64_t sharedBytesOfList(int64_t most);

/// Bytes of a tile in shared memory.
int64_t sharedBytesOf(mlir::RankedTensorType type);

} // namespace attn::tile
