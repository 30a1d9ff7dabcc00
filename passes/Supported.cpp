// SPDX-License-Identifier: Apache-2.0
// Finds the attention of a kernel and refuses what has no lowering.
#include "passes/Supported.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/SymbolTable.h"
#include "passes/CostModel.h"
#include "passes/WeightFactors.h"
#include "llvm/ADT/SmallPtrSet.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/InterleavedRange.h"

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
    } else if (auto reweight = dyn_cast<ReweightOp>(op)) {
      found.reweights.push_back(reweight);
      checkFunction(reweight.getByAttr());
      checkFactor(reweight);
    } else if (isa<DenseOp, RaggedOp, PagesOp, ShareOp, AtOp, ConcatOp>(op)) {
      checkSequence(op);
    } else if (!isa<ReturnOp>(op) && op->getName().getDialectNamespace() != "arith") {
      refuse(op);
    }
  }

  void refuse(Operation *op) {
    failedOnce = true;
    op->emitOpError("has no lowering yet: expects ")
        << "attn.scores, attn.modify, attn.mask, attn.softmax and attn.output";
  }

  /// Sequences within sequences, as far as one list or one table can describe where their entries lie.
  void checkSequence(Operation *op) {
    if (auto share = dyn_cast<ShareOp>(op); share && share.getRows()) {
      if (cast<RankedTensorType>(share.getRows().getType()).getRank() != 2)
        return;
      Operation *inner = share.getOf().getDefiningOp();
      if (auto at = dyn_cast_or_null<AtOp>(inner); at && at.getPositions())
        inner = at.getOf().getDefiningOp();
      if (inner && !isa<DenseOp, RaggedOp, PagesOp>(inner))
        fail(op) << "entries of attn.dense, attn.ragged or attn.pages, or of these at a list of positions, where each "
                    "has a row of its own: nothing else is lowered yet";
    } else if (auto at = dyn_cast<AtOp>(op); at && at.getPositions() && partsOf(at.getOf()) > 1) {
      fail(op) << "a list of positions for each part of attn.concat: one for all of them is not lowered yet";
    }
  }

  static unsigned partsOf(Value sequence) {
    Operation *maker = sequence.getDefiningOp();
    if (auto concat = dyn_cast_or_null<ConcatOp>(maker)) {
      unsigned all = 0;
      for (Value part : concat.getParts())
        all += partsOf(part);
      return all;
    }
    return isa_and_nonnull<ShareOp, AtOp>(maker) ? partsOf(maker->getOperand(0)) : 1;
  }

  /// While keys are walked, the sum that a weight is divided by is not known yet: only factors can be applied.
  void checkFactor(ReweightOp op) {
    auto function = SymbolTable::lookupNearestSymbolFrom<func::FuncOp>(kernel, op.getByAttr());
    if (function && !function.isExternal() && !isWeightFactor(function))
      fail(op) << "a function that multiplies the weight by what does not depend on it, got @" << function.getSymName()
               << ": no other is lowered yet";
  }

  /// A function that is missing is not our business: linking the library reports it.
  void checkFunction(FlatSymbolRefAttr symbol) {
    auto function = SymbolTable::lookupNearestSymbolFrom<func::FuncOp>(kernel, symbol);
    if (!function || !seen.insert(function).second)
      return;
    function.walk([&](Operation *op) {
      if (auto call = dyn_cast<func::CallOp>(op)) {
        checkFunction(call.getCalleeAttr());
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

  /// Element types of the keys, or of the values, of all parts.
  static void collectElements(Value sequence, bool last, SmallVectorImpl<Type> &types) {
    Operation *maker = sequence.getDefiningOp();
    if (auto concat = dyn_cast_or_null<ConcatOp>(maker)) {
      for (Value part : concat.getParts())
        collectElements(part, last, types);
    } else if (isa_and_nonnull<ShareOp, AtOp>(maker)) {
      collectElements(maker->getOperand(0), last, types);
    } else {
      types.push_back(cast<RankedTensorType>(tensorOf(sequence, last).getType()).getElementType());
    }
  }

  void checkElementTypes() {
    Type query = found.query.getElementType(), result = found.result.getElementType();
    SmallVector<Type> others;
    collectElements(found.scores.getKeys(), false, others);
    collectElements(found.output.getValues(), true, others);
    bool same = llvm::all_of(others, [&](Type type) { return type == query; });
    if (!(query.isF16() || query.isBF16()) || !same)
      fail(found.scores) << "query, keys and values of one type, f16 or bf16, got " << query << ", "
                         << llvm::interleaved(ArrayRef(others).drop_back()) << " and " << others.back();
    if (!result.isF16() && !result.isBF16() && !result.isF32())
      fail(found.output) << "an output of f16, bf16 or f32, got " << result;
  }

  void checkPacked() {
    int64_t packed = kernel.getScheduleAttr() ? kernel.getScheduleAttr().getPacked() : 0;
    int64_t group = headsOf(found.query) / headsOf(found.keys);
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
  Operation *maker = value.getDefiningOp();
  if (!maker)
    return isa<RankedTensorType>(value.getType()) ? value : Value();
  return llvm::TypeSwitch<Operation *, Value>(maker)
      .Case([&](DenseOp op) { return last ? op.getTensors().back() : op.getTensors().front(); })
      .Case([&](RaggedOp op) { return last ? op.getTensors().back() : op.getTensors().front(); })
      .Case([&](PagesOp op) { return last ? op.getPools().back() : op.getPools().front(); })
      .Case([&](ShareOp op) { return tensorOf(op.getOf(), last); })
      .Case([&](AtOp op) { return tensorOf(op.getOf(), last); })
      .Case([&](ConcatOp op) { return tensorOf(op.getParts().front(), last); })
      .Default([](Operation *) { return Value(); });
}

bool isStrided(Value value) {
  Operation *maker = value.getDefiningOp();
  if (auto share = dyn_cast_or_null<ShareOp>(maker)) {
    bool byEntry = share.getRows() && cast<RankedTensorType>(share.getRows().getType()).getRank() == 2;
    return !byEntry && isStrided(share.getOf());
  }
  if (auto at = dyn_cast_or_null<AtOp>(maker))
    return isStrided(at.getOf());
  return !maker || isa<DenseOp>(maker);
}

FailureOr<Attention> findAttention(KernelOp kernel) { return Finder(kernel).find(); }

} // namespace attn
