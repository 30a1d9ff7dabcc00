// SPDX-License-Identifier: Apache-2.0
// RUN: attn-foreign wgmma %S/wgmma.ptx
// RUN: %if nvcc %{ %python %S/fresh.py %nvcc sm_90a %s %}
// Products of warpgroups: 64 rows by 64, 128 and 256 columns, A from shared memory and from registers, B with its depth
// or its columns in a row, the three swizzles, over a ring of two stages that the copy engine fills.
#include <cuda_bf16.h>
#include <cstdint>

struct alignas(64) TensorMap {
  unsigned char bytes[128];
};

__device__ uint32_t sharedAddress(const void *pointer) { return (uint32_t)__cvta_generic_to_shared(pointer); }

__device__ void wait(uint32_t barrier, int parity) {
  uint32_t complete;
  do {
    asm volatile("{\n.reg .pred p;\nmbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2;\nselp.u32 %0, 1, 0, p;\n}"
                 : "=r"(complete)
                 : "r"(barrier), "r"(parity)
                 : "memory");
  } while (!complete);
}

__device__ void load(uint32_t to, const TensorMap &map, int x, int y, uint32_t barrier) {
  asm volatile(
      "cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%2, %3}], [%4];" ::"r"(
          to),
      "l"(&map), "r"(x), "r"(y), "r"(barrier)
      : "memory");
}

/// Operands %t0 to %t9 of an asm statement, and registers i to i + 9 of an accumulator.
#define TEN(t) "%" #t "0, %" #t "1, %" #t "2, %" #t "3, %" #t "4, %" #t "5, %" #t "6, %" #t "7, %" #t "8, %" #t "9, "
#define TWO(i) "+f"(d[i]), "+f"(d[i + 1])
#define FOUR(i) TWO(i), TWO(i + 2)
#define EIGHT(i) FOUR(i), FOUR(i + 4)
#define SIXTEEN(i) EIGHT(i), EIGHT(i + 8)
#define ALL64 TEN() TEN(1) TEN(2) "%30, %31"
#define ALL128 TEN() TEN(1) TEN(2) TEN(3) TEN(4) TEN(5) "%60, %61, %62, %63"
#define ALL256                                                                                                         \
  TEN()                                                                                                                \
  TEN(1) TEN(2) TEN(3) TEN(4) TEN(5) TEN(6) TEN(7) TEN(8) TEN(9) TEN(10)                                               \
      TEN(11) "%120, %121, %122, %123, %124, %125, %126, %127"
#define REGISTERS64 SIXTEEN(0), SIXTEEN(16)
#define REGISTERS128 REGISTERS64, SIXTEEN(32), SIXTEEN(48)
#define REGISTERS256 REGISTERS128, SIXTEEN(64), SIXTEEN(80), SIXTEEN(96), SIXTEEN(112)

// The numbers are those of the operands behind the accumulator.
#define FROM_SHARED(N, A, B, SCALE, ACROSS)                                                                            \
  asm volatile("{\n.reg .pred p;\nsetp.ne.b32 p, %" #SCALE ", 0;\n"                                                    \
               "wgmma.mma_async.sync.aligned.m64n" #N "k16.f32.bf16.bf16 {" ALL##N "}, %" #A ", %" #B                  \
                                                                                   ", p, 1, 1, 0, %" #ACROSS ";\n}"    \
               : REGISTERS##N                                                                                          \
               : "l"(a), "l"(b), "r"(scale), "n"(Across))
#define FROM_REGISTERS(N, A0, A1, A2, A3, B, SCALE, ACROSS)                                                            \
  asm volatile("{\n.reg .pred p;\nsetp.ne.b32 p, %" #SCALE ", 0;\n"                                                    \
               "wgmma.mma_async.sync.aligned.m64n" #N "k16.f32.bf16.bf16 {" ALL##N                                     \
               "}, {%" #A0 ", %" #A1 ", %" #A2 ", %" #A3 "}, %" #B ", p, 1, 1, %" #ACROSS ";\n}"                       \
               : REGISTERS##N                                                                                          \
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(scale), "n"(Across))

template <int N, int Across> __device__ void multiply(float (&d)[N / 2], uint64_t a, uint64_t b, int scale) {
  if constexpr (N == 64)
    FROM_SHARED(64, 32, 33, 34, 35);
  else if constexpr (N == 128)
    FROM_SHARED(128, 64, 65, 66, 67);
  else
    FROM_SHARED(256, 128, 129, 130, 131);
}

template <int N, int Across>
__device__ void multiply(float (&d)[N / 2], const uint32_t (&a)[4], uint64_t b, int scale) {
  if constexpr (N == 64)
    FROM_REGISTERS(64, 32, 33, 34, 35, 36, 37, 38);
  else if constexpr (N == 128)
    FROM_REGISTERS(128, 64, 65, 66, 67, 68, 69, 70);
  else
    FROM_REGISTERS(256, 128, 129, 130, 131, 132, 133, 134);
}

