// SPDX-License-Identifier: Apache-2.0
// The sequences beside the dense one: packed, in pages, read by several, in several places, with positions of their
// own.
#pragma once

#include "compiler/Sequence.h"

#include <string>

namespace attn {

using SequencePointer = std::shared_ptr<const Sequence>;

/// Entries indptr[b] up to indptr[b + 1] of tensors of shape (total, heads, size), clamped to what the tensors hold.
class RaggedSequence : public Sequence {
public:
  RaggedSequence(HostTensor keys, HostTensor values, HostTensor indptr)
      : keys(std::move(keys)), values(std::move(values)), indptr(std::move(indptr)) {}

  int64_t batch() const override { return std::max<int64_t>(indptr.shape[0] - 1, 0); }
  int64_t heads() const override { return keys.shape[1]; }
  int64_t keySize() const override { return keys.shape[2]; }
  int64_t valueSize() const override { return values.shape[2]; }
  DType valueType(int64_t, int64_t) const override { return values.type; }
  int64_t length(int64_t b) const override { return std::max<int64_t>(pointer(b + 1) - pointer(b), 0); }
  EntryVector key(int64_t b, int64_t g, int64_t j) const override { return vector(keys, b, g, j); }
  EntryVector value(int64_t b, int64_t g, int64_t j) const override { return vector(values, b, g, j); }
  std::optional<int64_t> row(int64_t b, int64_t j) const override { return pointer(b) + j; }
  std::vector<int64_t> rowShape() const override { return {keys.shape[0]}; }

private:
  int64_t pointer(int64_t b) const {
    return std::clamp<int64_t>(loadInteger(indptr, b * indptr.strides[0]), 0, keys.shape[0]);
  }
  EntryVector vector(const HostTensor &tensor, int64_t b, int64_t g, int64_t j) const {
    return {&tensor, (pointer(b) + j) * tensor.strides[0] + g * tensor.strides[1], tensor.strides[2]};
  }

  HostTensor keys, values, indptr;
};

/// Pools of shape (pages, page_size, heads, size), and for each sequence the pages that hold its entries in order. Of
/// the table only what the length asks for is read: entry j lies in page table[b, j / page_size], or, in a table of
/// runs, in the page that comes j / page_size pages behind the first one of the first run. Lengths are clamped to what
/// a row of the table can hold; a run of fewer than no pages holds none.
class PagedSequence : public Sequence {
public:
  PagedSequence(HostTensor keys, HostTensor values, const HostTensor &table, const HostTensor &lens);

  /// A sentence about the first page that a sequence needs and the pool does not have: nothing may be read then.
  const std::optional<std::string> &fault() const { return broken; }

  int64_t batch() const override { return static_cast<int64_t>(lengths.size()); }
  int64_t heads() const override { return keys.shape[2]; }
  int64_t keySize() const override { return keys.shape[3]; }
  int64_t valueSize() const override { return values.shape[3]; }
  DType valueType(int64_t, int64_t) const override { return values.type; }
  int64_t length(int64_t b) const override { return lengths[b]; }
  EntryVector key(int64_t b, int64_t g, int64_t j) const override { return vector(keys, b, g, j); }
  EntryVector value(int64_t b, int64_t g, int64_t j) const override { return vector(values, b, g, j); }

private:
  void readPages(const HostTensor &table, int64_t b, int64_t count);
  void readRuns(const HostTensor &table, int64_t b, int64_t count);
  void addPage(int64_t b, int64_t page);
  EntryVector vector(const HostTensor &tensor, int64_t b, int64_t g, int64_t j) const;

  HostTensor keys, values;
  std::vector<int64_t> lengths;
  std::vector<std::vector<int64_t>> pages; ///< of each sequence, in the order of its entries
  std::optional<std::string> broken;
};

/// Our sequences read those of another: b div (batch / rows) of it without rows, rows[b] of it, or, with rows of rank
/// 2, each entry j from entry j of rows[b, j]; then b has the length of the other's b.
class SharedSequence : public Sequence {
public:
  SharedSequence(SequencePointer of, std::optional<HostTensor> rows, int64_t batch);

