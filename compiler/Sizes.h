// SPDX-License-Identifier: Apache-2.0
// Sizes of dynamic dimensions and values of scalar arguments, as written behind --sizes.
#pragma once

#include "dialect/Attn.h"
#include "llvm/ADT/StringMap.h"
#include <string>

namespace attn {

/// Reads `batch=1,seq_q=4096`. Needed: each dynamic dimension of every kernel. Allowed: each argument that is an
/// integer or a tensor of integers, all of whose elements then have that value. Appends one sentence for each fault: an
/// entry that is no NAME=NUMBER, a name that no kernel has or that comes twice, a size below zero or from 2^30 on, a
/// dimension that is missing, one that `known` has another size for.
llvm::StringMap<int64_t> parseSizes(llvm::StringRef text, llvm::ArrayRef<KernelOp> kernels,
                                    const llvm::StringMap<int64_t> &known, llvm::SmallVectorImpl<std::string> &faults);

} // namespace attn
