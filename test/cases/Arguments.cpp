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

PlacedTensor::PlacedTensor(std::string TheName, DType TheType, std::vector<int64_t> TheShape,
                       std::vector<int64_t> TheStrides, int64_t TheOffset)
    : Name(std::move(TheName)), Type(TheType), Shape(std::move(TheShape)), Strides(std::move(TheStrides)),
      Offset(TheOffset) {
  int64_t Last = Offset;
  for (size_t I = 0; I != Shape.size(); ++I)
    Last += (Shape[I] - 1) * Strides[I];
  int64_t Places = elements() == 0 ? 0 : Last + 1;
  Memory.resize(static_cast<size_t>(Places) * sizeOf(Type));
  for (int64_t Place = 0; Place != Places; ++Place)
    set(Place, isFloat(Type) ? std::numeric_limits<double>::quiet_NaN() : -1);
}

int64_t PlacedTensor::elements() const {
  int64_t Count = 1;
  for (int64_t Size : Shape)
    Count *= Size;
  return Count;
}

int64_t PlacedTensor::place(const std::vector<int64_t> &Index) const {
  int64_t Place = Offset;
  for (size_t I = 0; I != Index.size(); ++I)
    Place += Index[I] * Strides[I];
  return Place;
}

void PlacedTensor::set(int64_t Place, double Value) {
  std::byte *At = Memory.data() + static_cast<size_t>(Place) * sizeOf(Type);
  auto Store = [&](auto Bits) { std::memcpy(At, &Bits, sizeof Bits); };
  switch (Type) {
  case DType::F16:
    return Store(toF16(static_cast<float>(Value)));
  case DType::BF16:
    return Store(toBF16(static_cast<float>(Value)));
  case DType::F32:
    return Store(static_cast<float>(Value));
  default:
    return Store(static_cast<int32_t>(Value)); // I32: the cases have no other type
  }
}

double PlacedTensor::get(int64_t Place) const {
  const std::byte *At = Memory.data() + static_cast<size_t>(Place) * sizeOf(Type);
  auto Load = [&](auto Bits) {
    std::memcpy(&Bits, At, sizeof Bits);
    return Bits;
  };
  switch (Type) {
  case DType::F16:
    return fromF16(Load(uint16_t()));
  case DType::BF16:
    return fromBF16(Load(uint16_t()));
  case DType::F32:
    return Load(float());
  default:
    return Load(int32_t());
  }
}

std::vector<double> PlacedTensor::values() const {
  std::vector<double> All;
  All.reserve(static_cast<size_t>(elements()));
  forEachIndex(Shape, [&](const std::vector<int64_t> &Index) { All.push_back(get(place(Index))); });
  return All;
}

namespace {

/// A number from a hash of where it stands, so that no value depends on the order in which they are made.
class Noise {
public:
  Noise(uint64_t Seed, uint64_t Stream) : State(Seed * 0x9e3779b97f4a7c15ull + Stream) {}

  uint64_t bits() {
    State += 0x9e3779b97f4a7c15ull;
    uint64_t X = State;
    X = (X ^ (X >> 30)) * 0xbf58476d1ce4e5b9ull;
    X = (X ^ (X >> 27)) * 0x94d049bb133111ebull;
    return X ^ (X >> 31);
  }
  int64_t below(int64_t Limit) { return static_cast<int64_t>(bits() % static_cast<uint64_t>(Limit)); }

