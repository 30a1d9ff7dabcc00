// SPDX-License-Identifier: Apache-2.0
// Compares the results of a launch with the interpreter's, which runs as a process of its own.
#ifndef ATTN_RUNTIME_RUNCHECK_H
#define ATTN_RUNTIME_RUNCHECK_H

#include "runtime/RunArguments.h"

#include <string>
#include <vector>

namespace attn {

struct CheckOptions {
  std::string compiler;  ///< path of attnc; empty: found as for specs
  int64_t mostRows = -1; ///< interpret at most about this many query rows; -1: all
};

/// How a result compares.
struct CheckedResult {
  std::string name;
  double largest = 0;    ///< largest |ours - reference|
  double allowed = 0;    ///< 2 x largest |kernel's precisions - reference| + 1e-5
  int64_t compared = 0;  ///< elements
  std::string complaint; ///< NaN, or an infinity that the reference does not have; empty otherwise
  bool passed() const { return complaint.empty() && largest <= allowed; }
};

/// `results` are the arrays that are written, in the order of the arguments. Throws Error when the data break what the
/// kernel relies on, or the interpreter refuses.
std::vector<CheckedResult> checkResults(const KernelFile &file, const KernelSection &kernel,
                                        const std::vector<HostArgument> &arguments, const std::vector<Array> &results,
                                        const CheckOptions &options);

/// About `most` of `count` rows: the first and the last, the rows around multiples of 16 to 128 where tiles may begin
/// and end, and others evenly between. Increasing.
std::vector<int64_t> rowsToCheck(int64_t count, int64_t most);

/// Compares element by element, passing over those that are skipped: rows that were not asked for or do not exist. NaN
/// anywhere else, also in the reference, is a failure.
CheckedResult compare(const std::string &name, const Array &ours, const Array &reference, const Array &kernelPrecision,
                      const std::vector<bool> &skipped);

} // namespace attn

#endif // ATTN_RUNTIME_RUNCHECK_H
