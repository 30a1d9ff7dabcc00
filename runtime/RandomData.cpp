// SPDX-License-Identifier: Apache-2.0
// Makes random tensors, and tables and lengths as facts say, in the order in which they depend on each other.
#include "runtime/RandomData.h"

#include "runtime/FactData.h"
#include "runtime/KernelFileCheck.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <numbers>
#include <numeric>
#include <set>

namespace attn {

namespace {

using Role = KernelArgument::Role;
using Kind = DataFact::Kind;

/// What lies in the unused part of a table: no kernel may take it for a page or a row.
constexpr double garbage = 2147480000;

/// A generator that is the same everywhere (splitmix64); each argument has its own, so that one more argument does not
/// change the others.
class Random {
public:
  Random(uint64_t seed, std::string_view name) : state(seed * 0x9e3779b97f4a7c15u ^ hashOf(name)) {}

  uint64_t next() {
    uint64_t z = state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }

  /// Uniform in [0, most].
  int64_t upTo(int64_t most) { return static_cast<int64_t>(next() % (static_cast<uint64_t>(most) + 1)); }

  /// N(0, 1), two at a time (Box and Muller).
  double normal() {
    if (hasSpare) {
      hasSpare = false;
      return spare;
    }
    double u = static_cast<double>((next() >> 11) + 1) * 0x1p-53, v = static_cast<double>(next() >> 11) * 0x1p-53;
    double radius = std::sqrt(-2 * std::log(u)), angle = 2 * std::numbers::pi * v;
    spare = radius * std::sin(angle);
    hasSpare = true;
    return radius * std::cos(angle);
  }

private:
  uint64_t state;
  double spare = 0;
  bool hasSpare = false;
};

class DataMaker {
public:
  DataMaker(const KernelSection &kernel, const ArgumentRequest &request, std::vector<HostArgument> &arguments)
      : kernel(kernel), request(request), arguments(arguments), data(kernel, arguments), sizes(sizesOf(arguments)) {}

  std::vector<std::string> make() {
    for (HostArgument &host : arguments)
      if (isFloat(host.array.type) || host.array.type == DType::Bool)
        fillPlain(host);
    for (const DataFact &fact : kernel.facts) {
      if (fact.what == Kind::Pointers)
        fillPointers(fact);
      else if (const std::string &lengths = lengthsOf(fact); !lengths.empty())
        fillLengths(lengths);
    }
    for (const DataFact &fact : kernel.facts) {
      if (fact.what == Kind::Pages)
        fillTable(fact);
      else if (fact.what == Kind::Rows)
        fillRows(fact);
      else if (FactData::isList(fact))
        fillList(fact);
      else if (fact.what == Kind::Sorted)
        fillSorted(fact);
    }
    for (HostArgument &host : arguments)
      fillPlain(host);
    return std::move(faults);
  }

private:
  /// The tensor of that name if it is still to be filled; null otherwise.
  HostArgument *begin(const std::string &name) {
    HostArgument &host = arguments[data.indexOf(name)];
    bool isRead = host.argument->kind == Role::Input || host.argument->kind == Role::InOut;
    return isRead && !request.files.count(name) && filled.insert(name).second ? &host : nullptr;
  }

  /// A tensor of which no fact says anything.
  void fillPlain(HostArgument &host) {
    if (!begin(host.argument->name))
      return;
    Random random(request.seed, host.argument->name);
    Array &array = host.array;
    int64_t most = array.type == DType::Bool ? 1 : largestSequence();
    for (int64_t i = 0, count = array.count(); i < count; ++i)
      array.set(i, isFloat(array.type) ? random.normal() : static_cast<double>(random.upTo(most)));
  }

  //--- Lengths ---

  /// The lengths, pointers or counts that a fact names, of which there may be none. An increasing list may have the
  /// lengths of a sequence, which another fact is about.
  static const std::string &lengthsOf(const DataFact &fact) {
    bool isAsked = fact.what == Kind::Members || fact.what == Kind::Ranges;
    return fact.what == Kind::Length ? fact.tensor : isAsked ? fact.of : fact.lengths;
  }

