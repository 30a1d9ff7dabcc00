// SPDX-License-Identifier: Apache-2.0
// RUN: attn-foreign warp %S/warp.ptx
// RUN: %if nvcc %{ %python %S/fresh.py %nvcc sm_80 %s %}
// RUN: %if nvcc %{ %python %S/fresh.py %nvcc sm_80 %s --debug %t.ptx && attn-foreign warp %t.ptx %}
// What the lanes of a warp do together, and functions on the bits of integers. One warp each; results are [what][lane].

constexpr unsigned kAll = 0xffffffffu;

/// Each shuffle for each width, of a value that is the lane's own.
template <typename T> __device__ T *shuffles(T *out, T mine, int lane, int by) {
  for (int width = 4; width <= 32; width *= 2) {
    *out = __shfl_sync(kAll, mine, by + lane % 3, width), out += 32;
    *out = __shfl_up_sync(kAll, mine, by, width), out += 32;
    *out = __shfl_down_sync(kAll, mine, by, width), out += 32;
    *out = __shfl_xor_sync(kAll, mine, by, width), out += 32;
  }
  return out;
}

extern "C" __global__ void shuffle(const int *in, int *ints, long long *longs, float *floats, double *doubles, int by) {
  const int lane = threadIdx.x;
  shuffles(ints + lane, in[lane], lane, by);
  shuffles(longs + lane, (long long)in[lane] * 1000000007ll, lane, by);
  shuffles(floats + lane, (float)in[lane] / 3, lane, by);
  shuffles(doubles + lane, (double)in[lane] / 7, lane, by);
}

/// Lanes of two halves shuffle apart, each in its branch.
extern "C" __global__ void halves(const int *in, int *out) {
  const int lane = threadIdx.x;
  int value = in[lane];
  if (lane % 2)
    value += __shfl_xor_sync(0xaaaaaaaau, value, 6);
  else
    value -= __shfl_xor_sync(0x55555555u, value, 10);
  __syncwarp();
  if (lane < 20) {
    value ^= __shfl_down_sync(0x000fffffu, value, 1, 4);
    out[lane] = value;
    return;
  }
  out[lane] = value + __popc(__ballot_sync(0xfff00000u, value > 0));
}

/// Votes, matches and reductions over all lanes, and over those below 11.
extern "C" __global__ void together(const int *in, const long long *wide, unsigned *out) {
  const int lane = threadIdx.x;
  const int value = in[lane];
  out += lane;
  for (int round = 0; round < 2; ++round) {
    if (round && lane >= 11)
      return;
    const unsigned mask = round ? 0x7ffu : kAll;
    int same;
    *out = __ballot_sync(mask, value % 3 == 0), out += 32;
    *out = __any_sync(mask, value == 5), out += 32;
    *out = __all_sync(mask, value < 100), out += 32;
    *out = __uni_sync(mask, value < 100), out += 32;
    *out = __match_any_sync(mask, value % 4), out += 32;
    *out = __match_any_sync(mask, wide[lane]), out += 32;
    *out = __match_all_sync(mask, value, &same), out += 32;
    *out = same, out += 32;
    *out = __match_all_sync(mask, value / 1000, &same) + same, out += 32;
    *out = __match_all_sync(mask, wide[lane] / 1000000007ll / 1000, &same) + same, out += 32;
    *out = __reduce_add_sync(mask, value), out += 32;
    *out = __reduce_min_sync(mask, value), out += 32;
    *out = __reduce_max_sync(mask, value), out += 32;
    *out = __reduce_add_sync(mask, (unsigned)value), out += 32;
    *out = __reduce_min_sync(mask, (unsigned)value), out += 32;
    *out = __reduce_max_sync(mask, (unsigned)value), out += 32;
    *out = __reduce_and_sync(mask, (unsigned)value | 6), out += 32;
    *out = __reduce_or_sync(mask, (unsigned)value & 0xf0), out += 32;
    *out = __reduce_xor_sync(mask, (unsigned)value), out += 32;
    *out = __activemask(), out += 32;
  }
}

/// Barriers that count or combine what their threads say; four warps.
extern "C" __global__ void barriers(const int *in, int *out) {
  const int i = threadIdx.x;
  const int value = in[i];
  int *to = out + i;
  *to = __syncthreads_count(value % 3 == 0), to += blockDim.x;
  *to = __syncthreads_and(value > -1000), to += blockDim.x;
  *to = __syncthreads_and(value > 0), to += blockDim.x;
  *to = __syncthreads_or(value == 0), to += blockDim.x;
  *to = __syncthreads_or(value > 100000), to += blockDim.x;
}

