// SPDX-License-Identifier: Apache-2.0
// The lists of cases that are made from the table of axes.
#include "test/cases/Axes.h"
#include "test/cases/Covering.h"

#include <algorithm>
#include <cstdio>
#include <random>
#include <set>

namespace attn::cases {

namespace {

constexpr Axis Shapes[] = {ElementType, Lengths, HeadDim, Heads, Batch};
bool isShape(unsigned theAxis) { return theAxis <= Batch; }

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

namespace {

std::string_view replacedBy(std::string_view lengths,
                            std::initializer_list<std::pair<std::string_view, std::string_view>> table) {
  for (auto [given, less] : table)
    if (lengths == given)
      return less;
  return lengths;
}

/// Where all pairs meet in plain tensors two tiles are enough of the longer lengths: other lists have the long ones.
std::string_view shorter(std::string_view lengths) {
  return replacedBy(lengths, {{"127x513", "127x300"}, {"256x512", "192x256"}, {"799x3", "300x3"}, {"3x799", "3x400"}});
}

/// In a batch of many sequences, where rows are looked up, a page and a tile more than one are.
std::string_view shortest(std::string_view lengths) {
  return replacedBy(lengths, {{"113x203", "70x150"},
                              {"1x239", "1x150"},
                              {"3x799", "3x300"},
                              {"128x217", "66x137"},
                              {"239x1", "130x1"},
                              {"16x256", "16x160"},
                              {"130x300", "33x257"}});
}

bool isPlace(unsigned theAxis) { return theAxis == KeyPlace || theAxis == QueryPlace || theAxis == Step; }

/// Values whose data alone differ from those of another are for edges and triples.
Coverage ofSpecs() {
  Coverage of;
  of.keep(MaskKind, {"off", "prefix_lm", "same_chunk", "same_document", "dilated", "butterfly", "band", "streaming",
                     "mask_tensor", "ancestors"});
  of.keep(Bias, {"off", "bias", "half_bias"});
  of.keep(Sums, {"off"}); // has a list of its own
  return of;
}

} // namespace

std::vector<Case> pairwise() {
  Coverage of = ofSpecs();
  of.keep(KeyPlace, {"dense"});
  of.keep(QueryPlace, {"dense"});
  of.keep(Step, {"off"});
  std::vector<Case> cases = coveringCases(of, 2);
  for (size_t i = 0; i != cases.size(); ++i) {
    cases[i].exact = shorter(cases[i].value(Lengths));
    cases[i].list = numbered("pair", i);
  }
  return cases;
}

std::vector<Case> places() {
  Coverage of = ofSpecs();
  of.wanted = [](unsigned i, unsigned j) { return isPlace(i) || isPlace(j); };
  of.keep(Lengths, {"113x203", "1x1", "1x239", "3x799", "128x217", "239x1", "0x5", "5x0", "16x256", "130x300"});
  of.keep(Step, {"off", "append"});
  std::vector<Case> cases = coveringCases(of, 3);
  for (size_t i = 0; i != cases.size(); ++i) {
    cases[i].exact = shortest(cases[i].value(Lengths));
    cases[i].list = numbered("place", i);
  }
  return cases;
}

namespace {

bool isAllowed(const Case &c) {
  for (unsigned i = 0; i != AxisCount; ++i)
    for (unsigned j = i + 1; j != AxisCount; ++j)
      if (ruleAgainst(i, c.at[i], j, c.at[j]))
        return false;
  return true;
}

} // namespace

std::vector<Case> triples(uint64_t seed, size_t count) {
  constexpr std::string_view lengths[] = {"70x150", "1x150", "5x210", "130x140", "33x257"};
  std::mt19937_64 random(seed);
  std::vector<Case> cases;
  while (cases.size() != count) {
    Case c;
    for (size_t changed = 0; changed != 3;) {
      auto i = static_cast<Axis>(random() % AxisCount);
      if (axes()[i].topic == Topic::Data || c.on(i))
        continue;
      c.at[i] = static_cast<uint8_t>(1 + random() % (axes()[i].values.size() - 1));
      ++changed;
    }
    c.at[Batch] = static_cast<uint8_t>(random() % 2);
    c.at[Layout] = static_cast<uint8_t>(random() % axes()[Layout].values.size());
    c.exact = lengths[random() % std::size(lengths)];
    // Keys with positions need queries that have some.
    if (!c.on(QueryPlace) && ruleAgainst(KeyPlace, c.at[KeyPlace], QueryPlace, 0))
      c.at[QueryPlace] = static_cast<uint8_t>(valueOf(QueryPlace, "from"));
    if (!isAllowed(c))
      continue;
    c.list = numbered("triple", cases.size());
    cases.push_back(std::move(c));
  }
  return cases;
}

std::vector<Case> alone() {
  std::vector<Case> cases;
  auto add = [&](const Feature &values, std::string_view dim, std::string_view length) {
    Case c;
    c.at[Lengths] = static_cast<uint8_t>(valueOf(Lengths, length));
    c.at[HeadDim] = static_cast<uint8_t>(valueOf(HeadDim, dim));
    apply(c, values);
    c.accuracy = c.is(Data, "random") && length == "127x513";
    c.list = numbered("alone", cases.size());
    cases.push_back(c);
  };
  for (std::string_view dim : {"64", "128"})
    for (std::string_view length : axes()[Lengths].values)
      add({}, dim, length);
  // pairwise() has each feature with each length.
  for (const Feature &values : features())
    for (auto [dim, length] : {std::pair("64", "127x513"), {"128", "127x513"}, {"64", "799x3"}, {"128", "1x239"}})
      add(values, dim, length);
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
  // The cases of places() have these layouts.
  if ((c.on(KeyPlace) || c.on(QueryPlace)) && (c.is(Layout, "head_major") || c.is(Layout, "broadcast")))
    c.at[Layout] = 0;
}

unsigned valuesOf(Axis theAxis) { return static_cast<unsigned>(axes()[theAxis].values.size()); }

} // namespace

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

std::vector<Case> streamed() {
  // Items of one tile, several of which a program has; items of 44 tiles, which several programs have; without any.
  constexpr std::string_view lengths[] = {"1x1", "1x15", "2x16", "1x17", "5x0", "0x5", "3x150", "40x81", "1x700"},
                             heads[] = {"2x2", "8x2", "14x2", "16x1"}, dims[] = {"64", "128", "40"},
                             packed[] = {"off", "packed", "static"};
  const std::vector<Feature> changes = {
      {},
      {{Lens, valueOf(Lens, "lens")}, {Lse, valueOf(Lse, "lse")}, {Causal, valueOf(Causal, "causal")}},
      {{Lse, valueOf(Lse, "lse")}, {Sink, valueOf(Sink, "sink")}, {Window, valueOf(Window, "window")}},
      {{Softcap, valueOf(Softcap, "softcap")}, {Alibi, valueOf(Alibi, "alibi")}, {Lens, valueOf(Lens, "lens")}},
      {{UserMask, valueOf(UserMask, "user_mask")}, {UserScore, valueOf(UserScore, "user_score")}},
      {{Listed, valueOf(Listed, "blocks")}, {Lse, valueOf(Lse, "lse")}},
      {{ElementType, valueOf(ElementType, "f16")}, {Reweight, valueOf(Reweight, "reweight")}, {Sink, 1}},
      {{Layout, valueOf(Layout, "odd")}, {Scale, valueOf(Scale, "negative")}, {Lse, valueOf(Lse, "lse")}},
      {{MaskKind, valueOf(MaskKind, "mask_tensor")}, {Bias, valueOf(Bias, "half_bias")}, {Output, 1}},
      {{MaskKind, valueOf(MaskKind, "butterfly")}, {Bias, valueOf(Bias, "bias")}, {Output, 2}},
      {{MaskKind, valueOf(MaskKind, "ancestors")}, {Step, valueOf(Step, "append")}, {Lse, valueOf(Lse, "lse")}}};
  std::mt19937_64 random(6);
  std::vector<Case> cases;
  for (const std::vector<size_t> &row :
       coveringRows({valuesOf(KeyPlace), valuesOf(QueryPlace), std::size(lengths), std::size(heads), std::size(dims),
                     std::size(packed), changes.size()},
                    random)) {
    Case c;
    apply(c, {{Heads, valueOf(Heads, heads[row[3]])},
              {HeadDim, valueOf(HeadDim, dims[row[4]])},
              {Packed, valueOf(Packed, packed[row[5]])},
              {Batch, valueOf(Batch, "2")}});
    apply(c, changes[row[6]]);
    place(c, row[0], row[1]);
    if (ruleAgainst(KeyPlace, c.at[KeyPlace], Step, c.at[Step]))
      c.at[Step] = 0;
    c.streamK = true;
    c.exact = lengths[row[2]];
    c.list = numbered("stream", cases.size());
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
  std::vector<Case> cases;
  for (auto list : {pairwise, wholeTiles, alone, groups, places, decode, streamed, listed, weights, sums})
    for (Case &c : list())
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