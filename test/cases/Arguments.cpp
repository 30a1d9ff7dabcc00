// SPDX-License-Identifier: Apache-2.0
// Makes the data of a case: memory first, all NaN, then the elements that exist.
#include "test/cases/Arguments.h"
#include "test/cases/SpecText.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

namespace attn::cases {

PlacedTensor::PlacedTensor(std::string theName, DType theType, std::vector<int64_t> theShape,
                           std::vector<int64_t> theStrides, int64_t theOffset)
    : name(std::move(theName)), type(theType), shape(std::move(theShape)), strides(std::move(theStrides)),
      offset(theOffset) {
  int64_t last = offset;
  for (size_t i = 0; i != shape.size(); ++i)
    last += (shape[i] - 1) * strides[i];
  int64_t places = elements() == 0 ? 0 : last + 1;
  memory.resize(static_cast<size_t>(places) * sizeOf(type));
  for (int64_t place = 0; place != places; ++place)
    set(place, isFloat(type) ? std::numeric_limits<double>::quiet_NaN() : -1);
}

int64_t PlacedTensor::elements() const {
  int64_t count = 1;
  for (int64_t size : shape)
    count *= size;
  return count;
}

int64_t PlacedTensor::place(const std::vector<int64_t> &index) const {
  int64_t place = offset;
  for (size_t i = 0; i != index.size(); ++i)
    place += index[i] * strides[i];
  return place;
}

void PlacedTensor::set(int64_t place, double value) {
  std::byte *at = memory.data() + static_cast<size_t>(place) * sizeOf(type);
  auto store = [&](auto bits) { std::memcpy(at, &bits, sizeof bits); };
  switch (type) {
  case DType::F16:
    return store(toF16(static_cast<float>(value)));
  case DType::BF16:
    return store(toBF16(static_cast<float>(value)));
  case DType::F32:
    return store(static_cast<float>(value));
  default:
    return store(static_cast<int32_t>(value)); // I32: the cases have no other type
  }
}

double PlacedTensor::get(int64_t place) const {
  const std::byte *at = memory.data() + static_cast<size_t>(place) * sizeOf(type);
  auto load = [&](auto bits) {
    std::memcpy(&bits, at, sizeof bits);
    return bits;
  };
  switch (type) {
  case DType::F16:
    return fromF16(load(uint16_t()));
  case DType::BF16:
    return fromBF16(load(uint16_t()));
  case DType::F32:
    return load(float());
  default:
    return load(int32_t());
  }
}

std::vector<double> PlacedTensor::values() const {
  std::vector<double> all;
  all.reserve(static_cast<size_t>(elements()));
  forEachIndex(shape, [&](const std::vector<int64_t> &index) { all.push_back(get(place(index))); });
  return all;
}

namespace {

/// A number from a hash of where it stands, so that no value depends on the order in which they are made.
class Noise {
public:
  Noise(uint64_t seed, uint64_t stream) : state(seed * 0x9e3779b97f4a7c15ull + stream) {}

  uint64_t bits() {
    state += 0x9e3779b97f4a7c15ull;
    uint64_t x = state;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
    return x ^ (x >> 31);
  }
  int64_t below(int64_t limit) { return static_cast<int64_t>(bits() % static_cast<uint64_t>(limit)); }