  /// Mean 0, deviation 1, nearly normal: four uniform numbers.
  double normal() {
    uint64_t X = bits();
    double Sum = 0;
    for (int I = 0; I != 4; ++I)
      Sum += static_cast<double>((X >> (16 * I)) & 0xffff);
    return (Sum / 65535.0 - 2.0) * 1.7320508075688772;
  }

private:
  uint64_t State;
};

/// Strides for (batch, length, heads, dim), or without dim; `Shared` is the dimension that broadcasts.
PlacedTensor makeTensor(const Case &C, const char *Name, DType Type, std::vector<int64_t> Shape, int Shared) {
  bool HasDim = Shape.size() == 4;
  int64_t Dim = HasDim ? Shape[3] : 1, Heads = Shape[2], Length = Shape[1];
  std::vector<int64_t> Strides;
  int64_t Offset = 0;
  if (C.is(Layout, "head_major")) {
    Strides = {Heads * Length * Dim, Dim, Length * Dim};
  } else {
    // Eight elements of 16 bits are the 16 bytes that fast copies want; three spoil that, and so does the offset.
    int64_t Gap = C.is(Layout, "padded") ? 8 : C.is(Layout, "odd") ? 3 : 0;
    int64_t Row = Dim + Gap, Token = Heads * Row + Gap;
    Strides = {Length * Token + Gap, Token, Row};
    Offset = C.is(Layout, "odd") ? 1 : 0;
  }
  if (HasDim)
    Strides.push_back(1);
  if (C.is(Layout, "broadcast") && Shared >= 0)
    Strides[static_cast<size_t>(Shared)] = 0;
  return PlacedTensor(Name, Type, std::move(Shape), std::move(Strides), Offset);
}

/// One number per head (or batch); every second place is a gap when the layout has gaps.
PlacedTensor makeVector(const Case &C, const char *Name, DType Type, int64_t Size) {
  int64_t Step = C.is(Layout, "padded") || C.is(Layout, "odd") ? 2 : 1;
  return PlacedTensor(Name, Type, {Size}, {Step});
}

/// Rounds to 8 significant bits, which every type of the cases holds.
double rounded(double Value) {
  int Exponent = 0;
  double Fraction = std::frexp(Value, &Exponent);
  return std::ldexp(std::nearbyint(std::ldexp(Fraction, 8)), Exponent - 8);
}

struct Maker {
  const Case &C;
  Arguments All;
  std::vector<int64_t> Lengths; ///< of keys, per batch, clamped
  double Magnitude = 0;         ///< of the scale

  PlacedTensor &input(PlacedTensor Tensor) {
    All.Inputs.push_back(std::move(Tensor));
    return All.Inputs.back();
  }

  void scale() {
    Magnitude = 1 / std::sqrt(static_cast<double>(C.headDim()));
    if (C.is(Scale, "static"))
      Magnitude = StaticScale;
    All.HasScale = C.on(Scale) && !C.is(Scale, "static");
    if (!All.HasScale)
      return;
    All.ScaleValue = C.is(Scale, "zero") ? 0.0f : C.is(Scale, "positive") ? 0.17f : -0.21f;
    if (All.ScaleValue != 0)
      Magnitude = std::fabs(All.ScaleValue);
  }

  void lengths() {
    Lengths.assign(static_cast<size_t>(C.batch()), C.keys());
    if (!C.on(Lens))
      return;
    Noise Random(C.seed(), 1);
    std::vector<int64_t> Given;
    for (int64_t B = 0; B != C.batch(); ++B)
      Given.push_back(Random.below(C.keys() + 1));
    // One of two sequences is an extreme: empty, full, or a number that must be clamped.
    int64_t Extremes[] = {0, C.keys(), C.keys() + 7, -3};
    if (C.batch() > 1)
      Given[static_cast<size_t>(Random.below(C.batch()))] = Extremes[Random.below(4)];
    PlacedTensor &Tensor = input(makeVector(C, "kv_lens", DType::I32, C.batch()));
    for (int64_t B = 0; B != C.batch(); ++B) {
      Tensor.set(Tensor.place({B}), static_cast<double>(Given[static_cast<size_t>(B)]));
      Lengths[static_cast<size_t>(B)] = std::clamp<int64_t>(Given[static_cast<size_t>(B)], 0, C.keys());
    }
  }

  /// The two factors whose products, summed over all but four columns, make the wanted logit.
  std::pair<double, double> factors() const {
    double Logit = C.is(Data, "large") ? 1e4 : -2.45e5;
    double Product = std::fabs(Logit) / (Magnitude * static_cast<double>(C.headDim() - 4));
    double Key = std::exp2(std::floor(std::log2(Product) / 2));
    return {std::copysign(rounded(Product / Key), Logit), Key};
  }

