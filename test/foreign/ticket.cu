// SPDX-License-Identifier: Apache-2.0
// RUN: attn-foreign ticket %S/ticket.ptx
// RUN: %if nvcc %{ %python %S/fresh.py %nvcc sm_80 %s %}
// Blocks that wait for one another: the last one adds up what all have left; a chain hands a value from each to the
// next.
#include <cuda/atomic>

/// Each block sums its share; the one that takes the last ticket sums the blocks. The counter is ready for the next
/// launch.
extern "C" __global__ void combine(const float *in, int count, float *partial, unsigned *ticket, float *total) {
  __shared__ float sums[4];
  __shared__ bool last;
  float sum = 0;
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < count; i += gridDim.x * blockDim.x)
    sum += in[i];
  for (int distance = 16; distance > 0; distance /= 2)
    sum += __shfl_xor_sync(0xffffffffu, sum, distance);
  if (threadIdx.x % 32 == 0)
    sums[threadIdx.x / 32] = sum;
  __syncthreads();
  if (threadIdx.x == 0) {
    partial[blockIdx.x] = sums[0] + sums[1] + sums[2] + sums[3];
    __threadfence();
    last = atomicInc(ticket, gridDim.x - 1) == gridDim.x - 1;
    __threadfence();
  }
  __syncthreads();
  if (!last || threadIdx.x >= 32)
    return;
  sum = 0;
  for (unsigned i = threadIdx.x; i < gridDim.x; i += 32)
    sum += partial[i];
  for (int distance = 16; distance > 0; distance /= 2)
    sum += __shfl_down_sync(0xffffffffu, sum, distance);
  if (threadIdx.x == 0)
    *total = sum;
}

/// Blocks in the order in which they start: each takes what the one before it has left, changes it, and leaves its own.
extern "C" __global__ void chain(const unsigned *in, unsigned *out, unsigned *flag, unsigned *start) {
  __shared__ unsigned mine;
  if (threadIdx.x == 0) {
    cuda::atomic_ref<unsigned, cuda::thread_scope_device> starts(*start);
    mine = starts.fetch_add(1, cuda::memory_order_relaxed);
  }
  __syncthreads();
  const unsigned i = mine;
  cuda::atomic_ref<unsigned, cuda::thread_scope_device> flags(*flag);
  while (flags.load(cuda::memory_order_acquire) < i * blockDim.x)
    __nanosleep(20);
  // Values are plain; only the flag is atomic, and each thread releases its own.
  const unsigned before = i ? out[(i - 1) * blockDim.x + (threadIdx.x + 1) % blockDim.x] : 1;
  out[i * blockDim.x + threadIdx.x] = before * 3 + in[i];
  flags.fetch_add(1, cuda::memory_order_release);
}

/// The orders and scopes of atomic_ref that the others leave out.
extern "C" __global__ void orders(unsigned *cells, unsigned long long *wide, int *flags) {
  using namespace cuda;
  atomic_ref<unsigned, thread_scope_system> everywhere(cells[0]);
  atomic_ref<unsigned, thread_scope_block> block(cells[1 + blockIdx.x]);
  atomic_ref<unsigned long long, thread_scope_device> large(*wide);
  everywhere.fetch_add(2, memory_order_seq_cst);
  everywhere.fetch_sub(1, memory_order_acq_rel);
  block.fetch_max(threadIdx.x, memory_order_acquire);
  large.fetch_or(1ull << (threadIdx.x % 64), memory_order_release);
  atomic_thread_fence(memory_order_seq_cst, thread_scope_block);
  atomic_thread_fence(memory_order_acq_rel, thread_scope_device);
  atomic_thread_fence(memory_order_release, thread_scope_system);
  // A lock, taken and given back by one thread of each block: the counter behind it is plain.
  if (threadIdx.x == 0) {
    atomic_ref<int, thread_scope_device> lock(flags[0]);
    int expected = 0;
    while (!lock.compare_exchange_weak(expected, 1, memory_order_acquire, memory_order_relaxed)) {
      expected = 0;
      __nanosleep(40);
    }
    flags[1] += 5;
    lock.store(0, memory_order_release);
  }
  if (threadIdx.x == 1) {
    __threadfence_block();
    __threadfence_system();
    atomic_ref<int, thread_scope_device>(flags[2]).exchange(9, memory_order_seq_cst);
    if (atomic_ref<int, thread_scope_device>(flags[2]).load(memory_order_seq_cst) != 9)
      flags[3] = 1;
  }
}
