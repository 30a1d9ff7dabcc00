// SPDX-License-Identifier: Apache-2.0
// One attention by its definition, for every (batch, head, query, key) in turn: the reference that kernels are held to.
// It knows nothing of tiles, blocks or their order.
#pragma once

#include "compiler/FunctionEvaluator.h"
#include "compiler/Sequence.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace attn {

/// Exact: double throughout, nothing rounded. Kernel: products accumulated in f32 in the order of head_dim, scores and
/// their functions and the softmax in f32, weights rounded to the type of the values, the weighted sum accumulated in
/// f32 in the order of the keys, the result rounded once.
enum class Precision { Exact, Kernel };

/// What the lines up to the weights say.
struct AttentionFormula {
  std::shared_ptr<const Sequence> query, keys;
  double scale = 1;
  bool alignStart = false;
  /// In program order, each kind by itself: masks hide a key whatever its score.
  std::vector<std::shared_ptr<const FunctionProgram>> modifications, masks, reweights;
  std::optional<HostTensor> sink; ///< (heads)
};

/// A result with a value of type `type` per element, last dimension fastest. Elements that no query computes are NaN.
struct HostResult {
  DType type = DType::F32;
  std::vector<int64_t> shape;
  std::vector<double> values;
};

/// Weights added up over queries in their order, one result element for each key entry or distance.
struct WeightSums {
  std::shared_ptr<const FunctionProgram> which; ///< a weight counts where it holds; null: all do
  bool perDistance = false;                     ///< by q - kv; else by key entry
  HostResult result;                            ///< (batch, heads, entries), 0 to begin with; others are left out
};

/// What is asked for; null is not computed.
struct AttentionResults {
  const Sequence *values = nullptr; ///< beside the keys; needed for an output
  HostResult *output = nullptr;     ///< (rows..., heads, size), size at most that of a value
  HostResult *lse = nullptr;        ///< (rows..., heads)
  WeightSums *sums = nullptr;
};

/// Computes these rows of what is shaped like the query (all without), for every batch and head: rows of each padded
/// sequence, or of the packed tensor. A sentence when a function has no
/// value for some pair: the results are then unspecified.
std::optional<std::string> computeAttention(const AttentionFormula &attention, Precision precision,
                                            const std::optional<std::vector<int64_t>> &rows,
                                            const AttentionResults &results);

} // namespace attn
