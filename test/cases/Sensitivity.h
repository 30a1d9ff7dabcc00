// SPDX-License-Identifier: Apache-2.0
// Tests of the test: kernels that see one key too many or too few must stand out tenfold.
#pragma once

#include "test/cases/Runner.h"

namespace attn::cases {

/// A case, and a spec that differs from its own by one key.
struct WrongKernel {
  std::string name;
  Case of;
  std::string spec;
};

std::vector<WrongKernel> wrongKernels();

/// A sentence when the wrong kernel's error is less than ten times what the right one may have.
std::string insensitivity(Runner &theRunner, const WrongKernel &wrong);

} // namespace attn::cases
