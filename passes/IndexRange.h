// SPDX-License-Identifier: Apache-2.0
// Whether the index arithmetic of a score or mask function fits 32 bits.
#pragma once

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace attn::tile {

/// True if every index value of the function fits a signed 32-bit integer, given that sizes and positions are below
/// 2^30 in magnitude (the launcher checks). `coordinates` is the number of the argument b; the arguments from there up
/// to the first parameter are coordinates. Source: interval arithmetic over the body, one pass.
bool indexFitsInt32(mlir::func::FuncOp function, unsigned coordinates, unsigned coordinateCount);

} // namespace attn::tile
