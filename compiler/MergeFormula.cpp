// SPDX-License-Identifier: Apache-2.0
// Joins partial results row by row, in the precision that is asked for.
#include "compiler/MergeFormula.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace attn {
namespace {

template <typename Real> class Merge {
public:
  Merge(const std::vector<PartialResult> &parts, const std::optional<HostTensor> &sink, HostResult &output,
        HostResult *lse)
      : parts(parts), sink(sink), output(output), lse(lse), size(output.shape.back()), weights(parts.size()) {}

  /// `index` is that of a row and head: (rows..., heads).
  void row(const std::vector<int64_t> &index) {
    constexpr Real nothing = -std::numeric_limits<Real>::infinity();
    std::optional<Real> logit;
    if (sink)
      logit = static_cast<Real>(loadReal(*sink, index.back() * sink->strides[0]));
    Real top = logit.value_or(nothing);
    for (size_t p = 0; p < parts.size(); ++p) {
      weights[p] = static_cast<Real>(loadReal(parts[p].lse, offsetOf(parts[p].lse, index)));
      top = weights[p] > top || std::isnan(weights[p]) ? weights[p] : top;
    }
    Real total = 0;
    for (Real &weight : weights)
      total += weight = weight == nothing ? 0 : std::exp(weight - top);
    if (logit && *logit != nothing)
      total += std::exp(*logit - top);
    int64_t place = 0;
    for (size_t d = 0; d < index.size(); ++d)
      place = place * output.shape[d] + index[d];
    if (lse)
      lse->values[place] = top == nothing ? nothing : stored(top + std::log(total), lse->type);
    for (int64_t e = 0; e < size; ++e)
      output.values[place * size + e] = stored(column(index, e, total), output.type);
  }

private:
  Real column(const std::vector<int64_t> &index, int64_t e, Real total) const {
    Real sum = 0;
    for (size_t p = 0; p < parts.size(); ++p) {
      const HostTensor &tensor = parts[p].output;
      if (weights[p] != 0)
        sum += weights[p] * static_cast<Real>(loadReal(tensor, offsetOf(tensor, index) + e * tensor.strides.back()));
    }
    return sum == 0 ? 0 : sum / total;
  }

  static int64_t offsetOf(const HostTensor &tensor, const std::vector<int64_t> &index) {
    int64_t offset = 0;
    for (size_t d = 0; d < index.size(); ++d)
      offset += index[d] * tensor.strides[d];
    return offset;
  }

  static double stored(Real value, DType type) {
    if constexpr (std::is_same_v<Real, float>)
      return roundedTo(type, value);
    return value;
  }

  const std::vector<PartialResult> &parts;
  const std::optional<HostTensor> &sink;
  HostResult &output, *lse;
  const int64_t size;
  std::vector<Real> weights;
};

template <typename Real>
void mergeAll(Merge<Real> merge, const std::vector<int64_t> &shape, const std::optional<std::vector<int64_t>> &rows) {
  if (std::find(shape.begin(), shape.end(), 0) != shape.end())
    return;
  std::vector<int64_t> index(shape.size(), 0);
  for (size_t d = shape.size(); d > 0;) {
    int64_t row = index[shape.size() - 2];
    if (!rows || std::find(rows->begin(), rows->end(), row) != rows->end())
      merge.row(index);
    for (d = shape.size(); d > 0 && ++index[d - 1] == shape[d - 1]; --d)
      index[d - 1] = 0;
  }
}

} // namespace

std::vector<PartialResult> partsOf(const HostTensor &output, const HostTensor &lse, int64_t rank) {
  if (output.rank() == rank)
    return {{output, lse}};
  auto sliceOf = [](HostTensor stack, int64_t p) {
    stack.data += p * stack.strides[0] * static_cast<int64_t>(sizeOf(stack.type));
    stack.shape.erase(stack.shape.begin());
    stack.strides.erase(stack.strides.begin());
    return stack;
  };
  std::vector<PartialResult> parts;
  for (int64_t p = 0; p < output.shape[0]; ++p)
    parts.push_back({sliceOf(output, p), sliceOf(lse, p)});
  return parts;
}

void computeMerge(const std::vector<PartialResult> &parts, const std::optional<HostTensor> &sink, Precision precision,
                  const std::optional<std::vector<int64_t>> &rows, HostResult &output, HostResult *lse) {
  std::vector<int64_t> shape(output.shape.begin(), output.shape.end() - 1);
  if (precision == Precision::Exact)
    mergeAll(Merge<double>(parts, sink, output, lse), shape, rows);
  else
    mergeAll(Merge<float>(parts, sink, output, lse), shape, rows);
}

} // namespace attn
