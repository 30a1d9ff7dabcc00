// SPDX-License-Identifier: Apache-2.0
// What the results of a case should be: the interpreter's answer, twice.
#pragma once

#include "test/cases/Arguments.h"

namespace attn::cases {

/// Per output, its elements in the order of its shape.
struct Expected {
  std::vector<std::vector<double>> exact; ///< by definition, in double precision
  std::vector<std::vector<double>> own;   ///< the same formula in the kernel's own precisions, without tiles
};

/// Throws attn::Error with the interpreter's diagnostics when it refuses the spec or the arguments.
Expected interpret(const std::string &spec, const Arguments &given);

} // namespace attn::cases
