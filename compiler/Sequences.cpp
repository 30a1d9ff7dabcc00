// SPDX-License-Identifier: Apache-2.0
// Where an entry of a paged, shared or joined sequence lies.
#include "compiler/Sequences.h"

#include <cassert>

namespace attn {

//===-- pages --------------------------------------------------------------===//

static int64_t pagesFor(int64_t entries, int64_t pageSize) { return (entries + pageSize - 1) / pageSize; }

PagedSequence::PagedSequence(HostTensor theKeys, HostTensor theValues, const HostTensor &table, const HostTensor &lens)
    : keys(std::move(theKeys)), values(std::move(theValues)), lengths(table.shape[0]), pages(table.shape[0]) {
  int64_t pageSize = keys.shape[1];
  for (int64_t b = 0; b < batch(); ++b) {
    int64_t given = std::max<int64_t>(loadInteger(lens, b * lens.strides[0]), 0);
    // No more pages are asked for than any table can name: a wild length must not overflow.
    int64_t wanted = pageSize ? pagesFor(std::min(given, int64_t(1) << 40), pageSize) : 0;
    if (table.rank() == 3)
      readRuns(table, b, wanted);
    else
      readPages(table, b, wanted);
    lengths[b] = std::min(given, static_cast<int64_t>(pages[b].size()) * pageSize);
  }
}

void PagedSequence::addPage(int64_t b, int64_t page) {
  if (!broken && (page < 0 || page >= keys.shape[0]))
    broken = "expects pages below " + std::to_string(keys.shape[0]) + " in the used part of the table, got " +
             std::to_string(page) + " for page " + std::to_string(pages[b].size()) + " of sequence " +
             std::to_string(b);
  pages[b].push_back(page);
}

void PagedSequence::readPages(const HostTensor &table, int64_t b, int64_t count) {
  for (int64_t n = 0; n < std::min(count, table.shape[1]); ++n)
    addPage(b, loadInteger(table, b * table.strides[0] + n * table.strides[1]));
}

void PagedSequence::readRuns(const HostTensor &table, int64_t b, int64_t count) {
  for (int64_t run = 0; run < table.shape[1] && static_cast<int64_t>(pages[b].size()) < count; ++run) {
    int64_t at = b * table.strides[0] + run * table.strides[1];
    int64_t first = loadInteger(table, at), number = loadInteger(table, at + table.strides[2]);
    for (int64_t n = 0; n < number && static_cast<int64_t>(pages[b].size()) < count && !broken; ++n)
      addPage(b, first + n);
  }
}

EntryVector PagedSequence::vector(const HostTensor &tensor, int64_t b, int64_t g, int64_t j) const {
  const std::vector<int64_t> &strides = tensor.strides;
  int64_t pageSize = keys.shape[1];
  return {&tensor, pages[b][j / pageSize] * strides[0] + j % pageSize * strides[1] + g * strides[2], strides[3]};
}

//===-- several readers ----------------------------------------------------===//

SharedSequence::SharedSequence(SequencePointer theOf, std::optional<HostTensor> theRows, int64_t batch)
    : of(std::move(theOf)), rows(std::move(theRows)), ours(batch), broken(check()) {}

int64_t SharedSequence::rowOf(int64_t b, int64_t j) const {
  if (!rows)
    return b / (ours / of->batch());
  return loadInteger(*rows, b * rows->strides[0] + (byEntry() ? j * rows->strides[1] : 0));
}

int64_t SharedSequence::length(int64_t b) const {
  return byEntry() ? std::min(of->length(b), rows->shape[1]) : of->length(rowOf(b, 0));
}

std::optional<std::string> SharedSequence::check() const {
  auto text = [](int64_t number) { return std::to_string(number); };
  int64_t theirs = of->batch();
  if (rows && rows->shape[0] != ours)
    return "expects rows for each of " + text(ours) + " sequences, got " + text(rows->shape[0]);
  if (!rows && ours != 0 && (theirs == 0 || ours % theirs != 0))
    return "expects a batch that is a multiple of the " + text(theirs) + " sequences it shares, got " + text(ours);
  if (byEntry() && ours > theirs)
    return "expects a length of its own for each of " + text(ours) + " sequences, got " + text(theirs);
  for (int64_t b = 0; rows && b < ours; ++b)
    for (int64_t j = 0, count = byEntry() ? length(b) : 1; j < count; ++j) {
      int64_t row = rowOf(b, j);
      std::string where = " for sequence " + text(b) + (byEntry() ? " and entry " + text(j) : "");
      if (row < 0 || row >= theirs)
        return "expects rows below " + text(theirs) + ", got " + text(row) + where;
      if (byEntry() && j >= of->length(row))
        return "expects rows that have the entry, got " + text(row) + " of length " + text(of->length(row)) + where;
    }
  return std::nullopt;
}

//===-- several places -----------------------------------------------------===//

std::pair<const Sequence *, int64_t> ConcatSequence::find(int64_t b, int64_t j) const {
  for (const SequencePointer &part : parts) {
    int64_t length = part->length(b);
    if (j < length)
      return {part.get(), j};
    j -= length;
  }
  assert(false && "only entries that exist are asked for");
  return {nullptr, 0};
}

int64_t ConcatSequence::length(int64_t b) const {
  int64_t sum = 0;
  for (const SequencePointer &part : parts)
    sum += part->length(b);
  return sum;
}

DType ConcatSequence::valueType(int64_t b, int64_t j) const {
  auto [part, index] = find(b, j);
  return part->valueType(b, index);
}

EntryVector ConcatSequence::key(int64_t b, int64_t g, int64_t j) const {
  auto [part, index] = find(b, j);
  return part->key(b, g, index);
}

EntryVector ConcatSequence::value(int64_t b, int64_t g, int64_t j) const {
  auto [part, index] = find(b, j);
  return part->value(b, g, index);
}

std::optional<int64_t> ConcatSequence::position(int64_t b, int64_t j) const {
  auto [part, index] = find(b, j);
  return part->position(b, index);
}

//===-- positions ----------------------------------------------------------===//

int64_t PlacedSequence::length(int64_t b) const {
  int64_t length = of->length(b);
  if (positions && positions->rank() == 2)
    return std::min(length, positions->shape[1]);
  return length;
}

std::optional<int64_t> PlacedSequence::position(int64_t b, int64_t j) const {
  if (first)
    return loadInteger(*first, b * first->strides[0]) + j;
  if (positions->rank() == 2)
    return loadInteger(*positions, b * positions->strides[0] + j * positions->strides[1]);
  return loadInteger(*positions, *of->row(b, j) * positions->strides[0]);
}

} // namespace attn
