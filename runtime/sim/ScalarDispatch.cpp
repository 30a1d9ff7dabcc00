// SPDX-License-Identifier: Apache-2.0
// Chooses between the two builds of the scalar handlers, once, by what this machine can do.
#include "runtime/sim/Scalar.h"

namespace attn::sim::scalar {
namespace {

bool forced = false;

bool useAvx2() {
#if defined(__x86_64__)
  static const bool supported = avx2::compiled && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  return supported && !forced;
#else
  return false;
#endif
}

} // namespace

void forceBaseline(bool force) { forced = force; }

#define ATTN_DISPATCH(NAME)                                                                                            \
  ScalarHandler NAME(const Form &form) { return useAvx2() ? avx2::NAME(form) : baseline::NAME(form); }
ATTN_SCALAR_FAMILIES(ATTN_DISPATCH)

} // namespace attn::sim::scalar
