// SPDX-License-Identifier: Apache-2.0
// Writes specs of merges and appends and makes their data.
#include "test/cases/StepCases.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

namespace attn::cases {

std::vector<std::vector<size_t>> covering(const std::vector<size_t> &sizes) {
  std::mt19937_64 random(4);
  std::vector<std::vector<size_t>> cases;
  size_t axes = sizes.size(), left = 0;
  auto place = [&](size_t i, size_t a, size_t j, size_t b) { return ((i * axes + j) * 16 + a) * 16 + b; };
  std::vector<uint8_t> open(axes * axes * 256, 0);
  for (size_t i = 0; i != axes; ++i)
    for (size_t j = i + 1; j != axes; ++j)
      for (size_t a = 0; a != sizes[i]; ++a)
        for (size_t b = 0; b != sizes[j]; ++b)
          open[place(i, a, j, b)] = 1, ++left;
  auto gain = [&](const std::vector<size_t> &c) {
    size_t sum = 0;
    for (size_t i = 0; i != axes; ++i)
      for (size_t j = i + 1; j != axes; ++j)
        sum += open[place(i, c[i], j, c[j])];
    return sum;
  };
  while (left != 0) {
    std::vector<size_t> best(axes), next(axes);
    size_t bestGain = 0;
    for (int attempt = 0; attempt != 400; ++attempt) {
      for (size_t i = 0; i != axes; ++i)
        next[i] = random() % sizes[i];
      if (size_t here = gain(next); here > bestGain)
        best = next, bestGain = here;
    }
    for (size_t i = 0; i != axes; ++i)
      for (size_t j = i + 1; j != axes; ++j) {
        uint8_t &flag = open[place(i, best[i], j, best[j])];
        left -= flag;
        flag = 0;
      }
    if (bestGain)
      cases.push_back(best);
  }
  return cases;
}

namespace {

enum class Gaps : uint8_t { None, Padded, Odd };
constexpr std::string_view gapNames[] = {"plain", "padded", "odd"};

/// Rows with gaps that keep 16-byte alignment or spoil it.
PlacedTensor placed(const std::string &name, DType type, std::vector<int64_t> shape, Gaps gaps) {
  int64_t gap = gaps == Gaps::Padded ? 8 : gaps == Gaps::Odd ? 3 : 0;
  std::vector<int64_t> strides(shape.size(), 1);
  for (size_t d = shape.size() - 1; d-- > 0;)
    strides[d] = strides[d + 1] * std::max<int64_t>(1, shape[d + 1]) + gap;
  return PlacedTensor(name, type, std::move(shape), std::move(strides), gaps == Gaps::Odd ? 1 : 0);
}

class Numbers {
public:
  explicit Numbers(uint64_t seed) : random(seed) {}
  double normal() { return std::normal_distribution<double>()(random); }
  int64_t below(int64_t limit) { return static_cast<int64_t>(random() % static_cast<uint64_t>(limit)); }
  void fill(PlacedTensor &tensor) {
    forEachIndex(tensor.shape, [&](const std::vector<int64_t> &at) { tensor.set(tensor.place(at), normal()); });
  }

private:
  std::mt19937_64 random;
};

//===-- merges ---------------------------------------------------------------===//

/// How parts are given: the number of parts of each stack, 0 for one that is no stack.
struct Stacks {
  std::string_view name;
  std::vector<int64_t> counts;
};

const std::vector<Stacks> stacks = {{"one", {0}},
                                    {"two", {0, 0}},
                                    {"stack1", {1}},
                                    {"stack5", {5}},
                                    {"mixed", {3, 0, 2, 0}},
                                    {"six", {0, 0, 0, 0, 0, 0}},
                                    {"empty", {-1}},
                                    {"empty_and_one", {-1, 0}},
                                    {"stack17", {17}}};
constexpr std::string_view partTypes[] = {"f32", "bf16", "f16", "turns"}, resultTypes[] = {"f32", "bf16", "f16"};
constexpr int64_t tokensOf[] = {1, 5, 16, 33}, headsOf[] = {1, 3, 8, 32}, dimsOf[] = {64, 8, 40, 128, 256};

class MergeMaker {
public:
  MergeMaker(const std::vector<size_t> &at, size_t number)
      : counts(stacks[at[0]].counts), tokens(tokensOf[at[3]]), heads(headsOf[at[4]]), dim(dimsOf[at[5]]),
        gaps(static_cast<Gaps>(at[6])), packed(at[7] != 0), sink(at[8] != 0), lse(at[9] != 0), large(at[10] != 0),
        types(partTypes[at[1]]), resultType(resultTypes[at[2]]), numbers(number) {
    made.name = fmt::format("merge{:03}.{}.{}_to_{}.{}x{}.d{}.{}{}{}{}{}", number, stacks[at[0]].name, types,
                            resultType, tokens, heads, dim, gapNames[at[6]], packed ? ".packed" : "",
                            sink ? ".sink" : "", lse ? ".lse" : "", large ? ".large" : "");
  }

