// SPDX-License-Identifier: Apache-2.0
// The list of tiles that a walk visits, where its mask asks lists and a range of tiles would hold too many.
#pragma once

#include "passes/WalkConditions.h"

namespace attn {

/// Writes a tile.collect in front of a walk. What a mask admits, and what it hides, is an Or of clauses; each clause
/// marks the tiles of the columns that it leaves. With a list among its terms, that is done for each entry: an entry
/// gives the number that is looked for, and so two more inequalities. Where the row of the list differs from query to
/// query, all rows of the tile that have it in common are taken together. Of several lists in a clause each is followed
/// by itself, and what they have in common counts: the tiles may then be more than need be.
class TileCollector {
public:
  TileCollector(WalkConditions &conditions, tile::WalkOp walk, mlir::OpBuilder &builder)
      : conditions(conditions), walk(walk), builder(builder) {}

  /// Whether some term of the mask, or of its opposite, is of this kind: Member, Opaque for one that blocks of columns
  /// decide, or Residue.
  bool hasTerm(MaskTree::Kind kind);
  /// The list, of the tiles number `first` up to `end`. `hidesNothing` tells whether every tile is full.
  mlir::Value collect(mlir::Value first, mlir::Value end, bool &hidesNothing);

private:
  /// The queries of a tile that share a row of a list: those whose floor(base / divisor) is the same.
  struct RowGroups {
    llvm::SetVector<mlir::Value> numbers; ///< values of the function that are the number of the group
    Linear base;
    int64_t divisor = 1;
  };

  llvm::SmallVector<Clause, 4> visible();
  void markColumns(tile::Sight sight, const Clause &clause, LinearEmitter emitter);
  void mark(tile::Sight sight, const Clause &clause);
  void markListed(tile::Sight sight, const Clause &clause);
  void markBlocks(tile::Sight sight, const Clause &clause, mlir::IRMapping &known);
  void markResidues(tile::Sight sight, const Clause &clause);
  mlir::Value meets(const Columns &numbers, mlir::Value modulus, mlir::Value bound);
  Clause inWalk(tile::Sight sight, const Clause &clause);
  void forEachHead(const ListTerm &term, mlir::IRMapping &known, llvm::function_ref<void()> body);
  void forEachGroup(const Clause &clause, const RowGroups &groups, mlir::IRMapping &known, bool inParallel,
                    llvm::function_ref<void(const Clause &)> body);
  void markEntries(tile::Sight sight, const Clause &clause, mlir::IRMapping &known, bool inParallel);
  mlir::Value entry(const ListTerm &term, mlir::ValueRange row, mlir::Value place, unsigned end);
  std::pair<mlir::Value, mlir::Value> interval(const ListTerm &term, mlir::ValueRange row, mlir::Value place,
                                               mlir::Value from, mlir::Value to);
  std::optional<RowGroups> groupsOf(const ListTerm &term);
  void loop(mlir::Value from, mlir::Value to, bool inParallel, llvm::function_ref<void(mlir::Value)> body);

  mlir::Value firstTile, endTile;
  WalkConditions &conditions;
  tile::WalkOp walk;
  mlir::OpBuilder &builder;
};

} // namespace attn
