// SPDX-License-Identifier: Apache-2.0
// Choosers of the handlers that touch registers only. Each exists twice: for any x86-64, and for AVX2 with FMA.
#pragma once

#include "runtime/sim/Table.h"

// clang-format off
#define ATTN_SCALAR_FAMILIES(X)                                                                                        \
  X(add) X(sub) X(mul) X(mul24) X(mad) X(fma) X(sad) X(divide) X(remainder) X(minimum) X(maximum) X(minimumNotNegative) X(maximumNotNegative) X(absolute)          \
  X(negate) X(copysign) X(addCarry) X(addWithCarry) X(subCarry) X(subWithCarry) X(madCarry) X(madWithCarry)            \
  X(popc) X(clz) X(bfind) X(brev) X(bfe) X(bfi) X(prmt) X(fns) X(dp4a) X(dp2a) X(shf) X(shl) X(shr) X(lop3)                    \
  X(bitAnd) X(bitOr) X(bitXor) X(bitNot) X(cnot) X(predicateAnd) X(predicateOr) X(predicateXor) X(predicateNot)        \
  X(testp) X(reciprocal) X(squareRoot) X(rsqrt) X(ex2) X(lg2) X(sine) X(cosine) X(tanh)                                \
  X(setp) X(set) X(selp) X(mov) X(predicateMov) X(pack) X(unpack) X(cvt) X(cvtPair) X(cvtPacked)
// clang-format on

namespace attn::sim::scalar {

#define ATTN_SCALAR_DECLARE(NAME) ScalarHandler NAME(const Form &);
namespace baseline {
ATTN_SCALAR_FAMILIES(ATTN_SCALAR_DECLARE)
}
namespace avx2 {
ATTN_SCALAR_FAMILIES(ATTN_SCALAR_DECLARE)
/// False where the compiler's target has no such instructions: then these are the baseline's.
extern const bool compiled;
} // namespace avx2

/// The handler of a form on this machine; null if the form's modifiers do not go together.
ATTN_SCALAR_FAMILIES(ATTN_SCALAR_DECLARE)
#undef ATTN_SCALAR_DECLARE

/// Makes the machine count as one without AVX2, for tests of the baseline.
void forceBaseline(bool force);

} // namespace attn::sim::scalar