  double queryOrKey(bool IsQuery, int64_t Column, Noise &Random) const {
    if (C.is(Data, "random") || (C.is(Data, "index") && !IsQuery))
      return Random.normal();
    if (C.is(Data, "index"))
      return 0; // all scores are equal
    // Multiples of one half: their products and the large ones add up in f32 without any rounding, in any order.
    if (Column < 4)
      return static_cast<double>(Random.below(17) - 8) * 0.5;
    auto [Query, Key] = factors();
    return IsQuery ? Query : Key;
  }

  /// Signs by the parity of some bits of the key's index: neighbours cancel, so that one key alone stands out.
  static double indexCode(int64_t Key, int64_t Column) {
    return std::popcount(static_cast<uint64_t>(Key & (Column + 1))) % 2 ? -1.0 : 1.0;
  }

  void sequences() {
    DType Type = *typeNamed(C.value(ElementType));
    PlacedTensor &Query = input(makeTensor(C, "q", Type, {C.batch(), C.queries(), C.heads(), C.headDim()}, 2));
    Noise QueryNoise(C.seed(), 2);
    forEachIndex(Query.Shape, [&](const std::vector<int64_t> &At) {
      Query.set(Query.place(At), queryOrKey(true, At[3], QueryNoise));
    });
    PlacedTensor &Key = input(makeTensor(C, "k", Type, {C.batch(), C.keys(), C.keyHeads(), C.headDim()}, 2));
    Noise KeyNoise(C.seed(), 3);
    forEachIndex(Key.Shape, [&](const std::vector<int64_t> &At) {
      double Value = queryOrKey(false, At[3], KeyNoise);
      if (At[1] < Lengths[static_cast<size_t>(At[0])])
        Key.set(Key.place(At), Value);
    });
    PlacedTensor &Values = input(makeTensor(C, "v", Type, {C.batch(), C.keys(), C.keyHeads(), C.valueDim()}, 0));
    Noise ValueNoise(C.seed(), 4);
    forEachIndex(Values.Shape, [&](const std::vector<int64_t> &At) {
      double Value = C.is(Data, "index") ? indexCode(At[1], At[3]) : ValueNoise.normal();
      if (At[1] < Lengths[static_cast<size_t>(At[0])])
        Values.set(Values.place(At), Value);
    });
  }

  void parameters() {
    bool Equal = C.is(Data, "index");
    if (C.on(Alibi)) {
      PlacedTensor &Slopes = input(makeVector(C, "slopes", DType::F32, C.heads()));
      for (int64_t H = 0; H != C.heads(); ++H)
        Slopes.set(Slopes.place({H}),
                   Equal ? 0 : std::exp2(-8.0 * static_cast<double>(H + 1) / static_cast<double>(C.heads())));
    }
    Noise Random(C.seed(), 5);
    if (C.on(UserScore)) {
      PlacedTensor &Table = input(PlacedTensor("table", DType::F32, {C.heads(), TableSize}, {TableSize, 1}));
      forEachIndex(Table.Shape, [&](const std::vector<int64_t> &At) {
        Table.set(Table.place(At), Equal ? 0 : Random.normal());
      });
    }
    if (C.on(Sink)) {
      PlacedTensor &SinkTensor = input(makeVector(C, "sink", DType::F32, C.heads()));
      for (int64_t H = 0; H != C.heads(); ++H)
        SinkTensor.set(SinkTensor.place({H}), Equal ? 0 : Random.normal());
    }
  }

  void outputs() {
    DType Type = *typeNamed(C.value(ElementType));
    All.Outputs.push_back(makeTensor(C, "o", Type, {C.batch(), C.queries(), C.heads(), C.valueDim()}, -1));
    if (C.on(Lse))
      All.Outputs.push_back(makeTensor(C, "lse", DType::F32, {C.batch(), C.queries(), C.heads()}, -1));
  }
};

} // namespace

Arguments makeArguments(const Case &C) {
  Maker M{C, {}, {}, 0};
  M.scale();
  M.lengths();
  M.sequences();
  M.parameters();
  M.outputs();
  return std::move(M.All);
}

} // namespace attn::cases
