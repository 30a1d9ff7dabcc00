// SPDX-License-Identifier: Apache-2.0
// Comparisons with values that do not fall from column to column.
#include "passes/MaskRefinement.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;

namespace attn {

std::optional<MaskTree> refineOrdered(const MaskAnalysis &analysis, const SymbolComparison &comparison) {
  auto load = comparison.symbol.getDefiningOp<memref::LoadOp>();
  if (!load || !load->hasAttr(kSorted) || load.getIndices().empty())
    return std::nullopt;
  AffineForm last = analysis.form(load.getIndices().back());
  bool byColumn = last.key + last.column == 1 && last.key * last.column == 0 && !last.query && !last.row &&
                  llvm::all_of(last.symbols, [&](auto &term) { return analysis.dependence(term.symbol) == kUniform; });
  bool others =
      llvm::all_of(load.getIndices().drop_back(), [&](Value index) { return analysis.dependence(index) == kUniform; });
  if (!byColumn || !others)
    return std::nullopt;
  auto atLeast = [&](const AffineForm &number) {
    AffineForm below = number;
    --below.constant;
    return MaskTree::ordered(load.getResult(), below, /*negated=*/true);
  };
  return compareWith(comparison.predicate, comparison.threshold, atLeast, [&](const AffineForm &number) {
    return MaskTree::all({atLeast(number), MaskTree::ordered(load.getResult(), number, /*negated=*/false)});
  });
}

MaskTree MaskTree::ordered(Value load, AffineForm form, bool negated) {
  MaskTree tree = opaque(load, negated);
  tree.kind = Kind::Ordered;
  tree.form = std::move(form);
  return tree;
}

} // namespace attn
