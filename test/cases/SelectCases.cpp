// SPDX-License-Identifier: Apache-2.0
// Writes specs of selections and makes their data.
#include "test/cases/StepCases.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

namespace attn::cases {

namespace {

constexpr int64_t lengths[] = {5000, 0, 1, 33, 512, 2049, 777};
constexpr int64_t rooms[] = {6000, 0, 1, 40, 700}; ///< how much a list has room for
constexpr int64_t tops[] = {37, -1, 0, 1, 512, 1LL << 40};
constexpr double shares[] = {0.5, 0, 0.25, 0.875, 0.999, 1, 1.5, -0.5};
constexpr std::string_view kinds[] = {"even", "wide", "few", "equal", "signed", "special", "plus", "minus"};
constexpr std::string_view integerTypes[] = {"i32", "i64"};

class SelectMaker {
public:
  SelectMaker(const std::vector<size_t> &at, size_t number, bool byShare)
      : byShare(byShare), length(lengths[at[0]]), room(rooms[at[1]]), kind(kinds[at[2]]), below(at[3] != 0),
        odd(at[4] != 0), listType(integerTypes[at[5]]), countType(integerTypes[at[6]]), batch(at[7] ? 3 : 1),
        heads(at[7] ? 2 : 3), random(200 + number) {
    if (byShare && kind == "wide" && shares[at[8]] == 1)
      kind = "even"; // of all weight the least entries are part, which are below a unit
    if (byShare)
      made.given.scalars.emplace("most", shares[at[8]]);
    else
      made.given.scalars.emplace("most", tops[at[8]]);
    std::string most = byShare ? fmt::format("cover{}", shares[at[8]]) : fmt::format("top{}", tops[at[8]]);
    made.name = fmt::format("select{:03}.{}.{}of{}.{}.{}_{}{}{}", number, most, room, length, kind, listType, countType,
                            below ? ".below" : "", odd ? ".odd" : "");
  }

  StepCase make() {
    made.spec = fmt::format(R"(!sums = tensor<?x{0}x?xf32, #attn.dims<batch, heads, entries>>
!list = tensor<?x{0}x{8}x{1}, #attn.dims<batch, heads, room>>
!count = tensor<?x{0}x{2}, #attn.dims<batch, heads>>
!below = tensor<?x{1}, #attn.dims<batch>>
attn.kernel @case(%sums: !sums, %most: {3}{4}) -> (list: !list, count: !count) {{
  %list, %count = attn.select %sums {5} %most{6} : (!sums, {3}{7}) -> (!list, !count)
  attn.return %list, %count : !list, !count
}}
)",
                            heads, listType, countType, byShare ? "f32" : "index", below ? ", %below: !below" : "",
                            byShare ? "cover" : "top", below ? " below %below" : "", below ? ", !below" : "", room);
    made.given.inputs.push_back(sums());
    if (below)
      made.given.inputs.push_back(lengthsBelow());
    made.given.outputs.push_back(poisoned("list", listType, {batch, heads, room}));
    made.given.outputs.push_back(poisoned("count", countType, {batch, heads}));
    return std::move(made);
  }

private:
  PlacedTensor placed(const std::string &name, std::string_view type, std::vector<int64_t> shape) const {
    std::vector<int64_t> strides(shape.size(), odd ? 2 : 1);
    for (size_t d = shape.size() - 1; d-- > 0;)
      strides[d] = strides[d + 1] * std::max<int64_t>(1, shape[d + 1]) + (odd ? 3 : 0);
    return PlacedTensor(name, *typeNamed(type), std::move(shape), std::move(strides), odd ? 1 : 0);
  }

  /// What a list holds before must not be what stands behind its end.
  PlacedTensor poisoned(const std::string &name, std::string_view type, std::vector<int64_t> shape) const {
    PlacedTensor tensor = placed(name, type, std::move(shape));
    forEachIndex(tensor.shape, [&](const std::vector<int64_t> &at) { tensor.set(tensor.place(at), 12345); });
    return tensor;
  }

  double oneOf(std::initializer_list<double> values) { return values.begin()[random() % values.size()]; }

  /// All but "wide" have sums that are exact in double precision in any order, and in the kernel's units. Of "wide"
  /// neither holds; no sum of it meets its share.
  double value() {
    constexpr double infinity = std::numeric_limits<double>::infinity();
    if (kind == "even") // with 23 bits
      return std::ldexp(static_cast<double>((1 << 22) + random() % (1 << 22)), -30);
    if (kind == "wide")
      return std::exp(6 * std::normal_distribution<double>()(random));
    if (kind == "few")
      return static_cast<double>(random() % 7);
    if (kind == "equal")
      return 0.375;
    if (kind == "signed")
      return static_cast<double>(random() % 64) - 20;
    double number = oneOf({0.0, -0.0, 1.0, 0.5, 3.0, 1.5});
    if (kind == "special")
      return random() % 8 ? number : oneOf({infinity, -infinity, std::nan(""), -std::nan(""), -2.0, 1e-42, -1e-42});
    bool rare = random() % 100 == 0;
    return rare ? (kind == "plus" ? infinity : oneOf({-infinity, std::nan("")})) : number;
  }

  PlacedTensor sums() {
    PlacedTensor tensor = placed("sums", "f32", {batch, heads, length});
    forEachIndex(tensor.shape, [&](const std::vector<int64_t> &at) { tensor.set(tensor.place(at), value()); });
    return tensor;
  }

  PlacedTensor lengthsBelow() {
    PlacedTensor tensor = placed("below", listType, {batch});
    double some[] = {static_cast<double>(length / 2), listType == "i64" ? 1e12 : 1e9, listType == "i64" ? -1e12 : -7};
    for (int64_t b = 0; b != batch; ++b)
      tensor.set(tensor.place({b}), some[b]);
    return tensor;
  }

  StepCase made;
  bool byShare;
  int64_t length, room;
  std::string_view kind;
  bool below, odd;
  std::string_view listType, countType;
  int64_t batch, heads;
  std::mt19937_64 random;
};

} // namespace

std::vector<StepCase> selectCases() {
  std::vector<StepCase> cases;
  for (bool byShare : {false, true})
    for (const std::vector<size_t> &at : covering({7, 5, 8, 2, 2, 2, 2, 2, byShare ? 8u : 6u}))
      cases.push_back(SelectMaker(at, cases.size(), byShare).make());
  return cases;
}

} // namespace attn::cases
