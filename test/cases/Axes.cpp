// SPDX-License-Identifier: Apache-2.0
// The table of axes, and what a point of their product means.
#include "test/cases/Axes.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace attn::cases {

namespace {

const std::array<AxisRow, AxisCount> table = {{
    {"type", {"bf16", "f16"}, Topic::Sizes, {"", "f16"}},
    // Queries x keys: single rows, tails of one, multiples of nothing, exact tiles, and nothing at all.
    {"lengths",
     {"113x203", "1x1", "1x239", "3x799", "64x128", "128x217", "127x513", "256x512", "239x1", "799x3", "0x5", "5x0",
      "2x130", "5x333", "16x256", "130x300"}},
    {"head_dim",
     {"64", "8", "40", "96", "128", "192", "256", "192/128"},
     Topic::Sizes,
     {"", "head_dim 8", "head_dim 40", "head_dim 96", "head_dim 128", "head_dim 192", "head_dim 256",
      "head_dim 192, of values 128"}},
    // Query heads x key heads.
    {"heads",
     {"2x2", "6x2", "8x2", "14x2", "5x1", "16x2", "16x1"},
     Topic::Sizes,
     {"", "3 heads a key head", "4 heads a key head", "7 heads a key head", "", "8 heads a key head",
      "16 heads, 1 key head"}},
    {"batch", {"1", "2"}},
    {"causal", {"off", "causal"}, Topic::Mask, {"", "causal"}},
    {"align", {"end", "start"}, Topic::Queries, {"", "aligned at the start"}},
    {"window", {"off", "window"}, Topic::Mask, {"", "sliding window"}},
    {"user_mask", {"off", "user_mask"}, Topic::Mask, {"", "function of one's own"}},
    {"softcap", {"off", "softcap"}, Topic::Score, {"", "softcap"}},
    {"alibi", {"off", "alibi"}, Topic::Score, {"", "alibi"}},
    {"user_score", {"off", "user_score"}, Topic::Score, {"", "function of one's own"}},
    // `static` is a number in the spec; the rest are arguments at launch.
    {"scale",
     {"default", "static", "positive", "zero", "negative"},
     Topic::Score,
     {"", "scale, a number", "scale, an argument", "", ""}},
    {"sink", {"off", "sink"}, Topic::Result, {"", "sink"}},
    {"lse", {"off", "lse"}, Topic::Result, {"", "lse"}},
    {"lens", {"off", "lens"}, Topic::Keys, {"", "lengths"}},
    // `padded` rows keep 16-byte alignment, `odd` ones and their base do not, `broadcast` has strides of 0.
    {"layout", {"plain", "padded", "odd", "head_major", "broadcast"}},
    // `index` makes weights equal and values name their key; the others move all logits to 1e4 or -2.45e5.
    {"data", {"random", "index", "large", "very_negative"}},
    // Heads of a group in the rows of a tile: never, because the kernel says so, or where the number of tokens is
    // static and the compiler finds that it pays.
    {"packed",
     {"off", "packed", "static"},
     Topic::Schedule,
     {"", "heads of a group in a tile", "a number for the tokens"}},
    // `splits17`: decode, with keys in at most 17 shares, of one tile each where there are few.
    {"schedule",
     {"chosen", "splits1", "splits2", "splits3", "splits5", "splits17", "splits32"},
     Topic::Schedule,
     {"", "decode, 1 split", "", "", "decode, 5 splits", "", ""}},
    // `rows` and `entries` are attn.share; `joined` is a shared prefix, pages and new tokens.
    {"keys",
     {"dense", "ragged", "pages1", "pages16", "pages64", "runs16", "shared", "rows", "entries", "page_entries",
      "joined", "from", "listed", "packed_listed", "listed_shared", "shared_listed", "listed_entries", "pages128"},
     Topic::Keys,
     {"", "ragged", "pages of 1", "pages of 16", "pages of 64", "runs of pages", "shared by batches",
      "rows named by batch", "rows named by entry", "pages, rows by entry", "prefix + pages + new", "at, from a first",
      "at a list", "ragged at a list", "at a list, rows by batch", "shared, at a list", "at a list, rows by entry",
      "pages of 128"}},
    {"queries",
     {"dense", "ragged", "from", "listed", "packed_from", "packed_listed"},
     Topic::Queries,
     {"", "ragged", "at, from a first", "at a list", "ragged, from a first", "ragged at a list"}},
    {"listed",
     {"off", "columns", "not_columns", "slashes", "stripes", "blocks", "csr", "spans", "kinds"},
     Topic::Mask,
     {"", "list of columns", "all but columns", "list of diagonals", "columns, diagonals, band", "lists of blocks",
      "blocks, rows packed", "ranges", "kinds of heads"}},
    {"weights",
     {"plain", "reweight", "squared", "lifted"},
     Topic::Result,
     {"", "weights times factors", "weights squared", "weights lifted"}},
    {"mask",
     {"off", "prefix_lm", "same_chunk", "same_document", "dilated", "butterfly", "band", "streaming", "mask_tensor",
      "ancestors", "late_tensor"},
     Topic::Mask,
     {"", "prefix-LM", "chunks", "documents", "dilated", "butterfly", "band", "streaming", "boolean tensor",
      "ancestor bits of a tree", ""}},
    // In f32 the same for all batches, in 16 bits the same for all heads; or minus infinity here and there.
    {"bias",
     {"off", "bias", "half_bias", "infinite_bias"},
     Topic::Score,
     {"", "bias tensor, f32", "bias tensor, 16 bits", ""}},
    {"output", {"same", "out_f32", "out_other"}, Topic::Result, {"", "output in f32", "output in the other 16 bits"}},
    // A cache that the launch appends to and then attends; parts that are merged with what it attends.
    {"step", {"off", "append", "merge"}, Topic::Result, {"", "append, then attend", "merge with another part"}},
    // `counted` are rows from one on, `sampled` those of a list, `combed` pairs of rows and keys; `near` has few cells.
    {"sums", {"off", "keys", "counted", "sampled", "combed", "alone", "alone_sampled", "distances", "near"}},
}};

} // namespace

