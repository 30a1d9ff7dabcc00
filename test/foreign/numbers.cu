// SPDX-License-Identifier: Apache-2.0
// RUN: attn-foreign numbers %S/numbers.ptx
// RUN: %if nvcc %{ %python %S/fresh.py %nvcc sm_80 %s %}
// RUN: %if nvcc %{ %python %S/fresh.py %nvcc sm_80 %s --debug %t.ptx && attn-foreign numbers %t.ptx %}
// Numbers of all types into one another, arithmetic in every rounding, functions fast and precise. Results are stored
// one after the other, each for all inputs.
#include <cuda_bf16.h>
#include <cuda_fp16.h>

/// Puts results one after the other.
template <typename T> struct Row {
  T *at;
  int step;
  __device__ Row(T *out, int index, int count) : at(out + index), step(count) {}
  __device__ void operator()(T value) {
    *at = value;
    at += step;
  }
};

__device__ int self() { return blockIdx.x * blockDim.x + threadIdx.x; }

extern "C" __global__ void fromFloat(const float *in, long long *out, int count) {
  if (self() >= count)
    return;
  const float x = in[self()];
  Row<long long> put(out, self(), count);
  put(__float2int_rn(x)), put(__float2int_rz(x)), put(__float2int_ru(x)), put(__float2int_rd(x));
  put(__float2uint_rn(x)), put(__float2uint_rz(x)), put(__float2uint_ru(x)), put(__float2uint_rd(x));
  put(__float2ll_rn(x)), put(__float2ll_rz(x)), put(__float2ll_ru(x)), put(__float2ll_rd(x));
  put(__float2ull_rn(x)), put(__float2ull_rz(x)), put(__float2ull_ru(x)), put(__float2ull_rd(x));
  put(__double_as_longlong((double)x));
  put(__float_as_int(rintf(x))), put(__float_as_int(truncf(x)));
  put(__float_as_int(ceilf(x))), put(__float_as_int(floorf(x)));
}

extern "C" __global__ void fromDouble(const double *in, long long *out, int count) {
  if (self() >= count)
    return;
  const double x = in[self()];
  Row<long long> put(out, self(), count);
  put(__double2int_rn(x)), put(__double2int_rz(x)), put(__double2int_ru(x)), put(__double2int_rd(x));
  put(__double2uint_rn(x)), put(__double2uint_rz(x)), put(__double2uint_ru(x)), put(__double2uint_rd(x));
  put(__double2ll_rn(x)), put(__double2ll_rz(x)), put(__double2ll_ru(x)), put(__double2ll_rd(x));
  put(__double2ull_rn(x)), put(__double2ull_rz(x)), put(__double2ull_ru(x)), put(__double2ull_rd(x));
  put(__float_as_int(__double2float_rn(x))), put(__float_as_int(__double2float_rz(x)));
  put(__float_as_int(__double2float_ru(x))), put(__float_as_int(__double2float_rd(x)));
  put(__double_as_longlong(rint(x))), put(__double_as_longlong(trunc(x)));
  put(__double_as_longlong(ceil(x))), put(__double_as_longlong(floor(x)));
}

