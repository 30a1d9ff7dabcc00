// SPDX-License-Identifier: Apache-2.0
// RUN: attn-foreign roles %S/roles.ptx
// RUN: %if nvcc %{ %python %S/fresh.py %nvcc sm_90a %s %}
// Warps with different work: a producer and two consumers over a ring with full and empty barriers, turns by named
// barriers, clusters whose blocks read one another's shared memory, and a grid that starts before the one it depends on
// has ended.
#include <cooperative_groups.h>
#include <cstdint>

__device__ uint32_t sharedAddress(const void *pointer) { return (uint32_t)__cvta_generic_to_shared(pointer); }

__device__ void initialise(uint32_t barrier, int count) {
  asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(barrier), "r"(count));
}
__device__ void expectBytes(uint32_t barrier, int bytes) {
  asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(barrier), "r"(bytes) : "memory");
}
__device__ void arrive(uint32_t barrier) {
  asm volatile("mbarrier.arrive.release.cta.shared::cta.b64 _, [%0];" ::"r"(barrier) : "memory");
}
/// Arrives at the barrier at the same place in another block of the cluster.
__device__ void arriveAt(uint32_t barrier, uint32_t rank) {
  uint32_t remote;
  asm volatile("mapa.shared::cluster.u32 %0, %1, %2;" : "=r"(remote) : "r"(barrier), "r"(rank));
  asm volatile("mbarrier.arrive.release.cluster.shared::cluster.b64 _, [%0];" ::"r"(remote) : "memory");
}
__device__ void wait(uint32_t barrier, int parity) {
  uint32_t complete;
  do {
    asm volatile("{\n.reg .pred p;\nmbarrier.try_wait.parity.acquire.cluster.shared::cta.b64 p, [%1], %2;\n"
                 "selp.u32 %0, 1, 0, p;\n}"
                 : "=r"(complete)
                 : "r"(barrier), "r"(parity)
                 : "memory");
  } while (!complete);
}
__device__ bool elected() {
  uint32_t is;
  asm volatile("{\n.reg .pred p;\nelect.sync _|p, 0xffffffff;\nselp.u32 %0, 1, 0, p;\n}" : "=r"(is));
  return is;
}

constexpr int kStages = 3, kRow = 128; // numbers a stage

/// Stages are read by two groups of 128 threads; each adds its half of what the ring brings, in turns with the other
/// one.
extern "C" __global__ void __launch_bounds__(384, 1) ring(const int *in, int *out, int *order, int steps) {
  __shared__ __align__(128) int stages[kStages][2 * kRow];
  __shared__ uint64_t full[kStages], empty[kStages];
  __shared__ int turns;
  const int group = threadIdx.x / 128, i = threadIdx.x % 128;
  if (threadIdx.x == 0) {
    turns = 0;
    for (int s = 0; s < kStages; ++s) {
      initialise(sharedAddress(&full[s]), 1);
      initialise(sharedAddress(&empty[s]), 2);
    }
    asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
  }
  __syncthreads();
  if (group == 0) {
    asm volatile("setmaxnreg.dec.sync.aligned.u32 24;");
    if (threadIdx.x / 32 == 0 && elected())
      for (int step = 0; step < steps; ++step) {
        const int s = step % kStages;
        wait(sharedAddress(&empty[s]), step / kStages % 2 ^ 1);
        expectBytes(sharedAddress(&full[s]), 2 * kRow * 4);
        asm volatile("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];" ::"r"(
                         sharedAddress(stages[s])),
                     "l"(in + step * 2 * kRow), "r"(2 * kRow * 4), "r"(sharedAddress(&full[s]))
                     : "memory");
      }
    return;
  }
  asm volatile("setmaxnreg.inc.sync.aligned.u32 240;");
  int sum = 0;
  // The first group may begin; each lets the other one go on when it has had its turn.
  if (group == 2)
    asm volatile("bar.arrive %0, 256;" ::"r"(1) : "memory");
  for (int step = 0; step < steps; ++step) {
    const int s = step % kStages;
    wait(sharedAddress(&full[s]), step / kStages % 2);
    sum = sum * 5 + stages[s][(group - 1) * kRow + (i + step) % kRow];
    asm volatile("bar.sync %0, 256;" ::"r"(group) : "memory");
    if (i == 0)
      order[turns++] = group;
    asm volatile("bar.sync %0, 128;" ::"r"(group + 2) : "memory");
    if (i == 0)
      arrive(sharedAddress(&empty[s]));
    if (step + 1 < steps || group == 1)
      asm volatile("bar.arrive %0, 256;" ::"r"(3 - group) : "memory");
  }
  out[(group - 1) * 128 + i] = sum;
}