  /// Mean 0, deviation 1, nearly normal: four uniform numbers.
  double normal() {
    uint64_t x = bits();
    double sum = 0;
    for (int i = 0; i != 4; ++i)
      sum += static_cast<double>((x >> (16 * i)) & 0xffff);
    return (sum / 65535.0 - 2.0) * 1.7320508075688772;
  }

private:
  uint64_t state;
};

/// Strides for (batch, length, heads, dim), or without dim; `Shared` is the dimension that broadcasts.
PlacedTensor makeTensor(const Case &c, const char *name, DType type, std::vector<int64_t> shape, int shared) {
  bool hasDim = shape.size() == 4;
  int64_t dim = hasDim ? shape[3] : 1, Heads = shape[2], length = shape[1];
  std::vector<int64_t> strides;
  int64_t offset = 0;
  if (c.is(Layout, "head_major")) {
    strides = {Heads * length * dim, dim, length * dim};
  } else {
    // Eight elements of 16 bits are the 16 bytes that fast copies want; three spoil that, and so does the offset.
    int64_t gap = c.is(Layout, "padded") ? 8 : c.is(Layout, "odd") ? 3 : 0;
    int64_t row = dim + gap, token = Heads * row + gap;
    strides = {length * token + gap, token, row};
    offset = c.is(Layout, "odd") ? 1 : 0;
  }
  if (hasDim)
    strides.push_back(1);
  if (c.is(Layout, "broadcast") && shared >= 0)
    strides[static_cast<size_t>(shared)] = 0;
  return PlacedTensor(name, type, std::move(shape), std::move(strides), offset);
}

/// One number per head (or batch); every second place is a gap when the layout has gaps.
PlacedTensor makeVector(const Case &c, const char *name, DType type, int64_t size) {
  int64_t step = c.is(Layout, "padded") || c.is(Layout, "odd") ? 2 : 1;
  return PlacedTensor(name, type, {size}, {step});
}

/// Rounds to 8 significant bits, which every type of the cases holds.
double rounded(double value) {
  int exponent = 0;
  double fraction = std::frexp(value, &exponent);
  return std::ldexp(std::nearbyint(std::ldexp(fraction, 8)), exponent - 8);
}

struct Maker {
  const Case &c;
  Arguments all;
  std::vector<int64_t> Lengths; ///< of keys, per batch, clamped
  double magnitude = 0;         ///< of the scale

  PlacedTensor &input(PlacedTensor tensor) {
    all.inputs.push_back(std::move(tensor));
    return all.inputs.back();
  }

  void scale() {
    magnitude = 1 / std::sqrt(static_cast<double>(c.headDim()));
    if (c.is(Scale, "static"))
      magnitude = StaticScale;
    all.hasScale = c.on(Scale) && !c.is(Scale, "static");
    if (!all.hasScale)
      return;
    all.scaleValue = c.is(Scale, "zero") ? 0.0f : c.is(Scale, "positive") ? 0.17f : -0.21f;
    if (all.scaleValue != 0)
      magnitude = std::fabs(all.scaleValue);
  }

  void lengths() {
    Lengths.assign(static_cast<size_t>(c.batch()), c.keys());
    if (!c.on(Lens))
      return;
    Noise random(c.seed(), 1);
    std::vector<int64_t> given;
    for (int64_t b = 0; b != c.batch(); ++b)
      given.push_back(random.below(c.keys() + 1));
    // One of two sequences is an extreme: empty, full, or a number that must be clamped.
    int64_t extremes[] = {0, c.keys(), c.keys() + 7, -3};
    if (c.batch() > 1)
      given[static_cast<size_t>(random.below(c.batch()))] = extremes[random.below(4)];
    PlacedTensor &tensor = input(makeVector(c, "kv_lens", DType::I32, c.batch()));
    for (int64_t b = 0; b != c.batch(); ++b) {
      tensor.set(tensor.place({b}), static_cast<double>(given[static_cast<size_t>(b)]));
      Lengths[static_cast<size_t>(b)] = std::clamp<int64_t>(given[static_cast<size_t>(b)], 0, c.keys());
    }
  }

  /// The two factors whose products, summed over all but four columns, make the wanted logit.
  std::pair<double, double> factors() const {
    double logit = c.is(Data, "large") ? 1e4 : -2.45e5;
    double product = std::fabs(logit) / (magnitude * static_cast<double>(c.headDim() - 4));
    double key = std::exp2(std::floor(std::log2(product) / 2));
    return {std::copysign(rounded(product / key), logit), key};
  }