  /// A sentence about batches that do not fit, or about the first row or entry that is read and does not exist.
  const std::optional<std::string> &fault() const { return broken; }

  int64_t batch() const override { return ours; }
  int64_t heads() const override { return of->heads(); }
  int64_t keySize() const override { return of->keySize(); }
  int64_t valueSize() const override { return of->valueSize(); }
  DType valueType(int64_t b, int64_t j) const override { return of->valueType(rowOf(b, j), j); }
  int64_t length(int64_t b) const override;
  EntryVector key(int64_t b, int64_t g, int64_t j) const override { return of->key(rowOf(b, j), g, j); }
  EntryVector value(int64_t b, int64_t g, int64_t j) const override { return of->value(rowOf(b, j), g, j); }
  std::optional<int64_t> position(int64_t b, int64_t j) const override { return of->position(rowOf(b, j), j); }
  std::optional<int64_t> row(int64_t b, int64_t j) const override { return of->row(rowOf(b, j), j); }

private:
  int64_t rowOf(int64_t b, int64_t j) const;
  bool byEntry() const { return rows && rows->rank() == 2; }
  std::optional<std::string> check() const;

  SequencePointer of;
  std::optional<HostTensor> rows;
  int64_t ours;
  std::optional<std::string> broken;
};

/// The entries of the parts one behind the other, sequence by sequence. The parts have one batch.
class ConcatSequence : public Sequence {
public:
  explicit ConcatSequence(std::vector<SequencePointer> parts) : parts(std::move(parts)) {}

  int64_t batch() const override { return parts[0]->batch(); }
  int64_t heads() const override { return parts[0]->heads(); }
  int64_t keySize() const override { return parts[0]->keySize(); }
  int64_t valueSize() const override { return parts[0]->valueSize(); }
  DType valueType(int64_t b, int64_t j) const override;
  int64_t length(int64_t b) const override;
  EntryVector key(int64_t b, int64_t g, int64_t j) const override;
  EntryVector value(int64_t b, int64_t g, int64_t j) const override;
  std::optional<int64_t> position(int64_t b, int64_t j) const override;

private:
  /// The part that holds entry j, and the entry's index there.
  std::pair<const Sequence *, int64_t> find(int64_t b, int64_t j) const;

  std::vector<SequencePointer> parts;
};

/// A sequence with positions of its own: of each entry, by batch and entry or, for a packed one, by its row; or of the
/// first entry of each sequence, from which the others count on. A length is clamped to the positions that there are.
class PlacedSequence : public Sequence {
public:
  PlacedSequence(SequencePointer of, std::optional<HostTensor> positions, std::optional<HostTensor> first)
      : of(std::move(of)), positions(std::move(positions)), first(std::move(first)) {}

  int64_t batch() const override { return of->batch(); }
  int64_t heads() const override { return of->heads(); }
  int64_t keySize() const override { return of->keySize(); }
  int64_t valueSize() const override { return of->valueSize(); }
  DType valueType(int64_t b, int64_t j) const override { return of->valueType(b, j); }
  int64_t length(int64_t b) const override;
  EntryVector key(int64_t b, int64_t g, int64_t j) const override { return of->key(b, g, j); }
  EntryVector value(int64_t b, int64_t g, int64_t j) const override { return of->value(b, g, j); }
  std::optional<int64_t> position(int64_t b, int64_t j) const override;
  std::optional<int64_t> row(int64_t b, int64_t j) const override { return of->row(b, j); }
  std::vector<int64_t> rowShape() const override { return of->rowShape(); }

private:
  SequencePointer of;
  std::optional<HostTensor> positions, first;
};

} // namespace attn
