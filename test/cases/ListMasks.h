// SPDX-License-Identifier: Apache-2.0
// Masks that ask lists, as cases vary them: their words in a spec, and lists for their arguments.
#pragma once

#include "test/cases/Arguments.h"

namespace attn::cases {

/// What a mask by lists adds to a spec.
struct ListMask {
  std::string parameters; ///< of the kernel, each with a comma before it: ", %columns: tensor<...>"
  std::string line;       ///< of the kernel, what follows "mask %scores by "
  std::string function;
};

/// The words of the case's value of the axis, which must not be the plain one.
ListMask listMaskOf(const Case &c);

/// Random lists for it: rows without an entry, whole rows, and garbage behind what is used.
void addLists(const Case &c, Arguments &all);

} // namespace attn::cases