  double queryOrKey(bool isQuery, int64_t column, Noise &random) const {
    if (c.is(Data, "random") || (c.is(Data, "index") && !isQuery))
      return random.normal();
    if (c.is(Data, "index"))
      return 0; // all scores are equal
    // Multiples of one half: their products and the large ones add up in f32 without any rounding, in any order.
    if (column < 4)
      return static_cast<double>(random.below(17) - 8) * 0.5;
    auto [query, key] = factors();
    return isQuery ? query : key;
  }

  /// Signs by the parity of some low bits of the key's index. Neighbours cancel, so sums over any run of keys stay
  /// small, as does what rounding does to them, and one key too many or too few stands out.
  static double indexCode(int64_t key, int64_t column) {
    return std::popcount(static_cast<uint64_t>(key & (1 + column % 7))) % 2 ? -1.0 : 1.0;
  }

  void sequences() {
    DType type = *typeNamed(c.value(ElementType));
    PlacedTensor &query = input(makeTensor(c, "q", type, {c.batch(), c.queries(), c.heads(), c.headDim()}, 2));
    Noise queryNoise(c.seed(), 2);
    forEachIndex(query.shape, [&](const std::vector<int64_t> &at) {
      query.set(query.place(at), queryOrKey(true, at[3], queryNoise));
    });
    PlacedTensor &key = input(makeTensor(c, "k", type, {c.batch(), c.keys(), c.keyHeads(), c.headDim()}, 2));
    Noise keyNoise(c.seed(), 3);
    forEachIndex(key.shape, [&](const std::vector<int64_t> &at) {
      double value = queryOrKey(false, at[3], keyNoise);
      if (at[1] < Lengths[static_cast<size_t>(at[0])])
        key.set(key.place(at), value);
    });
    PlacedTensor &values = input(makeTensor(c, "v", type, {c.batch(), c.keys(), c.keyHeads(), c.valueDim()}, 0));
    Noise valueNoise(c.seed(), 4);
    forEachIndex(values.shape, [&](const std::vector<int64_t> &at) {
      double value = c.is(Data, "index") ? indexCode(at[1], at[3]) : valueNoise.normal();
      if (at[1] < Lengths[static_cast<size_t>(at[0])])
        values.set(values.place(at), value);
    });
  }

  void parameters() {
    bool equal = c.is(Data, "index");
    if (c.on(Alibi)) {
      PlacedTensor &slopes = input(makeVector(c, "slopes", DType::F32, c.heads()));
      for (int64_t h = 0; h != c.heads(); ++h)
        slopes.set(slopes.place({h}),
                   equal ? 0 : std::exp2(-8.0 * static_cast<double>(h + 1) / static_cast<double>(c.heads())));
    }
    Noise random(c.seed(), 5);
    if (c.on(UserScore)) {
      PlacedTensor &table = input(PlacedTensor("table", DType::F32, {c.heads(), TableSize}, {TableSize, 1}));
      forEachIndex(table.shape,
                   [&](const std::vector<int64_t> &at) { table.set(table.place(at), equal ? 0 : random.normal()); });
    }
    if (c.on(Sink)) {
      PlacedTensor &sinkTensor = input(makeVector(c, "sink", DType::F32, c.heads()));
      for (int64_t h = 0; h != c.heads(); ++h)
        sinkTensor.set(sinkTensor.place({h}), equal ? 0 : random.normal());
    }
  }

  void outputs() {
    DType type = *typeNamed(c.value(ElementType));
    all.outputs.push_back(makeTensor(c, "o", type, {c.batch(), c.queries(), c.heads(), c.valueDim()}, -1));
    if (c.on(Lse))
      all.outputs.push_back(makeTensor(c, "lse", DType::F32, {c.batch(), c.queries(), c.heads()}, -1));
  }
};

} // namespace

Arguments makeArguments(const Case &c) {
  Maker m{c, {}, {}, 0};
  m.scale();
  m.lengths();
  m.sequences();
  m.parameters();
  m.outputs();
  return std::move(m.all);
}

} // namespace attn::cases
