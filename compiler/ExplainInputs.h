// SPDX-License-Identifier: Apache-2.0
// Tensors of integers that an explanation is given: what a run-time structure holds, and sizes of dimensions.
#pragma once

#include "dialect/Attn.h"
#include "runtime/Npy.h"
#include "llvm/ADT/StringMap.h"
#include <map>
#include <string>
#include <vector>

namespace attn {

struct ExplainInputs {
  std::map<std::string, Array> arrays;
  llvm::StringMap<int64_t> sizes; ///< of the dynamic dimensions of these tensors

  /// An element; nothing where there is none.
  std::optional<int64_t> read(llvm::StringRef tensor, llvm::ArrayRef<int64_t> indices) const;
};

/// Reads .npy files, a path for each argument. Appends one sentence for each fault: a file that is none, an argument
/// that no kernel has or that is no tensor of integers, a shape that it cannot have, two sizes for one dimension.
ExplainInputs readExplainInputs(const std::map<std::string, std::string> &files, llvm::ArrayRef<KernelOp> kernels,
                                llvm::SmallVectorImpl<std::string> &faults);

} // namespace attn
