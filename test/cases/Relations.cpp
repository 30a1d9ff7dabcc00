// SPDX-License-Identifier: Apache-2.0
// Relations between launches: each makes its arguments from those of a case.
#include "test/cases/Relations.h"
#include "test/cases/SpecText.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <numeric>

namespace attn::cases {

namespace {

Case placed(std::string_view place, std::string_view schedule, std::string_view length, int64_t sequences) {
  Case c;
  c.list = "relation";
  c.at[KeyPlace] = static_cast<uint8_t>(valueOf(KeyPlace, place));
  c.at[Schedule] = static_cast<uint8_t>(valueOf(Schedule, schedule));
  c.at[Heads] = static_cast<uint8_t>(valueOf(Heads, "8x2"));
  c.at[Lse] = 1;
  c.exact = length;
  c.sequences = sequences;
  return c;
}

std::string replaced(std::string text, const std::string &from, const std::string &to) {
  size_t at = text.find(from);
  if (at == std::string::npos)
    std::abort(); // the spec's text has changed: this edit must change with it
  return text.replace(at, from.size(), to);
}

PlacedTensor &named(std::vector<PlacedTensor> &tensors, std::string_view name) {
  return *std::find_if(tensors.begin(), tensors.end(), [&](const PlacedTensor &tensor) { return tensor.name == name; });
}

/// Sequences of a tensor in another order, some of them or all.
PlacedTensor gathered(const PlacedTensor &tensor, const std::vector<int64_t> &order) {
  PlacedTensor result = tensor;
  size_t row = static_cast<size_t>(tensor.strides[0]) * sizeOf(tensor.type);
  result.shape[0] = static_cast<int64_t>(order.size());
  result.memory.resize(order.size() * row);
  for (size_t i = 0; i != order.size(); ++i)
    std::copy_n(tensor.memory.begin() + order[i] * static_cast<int64_t>(row), row,
                result.memory.begin() + static_cast<int64_t>(i * row));
  return result;
}

Arguments gathered(const Case &c, Arguments given, const std::vector<int64_t> &order) {
  for (std::vector<PlacedTensor> *tensors : {&given.inputs, &given.outputs})
    for (PlacedTensor &tensor : *tensors)
      if (isPerSequence(c, tensor.name))
        tensor = gathered(tensor, order);
  return given;
}

/// A sentence when sequence `a` of some results has other bits than sequence `b` of others.
std::string differenceOf(const std::vector<PlacedTensor> &some, int64_t a, const std::vector<PlacedTensor> &others,
                         int64_t b, std::string_view what) {
  for (size_t i = 0; i != some.size(); ++i)
    if (gathered(some[i], {a}).memory != gathered(others[i], {b}).memory)
      return fmt::format("'{}' of sequence {} {} has other bits", some[i].name, a, what);
  return {};
}

/// A sequence by itself, as the first, as the last and in the midst of 64 has the same bits, as have runs in any order.
std::string amongOthers(Runner &runner, const std::string &schedule) {
  constexpr int64_t count = 64;
  Case c = placed("pages16", schedule, "1x70", count);
  if (!c.on(Schedule)) // the compiler takes decode where it knows that tokens are few
    c.at[Packed] = static_cast<uint8_t>(valueOf(Packed, "static"));
  Arguments all = makeArguments(c);
  std::string spec = specText(c);
  std::vector<PlacedTensor> results = runner.results(spec, all);
  std::string fault = runner.faultOf(results, spec, all);
  std::vector<std::string> orders{runner.chosen().device};
  if (orders[0] == "sim")
    orders.insert(orders.end(), {"sim:seed=1", "sim:resident=1"});
  for (const std::string &order : orders) {
    std::vector<PlacedTensor> again = runner.results(spec, all, order);
    for (int64_t b = 0; b != count && fault.empty(); ++b)
      fault = differenceOf(results, b, again, b, "run again on " + order);
  }
  for (int64_t which : {29, 30, 31, 32, 33, 34}) { // each length once: they go round
    std::vector<int64_t> order(count);
    std::iota(order.begin(), order.end(), 0);
    std::swap(order[0], order[static_cast<size_t>(which)]);
    if (fault.empty())
      fault = differenceOf(results, which, runner.results(spec, gathered(c, all, order)), 0, "among 64");
    std::reverse(order.begin(), order.end());
    if (fault.empty())
      fault = differenceOf(results, which, runner.results(spec, gathered(c, all, order)), count - 1, "among 64");
    if (fault.empty())
      fault = differenceOf(results, which, runner.results(spec, gathered(c, all, {which})), 0, "among 64");
  }
  return fault;
}

/// Pages `first` and on of a table of pages, at most `most` of them, as another argument with lengths of its own.
void addPart(Arguments &given, const std::string &suffix, int64_t first, int64_t most) {
  constexpr int64_t page = 16;
  PlacedTensor table = named(given.inputs, "pages"), used = named(given.inputs, "used");
  most = std::min(most, table.shape[1] - first);
  table.name += suffix, used.name += suffix;
  table.offset = first, table.shape[1] = most;
  for (int64_t b = 0; b != used.shape[0]; ++b)
    used.set(b, std::clamp<double>(used.get(b) - double(first * page), 0, double(most * page)));
  given.inputs.insert(given.inputs.end(), {table, used});
}

/// Keys in one table of pages, and the same in two tables that a concat joins.
std::string inTwoPlaces(Runner &runner, const std::string &schedule) {
  Case c = placed("pages16", schedule, "2x70", 6);
  Arguments whole = makeArguments(c), parts = whole;
  addPart(parts, "_a", 0, 2);
  addPart(parts, "_b", 2, 100);
  std::string spec = specText(c);
  std::string of = "  %kv = attn.pages %k, %v[%pages, %used] : !k, !v [!table_of, !each]\n";
  std::string joined = replaced(spec, of,
                                "  %a = attn.pages %k, %v[%pages_a, %used_a] : !k, !v [!table_a, !each]\n"
                                "  %b = attn.pages %k, %v[%pages_b, %used_b] : !k, !v [!table_b, !each]\n"
                                "  %kv = attn.concat %a, %b\n");
  joined = replaced(joined, "%pages: !table_of, %used: !each",
                    "%pages_a: !table_a, %used_a: !each, %pages_b: !table_b, %used_b: !each");
  joined = "!table_a = tensor<?x?xi32, #attn.dims<batch, slots_a>>\n"
           "!table_b = tensor<?x?xi32, #attn.dims<batch, slots_b>>\n" +
           joined;
  return runner.faultOf(runner.results(joined, parts), spec, whole);
}

/// Two requests with a prefix that is stored once, and each of them alone.
std::string withPrefix(Runner &runner, const std::string &schedule) {
  Case c = placed("joined", schedule, "1x70", 2);
  Arguments both = makeArguments(c);
  std::string spec = specText(c), fault;
  std::vector<PlacedTensor> results = runner.results(spec, both);
  for (int64_t b : {0, 1}) {
    Arguments one = gathered(c, both, {b});
    std::vector<PlacedTensor> alone = runner.results(spec, one);
    if (fault.empty())
      fault = differenceOf(results, b, alone, 0, "beside another with its prefix");
    if (fault.empty())
      fault = runner.faultOf(alone, spec, one);
  }
  return fault;
}

/// Beams with one parent and one query are the same beam, and that of a dense tensor of the parent's keys.
std::string withOneParent(Runner &runner, const std::string &schedule) {
  Case c = placed("entries", schedule, "1x70", 6), plain = placed("dense", schedule, "1x70", 6);
  Arguments beams = makeArguments(c);
  const std::vector<int64_t> parents{4, 1, 4, 4, 1, 0};
  PlacedTensor &rows = named(beams.inputs, "row_of"), &query = named(beams.inputs, "q");
  for (size_t b = 0; b != parents.size(); ++b)
    for (int64_t entry = 0; entry != rows.shape[1]; ++entry)
      rows.set(rows.place({static_cast<int64_t>(b), entry}), static_cast<double>(parents[b]));
  query = gathered(query, std::vector<int64_t>(parents.size(), 0));
  Arguments dense = beams;
  std::erase_if(dense.inputs, [](const PlacedTensor &tensor) { return tensor.name == "row_of"; });
  for (const char *name : {"k", "v"})
    named(dense.inputs, name) = gathered(named(beams.inputs, name), parents);
  std::vector<PlacedTensor> results = runner.results(specText(c), beams);
  std::string fault = runner.faultOf(results, specText(plain), dense);
  for (size_t a = 0; a != parents.size(); ++a)
    for (size_t b = 0; b != a && fault.empty(); ++b)
      if (parents[a] == parents[b])
        fault = differenceOf(results, static_cast<int64_t>(a), results, static_cast<int64_t>(b), "of the same parent");
  return fault;
}

/// Takes the newest entries of each sequence out of the pages, at most two, and gives them as an argument of their own.
/// Pages become what the kernel updates.
Arguments withNewEntries(const Arguments &whole) {
  constexpr int64_t page = 16, most = 2;
  Arguments given = whole;
  const PlacedTensor &table = named(given.inputs, "pages"), &used = named(given.inputs, "used");
  int64_t batch = used.shape[0];
  PlacedTensor added("added", DType::I32, {batch}, {1});
  for (int64_t b = 0; b != batch; ++b)
    added.set(b, std::min<double>(used.get(b), most));
  std::vector<PlacedTensor> fresh{added};
  for (const char *which : {"k", "v"}) {
    PlacedTensor &pool = named(given.inputs, which);
    int64_t heads = pool.shape[2], dim = pool.shape[3];
    PlacedTensor entries(std::string(which) + "_new", pool.type, {batch, most, heads, dim},
                         {most * heads * dim, heads * dim, dim, 1});
    forEachIndex(entries.shape, [&](const std::vector<int64_t> &at) {
      int64_t b = at[0], entry = static_cast<int64_t>(used.get(b) - added.get(b)) + at[1];
      if (at[1] >= static_cast<int64_t>(added.get(b)))
        return;
      auto row = static_cast<int64_t>(table.get(table.place({b, entry / page})));
      int64_t from = pool.place({row, entry % page, at[2], at[3]});
      entries.set(entries.place(at), pool.get(from));
      pool.set(from, std::numeric_limits<double>::quiet_NaN());
    });
    fresh.push_back(std::move(entries));
    pool.updated = true;
    given.outputs.push_back(pool);
  }
  std::erase_if(given.inputs, [](const PlacedTensor &tensor) { return tensor.name == "k" || tensor.name == "v"; });
  given.inputs.insert(given.inputs.end(), fresh.begin(), fresh.end());
  return given;
}

/// Entries appended to a cache and then attended to, and the same attention over the cache that has them already: the
/// same bits, in the cache as well.
std::string appendedFirst(Runner &runner, const std::string &schedule) {
  Case c = placed("pages16", schedule, "2x70", 6);
  Arguments longer = makeArguments(c), given = withNewEntries(longer);
  std::string spec = specText(c);
  std::string of = "  %kv = attn.pages %k, %v[%pages, %used] : !k, !v [!table_of, !each]\n";
  std::string appending = replaced(spec, of,
                                   of + "  %new = attn.dense %k_new, %v_new[%added] : !k_new, !v_new [!each]\n"
                                        "  attn.append %new to %kv : !attn.seq\n");
  appending = replaced(appending, "%used: !each", "%used: !each, %k_new: !k_new, %v_new: !v_new, %added: !each");
  for (const char *which : {"k", "v"}) {
    const PlacedTensor &pool = named(longer.inputs, which);
    appending = fmt::format("!{}_new = tensor<?x?x{}x{}x{}, #attn.dims<batch, new, kv_heads, head_dim>>\n", which,
                            pool.shape[2], pool.shape[3], c.value(ElementType)) +
                appending;
  }
  std::vector<PlacedTensor> wanted = runner.results(spec, longer), results = runner.results(appending, given);
  for (const char *which : {"k", "v"})
    wanted.push_back(named(longer.inputs, which));
  for (size_t i = 0; i != wanted.size(); ++i)
    if (wanted[i].memory != results[i].memory)
      return fmt::format("'{}' has other bits than over a cache that has the new entries", wanted[i].name);
  return runner.faultOf({results.begin(), results.begin() + 2}, spec, longer);
}

/// The output in place of the query: every program reads its rows before it writes them, whatever runs beside it.
std::string inPlace(Runner &runner, const std::string &schedule) {
  std::string fault;
  for (std::string_view length : {"1x70", "5x70", "70x70", "150x33"}) {
    Case c = placed("dense", schedule, length, 2);
    Arguments apart = makeArguments(c), given = apart;
    std::string spec = specText(c);
    PlacedTensor query = named(given.inputs, "q");
    query.updated = true;
    named(given.outputs, "o") = query;
    given.outputs.front().name = "q";
    std::erase_if(given.inputs, [](const PlacedTensor &tensor) { return tensor.name == "q"; });
    std::vector<PlacedTensor> wanted = runner.results(spec, apart);
    for (const char *order : {"", "sim:seed=1", "sim:resident=1"}) {
      if (*order && runner.chosen().device != "sim")
        continue;
      std::vector<PlacedTensor> results = runner.results(replaced(spec, "-> (o: !o", "-> (q: !q"), given, order);
      if (fault.empty() && results[0].memory != wanted[0].memory)
        fault = fmt::format("{}: the output has other bits in place of the query {}", length, order);
    }
  }
  return fault;
}

/// The lengths of packed sequences in the other order.
void reverseLengths(PlacedTensor &ends) {
  std::vector<double> old = ends.values();
  for (size_t i = 0; i != old.size(); ++i)
    ends.set(ends.place({static_cast<int64_t>(i)}), old.back() - old[old.size() - 1 - i]);
}

/// A launch that is run again with other lengths and tables in the same memory, in a graph where there is one.
std::string runAgain(Runner &runner, const std::string &schedule) {
  std::string fault;
  for (std::string_view place : {"pages16", "ragged", "joined", "runs16"}) {
    Case c = placed(place, schedule, "1x70", 6);
    Arguments first = makeArguments(c), then = first;
    if (place == "ragged")
      reverseLengths(named(then.inputs, "kv_ends"));
    else
      then = gathered(c, first, {5, 3, 0, 4, 1, 2});
    std::vector<PlacedTensor> results = runner.replayed(specText(c), first, then);
    if (fault.empty())
      fault = runner.faultOf(results, specText(c), then);
  }
  return fault;
}

} // namespace

const std::vector<Relation> &relations() {
  static const std::vector<Relation> all = [] {
    std::vector<Relation> made;
    auto add = [&](const char *name, std::string schedule, std::string (*check)(Runner &, const std::string &)) {
      made.push_back({fmt::format("relation.{}.{}", name, schedule), [=](Runner &runner) {
                        try {
                          return check(runner, schedule);
                        } catch (const Error &failure) {
                          return std::string(failure.what());
                        }
                      }});
    };
    for (const char *schedule : {"chosen", "splits5"})
      add("among_64", schedule, amongOthers);
    for (const char *schedule : {"chosen", "splits3"}) {
      add("two_places", schedule, inTwoPlaces);
      add("prefix", schedule, withPrefix);
      add("one_parent", schedule, withOneParent);
      add("appended_first", schedule, appendedFirst);
      add("in_place", schedule, inPlace);
      add("run_again", schedule, runAgain);
    }
    return made;
  }();
  return all;
}

} // namespace attn::cases
