// SPDX-License-Identifier: Apache-2.0
// The rule that what must be equal at launch has one name: a launch compares sizes by name and by nothing else.
#include "dialect/AttnRules.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace attn {
namespace {

/// Compares names of dimensions that must be equal at launch.
class NameAgreement {
public:
  using Report = llvm::function_ref<void(Operation *line, const NamedValue &, const NamedDimension &,
                                         const NamedValue &, const NamedDimension &)>;

  NameAgreement(KernelOp kernel, Report report) : report(report) {
    for (auto [value, known] : llvm::zip(kernel.getBody().getArguments(), argumentsOf(kernel)))
      values[value] = known;
    auto returned = cast<ReturnOp>(kernel.getBody().front().getTerminator()).getValues();
    for (auto [value, known] : llvm::zip(returned, resultsOf(kernel)))
      values[value] = known;
  }

  void check(DenseOp op);
  void check(RaggedOp op);
  void check(PagesOp op);
  void check(AtOp op);
  void check(ScoresOp op);
  void check(SoftmaxOp op);
  void check(OutputOp op);
  void check(SumsOp op);
  void check(SelectOp op);
  void check(MergeOp op);
  void check(AppendOp op);

private:
  /// Reports each of `count` dimensions, from those numbers on, that may differ at launch.
  void compare(Operation *line, Value a, Value b, size_t count, size_t from = 0, size_t otherFrom = 0);
  void compareBatches(Operation *line, Value one, Value other);
  void compareRows(Operation *line, ScoresOp scores, Value result);

