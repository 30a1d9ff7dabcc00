// SPDX-License-Identifier: Apache-2.0
// The rules of score and mask functions: their signatures, what stands in them, and the lists they ask.
#include "dialect/AttnRules.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;

namespace attn {

/// Calls are put in place, and a kernel computes a function for each of the scores that a thread holds: a few lines
/// that call one another twice would never end to compile.
static constexpr uint64_t mostOperations = 4096;

//===-- signature ----------------------------------------------------------===//

/// Whether a parameter of type `want` can be given to a function that takes `have`: a `?` takes any size.
static bool takes(Type have, Type want) {
  auto to = dyn_cast<RankedTensorType>(have), from = dyn_cast<RankedTensorType>(want);
  if (!to || !from)
    return have == want;
  if (to.getRank() != from.getRank() || to.getElementType() != from.getElementType())
    return false;
  return llvm::all_of(llvm::zip(to.getShape(), from.getShape()), [](auto sizes) {
    auto [a, b] = sizes;
    return ShapedType::isDynamic(a) || a == b;
  });
}

static bool isCallable(FunctionType have, ArrayRef<Type> inputs, Type result) {
  return have.getNumInputs() == inputs.size() && have.getResults() == ArrayRef<Type>(result) &&
         llvm::all_of(llvm::zip(have.getInputs(), inputs),
                      [](auto types) { return takes(std::get<0>(types), std::get<1>(types)); });
}

void KernelRules::checkFunction(Operation *op, FlatSymbolRefAttr name, OperandRange parameters, bool takesScore,
                                Type result) {
  // A name that is not in the file may be one of the library: the linker finds it, or says that nobody has it.
  Operation *symbol = SymbolTable::lookupNearestSymbolFrom(kernel->getParentOp(), name);
  if (!symbol)
    return;
  auto function = dyn_cast<func::FuncOp>(symbol);
  if (!function) {
    InFlightDiagnostic diagnostic = fail(op) << name << " to be a func.func, got '" << symbol->getName() << "'";
    diagnostic.attachNote(symbol->getLoc()) << "it is here";
    return;
  }
  SmallVector<Type> inputs;
  if (takesScore)
    inputs.push_back(Float32Type::get(op->getContext()));
  inputs.append(4, IndexType::get(op->getContext()));
  llvm::append_range(inputs, parameters.getTypes());
  FunctionType have = function.getFunctionType();
  if (!isCallable(have, inputs, result)) {
    InFlightDiagnostic diagnostic = fail(op) << name << " to be " << FunctionType::get(op->getContext(), inputs, result)
                                             << " (" << (takesScore ? "score, " : "")
                                             << "b, h, q, kv, then the parameters given here), got " << have;
    diagnostic.attachNote(function.getLoc()) << "the function is here";
    return;
  }
  SmallVector<func::FuncOp> path;
  bool failedBefore = failed;
  checkBody(op, function, path);
  if (failed != failedBefore)
    return;
  llvm::DenseMap<Operation *, uint64_t> known;
  if (expandedSize(function, known) > mostOperations) {
    InFlightDiagnostic diagnostic = fail(op) << "a function of at most " << mostOperations
                                             << " operations once its calls are put in place, got more in " << name;
    diagnostic.attachNote(function.getLoc()) << "the function is here";
  }
}

/// Operations of a function and of what it calls, each call counted anew; what is beyond the limit is not counted on.
uint64_t KernelRules::expandedSize(func::FuncOp function, llvm::DenseMap<Operation *, uint64_t> &known) {
  if (auto found = known.find(function); found != known.end())
    return found->second;
  uint64_t size = 0;
  function.walk([&](Operation *step) {
    ++size;
    if (auto call = dyn_cast<func::CallOp>(step))
      if (auto callee = SymbolTable::lookupNearestSymbolFrom<func::FuncOp>(call, call.getCalleeAttr()))
        size += expandedSize(callee, known);
    size = std::min(size, mostOperations + 1);
  });
  return known[function] = size;
}

//===-- body ---------------------------------------------------------------===//

void KernelRules::checkBody(Operation *op, func::FuncOp function, SmallVectorImpl<func::FuncOp> &path) {
  if (llvm::is_contained(path, function)) {
    InFlightDiagnostic diagnostic = fail(op) << "functions that do not call themselves, got ";
    for (func::FuncOp caller : path)
      diagnostic << "@" << caller.getSymName() << " -> ";
    diagnostic << "@" << function.getSymName();
    return;
  }
  if (!checkedFunctions.insert(function).second)
    return;
  if (!function.isExternal() && !function.getBody().hasOneBlock())
    fail(op) << "functions of one block, got @" << function.getSymName();
  path.push_back(function);
  function.walk([&](Operation *step) {
    if (auto call = dyn_cast<func::CallOp>(step)) {
      if (auto callee = SymbolTable::lookupNearestSymbolFrom<func::FuncOp>(call, call.getCalleeAttr()))
        checkBody(op, callee, path);
    } else {
      checkBodyStep(op, function, step);
    }
  });
  path.pop_back();
}

void KernelRules::checkBodyStep(Operation *user, func::FuncOp function, Operation *step) {
  StringRef dialect = step->getName().getDialectNamespace();
  if (isa<func::FuncOp, func::ReturnOp, tensor::ExtractOp, MemberOp, RowOp, ColumnOp>(step))
    return;
  bool isArithmetic = dialect == "arith" || dialect == "math";
  bool isScalar = llvm::all_of(step->getResultTypes(), [](Type type) { return type.isIntOrIndexOrFloat(); });
  auto rounding = step->getAttrOfType<arith::RoundingModeAttr>("roundingmode");
  if (rounding && rounding.getValue() != arith::RoundingMode::to_nearest_even) {
    failed = true;
    InFlightDiagnostic diagnostic = step->emitOpError("expects to round to nearest even, got ")
                                    << arith::stringifyRoundingMode(rounding.getValue());
    diagnostic.attachNote(user->getLoc()) << "@" << function.getSymName() << " is used here";
    return;
  }
  if (isArithmetic && isScalar)
    return;
  failed = true;
  InFlightDiagnostic diagnostic = step->emitOpError();
  if (isArithmetic)
    diagnostic << "expects scalars in a score or mask function, got " << step->getResultTypes().front();
  else
    diagnostic << "is not allowed in a score or mask function: expects arith, math, tensor.extract, func.call, "
                  "attn.member, attn.row and attn.column only";
  diagnostic.attachNote(user->getLoc()) << "@" << function.getSymName() << " is used here";
}

//===-- lists --------------------------------------------------------------===//

/// A packed list: one index, and row ends of rank 1.
static LogicalResult verifyPacked(MemberOp op, RankedTensorType list) {
  auto ends = cast<RankedTensorType>(op.getRows().getType());
  bool isList = list.getRank() == 1 || (list.getRank() == 2 && list.getDimSize(1) == 2);
  if (op.getRow().size() == 1 && ends.getRank() == 1 && isList)
    return success();
  return op.emitOpError("expects one row index, row ends of rank 1, and a list of numbers or of ranges, got ")
         << op.getRow().size() << " indices, " << ends << " and " << list;
}

LogicalResult MemberOp::verify() {
  auto list = cast<RankedTensorType>(getList().getType());
  for (Value tensor : {Value(getList()), Value(getCount()), Value(getRows())})
    if (tensor && !isTableInteger(cast<RankedTensorType>(tensor.getType()).getElementType()))
      return emitOpError("expects lists of i32 or i64, got ")
             << cast<RankedTensorType>(tensor.getType()).getElementType();
  if (getCount() && getRows())
    return emitOpError("expects count or rows, got both");
  if (getRows())
    return verifyPacked(*this, list);
  int64_t indices = getRow().size(), rank = list.getRank();
  bool isRanges = rank >= 2 && indices == rank - 2 && list.getDimSize(rank - 1) == 2;
  if (indices != rank - 1 && !isRanges)
    return emitOpError("expects ") << rank - 1 << " row indices for a list of numbers, or " << rank - 2
                                   << " and a last dimension of 2 for a list of ranges, got " << indices << " and "
                                   << list;
  if (getCount() && cast<RankedTensorType>(getCount().getType()).getRank() != indices)
    return emitOpError("expects one count per row, of rank ") << indices << ", got " << getCount().getType();
  return success();
}

} // namespace attn
