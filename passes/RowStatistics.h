// SPDX-License-Identifier: Apache-2.0
// What a walk over the keys leaves of each row for a later one: the largest score and its weight, in the workspace.
#pragma once

#include "passes/KernelWrapper.h"
#include "passes/Supported.h"

namespace attn {

/// The workspace of row statistics, from its first byte on: steps that merged what lay there have ended by then. Rows
/// lie as those of the queries do, by sequence, token and head, or by token and head of a packed batch.
class RowStatistics {
public:
  RowStatistics(KernelWrapper &wrapper, const Attention &attention);

  struct Views {
    mlir::Value maxima, largest;
  };
  /// Those of the tokens of a query, `packed` heads to each.
  Views of(const SequencePart &query, mlir::Value head, int64_t packed);
  /// The row of these views that a row of the query has.
  mlir::Value rowOf(const SequencePart &query, mlir::Value row, int64_t packed);
  /// Bytes that they take (index), a multiple of 8.
  static mlir::Value bytesOf(KernelWrapper &wrapper, const Attention &attention);

private:
  KernelWrapper &wrapper;
  bool isPacked;
  mlir::Value maxima, largest;
};

} // namespace attn
