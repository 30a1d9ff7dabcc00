// SPDX-License-Identifier: Apache-2.0
// RUN: attn-foreign divergence %S/divergence.ptx
// RUN: %if nvcc %{ %python %S/fresh.py %nvcc sm_80 %s %}
// RUN: %if nvcc %{ %python %S/fresh.py %nvcc sm_80 %s --debug %t.ptx && attn-foreign divergence %t.ptx %}
// Control flow that differs by lane: loops with break and continue, a switch of nine cases, returns before a barrier.

/// Steps of the Collatz sequence to 1; odd steps count twice, and none is followed beyond `limit`.
extern "C" __global__ void collatz(const unsigned *from, int *steps, int count, int limit) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= count)
    return;
  unsigned long long n = from[i];
  int taken = 0;
  while (n != 1) {
    if (taken >= limit) {
      taken = -1;
      break;
    }
    if (n % 2 == 0) {
      n /= 2;
      ++taken;
      continue;
    }
    n = 3 * n + 1;
    taken += 2;
  }
  steps[i] = taken;
}

/// Pairs (a, b) with a * b == n, a sum over the divisors of each, and how a search in two nested loops ended.
extern "C" __global__ void divisors(int *pairs, int *sums, int *found) {
  const int n = blockIdx.x * blockDim.x + threadIdx.x + 1;
  int count = 0, sum = 0;
  for (int a = 1; a <= n; ++a) {
    if (n % a)
      continue;
    for (int b = 1; b <= n; ++b)
      if (a * b == n) {
        ++count;
        break;
      }
    sum += a;
  }
  int result = 0;
  for (int x = 1; x * x <= n; ++x) {
    for (int y = x; x * x + y * y <= n; ++y)
      if (x * x + y * y == n) {
        result = x * 1000 + y;
        goto done;
      }
  }
done:
  pairs[n - 1] = count;
  sums[n - 1] = sum;
  found[n - 1] = result;
}

extern "C" __global__ void choose(const int *kinds, const int *in, int *out) {
  const int i = threadIdx.x;
  int value = in[i];
  for (int round = 0; round < 3; ++round) {
    switch ((kinds[i] + round) % 11) {
    case 0:
      value += 7;
      break;
    case 1:
      value = value * 3 - 1;
    case 2: // 1 falls through
      value ^= 0x55;
      break;
    case 3:
      value = value < 0 ? -value : value / 2;
      break;
    case 4:
      value -= round * 100;
      break;
    case 5:
      for (int j = 0; j < i % 5; ++j)
        value += j * value;
      break;
    case 6:
      value = ~value;
      break;
    case 7:
      out[i] = value;
      return;
    case 8:
      value <<= 2;
      continue;
    default:
      value = value % 1000;
    }
    value += 1;
  }
  out[i] = value;
}

/// Whole warps and single lanes leave before the barrier; the others go on to exchange values behind it.
extern "C" __global__ void leave(int *out, int lanesOfLast) {
  __shared__ int values[128];
  const int i = threadIdx.x;
  out[i] = -1;
  if (i >= 64 && i < 96)
    return;
  if (i >= 96 + lanesOfLast)
    return;
  values[i] = i * i;
  __syncthreads();
  if (i % 3 == 0)
    return;
  int from = (i + 37) % 64;
  out[i] = values[from];
}
