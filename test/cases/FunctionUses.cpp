// SPDX-License-Identifier: Apache-2.0
// Library masks, boolean tensors, ancestor bits and bias tensors.
#include "test/cases/FunctionUses.h"
#include "test/cases/Noise.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace attn::cases {

namespace {

constexpr const char *MaskTensorText = R"(
func.func @by_tensor(%b: index, %h: index, %q: index, %kv: index, %mask: tensor<?x?x?x?xi1>) -> i1 {
  %row = attn.row
  %column = attn.column
  %visible = tensor.extract %mask[%b, %h, %row, %column] : tensor<?x?x?x?xi1>
  return %visible : i1
}
)";

/// A draft token sees what stands before all drafts, and of the drafts those whose bits it has.
constexpr const char *AncestorsText = R"(
func.func @ancestors(%b: index, %h: index, %q: index, %kv: index, %bits_of: tensor<?x?xi64>) -> i1 {
  %zero = arith.constant 0 : index
  %last = arith.constant 63 : index
  %one = arith.constant 1 : i64
  %row = attn.row
  %first = arith.subi %q, %row : index
  %draft = arith.subi %kv, %first : index
  %past = arith.cmpi slt, %draft, %zero : index
  %positive = arith.maxsi %draft, %zero : index
  %number = arith.minsi %positive, %last : index
  %shift = arith.index_cast %number : index to i64
  %bits = tensor.extract %bits_of[%b, %row] : tensor<?x?xi64>
  %moved = arith.shrui %bits, %shift : i64
  %bit = arith.trunci %moved : i64 to i1
  %visible = arith.ori %past, %bit : i1
  return %visible : i1
}
)";

constexpr const char *BiasText = R"(
func.func @biased(%score: f32, %b: index, %h: index, %q: index, %kv: index, %bias: tensor<?x?x?x?x{type}>) -> f32 {{
  %row = attn.row
  %column = attn.column
  %term = tensor.extract %bias[%b, %h, %row, %column] : tensor<?x?x?x?x{type}>
{widen}  %sum = arith.addf %score, %{term} : f32
  return %sum : f32
}}
)";

/// A type with the dimensions batch, heads, rows and columns.
std::string perPair(const Case &c, std::string_view element) {
  return fmt::format("tensor<?x{}x?x?x{}, #attn.dims<batch, heads, tensor_rows, tensor_columns>>", c.heads(), element);
}

/// "mask" of numbers that stand in the text.
FunctionUse byNumbers(std::string_view name, std::initializer_list<std::pair<std::string_view, int64_t>> numbers) {
  FunctionUse use;
  std::string names, types;
  for (auto [number, value] : numbers) {
    use.before += fmt::format("  %{} = arith.constant {} : index\n", number, value);
    names += fmt::format("{}%{}", names.empty() ? "" : ", ", number);
    types += types.empty() ? "index" : ", index";
  }
  use.call = fmt::format("@{}({}) : {}", name, names, types);
  return use;
}

FunctionUse byTensor(std::string_view name, std::string_view argument, const std::string &type,
                     std::string function = {}) {
  return {fmt::format(", %{}: {}", argument, type), "", fmt::format("@{}(%{}) : {}", name, argument, type),
          std::move(function)};
}

/// Rows and columns that exist of what is asked by them, and a few more: parts of joined keys follow one another.
int64_t rowsOf(const Case &c) { return c.queries() + 3; }
int64_t columnsOf(const Case &c) { return 2 * c.keys() + 9; }

class TensorMaker {
public:
  explicit TensorMaker(const Case &c) : noise(c.seed() ^ 0x2545f491u), c(c) {}
  Noise noise;

  /// One value for each pair, the same for all sequences or for all heads.
  template <typename Value> PlacedTensor perPair(const char *name, DType type, bool sameForHeads, Value &&value) {
    int64_t rows = rowsOf(c), columns = columnsOf(c), matrix = rows * columns;
    PlacedTensor tensor(name, type, {c.batch(), c.heads(), rows, columns},
                        {sameForHeads ? matrix : 0, sameForHeads ? 0 : matrix, columns, 1});
    std::vector<int64_t> once = tensor.shape;
    once[sameForHeads ? 1 : 0] = std::min<int64_t>(once[sameForHeads ? 1 : 0], 1);
    forEachIndex(once, [&](const std::vector<int64_t> &at) { tensor.set(tensor.place(at), value()); });
    return tensor;
  }

  /// Hides the first keys of every second row, all but these of some, and everything of every seventh.
  PlacedTensor late() {
    PlacedTensor tensor = perPair("mask", DType::Bool, true, [] { return true; });
    forEachIndex({c.batch(), 1, rowsOf(c), columnsOf(c)}, [&](const std::vector<int64_t> &at) {
      bool early = at[3] < 150;
      bool seen = at[2] % 7 != 3 && (at[2] % 2 ? at[2] % 3 == 0 || early : !early);
      tensor.set(tensor.place(at), seen);
    });
    return tensor;
  }