  StepCase make() {
    std::string types, arguments, outputs, lses, typesOfOutputs, typesOfLses;
    for (size_t i = 0; i != counts.size(); ++i) {
      types += declare(fmt::format("p{}", i), typeOf(i), counts[i] != 0, true, i);
      types += declare(fmt::format("l{}", i), "f32", counts[i] != 0, false, i);
      std::string comma = i ? ", " : "";
      arguments += fmt::format("{0}%o{1}: !p{1}, %lse{1}: !l{1}", comma, i);
      outputs += fmt::format("{}%o{}", comma, i);
      lses += fmt::format("{}%lse{}", comma, i);
      typesOfOutputs += fmt::format("{}!p{}", comma, i);
      typesOfLses += fmt::format(", !l{}", i);
      part(i);
    }
    types += declare("o", resultType, false, true, 0) + declare("lse", "f32", false, false, 0);
    types += fmt::format("!sink = tensor<{}xf32>\n", heads);
    made.spec =
        types + fmt::format(R"(attn.kernel @case({}{}) -> (o: !o{}) {{
  %o{} = attn.merge {} lse {}{} : ({}{}{}) -> {}
  attn.return %o{} : !o{}
}}
)",
                            arguments, sink ? ", %sink: !sink" : "", lse ? ", lse: !lse" : "", lse ? ", %lse" : "",
                            outputs, lses, sink ? " sink %sink" : "", typesOfOutputs, typesOfLses,
                            sink ? ", !sink" : "", lse ? "(!o, !lse)" : "!o", lse ? ", %lse" : "", lse ? ", !lse" : "");
    if (sink) {
      PlacedTensor logits("sink", DType::F32, {heads}, {2});
      numbers.fill(logits);
      made.given.inputs.push_back(logits);
    }
    made.given.outputs.push_back(placed("o", *typeNamed(resultType), shape({}, true), gaps));
    if (lse)
      made.given.outputs.push_back(placed("lse", DType::F32, shape({}, false), gaps));
    if (resultType == "f32" && counts.size() == 1 && counts[0] > 1)
      reverse();
    return std::move(made);
  }

private:
  std::string_view typeOf(size_t i) const { return types == "turns" ? partTypes[i % 3] : types; }
  int64_t batch() const { return 2; }

  std::vector<int64_t> shape(std::vector<int64_t> outer, bool withColumns) const {
    if (!packed)
      outer.push_back(batch());
    outer.insert(outer.end(), {tokens, heads});
    if (withColumns)
      outer.push_back(dim);
    return outer;
  }

  std::string declare(const std::string &alias, std::string_view type, bool stack, bool withColumns, size_t i) const {
    std::string names = stack ? fmt::format("parts{}, ", i) : "";
    names += packed ? "total_q, heads" : "batch, seq_q, heads";
    return fmt::format("!{} = tensor<{}{}x{}{}x{}, #attn.dims<{}{}>>\n", alias, stack ? "?x" : "", packed ? "?" : "?x?",
                       heads, withColumns ? fmt::format("x{}", dim) : "", type, names, withColumns ? ", head_dim" : "");
  }

  /// A third of the rows of a part weigh nothing, all of them in the first row of all, and hold NaN.
  void part(size_t i) {
    std::vector<int64_t> outer;
    if (counts[i])
      outer.push_back(std::max<int64_t>(counts[i], 0));
    PlacedTensor output = placed(fmt::format("o{}", i), *typeNamed(typeOf(i)), shape(outer, true), gaps);
    PlacedTensor weights = placed(fmt::format("lse{}", i), DType::F32, shape(outer, false), gaps);
    int64_t row = 0;
    forEachIndex(weights.shape, [&](const std::vector<int64_t> &at) {
      bool nothing =
          numbers.below(3) == 0 || row % (weights.elements() / std::max<int64_t>(1, outer.empty() ? 1 : outer[0])) == 0;
      ++row;
      weights.set(weights.place(at), nothing ? -std::numeric_limits<double>::infinity()
                                     : large ? 1e4 + 3 * numbers.normal()
                                             : 3 * numbers.normal());
      std::vector<int64_t> element(at);
      element.push_back(0);
      for (int64_t &n = element.back(); !nothing && n != dim; ++n)
        output.set(output.place(element), numbers.normal());
    });
    made.given.inputs.push_back(std::move(output));
    made.given.inputs.push_back(std::move(weights));
  }

  void reverse() {
    made.reversed = made.given;
    for (size_t i = 0; i != 2; ++i) {
      const PlacedTensor &from = made.given.inputs[i];
      PlacedTensor &to = made.reversed->inputs[i];
      forEachIndex(from.shape, [&](const std::vector<int64_t> &at) {
        std::vector<int64_t> other(at);
        other[0] = from.shape[0] - 1 - at[0];
        to.set(to.place(other), from.get(from.place(at)));
      });
    }
  }

  StepCase made;
  std::vector<int64_t> counts;
  int64_t tokens, heads, dim;
  Gaps gaps;
  bool packed, sink, lse, large;
  std::string_view types, resultType;
  Numbers numbers;
};

