// SPDX-License-Identifier: Apache-2.0
// The table of axes, and a greedy search for few cases that cover all pairs of values.
#include "test/cases/Axes.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <set>

namespace attn::cases {

const std::array<AxisRow, AxisCount> &axes() {
  static const std::array<AxisRow, AxisCount> table = {{
      {"type", {"bf16", "f16"}},
      // Queries x keys: single rows, tails of one, multiples of nothing, exact tiles, and nothing at all.
      {"lengths",
       {"113x203", "1x1", "1x239", "3x799", "64x128", "128x217", "127x513", "256x512", "239x1", "799x3", "0x5", "5x0",
        "2x130", "5x333", "16x256", "130x300"}},
      {"head_dim", {"64", "8", "40", "96", "128", "192", "256", "192/128"}},
      // Query heads x key heads.
      {"heads", {"2x2", "6x2", "8x2", "14x2", "5x1", "16x2", "16x1"}},
      {"batch", {"1", "2"}},
      {"causal", {"off", "causal"}},
      {"align", {"end", "start"}},
      {"window", {"off", "window"}},
      {"user_mask", {"off", "user_mask"}},
      {"softcap", {"off", "softcap"}},
      {"alibi", {"off", "alibi"}},
      {"user_score", {"off", "user_score"}},
      // `static` is a number in the spec; the rest are arguments at launch.
      {"scale", {"default", "static", "positive", "zero", "negative"}},
      {"sink", {"off", "sink"}},
      {"lse", {"off", "lse"}},
      {"lens", {"off", "lens"}},
      // `padded` rows keep 16-byte alignment, `odd` ones and their base do not, `broadcast` has strides of 0.
      {"layout", {"plain", "padded", "odd", "head_major", "broadcast"}},
      // `index` makes weights equal and values name their key; the others move all logits to 1e4 or -2.45e5.
      {"data", {"random", "index", "large", "very_negative"}},
      // Heads of a group in the rows of a tile: never, because the kernel says so, or where the number of tokens is
      // static and the compiler finds that it pays.
      {"packed", {"off", "packed", "static"}},
      // `splits17`: decode, with keys in at most 17 shares, of one tile each where there are few.
      {"schedule", {"chosen", "splits1", "splits2", "splits3", "splits5", "splits17", "splits32"}},
      // `rows` and `entries` are attn.share; `joined` is a shared prefix, pages and new tokens.
      {"keys",
       {"dense", "ragged", "pages1", "pages16", "pages64", "runs16", "shared", "rows", "entries", "page_entries",
        "joined", "from", "listed", "packed_listed", "listed_shared", "shared_listed", "listed_entries", "pages128"}},
      {"queries", {"dense", "ragged", "from", "listed", "packed_from", "packed_listed"}},
      {"listed", {"off", "columns", "not_columns", "slashes", "stripes", "blocks", "csr", "spans", "kinds"}},
      {"weights", {"plain", "reweight"}},
  }};
  return table;
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

constexpr Axis Shapes[] = {ElementType, Lengths, HeadDim, Heads, Batch};
bool isShape(unsigned theAxis) { return theAxis <= Batch; }

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
    if (!isShape(i) && at[i] == 0)
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
  for (char c : exact)
    hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001b3ull;
  return hash;
}

int64_t Case::queries() const { return numbers(exact.empty() ? value(Lengths) : exact).first; }
int64_t Case::keys() const { return numbers(exact.empty() ? value(Lengths) : exact).second; }
int64_t Case::headDim() const { return numbers(value(HeadDim)).first; }
int64_t Case::valueDim() const { return numbers(value(HeadDim)).second; }
int64_t Case::heads() const { return numbers(value(Heads)).first; }
int64_t Case::keyHeads() const { return numbers(value(Heads)).second; }
int64_t Case::batch() const {
  if (sequences)
    return sequences;
  int64_t given = numbers(value(Batch)).first;
  return given > 1 && (on(KeyPlace) || on(QueryPlace)) ? kManySequences : given;
}
int64_t Case::pageSize() const {
  std::string_view place = value(KeyPlace);
  return place.starts_with("pages") ? numbers(place.substr(5)).first : 16;
}
int64_t Case::splits() const { return on(Schedule) ? numbers(value(Schedule).substr(6)).first : 0; }

double Case::cost() const {
  // Tiles are computed whole, so short lengths cost like a tile.
  auto rounded = [](int64_t length) { return static_cast<double>((length + 63) / 64 * 64); };
  double scores = rounded(queries()) * rounded(keys()) * static_cast<double>(heads() * batch());
  return scores * static_cast<double>(headDim() + valueDim()) * (1 + 3 * manyOrders + accuracy) + 1e6;
}

namespace {

/// The pairs of values that no case holds yet, one flag each.
class OpenPairs {
public:
  OpenPairs() {
    for (unsigned i = 0; i != PlainCount; ++i)
      start[i + 1] = start[i] + static_cast<unsigned>(axes()[i].values.size());
    open.assign(start[PlainCount] * start[PlainCount], 0);
    for (unsigned i = 0; i != PlainCount; ++i)
      for (unsigned j = i + 1; j != PlainCount; ++j)
        for (unsigned a = start[i]; a != start[i + 1]; ++a)
          for (unsigned b = start[j]; b != start[j + 1]; ++b)
            open[a * start[PlainCount] + b] = 1, ++left;
  }

