// SPDX-License-Identifier: Apache-2.0
// Items of the checklist, patterns of the cases that cover them, and cases of its own.
#include "test/cases/EdgeCases.h"
#include "test/cases/SpecText.h"

#include <fmt/format.h>

#include <cstdlib>
#include <regex>

namespace attn::cases {

namespace {

struct Item {
  int number;
  const char *what;
  std::vector<const char *> patterns; ///< each matches the name of a case
};

const std::vector<Item> &items() {
  static const std::vector<Item> all = {
      {1,
       "rows that see no key: by a mask, behind the keys, outside a window, in empty rows of lists, without keys",
       {"edge01", "alone.*799x3.*causal", "listed.*blocks", "listed.*csr", "listed.*spans", "pair.*5x0", "pair.*lens"}},
      {2,
       "no keys or no queries of some sequences, no sequence at all",
       {"edge02", "place.*b2.*q_ragged", "pair.*0x5"}},
      {3,
       "lengths around tiles, each head_dim that is a multiple of 8, values of another one",
       {"edge03", "^tiles", "dim.*d40", "dim.*d192_128"}},
      {4,
       "more queries than keys and fewer, aligned at either end",
       {"799x3.*causal", "causal.start", "1x239.*causal"}},
      {5, "windows of one key, without one side, of nothing, larger than everything", {"edge05"}},
      {6, "NaN and garbage wherever nothing may be read", {"lens", "kv_pages16", "kv_runs16", "listed.*blocks"}},
      {7,
       "logits of 1e4 and -2.45e5, equal ones, minus infinity in a bias with softcap, products beyond f16",
       {"edge07", "pair.*f16.*large", "pair.*very_negative", "pair.*index"}},
      {8,
       "groups of 1, 3, 7, 8 heads, one key head, numbers of heads that are no power of two",
       {"edge08", "h6x2", "h14x2", "h16x2", "h16x1", "h5x1"}},
      {9, "any number of shares, parts that weigh nothing, the same bits in 250 runs", {"edge09", "^merge", "^stream"}},
      {10, "parts of a mask that overlap count once", {"listed.*stripes", "listed.*spans", "listed.*blocks"}},
      {12, "strides of heads and rows, odd ones, of 0", {"padded", "odd", "head_major", "broadcast"}},
      {15,
       "pages of 1, half a last page, shared pages, lengths around a page, runs of pages",
       {"kv_pages1\\b", "kv_pages16", "kv_pages128", "kv_runs16", "relation.two_places"}},
      {16,
       "beams: nothing generated yet, a length that is no multiple of a tile, equal parents",
       {"edge16", "kv_entries", "kv_page_entries", "relation.one_parent"}},
  };
  return all;
}

using Values = std::vector<std::pair<Axis, std::string_view>>;

class Maker {
public:
  EdgeCase &add(int item, const std::string &what, std::string_view lengths, const Values &values) {
    EdgeCase edge;
    edge.of.exact = lengths;
    edge.of.at[Lse] = 1;
    for (auto [theAxis, value] : values)
      edge.of.at[theAxis] = static_cast<uint8_t>(valueOf(theAxis, value));
    edge.name = fmt::format("edge{:02}.{}", item, what);
    edge.of.list = edge.name;
    all.push_back(std::move(edge));
    return all.back();
  }