  /// The most entries that anything of which these are the lengths has room for.
  int64_t mostEntries(const std::string &lengths) const {
    int64_t most = largestDimension;
    for (const DataFact &fact : kernel.facts) {
      if (fact.what == Kind::Length && fact.tensor == lengths)
        most = std::min(most, sizes.at(fact.dimension));
      else if (fact.what == Kind::Pages && fact.lengths == lengths)
        most = std::min(most, roomOf(fact));
      else if (FactData::isList(fact) && fact.of == lengths)
        most = std::min(most, data.roomOf(fact));
      else if (fact.what == Kind::Rows && fact.lengths == lengths)
        if (const Array &rows = data.array(fact.tensor); rows.shape.size() == 2)
          most = std::min(most, rows.shape[1]);
    }
    return most;
  }

  /// What one sequence may take of a pool: as much as its table can name, and, where the kernel writes, no more than an
  /// even share, as no page may be shared then.
  int64_t roomOf(const DataFact &fact) const {
    const Array &table = data.array(fact.tensor), &pool = data.array(fact.of);
    int64_t pages = pool.shape[0], slots = table.shape[1];
    if (pages == 0 || slots == 0)
      return 0;
    int64_t room = table.shape.size() == 2 ? slots : pages;
    if (isWritten(fact.of))
      room = std::min(room, pages / std::max<int64_t>(table.shape[0], 1));
    return room * pool.shape[1];
  }

  bool isWritten(const std::string &tensor) const {
    return arguments[data.indexOf(tensor)].argument->kind == Role::InOut;
  }

  void fillLengths(const std::string &name) {
    if (data.isPointers(name))
      return;
    HostArgument *host = begin(name);
    if (!host)
      return;
    Random random(request.seed, name);
    int64_t most = mostEntries(name), count = host->array.count();
    for (int64_t b = 0; b < count; ++b)
      host->array.set(b, static_cast<double>(random.upTo(most)));
    if (count < 4)
      return;
    int64_t empty = random.upTo(count - 1);
    host->array.set(empty, 0);
    host->array.set((empty + 1 + random.upTo(count - 2)) % count, static_cast<double>(most));
  }

  void fillPointers(const DataFact &fact) {
    HostArgument *host = begin(fact.tensor);
    if (!host)
      return;
    Random random(request.seed, fact.tensor);
    int64_t most = sizes.at(fact.dimension), count = host->array.count();
    int64_t last = most - random.upTo(std::min<int64_t>(most, 3)); // the tensor may go on behind the last sequence
    std::vector<int64_t> cuts;
    for (int64_t i = 0; i < count; ++i)
      cuts.push_back(random.upTo(last));
    std::sort(cuts.begin(), cuts.end());
    if (count > 4) // one sequence of several is empty
      cuts[2] = cuts[1];
    for (int64_t i = 0; i < count; ++i)
      host->array.set(i, i == 0 ? 0 : static_cast<double>(i + 1 == count ? last : cuts[static_cast<size_t>(i)]));
  }

  //--- Page tables ---

  void fillTable(const DataFact &fact) {
    HostArgument *host = begin(fact.tensor);
    if (!host)
      return;
    Array &table = host->array;
    int64_t pages = data.array(fact.of).shape[0], size = data.array(fact.of).shape[1];
    std::vector<int64_t> needed;
    for (int64_t b = 0; b < table.shape[0]; ++b)
      needed.push_back(size ? (data.lengthOf(fact.lengths, b) + size - 1) / size : 0);
    if (pages == 0 && std::any_of(needed.begin(), needed.end(), [](int64_t n) { return n != 0; })) {
      faults.push_back(
          fmt::format("expects '{}' to have pages for the lengths of '{}', got none", fact.of, fact.lengths));
      return;
    }
    for (int64_t i = 0; i < table.count(); ++i)
      table.set(i, garbage);
    Random random(request.seed, fact.tensor);
    bool mayShare = request.sharePages && !isWritten(fact.of);
    if (table.shape.size() == 3)
      fillRuns(table, needed, pages, random, mayShare);
    else
      fillPages(table, needed, pages, random, mayShare);
  }

