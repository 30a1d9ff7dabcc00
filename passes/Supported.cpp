// SPDX-License-Identifier: Apache-2.0
// Finds the attention of a kernel and refuses what has no lowering.
#include "passes/Supported.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/SymbolTable.h"
#include "passes/CostModel.h"
#include "llvm/ADT/SmallPtrSet.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;

namespace attn {
namespace {

class Finder {
public:
  explicit Finder(KernelOp kernel) : kernel(kernel) {}

  FailureOr<Attention> find() {
    for (Operation &op : kernel.getBody().front())
      visit(&op);
    if (!failedOnce && !(found.scores && found.softmax && found.output))
      fail(kernel) << "attn.scores, attn.softmax and attn.output: no other kernel is lowered yet";
    if (found.scores && found.output) {
      found.query = typeOf(found.scores.getQuery(), false);
      found.keys = typeOf(found.scores.getKeys(), false);
      found.values = typeOf(found.output.getValues(), true);
      found.result = cast<RankedTensorType>(found.output.getOutput().getType());
      if (found.query && found.keys && found.values) {
        checkHeadDims();
        checkElementTypes();
        checkPacked();
      }
    }
    checkName();
    checkArguments();
    if (failedOnce)
      return failure();
    return found;
  }

private:
  InFlightDiagnostic fail(Operation *op) {
    failedOnce = true;
    return op->emitOpError("expects ");
  }

  static RankedTensorType typeOf(Value value, bool last) {
    Value tensor = tensorOf(value, last);
    return tensor ? dyn_cast<RankedTensorType>(tensor.getType()) : RankedTensorType();
  }

  void visit(Operation *op) {
    if (auto scores = dyn_cast<ScoresOp>(op)) {
      found.scores = scores;
    } else if (auto softmax = dyn_cast<SoftmaxOp>(op)) {
      found.softmax = softmax;
    } else if (auto output = dyn_cast<OutputOp>(op)) {
      found.output = output;
    } else if (auto modify = dyn_cast<ModifyOp>(op)) {
      found.modifies.push_back(modify);
      checkFunction(modify.getByAttr());
    } else if (auto mask = dyn_cast<MaskOp>(op)) {
      found.masks.push_back(mask);
      checkFunction(mask.getByAttr());
    } else if (!isa<DenseOp, ReturnOp>(op) && op->getName().getDialectNamespace() != "arith") {
      refuse(op);
    }
  }

  void refuse(Operation *op) {
    failedOnce = true;
    InFlightDiagnostic fault = op->emitOpError("has no lowering yet: expects ");
    if (op->getNumResults() == 1 && isa<SeqType>(op->getResult(0).getType()))
      fault << "queries, keys and values that are tensors or attn.dense";
    else
      fault << "attn.scores, attn.modify, attn.mask, attn.softmax and attn.output";
  }

  /// A function that is missing is not our business: linking the library reports it.
  void checkFunction(FlatSymbolRefAttr symbol) {
    auto function = SymbolTable::lookupNearestSymbolFrom<func::FuncOp>(kernel, symbol);
    if (!function || !seen.insert(function).second)
      return;
    function.walk([&](Operation *op) {
      if (auto call = dyn_cast<func::CallOp>(op)) {
        checkFunction(call.getCalleeAttr());
      } else if (isa<MemberOp>(op)) {
        failedOnce = true;
        op->emitOpError(
            "has no lowering yet: expects functions of arith, math, tensor.extract, func.call, attn.row and "
            "attn.column");
      }
    });
  }

  void checkHeadDim(Operation *op, StringRef whose, int64_t headDim) {
    constexpr int64_t step = 8, most = 256;
    if (headDim % step || headDim <= 0 || headDim > most)
      fail(op) << "a head_dim of " << whose << " that is a multiple of " << step << " up to " << most << ", got "
               << headDim;
  }

  void checkHeadDims() {
    checkHeadDim(found.scores, "query and keys", found.query.getShape().back());
    int64_t values = found.values.getShape().back(), result = found.result.getShape().back();
    checkHeadDim(found.output, "values", values);
    if (result != values)
      fail(found.output) << "an output of the head_dim of the values, " << values << ", got " << result;
  }

  void checkElementTypes() {
    Type query = found.query.getElementType(), keys = found.keys.getElementType();
    Type values = found.values.getElementType(), result = found.result.getElementType();
    if (!(query.isF16() || query.isBF16()) || keys != query || values != query)
      fail(found.scores) << "query, keys and values of one type, f16 or bf16, got " << query << ", " << keys << " and "
                         << values;
    if (!result.isF16() && !result.isBF16() && !result.isF32())
      fail(found.output) << "an output of f16, bf16 or f32, got " << result;
  }

  void checkPacked() {
    int64_t packed = kernel.getScheduleAttr() ? kernel.getScheduleAttr().getPacked() : 0;
    int64_t group = found.query.getDimSize(2) / found.keys.getDimSize(2);
    if (packed && group % packed)
      fail(kernel) << "packed to divide the query heads of a key head, " << group << ", got " << packed;
  }

  /// The name is that of the code's entry as well, and stands as a word in the kernel file.
  void checkName() {
    StringRef name = kernel.getSymName();
    if (!llvm::isAlpha(name.front()) || name == "WARP_SZ" ||
        !llvm::all_of(name, [](char c) { return llvm::isAlnum(c) || c == '_'; }))
      fail(kernel) << "a name of letters, digits and _ that begins with a letter, and not WARP_SZ, got '" << name
                   << "'";
  }

  void checkArguments() {
    for (BlockArgument argument : kernel.getBody().getArguments())
      if (Type type = argument.getType();
          !isa<RankedTensorType>(type) && !type.isF32() && !type.isInteger(32) && !type.isIndex())
        fail(kernel) << "arguments that are tensors, f32, i32 or index, got " << type << " for '"
                     << kernel.argName(argument.getArgNumber()) << "'";
  }

  KernelOp kernel;
  Attention found;
  llvm::SmallPtrSet<Operation *, 8> seen;
  bool failedOnce = false;
};

} // namespace

Value tensorOf(Value value, bool last) {
  if (auto dense = value.getDefiningOp<DenseOp>())
    return last ? dense.getTensors().back() : dense.getTensors().front();
  return isa<RankedTensorType>(value.getType()) ? value : Value();
}

FailureOr<Attention> findAttention(KernelOp kernel) { return Finder(kernel).find(); }

} // namespace attn
