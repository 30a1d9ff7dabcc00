// SPDX-License-Identifier: Apache-2.0
// Makes the data of a case: memory first, all NaN, then the elements that exist.
#include "test/cases/Arguments.h"
#include "test/cases/FunctionUses.h"
#include "test/cases/ListMasks.h"
#include "test/cases/Noise.h"
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
  case DType::I64:
    return store(static_cast<int64_t>(value));
  case DType::Bool:
    return store(static_cast<uint8_t>(value != 0));
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
  case DType::I64:
    return static_cast<double>(load(int64_t()));
  case DType::Bool:
    return load(uint8_t());
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

/// Strides for (batch, length, heads, dim), or without batch or dim; `Shared` is the dimension that broadcasts.
PlacedTensor makeTensor(const Case &c, const char *name, DType type, std::vector<int64_t> shape, int shared) {
  bool hasDim = std::string_view(name) != "lse";
  bool hasBatch = shape.size() == (hasDim ? 4 : 3);
  size_t first = hasBatch ? 1 : 0;
  int64_t dim = hasDim ? shape.back() : 1, Heads = shape[first + 1], length = shape[first];
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
  if (!hasBatch)
    strides.erase(strides.begin());
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
  std::vector<int64_t> Lengths;    ///< of keys, per sequence in memory, clamped
  std::vector<int64_t> queryShape; ///< of queries and results, heads and what follows left out
  double magnitude = 0;            ///< of the scale

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

  static bool oneOf(std::string_view value, std::initializer_list<std::string_view> all) {
    return std::find(all.begin(), all.end(), value) != all.end();
  }

  /// Sequences whose keys are held: fewer than there are where several share them.
  int64_t sequencesInMemory() const {
    if (oneOf(c.value(KeyPlace), {"shared", "shared_listed"}))
      return std::max<int64_t>(1, c.batch() / 2);
    return oneOf(c.value(KeyPlace), {"rows", "listed_shared"}) ? 3 : c.batch();
  }

  void lengths() {
    Noise random(c.seed(), 1);
    Lengths.assign(static_cast<size_t>(sequencesInMemory()), c.keys());
    bool takesLens =
        oneOf(c.value(KeyPlace), {"dense", "shared", "rows", "from", "listed", "listed_shared", "shared_listed"});
    if (!takesLens && c.batch() > 1) { // around a page, and around nothing
      int64_t page = c.pageSize(), near[] = {0, 1, page - 1, page, page + 1, c.keys()};
      for (size_t b = 0; b != Lengths.size(); ++b)
        Lengths[b] = std::min(c.keys(), near[(b + static_cast<size_t>(c.seed() % 6)) % 6]);
    }
    if (!c.on(Lens) || !takesLens)
      return;
    std::vector<int64_t> given;
    int64_t sequences = static_cast<int64_t>(Lengths.size());
    for (int64_t b = 0; b != sequences; ++b)
      given.push_back(random.below(c.keys() + 1));
    // One of two sequences is an extreme: empty, full, or a number that must be clamped.
    int64_t extremes[] = {0, c.keys(), c.keys() + 7, -3};
    if (sequences > 1)
      given[static_cast<size_t>(random.below(sequences))] = extremes[random.below(4)];
    PlacedTensor &tensor = input(makeVector(c, "kv_lens", DType::I32, sequences));
    for (int64_t b = 0; b != sequences; ++b) {
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

  /// The elements of a tensor of keys or values in memory: those that `used` admits, by their index in it and the
  /// number of the entry in its sequence.
  template <typename Used> void fill(PlacedTensor &tensor, bool isValue, Used &&used) {
    Noise random(c.seed(), isValue ? 4 : 3);
    forEachIndex(tensor.shape, [&](const std::vector<int64_t> &at) {
      int64_t column = at.back();
      double drawn = isValue && !c.is(Data, "index") ? random.normal()
                     : isValue                       ? 0
                                                     : queryOrKey(false, column, random);
      int64_t entry = used(at);
      if (entry >= 0)
        tensor.set(tensor.place(at), isValue && c.is(Data, "index") ? indexCode(entry, column) : drawn);
    });
  }

  /// Keys and values of a shape without heads and columns.
  template <typename Used> void keysAndValues(const std::string &suffix, std::vector<int64_t> shape, Used &&used) {
    DType type = *typeNamed(c.value(ElementType));
    for (bool isValue : {false, true}) {
      std::vector<int64_t> whole = shape;
      whole.push_back(c.keyHeads());
      whole.push_back(isValue ? c.valueDim() : c.headDim());
      fill(input(makeTensor(c, ((isValue ? "v" : "k") + suffix).c_str(), type, whole, isValue ? 0 : 2)), isValue, used);
    }
  }

  PlacedTensor &integers(const char *name, std::vector<int64_t> shape, DType type = DType::I32) {
    std::vector<int64_t> strides(shape.size(), 1);
    for (size_t i = shape.size(); i-- > 1;)
      strides[i - 1] = strides[i] * std::max<int64_t>(shape[i], 1);
    return input(PlacedTensor(name, type, shape, strides));
  }

  /// Where packed sequences of these lengths begin, and where the last one ends.
  void ends(const char *name, const std::vector<int64_t> &lengthsOf, DType type) {
    PlacedTensor &tensor = integers(name, {static_cast<int64_t>(lengthsOf.size()) + 1}, type);
    int64_t end = 0;
    for (size_t b = 0; b <= lengthsOf.size(); ++b) {
      tensor.set(tensor.place({static_cast<int64_t>(b)}), static_cast<double>(end));
      end += b < lengthsOf.size() ? lengthsOf[b] : 0;
    }
  }

  /// Positions that increase from a random one on: by one, or by up to three.
  void positions(const char *name, int64_t sequences, int64_t entries) {
    Noise random(c.seed(), 6);
    PlacedTensor &tensor = integers(name, {sequences, entries});
    for (int64_t b = 0; b != sequences; ++b)
      for (int64_t j = 0, at = random.below(40) - 10; j != entries; ++j, at += 1 + random.below(3))
        tensor.set(tensor.place({b, j}), static_cast<double>(at));
  }

  /// The same for sequences one behind the other.
  void packedPositions(const char *name, const std::vector<int64_t> &lengthsOf) {
    Noise random(c.seed(), 6);
    int64_t total = 0, place = 0;
    for (int64_t length : lengthsOf)
      total += length;
    PlacedTensor &tensor = integers(name, {total});
    for (int64_t length : lengthsOf)
      for (int64_t j = 0, at = random.below(40) - 10; j != length; ++j, at += 1 + random.below(3))
        tensor.set(tensor.place({place++}), static_cast<double>(at));
  }

  void perSequence(const char *name, int64_t sequences, int64_t below) {
    Noise random(c.seed(), 7);
    PlacedTensor &tensor = integers(name, {sequences});
    for (int64_t b = 0; b != sequences; ++b)
      tensor.set(tensor.place({b}), static_cast<double>(random.below(below)));
  }

  /// Pages of the sequences in a random order of all pages of the pool, a few of which belong to nobody. Slots that no
  /// sequence uses hold a number that is no page. Some sequences share their first page.
  void pages(const std::vector<int64_t> &used) {
    int64_t size = c.pageSize(), most = (c.keys() + size - 1) / size + 1, needed = 2;
    for (int64_t length : used)
      needed += (length + size - 1) / size;
    std::vector<int64_t> order(static_cast<size_t>(needed));
    for (int64_t page = 0; page != needed; ++page)
      order[static_cast<size_t>(page)] = page;
    Noise random(c.seed(), 8);
    bool runs = c.is(KeyPlace, "runs16");
    for (size_t i = order.size(); !runs && i-- > 1;)
      std::swap(order[i], order[static_cast<size_t>(random.below(static_cast<int64_t>(i) + 1))]);
    int64_t sequences = static_cast<int64_t>(used.size());
    std::vector<int64_t> shape{sequences, most};
    if (runs)
      shape.push_back(2);
    PlacedTensor &table = integers("pages", shape);
    forEachIndex(shape, [&](const std::vector<int64_t> &at) { table.set(table.place(at), 2147480000); });
    std::vector<int64_t> entryOf(static_cast<size_t>(needed * size), -1);
    int64_t next = 1;
    for (int64_t b = 0; b != sequences; ++b) {
      int64_t length = used[static_cast<size_t>(b)], count = (length + size - 1) / size, run = 0;
      for (int64_t n = 0; n < count;) {
        int64_t together = runs ? std::min(count - n, 1 + random.below(3)) : 1;
        int64_t first = order[static_cast<size_t>(next)];
        table.set(table.place(runs ? std::vector<int64_t>{b, run, 0} : std::vector<int64_t>{b, run}),
                  static_cast<double>(first));
        if (runs)
          table.set(table.place({b, run, 1}), static_cast<double>(together));
        for (int64_t slot = 0; slot != together * size && n * size + slot < length; ++slot)
          entryOf[static_cast<size_t>(first * size + slot)] = n * size + slot;
        next += together, n += together, ++run;
      }
    }
    PlacedTensor &lens = integers("used", {sequences});
    for (int64_t b = 0; b != sequences; ++b)
      lens.set(lens.place({b}), static_cast<double>(used[static_cast<size_t>(b)]));
    keysAndValues("", {needed, size},
                  [&](const std::vector<int64_t> &at) { return entryOf[static_cast<size_t>(at[0] * size + at[1])]; });
  }

  /// For each entry a sequence that has it.
  void rowOfEntries() {
    Noise random(c.seed(), 9);
    PlacedTensor &tensor = integers("row_of", {c.batch(), c.keys()});
    forEachIndex(tensor.shape, [&](const std::vector<int64_t> &at) {
      if (at[1] >= Lengths[static_cast<size_t>(at[0])])
        return tensor.set(tensor.place(at), 2147480000);
      int64_t row = at[0], other = random.below(c.batch());
      if (at[1] < Lengths[static_cast<size_t>(other)])
        row = other;
      tensor.set(tensor.place(at), static_cast<double>(row));
    });
  }

  void keyPlaces() {
    std::string_view place = c.value(KeyPlace);
    if (place.starts_with("pages") || oneOf(place, {"runs16", "page_entries"})) {
      pages(Lengths);
    } else if (place == "joined") {
      // A third of the keys before the pages, and five behind them.
      keysAndValues("_prefix", {1, c.keys() / 3}, [](const std::vector<int64_t> &at) { return at[1]; });
      pages(Lengths);
      keysAndValues("_new", {c.batch(), 5}, [](const std::vector<int64_t> &at) { return at[1]; });
    } else if (oneOf(place, {"ragged", "packed_listed"})) {
      ends("kv_ends", Lengths, DType::I32);
      int64_t total = 0;
      for (int64_t length : Lengths)
        total += length;
      keysAndValues("", {total}, [](const std::vector<int64_t> &at) { return at[0]; });
    } else {
      if (oneOf(place, {"entries", "listed_entries"})) // no lengths: all entries of all rows exist
        Lengths.assign(Lengths.size(), c.keys());
      keysAndValues("", {static_cast<int64_t>(Lengths.size()), c.keys()}, [&](const std::vector<int64_t> &at) {
        return at[1] < Lengths[static_cast<size_t>(at[0])] ? at[1] : -1;
      });
    }
    if (oneOf(place, {"rows", "listed_shared"}))
      perSequence("row_of", c.batch(), 3);
    if (oneOf(place, {"entries", "page_entries", "listed_entries"}))
      rowOfEntries();
    if (place == "from")
      perSequence("kv_first", c.batch(), 50);
    if (place == "packed_listed")
      packedPositions("kv_positions", Lengths);
    else if (place.find("listed") != place.npos)
      positions("kv_positions", place == "listed_shared" ? 3 : c.batch(), c.keys());
  }

  void sequences() {
    DType type = *typeNamed(c.value(ElementType));
    queryShape = {c.batch(), c.queries()};
    std::vector<int64_t> lengthsOf;
    if (oneOf(c.value(QueryPlace), {"ragged", "packed_from", "packed_listed"})) {
      for (int64_t b = 0; b != c.batch(); ++b) // none, one, all, and something between
        lengthsOf.push_back(c.batch() == 1 || b % 4 == 2 ? c.queries() : b % 4 == 3 ? c.queries() / 2 + 1 : b % 4);
      queryShape = {0};
      for (int64_t length : lengthsOf)
        queryShape[0] += length;
      ends("q_ends", lengthsOf, DType::I64);
    }
    std::vector<int64_t> whole = queryShape;
    whole.insert(whole.end(), {c.heads(), c.headDim()});
    PlacedTensor &query = input(makeTensor(c, "q", type, whole, 2));
    Noise queryNoise(c.seed(), 2);
    forEachIndex(query.shape, [&](const std::vector<int64_t> &at) {
      query.set(query.place(at), queryOrKey(true, at.back(), queryNoise));
    });
    if (oneOf(c.value(QueryPlace), {"from", "packed_from"}))
      perSequence("q_first", c.batch(), 90);
    if (c.is(QueryPlace, "listed"))
      positions("q_positions", c.batch(), c.queries());
    if (c.is(QueryPlace, "packed_listed"))
      packedPositions("q_positions", lengthsOf);
    keyPlaces();
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
    if (c.on(Reweight)) {
      PlacedTensor &factors = input(PlacedTensor("factors", DType::F32, {c.heads(), TableSize}, {TableSize, 1}));
      Noise numbers(c.seed(), 9);
      forEachIndex(factors.shape, [&](const std::vector<int64_t> &index) {
        factors.set(factors.place(index), numbers.normal() + 1.5);
      });
    }
    if (c.is(Sums, "sampled") || c.is(Sums, "alone_sampled")) {
      int64_t rows = (c.queries() + 6) / 7;
      PlacedTensor &sampled = input(PlacedTensor("sampled", DType::I32, {rows}, {1}));
      for (int64_t i = 0; i != rows; ++i)
        sampled.set(sampled.place({i}), static_cast<double>(std::min(i * 7 + i % 3, c.queries() - 1)));
    }
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
    if (c.on(Listed))
      addLists(c, all);
    addFunctionTensors(c, all);
  }

  /// The last entries of every sequence come from tensors of their own, and are NaN where they will be written: caches
  /// are results as well.
  void append() {
    constexpr int64_t added = 3;
    DType type = *typeNamed(c.value(ElementType));
    Noise random(c.seed(), 10);
    for (const char *name : {"k", "v"}) {
      auto cache =
          std::find_if(all.inputs.begin(), all.inputs.end(), [&](auto &tensor) { return tensor.name == name; });
      int64_t dim = cache->shape.back();
      PlacedTensor fresh(std::string(name) + "_added", type, {c.batch(), added, c.keyHeads(), dim},
                         {added * c.keyHeads() * dim, c.keyHeads() * dim, dim, 1});
      forEachIndex(fresh.shape, [&](const std::vector<int64_t> &at) {
        fresh.set(fresh.place(at), *name == 'k' ? queryOrKey(false, at.back(), random) : random.normal());
      });
      for (int64_t b = 0; b != c.batch(); ++b)
        for (int64_t i = 1; i <= std::min(added, Lengths[static_cast<size_t>(b)]); ++i)
          spoil(*cache, b, Lengths[static_cast<size_t>(b)] - i);
      cache->updated = true;
      all.outputs.push_back(std::move(*cache));
      all.inputs.erase(cache);
      all.inputs.push_back(std::move(fresh));
    }
  }

  /// Makes an entry of a cache NaN.
  void spoil(PlacedTensor &cache, int64_t b, int64_t entry) {
    std::vector<int64_t> at{b, entry, 0, 0};
    if (c.on(KeyPlace)) {
      const PlacedTensor &table =
          *std::find_if(all.inputs.begin(), all.inputs.end(), [](auto &tensor) { return tensor.name == "pages"; });
      int64_t page = entry / c.pageSize(), run = 0;
      at[1] = entry % c.pageSize();
      if (table.shape.size() == 2) {
        at[0] = static_cast<int64_t>(table.get(table.place({b, page})));
      } else {
        for (int64_t count; page >= (count = static_cast<int64_t>(table.get(table.place({b, run, 1})))); ++run)
          page -= count;
        at[0] = static_cast<int64_t>(table.get(table.place({b, run, 0}))) + page;
      }
    }
    for (at[2] = 0; at[2] != c.keyHeads(); ++at[2])
      for (at[3] = 0; at[3] != cache.shape.back(); ++at[3])
        cache.set(cache.place(at), std::numeric_limits<double>::quiet_NaN());
  }

  /// (batch, heads, cells), with gaps between all of them where layouts have some.
  PlacedTensor sums() {
    int64_t cells = c.cells(), gap = c.is(Layout, "padded") ? 8 : c.is(Layout, "odd") ? 3 : 0;
    if (!c.sumsDistances() && c.is(KeyPlace, "dense"))
      for (const PlacedTensor &tensor : all.inputs)
        if (tensor.name == "k")
          cells = tensor.shape[1];
    int64_t step = gap ? 2 : 1, row = cells * step + gap;
    return PlacedTensor("sums", DType::F32, {c.batch(), c.heads(), cells}, {c.heads() * row + gap, row, step});
  }

  void outputs() {
    std::vector<int64_t> output = queryShape, lse = queryShape;
    output.insert(output.end(), {c.heads(), c.valueDim()});
    lse.push_back(c.heads());
    if (!c.sumsAlone())
      all.outputs.push_back(makeTensor(c, "o", *typeNamed(c.outputType()), output, -1));
    if (c.on(Lse))
      all.outputs.push_back(makeTensor(c, "lse", DType::F32, lse, -1));
    if (c.on(Sums))
      all.outputs.push_back(sums());
    if (c.is(Step, "append"))
      append();
  }
};

} // namespace

Arguments makeArguments(const Case &c) {
  Maker m{c, {}, {}, {}, 0};
  m.scale();
  m.lengths();
  m.sequences();
  m.parameters();
  m.outputs();
  return std::move(m.all);
}

bool isPerSequence(const Case &c, const std::string &name) {
  if (name == "slopes" || name == "table" || name == "factors" || name == "sink" || name == "sampled" ||
      name.ends_with("_prefix"))
    return false;
  for (const char *list : {"slashes", "slash_count", "kinds", "block_ends", "blocks"})
    if (name == list)
      return false;
  bool pool = c.value(KeyPlace).starts_with("pages") || c.is(KeyPlace, "runs16") || c.is(KeyPlace, "joined");
  return !pool || (name != "k" && name != "v");
}

} // namespace attn::cases
