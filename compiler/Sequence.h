// SPDX-License-Identifier: Apache-2.0
// Where the entries of a batch of sequences lie, and where they stand: all that the interpreter knows about memory.
#pragma once

#include "compiler/HostTensor.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

namespace attn {

/// One vector of an entry: of one head of a key, a value or a query.
struct EntryVector {
  const HostTensor *tensor = nullptr;
  int64_t offset = 0; ///< of its first element, in elements
  int64_t stride = 1;

  /// Its first `count` elements.
  template <typename Real> void copyTo(Real *out, int64_t count) const {
    for (int64_t n = 0; n < count; ++n)
      out[n] = static_cast<Real>(loadReal(*tensor, offset + n * stride));
  }
};

/// A batch of sequences. Entry j of sequence b exists for 0 <= j < length(b); nothing else is ever asked for.
class Sequence {
public:
  virtual ~Sequence() = default;

  virtual int64_t batch() const = 0;
  virtual int64_t heads() const = 0;
  virtual int64_t keySize() const = 0;
  virtual int64_t valueSize() const = 0;
  /// The element type of the value of an entry that exists: parts of one sequence may differ in it.
  virtual DType valueType(int64_t b, int64_t j) const = 0;
  virtual int64_t length(int64_t b) const = 0;
  /// The key (or query) of entry j of sequence b for head g.
  virtual EntryVector key(int64_t b, int64_t g, int64_t j) const = 0;
  virtual EntryVector value(int64_t b, int64_t g, int64_t j) const = 0;
  /// Where the entry stands when the sequence says so itself; otherwise alignment decides.
  virtual std::optional<int64_t> position(int64_t b, int64_t j) const { return std::nullopt; }
  /// The index of the entry among all that memory holds: its row of a result shaped like the query, or its position in
  /// a packed list. Nothing where entries have no order in memory: such sequences are no queries.
  virtual std::optional<int64_t> row(int64_t b, int64_t j) const { return std::nullopt; }
  /// The shape of a result per row, heads and what follows left out; empty where entries have no order in memory.
  virtual std::vector<int64_t> rowShape() const { return {}; }
};

/// Row b of tensors of shape (batch, seq, heads, size), its first lens[b] entries. One tensor is keys that are their
/// own values, or queries; two are keys and values.
class DenseSequence : public Sequence {
public:
  DenseSequence(HostTensor keys, HostTensor values, std::optional<HostTensor> lens)
      : keys(std::move(keys)), values(std::move(values)), lens(std::move(lens)) {}

  int64_t batch() const override { return keys.shape[0]; }
  int64_t heads() const override { return keys.shape[2]; }
  int64_t keySize() const override { return keys.shape[3]; }
  int64_t valueSize() const override { return values.shape[3]; }
  DType valueType(int64_t, int64_t) const override { return values.type; }
  int64_t length(int64_t b) const override {
    if (!lens)
      return keys.shape[1];
    return std::clamp<int64_t>(loadInteger(*lens, b * lens->strides[0]), 0, keys.shape[1]);
  }
  EntryVector key(int64_t b, int64_t g, int64_t j) const override { return vector(keys, b, g, j); }
  EntryVector value(int64_t b, int64_t g, int64_t j) const override { return vector(values, b, g, j); }
  std::optional<int64_t> row(int64_t b, int64_t j) const override { return b * keys.shape[1] + j; }
  std::vector<int64_t> rowShape() const override { return {keys.shape[0], keys.shape[1]}; }

private:
  static EntryVector vector(const HostTensor &tensor, int64_t b, int64_t g, int64_t j) {
    const std::vector<int64_t> &strides = tensor.strides;
    return {&tensor, b * strides[0] + j * strides[1] + g * strides[2], strides[3]};
  }

  HostTensor keys, values;
  std::optional<HostTensor> lens;
};

} // namespace attn