  void fillPages(Array &table, const std::vector<int64_t> &needed, int64_t pages, Random &random, bool mayShare) {
    std::vector<int64_t> order(static_cast<size_t>(pages));
    std::iota(order.begin(), order.end(), 0);
    for (int64_t i = pages - 1; i > 0; --i)
      std::swap(order[static_cast<size_t>(i)], order[static_cast<size_t>(random.upTo(i))]);
    int64_t slots = table.shape[1], next = 0, before = 0;
    for (int64_t b = 0; b < table.shape[0]; ++b) {
      int64_t count = std::min(needed[static_cast<size_t>(b)], slots);
      int64_t shared = mayShare ? (std::min(before, count) + 1) / 2 : 0;
      for (int64_t n = 0; n < count; ++n)
        table.set(b * slots + n, n < shared ? table.at((b - 1) * slots + n)
                                            : static_cast<double>(order[static_cast<size_t>(next++ % pages)]));
      before = count;
    }
  }

  /// Cuts what each sequence needs into as many runs as there may be and lays out the first runs of all, then the
  /// second ones, so that the runs of a sequence do not follow each other. The last run may be longer than needed.
  void fillRuns(Array &table, const std::vector<int64_t> &needed, int64_t pages, Random &random, bool mayShare) {
    int64_t slots = table.shape[1], next = 0;
    std::vector<int64_t> left = needed;
    auto set = [&](int64_t b, int64_t run, double first, double number) {
      table.set((b * slots + run) * 2, first);
      table.set((b * slots + run) * 2 + 1, number);
    };
    for (int64_t run = 0; run < slots; ++run)
      for (int64_t b = 0; b < table.shape[0]; ++b) {
        int64_t &rest = left[static_cast<size_t>(b)];
        if (rest == 0)
          continue;
        int64_t most = std::min(rest, pages);
        int64_t number = run + 1 == slots ? most : 1 + random.upTo(most - 1);
        if (mayShare && run == 0 && b > 0 && needed[static_cast<size_t>(b - 1)] > 0)
          number = std::min(number, numberOf(table, (b - 1) * slots * 2 + 1));
        bool again = mayShare && run == 0 && b > 0 && needed[static_cast<size_t>(b - 1)] > 0;
        if (next + number > pages)
          next = 0;
        int64_t first = again ? numberOf(table, (b - 1) * slots * 2) : next;
        next += again ? 0 : number;
        rest -= number;
        bool longer = rest == 0 && first + number < pages && random.upTo(1);
        set(b, run, static_cast<double>(first), static_cast<double>(number + longer));
      }
  }

  static int64_t numberOf(const Array &array, int64_t i) { return static_cast<int64_t>(array.at(i)); }

  //--- Rows and lists ---

  void fillRows(const DataFact &fact) {
    HostArgument *host = begin(fact.tensor);
    if (!host)
      return;
    Array &list = host->array;
    Random random(request.seed, fact.tensor);
    int64_t rows = data.rowsOf(fact.of), count = list.shape.size() == 2 ? list.shape[1] : 1;
    bool counted = !fact.lengths.empty();
    for (int64_t b = 0; b < list.shape[0]; ++b)
      for (int64_t j = 0; j < count; ++j) {
        int64_t row = rows ? random.upTo(rows - 1) : 0;
        bool used = !counted || (b < data.sequencesOf(fact.lengths) && j < data.lengthOf(fact.lengths, b));
        for (int64_t tries = 0; used && counted && tries < rows && data.lengthOf(fact.lengths, row) <= j; ++tries)
          row = (row + 1) % rows; // b itself has the entry
        list.set(b * count + j, used ? static_cast<double>(row) : garbage);
      }
  }

  /// Numbers that often stay and sometimes rise, in each row.
  void fillSorted(const DataFact &fact) {
    HostArgument *host = begin(fact.tensor);
    if (!host)
      return;
    Random random(request.seed, fact.tensor);
    data.forEachRow(fact, [&](int64_t, int64_t first, int64_t end) {
      constexpr int64_t stays = 60;
      int64_t value = random.upTo(3);
      for (int64_t i = first; i < end; ++i)
        host->array.set(i, static_cast<double>(value += random.upTo(stays) == 0 ? 1 + random.upTo(1) : 0));
      return true;
    });
  }

