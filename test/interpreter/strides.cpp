// SPDX-License-Identifier: Apache-2.0
// Whatever the strides of a tensor are, the result is that of its dense copy: padded and permuted dimensions, one entry
// for all (stride 0), and backward (negative strides).
#include "compiler/AttentionFormula.h"

#include <cstdio>
#include <functional>

using namespace attn;

namespace {

struct Layout {
  const char *name;
  std::vector<int64_t> strides;
  int64_t first; ///< offset of element (0, 0, 0, 0)
};

/// Numbers that differ from element to element of the memory.
std::vector<float> memoryOf(size_t count, unsigned seed) {
  std::vector<float> memory(count);
  for (float &x : memory) {
    seed = seed * 1664525u + 1013904223u;
    x = static_cast<float>(seed >> 8) / (1 << 23) - 1;
  }
  return memory;
}

HostTensor tensorOn(const std::vector<float> &memory, std::vector<int64_t> shape, const Layout &layout) {
  return {DType::F32, std::move(shape), layout.strides,
          reinterpret_cast<const std::byte *>(memory.data() + layout.first)};
}

/// The elements in order, in memory of their own.
std::vector<float> denseCopy(const HostTensor &tensor) {
  std::vector<float> copy;
  std::function<void(size_t, int64_t)> walk = [&](size_t d, int64_t offset) {
    if (d == tensor.shape.size())
      return copy.push_back(static_cast<float>(loadReal(tensor, offset)));
    for (int64_t i = 0; i < tensor.shape[d]; ++i)
      walk(d + 1, offset + i * tensor.strides[d]);
  };
  walk(0, 0);
  return copy;
}

HostTensor dense(const std::vector<float> &memory, const std::vector<int64_t> &shape) {
  return tensorOn(memory, shape, {"", {shape[1] * shape[2] * shape[3], shape[2] * shape[3], shape[3], 1}, 0});
}

std::vector<double> outputOf(const HostTensor &q, const HostTensor &k, const HostTensor &v, Precision precision) {
  AttentionFormula attention;
  attention.query = std::make_shared<DenseSequence>(q, q, std::nullopt);
  attention.keys = std::make_shared<DenseSequence>(k, v, std::nullopt);
  HostResult output{DType::F32, q.shape, std::vector<double>(q.shape[0] * q.shape[1] * q.shape[2] * q.shape[3])};
  AttentionResults wanted;
  wanted.values = attention.keys.get();
  wanted.output = &output;
  computeAttention(attention, precision, std::nullopt, wanted);
  return output.values;
}

} // namespace

int main() {
  const std::vector<int64_t> queryShape = {2, 3, 4, 8}, keyShape = {2, 5, 2, 8};
  std::vector<float> q = memoryOf(2 * 3 * 4 * 8, 1), memory = memoryOf(4096, 2), other = memoryOf(4096, 3);
  const Layout layouts[] = {
      {"padded rows", {200, 40, 12, 1}, 7},      {"heads before entries", {80, 8, 40, 1}, 0},
      {"one batch for all", {0, 16, 8, 1}, 3},   {"one head for all", {40, 8, 0, 1}, 0},
      {"entries backward", {80, -16, 8, 1}, 64}, {"elements apart", {240, 48, 24, 3}, 0},
  };
  int failed = 0;
  for (const Layout &layout : layouts)
    for (Precision precision : {Precision::Exact, Precision::Kernel}) {
      HostTensor k = tensorOn(memory, keyShape, layout), v = tensorOn(other, keyShape, layout);
      std::vector<float> denseKeys = denseCopy(k), denseValues = denseCopy(v);
      HostTensor query = dense(q, queryShape);
      if (outputOf(query, k, v, precision) ==
          outputOf(query, dense(denseKeys, keyShape), dense(denseValues, keyShape), precision))
        continue;
      std::printf("%s: the result differs from that of a dense copy\n", layout.name);
      ++failed;
    }
  if (!failed)
    std::printf("%zu layouts agree\n", std::size(layouts));
  return failed != 0;
}