  Report report;
  llvm::DenseMap<Value, NamedValue> values;
};

void NameAgreement::compare(Operation *line, Value a, Value b, size_t count, size_t from, size_t otherFrom) {
  auto first = values.find(a), second = values.find(b);
  if (first == values.end() || second == values.end())
    return;
  const NamedValue &x = first->second, &y = second->second;
  for (size_t i = 0; i < count; ++i) {
    if (from + i >= x.dimensions.size() || otherFrom + i >= y.dimensions.size())
      return;
    const NamedDimension &one = x.dimensions[from + i], &other = y.dimensions[otherFrom + i];
    bool named = !one.name.empty() && !other.name.empty();
    if (named && one.name != other.name && (one.isDynamic() || other.isDynamic()))
      report(line, x, one, y, other);
  }
}

/// The tensors that hold the entries of a sequence; none where there are several places.
SmallVector<Value> tensorsOf(Value sequence) {
  while (Operation *maker = sequence.getDefiningOp()) {
    if (auto dense = dyn_cast<DenseOp>(maker))
      return SmallVector<Value>(dense.getTensors());
    if (auto ragged = dyn_cast<RaggedOp>(maker))
      return SmallVector<Value>(ragged.getTensors());
    if (!isa<AtOp, ShareOp>(maker))
      break;
    sequence = maker->getOperand(0);
  }
  return isa<RankedTensorType>(sequence.getType()) ? SmallVector<Value>{sequence} : SmallVector<Value>();
}

/// What has one element of its first dimension for each sequence; null for what is shared evenly and for row ends, of
/// which there is one more.
Value batchOf(Value sequence) {
  if (isa<RankedTensorType>(sequence.getType()))
    return sequence;
  Operation *maker = sequence.getDefiningOp();
  if (auto at = dyn_cast_or_null<AtOp>(maker))
    return batchOf(at.getOf());
  if (auto dense = dyn_cast_or_null<DenseOp>(maker))
    return dense.getTensors().empty() ? Value() : dense.getTensors().front();
  if (auto pages = dyn_cast_or_null<PagesOp>(maker))
    return pages.getTable();
  if (auto share = dyn_cast_or_null<ShareOp>(maker))
    return share.getRows();
  return {};
}

/// The row ends of a packed sequence; null for another.
Value endsOf(Value sequence) {
  if (auto at = sequence.getDefiningOp<AtOp>())
    return endsOf(at.getOf());
  auto ragged = sequence.getDefiningOp<RaggedOp>();
  return ragged ? ragged.getIndptr() : Value();
}

void NameAgreement::compareBatches(Operation *line, Value one, Value other) {
  if (auto concat = other.getDefiningOp<ConcatOp>()) {
    for (Value part : concat.getParts())
      compareBatches(line, one, part);
    return;
  }
  compare(line, batchOf(one), batchOf(other), 1);
  compare(line, endsOf(one), endsOf(other), 1);
}

/// A result has a row for each query: as many dimensions are theirs as stand before the heads.
void NameAgreement::compareRows(Operation *line, ScoresOp scores, Value result) {
  SmallVector<Value> query = scores ? tensorsOf(scores.getQuery()) : SmallVector<Value>();
  if (query.empty())
    return;
  int64_t rank = cast<RankedTensorType>(query.front().getType()).getRank();
  compare(line, query.front(), result, std::max<int64_t>(rank - 2, 0));
}

void NameAgreement::check(DenseOp op) {
  if (op.getTensors().empty())
    return;
  compare(op, op.getTensors().front(), op.getTensors().back(), 2);
  compare(op, op.getTensors().front(), op.getLens(), 1);
}

void NameAgreement::check(RaggedOp op) {
  if (!op.getTensors().empty())
    compare(op, op.getTensors().front(), op.getTensors().back(), 1);
}

void NameAgreement::check(PagesOp op) {
  if (!op.getPools().empty())
    compare(op, op.getPools().front(), op.getPools().back(), 1);
  compare(op, op.getTable(), op.getLens(), 1);
}

void NameAgreement::check(AtOp op) {
  Value batch = batchOf(op.getOf());
  if (op.getFirst())
    return compare(op, batch, op.getFirst(), 1);
  // Positions of another rank than their sequence asks for are a fault of their own.
  bool isPacked = factsOf(op.getOf()).ragged;
  if (!op.getPositions() || cast<RankedTensorType>(op.getPositions().getType()).getRank() != (isPacked ? 1 : 2))
    return;
  SmallVector<Value> tensors = tensorsOf(op.getOf());
  if (!isPacked)
    compare(op, batch, op.getPositions(), 1);
  // What lies in pages has no length in its type: positions say how many entries there may be.
  size_t length = isPacked ? 0 : 1;
  if (!tensors.empty())
    compare(op, tensors.front(), op.getPositions(), 1, length, length);
}

void NameAgreement::check(ScoresOp op) { compareBatches(op, op.getQuery(), op.getKeys()); }

void NameAgreement::check(SoftmaxOp op) {
  if (op.getLse())
    compareRows(op, scoresOf(op.getScores()), op.getLse());
}

void NameAgreement::check(OutputOp op) {
  ScoresOp scores = scoresOf(op.getProbs());
  compareRows(op, scores, op.getOutput());
  if (scores && isa<RankedTensorType>(scores.getKeys().getType()))
    compare(op, scores.getKeys(), op.getValues(), 2);
}

void NameAgreement::check(SumsOp op) {
  ScoresOp scores = scoresOf(op.getProbs());
  if (!scores)
    return;
  compare(op, batchOf(scores.getQuery()), op.getSums(), 1);
  Value keys = scores.getKeys();
  if (op.getPer() == Per::Key && (isa<RankedTensorType>(keys.getType()) || keys.getDefiningOp<DenseOp>()))
    if (SmallVector<Value> tensors = tensorsOf(keys); !tensors.empty())
      compare(op, tensors.front(), op.getSums(), 1, 1, 2);
}

void NameAgreement::check(SelectOp op) {
  if (cast<RankedTensorType>(op.getSums().getType()).getRank() != 3)
    return;
  compare(op, op.getSums(), op.getList(), 2);
  compare(op, op.getSums(), op.getCount(), 2);
  compare(op, op.getSums(), op.getBelow(), 1);
}

void NameAgreement::check(MergeOp op) {
  size_t rank = cast<RankedTensorType>(op.getOutput().getType()).getRank();
  auto rankOf = [](Value value) { return size_t(cast<RankedTensorType>(value.getType()).getRank()); };
  if (op.getOutputs().size() != op.getLses().size() || rank < 2)
    return;
  for (auto [part, lse] : llvm::zip(op.getOutputs(), op.getLses())) {
    compare(op, op.getOutput(), part, rank - 2, 0, rankOf(part) - std::min(rank, rankOf(part)));
    compare(op, part, lse, rankOf(part) - std::min<size_t>(2, rankOf(part)));
  }
  if (op.getLse())
    compare(op, op.getOutput(), op.getLse(), rank - 2);
}

void NameAgreement::check(AppendOp op) { compareBatches(op, op.getCache(), op.getSource()); }

} // namespace

void KernelRules::checkAgreement() {
  auto report = [&](Operation *line, const NamedValue &a, const NamedDimension &one, const NamedValue &b,
                    const NamedDimension &other) {
    fail(line) << "one name for what must be equal at launch, got '" << one.name << "' in '" << a.name << "' and '"
               << other.name << "' in '" << b.name << "'";
  };
  NameAgreement names(kernel, report);
  for (Operation &line : kernel.getBody().front())
    TypeSwitch<Operation *>(&line)
        .Case<DenseOp, RaggedOp, PagesOp, AtOp, ScoresOp, SoftmaxOp, OutputOp, SumsOp, SelectOp, MergeOp, AppendOp>(
            [&](auto op) { names.check(op); });
}

} // namespace attn
