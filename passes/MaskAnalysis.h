// SPDX-License-Identifier: Apache-2.0
// What a mask function says: a tree of affine comparisons of coordinates, whatever way it was written.
#pragma once

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/SetVector.h"
#include <vector>

namespace attn {

/// Arguments of a function at tile level, in this order; parameters follow. (A score function has the element before
/// them.)
enum Coordinate : unsigned { kBatch, kHead, kRow, kColumn, kQuery, kKey };
inline constexpr unsigned kCoordinates = 6;

/// What a value changes with inside a tile, as a set. A value with none of them is the same for the whole tile.
enum Dependence : unsigned { kUniform = 0, kOnRow = 1, kOnQuery = 2, kOnColumn = 4 /* column or kv */ };

/// query * q + key * kv + row * row + column * column + sum of coefficient * symbol + constant, over the integers.
/// A symbol is an integer or index of the function: a parameter, a batch or head number, a value it loads or computes.
/// An integer counts with its sign. Symbols never depend on the column; those on the row differ from row to row.
struct AffineForm {
  struct Term {
    int64_t coefficient;
    mlir::Value symbol;
    bool operator==(const Term &other) const { return coefficient == other.coefficient && symbol == other.symbol; }
  };
  int64_t query = 0, key = 0, row = 0, column = 0;
  llvm::SmallVector<Term, 2> symbols; // in the order of the function, without zeros
  int64_t constant = 0;

  bool operator==(const AffineForm &other) const;
  bool isConstant() const { return !query && !key && !row && !column && symbols.empty(); }

  /// This + scale * other, or nothing when a number does not fit into 64 bits.
  std::optional<AffineForm> plus(const AffineForm &other, int64_t scale = 1) const;
  /// The same set of integers with the smallest numbers: 2x + 3 >= 0 is x + 1 >= 0.
  AffineForm reduced() const;
  /// -form - 1, which is >= 0 exactly where the form is not.
  std::optional<AffineForm> opposite() const;
  static AffineForm number(int64_t constant);
};

/// A condition in negation normal form. And and Or have at least two children, no two alike, none of their own kind
/// and none True or False, in an order that does not depend on how the function was spelt.
struct MaskTree {
  /// Residue and Ordered say of an opaque condition what it means for tiles: `refined` makes them.
  enum class Kind { True, False, And, Or, Affine, Member, Opaque, Residue, Ordered };
  Kind kind = Kind::True;
  std::vector<MaskTree> children; // And, Or
  AffineForm form;                // Affine: form >= 0. Equal comparisons have equal forms, however they were spelt.
  int64_t divisor = 1;            // Member: floor(form / divisor) is looked for in the list of `condition`
  mlir::Value condition;          // Member: a tile.member; Opaque: an i1 of the function; Ordered: a memref.load
  bool negated = false;           // Member, Opaque, Ordered: holds where it would not
  AffineForm modulus, bound;      // Residue: form - modulus * floor(form / modulus) <= bound, and if modulus < 1 nobody
                             // knows; both are uniform. Ordered: what is loaded, along increasing columns in order,
                             // is <= form

  bool operator==(const MaskTree &other) const;

  static MaskTree truth(bool holds);
  static MaskTree affine(AffineForm form); // form >= 0, or its truth if it is constant
  static MaskTree opaque(mlir::Value condition, bool negated = false);
  static MaskTree member(mlir::Value condition, AffineForm form, int64_t divisor, bool negated);
  static MaskTree residue(AffineForm form, AffineForm modulus, AffineForm bound);
  static MaskTree ordered(mlir::Value load, AffineForm form, bool negated);
  static MaskTree all(std::vector<MaskTree> children); // their And, simplified
  static MaskTree any(std::vector<MaskTree> children); // their Or, simplified
  MaskTree negate() const;

  /// One line, with symbols by the numbers of arguments and operations: "(q - kv >= 0 and arg6 - q + kv >= 0)".
  void print(llvm::raw_ostream &stream) const;
};

/// Reads a function (b, h, row, column, q, kv, parameters...) -> i1 with a body of one block. Arithmetic is taken to be
/// that of the integers: a function whose 32-bit sums overflow has no meaning. The tree refers to values of the
/// function and lives as long as they do. What is not a comparison of affine forms becomes an opaque condition.
class MaskAnalysis {
public:
  explicit MaskAnalysis(mlir::func::FuncOp function);

  const MaskTree &tree() const { return root; }

  /// A set of `Dependence` for a value of the function.
  unsigned dependence(mlir::Value value) const;
  unsigned dependence(const AffineForm &form) const;

  /// Values that are floor(base / divisor), where base is the position or the index of a row, or of a column, and a
  /// constant: the number of a block.
  struct BlockNumbers {
    llvm::SetVector<mlir::Value> values;
    AffineForm base;
    int64_t divisor = 1;
  };
  /// The numbers of blocks by which alone some values depend on rows (or columns), as the set of `Dependence` says;
  /// none if they do otherwise, or not at all.
  std::optional<BlockNumbers> blockNumbersOf(mlir::ValueRange values, unsigned dependence) const;

  /// An integer or index of the function as a form; what is not affine is its own symbol, also where it depends on the
  /// column.
  AffineForm form(mlir::Value value) const;

  /// What an opaque condition means for tiles, where that is more than its value in each element: a tree of affine
  /// conditions, residues and comparisons with ordered values; else none.
  std::optional<MaskTree> refined(mlir::Value condition) const;

private:
  bool findBlockNumbers(mlir::Value value, unsigned of, BlockNumbers &found) const;

  mlir::func::FuncOp function;
  mutable llvm::DenseMap<mlir::Value, unsigned> dependences;
  MaskTree root;
};

/// floor((dividend + offset) / divisor), however it was spelt.
struct ConstantDivision {
  mlir::Value dividend;
  int64_t offset, divisor;
  static std::optional<ConstantDivision> match(mlir::Value value);
};

/// The number of an integer constant that fits 64 bits.
std::optional<int64_t> integerConstantOf(mlir::Value value);

/// A number for each value of a function that follows its text: arguments first.
unsigned orderOf(mlir::Value value);

} // namespace attn
