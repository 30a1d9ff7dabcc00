// SPDX-License-Identifier: Apache-2.0
// What a kernel relies on in the contents of tensors of integers: one line `//! data ...` of its file each. Tools make
// data to fit, and verify it.
#ifndef ATTN_RUNTIME_DATAFACT_H
#define ATTN_RUNTIME_DATAFACT_H

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace attn {

struct DataFact {
  enum class Kind : uint8_t {
    Length,     ///< `data length kv_lens k seq_kv`: only the first kv_lens[b] entries of k along seq_kv exist
    Increasing, ///< `data increasing list`, `data increasing list count`: each row's used part increases strictly; with
                ///< pointers for a count, the list is packed and its rows lie between pointers
    Sorted,     ///< `data sorted ids`: values do not fall along the last dimension
    Pointers,   ///< `data pointers indptr total_q`: starts at 0, never falls, ends at or below that dimension; of what
                ///< is packed along it, nothing exists behind the last pointer
    Pages,      ///< `data pages table pool lens`: the slots of row b that lens[b] entries need name pages of the pool,
                ///< which holds nothing else; a table of rank 3 holds runs, a first page and a number of pages
    Members,    ///< `data members list 128`, `data members list 128 count`: the same of a list that functions ask; each
                ///< number stands for 128 keys, and a count is no more than its row has room for
    Ranges,     ///< `data ranges list 1 count`: the same of half-open ranges, pairs of numbers, by their start
    Rows,       ///< `data rows row_of k`, `data rows row_of k lens`: rows of k; of rank 2, the first lens[b] of row b
                ///< name rows r with lens[r] entries so that entry j is one of them
  };
  Kind what = Kind::Length;
  std::string tensor;  ///< the tensor of integers
  std::string of = {}; ///< Length, Pages: the data; Rows: what has one element, or page table row, or, if it is
                       ///< pointers, one element more, per row; Increasing, Members, Ranges: the count (may be empty)
  std::string dimension = {}; ///< Length and Pointers: the dimension's name
  std::string lengths = {};   ///< Pages, Rows: entries per sequence, as lengths or as pointers (may be empty in Rows)
  std::string unit = {};      ///< Members, Ranges: a positive number
  bool operator==(const DataFact &) const = default;
};

/// What a line says behind its kind.
struct DataFactForm {
  DataFact::Kind kind;
  std::string_view word;
  struct Field {
    std::string DataFact::*place;
    const char *what; ///< "the name of the lengths"
    bool optional = false;
    bool isNumber = false; ///< from 1 on
  };
  std::vector<Field> fields;
};

/// All forms, and that of a word or a kind; null when there is none.
const std::vector<DataFactForm> &dataFactForms();
const DataFactForm *dataFactForm(std::string_view word);

/// `length kv_lens k seq_kv`, and the same read back from its words; nothing when they are none.
std::string dataFactText(const DataFact &fact);
std::optional<DataFact> dataFactOf(const std::vector<std::string> &words);

} // namespace attn

#endif // ATTN_RUNTIME_DATAFACT_H
