// SPDX-License-Identifier: Apache-2.0
// Evaluates scalar arithmetic by MLIR's own constant folding, so that there is no second definition of any operation.
#include "compiler/ScalarEvaluator.h"
#include "dialect/Tile.h"
#include "mlir/IR/Builders.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;

namespace attn {

void ScalarEvaluator::setSizes(Value memref, ArrayRef<int64_t> all) {
  sizes[memref].assign(all.begin(), all.end());
  forget();
}

void ScalarEvaluator::set(Value value, int64_t number) {
  given[value] = number;
  forget();
}

std::optional<int64_t> ScalarEvaluator::valueOf(Value value) {
  if (auto known = given.find(value); known != given.end())
    return known->second;
  if (auto known = computed.find(value); known != computed.end())
    return known->second;
  std::optional<int64_t> result = compute(value);
  computed[value] = result;
  return result;
}

std::optional<int64_t> ScalarEvaluator::compute(Value value) {
  auto result = dyn_cast<OpResult>(value);
  if (!result || !result.getType().isIntOrIndex())
    return std::nullopt;
  Operation *op = result.getOwner();
  if (auto extent = dyn_cast<tile::ExtentOp>(op)) {
    auto view = extent.getView().getDefiningOp<tile::ViewOp>();
    return view ? valueOf(view.getLength()) : std::nullopt;
  }
  if (auto dim = dyn_cast<memref::DimOp>(op)) {
    auto known = sizes.find(dim.getSource());
    std::optional<int64_t> index = valueOf(dim.getIndex());
    if (known != sizes.end() && index && *index >= 0 && *index < int64_t(known->second.size()))
      return known->second[*index];
  }
  if (auto load = dyn_cast<memref::LoadOp>(op)) {
    auto indices = numbersOf(load.getIndices());
    return read && indices ? read(load.getMemRef(), *indices) : std::nullopt;
  }
  if (auto above = dyn_cast<tile::FirstAboveOp>(op))
    return computeFirstAbove(above);
  if (auto extremes = dyn_cast<tile::ExtremesOp>(op))
    return computeExtreme(extremes, value == extremes.getGreatest());
  if (auto member = dyn_cast<tile::MemberOp>(op))
    return computeMember(member);
  return fold(result);
}

bool ScalarEvaluator::reads(Value memref) const {
  SmallVector<int64_t> first(cast<MemRefType>(memref.getType()).getRank(), 0);
  return read && read(memref, first);
}

std::optional<SmallVector<int64_t>> ScalarEvaluator::numbersOf(ValueRange values) {
  SmallVector<int64_t> numbers;
  for (Value value : values) {
    std::optional<int64_t> number = valueOf(value);
    if (!number)
      return std::nullopt;
    numbers.push_back(*number);
  }
  return numbers;
}

std::optional<int64_t> ScalarEvaluator::computeFirstAbove(tile::FirstAboveOp op) {
  auto at = numbersOf(op.getAt());
  std::optional<int64_t> number = valueOf(op.getNumber()), to = valueOf(op.getTo());
  if (!read || !at || !number || !to)
    return std::nullopt;
  int64_t &place = (*at)[op.getAlong()];
  for (; place < *to; ++place) {
    std::optional<int64_t> element = read(op.getValues(), *at);
    if (!element || *element > *number)
      return element ? std::optional(place) : std::nullopt;
  }
  return place;
}

std::optional<int64_t> ScalarEvaluator::computeExtreme(tile::ExtremesOp op, bool greatest) {
  auto at = numbersOf(op.getAt());
  std::optional<int64_t> to = valueOf(op.getTo()), found;
  if (!read || !at || !to)
    return std::nullopt;
  for (int64_t &place = (*at)[op.getAlong()]; place < *to; ++place) {
    std::optional<int64_t> element = read(op.getValues(), *at);
    if (!element)
      return std::nullopt;
    if (!found || (greatest ? *element > *found : *element < *found))
      found = element;
  }
  return found.value_or(0);
}

std::optional<int64_t> ScalarEvaluator::computeMember(tile::MemberOp op) {
  auto at = numbersOf(op.getRow());
  std::optional<int64_t> number = valueOf(op.getValue()), from = valueOf(op.getFrom()), to = valueOf(op.getTo());
  auto known = sizes.find(op.getList());
  if (!read || !at || !number || !from || !to || known == sizes.end())
    return std::nullopt;
  int64_t end = std::min(*to, known->second[at->size()]);
  for (int64_t place = std::max<int64_t>(*from, 0); place < end; ++place) {
    SmallVector<int64_t> entry(*at);
    entry.push_back(place);
    if (op.hasRanges())
      entry.push_back(0);
    std::optional<int64_t> first = read(op.getList(), entry), last = first;
    if (op.hasRanges() && first) {
      entry.back() = 1;
      last = read(op.getList(), entry);
      if (last)
        --*last;
    }
    if (!first || !last)
      return std::nullopt;
    if (*first <= *number && *number <= *last)
      return -1; // a true i1, with its sign
  }
  return 0;
}

std::optional<int64_t> ScalarEvaluator::fold(OpResult result) {
  Operation *op = result.getOwner();
  if (op->getNumRegions())
    return std::nullopt;
  // Folding may first reorder the operands in place, and then has more to say.
  for (int attempt = 0; attempt < 2; ++attempt) {
    // An unknown operand may not matter: the side of a select that is not taken.
    SmallVector<Attribute> operands;
    for (Value operand : op->getOperands())
      operands.push_back(constantOf(operand));
    SmallVector<OpFoldResult> folded;
    if (failed(op->fold(operands, folded)))
      return std::nullopt;
    if (folded.size() <= result.getResultNumber())
      continue;
    OpFoldResult found = folded[result.getResultNumber()];
    if (auto other = dyn_cast<Value>(found))
      return other == result ? std::nullopt : valueOf(other);
    auto number = dyn_cast_or_null<IntegerAttr>(cast<Attribute>(found));
    return number ? std::optional(number.getValue().getSExtValue()) : std::nullopt;
  }
  return std::nullopt;
}

Attribute ScalarEvaluator::constantOf(Value value) {
  Type type = value.getType();
  std::optional<int64_t> number = type.isIntOrIndex() ? valueOf(value) : std::nullopt;
  if (!number)
    return {};
  unsigned width = type.isIndex() ? IndexType::kInternalStorageBitWidth : type.getIntOrFloatBitWidth();
  return IntegerAttr::get(type, llvm::APInt(width, static_cast<uint64_t>(*number), /*isSigned=*/true));
}

SmallVector<Value> dependsOn(Value value, ArrayRef<Value> candidates) {
  llvm::SmallSetVector<Value, 16> seen;
  seen.insert(value);
  // Grows while it is walked: everything that anything in it is computed from. What an operation with regions reads
  // from outside counts as its operand.
  for (size_t i = 0; i < seen.size(); ++i) {
    Operation *op = seen[i].getDefiningOp();
    if (!op)
      continue;
    op->walk([&](Operation *inner) { seen.insert(inner->operand_begin(), inner->operand_end()); });
  }
  SmallVector<Value> found;
  llvm::copy_if(candidates, std::back_inserter(found), [&](Value candidate) { return seen.contains(candidate); });
  return found;
}

} // namespace attn
