// SPDX-License-Identifier: Apache-2.0
// The formula of attention, written once over the precision that it is computed in.
#include "compiler/AttentionFormula.h"

#include <cmath>
#include <limits>

namespace attn {
namespace {

/// Definition: real numbers, as near as double comes.
struct ExactPrecision {
  using Real = double;
  static constexpr Arithmetic Functions = Arithmetic::Exact;
  static Real weight(Real value, DType) { return value; }
  static double stored(Real value, DType) { return value; }
};

/// The kernel's own types, without the kernel's order.
struct KernelPrecision {
  using Real = float;
  static constexpr Arithmetic Functions = Arithmetic::Own;
  static Real weight(Real value, DType values) { return roundedTo(values, value); }
  static double stored(Real value, DType result) { return roundedTo(result, value); }
};

/// Sums that run side by side: each is added up in order, but several at a time keep the adder busy.
constexpr int64_t Lanes = 16;

int64_t roundedUp(int64_t count) { return (count + Lanes - 1) / Lanes * Lanes; }

template <typename P> class Formula {
  using Real = typename P::Real;

public:
  Formula(const AttentionFormula &attention, const AttentionResults &results)
      : attention(attention), results(results), size(attention.keys->keySize()),
        outputSize(results.output ? results.output->shape.back() : 0) {
    for (const auto &program : attention.modifications)
      modifications.push_back({program.get(), program->frame()});
    for (const auto &program : attention.masks)
      masks.push_back({program.get(), program->frame()});
    for (const auto &program : attention.reweights)
      reweights.push_back({program.get(), program->frame()});
    if (results.sums && results.sums->which)
      counted.push_back({results.sums->which.get(), results.sums->which->frame()});
  }

  std::optional<std::string> compute(const std::optional<std::vector<int64_t>> &rows) {
    const Sequence &query = *attention.query, &keys = *attention.keys;
    for (int64_t size : query.rowShape())
      if (size == 0)
        return std::nullopt;
    int64_t group = query.heads() / keys.heads();
    for (int64_t b = 0; b < query.batch(); ++b) {
      for (int64_t g = 0; g < keys.heads(); ++g) {
        packHead(b, g);
        for (int64_t h = g * group; h < (g + 1) * group; ++h)
          if (!computeHead(b, h, rows))
            return std::move(fault);
      }
    }
    return std::nullopt;
  }

private:
  struct Stage {
    const FunctionProgram *program;
    std::vector<Slot> frame;
  };

  /// Keys in groups of Lanes, the elements of a group side by side; values one after another.
  void packHead(int64_t b, int64_t g) {
    const Sequence &keys = *attention.keys;
    count = keys.length(b);
    packedKeys.assign(roundedUp(count) * size, 0);
    std::vector<Real> entry(size);
    for (int64_t j = 0; j < count; ++j) {
      keys.key(b, g, j).copyTo(entry.data(), size);
      Real *lane = packedKeys.data() + j / Lanes * Lanes * size + j % Lanes;
      for (int64_t d = 0; d < size; ++d)
        lane[d * Lanes] = entry[d];
    }
    valueStride = roundedUp(outputSize);
    packedValues.assign(results.output ? count * valueStride : 0, 0);
    for (int64_t j = 0; results.output && j < count; ++j)
      results.values->value(b, g, j).copyTo(packedValues.data() + j * valueStride, outputSize);
    scores.resize(roundedUp(count));
    weights.resize(count);
  }

  bool computeHead(int64_t b, int64_t h, const std::optional<std::vector<int64_t>> &rows) {
    const Sequence &query = *attention.query;
    for (int64_t i = 0, queries = query.length(b); i < queries; ++i) {
      bool asked =
          !rows || std::find(rows->begin(), rows->end(), *query.row(b, i) % query.rowShape().back()) != rows->end();
      if (asked && !computeRow(b, h, i))
        return false;
    }
    return true;
  }

  bool computeRow(int64_t b, int64_t h, int64_t i) {
    multiplyKeys(b, h, i);
    visible.clear();
    int64_t aligned = attention.alignStart ? i : i + count - attention.query->length(b);
    int64_t position = attention.query->position(b, i).value_or(aligned);
    if (!askFunctions(b, h, i, position))
      return false;
    Softmax row = softmax(h);
    if (!reweigh(b, h, i, row) || !addToSums(b, h, i, position, row))
      return false;
    store(b, h, i, row);
    return true;
  }

  /// scores[j] = scale * <q, k_j>, each product summed in the order of head_dim.
  void multiplyKeys(int64_t b, int64_t h, int64_t i) {
    query.resize(size);
    attention.query->key(b, h, i).copyTo(query.data(), size);
    auto scale = static_cast<Real>(attention.scale);
    for (int64_t first = 0; first < count; first += Lanes) {
      const Real *keys = packedKeys.data() + first * size;
      Real sums[Lanes] = {};
      for (int64_t d = 0; d < size; ++d)
        for (int64_t lane = 0; lane < Lanes; ++lane)
          sums[lane] += query[d] * keys[d * Lanes + lane];
      for (int64_t lane = 0; lane < Lanes; ++lane)
        scores[first + lane] = scale * sums[lane];
    }
  }

  /// Changes scores and collects the keys that are seen. Functions are asked about hidden keys too, so that a load
  /// outside a tensor is found wherever it is.
  bool askFunctions(int64_t b, int64_t h, int64_t i, int64_t position) {
    for (auto *stages : {&modifications, &masks, &reweights, &counted})
      for (Stage &stage : *stages) {
        stage.frame[FunctionProgram::Batch].i = b;
        stage.frame[FunctionProgram::Head].i = h;
        stage.frame[FunctionProgram::Query].i = position;
        stage.frame[FunctionProgram::Row].i = i;
      }
    for (int64_t j = 0; j < count; ++j) {
      int64_t keyPosition = positionOf(b, j);
      for (Stage &stage : modifications) {
        stage.frame[FunctionProgram::Score].f = scores[j];
        if (!ask(stage, b, h, i, j, keyPosition))
          return false;
        scores[j] = static_cast<Real>(stage.frame[stage.program->resultSlot()].f);
      }
      bool seen = true;
      for (Stage &stage : masks) {
        if (!ask(stage, b, h, i, j, keyPosition))
          return false;
        seen &= stage.frame[stage.program->resultSlot()].i != 0;
      }
      if (seen)
        visible.push_back(j);
    }
    return true;
  }

  int64_t positionOf(int64_t b, int64_t j) const { return attention.keys->position(b, j).value_or(j); }

  bool ask(Stage &stage, int64_t b, int64_t h, int64_t i, int64_t j, int64_t keyPosition) {
    stage.frame[FunctionProgram::Key].i = keyPosition;
    stage.frame[FunctionProgram::Column].i = j;
    FunctionFailure failure;
    if (stage.program->template run<P::Functions>(stage.frame.data(), failure))
      return true;
    fault = stage.program->describe(failure) + " for batch " + std::to_string(b) + ", head " + std::to_string(h) +
            ", query row " + std::to_string(i) + " and key entry " + std::to_string(j);
    return false;
  }

  struct Softmax {
    Real share = 1, total = 0; ///< the output is share / total times the sum over weights * values
    Real lse = -std::numeric_limits<Real>::infinity();
    bool empty = true; ///< no key has a weight: the output is 0 whatever the values are
  };

  /// weights[n] = exp(score - maximum) for the n-th visible key. The sink joins at the end, as in the kernel.
  Softmax softmax(int64_t h) {
    Real maximum = -std::numeric_limits<Real>::infinity();
    bool number = true;
    for (int64_t j : visible) {
      maximum = scores[j] > maximum ? scores[j] : maximum;
      number &= !std::isnan(scores[j]);
    }
    Softmax result;
    std::optional<Real> sink;
    if (attention.sink)
      sink = static_cast<Real>(loadReal(*attention.sink, h * attention.sink->strides[0]));
    if (number && maximum == -std::numeric_limits<Real>::infinity()) {
      result.lse = sink.value_or(maximum);
      return result;
    }
    Real sum = 0;
    for (size_t n = 0; n < visible.size(); ++n)
      sum += weights[n] = std::exp(scores[visible[n]] - maximum);
    Real top = maximum;
    result.total = sum;
    if (sink) {
      top = *sink > maximum ? *sink : maximum;
      result.share = std::exp(maximum - top);
      result.total = sum * result.share + std::exp(*sink - top);
    }
    result.lse = top + std::log(result.total);
    result.empty = false;
    return result;
  }

  /// The weight of the n-th visible key.
  Real weightOf(size_t n, const Softmax &row) const { return row.empty ? 0 : weights[n] * row.share / row.total; }

  /// Weights as functions make them of what softmax gives, still to be divided by the total like all others: so they
  /// are rounded to 16 bits at the size that a kernel has them in. Hidden keys are asked about too. Where the sink is
  /// so large that next to nothing is left of the others, what a function adds to them has no number at that size: then
  /// they stay what functions made of them.
  bool reweigh(int64_t b, int64_t h, int64_t i, Softmax &row) {
    if (reweights.empty())
      return true;
    bool vanished = row.share < Real(0x1p-10);
    size_t n = 0;
    for (int64_t j = 0; j < count; ++j) {
      bool seen = n < visible.size() && visible[n] == j;
      Real weight = seen ? weightOf(n, row) : 0;
      for (Stage &stage : reweights) {
        stage.frame[FunctionProgram::Score].f = weight;
        if (!ask(stage, b, h, i, j, positionOf(b, j)))
          return false;
        weight = static_cast<Real>(stage.frame[stage.program->resultSlot()].f);
      }
      if (seen)
        weights[n++] = row.empty ? 0 : vanished ? weight : weight * row.total / row.share;
    }
    if (vanished)
      row.share = row.total = 1;
    return true;
  }

  bool addToSums(int64_t b, int64_t h, int64_t i, int64_t position, const Softmax &row) {
    if (!results.sums)
      return true;
    HostResult &sums = results.sums->result;
    int64_t size = sums.shape.back();
    double *of = sums.values.data() + (b * attention.query->heads() + h) * size;
    size_t n = 0;
    for (int64_t j = 0; j < count; ++j) {
      bool counts = true;
      for (Stage &stage : counted) {
        if (!ask(stage, b, h, i, j, positionOf(b, j)))
          return false;
        counts = stage.frame[stage.program->resultSlot()].i != 0;
      }
      if (n == visible.size() || visible[n] != j)
        continue;
      Real weight = weightOf(n++, row);
      int64_t at = results.sums->perDistance ? position - positionOf(b, j) : j;
      if (counts && at >= 0 && at < size)
        of[at] = static_cast<Real>(of[at]) + weight;
    }
    return true;
  }

  void store(int64_t b, int64_t h, int64_t i, const Softmax &softmax) {
    int64_t row = *attention.query->row(b, i) * attention.query->heads() + h;
    if (results.lse)
      results.lse->values[row] = P::stored(softmax.lse, results.lse->type);
    if (!results.output)
      return;
    double *out = results.output->values.data() + row * outputSize;
    if (softmax.empty) {
      std::fill_n(out, outputSize, 0.0);
      return;
    }
    for (size_t n = 0; n < visible.size(); ++n)
      weights[n] = P::weight(weights[n], results.values->valueType(b, visible[n]));
    for (int64_t first = 0; first < outputSize; first += Lanes) {
      const Real *values = packedValues.data() + first;
      Real sums[Lanes] = {};
      for (size_t n = 0; n < visible.size(); ++n)
        for (int64_t lane = 0; lane < Lanes; ++lane)
          sums[lane] += weights[n] * values[visible[n] * valueStride + lane];
      for (int64_t lane = 0; lane < std::min(Lanes, outputSize - first); ++lane)
        out[first + lane] = P::stored(sums[lane] * softmax.share / softmax.total, results.output->type);
    }
  }

  const AttentionFormula &attention;
  const AttentionResults &results;
  const int64_t size, outputSize;
  std::vector<Stage> modifications, masks, reweights, counted;
  int64_t count = 0, valueStride = 0; ///< keys of this sequence; elements between packed values
  std::vector<Real> packedKeys, packedValues, query, scores, weights;
  std::vector<int64_t> visible;
  std::optional<std::string> fault;
};

} // namespace

std::optional<std::string> computeAttention(const AttentionFormula &attention, Precision precision,
                                            const std::optional<std::vector<int64_t>> &rows,
                                            const AttentionResults &results) {
  if (precision == Precision::Exact)
    return Formula<ExactPrecision>(attention, results).compute(rows);
  return Formula<KernelPrecision>(attention, results).compute(rows);
}

} // namespace attn
