// SPDX-License-Identifier: Apache-2.0
// Reads --sizes against the names that kernels have.
#include "compiler/Sizes.h"
#include "dialect/AttnNames.h"
#include "mlir/IR/TypeUtilities.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;

namespace attn {
namespace {

/// Launches check that dimensions are smaller.
constexpr int64_t maxSize = int64_t(1) << 30;

/// The names that sizes may be given to, in the order in which the kernels have them.
struct Names {
  llvm::SetVector<StringRef> dimensions, scalars;
  std::vector<std::string> storage;

  explicit Names(ArrayRef<KernelOp> kernels) {
    std::vector<std::string> all;
    for (KernelOp kernel : kernels) {
      auto values = argumentsOf(kernel);
      llvm::append_range(values, resultsOf(kernel));
      for (const NamedValue &value : values) {
        if (getElementTypeOrSelf(value.type).isIntOrIndex())
          scalars.insert(value.name);
        for (const NamedDimension &dimension : value.dimensions)
          if (dimension.isDynamic())
            all.push_back(dimension.name);
      }
    }
    storage = std::move(all);
    dimensions.insert(storage.begin(), storage.end());
  }

  std::string list() const {
    SmallVector<StringRef> both(dimensions.begin(), dimensions.end());
    llvm::append_range(both, scalars);
    return both.empty() ? "no name, as every size is static" : llvm::join(both, ", ");
  }
};

} // namespace

llvm::StringMap<int64_t> parseSizes(StringRef text, ArrayRef<KernelOp> kernels, const llvm::StringMap<int64_t> &known,
                                    SmallVectorImpl<std::string> &faults) {
  Names names(kernels);
  llvm::StringMap<int64_t> sizes;
  SmallVector<StringRef> entries;
  text.split(entries, ',', -1, /*KeepEmpty=*/false);
  for (StringRef entry : entries) {
    auto [name, value] = entry.split('=');
    name = name.trim();
    value = value.trim();
    if (name.empty() || value.empty()) {
      faults.push_back(("expects NAME=NUMBER in --sizes, got '" + entry.trim() + "'").str());
      continue;
    }
    bool scalar = names.scalars.contains(name);
    int64_t number = 0;
    if (!scalar && !names.dimensions.contains(name))
      faults.push_back("expects in --sizes " + names.list() + ", got '" + name.str() + "'");
    else if (value.getAsInteger(10, number))
      faults.push_back(("expects a number for '" + name + "' in --sizes, got '" + value + "'").str());
    else if (!scalar && (number < 0 || number >= maxSize))
      faults.push_back(
          ("expects '" + name + "' in --sizes to be at least 0 and below 2^30, got " + llvm::Twine(number)).str());
    // A faulty entry is not missing as well.
    if (!sizes.try_emplace(name, number).second)
      faults.push_back(("expects '" + name + "' in --sizes once, got it twice").str());
  }
  for (const auto &entry : known)
    if (int64_t size = sizes.try_emplace(entry.getKey(), entry.getValue()).first->second; size != entry.getValue())
      faults.push_back(("expects '" + entry.getKey() + "' in --sizes to be " + llvm::Twine(entry.getValue()) +
                        " as in --input, got " + llvm::Twine(size))
                           .str());
  for (StringRef name : names.dimensions)
    if (!sizes.contains(name))
      faults.push_back(("expects '" + name + "' in --sizes, which is bound at launch").str());
  return sizes;
}

} // namespace attn
