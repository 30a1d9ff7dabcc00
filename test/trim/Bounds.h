// SPDX-License-Identifier: Apache-2.0
// Runs the scalar code that trimming puts before a loop.
#pragma once

#include "compiler/ListRun.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/DenseMap.h"
#include <string>
#include <vector>

namespace attn::test {

/// One loop, by tile numbers.
struct Loop {
  int64_t first, end;
  int64_t freeFrom, freeTo;                      // where the mask hides nothing; equal if there is no such tile
  std::string part;                              // the attribute tile.part
  std::optional<std::vector<ListedTile>> listed; // where a list says which tiles are visited
};

/// Tensors of integers of rank 1.
using Memories = llvm::ArrayRef<const std::vector<int32_t> *>;

/// The index arithmetic of a function and the bounds of the loops in its body, ready to run many times.
class Bounds {
public:
  /// `fault` is set, and stays set, when something cannot be run or an index leaves 32 bits.
  explicit Bounds(mlir::func::FuncOp function);

  /// `arguments` has a number for each argument of type index; others are ignored. `memories` are the tensors of
  /// integers, in the order of their arguments.
  const std::vector<Loop> &run(llvm::ArrayRef<int64_t> arguments, Memories memories);

  std::string fault;

private:
  struct Instruction {
    mlir::Operation *op;
    int kind;
    unsigned result, a, b, c;
    int64_t constant;
    bool isIndex;
  };
  struct LoopSlots {
    unsigned first, end, freeFrom, freeTo;
    bool masked, hasClause;
    std::string part;
  };
  void compile(mlir::Operation &op);
  void fill(Instruction &instruction, mlir::ValueRange operands);
  void compileLoop(mlir::Operation &op);
  Loop record(const LoopSlots &slots) const;
  unsigned slot(mlir::Value value);
  int64_t evaluate(const Instruction &instruction, Memories memories) const;
  int64_t search(const Instruction &instruction, const std::vector<int32_t> &memory) const;
  std::vector<ListedTile> list(tile::CollectOp op, Memories memories);

  llvm::DenseMap<mlir::Value, unsigned> slots;
  std::vector<std::pair<unsigned, unsigned>> arguments; // argument, slot
  std::vector<Instruction> program;
  std::vector<LoopSlots> loopSlots;
  std::vector<int64_t> values;
  std::vector<Loop> loops;
  llvm::DenseMap<mlir::Value, unsigned> memories; // numbers of arguments that are tensors of integers
  std::optional<std::vector<ListedTile>> listed;
};

} // namespace attn::test
