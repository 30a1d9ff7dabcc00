// SPDX-License-Identifier: Apache-2.0
// Follows a weight through a function, as far as it is only multiplied.
#include "passes/WeightFactors.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/SymbolTable.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace attn {
namespace {

/// How a value depends on the weight.
enum class Dependence {
  None,   ///< not at all
  Zero,   ///< not at all, and it is the constant 0
  Factor, ///< it is the weight times something
  Other,
};

using Dependences = llvm::DenseMap<Value, Dependence>;

Dependence dependenceOf(func::FuncOp function, ArrayRef<Dependence> arguments);

/// Of a sum, a difference or a choice: weights times something stay so.
Dependence joined(Dependence a, Dependence b) {
  bool any = a == Dependence::Factor || b == Dependence::Factor;
  bool all = (a == Dependence::Factor || a == Dependence::Zero) && (b == Dependence::Factor || b == Dependence::Zero);
  return any && all ? Dependence::Factor : Dependence::Other;
}

Dependence dependenceOf(Operation *op, ArrayRef<Dependence> operands) {
  auto isFree = [](Dependence d) { return d == Dependence::None || d == Dependence::Zero; };
  if (llvm::all_of(operands, isFree) && !isa<func::CallOp>(op))
    return matchPattern(op, m_AnyZeroFloat()) ? Dependence::Zero : Dependence::None;
  return llvm::TypeSwitch<Operation *, Dependence>(op)
      .Case([&](arith::MulFOp) {
        bool one = isFree(operands[0]) != isFree(operands[1]) && operands[0] != Dependence::Other &&
                   operands[1] != Dependence::Other;
        return one ? Dependence::Factor : Dependence::Other;
      })
      .Case([&](arith::DivFOp) {
        return operands[0] == Dependence::Factor && isFree(operands[1]) ? Dependence::Factor : Dependence::Other;
      })
      .Case([&](arith::NegFOp) { return operands[0]; })
      .Case<arith::AddFOp, arith::SubFOp>([&](auto) { return joined(operands[0], operands[1]); })
      .Case([&](arith::SelectOp) { return isFree(operands[0]) ? joined(operands[1], operands[2]) : Dependence::Other; })
      .Case([&](func::CallOp call) {
        auto callee = SymbolTable::lookupNearestSymbolFrom<func::FuncOp>(call, call.getCalleeAttr());
        return callee && !callee.isExternal() ? dependenceOf(callee, operands) : Dependence::Other;
      })
      .Default([](Operation *) { return Dependence::Other; });
}

Dependence dependenceOf(func::FuncOp function, ArrayRef<Dependence> arguments) {
  Dependences known;
  for (auto [argument, dependence] : llvm::zip(function.getArguments(), arguments))
    known[argument] = dependence;
  auto all = [&](OperandRange values) {
    return llvm::map_to_vector(values, [&](Value value) { return known.lookup(value); });
  };
  for (Operation &op : function.getBody().front().without_terminator()) {
    Dependence dependence = dependenceOf(&op, all(op.getOperands()));
    for (Value result : op.getResults())
      known[result] = dependence;
  }
  return known.lookup(function.getBody().front().getTerminator()->getOperand(0));
}

} // namespace

bool isWeightFactor(func::FuncOp function) {
  SmallVector<Dependence> arguments(function.getNumArguments(), Dependence::None);
  arguments[0] = Dependence::Factor;
  Dependence result = dependenceOf(function, arguments);
  return result == Dependence::Factor || result == Dependence::Zero;
}

} // namespace attn
