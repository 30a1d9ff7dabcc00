// SPDX-License-Identifier: Apache-2.0
// Which functions of a weight only scale it.
#pragma once

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace attn {

/// Whether a function (weight, ...) -> f32 is the weight times something that does not depend on it, as its text shows:
/// by products, quotients, sums, differences and selections of such, calls followed. A constant 0 is such a product.
bool isWeightFactor(mlir::func::FuncOp function);

} // namespace attn