extern "C" __global__ void fromInteger(const long long *in, long long *out, int count) {
  if (self() >= count)
    return;
  const long long x = in[self()];
  const unsigned long long u = x;
  const int i = (int)x;
  const unsigned n = (unsigned)x;
  Row<long long> put(out, self(), count);
  put(__float_as_int(__int2float_rn(i))), put(__float_as_int(__int2float_rz(i)));
  put(__float_as_int(__int2float_ru(i))), put(__float_as_int(__int2float_rd(i)));
  put(__float_as_int(__uint2float_rn(n))), put(__float_as_int(__uint2float_rz(n)));
  put(__float_as_int(__uint2float_ru(n))), put(__float_as_int(__uint2float_rd(n)));
  put(__float_as_int(__ll2float_rn(x))), put(__float_as_int(__ll2float_rz(x)));
  put(__float_as_int(__ll2float_ru(x))), put(__float_as_int(__ll2float_rd(x)));
  put(__float_as_int(__ull2float_rn(u))), put(__float_as_int(__ull2float_rz(u)));
  put(__float_as_int(__ull2float_ru(u))), put(__float_as_int(__ull2float_rd(u)));
  put(__double_as_longlong(__int2double_rn(i))), put(__double_as_longlong(__uint2double_rn(n)));
  put(__double_as_longlong(__ll2double_rn(x))), put(__double_as_longlong(__ll2double_rz(x)));
  put(__double_as_longlong(__ll2double_ru(x))), put(__double_as_longlong(__ll2double_rd(x)));
  put(__double_as_longlong(__ull2double_rn(u))), put(__double_as_longlong(__ull2double_rz(u)));
  put(__double_as_longlong(__ull2double_ru(u))), put(__double_as_longlong(__ull2double_rd(u)));
  put((signed char)x), put((unsigned char)x), put((short)x), put((unsigned short)x), put(i), put(n);
  put((float)(signed char)x), put((float)(unsigned char)x), put((float)(short)x), put((double)(unsigned short)x);
}

extern "C" __global__ void arithmetic(const float *a, const float *b, const float *c, float *out, int count) {
  if (self() >= count)
    return;
  const float x = a[self()], y = b[self()], z = c[self()];
  Row<float> put(out, self(), count);
  put(__fadd_rn(x, y)), put(__fadd_rz(x, y)), put(__fadd_ru(x, y)), put(__fadd_rd(x, y));
  put(__fsub_rn(x, y)), put(__fsub_rz(x, y)), put(__fsub_ru(x, y)), put(__fsub_rd(x, y));
  put(__fmul_rn(x, y)), put(__fmul_rz(x, y)), put(__fmul_ru(x, y)), put(__fmul_rd(x, y));
  put(__fdiv_rn(x, y)), put(__fdiv_rz(x, y)), put(__fdiv_ru(x, y)), put(__fdiv_rd(x, y));
  put(__fmaf_rn(x, y, z)), put(__fmaf_rz(x, y, z)), put(__fmaf_ru(x, y, z)), put(__fmaf_rd(x, y, z));
  put(__fsqrt_rn(x)), put(__fsqrt_rz(x)), put(__fsqrt_ru(x)), put(__fsqrt_rd(x));
  put(__frcp_rn(x)), put(__frcp_rz(x)), put(__frcp_ru(x)), put(__frcp_rd(x));
  put(fminf(x, y)), put(fmaxf(x, y)), put(fabsf(x)), put(-y), put(copysignf(x, y));
  put(__saturatef(x)), put(fmodf(x, y)), put(x < y ? 1 : isnan(z) ? 2 : x == y ? 3 : 4);
}

extern "C" __global__ void arithmeticDouble(const double *a, const double *b, const double *c, double *out, int count) {
  if (self() >= count)
    return;
  const double x = a[self()], y = b[self()], z = c[self()];
  Row<double> put(out, self(), count);
  put(__dadd_rn(x, y)), put(__dadd_rz(x, y)), put(__dadd_ru(x, y)), put(__dadd_rd(x, y));
  put(__dsub_rn(x, y)), put(__dsub_rz(x, y)), put(__dsub_ru(x, y)), put(__dsub_rd(x, y));
  put(__dmul_rn(x, y)), put(__dmul_rz(x, y)), put(__dmul_ru(x, y)), put(__dmul_rd(x, y));
  put(__ddiv_rn(x, y)), put(__ddiv_rz(x, y)), put(__ddiv_ru(x, y)), put(__ddiv_rd(x, y));
  put(__fma_rn(x, y, z)), put(__fma_rz(x, y, z)), put(__fma_ru(x, y, z)), put(__fma_rd(x, y, z));
  put(__dsqrt_rn(x)), put(__dsqrt_rz(x)), put(__dsqrt_ru(x)), put(__dsqrt_rd(x));
  put(__drcp_rn(x)), put(__drcp_rz(x)), put(__drcp_ru(x)), put(__drcp_rd(x));
  put(fmin(x, y)), put(fmax(x, y)), put(fabs(x)), put(-y), put(copysign(x, y));
  put(x < y ? 1 : isnan(z) ? 2 : x >= y ? 3 : 4);
}

