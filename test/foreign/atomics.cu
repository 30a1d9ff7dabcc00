// SPDX-License-Identifier: Apache-2.0
// RUN: attn-foreign atomics %S/atomics.ptx
// RUN: %if nvcc %{ %python %S/fresh.py %nvcc sm_80 %s %}
// RUN: %if nvcc %{ %python %S/fresh.py %nvcc sm_80 %s --debug %t.ptx && attn-foreign atomics %t.ptx %}
// Every atomic function, in global memory over the whole grid and in shared memory over a block.
#include <cuda_fp16.h>

typedef unsigned long long Wide;

/// What all threads change; the reference knows it by the same name.
struct Cells {
  int add, sub, smallest, largest, exchanged, compared;
  unsigned sum, least, most, up, down, common, any, parity;
  Wide wideSum, wideLeast, wideMost, wideCommon, wideAny, wideParity, wideExchanged, wideCompared;
  long long wideSmallest, wideLargest;
  double doubleSum;
  float floatSum, floatExchanged, floatMaximum;
  __half2 halves;
  unsigned short tiny, unused;
  unsigned padding;
};

/// Old values that show an order.
struct Olds {
  int add, exchanged;
  unsigned up, down, wideSum;
};

/// Maximum of floats by compare and swap; the cell starts at minus infinity.
__device__ void maximum(float *cell, float value) {
  int seen = *(volatile int *)cell;
  while (__int_as_float(seen) < value) {
    const int before = atomicCAS((int *)cell, seen, __float_as_int(value));
    if (before == seen)
      return;
    seen = before;
  }
}

/// Thread i of those that share the cells; without a scope in the name it is the device's.
__device__ void changeAll(Cells &c, Olds &old, int i) {
  const int v = i * 7 % 31 - 9;
  const unsigned bits = 1u << (i % 30);
  const Wide wide = (Wide)bits << 20 | i;
  old.add = atomicAdd(&c.add, 1 + i % 3);
  atomicSub(&c.sub, v);
  atomicMin(&c.smallest, v);
  atomicMax(&c.largest, v);
  old.exchanged = atomicExch(&c.exchanged, i + 1000);
  // Each thread finds another one's number sooner or later and puts its own; only one of them starts from -1.
  atomicCAS(&c.compared, -1, i);
  atomicAdd(&c.sum, bits);
  atomicMin(&c.least, bits);
  atomicMax(&c.most, bits);
  old.up = atomicInc(&c.up, 9);
  old.down = atomicDec(&c.down, 6);
  atomicAnd(&c.common, ~bits);
  atomicOr(&c.any, bits * 2);
  atomicXor(&c.parity, bits * 2 + i);
  old.wideSum = (unsigned)(atomicAdd(&c.wideSum, wide) & 0xfffff);
  atomicMin(&c.wideLeast, wide);
  atomicMax(&c.wideMost, wide);
  atomicAnd(&c.wideCommon, ~wide);
  atomicOr(&c.wideAny, wide);
  atomicXor(&c.wideParity, wide * 3);
  atomicExch(&c.wideExchanged, wide);
  atomicCAS(&c.wideCompared, (Wide)5, wide);
  atomicMin(&c.wideSmallest, (long long)v << 33);
  atomicMax(&c.wideLargest, (long long)v << 33);
  atomicAdd(&c.doubleSum, (double)v);
  atomicAdd(&c.floatSum, (float)v);
  atomicExch(&c.floatExchanged, (float)i);
  maximum(&c.floatMaximum, (float)(i * 37 % 101));
  atomicAdd(&c.halves, __floats2half2_rn((float)(i % 3), (float)-(i % 4)));
  atomicCAS(&c.tiny, (unsigned short)7, (unsigned short)(i + 8));
}

extern "C" __global__ void inGlobal(Cells *cells, Olds *olds) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  changeAll(*cells, olds[i], i);
}

extern "C" __global__ void inShared(const Cells *initial, Cells *cells, Olds *olds) {
  __shared__ Cells mine;
  if (threadIdx.x == 0)
    mine = *initial;
  __syncthreads();
  changeAll(mine, olds[blockIdx.x * blockDim.x + threadIdx.x], threadIdx.x);
  __syncthreads();
  if (threadIdx.x == 0)
    cells[blockIdx.x] = mine;
}

/// The same by scope: those of the block on a cell of its own, those of the system on one for all.
extern "C" __global__ void scopes(int *blocks, int *system, Wide *wide, float *floats) {
  const int i = threadIdx.x;
  int *mine = blocks + blockIdx.x * 8;
  atomicAdd_block(mine, i);
  atomicMax_block(mine + 1, i);
  atomicMin_block(mine + 2, -i);
  atomicOr_block(mine + 3, 1 << i % 31);
  atomicAnd_block(mine + 4, ~(1 << i % 31));
  atomicXor_block(mine + 5, i * i);
  atomicCAS_block(mine + 6, 0, 1);
  atomicExch_block(mine + 7, 77);
  atomicAdd_system(system, i);
  atomicMax_system(system + 1, i);
  atomicMin_system(system + 2, -i);
  atomicOr_system(system + 3, 1 << i % 31);
  atomicAnd_system(system + 4, ~(1 << i % 31));
  atomicXor_system(system + 5, i * i * (blockIdx.x + 1));
  atomicCAS_system(system + 6, 0, 1);
  atomicExch_system(system + 7, 77);
  atomicAdd_system(wide, (Wide)i << 40);
  atomicMax_block(wide + 1 + blockIdx.x, (Wide)i << 40);
  atomicAdd_system(floats, (float)i);
  atomicAdd_block(floats + 1 + blockIdx.x, (float)i);
}
