// SPDX-License-Identifier: Apache-2.0
// Masks and biases by functions of the library or of tensors, as cases vary them: their words in a spec, and data.
#pragma once

#include "test/cases/Arguments.h"

namespace attn::cases {

/// What a function adds to a spec.
struct FunctionUse {
  std::string parameters; ///< of the kernel, each with a comma before it
  std::string before;     ///< lines of the kernel that define what the function is given
  std::string call;       ///< what follows "mask %scores by " or "modify %scores by "
  std::string function;   ///< empty for one of the library
};

/// The words of the case's value of MaskKind or Bias, which must not be the plain one.
FunctionUse maskUseOf(const Case &c);
FunctionUse biasUseOf(const Case &c);

/// The tensors that they read.
void addFunctionTensors(const Case &c, Arguments &all);

} // namespace attn::cases