/// A matrix in shared memory: where it begins, and how far its parts are from one another, in bytes.
__device__ uint64_t descriptor(uint32_t address, int leading, int stride, int swizzle) {
  const uint64_t mode = swizzle == 128 ? 1 : swizzle == 64 ? 2 : 3;
  return (uint64_t)(address >> 4) | (uint64_t)(leading >> 4) << 16 | (uint64_t)(stride >> 4) << 32 | mode << 62;
}

/// Two neighbours of a row of A: rows have `Swizzle` bytes.
template <int Swizzle> __device__ uint32_t pairOf(const unsigned char *tile, int row, int column) {
  const int at = row * Swizzle + column * 2;
  return *reinterpret_cast<const uint32_t *>(tile + (at ^ (at >> 7 & (Swizzle / 16 - 1)) << 4));
}

/// C = A B for 64 rows, by 128 threads. Swizzle: bytes of the rows of A, and of B unless its columns lie in a row.
template <int N, int Swizzle, bool Registers, int Across>
__device__ void product(const TensorMap &mapA, const TensorMap &mapB, float *c, int steps) {
  constexpr int kDepth = Swizzle / 2, kBytesA = 64 * Swizzle, kBytesB = N * Swizzle, kStage = kBytesA + kBytesB;
  extern __shared__ __align__(1024) unsigned char memory[];
  __shared__ uint64_t full[2];
  if (threadIdx.x == 0) {
    asm volatile("mbarrier.init.shared::cta.b64 [%0], 1;" ::"r"(sharedAddress(&full[0])));
    asm volatile("mbarrier.init.shared::cta.b64 [%0], 1;" ::"r"(sharedAddress(&full[1])));
    asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
  }
  const auto fill = [&](int step) {
    const uint32_t barrier = sharedAddress(&full[step % 2]), to = sharedAddress(memory + step % 2 * kStage);
    asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(barrier), "r"(kStage) : "memory");
    load(to, mapA, step * kDepth, 0, barrier);
    if (Across)
      for (int column = 0; column < N; column += 64)
        load(to + kBytesA + column * Swizzle, mapB, column, step * kDepth, barrier);
    else
      load(to + kBytesA, mapB, step * kDepth, 0, barrier);
  };
  if (threadIdx.x == 0)
    for (int step = 0; step < 2 && step < steps; ++step)
      fill(step);
  __syncthreads();
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  float d[N / 2];
  for (int step = 0; step < steps; ++step) {
    const unsigned char *tile = memory + step % 2 * kStage;
    const uint32_t tileA = sharedAddress(tile), tileB = tileA + kBytesA;
    uint32_t a[kDepth / 16][4];
    wait(sharedAddress(&full[step % 2]), step / 2 % 2);
    if constexpr (Registers)
      for (int k = 0; k < kDepth / 16; ++k)
        for (int i = 0; i < 4; ++i)
          a[k][i] = pairOf<Swizzle>(tile, warp * 16 + lane / 4 + i % 2 * 8, k * 16 + i / 2 * 8 + lane % 4 * 2);
    asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
#pragma unroll
    for (int k = 0; k < kDepth / 16; ++k) {
      // Sixteen of depth are 32 bytes of a row, or sixteen rows.
      const uint64_t b = Across ? descriptor(tileB + k * 16 * 128, 64 * Swizzle, 1024, 128)
                                : descriptor(tileB + k * 32, 16, 8 * Swizzle, Swizzle);
      if constexpr (Registers)
        multiply<N, Across>(d, a[k], b, step + k > 0);
      else
        multiply<N, Across>(d, descriptor(tileA + k * 32, 16, 8 * Swizzle, Swizzle), b, step + k > 0);
    }
    asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
    asm volatile("wgmma.wait_group.sync.aligned 0;" ::: "memory");
    __syncthreads();
    if (threadIdx.x == 0 && step + 2 < steps)
      fill(step + 2);
  }
#pragma unroll
  for (int i = 0; i < N / 2; ++i)
    c[(warp * 16 + lane / 4 + i / 2 % 2 * 8) * N + i / 4 * 8 + lane % 4 * 2 + i % 2] = d[i];
}

#define ENTRY(name, N, Swizzle, Registers, Across)                                                                     \
  extern "C" __global__ void __launch_bounds__(128)                                                                    \
      name(const __grid_constant__ TensorMap a, const __grid_constant__ TensorMap b, float *c, int steps) {            \
    product<N, Swizzle, Registers, Across>(a, b, c, steps);                                                            \
  }
ENTRY(shared128, 128, 128, false, 0)
ENTRY(shared64, 64, 64, false, 0)
ENTRY(shared32, 256, 32, false, 0)
ENTRY(sharedAcross, 128, 128, false, 1)
ENTRY(registers128, 64, 128, true, 0)
ENTRY(registersAcross, 256, 128, true, 1)
