// SPDX-License-Identifier: Apache-2.0
// Reads tables and lengths as facts say, and finds what does not exist and what is wrong.
#include "runtime/FactData.h"
#include "runtime/KernelFileCheck.h"

#include <algorithm>
#include <fmt/format.h>
#include <limits>
#include <map>

namespace attn {

using Kind = DataFact::Kind;

static int64_t numberAt(const Array &array, int64_t i) { return static_cast<int64_t>(array.at(i)); }

//===-- reading ------------------------------------------------------------===//

size_t FactData::indexOf(const std::string &tensor) const {
  size_t i = 0;
  while (i < kernel.arguments.size() && kernel.arguments[i].name != tensor)
    ++i;
  return i;
}

bool FactData::isPointers(const std::string &tensor) const {
  return std::any_of(kernel.facts.begin(), kernel.facts.end(),
                     [&](const DataFact &fact) { return fact.what == Kind::Pointers && fact.tensor == tensor; });
}

int64_t FactData::sequencesOf(const std::string &lengths) const {
  int64_t count = array(lengths).count();
  return isPointers(lengths) ? std::max<int64_t>(count - 1, 0) : count;
}

int64_t FactData::lengthOf(const std::string &lengths, int64_t b) const {
  const Array &numbers = array(lengths);
  int64_t length = isPointers(lengths) ? numberAt(numbers, b + 1) - numberAt(numbers, b) : numberAt(numbers, b);
  return std::max<int64_t>(length, 0);
}

int64_t FactData::rowsOf(const std::string &tensor) const {
  return isPointers(tensor) ? sequencesOf(tensor) : array(tensor).shape[0];
}

bool FactData::isList(const DataFact &fact) {
  return fact.what == Kind::Increasing || fact.what == Kind::Members || fact.what == Kind::Ranges;
}

int64_t FactData::roomOf(const DataFact &list) const {
  const Array &numbers = array(list.tensor);
  size_t rank = numbers.shape.size(), inRow = static_cast<size_t>(numbersOf(list));
  if (!list.of.empty() && isPointers(list.of))
    return numbers.count() / numbersOf(list);
  return rank < inRow ? 1 : numbers.shape[rank - inRow];
}

void FactData::forEachRow(const DataFact &list,
                          const std::function<bool(int64_t row, int64_t first, int64_t end)> &visit) const {
  const Array *counts = list.of.empty() ? nullptr : &array(list.of);
  int64_t entries = array(list.tensor).count() / numbersOf(list), room = roomOf(list);
  if (counts && isPointers(list.of)) {
    for (int64_t r = 0; r + 1 < counts->count(); ++r)
      if (!visit(r, std::max<int64_t>(numberAt(*counts, r), 0), std::min(numberAt(*counts, r + 1), entries)))
        return;
    return;
  }
  for (int64_t r = 0; room && r < entries / room; ++r) {
    int64_t used = counts && r < counts->count() ? std::min(lengthOf(list.of, r), room) : room;
    if (!visit(r, r * room, r * room + used))
      return;
  }
}

void FactData::forEachPage(const DataFact &pages, const std::function<bool(const UsedPage &)> &visit) const {
  const Array &table = array(pages.tensor);
  int64_t size = array(pages.of).shape[1], slots = table.shape[1];
  bool isRuns = table.shape.size() == 3;
  for (int64_t b = 0; size && b < std::min(table.shape[0], sequencesOf(pages.lengths)); ++b) {
    int64_t left = lengthOf(pages.lengths, b), number = 0;
    for (int64_t slot = 0; slot < slots && left > 0; ++slot) {
      int64_t at = (b * slots + slot) * (isRuns ? 2 : 1), page = numberAt(table, at);
      for (int64_t end = page + (isRuns ? numberAt(table, at + 1) : 1); page < end && left > 0; ++page, left -= size)
        if (!visit({b, number++, page, std::min(left, size), {b, slot}}))
          return;
    }
  }
}

//===-- what exists --------------------------------------------------------===//

namespace {

/// Marks the rows of tensors that exist: elements whose first dimensions, up to an axis, are equal.
class Existence {
public:
  Existence(const KernelSection &kernel, const std::vector<HostArgument> &arguments)
      : kernel(kernel), arguments(arguments), data(kernel, arguments) {}

  std::vector<Absence> find() {
    for (const DataFact &fact : kernel.facts) {
      if (fact.what == Kind::Length)
        addLengths(fact);
      else if (fact.what == Kind::Pointers)
        addPointers(fact);
      else if (fact.what == Kind::Pages)
        addPages(fact);
    }
    std::vector<Absence> all;
    for (const auto &[tensor, rows] : marked)
      all.push_back({tensor, runsOf(rows)});
    return all;
  }

private:
  struct Rows {
    int64_t size = 1; ///< elements of a row
    std::vector<bool> exist;
  };

