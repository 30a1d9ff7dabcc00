// SPDX-License-Identifier: Apache-2.0
// RUN: attn-foreign addresses %S/addresses.ptx
// RUN: %if nvcc %{ %python %S/fresh.py %nvcc sm_80 %s %}
// RUN: %if nvcc %{ %python %S/fresh.py %nvcc sm_80 %s --debug %t.ptx && attn-foreign addresses %t.ptx %}
// Memory of all kinds: structures as arguments, arrays of a thread, recursion, tables, wide and narrow accesses,
// strides beyond 32 bits, printf and assert.
#include <cassert>
#include <cstdio>

struct Shape {
  int sizes[3];
  short kind;
  char letter;
  double weight;
  const float *data;
  long long strides[3];
};

__constant__ int primes[16] = {2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53};
__constant__ unsigned char letters[8] = {'a', 't', 't', 'e', 'n', 't', 'i', 'o'};
__device__ int counters[4] = {1, -2, 3};
__device__ float scales[2] = {0.5f, 4.0f};

/// A structure that stays where the parameters are; its address is taken.
__device__ __noinline__ double volume(const Shape &shape) {
  double v = shape.weight;
  for (int i = 0; i < 3; ++i)
    v *= shape.sizes[i];
  return v + shape.kind + shape.letter;
}

extern "C" __global__ void structures(const __grid_constant__ Shape shape, Shape copy, char tail, double *out) {
  const int i = threadIdx.x;
  copy.sizes[i % 3] += i; // the copy is the thread's own
  const int x = i % shape.sizes[0], y = i / shape.sizes[0] % shape.sizes[1];
  const float value = shape.data[x * shape.strides[0] + y * shape.strides[1] - shape.strides[2]];
  out[2 * i] = volume(shape) + value;
  out[2 * i + 1] = volume(copy) + tail;
}

/// An array with indices that are known late, sorted by insertion; the thread's own history of it decides more.
extern "C" __global__ void arrays(const int *in, int *out, int n) {
  int mine[24], order[24];
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  for (int j = 0; j < n; ++j) {
    mine[j] = in[(i * 7 + j * j) % 64];
    int at = j;
    for (; at > 0 && mine[order[at - 1]] > mine[j]; --at)
      order[at] = order[at - 1];
    order[at] = j;
  }
  unsigned hash = 1;
  for (int j = 0; j < n; ++j)
    hash = hash * 31 + mine[order[j]] * primes[order[j] % 16] + letters[mine[j] & 7];
  out[i] = hash;
}

__device__ __noinline__ unsigned ackermann(unsigned m, unsigned n) {
  if (m == 0)
    return n + 1;
  if (n == 0)
    return ackermann(m - 1, 1);
  return ackermann(m - 1, ackermann(m, n - 1));
}

/// A recursion with an array in each frame.
__device__ __noinline__ int combinations(int *chosen, int count, int from, int left, int sum) {
  if (left == 0) {
    int product = 1;
    for (int i = 0; i < count; ++i)
      product *= chosen[i];
    return product == sum;
  }
  int local[8], found = 0;
  for (int i = 0; i < count; ++i)
    local[i] = chosen[i];
  for (int next = from; next <= 6; ++next) {
    local[count] = next;
    found += combinations(local, count + 1, next, left - 1, sum + next);
  }
  return found;
}

extern "C" __global__ void recursion(unsigned *out) {
  const unsigned i = threadIdx.x;
  out[i] = ackermann(i % 3, i / 3 % 5);
  int none[1] = {0};
  out[i + blockDim.x] = combinations(none, 0, 1 + i % 4, i % 5, i / 8);
}

struct Pixel {
  unsigned char r, g, b, a;
};
struct __align__(16) Packet {
  float4 position;
  double weight;
  unsigned short ids[4];
};

/// Vectors and narrow types from global through shared memory, with hints about caches.
extern "C" __global__ void vectors(const Packet *packets, const Pixel *pixels, const signed char *bytes,
                                   const short *shorts, Packet *outPackets, Pixel *outPixels, long long *sums) {
  __shared__ Packet tile[32];
  __shared__ unsigned char turned[4][33];
  __shared__ __align__(8) short2 pairs[32];
  const int i = threadIdx.x, back = 31 - i;
  tile[i] = packets[i];
  const Pixel p = pixels[i];
  turned[0][i] = p.r, turned[1][i] = p.g, turned[2][i] = p.b, turned[3][i] = p.a;
  pairs[i] = make_short2(shorts[2 * i], shorts[2 * i + 1]);
  __syncthreads();
  Packet packet = tile[back];
  packet.position.y += packet.position.w;
  packet.weight *= 2;
  packet.ids[i % 4] ^= 0xff00;
  outPackets[i] = packet;
  outPixels[i] = Pixel{turned[3][back], turned[2][back], turned[1][back], turned[0][back]};
  const uchar4 four = reinterpret_cast<const uchar4 *>(bytes)[i];
  const char2 two = __ldg(reinterpret_cast<const char2 *>(bytes) + i);
  const longlong2 wide = __ldcs(reinterpret_cast<const longlong2 *>(packets) + i);
  const int2 both = __ldcg(reinterpret_cast<const int2 *>(shorts) + i % 16);
  const double third = __ldca(reinterpret_cast<const double *>(packets) + 2 + 4 * i);
  long long sum =
      four.x + 3 * four.y - four.z + four.w * 1000ll + two.x * two.y + (wide.x ^ wide.y) + (both.x ^ both.y);
  sum += (long long)third + pairs[back].x * 65536ll + pairs[(i + 5) % 32].y + __ldlu(shorts + i) + __ldcv(bytes + i);
  __stcs(sums + i, sum);
  __stwt(sums + 32 + i, ~sum);
  __stcg(sums + 64 + i, sum * 3);
  __stwb(sums + 96 + i, sum * 5);
}

/// Generic pointers whose memory only the data decides; variables of the device; dynamic shared memory under two names.
extern __shared__ float asFloats[];
extern __shared__ int asInts[];

extern "C" __global__ void generic(const int *choice, int *in, int *out) {
  __shared__ int shared[32];
  int local[4] = {10, 20, 30, 40};
  const int i = threadIdx.x;
  shared[i] = 1000 + i;
  asInts[i] = __float_as_int((float)i * scales[i % 2]);
  __syncthreads();
  int *from = choice[i] == 0 ? in + i : choice[i] == 1 ? &shared[31 - i] : &local[i % 4];
  *from += 5;
  const int where = __isGlobal(from) + 2 * __isShared(from) + 4 * __isLocal(from);
  __syncthreads();
  out[i] = *from + 100000 * where;
  out[32 + i] = (int)asFloats[31 - i];
  out[64 + i] = shared[i] + local[3];
  out[96 + i] = counters[i % 4];
  __syncthreads();
  if (i == 0)
    counters[3] += 7;
}

/// A row that lies far from the base: offsets exceed 32 bits, upwards and downwards.
extern "C" __global__ void farAway(const char *base, long long stride, int row, float *out) {
  out[threadIdx.x] = reinterpret_cast<const float *>(base + row * stride)[threadIdx.x];
}

extern "C" __global__ void print(int n, double x, const char *none) {
  if (threadIdx.x == 1) {
    printf("plain\n");
    printf("%d %5d|%-4u|%08x %c %% %s %p\n", n, -n, 7u, 0xbeef, 'z', "text", none);
    printf("%f %.3e %g %lld %llx %hd\n", x, x, x, 1234567890123ll, ~0ull, (short)-3);
  }
  assert(n < 100 || threadIdx.x != 2);
}
