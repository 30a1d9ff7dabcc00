// SPDX-License-Identifier: Apache-2.0
// RUN: attn-foreign tma %S/tma.ptx
// RUN: %if nvcc %{ %python %S/fresh.py %nvcc sm_90a %s %}
// Copies by the copy engine: boxes of a tensor with swizzled rows, partly outside, in and out and added; plain rows of
// bytes; and what the library's barrier and memcpy_async make of them.
#include <cuda/barrier>
#include <cuda_bf16.h>
#include <cstdint>

/// What the host's driver encodes.
struct alignas(64) TensorMap {
  unsigned char bytes[128];
};

__device__ uint32_t sharedAddress(const void *pointer) { return (uint32_t)__cvta_generic_to_shared(pointer); }

__device__ void initialise(uint64_t *barrier, int count) {
  asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(sharedAddress(barrier)), "r"(count));
}

__device__ void expectBytes(uint64_t *barrier, int bytes) {
  asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(sharedAddress(barrier)), "r"(bytes)
               : "memory");
}

__device__ void wait(uint64_t *barrier, int parity) {
  asm volatile("{\n"
               ".reg .pred complete;\n"
               "again:\n"
               "mbarrier.try_wait.parity.shared::cta.b64 complete, [%0], %1;\n"
               "@complete bra done;\n"
               "bra again;\n"
               "done:\n"
               "}" ::"r"(sharedAddress(barrier)),
               "r"(parity)
               : "memory");
}

__device__ void fenceForEngine() { asm volatile("fence.proxy.async.shared::cta;" ::: "memory"); }

constexpr int kRows = 16, kColumns = 64;

/// Element (row, column) of a tile whose rows of 128 bytes are swizzled.
__device__ __nv_bfloat16 &element(unsigned char *tile, int row, int column) {
  return *reinterpret_cast<__nv_bfloat16 *>(tile + row * 128 + ((column / 8 ^ row % 8) * 16) + column % 8 * 2);
}

/// Loads the box at (x, y), doubles its elements and adds the column, stores it through another map and adds it to a
/// sum.
extern "C" __global__ void boxes(const __grid_constant__ TensorMap in, const __grid_constant__ TensorMap out,
                                 const __grid_constant__ TensorMap sum, int x, int y) {
  __shared__ __align__(1024) unsigned char tile[kRows * 128];
  __shared__ uint64_t full;
  if (threadIdx.x == 0) {
    asm volatile("prefetch.tensormap [%0];" ::"l"(&in) : "memory");
    initialise(&full, 1);
    asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
    expectBytes(&full, kRows * 128);
    asm volatile(
        "cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [%0], [%1, {%2, %3}], "
        "[%4];" ::"r"(sharedAddress(tile)),
        "l"(&in), "r"(x), "r"(y + kRows * (int)blockIdx.x), "r"(sharedAddress(&full))
        : "memory");
  }
  __syncthreads();
  wait(&full, 0);
  for (int i = threadIdx.x; i < kRows * kColumns; i += blockDim.x) {
    __nv_bfloat16 &e = element(tile, i / kColumns, i % kColumns);
    e = __float2bfloat16(2 * __bfloat162float(e) + i % kColumns);
  }
  fenceForEngine();
  __syncthreads();
  if (threadIdx.x == 0) {
    asm volatile("cp.async.bulk.tensor.2d.global.shared::cta.bulk_group [%0, {%1, %2}], [%3];" ::"l"(&out), "r"(x),
                 "r"(y + kRows * (int)blockIdx.x), "r"(sharedAddress(tile))
                 : "memory");
    asm volatile("cp.reduce.async.bulk.tensor.2d.global.shared::cta.add.bulk_group [%0, {%1, %2}], [%3];" ::"l"(&sum),
                 "r"(0), "r"(0), "r"(sharedAddress(tile))
                 : "memory");
    asm volatile("cp.async.bulk.commit_group;");
    asm volatile("cp.async.bulk.wait_group.read 0;" ::: "memory");
  }
}

