// SPDX-License-Identifier: Apache-2.0
// What passes that move loads and products between the steps of a loop have in common.
#pragma once

#include "dialect/Tile.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

namespace attn::tile {

/// Whether the load's tile is an operand of a product.
bool feedsProduct(LoadOp load);

/// Whether the loop is over the items of work of a program: `distribute-programs` made it.
bool isOverItems(mlir::scf::ForOp loop);

/// The value of a step of the loop as it is in step `number`: where the builder stands, it and what it depends on in
/// the loop's body are computed anew.
mlir::Value cloneForStep(mlir::OpBuilder &builder, mlir::scf::ForOp loop, mlir::Value value, mlir::Value number);

} // namespace attn::tile
