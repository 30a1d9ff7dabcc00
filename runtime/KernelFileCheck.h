// SPDX-License-Identifier: Apache-2.0
// What must hold between the lines of a kernel file and its PTX, beyond the form of each line.
#ifndef ATTN_RUNTIME_KERNELFILECHECK_H
#define ATTN_RUNTIME_KERNELFILECHECK_H

#include "runtime/KernelFile.h"

namespace attn {

/// Dimensions are below 2^30, so that kernels may compute indices of rows and keys in 32 bits.
inline constexpr int64_t largestDimension = (int64_t(1) << 30) - 1;

/// Bytes that a parameter takes among the .param of its entry.
size_t sizeOfParameter(const KernelParameter &parameter, const KernelSection &kernel);

/// The argument of that name; null when there is none.
/// Bytes that the address of a parameter is a multiple of.
size_t alignmentOfParameter(const KernelParameter &parameter, const KernelSection &kernel);

const KernelArgument *findArgument(const KernelSection &kernel, std::string_view name);

/// One sentence per fault of a file whose lines could be read.
std::vector<std::string> faultsOf(const KernelFile &file, std::string_view ptx);

} // namespace attn

#endif // ATTN_RUNTIME_KERNELFILECHECK_H
