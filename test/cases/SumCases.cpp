// SPDX-License-Identifier: Apache-2.0
// The list of cases in which weights are added up.
#include "test/cases/Axes.h"

#include <fmt/format.h>

namespace attn::cases {

namespace {

using Value = std::pair<Axis, std::string_view>;

struct Shape {
  std::string_view length, headDim, heads, sums;
  std::vector<Value> values;
};

const Shape shapes[] = {
    {"113x203", "64", "2x2", "keys", {}},
    {"256x512", "128", "8x2", "counted", {{Causal, "causal"}, {Lse, "lse"}}},
    {"127x513", "128", "2x2", "alone", {{Causal, "causal"}}},
    {"113x203", "64", "2x2", "alone", {{Causal, "causal"}, {Lse, "lse"}, {Batch, "2"}}},
    {"113x203", "64", "2x2", "sampled", {{Causal, "causal"}, {Sink, "sink"}}},
    {"128x217", "64", "6x2", "alone_sampled", {{Causal, "causal"}}},
    {"239x1", "40", "2x2", "keys", {{Causal, "causal"}, {Sink, "sink"}}},
    {"127x513", "128", "2x2", "combed", {{ElementType, "f16"}, {Softcap, "softcap"}, {Scale, "negative"}}},
    {"113x203", "256", "2x2", "combed", {{Window, "window"}, {UserMask, "user_mask"}}},
    {"127x513", "192/128", "2x2", "keys", {{Causal, "causal"}, {Batch, "2"}, {Lens, "lens"}}},
    {"113x203", "96", "6x2", "keys", {{UserScore, "user_score"}, {Alibi, "alibi"}, {Layout, "odd"}}},
    {"128x217", "64", "2x2", "keys", {{Data, "large"}}},
    {"113x203", "64", "2x2", "keys", {{Reweight, "reweight"}}},
    {"113x203", "64", "2x2", "counted", {{Reweight, "squared"}, {Layout, "padded"}}},
    {"0x5", "64", "2x2", "keys", {{Lse, "lse"}}},
    {"5x0", "64", "2x2", "keys", {{Lse, "lse"}}},
    {"1x1", "64", "2x2", "alone_sampled", {}},
    {"5x333", "128", "8x2", "keys", {{Packed, "packed"}, {Causal, "causal"}}},
    {"3x799", "64", "8x2", "keys", {{Schedule, "splits5"}, {Sink, "sink"}}},
    {"1x239", "128", "8x2", "alone_sampled", {{Schedule, "splits17"}, {KeyPlace, "pages16"}, {Batch, "2"}}},
    {"113x203", "64", "2x2", "keys", {{KeyPlace, "ragged"}, {QueryPlace, "ragged"}, {Batch, "2"}}},
    {"113x203", "128", "2x2", "counted", {{KeyPlace, "joined"}, {Batch, "2"}, {Causal, "causal"}}},
    {"113x203", "64", "2x2", "combed", {{KeyPlace, "listed"}, {QueryPlace, "listed"}, {Window, "window"}}},
    {"113x203", "64", "2x2", "keys", {{KeyPlace, "runs16"}, {Batch, "2"}, {Causal, "causal"}}},
    {"113x203", "64", "6x2", "keys", {{Listed, "slashes"}, {KeyPlace, "shared"}, {Batch, "2"}}},
    {"113x203", "64", "2x2", "distances", {}},
    {"256x512", "128", "8x2", "distances", {{Causal, "causal"}, {Lse, "lse"}}},
    {"127x513", "128", "2x2", "near", {{Causal, "causal"}, {Batch, "2"}}},
    {"113x203", "64", "2x2", "distances", {{KeyPlace, "listed"}, {QueryPlace, "listed"}, {Window, "window"}}},
    {"113x203", "64", "2x2", "distances", {{KeyPlace, "joined"}, {Batch, "2"}, {Causal, "causal"}}},
    {"5x333", "128", "8x2", "near", {{Packed, "packed"}, {Causal, "causal"}}},
};

} // namespace

std::vector<Case> sums() {
  std::vector<Case> cases;
  for (const Shape &shape : shapes) {
    Case c;
    std::vector<Value> values = {
        {Lengths, shape.length}, {HeadDim, shape.headDim}, {Heads, shape.heads}, {Sums, shape.sums}};
    values.insert(values.end(), shape.values.begin(), shape.values.end());
    for (auto [theAxis, value] : values)
      c.at[theAxis] = static_cast<uint8_t>(valueOf(theAxis, value));
    c.list = fmt::format("sums{:03}", cases.size());
    cases.push_back(std::move(c));
  }
  return cases;
}

} // namespace attn::cases
