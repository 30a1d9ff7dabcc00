// SPDX-License-Identifier: Apache-2.0
// What results of several launches have to do with one another, where a comparison with the interpreter says too
// little.
#pragma once

#include "test/cases/Runner.h"

#include <functional>

namespace attn::cases {

struct Relation {
  std::string name;                           ///< "relation.among_64.splits5"
  std::function<std::string(Runner &)> check; ///< a sentence when it does not hold; else empty
};

/// Sequences alone and among others, reruns, keys in one place and in two, a shared prefix, beams with one parent.
const std::vector<Relation> &relations();

} // namespace attn::cases
