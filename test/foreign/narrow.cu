// SPDX-License-Identifier: Apache-2.0
// RUN: attn-foreign narrow %S/narrow.ptx
// RUN: %if nvcc %{ %python %S/fresh.py %nvcc sm_90a %s %}
// RUN: %if nvcc %{ %python %S/fresh.py %nvcc sm_90a %s --debug %t.ptx && attn-foreign narrow %t.ptx %}
// What later chips add to numbers: eight bits, bfloat16 in all roundings and in arithmetic of its own, atomic sums of
// pairs and vectors.
#include <cuda_bf16.h>
#include <cuda_fp8.h>

extern "C" __global__ void eightBits(const float *in, unsigned *out, int count) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= count)
    return;
  const float x = in[i], y = in[(i + 1) % count];
  out += i;
  *out = __nv_cvt_float_to_fp8(x, __NV_SATFINITE, __NV_E4M3), out += count;
  *out = __nv_cvt_float_to_fp8(x, __NV_SATFINITE, __NV_E5M2), out += count;
  *out = __nv_cvt_float2_to_fp8x2(make_float2(x, y), __NV_SATFINITE, __NV_E4M3), out += count;
  *out = __nv_cvt_float2_to_fp8x2(make_float2(x, y), __NV_SATFINITE, __NV_E5M2), out += count;
  const __half2 pair = __floats2half2_rn(x, y);
  *out = __nv_cvt_halfraw2_to_fp8x2(pair, __NV_SATFINITE, __NV_E4M3), out += count;
  *out = __nv_cvt_halfraw2_to_fp8x2(pair, __NV_SATFINITE, __NV_E5M2), out += count;
}

/// Each pattern back to a half.
extern "C" __global__ void fromEightBits(unsigned *out) {
  const int i = threadIdx.x;
  const __nv_fp8x2_storage_t both = (__nv_fp8x2_storage_t)(i | (255 - i) << 8);
  const __half2_raw a = __nv_cvt_fp8x2_to_halfraw2(both, __NV_E4M3), b = __nv_cvt_fp8x2_to_halfraw2(both, __NV_E5M2);
  out[i] = a.x | (unsigned)a.y << 16;
  out[i + 256] = b.x | (unsigned)b.y << 16;
}

extern "C" __global__ void brains(const float *in, const unsigned short *bits, unsigned *out, int count) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= count)
    return;
  const float x = in[i];
  const __nv_bfloat16 a = __ushort_as_bfloat16(bits[i]), b = __ushort_as_bfloat16(bits[(i + 1) % count]);
  const __nv_bfloat162 pair = __halves2bfloat162(a, b), other = __halves2bfloat162(b, a);
  const auto put = [&](unsigned value) {
    *out = value;
    out += count;
  };
  const auto putOne = [&](__nv_bfloat16 value) { put(__bfloat16_as_ushort(value)); };
  const auto putPair = [&](__nv_bfloat162 value) { put(*reinterpret_cast<unsigned *>(&value)); };
  out += i;
  putOne(__float2bfloat16_rn(x)), putOne(__float2bfloat16_rz(x));
  putOne(__float2bfloat16_ru(x)), putOne(__float2bfloat16_rd(x));
  put(__bfloat162int_rn(a)), put(__bfloat162int_rz(a)), put(__bfloat162int_ru(a)), put(__bfloat162int_rd(a));
  put(__bfloat162uint_rz(a)), put((unsigned)__bfloat162ll_rn(a)), put(__bfloat162ushort_rz(a));
  putOne(__int2bfloat16_rn((int)bits[i] * 257 - 5000000)), putOne(__uint2bfloat16_rz(bits[i] * 65537u));
  putOne(__hadd(a, b)), putOne(__hsub(a, b)), putOne(__hmul(a, b)), putOne(__hfma(a, b, a));
  putPair(__hadd2(pair, other)), putPair(__hmul2(pair, other)), putPair(__hfma2(pair, other, pair));
  putPair(__hlt2(pair, other)), put(__heq(a, b) + 2 * __hgtu(a, b)), putOne(__hmax(a, b)), putOne(__hmin_nan(a, b));
}

/// Sums of integers by all threads of all blocks.
extern "C" __global__ void sums(__nv_bfloat162 *brains, __nv_bfloat16 *brain, float2 *two, float4 *four, __half *half) {
  const int i = threadIdx.x;
  atomicAdd(brains, __floats2bfloat162_rn((float)(i % 2), (float)-(i % 3 == 0)));
  atomicAdd(brain, __float2bfloat16((float)(i % 4 == 0)));
  atomicAdd(two, make_float2((float)i, 1.0f));
  const float4 before = atomicAdd(four, make_float4(1.0f, (float)-i, 0.5f, (float)(i * i)));
  if (before.x < 0)
    atomicAdd(half, __float2half(100.0f)); // never: the first of the four only grows
  atomicAdd(half, __float2half((float)(i % 5)));
}