  /// Strictly increasing numbers, below that of the last key where there is room, and with gaps; of ranges the starts,
  /// each with an end that may lie behind the next one, or with nothing in it. Several facts may be about one list.
  void fillList(const DataFact &fact) {
    HostArgument *host = begin(fact.tensor);
    if (!host)
      return;
    Array &list = host->array;
    Random random(request.seed, fact.tensor);
    if (fact.what != Kind::Increasing)
      for (int64_t i = 0; i < list.count(); ++i)
        list.set(i, garbage);
    for (auto [first, end] : usedRows(fact))
      fillRow(list, fact, first, end, random);
  }

  /// The entries of each row that some fact about the list says are used: all of them for positions.
  std::vector<std::pair<int64_t, int64_t>> usedRows(const DataFact &list) const {
    std::vector<std::pair<int64_t, int64_t>> rows;
    std::set<std::string> pointers;
    auto isPacked = [&](const DataFact &fact) { return !fact.of.empty() && data.isPointers(fact.of); };
    auto visit = [&](const DataFact &fact, auto &&entries) {
      data.forEachRow(fact, [&](int64_t row, int64_t first, int64_t end) {
        rows.resize(std::max(rows.size(), static_cast<size_t>(row) + 1), {first, first});
        entries(rows[static_cast<size_t>(row)], first, end);
        return true;
      });
    };
    bool isWhole = list.what == Kind::Increasing && !isPacked(list);
    for (const DataFact &fact : kernel.facts) {
      if (!FactData::isList(fact) || fact.tensor != list.tensor)
        continue;
      isWhole |= fact.of.empty();
      pointers.insert(isPacked(fact) ? fact.of : "");
    }
    if (isWhole || pointers.size() > 1) { // an increasing whole is increasing in all of its parts
      DataFact whole = list;
      whole.of.clear();
      visit(whole, [](auto &row, int64_t first, int64_t end) { row = {first, end}; });
      return rows;
    }
    for (const DataFact &fact : kernel.facts)
      if (FactData::isList(fact) && fact.tensor == list.tensor)
        visit(fact, [](auto &row, int64_t first, int64_t end) { row = {first, std::max(row.second, end)}; });
    return rows;
  }

  void fillRow(Array &list, const DataFact &fact, int64_t begin, int64_t end, Random &random) {
    int64_t unit = fact.unit.empty() ? 1 : std::stoll(fact.unit), step = FactData::numbersOf(fact);
    int64_t most = fact.unit.empty() ? largestSequence() : (mostKeys() - 1) / unit;
    int64_t row = std::max<int64_t>(end - begin, 1), value = -1;
    for (int64_t i = begin; i < end; ++i) {
      int64_t room = most - value - (end - i);
      value += 1 + (room > 0 ? random.upTo(std::min(room, 2 * (most / row))) : most < 2 * row ? random.upTo(1) : 0);
      list.set(i * step, static_cast<double>(value));
      if (step == 2)
        list.set(i * step + 1, static_cast<double>(value + random.upTo(2 * (most / row) + 1)));
    }
  }

  /// What the numbers of lists are about: keys, as far as sizes or lengths tell.
  int64_t mostKeys() const {
    int64_t most = 0;
    for (const char *name : {"seq_kv", "total_kv", "seq", "total"})
      if (sizes.count(name))
        most = std::max(most, sizes.at(name));
    for (const DataFact &fact : kernel.facts)
      for (int64_t b = 0; fact.what == Kind::Pages && b < data.sequencesOf(fact.lengths); ++b)
        most = std::max(most, data.lengthOf(fact.lengths, b));
    return most ? most : largestSequence();
  }

  /// What an integer of unknown meaning may be: up to the number of keys, else of queries.
  int64_t largestSequence() const {
    for (const char *name : {"seq_kv", "total_kv", "seq_q", "total_q"})
      if (sizes.count(name))
        return sizes.at(name);
    return 0;
  }

  const KernelSection &kernel;
  const ArgumentRequest &request;
  std::vector<HostArgument> &arguments;
  FactData data;
  std::map<std::string, int64_t> sizes;
  std::set<std::string> filled;
  std::vector<std::string> faults;
};

} // namespace

std::vector<std::string> fillRandom(const KernelSection &kernel, const ArgumentRequest &request,
                                    std::vector<HostArgument> &arguments) {
  return DataMaker(kernel, request, arguments).make();
}

} // namespace attn