/// Two blocks: each gets half of every row and sends it to both; then each reads what the other one has made of it.
extern "C" __global__ void __cluster_dims__(2, 1, 1) __launch_bounds__(128) cluster(const int *in, int *out) {
  __shared__ __align__(128) int row[256];
  __shared__ int made[128], received[2];
  __shared__ uint64_t full, done;
  uint32_t rank, other;
  asm volatile("mov.u32 %0, %%cluster_ctarank;" : "=r"(rank));
  other = rank ^ 1;
  const int i = threadIdx.x, number = blockIdx.x / 2;
  if (i == 0) {
    received[0] = received[1] = 0;
    initialise(sharedAddress(&full), 1);
    initialise(sharedAddress(&done), 128);
    asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
  }
  asm volatile("barrier.cluster.arrive.release.aligned;" ::: "memory");
  asm volatile("barrier.cluster.wait.acquire.aligned;" ::: "memory");
  if (i == 0) {
    expectBytes(sharedAddress(&full), 1024);
    asm volatile(
        "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes.multicast::cluster [%0], [%1], 512, "
        "[%2], %3;" ::"r"(sharedAddress(row + rank * 128)),
        "l"(in + number * 256 + rank * 128), "r"(sharedAddress(&full)), "h"((unsigned short)3)
        : "memory");
  }
  wait(sharedAddress(&full), 0);
  made[i] = row[i] * 3 + row[i + 128] + (int)rank;
  uint32_t remote;
  asm volatile("mapa.shared::cluster.u32 %0, %1, %2;" : "=r"(remote) : "r"(sharedAddress(&received[1])), "r"(other));
  asm volatile("red.relaxed.cluster.shared::cluster.add.u32 [%0], %1;" ::"r"(remote), "r"(i) : "memory");
  arriveAt(sharedAddress(&done), other);
  wait(sharedAddress(&done), 0);
  auto group = cooperative_groups::this_cluster();
  const int *theirs = group.map_shared_rank(made, other);
  const int value = theirs[(i + 1) % 128] + received[1];
  group.sync(); // nobody leaves while its memory is read
  out[blockIdx.x * 128 + i] = value + (int)group.num_blocks() * 1000000;
}

/// The first of two grids lets the second one start early; what it writes is seen after the wait.
extern "C" __global__ void first(int *values) {
  asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
  values[blockIdx.x * blockDim.x + threadIdx.x] = threadIdx.x * 3 + blockIdx.x;
}
extern "C" __global__ void second(const int *values, int *out) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  int square = i * i;
  asm volatile("griddepcontrol.wait;" ::: "memory");
  out[i] = square + values[i];
}

/// Matrices leave registers by stmatrix: element (row, column) of eight by eight is 8 row + column + 64 matrix.
extern "C" __global__ void storeMatrices(unsigned short *out) {
  __shared__ __align__(128) unsigned short tile[2][4][64];
  const int lane = threadIdx.x;
  uint32_t pairs[4];
  for (int m = 0; m < 4; ++m) {
    const int at = 64 * m + lane / 4 * 8 + lane % 4 * 2;
    pairs[m] = at | (at + 1) << 16;
  }
  asm volatile("stmatrix.sync.aligned.m8n8.x4.shared.b16 [%0], {%1, %2, %3, %4};" ::"r"(
                   sharedAddress(&tile[0][lane / 8][lane % 8 * 8])),
               "r"(pairs[0]), "r"(pairs[1]), "r"(pairs[2]), "r"(pairs[3])
               : "memory");
  asm volatile("stmatrix.sync.aligned.m8n8.x2.trans.shared.b16 [%0], {%1, %2};" ::"r"(
                   sharedAddress(&tile[1][lane / 8 % 2][lane % 8 * 8])),
               "r"(pairs[0]), "r"(pairs[1])
               : "memory");
  asm volatile("stmatrix.sync.aligned.m8n8.x1.shared.b16 [%0], {%1};" ::"r"(sharedAddress(&tile[1][2][lane % 8 * 8])),
               "r"(pairs[2])
               : "memory");
  __syncwarp();
  for (int i = lane; i < 448; i += 32)
    out[i] = (&tile[0][0][0])[i];
}
