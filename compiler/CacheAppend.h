// SPDX-License-Identifier: Apache-2.0
// Caches that a kernel writes in place: copies of what the caller gave, and the writing of new entries.
#pragma once

#include "compiler/Sequence.h"

namespace attn {

/// A tensor of our own, contiguous, with the elements of another.
class OwnedTensor {
public:
  explicit OwnedTensor(const HostTensor &from);

  /// Stays valid when the owner is moved.
  HostTensor view() const;
  /// All elements, last dimension fastest.
  std::vector<double> values() const;
  DType type() const { return elementType; }
  const std::vector<int64_t> &shape() const { return sizes; }

private:
  DType elementType;
  std::vector<int64_t> sizes;
  std::vector<std::byte> bytes;
};

/// The i-th of the n new entries of a sequence becomes entry length - n + i of the cache, rounded to its type; one that
/// would come before the first entry is dropped. The tensors of the cache must be views of owned ones; both sequences
/// have one batch, as many heads and the same sizes. With `twoTensors` keys and values are written, else keys alone.
void appendEntries(const Sequence &source, const Sequence &cache, bool twoTensors);

} // namespace attn
