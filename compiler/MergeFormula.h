// SPDX-License-Identifier: Apache-2.0
// Partial results over disjoint keys joined by definition: log-sum-exp of the parts.
#pragma once

#include "compiler/AttentionFormula.h"

namespace attn {

/// A partial result: (rows..., heads, size) and (rows..., heads).
struct PartialResult {
  HostTensor output, lse;
};

/// The parts that a tensor holds: itself, or those of a stack with one dimension more than `rank` in front.
std::vector<PartialResult> partsOf(const HostTensor &output, const HostTensor &lse, int64_t rank);

/// lse = ln(sum of exp lse_p + exp sink), output = sum of exp(lse_p - lse) output_p, in the order of the parts. A part
/// with an lse of minus infinity counts for nothing, whatever its output holds; without any other the output is 0. The
/// shapes of `output` and, where it is not null, `lse` are those of a part. Only `rows` are computed: of (batch, rows,
/// heads, size) or (rows, heads, size).
void computeMerge(const std::vector<PartialResult> &parts, const std::optional<HostTensor> &sink, Precision precision,
                  const std::optional<std::vector<int64_t>> &rows, HostResult &output, HostResult *lse);

} // namespace attn
