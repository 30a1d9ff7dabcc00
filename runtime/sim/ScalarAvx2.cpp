// SPDX-License-Identifier: Apache-2.0
// The scalar handlers once more, compiled for AVX2 and FMA; see runtime/CMakeLists.txt for the options.
#if defined(__AVX2__) && defined(__FMA__)
#define ATTN_SCALAR_ISA avx2
#include "runtime/sim/Scalar.cpp"
#include "runtime/sim/ScalarCompare.cpp"
#include "runtime/sim/ScalarConvert.cpp"
#include "runtime/sim/ScalarFloat.cpp"
namespace attn::sim::scalar::avx2 {
const bool compiled = true;
}
#else
#include "runtime/sim/Scalar.h"
namespace attn::sim::scalar::avx2 {
const bool compiled = false;
#define ATTN_FALL_BACK(NAME)                                                                                           \
  ScalarHandler NAME(const Form &form) { return baseline::NAME(form); }
ATTN_SCALAR_FAMILIES(ATTN_FALL_BACK)
} // namespace attn::sim::scalar::avx2
#endif
