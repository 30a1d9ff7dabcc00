// SPDX-License-Identifier: Apache-2.0
// The mask of a walk as inequalities between a row, a column and values that are known before the walk.
#pragma once

#include "dialect/Tile.h"
#include "passes/LinearEmitter.h"
#include "passes/MaskAnalysis.h"

namespace attn {

/// Every expression is >= 0.
using Clause = llvm::SmallVector<Linear, 4>;

/// One function of a mask's list.
struct Conjunct {
  mlir::FlatSymbolRefAttr name;
  mlir::SmallVector<mlir::Value> params;
  std::unique_ptr<MaskAnalysis> analysis; // null for @in_bounds and for functions without a body
  bool inBounds = false;
  llvm::StringRef flaw;                               // why a term says nothing about tiles; empty if all do
  llvm::DenseMap<mlir::Value, mlir::Value> before;    // its uniform values, computed before the walk
  llvm::DenseMap<mlir::Value, unsigned> rowDivisions; // its unknowns that follow from the row
};

/// What is known about one tile of a walk. Two unknowns, `row` and `column`, are indices into the two sequences, so
/// where heads are packed a row is a token; others are functions of the row. The rows that the program has are taken to
/// exist, at least the first.
class WalkConditions {
public:
  /// Code for values that only functions compute is put where `builder` stands, before the walk. Without a mask only
  /// the range of the walk is known.
  WalkConditions(tile::WalkOp walk, tile::MaskOp mask, mlir::OpBuilder &builder);

  /// Reads the functions of the mask; fails with a diagnostic when the list does not fit them.
  mlir::LogicalResult readConjuncts();

  /// The condition (or its opposite) as an Or of clauses. Terms that say nothing are left out, so the clauses admit
  /// at least what the condition admits.
  llvm::SmallVector<Clause> clauses(Conjunct &conjunct, bool negated);
  /// Comparisons that hold wherever the conjunct holds.
  Clause necessary(Conjunct &conjunct);

  /// The rows of the tile, and what follows from them for other unknowns.
  const Clause &rowBounds() const { return always; }
  /// The columns of all tiles that can be visited.
  Clause visitedColumns();

  Inequalities system;
  LinearEmitter emitter;
  std::vector<Conjunct> conjuncts;
  unsigned row, column;
  Linear from, to;

private:
  void readColumns();
  void readRows();
  void readTokens(int64_t rows, int64_t packed);
  Linear length(mlir::Value view);
  void position(tile::ViewOp view, std::optional<Linear> &linear);
  Linear moderate(mlir::Value value, int64_t lowest);

  std::optional<Linear> translate(Conjunct &conjunct, const AffineForm &form);
  bool dependsOnHead(Conjunct &conjunct, mlir::Value value);
  std::optional<Linear> symbol(Conjunct &conjunct, mlir::Value value, bool &saturated);
  std::optional<Linear> rowDivision(Conjunct &conjunct, mlir::Value value);
  std::optional<Linear> uniform(Conjunct &conjunct, mlir::Value value, bool &saturated);
  mlir::Value compute(Conjunct &conjunct, mlir::Value value);
  llvm::SmallVector<Clause> clauses(Conjunct &conjunct, const MaskTree &tree);

  tile::WalkOp walk;
  tile::MaskOp mask;
  mlir::OpBuilder &builder;
  tile::ViewOp rowsView;
  Clause always;
  std::optional<Linear> rowPosition, columnPosition;
  Linear columnIndex; ///< of the view's first column
  Linear extent, firstRow, lastOfTile, rowCount;
  llvm::DenseSet<mlir::Value> moderates; // lengths, positions and indices
};

} // namespace attn
