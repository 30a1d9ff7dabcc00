// SPDX-License-Identifier: Apache-2.0
// RUN: attn-foreign reduce %S/reduce.ptx
// RUN: %if nvcc %{ %python %S/fresh.py %nvcc sm_80 %s %}
// RUN: %if nvcc %{ %python %S/fresh.py %nvcc sm_80 %s --debug %t.ptx && attn-foreign reduce %t.ptx %}
// Sum of an array: grid-stride loop, warp sums by shuffles of both kinds, one warp for the second stage, one atomic a
// CTA.

__device__ float sumOfWarp(float value) {
  for (int distance = 16; distance > 0; distance /= 2)
    value += __shfl_xor_sync(0xffffffffu, value, distance);
  return value;
}

__device__ float sumInLaneZero(float value) {
  for (int distance = 16; distance > 0; distance /= 2)
    value += __shfl_down_sync(0xffffffffu, value, distance);
  return value;
}

extern "C" __global__ void reduce(const float *__restrict__ in, long count, float *total, float *maximum) {
  __shared__ float sums[32], maxima[32];
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, warps = blockDim.x / 32;
  float sum = 0, largest = -INFINITY;
  for (long i = blockIdx.x * (long)blockDim.x + threadIdx.x; i < count; i += (long)gridDim.x * blockDim.x) {
    sum += in[i];
    largest = fmaxf(largest, in[i]);
  }
  sum = sumOfWarp(sum);
  for (int distance = 16; distance > 0; distance /= 2)
    largest = fmaxf(largest, __shfl_xor_sync(0xffffffffu, largest, distance));
  if (lane == 0) {
    sums[warp] = sum;
    maxima[warp] = largest;
  }
  __syncthreads();
  if (warp > 0)
    return;
  sum = sumInLaneZero(lane < warps ? sums[lane] : 0.0f);
  if (lane == 0) {
    atomicAdd(total, sum);
    float all = maxima[0];
    for (int i = 1; i < warps; ++i)
      all = fmaxf(all, maxima[i]);
    maximum[blockIdx.x] = all;
  }
}