  /// The rows of a tensor along `axis`; null when it is not read, or when another fact counts along another axis.
  Rows *rowsAlong(size_t tensor, size_t axis) {
    const HostArgument &host = arguments[tensor];
    if (host.argument->kind == KernelArgument::Role::Output || !isFloat(host.array.type))
      return nullptr;
    int64_t count = 1, size = 1;
    for (size_t d = 0; d < host.array.shape.size(); ++d)
      (d <= axis ? count : size) *= host.array.shape[d];
    auto [found, isNew] = marked.try_emplace(tensor, Rows{size, std::vector<bool>(static_cast<size_t>(count))});
    return isNew || found->second.size == size ? &found->second : nullptr;
  }

  void addLengths(const DataFact &fact) {
    size_t tensor = data.indexOf(fact.of), axis = 0;
    const std::vector<int64_t> &shape = arguments[tensor].array.shape;
    while (kernel.arguments[tensor].shape[axis].name != fact.dimension)
      ++axis;
    if (axis == 0 || data.sequencesOf(fact.tensor) != shape[0])
      return;
    Rows *rows = rowsAlong(tensor, axis);
    int64_t between = 1;
    for (size_t d = 1; d < axis; ++d)
      between *= shape[d];
    for (int64_t b = 0; rows && b < shape[0]; ++b)
      for (int64_t o = 0; o < between; ++o)
        for (int64_t j = 0; j < std::min(data.lengthOf(fact.tensor, b), shape[axis]); ++j)
          rows->exist[static_cast<size_t>((b * between + o) * shape[axis] + j)] = true;
  }

  void addPointers(const DataFact &fact) {
    const Array &pointers = data.array(fact.tensor);
    int64_t last = pointers.count() ? numberAt(pointers, pointers.count() - 1) : 0;
    for (size_t tensor = 0; tensor < arguments.size(); ++tensor) {
      const std::vector<Dimension> &shape = kernel.arguments[tensor].shape;
      if (shape.empty() || shape[0].name != fact.dimension)
        continue;
      if (Rows *rows = rowsAlong(tensor, 0))
        for (int64_t n = 0; n < std::min<int64_t>(last, static_cast<int64_t>(rows->exist.size())); ++n)
          rows->exist[static_cast<size_t>(n)] = true;
    }
  }

  void addPages(const DataFact &fact) {
    size_t pool = data.indexOf(fact.of);
    Rows *rows = rowsAlong(pool, 1);
    if (!rows)
      return;
    const std::vector<int64_t> &shape = arguments[pool].array.shape;
    data.forEachPage(fact, [&](const UsedPage &used) {
      for (int64_t slot = 0; used.page >= 0 && used.page < shape[0] && slot < used.entries; ++slot)
        rows->exist[static_cast<size_t>(used.page * shape[1] + slot)] = true;
      return true;
    });
  }

  static std::vector<std::pair<int64_t, int64_t>> runsOf(const Rows &rows) {
    std::vector<std::pair<int64_t, int64_t>> runs;
    for (size_t row = 0; row < rows.exist.size(); ++row) {
      if (rows.exist[row])
        continue;
      size_t first = row;
      while (row + 1 < rows.exist.size() && !rows.exist[row + 1])
        ++row;
      runs.push_back({static_cast<int64_t>(first) * rows.size, static_cast<int64_t>(row + 1 - first) * rows.size});
    }
    return runs;
  }

  const KernelSection &kernel;
  const std::vector<HostArgument> &arguments;
  FactData data;
  std::map<size_t, Rows> marked;
};

//===-- what is broken -----------------------------------------------------===//

class FactCheck {
public:
  FactCheck(const KernelSection &kernel, const std::vector<HostArgument> &arguments)
      : kernel(kernel), data(kernel, arguments), sizes(sizesOf(arguments)) {}

  std::vector<std::string> run() {
    for (const DataFact &fact : kernel.facts) {
      const Array &numbers = data.array(fact.tensor);
      if (FactData::isList(fact))
        checkList(fact, numbers);
      else if (fact.what == Kind::Sorted)
        checkSorted(fact, numbers);
      else if (fact.what == Kind::Pointers)
        checkPointers(fact, numbers);
      else if (fact.what == Kind::Pages)
        checkPages(fact);
      else if (fact.what == Kind::Rows)
        checkRows(fact, numbers);
    }
    return std::move(faults);
  }

private:
  /// The first fault of each fact is said.
  template <typename... Args> void fault(fmt::format_string<Args...> format, Args &&...args) {
    faults.push_back(fmt::format(format, std::forward<Args>(args)...));
  }

