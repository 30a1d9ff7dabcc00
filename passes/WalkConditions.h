// SPDX-License-Identifier: Apache-2.0
// The mask of a walk as inequalities between a row, a column and values that are known before the walk.
#pragma once

#include "dialect/Tile.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/IRMapping.h"
#include "passes/LinearEmitter.h"
#include "passes/MaskAnalysis.h"

namespace attn {

struct Conjunct;

/// A term that says more of columns than an interval can: whether a number is in a list, has some residues, or
/// something else that depends on the column by the number of its block alone.
struct ListTerm {
  Conjunct *conjunct;
  MaskTree leaf; ///< of kind Member, Opaque or Residue
};

/// Every expression is >= 0, and every term holds. Who reads expressions only admits more.
struct Clause : llvm::SmallVector<Linear, 4> {
  using SmallVector::SmallVector;
  llvm::SmallVector<ListTerm, 1> terms;

  void addAll(const Clause &other) {
    append(other.begin(), other.end());
    llvm::append_range(terms, other.terms);
  }
};

/// One function of a mask's list.
struct Conjunct {
  mlir::FlatSymbolRefAttr name;
  mlir::SmallVector<mlir::Value> params;
  std::unique_ptr<MaskAnalysis> analysis; // null for @in_bounds and for functions without a body
  bool inBounds = false;
  llvm::StringRef flaw;                               // why a term says nothing about tiles; empty if all do
  llvm::DenseMap<mlir::Value, mlir::Value> before;    // its uniform values, computed before the walk
  llvm::DenseMap<mlir::Value, unsigned> rowDivisions; // its unknowns that follow from the row
  struct Limit {
    mlir::Value load;
    AffineForm threshold;
    unsigned unknown;
  };
  llvm::SmallVector<Limit, 2> limits; // its unknowns that say how far ordered values stay at or below a threshold
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
  llvm::SmallVector<Clause, 4> clauses(Conjunct &conjunct, bool negated);
  /// A form of a conjunct's function; none where it says nothing.
  std::optional<Linear> linear(Conjunct &conjunct, const AffineForm &form) { return translate(conjunct, form); }
  /// The number that is looked for in the list of a term, before it is divided; the one whose residue counts.
  std::optional<Linear> number(const ListTerm &term) { return translate(*term.conjunct, term.leaf.form); }
  /// A value of a conjunct's function as a value before the walk, with `known` in place of values of the function;
  /// null where it needs others that differ from row to row. What is the same for all rows is computed at
  /// `uniformPoint`, if that is set.
  mlir::Value rebuild(Conjunct &conjunct, mlir::Value value, mlir::IRMapping &known);
  /// Whether one number says where the positions of the columns begin.
  bool knowsPositions() const { return columnPosition.has_value(); }
  /// Heads of a group that stand in neighbouring rows.
  int64_t packed() { return rowsView ? int64_t(rowsView.getPacked()) : 1; }
  /// The head of row 0, or the number of its group.
  mlir::Value head() { return rowsView ? rowsView.getHead() : mlir::Value(); }
  /// Whether a value of the function is another one for each head.
  bool dependsOnHead(Conjunct &conjunct, mlir::Value value);
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
  Linear firstRow, lastOfTile, rowCount;   ///< rows are tokens
  mlir::Operation *uniformPoint = nullptr; ///< what all rows share is computed before it while others stand behind
  std::optional<Linear> rowPosition;       ///< of token 0

private:
  void readColumns();
  void readRows();
  void readTokens(int64_t rows, int64_t packed);
  Linear length(mlir::Value view);
  void position(tile::ViewOp view, std::optional<Linear> &linear);
  Linear moderate(mlir::Value value, int64_t lowest);

  std::optional<Linear> translate(Conjunct &conjunct, const AffineForm &form);
  std::optional<Linear> translateHere(Conjunct &conjunct, const AffineForm &form);
  template <typename Result> Result atUniformPoint(llvm::function_ref<Result()> create) {
    mlir::OpBuilder::InsertionGuard guard(builder);
    if (uniformPoint)
      builder.setInsertionPoint(uniformPoint);
    return create();
  }
  std::optional<Linear> symbol(Conjunct &conjunct, mlir::Value value, bool &saturated);
  std::optional<Linear> rowDivision(Conjunct &conjunct, mlir::Value value);
  std::optional<Linear> uniform(Conjunct &conjunct, mlir::Value value, bool &saturated);
  // RowValues.cpp
  struct Line {
    mlir::Value memory, end;                 ///< `end`: behind the index of the last row, or column, in the tensor
    llvm::SmallVector<mlir::Value> at, last; ///< indices in the first and the last row
    int64_t along = 0;
  };
  std::optional<Line> lineOfRows(Conjunct &conjunct, mlir::memref::LoadOp load);
  std::optional<Linear> rowValue(Conjunct &conjunct, mlir::Value value);
  std::optional<Linear> ordered(Conjunct &conjunct, const MaskTree &leaf);
  std::optional<std::pair<mlir::Value, mlir::Value>> rangeOver(const Linear &linear);
  mlir::Value firstAbove(mlir::Value memory, mlir::ValueRange at, mlir::Value number, mlir::Value end);
  unsigned between(mlir::Value least, mlir::Value greatest);
  mlir::Value lastRow();
  mlir::Value insideOf(mlir::Value memory, unsigned dimension, mlir::Value index, bool asEnd);
  mlir::Value compute(Conjunct &conjunct, mlir::Value value);
  llvm::SmallVector<Clause, 4> clauses(Conjunct &conjunct, const MaskTree &tree);
  Clause listed(Conjunct &conjunct, const MaskTree &tree);
  Clause compared(Conjunct &conjunct, const MaskTree &tree);
  Clause residue(Conjunct &conjunct, const MaskTree &tree);

  tile::WalkOp walk;
  tile::MaskOp mask;
  mlir::OpBuilder &builder;
  tile::ViewOp rowsView;
  Clause always;
  std::optional<Linear> columnPosition;
  Linear columnIndex; ///< of the view's first column
  Linear extent;
  llvm::DenseSet<mlir::Value> moderates; // lengths, positions and indices
};

} // namespace attn
