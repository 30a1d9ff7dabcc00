// SPDX-License-Identifier: Apache-2.0
// What the facts of a kernel mean for the data of one launch: which elements exist, and what the data break.
#ifndef ATTN_RUNTIME_FACTDATA_H
#define ATTN_RUNTIME_FACTDATA_H

#include "runtime/RunArguments.h"

#include <functional>

namespace attn {

/// A page of a pool that a sequence needs.
struct UsedPage {
  int64_t sequence = 0;
  int64_t number = 0;         ///< among the pages of its sequence
  int64_t page = 0;           ///< in the pool, or outside when the table is wrong
  int64_t entries = 0;        ///< that lie in it
  std::vector<int64_t> place; ///< in the table
};

/// Reads the tensors of integers that facts are about.
class FactData {
public:
  FactData(const KernelSection &kernel, const std::vector<HostArgument> &arguments)
      : kernel(kernel), arguments(arguments) {}

  size_t indexOf(const std::string &tensor) const;
  const Array &array(const std::string &tensor) const { return arguments[indexOf(tensor)].array; }
  /// Whether numbers are the row ends of packed sequences, one more than there are sequences.
  bool isPointers(const std::string &tensor) const;
  /// The number of sequences that lengths or pointers say the length of, and one of them, not below 0.
  int64_t sequencesOf(const std::string &lengths) const;
  int64_t lengthOf(const std::string &lengths, int64_t b) const;
  /// The rows that `Rows` counts: the first dimension, one less for pointers.
  int64_t rowsOf(const std::string &tensor) const;
  /// Whether a fact is about a list; the numbers of an entry of it, and the entries that a row has room for (packed:
  /// all).
  static bool isList(const DataFact &fact);
  static int64_t numbersOf(const DataFact &list) { return list.what == DataFact::Kind::Ranges ? 2 : 1; }
  int64_t roomOf(const DataFact &list) const;
  /// Calls `visit` for the used part of each row of a list, entries `first` up to `end`, until it returns false.
  void forEachRow(const DataFact &list,
                  const std::function<bool(int64_t row, int64_t first, int64_t end)> &visit) const;
  /// Calls `visit` for the pages that lengths ask for, in order, until it returns false; reads nothing else of the
  /// table.
  void forEachPage(const DataFact &pages, const std::function<bool(const UsedPage &)> &visit) const;

private:
  const KernelSection &kernel;
  const std::vector<HostArgument> &arguments;
};

/// What does not exist of an argument: beyond the lengths, behind the packed sequences, outside the used parts of
/// pages.
struct Absence {
  size_t tensor = 0;                             ///< index of the argument
  std::vector<std::pair<int64_t, int64_t>> runs; ///< first element and number of each run, increasing
};

/// Of each tensor that is read and of which some fact says what exists; what one of several facts says exists does.
std::vector<Absence> absencesOf(const KernelSection &kernel, const std::vector<HostArgument> &arguments);

/// The array with NaN where nothing exists; integers and what exists are unchanged.
Array withoutAbsent(const Array &array, const Absence &absence);

/// What the data break of what the kernel relies on: a sentence for the first place of each fact.
std::vector<std::string> brokenFacts(const KernelSection &kernel, const std::vector<HostArgument> &arguments);

} // namespace attn

#endif // ATTN_RUNTIME_FACTDATA_H