const std::array<AxisRow, AxisCount> &axes() { return table; }

const std::vector<Rule> &rules() {
  static const std::vector<std::string_view> placed = {"from",          "listed",        "packed_listed",
                                                       "listed_shared", "shared_listed", "listed_entries"},
                                             withLengths = {"ragged",        "pages1",        "pages16",
                                                            "pages64",       "pages128",      "runs16",
                                                            "entries",       "page_entries",  "joined",
                                                            "packed_listed", "listed_entries"};
  static const std::vector<Rule> all = {
      {QueryPlace,
       {"from", "listed", "packed_from", "packed_listed"},
       Align,
       {"start"},
       "no align where the query has positions of its own"},
      {KeyPlace,
       placed,
       QueryPlace,
       {"dense", "ragged"},
       "positions for the query (attn.at), since the keys have positions of their own"},
      {KeyPlace, placed, Align, {"start"}, "no align where the query has positions of its own"},
      {Step,
       {"append"},
       KeyPlace,
       {"ragged", "shared", "rows", "entries", "page_entries", "joined", "from", "listed", "packed_listed",
        "listed_shared", "shared_listed", "listed_entries"},
       "a cache made by attn.dense or attn.pages"},
      {Step, {"merge"}, AxisCount, {}, "one attention per kernel, got a second one"},
      // These have lengths in any case; packed sequences have no number of tokens that is the same for all.
      {KeyPlace, withLengths, Lens, {"lens"}, ""},
      {QueryPlace, {"ragged", "packed_from", "packed_listed"}, Packed, {"static"}, ""},
      // Entries of packed sequences, or of a cache that is written, must not share their memory.
      {KeyPlace, {"ragged", "packed_listed"}, Layout, {"broadcast"}, ""},
      {QueryPlace, {"ragged", "packed_from", "packed_listed"}, Layout, {"broadcast"}, ""},
      {Step, {"append"}, Layout, {"broadcast"}, ""},
      // Kernels take a score of minus infinity for a hidden key, whose weight nothing lifts.
      {Bias, {"infinite_bias"}, Reweight, {"lifted"}, ""},
  };
  return all;
}

const Rule *ruleAgainst(unsigned one, unsigned value, unsigned other, unsigned otherValue) {
  auto holds = [](const std::vector<std::string_view> &values, unsigned i, unsigned at) {
    return std::find(values.begin(), values.end(), axes()[i].values[at]) != values.end();
  };
  for (const Rule &rule : rules()) {
    for (bool swapped : {false, true}) {
      auto [i, a, j, b] =
          swapped ? std::array{other, otherValue, one, value} : std::array{one, value, other, otherValue};
      if (rule.one == i && holds(rule.values, i, a) &&
          (rule.other == AxisCount || (rule.other == j && holds(rule.otherValues, j, b))))
        return &rule;
    }
  }
  return nullptr;
}