  /// How many open pairs the value at this axis closes with the axes that are set.
  unsigned gain(const Case &c, unsigned i, unsigned value, const std::array<bool, PlainCount> &set) const {
    unsigned gain = 0;
    for (unsigned j = 0; j != PlainCount; ++j)
      if (set[j] && j != i)
        gain += flag(i, value, j, c.at[j]);
    return gain;
  }

  void close(const Case &c) {
    for (unsigned i = 0; i != PlainCount; ++i)
      for (unsigned j = i + 1; j != PlainCount; ++j) {
        uint8_t &Flag = open[(start[i] + c.at[i]) * start[PlainCount] + start[j] + c.at[j]];
        left -= Flag;
        Flag = 0;
      }
  }

  bool any() const { return left != 0; }

  /// Some open pair, chosen by the number: (axis, value, axis, value).
  std::array<unsigned, 4> pick(uint64_t number) const {
    uint64_t skip = number % left;
    for (unsigned i = 0; i != PlainCount; ++i)
      for (unsigned a = 0; a != axes()[i].values.size(); ++a)
        for (unsigned j = i + 1; j != PlainCount; ++j)
          for (unsigned b = 0; b != axes()[j].values.size(); ++b)
            if (flag(i, a, j, b) && skip-- == 0)
              return {i, a, j, b};
    std::abort(); // Left counts the flags
  }

private:
  unsigned flag(unsigned i, unsigned a, unsigned j, unsigned b) const {
    if (i > j)
      return flag(j, b, i, a);
    return open[(start[i] + a) * start[PlainCount] + start[j] + b];
  }

