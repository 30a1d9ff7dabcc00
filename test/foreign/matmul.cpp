// SPDX-License-Identifier: Apache-2.0
// matmul.cu: elements are multiples of 1/8 below 4, so that every sum is exact in f32.
#include "test/foreign/Foreign.h"

namespace attn::foreign {
namespace {

struct Shape {
  int m, n, k, padding;
  float beta;
};

std::vector<float> eighths(size_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<float> numbers(count);
  for (float &number : numbers)
    number = float(int(random() % 63) - 31) / 8;
  return numbers;
}

void checkShape(Machine &machine, Shape shape) {
  const auto [m, n, k, padding, beta] = shape;
  const int strideA = k + padding, strideB = n + 2 * padding, strideC = n + padding;
  const float alpha = 0.5f;
  const auto a = eighths(size_t(m) * strideA, 1), b = eighths(size_t(k) * strideB, 2);
  auto c = eighths(size_t(m) * strideC, 3);
  const uint64_t addressA = machine.put(a, "a"), addressB = machine.put(b, "b"), addressC = machine.put(c, "c");
  machine.launch("matmul", {unsigned(n + 31) / 32, unsigned(m + 31) / 32}, {32, 8}, 0, addressA, addressB, addressC, m,
                 n, k, strideA, strideB, strideC, alpha, beta);
  for (int i = 0; i < m; ++i)
    for (int j = 0; j < n; ++j) {
      float sum = 0;
      for (int l = 0; l < k; ++l)
        sum += a[size_t(i) * strideA + l] * b[size_t(l) * strideB + j];
      float &to = c[size_t(i) * strideC + j];
      // What lies between the rows must stay.
      to = alpha * sum + (beta == 0 ? 0 : beta * to);
    }
  expectEqual(fmt::format("c {}x{}x{}", m, n, k), machine.get<float>(addressC, c.size()), c);
}

} // namespace

void checkMatmul(Machine &machine) {
  for (const Shape &shape : {Shape{64, 32, 64, 0, 0}, {33, 65, 31, 3, 1}, {1, 7, 100, 1, -2}, {45, 1, 1, 0, 0}})
    checkShape(machine, shape);
}

} // namespace attn::foreign
