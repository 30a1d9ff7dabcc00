// SPDX-License-Identifier: Apache-2.0
// RUN: attn-foreign mma-pipeline %S/mma-pipeline.ptx
// RUN: %if nvcc %{ %python %S/fresh.py %nvcc sm_80 %s %}
// RUN: %if nvcc %{ %python %S/fresh.py %nvcc sm_80 %s --debug %t.ptx && attn-foreign mma-pipeline %t.ptx %}
// C = A B in bf16: 64 x 64 tiles, three stages of cp.async with zeros behind the edges, ldmatrix, ldmatrix.trans,
// mma.sync.
#include <cuda_bf16.h>
#include <cstdint>

constexpr int kTile = 64, kDepth = 32, kStages = 3;
constexpr int kStrideA = kDepth + 8, kStrideB = kTile + 8; // elements; 16 bytes more, so that rows lie in other banks

struct Stage {
  __nv_bfloat16 a[kTile * kStrideA];
  __nv_bfloat16 b[kDepth * kStrideB];
};

__device__ uint32_t sharedAddress(const void *pointer) { return (uint32_t)__cvta_generic_to_shared(pointer); }

/// 16 bytes, of which `bytes` are read and the others are zero.
__device__ void copyAsync(void *to, const void *from, int bytes) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(sharedAddress(to)), "l"(from), "r"(bytes));
}

__device__ void copyStage(Stage &stage, const __nv_bfloat16 *a, const __nv_bfloat16 *b, int m, int n, int k, int from) {
  for (int i = threadIdx.x; i < kTile * kDepth / 8; i += blockDim.x) {
    const int row = i / (kDepth / 8), column = i % (kDepth / 8) * 8;
    const int r = blockIdx.y * kTile + row, c = from + column;
    const int rest = r < m ? max(0, min(8, k - c)) : 0;
    copyAsync(&stage.a[row * kStrideA + column], rest ? a + (size_t)r * k + c : a, rest * 2);
  }
  for (int i = threadIdx.x; i < kTile * kDepth / 8; i += blockDim.x) {
    const int row = i / (kTile / 8), column = i % (kTile / 8) * 8;
    const int r = from + row, c = blockIdx.x * kTile + column;
    const int rest = r < k ? max(0, min(8, n - c)) : 0;
    copyAsync(&stage.b[row * kStrideB + column], rest ? b + (size_t)r * n + c : b, rest * 2);
  }
}

__device__ void multiplyStage(const Stage &stage, float (&sums)[4][8], int warpRow) {
  const int lane = threadIdx.x % 32;
  for (int k = 0; k < kDepth; k += 16) {
    uint32_t a[4];
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(a[0]), "=r"(a[1]), "=r"(a[2]), "=r"(a[3])
                 : "r"(sharedAddress(&stage.a[(warpRow + lane % 16) * kStrideA + k + lane / 16 * 8])));
    for (int pair = 0; pair < 4; ++pair) {
      uint32_t b[4];
      asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
                   : "=r"(b[0]), "=r"(b[1]), "=r"(b[2]), "=r"(b[3])
                   : "r"(sharedAddress(&stage.b[(k + lane % 16) * kStrideB + pair * 16 + lane / 16 * 8])));
      for (int half = 0; half < 2; ++half) {
        float *c = &sums[pair][half * 4];
        asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
                     "{%0,%1,%2,%3};"
                     : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
                     : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[half * 2]), "r"(b[half * 2 + 1]));
      }
    }
  }
}

extern "C" __global__ void __launch_bounds__(128)
    product(const __nv_bfloat16 *a, const __nv_bfloat16 *b, __nv_bfloat16 *c, int m, int n, int k) {
  extern __shared__ __align__(16) unsigned char memory[];
  Stage *stages = reinterpret_cast<Stage *>(memory);
  const int steps = (k + kDepth - 1) / kDepth;
  for (int step = 0; step < kStages - 1; ++step) {
    if (step < steps)
      copyStage(stages[step], a, b, m, n, k, step * kDepth);
    asm volatile("cp.async.commit_group;");
  }
  float sums[4][8] = {};
  const int warpRow = threadIdx.x / 32 * 16;
  for (int step = 0; step < steps; ++step) {
    asm volatile("cp.async.wait_group %0;" ::"n"(kStages - 2));
    __syncthreads();
    const int next = step + kStages - 1;
    if (next < steps)
      copyStage(stages[next % kStages], a, b, m, n, k, next * kDepth);
    asm volatile("cp.async.commit_group;");
    multiplyStage(stages[step % kStages], sums, warpRow);
  }
  const int lane = threadIdx.x % 32, row = blockIdx.y * kTile + warpRow + lane / 4;
  for (int block = 0; block < 8; ++block)
    for (int half = 0; half < 2; ++half) {
      const int r = row + half * 8, column = blockIdx.x * kTile + block * 8 + lane % 4 * 2;
      const float *pair = &sums[block / 2][block % 2 * 4 + half * 2];
      if (r < m && column < n) // n is even
        *reinterpret_cast<__nv_bfloat162 *>(&c[(size_t)r * n + column]) = __floats2bfloat162_rn(pair[0], pair[1]);
    }
}