//===-- appends ----------------------------------------------------------------===//

constexpr std::string_view cachePlaces[] = {"dense", "pages1", "pages16", "pages64", "pages128", "runs16"};
constexpr std::string_view sources[] = {"plain", "lens", "ragged"}, cacheTypes[] = {"bf16", "f16", "f32"};
constexpr int64_t newOf[] = {1, 3, 17}, keyHeadsOf[] = {2, 1, 5, 8};
struct Dims {
  int64_t keys, values;
};
constexpr Dims cacheDims[] = {{64, 64}, {8, 8}, {40, 40}, {128, 128}, {192, 128}, {256, 256}};

class AppendMaker {
public:
  AppendMaker(const std::vector<size_t> &at, size_t number)
      : place(cachePlaces[at[0]]), source(sources[at[1]]), attends(at[8] != 0),
        type(cacheTypes[attends ? at[2] % 2 : at[2]]), most(newOf[at[3]]), heads(keyHeadsOf[at[4]]),
        dims(cacheDims[at[5]]), gaps(static_cast<Gaps>(at[6])), twoTensors(at[7] == 0), numbers(100 + number) {
    made.name =
        fmt::format("append{:03}.{}.{}{}.{}.h{}.d{}_{}.{}{}{}", number, place, source, most, type, heads, dims.keys,
                    dims.values, gapNames[at[6]], twoTensors ? "" : ".one", attends ? ".attend" : "");
    if (!twoTensors)
      dims.values = dims.keys;
    page = place == "dense" ? 16 : std::atoll(std::string(place.substr(place == "runs16" ? 4 : 5)).c_str());
    lengths = {0, 1, page - 1, page, page + 1, 2 * page + 5};
    for (size_t b = 0; b != lengths.size(); ++b)
      added.push_back(source == "plain" ? most : numbers.below(most + 1));
  }

  StepCase make() {
    writeSpec();
    newEntries();
    if (place == "dense")
      dense();
    else
      paged();
    if (attends)
      attention();
    return std::move(made);
  }

private:
  int64_t batch() const { return static_cast<int64_t>(lengths.size()); }
  int64_t longest() const { return *std::max_element(lengths.begin(), lengths.end()); }
  bool isRuns() const { return place == "runs16"; }
  bool isPaged() const { return place != "dense"; }