  std::vector<EdgeCase> all;
};

void emptyRows(Maker &make) {
  make.add(1, "before_the_keys", "150x20", {{Causal, "causal"}});
  make.add(1, "before_the_keys_sink", "150x20", {{Causal, "causal"}, {Sink, "sink"}});
  make.add(1, "outside_the_window", "20x150", {{Window, "window"}, {QueryPlace, "from"}, {Batch, "2"}});
  make.add(1, "no_keys", "33x0", {{Causal, "causal"}});
  make.add(1, "no_keys_sink", "33x0", {{Sink, "sink"}});
  // Nothing in the first tile that is visited, which no analysis can leave out, or only in it.
  for (std::string_view type : {"bf16", "f16"}) {
    make.add(1, fmt::format("first_tile.{}", type), "70x300", {{MaskKind, "late_tensor"}, {ElementType, type}});
    make.add(1, fmt::format("first_tile_splits.{}", type), "3x300",
             {{MaskKind, "late_tensor"}, {ElementType, type}, {Schedule, "splits5"}});
  }
  make.add(2, "no_sequence", "20x30", {}).of.sequences = -1;
  make.add(2, "no_sequence_pages", "1x30", {{KeyPlace, "pages16"}}).of.sequences = -1;
  make.add(2, "no_sequence_splits", "1x30", {{Schedule, "splits3"}}).of.sequences = -1;
}

void shapes(Maker &make) {
  for (int64_t dim = 8; dim <= 256; dim += 8)
    make.add(3, fmt::format("d{}", dim), "20x40", {{Causal, "causal"}}).of.exactDim = std::to_string(dim);
  for (const char *dims : {"8/16", "16/8", "64/72", "256/8", "136/248"})
    make.add(3, fmt::format("d{}", std::regex_replace(dims, std::regex("/"), "_")), "70x130", {{Causal, "causal"}})
        .of.exactDim = dims;
  for (const char *heads : {"9x3", "9x9", "40x8", "56x8", "56x56"})
    make.add(8, fmt::format("h{}", heads), "17x40", {{Alibi, "alibi"}, {Causal, "causal"}}).of.exactHeads = heads;
  for (const char *heads : {"9x3", "40x8", "56x8"})
    make.add(8, fmt::format("h{}.splits", heads), "1x70", {{KeyPlace, "pages16"}, {Batch, "2"}, {Schedule, "splits3"}})
        .of.exactHeads = heads;
}

void windows(Maker &make) {
  const std::string left = fmt::format("constant {} : index", WindowLeft);
  for (int64_t width : {-1, 0, 1, 1000})
    for (const char *lengths : {"70x150", "150x70"})
      make.add(5, fmt::format("left_{}.{}", width, lengths), lengths, {{Window, "window"}}).edits = {
          {left, fmt::format("constant {} : index", width)}};
  for (auto [before, after] : {std::pair(0, 0), {0, 5}, {5, 0}, {-1, 5}, {5, -1}, {-3, 2}, {1000, 0}, {0, 1000}})
    make.add(5, fmt::format("band_{}_{}", before, after), "70x150", {{MaskKind, "band"}}).edits = {
        {"%left = arith.constant 20", fmt::format("%left = arith.constant {}", before)},
        {"%right = arith.constant 9", fmt::format("%right = arith.constant {}", after)}};
}

void numbers(Maker &make) {
  make.add(7, "infinite_bias", "70x150", {{Bias, "infinite_bias"}});
  make.add(7, "infinite_bias_softcap", "70x150", {{Bias, "infinite_bias"}, {Softcap, "softcap"}, {Sink, "sink"}});
  make.add(7, "infinite_bias_splits", "1x150", {{Bias, "infinite_bias"}, {Schedule, "splits5"}});
  make.add(7, "beyond_f16", "70x150", {{ElementType, "f16"}, {Data, "large"}, {HeadDim, "128"}}).of.at[Lse] = 0;
  for (int shares : {1, 2, 3, 7, 16, 31, 64, 100, 132, 133})
    make.add(9, fmt::format("shares_{}", shares), "1x2200", {{Schedule, "splits5"}, {Heads, "8x2"}}).edits = {
        {"num_splits = 5", fmt::format("num_splits = {}", shares)}};
  make.add(9, "runs", "1x100", {{Schedule, "splits5"}}).runs = 250;
  for (const char *place : {"entries", "page_entries"})
    for (const char *lengths : {"1x0", "1x17", "1x33"})
      make.add(16, fmt::format("{}.{}", place, lengths), lengths, {{KeyPlace, place}, {Batch, "2"}});
}

} // namespace

std::string EdgeCase::spec() const {
  std::string text = specText(of);
  for (const auto &[from, to] : edits) {
    size_t at = text.find(from);
    if (at == std::string::npos)
      std::abort(); // the spec's text has changed: this edit must change with it
    text.replace(at, from.size(), to);
  }
  return text;
}

std::vector<EdgeCase> edgeCases() {
  Maker make;
  emptyRows(make);
  shapes(make);
  windows(make);
  numbers(make);
  return make.all;
}

std::string faultOfEdgeItems(const std::vector<std::string> &names) {
  for (const Item &item : items())
    for (const char *pattern : item.patterns) {
      std::regex wanted(pattern);
      bool found = false;
      for (size_t i = 0; i != names.size() && !found; ++i)
        found = std::regex_search(names[i], wanted);
      if (!found)
        return fmt::format("no case matches '{}', for item {}: {}", pattern, item.number, item.what);
    }
  return {};
}

} // namespace attn::cases
