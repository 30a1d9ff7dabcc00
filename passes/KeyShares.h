// SPDX-License-Identifier: Apache-2.0
// Split keys: which share of a sequence a program walks, and where it leaves what the share comes to.
#pragma once

#include "passes/KernelWrapper.h"
#include "passes/Supported.h"

namespace attn {

/// Static numbers of a kernel. Where a sequence is cut depends on them and on its own length only, never on others in
/// the batch: a share is max(least, ceil(length / most)) keys, rounded up to a multiple of `granule`.
struct ShareRule {
  int64_t most;    ///< shares of a sequence
  int64_t least;   ///< keys of a share, but for the last
  int64_t granule; ///< keys; a multiple of block_kv, so that no tile lies in two shares
};

/// The rule that choose-schedule left on a kernel; one share without.
ShareRule shareRuleOf(KernelOp kernel);

/// The shares of sequences of one batch, at the builder's place. All values are of type index.
class KeyShares {
public:
  KeyShares(mlir::ImplicitLocOpBuilder &builder, ShareRule rule) : builder(builder), rule(rule) {}

  /// Most shares that a sequence of at most `capacity` keys can have, at least 1: an expression of the kernel file.
  /// Without a capacity it is what the rule says: no length has more.
  mlir::Value count(mlir::Value capacity);
  /// First key of a share and one behind its last. Shares behind the last one with keys have none: from >= to.
  std::pair<mlir::Value, mlir::Value> range(mlir::Value share, mlir::Value length);
  /// Shares of a sequence that have keys.
  mlir::Value used(mlir::Value length);

private:
  mlir::Value index(int64_t value);
  mlir::Value chunk(mlir::Value length);

  mlir::ImplicitLocOpBuilder &builder;
  ShareRule rule;
};

/// The workspace of a launch: for each share rows of (acc, m, l). They lie as the queries do, by sequence and token, or
/// by token of a packed batch.
class PartialResults {
public:
  struct Shape {
    mlir::Value shares, batches, tokens; ///< index; batches are null where queries are packed
    int64_t heads, headDim;
  };
  PartialResults(mlir::ImplicitLocOpBuilder &builder, SequenceViews &views, const Shape &shape);

  struct Views {
    mlir::Value outputs, maxima, sums;
  };
  /// What one share left for the tokens of a query, `packed` heads to each.
  Views of(mlir::Value share, const SequencePart &query, mlir::Value head, int64_t packed);
  /// The row of these views that a row of the query has.
  mlir::Value rowOf(const SequencePart &query, mlir::Value row, int64_t packed);

private:
  mlir::ImplicitLocOpBuilder &builder;
  SequenceViews &views;
  mlir::Value batches, outputs, maxima, sums;
};

/// In a step of a kernel whose keys are shared: the most shares that a sequence of an attention can have (index), as
/// sizes of tensors say, and the workspace that they are left in.
mlir::Value countOfShares(KernelWrapper &wrapper, const Attention &attention);
PartialResults partialResultsOf(KernelWrapper &wrapper, const Attention &attention);

} // namespace attn
