// SPDX-License-Identifier: Apache-2.0
// Compiles a spec when it is not in the cache of compiled kernels.
#ifndef ATTN_RUNTIME_JIT_H
#define ATTN_RUNTIME_JIT_H

#include "runtime/Runtime.h"

#include <string>
#include <vector>

namespace attn {

/// The text of the kernel file of the spec at `path` for options.target. Comes from the cache when an intact entry for
/// the same spec text, target and compiler build is there; otherwise attnc runs and the entry is written. Any number of
/// processes may do this at once. Throws Error with the sentences of attnc.
std::string compileSpec(const std::string &path, const LoadOptions &options);

/// What to compile for a device when the caller does not say: of the targets that attnc names those whose code runs on
/// it, the nearest first. Later chips get the highest lower target: sm_90 on sm_100. Throws Error when there is none.
std::vector<std::string> targetsFor(const Device &device, const std::string &path, const LoadOptions &options);

/// The folder of the cache when none is given: $XDG_CACHE_HOME/attn, else ~/.cache/attn; empty when neither is known.
std::string defaultCache();

/// Splits what attnc prints on standard error into faults: an error with its notes and excerpts is one.
std::vector<std::string> splitDiagnostics(const std::string &text);

} // namespace attn

#endif // ATTN_RUNTIME_JIT_H