  void checkList(const DataFact &fact, const Array &list) {
    int64_t step = FactData::numbersOf(fact);
    if (fact.what != Kind::Increasing && !fact.of.empty() && !data.isPointers(fact.of) && !countsFit(fact))
      return;
    data.forEachRow(fact, [&](int64_t row, int64_t first, int64_t end) {
      for (int64_t i = first + 1; i < end; ++i)
        if (double number = list.at(i * step), before = list.at((i - 1) * step); number <= before) {
          fault("'{}' does not increase: row {} has {} after {} at place {}", fact.tensor, row, number, before,
                i - first);
          return false;
        }
      return true;
    });
  }

  void checkSorted(const DataFact &fact, const Array &values) {
    data.forEachRow(fact, [&](int64_t row, int64_t first, int64_t end) {
      for (int64_t i = first + 1; i < end; ++i)
        if (double number = values.at(i), before = values.at(i - 1); number < before) {
          fault("'{}' falls from {} to {} in row {} at place {}", fact.tensor, before, number, row, i - first);
          return false;
        }
      return true;
    });
  }

  bool countsFit(const DataFact &fact) {
    const Array &counts = data.array(fact.of);
    int64_t room = data.roomOf(fact);
    for (int64_t r = 0; r < counts.count(); ++r)
      if (int64_t count = numberAt(counts, r); count < 0 || count > room) {
        fault("'{}' counts {} in row {}, expected 0 to {}, what a row of '{}' has room for", fact.of, count, r, room,
              fact.tensor);
        return false;
      }
    return true;
  }

  void checkPointers(const DataFact &fact, const Array &pointers) {
    int64_t count = pointers.count(), most = sizes[fact.dimension];
    if (count == 0)
      return fault("'{}' is empty, expected one pointer more than sequences", fact.tensor);
    if (pointers.at(0) != 0)
      return fault("'{}' begins with {}, expected 0", fact.tensor, pointers.at(0));
    for (int64_t i = 1; i < count; ++i)
      if (pointers.at(i) < pointers.at(i - 1))
        return fault("'{}' falls from {} to {} at place {}", fact.tensor, pointers.at(i - 1), pointers.at(i), i);
    if (pointers.at(count - 1) > static_cast<double>(most))
      fault("'{}' ends with {}, expected at most {}", fact.tensor, pointers.at(count - 1), most);
  }

  void checkPages(const DataFact &fact) {
    int64_t pages = data.array(fact.of).shape[0];
    data.forEachPage(fact, [&](const UsedPage &used) {
      if (used.page >= 0 && used.page < pages)
        return true;
      fault("'{}' at {} names page {} for page {} of sequence {}, expected one of the {} of '{}'", fact.tensor,
            shapeText(used.place), used.page, used.number, used.sequence, pages, fact.of);
      return false;
    });
  }

  void checkRows(const DataFact &fact, const Array &list) {
    int64_t rows = data.rowsOf(fact.of), count = list.shape.size() == 2 ? list.shape[1] : 1;
    for (int64_t b = 0; b < list.shape[0]; ++b) {
      bool counted = !fact.lengths.empty() && b < data.sequencesOf(fact.lengths);
      int64_t used = counted ? std::min(data.lengthOf(fact.lengths, b), count) : count;
      for (int64_t j = 0; j < used; ++j) {
        int64_t row = numberAt(list, b * count + j);
        std::string place = shapeText(list.shape.size() == 2 ? std::vector<int64_t>{b, j} : std::vector<int64_t>{b});
        if (row < 0 || row >= rows)
          return fault("'{}' at {} names row {}, expected one of the {} of '{}'", fact.tensor, place, row, rows,
                       fact.of);
        if (!fact.lengths.empty() && row < data.sequencesOf(fact.lengths) && data.lengthOf(fact.lengths, row) <= j)
          return fault("'{}' at {} names row {}, which has {} entries as '{}' says", fact.tensor, place, row,
                       data.lengthOf(fact.lengths, row), fact.lengths);
      }
    }
  }

  const KernelSection &kernel;
  FactData data;
  std::map<std::string, int64_t> sizes;
  std::vector<std::string> faults;
};

} // namespace

std::vector<Absence> absencesOf(const KernelSection &kernel, const std::vector<HostArgument> &arguments) {
  return Existence(kernel, arguments).find();
}

Array withoutAbsent(const Array &array, const Absence &absence) {
  Array content = array;
  for (auto [first, count] : absence.runs)
    for (int64_t i = first; isFloat(array.type) && i < first + count; ++i)
      content.set(i, std::numeric_limits<double>::quiet_NaN());
  return content;
}

std::vector<std::string> brokenFacts(const KernelSection &kernel, const std::vector<HostArgument> &arguments) {
  return FactCheck(kernel, arguments).run();
}

} // namespace attn