/// Division of integers by variables; the divisor is not 0.
extern "C" __global__ void division(const long long *a, const long long *b, long long *out, int count) {
  if (self() >= count)
    return;
  const long long x = a[self()], y = b[self()];
  const unsigned long long ux = x, uy = y;
  Row<long long> put(out, self(), count);
  put(x / y), put(x % y), put(ux / uy), put(ux % uy);
  const int i = (int)x, j = (int)y ? (int)y : 1;
  const unsigned m = i, n = j;
  put(i / j), put(i % j), put(m / n), put(m % n), put(i / 7), put(m % 10u), put(x / 1000003), put(ux % 60u);
  const short s = (short)x, t = (short)y ? (short)y : 1;
  put(s / t), put(s % t), put((unsigned char)x / (unsigned char)13);
}

/// Functions as libraries make them from fused steps, tables and long reductions of their arguments.
extern "C" __global__ void precise(const float *in, float *out, int count) {
  if (self() >= count)
    return;
  const float x = in[self()];
  Row<float> put(out, self(), count);
  put(expf(x)), put(exp2f(x)), put(expm1f(x)), put(sinf(x)), put(cosf(x)), put(tanf(x)), put(tanhf(x)), put(erff(x));
  put(cbrtf(x)), put(atanf(x)), put(atan2f(x, 3)), put(sinhf(x)), put(coshf(x)), put(hypotf(x, 5));
  const float y = fabsf(x);
  put(logf(y)), put(log2f(y)), put(log10f(y)), put(log1pf(y)), put(sqrtf(y)), put(rsqrtf(y)), put(powf(y, 1.25f));
  put(powf(y, -3)), put(y / 3.7f), put(1 / y);
}

extern "C" __global__ void preciseDouble(const double *in, double *out, int count) {
  if (self() >= count)
    return;
  const double x = in[self()];
  Row<double> put(out, self(), count);
  put(exp(x)), put(sin(x)), put(cos(x)), put(tanh(x)), put(cbrt(x)), put(log(fabs(x))), put(sqrt(fabs(x)));
}

/// Functions of the hardware, which promise less; arguments are between -3 and 3 and not 0.
extern "C" __global__ void fast(const float *in, float *out, int count) {
  if (self() >= count)
    return;
  const float x = in[self()], y = fabsf(x);
  Row<float> put(out, self(), count);
  put(__expf(x)), put(__exp10f(x)), put(__sinf(x)), put(__cosf(x)), put(__logf(y)), put(__log2f(y)), put(__log10f(y));
  put(__powf(y, 1.25f)), put(__fdividef(x, 3.7f)), put(__frsqrt_rn(y));
  float r;
  asm("tanh.approx.f32 %0, %1;" : "=f"(r) : "f"(x));
  put(r);
  asm("ex2.approx.f32 %0, %1;" : "=f"(r) : "f"(x * 40));
  put(r);
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(r) : "f"(x * 40));
  put(r);
  asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(r) : "f"(x));
  put(r);
  asm("sqrt.approx.ftz.f32 %0, %1;" : "=f"(r) : "f"(y));
  put(r);
  asm("rsqrt.approx.ftz.f32 %0, %1;" : "=f"(r) : "f"(y));
  put(r);
  asm("div.full.f32 %0, %1, %2;" : "=f"(r) : "f"(x), "f"(-1.3f));
  put(r);
}