  std::array<unsigned, PlainCount + 1> start{};
  std::vector<uint8_t> open;
  uint64_t left = 0;
};

/// A case grown from one open pair: each further axis, in random order, takes the value that closes most.
Case grow(const OpenPairs &pairs, std::mt19937_64 &random, unsigned &gain) {
  Case c;
  std::array<bool, PlainCount> set{};
  auto begin = pairs.pick(random());
  c.at[begin[0]] = static_cast<uint8_t>(begin[1]), set[begin[0]] = true;
  c.at[begin[2]] = static_cast<uint8_t>(begin[3]), set[begin[2]] = true;
  gain = 1;
  std::vector<unsigned> order;
  for (unsigned i = 0; i != PlainCount; ++i)
    if (!set[i])
      order.push_back(i);
  std::shuffle(order.begin(), order.end(), random);
  for (unsigned i : order) {
    unsigned count = static_cast<unsigned>(axes()[i].values.size()), best = 0, bestGain = 0;
    unsigned offset = static_cast<unsigned>(random() % count);
    for (unsigned k = 0; k != count; ++k) {
      unsigned value = (k + offset) % count, here = pairs.gain(c, i, value, set);
      if (k == 0 || here > bestGain)
        best = value, bestGain = here;
    }
    c.at[i] = static_cast<uint8_t>(best), set[i] = true;
    gain += bestGain;
  }
  return c;
}

std::string numbered(const char *list, size_t number) {
  char text[32];
  std::snprintf(text, sizeof text, "%s%03zu", list, number);
  return text;
}

/// A feature is one or two values that are not plain.
using Feature = std::vector<std::pair<Axis, unsigned>>;

std::vector<Feature> features() {
  std::vector<Feature> all;
  for (unsigned i = 0; i != PlainCount; ++i) {
    // The alignment shows only through a mask: it is taken together with the causal one. Groups have a list of their
    // own.
    if (isShape(i) || i == Align || i == Packed)
      continue;
    for (unsigned value = 1; value != axes()[i].values.size(); ++value)
      all.push_back({{static_cast<Axis>(i), value}});
  }
  all.push_back({{Causal, valueOf(Causal, "causal")}, {Align, valueOf(Align, "start")}});
  return all;
}

void apply(Case &c, const Feature &values) {
  for (auto [theAxis, value] : values)
    c.at[theAxis] = static_cast<uint8_t>(value);
}

} // namespace

std::vector<Case> pairwise() {
  OpenPairs pairs;
  std::mt19937_64 random(2);
  std::vector<Case> cases;
  while (pairs.any()) {
    Case best;
    unsigned bestGain = 0;
    for (int attempt = 0; attempt != 40; ++attempt) {
      unsigned gain = 0;
      Case c = grow(pairs, random, gain);
      if (gain > bestGain)
        best = c, bestGain = gain;
    }
    pairs.close(best);
    best.list = numbered("pair", cases.size());
    cases.push_back(best);
  }
  return cases;
}

std::vector<Case> alone() {
  std::vector<Case> cases;
  std::vector<Feature> all = features();
  all.insert(all.begin(), Feature{});
  for (const Feature &values : all)
    for (std::string_view dim : {"64", "128"})
      for (unsigned length = 0; length != valueOf(Lengths, "2x130"); ++length) {
        Case c;
        c.at[Lengths] = static_cast<uint8_t>(length);
        c.at[HeadDim] = static_cast<uint8_t>(valueOf(HeadDim, dim));
        apply(c, values);
        c.accuracy = c.is(Data, "random") && c.is(Lengths, "127x513");
        c.list = numbered("alone", cases.size());
        cases.push_back(c);
      }
  for (unsigned dim = 0; dim != axes()[HeadDim].values.size(); ++dim)
    for (std::string_view length : {"113x203", "239x1"}) {
      Case c;
      c.at[Lengths] = static_cast<uint8_t>(valueOf(Lengths, length));
      c.at[HeadDim] = static_cast<uint8_t>(dim);
      c.at[ElementType] = static_cast<uint8_t>(dim % 2);
      c.accuracy = true;
      c.list = numbered("dim", cases.size());
      cases.push_back(c);
    }
  return cases;
}

std::vector<Case> groups() {
  std::vector<Case> cases;
  auto add = [&](std::string_view heads, std::string_view length, std::string_view packed, const Feature &values) {
    Case c;
    c.at[Heads] = static_cast<uint8_t>(valueOf(Heads, heads));
    c.at[Lengths] = static_cast<uint8_t>(valueOf(Lengths, length));
    c.at[Packed] = static_cast<uint8_t>(valueOf(Packed, packed));
    apply(c, values);
    c.list = numbered("group", cases.size());
    cases.push_back(c);
  };
  // Slopes, sinks and a table differ from head to head; the comb's teeth do as well.
  std::vector<Feature> changes = {
      {},
      {{Causal, valueOf(Causal, "causal")}, {Alibi, valueOf(Alibi, "alibi")}, {Lse, valueOf(Lse, "lse")}},
      {{Window, valueOf(Window, "window")}, {UserMask, valueOf(UserMask, "user_mask")}, {Sink, valueOf(Sink, "sink")}},
      {{UserScore, valueOf(UserScore, "user_score")},
       {Lens, valueOf(Lens, "lens")},
       {Lse, valueOf(Lse, "lse")},
       {Batch, valueOf(Batch, "2")}},
  };
  for (const Feature &values : changes) {
    for (std::string_view heads : axes()[Heads].values)
      add(heads, "113x203", "packed", values);
    for (std::string_view length : {"1x239", "2x130", "5x333", "16x256", "130x300"})
      for (std::string_view packed : {"packed", "static"})
        add("8x2", length, packed, values);
  }
  return cases;
}

namespace {

/// Where keys have positions of their own, queries must, too; and then nothing is aligned.
void normalise(Case &c) {
  std::string_view keys = c.value(KeyPlace);
  bool placed = keys == "from" || keys.find("listed") != keys.npos;
  if (placed && c.is(QueryPlace, "dense"))
    c.at[QueryPlace] = static_cast<uint8_t>(valueOf(QueryPlace, "from"));
  if (placed && c.is(QueryPlace, "ragged"))
    c.at[QueryPlace] = static_cast<uint8_t>(valueOf(QueryPlace, "packed_listed"));
  if (!c.is(QueryPlace, "dense") && !c.is(QueryPlace, "ragged"))
    c.at[Align] = 0;
  // A single lse near 1e5 may miss by chance what two roundings to f32 allow.
  if (c.on(Lse) && !c.is(Data, "random"))
    c.at[Data] = static_cast<uint8_t>(valueOf(Data, "index"));
}

/// What takes the place of long lengths in a batch of many sequences: a page and a tile more than one are enough where
/// rows are looked up, and these cases are many.
std::string_view shortened(std::string_view lengths) {
  constexpr std::pair<std::string_view, std::string_view> table[] = {
      {"113x203", "70x150"}, {"1x239", "1x150"},     {"3x799", "3x300"},   {"128x217", "66x137"},
      {"127x513", "63x200"}, {"256x512", "130x140"}, {"239x1", "130x1"},   {"799x3", "200x3"},
      {"5x333", "5x210"},    {"16x256", "16x160"},   {"130x300", "33x257"}};
  for (auto [given, less] : table)
    if (lengths == given)
      return less;
  return lengths;
}

} // namespace

namespace {

/// `count` cases in which each plain axis goes through its values in an order of its own, again and again.
std::vector<Case> shuffled(size_t count, std::mt19937_64 &random) {
  std::vector<Case> cases(count);
  for (unsigned i = 0; i != PlainCount; ++i) {
    std::vector<uint8_t> order;
    while (order.size() < cases.size()) {
      std::vector<uint8_t> once(axes()[i].values.size());
      for (size_t value = 0; value != once.size(); ++value)
        once[value] = static_cast<uint8_t>(value);
      std::shuffle(once.begin(), once.end(), random);
      order.insert(order.end(), once.begin(), once.end());
    }
    for (size_t n = 0; n != cases.size(); ++n)
      cases[n].at[i] = order[n];
  }
  return cases;
}

/// Gives a case its places, and what they ask of other axes.
void place(Case &c, unsigned keys, unsigned queries) {
  c.at[KeyPlace] = static_cast<uint8_t>(keys);
  c.at[QueryPlace] = static_cast<uint8_t>(queries);
  normalise(c);
  // Strides for heads in front, and of 0, are the dense tensors' own.
  if ((c.on(KeyPlace) || c.on(QueryPlace)) && (c.is(Layout, "head_major") || c.is(Layout, "broadcast")))
    c.at[Layout] = 0;
}

unsigned valuesOf(Axis theAxis) { return static_cast<unsigned>(axes()[theAxis].values.size()); }

} // namespace

std::vector<Case> places() {
  std::mt19937_64 random(3);
  std::vector<Case> cases;
  unsigned queries = valuesOf(QueryPlace);
  constexpr unsigned kVariants = 2;
  for (unsigned keys = 0; keys != valuesOf(KeyPlace); ++keys) {
    std::vector<Case> these = shuffled(queries * kVariants, random);
    if (keys == valueOf(KeyPlace, "pages128")) // pages alone; those of decode() meet all that decode has
      continue;
    for (unsigned n = 0; n != these.size(); ++n) {
      Case &c = these[n];
      place(c, keys, n % queries);
      if (!c.on(KeyPlace) && !c.on(QueryPlace))
        continue;
      c.exact = shortened(c.value(Lengths));
      c.list = numbered("place", cases.size());
      cases.push_back(c);
    }
  }
  return cases;
}

std::vector<Case> listed() {
  std::mt19937_64 random(4);
  std::vector<Case> cases;
  constexpr std::string_view lengths[] = {"1x1", "63x64", "65x129", "130x257", "5x300"};
  for (unsigned kind = 1; kind != valuesOf(Listed); ++kind) {
    std::vector<Case> these = shuffled(2 * std::size(lengths), random);
    for (unsigned n = 0; n != these.size(); ++n) {
      Case &c = these[n];
      c.at[Listed] = static_cast<uint8_t>(kind);
      c.exact = lengths[n % std::size(lengths)];
      // Half of them in plain tensors, which tiles of warpgroups serve; half anywhere, each place in turn.
      bool plain = n < std::size(lengths);
      place(c, plain ? 0 : (kind * 7 + n) % valuesOf(KeyPlace), plain ? 0 : (kind + n) % valuesOf(QueryPlace));
      if (plain)
        c.at[Schedule] = c.at[Packed] = 0;
      c.list = numbered("listed", cases.size());
      cases.push_back(c);
    }
  }
  return cases;
}

namespace {

/// Rows of choices, one for each column of so many, in which any two choices of any two columns meet. Each row is the
/// best of some random ones that hold a pair which is still open.
std::vector<std::vector<size_t>> coveringRows(const std::vector<size_t> &columns, std::mt19937_64 &random) {
  std::set<std::array<size_t, 4>> open;
  for (size_t i = 0; i != columns.size(); ++i)
    for (size_t j = i + 1; j != columns.size(); ++j)
      for (size_t a = 0; a != columns[i]; ++a)
        for (size_t b = 0; b != columns[j]; ++b)
          open.insert({i, a, j, b});
  auto visit = [&](const std::vector<size_t> &row, auto &&what) {
    for (size_t i = 0; i != row.size(); ++i)
      for (size_t j = i + 1; j != row.size(); ++j)
        what(std::array<size_t, 4>{i, row[i], j, row[j]});
  };
  std::vector<std::vector<size_t>> rows;
  while (!open.empty()) {
    std::vector<size_t> best;
    size_t most = 0;
    for (int attempt = 0; attempt != 60; ++attempt) {
      std::vector<size_t> row;
      for (size_t count : columns)
        row.push_back(random() % count);
      auto [i, a, j, b] = *open.begin();
      row[i] = a, row[j] = b;
      size_t gain = 0;
      visit(row, [&](auto pair) { gain += open.count(pair); });
      if (gain > most)
        best = row, most = gain;
    }
    visit(best, [&](auto pair) { open.erase(pair); });
    rows.push_back(best);
  }
  return rows;
}

} // namespace

std::vector<Case> decode() {
  // 512 keys come to 32 shares of a tile, 520 to 17 of two.
  constexpr std::string_view pages[] = {"pages1", "pages16", "pages64", "pages128"},
                             splits[] = {"splits1", "splits2", "splits3", "splits5", "splits17", "splits32"},
                             heads[] = {"2x2", "6x2", "8x2", "14x2", "16x2", "16x1"},
                             lengths[] = {"1x150", "2x150", "5x150", "16x150", "1x512", "2x520"},
                             dims[] = {"64", "128"}, packed[] = {"packed", "static", "off"};
  const std::vector<Feature> changes = {
      {},
      {{Lse, valueOf(Lse, "lse")}, {Causal, valueOf(Causal, "causal")}},
      {{Lse, valueOf(Lse, "lse")}, {Sink, valueOf(Sink, "sink")}, {Window, valueOf(Window, "window")}},
      {{Softcap, valueOf(Softcap, "softcap")}, {Alibi, valueOf(Alibi, "alibi")}, {Lse, valueOf(Lse, "lse")}},
      {{UserMask, valueOf(UserMask, "user_mask")}, {UserScore, valueOf(UserScore, "user_score")}},
      {{ElementType, valueOf(ElementType, "f16")}, {Scale, valueOf(Scale, "negative")}, {Sink, valueOf(Sink, "sink")}}};
  std::mt19937_64 random(5);
  std::vector<Case> cases;
  for (const std::vector<size_t> &row :
       coveringRows({std::size(pages), std::size(splits), std::size(heads), std::size(lengths), std::size(dims),
                     std::size(packed), changes.size()},
                    random)) {
    Case c;
    apply(c, {{KeyPlace, valueOf(KeyPlace, pages[row[0]])},
              {Schedule, valueOf(Schedule, splits[row[1]])},
              {Heads, valueOf(Heads, heads[row[2]])},
              {HeadDim, valueOf(HeadDim, dims[row[4]])},
              {Packed, valueOf(Packed, packed[row[5]])},
              {Batch, valueOf(Batch, "2")}});
    apply(c, changes[row[6]]);
    c.exact = lengths[row[3]];
    c.list = numbered("decode", cases.size());
    cases.push_back(std::move(c));
  }
  return cases;
}

std::vector<Case> wholeTiles() {
  struct Size {
    std::string_view headDim;
    int64_t blockQ, blockKv;
    bool masked;
  };
  // What a mask takes a tile of its own for stands twice.
  constexpr Size sizes[] = {{"64", 192, 128, true},   {"64", 128, 64, false},      {"96", 128, 32, true},
                            {"128", 128, 176, false}, {"128", 128, 128, true},     {"128", 128, 64, true},
                            {"192", 128, 112, true},  {"192/128", 128, 128, true}, {"256", 128, 80, false},
                            {"256", 128, 64, true},   {"256", 64, 64, false}};
  std::vector<Case> cases;
  for (const Size &size : sizes)
    for (int64_t tiles : {2, 3})
      for (int64_t rest : {-1, 0, 1}) {
        Case c;
        c.at[HeadDim] = static_cast<uint8_t>(valueOf(HeadDim, size.headDim));
        c.at[Causal] = size.masked;
        c.at[Lens] = rest > 0;
        c.exact = std::to_string(tiles * size.blockQ + rest) + "x" + std::to_string(tiles * size.blockKv + rest);
        c.list = numbered("tiles", cases.size());
        cases.push_back(std::move(c));
      }
  return cases;
}

std::vector<Case> standard() {
  std::vector<Case> cases = pairwise();
  for (Case &c : wholeTiles())
    cases.push_back(std::move(c));
  for (Case &c : alone())
    cases.push_back(std::move(c));
  for (Case &c : groups())
    cases.push_back(std::move(c));
  for (Case &c : places())
    cases.push_back(std::move(c));
  for (Case &c : decode())
    cases.push_back(std::move(c));
  for (Case &c : listed())
    cases.push_back(std::move(c));
  for (Case &c : weights())
    cases.push_back(std::move(c));
  // One in eight; by position, so that every list and every axis has its share.
  for (size_t i = 0; i < cases.size(); i += 8)
    cases[i].manyOrders = true;
  return cases;
}

std::vector<Case> wholeProduct() {
  std::vector<Feature> all = features(), combined = {Feature{}};
  for (size_t i = 0; i != all.size(); ++i) {
    combined.push_back(all[i]);
    for (size_t j = i + 1; j != all.size(); ++j) {
      std::set<Axis> used;
      for (auto [theAxis, value] : all[i])
        used.insert(theAxis);
      Feature both = all[i];
      bool apart = true;
      for (auto part : all[j])
        apart &= used.insert(part.first).second, both.push_back(part);
      if (apart)
        combined.push_back(both);
    }
  }
  std::vector<Case> cases;
  Case shape;
  auto each = [&](auto &&self, size_t depth) -> void {
    if (depth == std::size(Shapes)) {
      for (const Feature &values : combined) {
        Case c = shape;
        apply(c, values);
        c.accuracy = c.is(Data, "random") && c.is(Lengths, "127x513");
        c.manyOrders = cases.size() % 8 == 0;
        c.list = numbered("all", cases.size());
        cases.push_back(std::move(c));
      }
      return;
    }
    for (unsigned value = 0; value != axes()[Shapes[depth]].values.size(); ++value) {
      shape.at[Shapes[depth]] = static_cast<uint8_t>(value);
      self(self, depth + 1);
    }
  };
  each(each, 0);
  return cases;
}

} // namespace attn::cases
