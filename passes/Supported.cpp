// SPDX-License-Identifier: Apache-2.0
// Finds what a kernel does and refuses what has no lowering.
#include "passes/Supported.h"
#include "dialect/AttnNames.h"
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

  FailureOr<KernelContent> find() {
    for (Operation &op : kernel.getBody().front())
      visit(&op);
    bool ends = attention.output || !attention.sums.empty();
    bool begun = attention.scores || attention.softmax || ends;
    if (begun && !(attention.scores && attention.softmax && ends))
      fail(kernel) << "attn.scores, attn.softmax and attn.output or attn.sums together: none of them is lowered alone";
    if (attention.scores && ends)
      checkAttention();
    if (content.merge)
      checkMerge();
    for (Operation *step : content.steps)
      if (auto append = dyn_cast<AppendOp>(step))
        checkAppend(append);
      else if (auto select = dyn_cast<SelectOp>(step))
        checkSelect(select);
    checkName();
    checkArguments();
    checkResultsInPlace();
    if (failedOnce)
      return failure();
    if (begun)
      content.attention = attention;
    return content;
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
      attention.scores = scores;
    } else if (auto softmax = dyn_cast<SoftmaxOp>(op)) {
      attention.softmax = softmax;
    } else if (auto output = dyn_cast<OutputOp>(op)) {
      attention.output = output;
      visitEnd(op);
    } else if (auto sums = dyn_cast<SumsOp>(op)) {
      attention.sums.push_back(sums);
      visitEnd(op);
      visitSums(sums);
    } else if (auto merge = dyn_cast<MergeOp>(op)) {
      content.merge = merge;
      content.steps.push_back(op);
    } else if (isa<AppendOp, SelectOp>(op)) {
      content.steps.push_back(op);
    } else if (auto modify = dyn_cast<ModifyOp>(op)) {
      attention.modifies.push_back(modify);
      checkFunction(modify.getByAttr());
    } else if (auto mask = dyn_cast<MaskOp>(op)) {
      attention.masks.push_back(mask);
      checkFunction(mask.getByAttr());
    } else if (auto reweight = dyn_cast<ReweightOp>(op)) {
      attention.reweights.push_back(reweight);
      checkFunction(reweight.getByAttr());
      attention.changesKnownWeights |= !isFactor(reweight);
    } else if (isa<DenseOp, RaggedOp, PagesOp, ShareOp, AtOp, ConcatOp>(op)) {
      checkSequence(op);
    }
  }

  /// Attention is one step of the text, where the first of its results is.
  void visitEnd(Operation *op) {
    if (!attentionEnd)
      content.steps.push_back(op);
    attentionEnd = op;
  }

  /// A weight of softmax is at most 1: sums of such are exact in integers of 64 bits, of any others they are not.
  void visitSums(SumsOp op) {
    if (op.getByAttr())
      checkFunction(op.getByAttr());
    if (!op.getProbs().getDefiningOp<SoftmaxOp>())
      fail(op) << "weights as attn.softmax gives them, which are at most 1: sums of others are not lowered";
    if (!llvm::is_contained(kernel.getBody().front().getTerminator()->getOperands(), op.getSums()))
      fail(op) << "to be returned: sums that only another line reads are not lowered";
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

  /// While keys are walked for the first time, the sum that a weight is divided by is not known yet: only factors can
  /// be applied.
  bool isFactor(ReweightOp op) {
    auto function = SymbolTable::lookupNearestSymbolFrom<func::FuncOp>(kernel, op.getByAttr());
    return !function || function.isExternal() || isWeightFactor(function);
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

  //===-- attention --------------------------------------------------------------===//

  void checkAttention() {
    attention.query = typeOf(attention.scores.getQuery(), false);
    attention.keys = typeOf(attention.scores.getKeys(), false);
    attention.values = attention.keys;
    if (attention.output) {
      attention.values = typeOf(attention.output.getValues(), true);
      attention.result = cast<RankedTensorType>(attention.output.getOutput().getType());
    }
    if (!attention.query || !attention.keys || !attention.values)
      return;
    checkHeadDims();
    checkElementTypes();
    checkPacked();
  }

  void checkHeadDim(Operation *op, StringRef whose, int64_t headDim) {
    constexpr int64_t step = 8, most = 256;
    if (headDim % step || headDim <= 0 || headDim > most)
      fail(op) << "a head_dim of " << whose << " that is a multiple of " << step << " up to " << most << ", got "
               << headDim;
  }

  void checkHeadDims() {
    checkHeadDim(attention.scores, "query and keys", attention.query.getShape().back());
    if (!attention.output)
      return;
    int64_t values = attention.values.getShape().back(), result = attention.result.getShape().back();
    checkHeadDim(attention.output, "values", values);
    if (result != values)
      fail(attention.output) << "an output of the head_dim of the values, " << values << ", got " << result;
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
    Type query = attention.query.getElementType();
    Type result = attention.result ? attention.result.getElementType() : query;
    SmallVector<Type> others;
    collectElements(attention.scores.getKeys(), false, others);
    collectElements(attention.output ? attention.output.getValues() : attention.scores.getKeys(), true, others);
    bool same = llvm::all_of(others, [&](Type type) { return type == query; });
    if (!(query.isF16() || query.isBF16()) || !same)
      fail(attention.scores) << "query, keys and values of one type, f16 or bf16, got " << query << ", "
                             << llvm::interleaved(ArrayRef(others).drop_back()) << " and " << others.back();
    if (!result.isF16() && !result.isBF16() && !result.isF32())
      fail(attention.output) << "an output of f16, bf16 or f32, got " << result;
  }

  void checkPacked() {
    int64_t packed = kernel.getScheduleAttr() ? kernel.getScheduleAttr().getPacked() : 0;
    int64_t group = headsOf(attention.query) / headsOf(attention.keys);
    if (packed && group % packed)
      fail(kernel) << "packed to divide the query heads of a key head, " << group << ", got " << packed;
  }

  //===-- merges and appends -----------------------------------------------------===//

  /// Rows that are copied as they are, or as f32: (..., heads, head_dim).
  void checkRows(Operation *op, StringRef what, RankedTensorType type) {
    Type element = type.getElementType();
    if (!element.isF16() && !element.isBF16() && !element.isF32())
      fail(op) << what << " of f16, bf16 or f32, got " << element;
    int64_t headDim = type.getShape().back(), heads = headsOf(type);
    if (ShapedType::isDynamic(headDim) || ShapedType::isDynamic(heads))
      fail(op) << what << " with a number for heads and for head_dim, got " << type;
    else
      checkHeadDim(op, what, headDim);
  }

  void checkMerge() {
    checkRows(content.merge, "a result", cast<RankedTensorType>(content.merge.getOutput().getType()));
    for (Value part : content.merge.getOutputs())
      checkRows(content.merge, "parts", cast<RankedTensorType>(part.getType()));
  }

  void checkAppend(AppendOp append) {
    Value source = append.getSource();
    while (auto at = source.getDefiningOp<AtOp>())
      source = at.getOf();
    Operation *maker = source.getDefiningOp();
    auto tensors = maker ? maker->getOperands() : OperandRange(append->getOperands().take_front());
    bool given = !maker || isa<DenseOp, RaggedOp>(maker);
    if (!given || !llvm::all_of(tensors, llvm::IsaPred<BlockArgument>))
      fail(append) << "new entries of one attn.dense or attn.ragged, in arguments of the kernel: no others are copied";
    for (Value tensor : tensorsOfCache(append)) {
      checkRows(append, "a cache", cast<RankedTensorType>(tensor.getType()));
      if (given && llvm::is_contained(tensors, tensor))
        fail(append) << "new entries that lie elsewhere than in the cache, got both in '"
                     << kernel.argName(cast<BlockArgument>(tensor).getArgNumber()) << "'";
    }
    if (attention.scores && attentionEnd && attention.scores->isBeforeInBlock(append) &&
        append->isBeforeInBlock(attentionEnd))
      fail(append) << "to stand before attn.scores or behind what is made of its weights: attention is one step";
  }

  /// Steps of one launch hand nothing on to each other but caches.
  void checkSelect(SelectOp select) {
    if (!isa<BlockArgument>(select.getSums()) || (select.getBelow() && !isa<BlockArgument>(select.getBelow())))
      fail(select) << "sums in an argument of the kernel: sums of the kernel itself are not lowered yet";
    for (Value result : select->getResults())
      if (result.use_empty() || !llvm::all_of(result.getUsers(), llvm::IsaPred<ReturnOp>))
        fail(select) << "its list and its count to be results of the kernel, and nothing else: no step reads them yet";
  }

  //===-- the kernel -------------------------------------------------------------===//

  /// Programs that run at once must not read what others write.
  void checkResultsInPlace() {
    for (auto [i, value] : llvm::enumerate(kernel.getBody().front().getTerminator()->getOperands()))
      for (BlockArgument argument : kernel.getBody().getArguments())
        if (kernel.argName(argument.getArgNumber()) == kernel.resultName(i) && !isRowForRow(value, argument))
          fail(kernel) << "in place of an argument the output of attention over a dense query, or of a merge, which "
                          "has its rows, got '"
                       << kernel.resultName(i) << "'";
  }

  /// Whether each program reads of the argument what it writes of the result, and nothing else does.
  bool isRowForRow(Value result, BlockArgument argument) {
    if (content.merge)
      return result == content.merge.getOutput() && argument.hasOneUse();
    Value query = attention.scores ? attention.scores.getQuery() : Value();
    while (query && isa_and_nonnull<AtOp, DenseOp>(query.getDefiningOp()))
      query = query.getDefiningOp()->getOperand(0);
    return attention.output && result == attention.output.getOutput() && query == argument && argument.hasOneUse();
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
  KernelContent content;
  Attention attention;
  Operation *attentionEnd = nullptr; ///< the last of its attn.output and attn.sums so far
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

bool hasListedPositions(Value value) {
  Operation *maker = value.getDefiningOp();
  if (auto at = dyn_cast_or_null<AtOp>(maker); at && at.getPositions())
    return true;
  return isa_and_nonnull<AtOp, ShareOp, ConcatOp>(maker) && llvm::any_of(maker->getOperands(), hasListedPositions);
}

FailureOr<KernelContent> contentOf(KernelOp kernel) { return Finder(kernel).find(); }

ValueRange tensorsOfCache(AppendOp append) {
  Operation *cache = append.getCache().getDefiningOp();
  return cache->getOperands().take_front(factsOf(append.getCache()).numTensors);
}

} // namespace attn
