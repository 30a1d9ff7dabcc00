// SPDX-License-Identifier: Apache-2.0
// Comparisons that are not affine but say something of tiles all the same: of remainders, and of values in order.
#pragma once

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "passes/MaskAnalysis.h"

namespace attn {

/// `symbol predicate threshold`, where the symbol is a value of the function that is no affine form, and the threshold
/// does not change with the column.
struct SymbolComparison {
  mlir::Value symbol;
  mlir::arith::CmpIPredicate predicate; ///< signed, eq or ne
  AffineForm threshold;
};

/// The tree of "symbol predicate threshold" from that of "symbol >= number", and, where there is a shorter one, of
/// "symbol = number".
MaskTree compareWith(mlir::arith::CmpIPredicate predicate, const AffineForm &threshold,
                     llvm::function_ref<MaskTree(const AffineForm &)> atLeast,
                     llvm::function_ref<MaskTree(const AffineForm &)> equal);

/// x rem n, or x and 2^k - 1, for a form x and a uniform n: Residue leaves.
std::optional<MaskTree> refineRemainder(const MaskAnalysis &analysis, const SymbolComparison &comparison);

/// An element of a tensor whose rows do not fall, as the load says (kSorted), which moves by one from column to column:
/// Ordered leaves.
std::optional<MaskTree> refineOrdered(const MaskAnalysis &analysis, const SymbolComparison &comparison);

/// The attribute of a load from a tensor whose rows, along its last dimension, do not fall.
inline constexpr llvm::StringLiteral kSorted = "tile.sorted";

} // namespace attn
