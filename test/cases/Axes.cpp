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
  static const std::array<AxisRow, AxisCount> Table = {{
      {"type", {"bf16", "f16"}},
      // Queries x keys: single rows, tails of one, multiples of nothing, exact tiles, and nothing at all.
      {"lengths",
       {"113x203", "1x1", "1x239", "3x799", "64x128", "128x217", "127x513", "256x512", "239x1", "799x3", "0x5", "5x0"}},
      {"head_dim", {"64", "8", "40", "96", "128", "192", "256", "192/128"}},
      // Query heads x key heads.
      {"heads", {"2x2", "6x2", "8x2", "14x2", "5x1"}},
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
  }};
  return Table;
}

unsigned valueOf(Axis TheAxis, std::string_view Value) {
  const auto &Values = axes()[TheAxis].Values;
  auto Found = std::find(Values.begin(), Values.end(), Value);
  if (Found == Values.end()) {
    std::fprintf(stderr, "attn-cases: axis '%s' has no value '%.*s'\n", std::string(axes()[TheAxis].Name).c_str(),
                 static_cast<int>(Value.size()), Value.data());
    std::abort();
  }
  return static_cast<unsigned>(Found - Values.begin());
}

namespace {

constexpr Axis Shapes[] = {ElementType, Lengths, HeadDim, Heads, Batch};
bool isShape(unsigned TheAxis) { return TheAxis <= Batch; }

/// Splits "AxB" or "A/B"; a lone A gives (A, A).
std::pair<int64_t, int64_t> numbers(std::string_view Text) {
  size_t Cut = Text.find_first_of("x/");
  int64_t First = std::atoll(std::string(Text.substr(0, Cut)).c_str());
  return {First, Cut == std::string_view::npos ? First : std::atoll(std::string(Text.substr(Cut + 1)).c_str())};
}

} // namespace

std::string Case::name() const {
  std::string Name = List;
  for (unsigned I = 0; I != AxisCount; ++I) {
    if (!isShape(I) && At[I] == 0)
      continue;
    std::string Prefix = I == HeadDim ? "d" : I == Heads ? "h" : I == Batch ? "b" : I == Scale ? "scale_" : "";
    std::string Value(axes()[I].Values[At[I]]);
    std::replace(Value.begin(), Value.end(), '/', '_');
    Name += "." + Prefix + Value;
  }
  return Name;
}

uint64_t Case::seed() const {
  uint64_t Hash = 0xcbf29ce484222325ull;
  for (uint8_t Value : At)
    Hash = (Hash ^ Value) * 0x100000001b3ull;
  return Hash;
}

int64_t Case::queries() const { return numbers(value(Lengths)).first; }
int64_t Case::keys() const { return numbers(value(Lengths)).second; }
int64_t Case::headDim() const { return numbers(value(HeadDim)).first; }
int64_t Case::valueDim() const { return numbers(value(HeadDim)).second; }
int64_t Case::heads() const { return numbers(value(Heads)).first; }
int64_t Case::keyHeads() const { return numbers(value(Heads)).second; }
int64_t Case::batch() const { return numbers(value(Batch)).first; }

double Case::cost() const {
  // Tiles are computed whole, so short lengths cost like a tile.
  auto Rounded = [](int64_t Length) { return static_cast<double>((Length + 63) / 64 * 64); };
  double Scores = Rounded(queries()) * Rounded(keys()) * static_cast<double>(heads() * batch());
  return Scores * static_cast<double>(headDim() + valueDim()) * (1 + 3 * ManyOrders + Accuracy) + 1e6;
}

namespace {

/// The pairs of values that no case holds yet, one flag each.
class OpenPairs {
public:
  OpenPairs() {
    for (unsigned I = 0; I != AxisCount; ++I)
      Start[I + 1] = Start[I] + static_cast<unsigned>(axes()[I].Values.size());
    Open.assign(Start[AxisCount] * Start[AxisCount], 0);
    for (unsigned I = 0; I != AxisCount; ++I)
      for (unsigned J = I + 1; J != AxisCount; ++J)
        for (unsigned A = Start[I]; A != Start[I + 1]; ++A)
          for (unsigned B = Start[J]; B != Start[J + 1]; ++B)
            Open[A * Start[AxisCount] + B] = 1, ++Left;
  }

