// SPDX-License-Identifier: Apache-2.0
// Reads the tensors that --explain is given against the arguments of kernels.
#include "compiler/ExplainInputs.h"
#include "dialect/AttnNames.h"
#include "mlir/IR/BuiltinTypes.h"
#include "runtime/Error.h"

using namespace mlir;

namespace attn {
namespace {

/// The argument of that name that is a tensor of integers, of the first kernel that has one.
std::optional<NamedValue> argumentNamed(ArrayRef<KernelOp> kernels, StringRef name) {
  for (KernelOp kernel : kernels)
    for (const NamedValue &value : argumentsOf(kernel))
      if (auto type = dyn_cast<RankedTensorType>(value.type);
          type && value.name == name && type.getElementType().isInteger())
        return value;
  return std::nullopt;
}

std::string shapeOf(const Array &array) {
  return "(" + llvm::join(llvm::map_range(array.shape, [](int64_t n) { return std::to_string(n); }), ", ") + ")";
}

bool fits(const Array &array, const NamedValue &argument) {
  if (isFloat(array.type) || array.shape.size() != argument.dimensions.size())
    return false;
  return llvm::all_of(llvm::zip(array.shape, argument.dimensions), [](auto pair) {
    const auto &[size, dimension] = pair;
    return dimension.isDynamic() || dimension.size == size;
  });
}

} // namespace

std::optional<int64_t> ExplainInputs::read(StringRef tensor, ArrayRef<int64_t> indices) const {
  auto found = arrays.find(tensor.str());
  if (found == arrays.end() || found->second.shape.size() != indices.size())
    return std::nullopt;
  const Array &array = found->second;
  int64_t place = 0;
  for (auto [index, size] : llvm::zip(indices, array.shape)) {
    if (index < 0 || index >= size)
      return std::nullopt;
    place = place * size + index;
  }
  return static_cast<int64_t>(array.at(place));
}

ExplainInputs readExplainInputs(const std::map<std::string, std::string> &files, ArrayRef<KernelOp> kernels,
                                SmallVectorImpl<std::string> &faults) {
  ExplainInputs inputs;
  for (const auto &[name, path] : files) {
    std::optional<NamedValue> argument = argumentNamed(kernels, name);
    if (!argument) {
      faults.push_back("expects --input for tensors of integers that a kernel has, got '" + name + "'");
      continue;
    }
    try {
      Array array = readNpy(path);
      if (!fits(array, *argument)) {
        faults.push_back("expects integers of the shape of '" + name + "' in --input, got " +
                         std::string(nameOf(array.type)) + " " + shapeOf(array));
        continue;
      }
      for (auto [size, dimension] : llvm::zip(array.shape, argument->dimensions))
        if (dimension.isDynamic() && inputs.sizes.try_emplace(dimension.name, size).first->second != size)
          faults.push_back("expects one size for '" + dimension.name + "' in --input, got " +
                           std::to_string(inputs.sizes.lookup(dimension.name)) + " and " + std::to_string(size));
      inputs.arrays[name] = std::move(array);
    } catch (const Error &error) {
      llvm::append_range(faults, error.faults());
    }
  }
  return inputs;
}

} // namespace attn