/// Rows of bytes through shared memory, with a policy for the cache; the second half is added where it goes.
extern "C" __global__ void rows(const int *in, int *out, int *sums, int count) {
  __shared__ __align__(16) int row[256];
  __shared__ uint64_t full;
  const int bytes = count * 4;
  if (threadIdx.x == 0) {
    uint64_t policy;
    initialise(&full, 1);
    asm volatile("fence.proxy.async;" ::: "memory");
    asm volatile("createpolicy.fractional.L2::evict_first.b64 %0, 1.0;" : "=l"(policy));
    asm volatile("cp.async.bulk.prefetch.L2.global [%0], %1;" ::"l"(in), "r"(bytes) : "memory");
    expectBytes(&full, bytes);
    asm volatile(
        "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes.L2::cache_hint [%0], [%1], %2, [%3], "
        "%4;" ::"r"(sharedAddress(row)),
        "l"(in + blockIdx.x * count), "r"(bytes), "r"(sharedAddress(&full)), "l"(policy)
        : "memory");
  }
  __syncthreads();
  wait(&full, 0);
  for (int i = threadIdx.x; i < count; i += blockDim.x)
    row[i] ^= 0x100;
  fenceForEngine();
  __syncthreads();
  if (threadIdx.x != 0)
    return;
  asm volatile("cp.async.bulk.global.shared::cta.bulk_group [%0], [%1], %2;" ::"l"(out + blockIdx.x * count),
               "r"(sharedAddress(row)), "r"(bytes)
               : "memory");
  asm volatile("cp.async.bulk.commit_group;");
  asm volatile("cp.reduce.async.bulk.global.shared::cta.bulk_group.add.s32 [%0], [%1], %2;" ::"l"(sums),
               "r"(sharedAddress(row + count / 2)), "r"(bytes / 2)
               : "memory");
  asm volatile("cp.async.bulk.commit_group;");
  asm volatile("cp.async.bulk.wait_group 1;" ::: "memory");
  asm volatile("cp.async.bulk.wait_group.read 0;" ::: "memory");
}

using Barrier = cuda::barrier<cuda::thread_scope_block>;
#pragma nv_diag_suppress static_var_with_dynamic_init

/// The library: two rows in turn, one by the engine and one by the threads' own asynchronous copies, summed up by
/// column.
extern "C" __global__ void library(const int *in, int *out, int steps) {
  __shared__ alignas(16) int stages[2][128];
  __shared__ Barrier barriers[2];
  const int i = threadIdx.x; // 128 threads
  if (i < 2)
    init(&barriers[i], blockDim.x);
  if (i < 2)
    cuda::device::experimental::fence_proxy_async_shared_cta();
  __syncthreads();
  int sum = 0;
  const auto start = [&](int step) {
    Barrier &barrier = barriers[step % 2];
    if (step % 3 == 0) {
      cuda::memcpy_async(&stages[step % 2][i], in + step * 128 + i, sizeof(int), barrier);
      return barrier.arrive();
    }
    if (i == 0) {
      cuda::device::memcpy_async_tx(stages[step % 2], in + step * 128, cuda::aligned_size_t<16>(512), barrier);
      return cuda::device::barrier_arrive_tx(barrier, 1, 512);
    }
    return barrier.arrive();
  };
  Barrier::arrival_token token = start(0);
  for (int step = 0; step < steps; ++step) {
    barriers[step % 2].wait(std::move(token));
    const int value = stages[step % 2][(i + step) % 128];
    if (step + 1 < steps)
      token = start(step + 1);
    sum = sum * 3 + value;
    // All have read before the stage is written again, by threads or by the engine.
    cuda::device::experimental::fence_proxy_async_shared_cta();
    __syncthreads();
  }
  out[i] = sum;
}