  /// How many open pairs the value at this axis closes with the axes that are set.
  unsigned gain(const Case &C, unsigned I, unsigned Value, const std::array<bool, AxisCount> &Set) const {
    unsigned Gain = 0;
    for (unsigned J = 0; J != AxisCount; ++J)
      if (Set[J] && J != I)
        Gain += flag(I, Value, J, C.At[J]);
    return Gain;
  }

  void close(const Case &C) {
    for (unsigned I = 0; I != AxisCount; ++I)
      for (unsigned J = I + 1; J != AxisCount; ++J) {
        uint8_t &Flag = Open[(Start[I] + C.At[I]) * Start[AxisCount] + Start[J] + C.At[J]];
        Left -= Flag;
        Flag = 0;
      }
  }

  bool any() const { return Left != 0; }

  /// Some open pair, chosen by the number: (axis, value, axis, value).
  std::array<unsigned, 4> pick(uint64_t Number) const {
    uint64_t Skip = Number % Left;
    for (unsigned I = 0; I != AxisCount; ++I)
      for (unsigned A = 0; A != axes()[I].Values.size(); ++A)
        for (unsigned J = I + 1; J != AxisCount; ++J)
          for (unsigned B = 0; B != axes()[J].Values.size(); ++B)
            if (flag(I, A, J, B) && Skip-- == 0)
              return {I, A, J, B};
    std::abort(); // Left counts the flags
  }

private:
  unsigned flag(unsigned I, unsigned A, unsigned J, unsigned B) const {
    if (I > J)
      return flag(J, B, I, A);
    return Open[(Start[I] + A) * Start[AxisCount] + Start[J] + B];
  }

  std::array<unsigned, AxisCount + 1> Start{};
  std::vector<uint8_t> Open;
  uint64_t Left = 0;
};

/// A case grown from one open pair: each further axis, in random order, takes the value that closes most.
Case grow(const OpenPairs &Pairs, std::mt19937_64 &Random, unsigned &Gain) {
  Case C;
  std::array<bool, AxisCount> Set{};
  auto Begin = Pairs.pick(Random());
  C.At[Begin[0]] = static_cast<uint8_t>(Begin[1]), Set[Begin[0]] = true;
  C.At[Begin[2]] = static_cast<uint8_t>(Begin[3]), Set[Begin[2]] = true;
  Gain = 1;
  std::vector<unsigned> Order;
  for (unsigned I = 0; I != AxisCount; ++I)
    if (!Set[I])
      Order.push_back(I);
  std::shuffle(Order.begin(), Order.end(), Random);
  for (unsigned I : Order) {
    unsigned Count = static_cast<unsigned>(axes()[I].Values.size()), Best = 0, BestGain = 0;
    unsigned Offset = static_cast<unsigned>(Random() % Count);
    for (unsigned K = 0; K != Count; ++K) {
      unsigned Value = (K + Offset) % Count, Here = Pairs.gain(C, I, Value, Set);
      if (K == 0 || Here > BestGain)
        Best = Value, BestGain = Here;
    }
    C.At[I] = static_cast<uint8_t>(Best), Set[I] = true;
    Gain += BestGain;
  }
  return C;
}

std::string numbered(const char *List, size_t Number) {
  char Text[32];
  std::snprintf(Text, sizeof Text, "%s%03zu", List, Number);
  return Text;
}

/// A feature is one or two values that are not plain.
using Feature = std::vector<std::pair<Axis, unsigned>>;

std::vector<Feature> features() {
  std::vector<Feature> All;
  for (unsigned I = 0; I != AxisCount; ++I) {
    // The alignment shows only through a mask: it is taken together with the causal one.
    if (isShape(I) || I == Align)
      continue;
    for (unsigned Value = 1; Value != axes()[I].Values.size(); ++Value)
      All.push_back({{static_cast<Axis>(I), Value}});
  }
  All.push_back({{Causal, valueOf(Causal, "causal")}, {Align, valueOf(Align, "start")}});
  return All;
}

void apply(Case &C, const Feature &Values) {
  for (auto [TheAxis, Value] : Values)
    C.At[TheAxis] = static_cast<uint8_t>(Value);
}

} // namespace