  void writeSpec() {
    std::string &text = made.spec;
    auto line = [&](const std::string &line) { text += line + "\n"; };
    std::string pool = isPaged() ? fmt::format("?x{}", page) : "?x?", fresh = source == "ragged" ? "?" : "?x?";
    for (std::string_view which : {"k", "v"}) {
      int64_t dim = which == "k" ? dims.keys : dims.values;
      line(fmt::format("!{} = tensor<{}x{}x{}x{}>", which, pool, heads, dim, type));
      line(fmt::format("!{}_new = tensor<{}x{}x{}x{}>", which, fresh, heads, dim, type));
    }
    line(isRuns() ? "!table = tensor<?x?x2xi32>" : "!table = tensor<?x?xi32>");
    line("!lens = tensor<?xi32>");
    line(fmt::format("!q = tensor<?x?x{}x{}x{}>", 2 * heads, dims.keys, type));
    line(fmt::format("!o = tensor<?x?x{}x{}x{}>", 2 * heads, dims.values, type));
    std::string tensors = twoTensors ? "%k, %v" : "%k", types = twoTensors ? "!k, !v" : "!k";
    std::string fresh2 = twoTensors ? "%k_new, %v_new" : "%k_new",
                freshTypes = twoTensors ? "!k_new, !v_new" : "!k_new";
    line(fmt::format("attn.kernel @case({}{}{}{}, %lens: !lens{}){} {{", "%k: !k, %k_new: !k_new",
                     twoTensors ? ", %v: !v, %v_new: !v_new" : "",
                     source == "lens"     ? ", %new_lens: !lens"
                     : source == "ragged" ? ", %new_ends: !lens"
                                          : "",
                     isPaged() ? ", %table: !table" : "", attends ? ", %q: !q" : "", attends ? " -> (o: !o)" : ""));
    line(isPaged() ? fmt::format("  %cache = attn.pages {}[%table, %lens] : {} [!table, !lens]", tensors, types)
                   : fmt::format("  %cache = attn.dense {}[%lens] : {} [!lens]", tensors, types));
    line(source == "ragged" ? fmt::format("  %new = attn.ragged {}[%new_ends] : {} [!lens]", fresh2, freshTypes)
         : source == "lens" ? fmt::format("  %new = attn.dense {}[%new_lens] : {} [!lens]", fresh2, freshTypes)
                            : fmt::format("  %new = attn.dense {} : {}", fresh2, freshTypes));
    line("  attn.append %new to %cache : !attn.seq");
    if (attends)
      text += R"(  %s = attn.scores %q, %cache : !q, !attn.seq
  %m = attn.mask %s by @causal
  %p = attn.softmax %m
  %o = attn.output %p, %cache : !attn.seq -> !o
  attn.return %o : !o
}
)";
    else
      text += "  attn.return\n}\n";
  }

  void integers(const std::string &name, const std::vector<int64_t> &values) {
    PlacedTensor tensor(name, DType::I32, {static_cast<int64_t>(values.size())}, {1});
    for (size_t i = 0; i != values.size(); ++i)
      tensor.set(static_cast<int64_t>(i), static_cast<double>(values[i]));
    made.given.inputs.push_back(std::move(tensor));
  }

  template <typename Add> void eachTensor(Add add) {
    add("k", dims.keys);
    if (twoTensors)
      add("v", dims.values);
  }

  void newEntries() {
    std::vector<int64_t> ends{0};
    for (int64_t count : added)
      ends.push_back(ends.back() + count);
    eachTensor([&](const std::string &which, int64_t dim) {
      std::vector<int64_t> shape{batch(), most, heads, dim};
      if (source == "ragged")
        shape = {ends.back(), heads, dim};
      PlacedTensor tensor = placed(which + "_new", *typeNamed(type), shape, gaps);
      forEachIndex(shape, [&](const std::vector<int64_t> &at) {
        if (source == "ragged" || at[1] < added[static_cast<size_t>(at[0])])
          tensor.set(tensor.place(at), numbers.normal());
      });
      made.given.inputs.push_back(std::move(tensor));
    });
    if (source == "ragged")
      integers("new_ends", ends);
    if (source == "lens")
      integers("new_lens", added);
    integers("lens", lengths);
  }

  /// Old entries are data; places of new ones and what lies behind are NaN.
  bool isOld(int64_t b, int64_t entry) const {
    return entry < lengths[static_cast<size_t>(b)] - added[static_cast<size_t>(b)];
  }

  void cache(const std::string &which, std::vector<int64_t> shape, auto entryOf) {
    PlacedTensor tensor = placed(which, *typeNamed(type), shape, gaps);
    tensor.updated = true;
    forEachIndex(shape, [&](const std::vector<int64_t> &at) {
      auto [b, entry] = entryOf(at);
      if (b >= 0 && isOld(b, entry))
        tensor.set(tensor.place(at), numbers.normal());
    });
    made.given.outputs.push_back(std::move(tensor));
  }

  void dense() {
    eachTensor([&](const std::string &which, int64_t dim) {
      cache(which, {batch(), longest(), heads, dim},
            [](const std::vector<int64_t> &at) { return std::pair(at[0], at[1]); });
    });
  }

  /// The pages of all sequences, one behind the other: at random, or as they lie for runs. Two are nobody's.
  std::vector<int64_t> pageOrder() {
    int64_t pages = 2;
    for (int64_t length : lengths)
      pages += (length + page - 1) / page;
    std::vector<int64_t> order(static_cast<size_t>(pages));
    for (int64_t i = 0; i != pages; ++i)
      order[static_cast<size_t>(i)] = i;
    for (size_t i = order.size(); !isRuns() && i-- > 1;)
      std::swap(order[i], order[static_cast<size_t>(numbers.below(static_cast<int64_t>(i) + 1))]);
    return order;
  }

  /// Some pages are nobody's; slots of the table that no sequence uses name no page.
  void paged() {
    int64_t slots = (longest() + page - 1) / page + 1;
    std::vector<int64_t> order = pageOrder();
    auto pages = static_cast<int64_t>(order.size());
    std::vector<int64_t> shape{batch(), slots};
    if (isRuns())
      shape.push_back(2);
    std::vector<int64_t> strides(shape.size(), 1);
    for (size_t d = shape.size() - 1; d-- > 0;)
      strides[d] = strides[d + 1] * shape[d + 1];
    PlacedTensor table("table", DType::I32, shape, strides);
    forEachIndex(shape, [&](const std::vector<int64_t> &at) { table.set(table.place(at), 2147480000); });
    std::vector<std::pair<int64_t, int64_t>> firstEntry(static_cast<size_t>(pages), {-1, 0});
    int64_t next = 1;
    for (int64_t b = 0; b != batch(); ++b) {
      int64_t count = (lengths[static_cast<size_t>(b)] + page - 1) / page;
      for (int64_t n = 0; n != count; ++n, ++next) {
        int64_t at = order[static_cast<size_t>(next)];
        firstEntry[static_cast<size_t>(at)] = {b, n * page};
        if (!isRuns())
          table.set(table.place({b, n}), static_cast<double>(at));
      }
      if (isRuns() && count) { // one run of all but the last page, then that one
        table.set(table.place({b, 0, 0}), static_cast<double>(next - count));
        table.set(table.place({b, 0, 1}), static_cast<double>(std::max<int64_t>(1, count - 1)));
        if (count > 1) {
          table.set(table.place({b, 1, 0}), static_cast<double>(next - 1));
          table.set(table.place({b, 1, 1}), 1);
        }
      }
    }
    made.given.inputs.push_back(std::move(table));
    eachTensor([&](const std::string &which, int64_t dim) {
      cache(which, {pages, page, heads, dim}, [&](const std::vector<int64_t> &at) {
        auto [b, first] = firstEntry[static_cast<size_t>(at[0])];
        return std::pair(b, first + at[1]);
      });
    });
  }

  void attention() {
    PlacedTensor query = placed("q", *typeNamed(type), {batch(), most, 2 * heads, dims.keys}, gaps);
    numbers.fill(query);
    made.given.inputs.push_back(std::move(query));
    made.given.outputs.push_back(placed("o", *typeNamed(type), {batch(), most, 2 * heads, dims.values}, gaps));
  }

  StepCase made;
  std::string_view place, source;
  bool attends; ///< over caches of a type that products have
  std::string_view type;
  int64_t most, heads, page = 0;
  Dims dims;
  Gaps gaps;
  bool twoTensors;
  std::vector<int64_t> lengths, added; ///< of caches, new ones included, and of new entries
  Numbers numbers;
};

} // namespace

std::vector<StepCase> mergeCases() {
  std::vector<StepCase> cases;
  for (const std::vector<size_t> &at : covering({stacks.size(), 4, 3, 4, 4, 5, 3, 2, 2, 2, 2}))
    cases.push_back(MergeMaker(at, cases.size()).make());
  return cases;
}

std::vector<StepCase> appendCases() {
  std::vector<StepCase> cases;
  for (const std::vector<size_t> &at : covering({6, 3, 3, 3, 4, 6, 3, 2, 2}))
    cases.push_back(AppendMaker(at, cases.size()).make());
  return cases;
}

} // namespace attn::cases
