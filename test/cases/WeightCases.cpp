// SPDX-License-Identifier: Apache-2.0
// The list of cases in which functions change weights.
#include "test/cases/Axes.h"

#include <fmt/format.h>

namespace attn::cases {

std::vector<Case> weights() {
  using Value = std::pair<Axis, unsigned>;
  struct Shape {
    std::string_view length, headDim, heads;
    std::vector<Value> values;
  };
  auto one = [](Axis theAxis, std::string_view value) { return std::pair{theAxis, valueOf(theAxis, value)}; };
  const Shape shapes[] = {
      {"113x203", "64", "2x2", {}},
      {"256x512", "128", "8x2", {one(Causal, "causal"), one(Lse, "lse")}},
      {"239x1", "40", "2x2", {one(Causal, "causal"), one(Sink, "sink")}},
      {"127x513", "128", "2x2", {one(ElementType, "f16"), one(Softcap, "softcap"), one(Scale, "negative")}},
      {"113x203", "256", "2x2", {one(Window, "window"), one(UserMask, "user_mask")}},
      {"127x513", "192/128", "2x2", {one(Causal, "causal"), one(Batch, "2"), one(Lens, "lens")}},
      {"113x203", "96", "6x2", {one(UserScore, "user_score"), one(Alibi, "alibi"), one(Layout, "odd")}},
      {"128x217", "64", "2x2", {one(Data, "index")}},
      {"0x5", "64", "2x2", {one(Lse, "lse")}},
      {"5x0", "64", "2x2", {one(Lse, "lse")}},
      {"5x333", "128", "8x2", {one(Packed, "packed"), one(Causal, "causal")}},
      {"3x799", "64", "8x2", {one(Schedule, "splits5"), one(Sink, "sink")}},
      {"1x239", "128", "8x2", {one(Schedule, "splits17"), one(KeyPlace, "pages16"), one(Batch, "2")}},
      {"113x203", "64", "2x2", {one(KeyPlace, "ragged"), one(QueryPlace, "ragged"), one(Batch, "2")}},
      {"113x203", "128", "2x2", {one(KeyPlace, "joined"), one(Batch, "2"), one(Causal, "causal")}},
      {"113x203", "64", "2x2", {one(KeyPlace, "listed"), one(QueryPlace, "listed"), one(Window, "window")}},
  };
  std::vector<Case> cases;
  for (std::string_view function : {"reweight", "squared", "lifted"})
    for (const Shape &shape : shapes) {
      Case c;
      auto set = [&](Value value) { c.at[value.first] = static_cast<uint8_t>(value.second); };
      for (Value value :
           {one(Lengths, shape.length), one(HeadDim, shape.headDim), one(Heads, shape.heads), one(Reweight, function)})
        set(value);
      for (Value value : shape.values)
        set(value);
      c.list = fmt::format("weight{:03}", cases.size());
      cases.push_back(std::move(c));
    }
  return cases;
}

} // namespace attn::cases
