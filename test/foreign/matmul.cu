// SPDX-License-Identifier: Apache-2.0
// RUN: attn-foreign matmul %S/matmul.ptx
// RUN: %if nvcc %{ %python %S/fresh.py %nvcc sm_80 %s %}
// RUN: %if nvcc %{ %python %S/fresh.py %nvcc sm_80 %s --debug %t.ptx && attn-foreign matmul %t.ptx %}
// C = alpha A B + beta C in f32: 32 x 32 tiles in padded shared memory, any M, N, K and row strides.

extern "C" __global__ void __launch_bounds__(256)
    matmul(const float *__restrict__ a, const float *__restrict__ b, float *c, int m, int n, int k, int strideA,
           int strideB, int strideC, float alpha, float beta) {
  __shared__ float tileA[32][33];
  __shared__ float tileB[32][33];
  const int column = threadIdx.x, row = threadIdx.y; // 32 x 8
  const int firstRow = blockIdx.y * 32, firstColumn = blockIdx.x * 32;
  float sums[4] = {0, 0, 0, 0};
  for (int from = 0; from < k; from += 32) {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const int r = row + 8 * i;
      const bool insideA = firstRow + r < m && from + column < k;
      const bool insideB = from + r < k && firstColumn + column < n;
      tileA[r][column] = insideA ? a[(size_t)(firstRow + r) * strideA + from + column] : 0.0f;
      tileB[r][column] = insideB ? b[(size_t)(from + r) * strideB + firstColumn + column] : 0.0f;
    }
    __syncthreads();
#pragma unroll 8
    for (int j = 0; j < 32; ++j)
#pragma unroll
      for (int i = 0; i < 4; ++i)
        sums[i] += tileA[row + 8 * i][j] * tileB[j][column];
    __syncthreads();
  }
  for (int i = 0; i < 4; ++i) {
    const int r = firstRow + row + 8 * i, s = firstColumn + column;
    if (r < m && s < n) {
      float *to = c + (size_t)r * strideC + s;
      *to = beta == 0.0f ? alpha * sums[i] : alpha * sums[i] + beta * *to;
    }
  }
}
