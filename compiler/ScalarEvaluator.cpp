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
    SmallVector<int64_t> indices;
    for (Value index : load.getIndices()) {
      std::optional<int64_t> number = valueOf(index);
      if (!number)
        return std::nullopt;
      indices.push_back(*number);
    }
    return read ? read(load, indices) : std::nullopt;
  }
  return fold(result);
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