unsigned valueOf(Axis theAxis, std::string_view value) {
  const auto &values = axes()[theAxis].values;
  auto found = std::find(values.begin(), values.end(), value);
  if (found == values.end()) {
    std::fprintf(stderr, "attn-cases: axis '%s' has no value '%.*s'\n", std::string(axes()[theAxis].name).c_str(),
                 static_cast<int>(value.size()), value.data());
    std::abort();
  }
  return static_cast<unsigned>(found - values.begin());
}

namespace {

// Cases of sequences elsewhere than in dense tensors have lengths of their own, so several in one batch.
constexpr int64_t kManySequences = 6;

/// Splits "AxB" or "A/B"; a lone A gives (A, A).
std::pair<int64_t, int64_t> numbers(std::string_view text) {
  size_t cut = text.find_first_of("x/");
  int64_t first = std::atoll(std::string(text.substr(0, cut)).c_str());
  return {first, cut == std::string_view::npos ? first : std::atoll(std::string(text.substr(cut + 1)).c_str())};
}

} // namespace

std::string Case::name() const {
  std::string name = list;
  for (unsigned i = 0; i != AxisCount; ++i) {
    if (i > Batch && at[i] == 0)
      continue;
    std::string prefix = i == KeyPlace     ? "kv_"
                         : i == QueryPlace ? "q_"
                         : i == HeadDim    ? "d"
                         : i == Heads      ? "h"
                         : i == Batch      ? "b"
                         : i == Scale      ? "scale_"
                                           : "";
    std::string value(i == Lengths && !exact.empty() ? exact : axes()[i].values[at[i]]);
    std::replace(value.begin(), value.end(), '/', '_');
    name += "." + prefix + value;
  }
  return name;
}

uint64_t Case::seed() const {
  uint64_t hash = 0xcbf29ce484222325ull;
  for (unsigned i = 0; i != AxisCount; ++i)
    if (i < PlainCount || at[i] != 0)
      hash = (hash ^ at[i]) * 0x100000001b3ull;
  for (char c : exact + exactDim + exactHeads)
    hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001b3ull;
  return hash;
}

int64_t Case::queries() const { return numbers(exact.empty() ? value(Lengths) : exact).first; }
int64_t Case::keys() const { return numbers(exact.empty() ? value(Lengths) : exact).second; }
int64_t Case::headDim() const { return numbers(exactDim.empty() ? value(HeadDim) : exactDim).first; }
int64_t Case::valueDim() const { return numbers(exactDim.empty() ? value(HeadDim) : exactDim).second; }
int64_t Case::heads() const { return numbers(exactHeads.empty() ? value(Heads) : exactHeads).first; }
int64_t Case::keyHeads() const { return numbers(exactHeads.empty() ? value(Heads) : exactHeads).second; }
int64_t Case::batch() const {
  if (sequences)
    return std::max<int64_t>(sequences, 0);
  int64_t given = numbers(value(Batch)).first;
  return given > 1 && (on(KeyPlace) || on(QueryPlace)) ? kManySequences : given;
}
int64_t Case::pageSize() const {
  std::string_view place = value(KeyPlace);
  return place.starts_with("pages") ? numbers(place.substr(5)).first : 16;
}
std::string_view Case::outputType() const {
  if (is(Output, "out_f32"))
    return "f32";
  return on(Output) == is(ElementType, "bf16") ? "f16" : "bf16";
}
int64_t Case::splits() const {
  return value(Schedule).starts_with("splits") ? numbers(value(Schedule).substr(6)).first : 0;
}

double Case::cost() const {
  // Tiles are computed whole, so short lengths cost like a tile.
  auto rounded = [](int64_t length) { return static_cast<double>((length + 63) / 64 * 64); };
  double scores = rounded(queries()) * rounded(keys()) * static_cast<double>(heads() * batch());
  return scores * static_cast<double>(headDim() + valueDim()) * (1 + 3 * manyOrders + accuracy) + 1e6;
}

} // namespace attn::cases
