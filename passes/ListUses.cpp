// SPDX-License-Identifier: Apache-2.0
// Follows the parameters of functions from a kernel to the lists that are asked.
#include "passes/ListUses.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/SymbolTable.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;

namespace attn {
namespace {

class UseFinder {
public:
  explicit UseFinder(KernelOp kernel) : kernel(kernel) {}

  SmallVector<Value> findSorted() {
    find();
    sorted.remove_if([&](Value value) { return !isOfKernel(value) || !isa<BlockArgument>(value); });
    return sorted.takeVector();
  }

  SmallVector<ListUse> find() {
    for (Operation &op : kernel.getBody().front())
      if (auto by = op.getAttrOfType<FlatSymbolRefAttr>("by"))
        if (auto function = SymbolTable::lookupNearestSymbolFrom<func::FuncOp>(kernel, by))
          enter(function, op.getOperands().drop_front());
    return std::move(uses);
  }

private:
  /// Parameters are a function's last arguments.
  void enter(func::FuncOp function, OperandRange given) {
    if (function.isExternal())
      return;
    auto arguments = function.getArguments();
    for (auto [argument, value] : llvm::zip(arguments.take_back(given.size()), given))
      origin[argument] = resolve(value);
    for (Operation &op : function.getBody().front()) {
      if (auto call = dyn_cast<func::CallOp>(op))
        follow(call);
      else if (auto member = dyn_cast<MemberOp>(op))
        add(member);
      else if (auto extract = dyn_cast<tensor::ExtractOp>(op); extract && extract->hasAttr(sortedAttrName))
        sorted.insert(resolve(extract.getTensor()));
    }
  }

  void follow(func::CallOp call) {
    auto callee = SymbolTable::lookupNearestSymbolFrom<func::FuncOp>(kernel, call.getCalleeAttr());
    if (!callee || callee.isExternal())
      return;
    enter(callee, call.getOperands());
    for (auto [result, value] : llvm::zip(call.getResults(), callee.getBody().front().getTerminator()->getOperands()))
      origin[result] = resolve(value);
  }

  Value resolve(Value value) const {
    auto known = origin.find(value);
    return value && known != origin.end() ? known->second : value;
  }

  bool isOfKernel(Value value) { return value.getParentBlock() == &kernel.getBody().front(); }

  void add(MemberOp member) {
    ListUse use{resolve(member.getList()), resolve(member.getCount()), resolve(member.getRows())};
    for (Value value : {use.list, use.count, use.rows})
      if (value && !isOfKernel(value))
        return;
    size_t leading = use.rows ? 0 : member.getRow().size();
    use.isRanges = cast<RankedTensorType>(member.getList().getType()).getRank() == int64_t(leading) + 2;
    use.unit = unitOf(member.getValue());
    uses.push_back(use);
  }

  /// The divisor of a quotient, or of a sum or difference that holds one; else 1.
  int64_t unitOf(Value value) const {
    Operation *op = resolve(value).getDefiningOp();
    if (isa_and_nonnull<arith::AddIOp, arith::SubIOp>(op))
      return std::max(unitOf(op->getOperand(0)), unitOf(op->getOperand(1)));
    IntegerAttr divisor;
    if (isa_and_nonnull<arith::FloorDivSIOp, arith::DivSIOp, arith::DivUIOp>(op) &&
        matchPattern(resolve(op->getOperand(1)), m_Constant(&divisor)))
      return std::max<int64_t>(divisor.getInt(), 1);
    return 1;
  }

  KernelOp kernel;
  llvm::DenseMap<Value, Value> origin; ///< of arguments of functions and results of calls
  SmallVector<ListUse> uses;
  llvm::SmallSetVector<Value, 2> sorted;
};

} // namespace

SmallVector<Value> sortedTensorsOf(KernelOp kernel) { return UseFinder(kernel).findSorted(); }

SmallVector<ListUse> listUsesOf(KernelOp kernel) { return UseFinder(kernel).find(); }

} // namespace attn