/// Halves as 16 bits; each result is one, or both of a pair.
extern "C" __global__ void halves(const float *in, const unsigned short *bits, unsigned *out, int count) {
  if (self() >= count)
    return;
  const float x = in[self()];
  const __half h = __ushort_as_half(bits[self()]);
  const __nv_bfloat16 b = __ushort_as_bfloat16(bits[self()]);
  Row<unsigned> put(out, self(), count);
  put(__half_as_ushort(__float2half_rn(x))), put(__half_as_ushort(__float2half_rz(x)));
  put(__half_as_ushort(__float2half_ru(x))), put(__half_as_ushort(__float2half_rd(x)));
  put(__bfloat16_as_ushort(__float2bfloat16_rn(x))), put(__bfloat16_as_ushort(__float2bfloat16_rz(x)));
  put(__bfloat16_as_ushort(__float2bfloat16_ru(x))), put(__bfloat16_as_ushort(__float2bfloat16_rd(x)));
  put(__float_as_uint(__half2float(h))), put(__float_as_uint(__bfloat162float(b)));
  put(__half2int_rn(h)), put(__half2int_rz(h)), put(__half2int_ru(h)), put(__half2int_rd(h));
  put(__half2uint_rn(h)), put(__half2uint_rz(h));
  put((unsigned short)__half2short_rn(h)), put((unsigned short)__half2short_rz(h)), put(__half2ushort_rz(h));
  put((unsigned)(__half2ll_rn(h) >> 1)), put((unsigned)__half2ull_rz(h));
  put(__half_as_ushort(__int2half_rn((int)bits[self()] - 32768)));
  put(__half_as_ushort(__uint2half_rz(bits[self()])));
  put(__half_as_ushort(__short2half_ru((short)bits[self()])));
  put(__half_as_ushort(__ll2half_rd((long long)bits[self()] - 32768)));
  const __half2 pair = __floats2half2_rn(x, -x);
  put(*reinterpret_cast<const unsigned *>(&pair));
  const __nv_bfloat162 brains = __floats2bfloat162_rn(x, -x);
  put(*reinterpret_cast<const unsigned *>(&brains));
  put(__half_as_ushort(hrint(h))), put(__half_as_ushort(htrunc(h)));
  put(__half_as_ushort(hceil(h))), put(__half_as_ushort(hfloor(h)));
}

/// Pairs of halves, and of bfloat16, in packed arithmetic.
extern "C" __global__ void packed(const __half2 *a, const __half2 *b, const __half2 *c, __half2 *out, int count) {
  if (self() >= count)
    return;
  const __half2 x = a[self()], y = b[self()], z = c[self()];
  Row<__half2> put(out, self(), count);
  put(__hadd2(x, y)), put(__hsub2(x, y)), put(__hmul2(x, y)), put(__hfma2(x, y, z)), put(__hmin2(x, y));
  put(__hmax2(x, y)), put(__hmin2_nan(x, y)), put(__hmax2_nan(x, y)), put(__habs2(x)), put(__hneg2(x));
  put(__hadd2_sat(x, y)), put(__hfma2_relu(x, y, z)), put(__hlt2(x, y)), put(__hgeu2(x, y)), put(__heq2(x, y));
  put(__halves2half2(__hadd(__low2half(x), __high2half(y)), __hfma(__high2half(x), __low2half(y), __low2half(z))));
  put(__halves2half2(__hdiv(__low2half(x), __low2half(y)), hsqrt(__high2half(x))));
}

extern "C" __global__ void packedBrains(const __nv_bfloat162 *a, const __nv_bfloat162 *b, const __nv_bfloat162 *c,
                                        __nv_bfloat162 *out, int count) {
  if (self() >= count)
    return;
  const __nv_bfloat162 x = a[self()], y = b[self()], z = c[self()];
  Row<__nv_bfloat162> put(out, self(), count);
  put(__hadd2(x, y)), put(__hsub2(x, y)), put(__hmul2(x, y)), put(__hfma2(x, y, z)), put(__hmin2(x, y));
  put(__hmax2(x, y)), put(__hmin2_nan(x, y)), put(__hmax2_nan(x, y)), put(__habs2(x)), put(__hneg2(x));
  put(__hfma2_relu(x, y, z)), put(__hlt2(x, y)), put(__hgeu2(x, y)), put(__heq2(x, y));
}
