// SPDX-License-Identifier: Apache-2.0
// Random arguments that keep what a kernel relies on.
#ifndef ATTN_RUNTIME_RANDOMDATA_H
#define ATTN_RUNTIME_RANDOMDATA_H

#include "runtime/RunArguments.h"

namespace attn {

/// Fills every tensor that is read and that no file gave. Floats are N(0, 1), numbers of which no fact says anything
/// lie between 0 and the longest sequence. Lengths are random up to what there is room for; of four sequences and more
/// one is empty and one full. Pages come in random order, and again from the first one when there are not enough;
/// unused slots of tables hold numbers far outside any pool. The same seed gives the same values. Returns a sentence
/// for each tensor that cannot be filled.
std::vector<std::string> fillRandom(const KernelSection &kernel, const ArgumentRequest &request,
                                    std::vector<HostArgument> &arguments);

} // namespace attn

#endif // ATTN_RUNTIME_RANDOMDATA_H
