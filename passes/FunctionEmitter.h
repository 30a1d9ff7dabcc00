// SPDX-License-Identifier: Apache-2.0
// Evaluates a score or mask function for the elements of a thread's registers.
#pragma once

#include "passes/ListRow.h"
#include "passes/MaskAnalysis.h"

namespace attn::tile {

/// An element's place among a thread's registers: its row slot (two for each atom of 16 rows) and its column within
/// the thread's share of a row.
struct ElementPlace {
  int64_t slot = -1;   ///< -1: no row
  int64_t column = -1; ///< constant part of the column: 8 * atom + 0 or 1; -1: no column
};

/// Where the elements of a tile stand: views and the indices of the tile's first row and column.
struct TilePlace {
  mlir::Value rows, row, cols, col; ///< values of the scheduled function; cols and col may be null
  int64_t rowsPerWarp;
  int64_t columns; ///< of the tile
};

/// Emits a function's values once for the tile, once a row, once a column or once an element, as each needs.
class FunctionEmitter {
public:
  /// `coordinates` is the index of the argument b: 0 for masks, 1 for score functions. `parameters` are values of the
  /// scheduled function. A function of rows alone has no column and no kv.
  FunctionEmitter(TileLowering &lowering, mlir::func::FuncOp function, unsigned coordinates,
                  mlir::ValueRange parameters, TilePlace place);

  /// The function's value for one element.
  mlir::FailureOr<mlir::Value> result(ElementPlace place, mlir::Value element);

  /// Whether evaluating all elements at once takes more registers than there are: the assembler begins as many loads as
  /// it can, and so keeps an address and a result for every element.
  bool isHeavy();
  /// The same of a mask that a tree was read from: comparisons of positions are light.
  bool isHeavy(const MaskTree &tree);

  /// What is evaluated from here on needs `earlier`, a value of type f32, so that it cannot begin before.
  void waitFor(mlir::Value earlier);

  /// Whether a tree read from this function holds for one element: i1.
  mlir::FailureOr<mlir::Value> holds(const MaskTree &tree, ElementPlace place);

  /// Number of a row of the view; i32. It is that of a row that exists where the function loads by rows or columns.
  mlir::Value viewRow(int64_t slot);
  /// Index of its token.
  mlir::Value rowIndex(int64_t slot);

private:
  using Key = std::tuple<mlir::Value, int64_t, int64_t>;
  mlir::FailureOr<mlir::Value> value(mlir::Value value, ElementPlace place);
  mlir::FailureOr<mlir::Value> emit(mlir::Operation &op, ElementPlace place);
  mlir::FailureOr<mlir::Value> emitLoad(mlir::memref::LoadOp op, ElementPlace place);
  /// An argument of the function that is memory, as the scheduled function's.
  mlir::Value memoryOf(mlir::Value argument);
  mlir::FailureOr<mlir::Value> addressOf(mlir::Value memory, mlir::ValueRange indices, ElementPlace place);
  mlir::FailureOr<ListRow> listRow(MemberOp op, ElementPlace place);
  mlir::FailureOr<mlir::Value> emitMember(MemberOp op, ElementPlace place);
  mlir::FailureOr<mlir::Value> memberBit(const MaskTree &tree, ElementPlace place);
  /// Creates a value where those stand that are the same for the whole sequence and head.
  mlir::Value byUniform(llvm::function_ref<mlir::Value()> create);
  mlir::Value emitPower(mlir::Value x, mlir::Value y);
  mlir::FailureOr<mlir::Value> emitMath(mlir::Operation &op, llvm::ArrayRef<mlir::Value> operands);
  mlir::Value emitDivision(mlir::Operation &op, llvm::ArrayRef<mlir::Value> operands);
  /// Whether turns are waited for by columns; else by elements.
  bool byColumns() const { return coordinates == 0 || loadsByColumn; }
  mlir::Value argument(mlir::BlockArgument argument, ElementPlace place);
  mlir::Value columnNumber(int64_t column);
  bool listsPositions(mlir::Value viewValue);
  bool isListedPosition(mlir::BlockArgument argument);
  mlir::FailureOr<mlir::Value> sumOfRow(const AffineForm &form, int64_t slot, mlir::Type type);
  mlir::FailureOr<mlir::Value> evaluate(const AffineForm &form, ElementPlace place);
  mlir::FailureOr<mlir::Value> limit(const AffineForm &form, int64_t slot);
  bool dependsOnRow(const AffineForm &form);
  mlir::FailureOr<mlir::Value> compareAffine(const AffineForm &form, ElementPlace place);
  std::optional<int64_t> divisorOfTile(mlir::Value value);
  unsigned dependence(mlir::Value value);
  mlir::Type integerType(mlir::Type type);
  mlir::Value resize(mlir::Value value, mlir::Type type);

  TileLowering &lowering;
  mlir::ImplicitLocOpBuilder &builder;
  mlir::func::FuncOp function;
  unsigned coordinates;
  mlir::ValueRange parameters;
  TilePlace place;
  bool narrow;        ///< index values of the function fit 32 bits
  bool loadsByPlace;  ///< some load depends on a row or column: coordinates are clamped to what exists
  bool loadsByColumn; ///< some load depends on a column
  mlir::Value turn;   ///< i32, always 0: a part of what must not begin before an earlier element is done; may be null
  mlir::Value element;
  std::map<Key, mlir::Value, bool (*)(const Key &, const Key &)> cache;
  llvm::DenseMap<mlir::Value, unsigned> dependences;
  llvm::DenseMap<mlir::Value, mlir::Value> inverses; ///< of divisors
  std::map<std::pair<const AffineForm *, int64_t>, mlir::Value> limits;
  std::map<std::pair<const MaskTree *, int64_t>, Registers> memberBits; ///< of a thread's columns, 32 to a register
};

/// floor(a / b) of signed integers of one type.
mlir::Value floorDivide(mlir::ImplicitLocOpBuilder &builder, mlir::Value a, mlir::Value b);

} // namespace attn::tile
