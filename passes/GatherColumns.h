// SPDX-License-Identifier: Apache-2.0
// Which attention has keys that a list of columns names, so that they can be gathered.
#pragma once

#include "passes/Supported.h"

namespace attn {

/// Whether some mask asks for the position of a key in a list of numbers, the same for all queries of a head, and keys
/// say where a position lies: gather-columns may then copy the listed keys alone, row by row.
bool mayGatherColumns(const Attention &attention);

} // namespace attn