std::vector<Case> pairwise() {
  OpenPairs Pairs;
  std::mt19937_64 Random(2);
  std::vector<Case> Cases;
  while (Pairs.any()) {
    Case Best;
    unsigned BestGain = 0;
    for (int Try = 0; Try != 40; ++Try) {
      unsigned Gain = 0;
      Case C = grow(Pairs, Random, Gain);
      if (Gain > BestGain)
        Best = C, BestGain = Gain;
    }
    Pairs.close(Best);
    Best.List = numbered("pair", Cases.size());
    Cases.push_back(Best);
  }
  return Cases;
}

std::vector<Case> alone() {
  std::vector<Case> Cases;
  std::vector<Feature> All = features();
  All.insert(All.begin(), Feature{});
  for (const Feature &Values : All)
    for (std::string_view Dim : {"64", "128"})
      for (unsigned Length = 0; Length != axes()[Lengths].Values.size(); ++Length) {
        Case C;
        C.At[Lengths] = static_cast<uint8_t>(Length);
        C.At[HeadDim] = static_cast<uint8_t>(valueOf(HeadDim, Dim));
        apply(C, Values);
        C.Accuracy = C.is(Data, "random") && C.is(Lengths, "127x513");
        C.List = numbered("alone", Cases.size());
        Cases.push_back(C);
      }
  for (unsigned Dim = 0; Dim != axes()[HeadDim].Values.size(); ++Dim)
    for (std::string_view Length : {"113x203", "239x1"}) {
      Case C;
      C.At[Lengths] = static_cast<uint8_t>(valueOf(Lengths, Length));
      C.At[HeadDim] = static_cast<uint8_t>(Dim);
      C.At[ElementType] = static_cast<uint8_t>(Dim % 2);
      C.Accuracy = true;
      C.List = numbered("dim", Cases.size());
      Cases.push_back(C);
    }
  return Cases;
}

std::vector<Case> standard() {
  std::vector<Case> Cases = pairwise();
  for (Case &C : alone())
    Cases.push_back(std::move(C));
  // One in eight; by position, so that every list and every axis has its share.
  for (size_t I = 0; I < Cases.size(); I += 8)
    Cases[I].ManyOrders = true;
  return Cases;
}

std::vector<Case> wholeProduct() {
  std::vector<Feature> All = features(), Combined = {Feature{}};
  for (size_t I = 0; I != All.size(); ++I) {
    Combined.push_back(All[I]);
    for (size_t J = I + 1; J != All.size(); ++J) {
      std::set<Axis> Used;
      for (auto [TheAxis, Value] : All[I])
        Used.insert(TheAxis);
      Feature Both = All[I];
      bool Apart = true;
      for (auto Part : All[J])
        Apart &= Used.insert(Part.first).second, Both.push_back(Part);
      if (Apart)
        Combined.push_back(Both);
    }
  }
  std::vector<Case> Cases;
  Case Shape;
  auto Each = [&](auto &&Self, size_t Depth) -> void {
    if (Depth == std::size(Shapes)) {
      for (const Feature &Values : Combined) {
        Case C = Shape;
        apply(C, Values);
        C.Accuracy = C.is(Data, "random") && C.is(Lengths, "127x513");
        C.ManyOrders = Cases.size() % 8 == 0;
        C.List = numbered("all", Cases.size());
        Cases.push_back(std::move(C));
      }
      return;
    }
    for (unsigned Value = 0; Value != axes()[Shapes[Depth]].Values.size(); ++Value) {
      Shape.At[Shapes[Depth]] = static_cast<uint8_t>(Value);
      Self(Self, Depth + 1);
    }
  };
  Each(Each, 0);
  return Cases;
}

} // namespace attn::cases