  PlacedTensor documents() {
    int64_t most = std::max(rowsOf(c), columnsOf(c));
    PlacedTensor tensor("document", DType::I32, {c.batch(), most}, {most, 1});
    for (int64_t b = 0; b != c.batch(); ++b)
      for (int64_t i = 0, document = noise.below(3); i != most; ++i, document += noise.below(30) == 0)
        tensor.set(tensor.place({b, i}), static_cast<double>(document));
    return tensor;
  }

  PlacedTensor prefixes() {
    PlacedTensor tensor("prefix_lens", DType::I32, {c.batch()}, {1});
    for (int64_t b = 0; b != c.batch(); ++b)
      tensor.set(tensor.place({b}), static_cast<double>(noise.below(c.keys() + 6) - 2));
    return tensor;
  }

  /// Each token has itself and what a random earlier one has; some have nothing, not even themselves.
  PlacedTensor ancestors() {
    int64_t rows = rowsOf(c);
    PlacedTensor tensor("bits_of", DType::I64, {c.batch(), rows}, {rows, 1});
    for (int64_t b = 0; b != c.batch(); ++b) {
      std::vector<int64_t> bitsOf;
      for (int64_t i = 0; i != rows; ++i) {
        // Numbers below 2^50 are exact on their way through f64.
        int64_t own = i < 50 ? int64_t(1) << i : 0;
        bitsOf.push_back(noise.below(9) == 0 ? 0 : own | (i ? bitsOf[static_cast<size_t>(noise.below(i))] : 0));
        tensor.set(tensor.place({b, i}), static_cast<double>(bitsOf.back()));
      }
    }
    return tensor;
  }

private:
  const Case &c;
};

} // namespace

FunctionUse maskUseOf(const Case &c) {
  if (c.is(MaskKind, "prefix_lm"))
    return byTensor("prefix_lm", "prefix_lens", "tensor<?xi32, #attn.dims<batch>>");
  if (c.is(MaskKind, "same_chunk"))
    return byNumbers("same_chunk", {{"chunk", 40}});
  if (c.is(MaskKind, "same_document"))
    return byTensor("same_document", "document", "tensor<?x?xi32, #attn.dims<batch, all_tokens>>");
  if (c.is(MaskKind, "dilated"))
    return byNumbers("dilated", {{"step", 3}});
  if (c.is(MaskKind, "butterfly"))
    return byNumbers("butterfly", {{"block", 16}});
  if (c.is(MaskKind, "band"))
    return byNumbers("band", {{"left", 20}, {"right", 9}});
  if (c.is(MaskKind, "streaming"))
    return byNumbers("streaming", {{"sink_tokens", 4}, {"streaming_left", 30}});
  if (c.is(MaskKind, "mask_tensor") || c.is(MaskKind, "late_tensor"))
    return byTensor("by_tensor", "mask", perPair(c, "i1"), MaskTensorText);
  return byTensor("ancestors", "bits_of", "tensor<?x?xi64, #attn.dims<batch, draft_rows>>", AncestorsText);
}

FunctionUse biasUseOf(const Case &c) {
  bool half = c.is(Bias, "half_bias");
  std::string type(half ? c.value(ElementType) : "f32");
  std::string widen = half ? fmt::format("  %wide = arith.extf %term : {} to f32\n", type) : "";
  return byTensor("biased", "bias", perPair(c, type),
                  fmt::format(fmt::runtime(BiasText), fmt::arg("type", type), fmt::arg("widen", widen),
                              fmt::arg("term", half ? "wide" : "term")));
}

void addFunctionTensors(const Case &c, Arguments &all) {
  TensorMaker maker(c);
  if (c.is(MaskKind, "prefix_lm"))
    all.inputs.push_back(maker.prefixes());
  if (c.is(MaskKind, "same_document"))
    all.inputs.push_back(maker.documents());
  if (c.is(MaskKind, "mask_tensor"))
    all.inputs.push_back(maker.perPair("mask", DType::Bool, c.seed() % 2, [&] { return maker.noise.below(3) != 0; }));
  if (c.is(MaskKind, "late_tensor"))
    all.inputs.push_back(maker.late());
  if (c.is(MaskKind, "ancestors"))
    all.inputs.push_back(maker.ancestors());
  if (!c.on(Bias))
    return;
  // Where weights should be equal nothing is added.
  double size = c.is(Data, "index") ? 0 : 1;
  bool half = c.is(Bias, "half_bias"), hides = c.is(Bias, "infinite_bias");
  constexpr double infinity = std::numeric_limits<double>::infinity();
  all.inputs.push_back(maker.perPair("bias", half ? *typeNamed(c.value(ElementType)) : DType::F32, half, [&] {
    return hides && maker.noise.below(3) ? -infinity : size * maker.noise.normal();
  }));
  if (hides) // nothing is left of the first row
    forEachIndex({c.heads(), columnsOf(c)}, [&](const std::vector<int64_t> &at) {
      all.inputs.back().set(all.inputs.back().place({0, at[0], 0, at[1]}), -infinity);
    });
}

} // namespace attn::cases