/// Functions on bits, of pairs of numbers.
extern "C" __global__ void bits(const unsigned *a, const unsigned *b, unsigned *out, unsigned long long *wide,
                                int count) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= count)
    return;
  const unsigned x = a[i], y = b[i];
  const int s = (int)x, t = (int)y;
  const unsigned long long xy = (unsigned long long)x << 32 | y, yx = (unsigned long long)y << 32 | x;
  out += i;
  *out = __brev(x), out += count;
  *out = __ffs(s), out += count;
  *out = __clz(s), out += count;
  *out = __popc(x), out += count;
  *out = __brevll(xy) >> 16, out += count;
  *out = __ffsll(xy), out += count;
  *out = __clzll(yx), out += count;
  *out = __popcll(xy), out += count;
  *out = __byte_perm(x, y, 0x5140), out += count;
  *out = __byte_perm(x, y, y & 0x7777), out += count;
  *out = __funnelshift_l(x, y, x >> 3), out += count;
  *out = __funnelshift_r(x, y, x >> 3), out += count;
  *out = __funnelshift_lc(x, y, x % 50), out += count;
  *out = __funnelshift_rc(x, y, x % 50), out += count;
  *out = __mulhi(s, t), out += count;
  *out = __umulhi(x, y), out += count;
  *out = __mul24(s, t), out += count;
  *out = __umul24(x, y), out += count;
  *out = __sad(s, t, x), out += count;
  *out = __usad(x, y, x), out += count;
  *out = __hadd(s, t), out += count;
  *out = __urhadd(x, y), out += count;
  *out = __dp4a(s, t, 12345), out += count;
  *out = __dp4a(x, y, 54321u), out += count;
  *out = __fns(x, y % 32, (int)(y % 7) - 3), out += count;
  *out = x >> (y % 32), out += count;
  *out = s >> (t & 31), out += count;
  *out = x << (y % 32), out += count;
  *out = (x & y) | (~x & 0x0ff0), out += count;
  *out = (x ^ y) & ~(x | 0xf), out += count;
  *out = (unsigned short)x * (short)y, out += count;
  *out = (unsigned char)x > (signed char)y, out += count;
  *out = (s >> 5 & 0x1ff) + ((s << 7) >> 23), out += count;
  unsigned field = x;
  asm("bfi.b32 %0, %1, %0, %2, %3;" : "+r"(field) : "r"(y), "r"(y % 40), "r"(x % 40));
  *out = field, out += count;
  asm("bfind.s32 %0, %1;" : "=r"(field) : "r"(x));
  *out = field, out += count;
  asm("bfind.shiftamt.u32 %0, %1;" : "=r"(field) : "r"(x));
  *out = field, out += count;
  asm("bfe.s32 %0, %1, %2, %3;" : "=r"(field) : "r"(x), "r"(y % 40), "r"(y / 64 % 40));
  *out = field, out += count;
  asm("lop3.b32 %0, %1, %2, %3, 0x9a;" : "=r"(field) : "r"(x), "r"(y), "r"(x / 3));
  *out = field, out += count;
  wide += i;
  *wide = __mul64hi((long long)xy, (long long)yx), wide += count;
  *wide = __umul64hi(xy, yx), wide += count;
  *wide = xy * yx, wide += count;
  *wide = (long long)xy >> (y % 64), wide += count;
  *wide = xy >> (x % 64), wide += count;
  *wide = xy << (x % 64), wide += count;
  *wide = (unsigned __int128)xy * yx * 3 >> 64, wide += count;
  *wide = ((unsigned __int128)xy << 64 | yx) - ((unsigned __int128)yx << 64 | xy) >> 64, wide += count;
  *wide = (long long)s * t, wide += count;
  *wide = __clzll(xy & 0xffffffff) | (unsigned long long)max(s, t) << 8 | (unsigned)min(x, y), wide += count;
}

/// Where a thread is.
extern "C" __global__ void places(unsigned *out) {
  const unsigned block = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
  const unsigned thread = (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
  unsigned lane, less, notMore, equal, notLess, more, warps;
  asm volatile("mov.u32 %0, %%laneid;" : "=r"(lane));
  asm volatile("mov.u32 %0, %%lanemask_lt;" : "=r"(less));
  asm volatile("mov.u32 %0, %%lanemask_le;" : "=r"(notMore));
  asm volatile("mov.u32 %0, %%lanemask_eq;" : "=r"(equal));
  asm volatile("mov.u32 %0, %%lanemask_ge;" : "=r"(notLess));
  asm volatile("mov.u32 %0, %%lanemask_gt;" : "=r"(more));
  asm volatile("mov.u32 %0, %%nwarpid;" : "=r"(warps));
  const long long begin = clock64();
  const unsigned start = clock();
  unsigned *to = out + (block * blockDim.x * blockDim.y * blockDim.z + thread) * 4;
  to[0] = lane;
  to[1] = (less ^ notMore) == equal && (more ^ notLess) == equal && (less | equal | more) == kAll;
  to[2] = less;
  // Clocks never run backwards, and there are at least as many places for warps as there are warps.
  to[3] = clock64() >= begin && clock() - start < 0x7fffffffu && warps * 32 >= blockDim.x * blockDim.y * blockDim.z;
}
