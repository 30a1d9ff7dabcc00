// SPDX-License-Identifier: Apache-2.0
// attnc --explain SPEC.mlir --sizes batch=1,seq_q=4096,seq_kv=4096: what was chosen, why, and what it costs.
#pragma once

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <map>
#include <string>

namespace attn {

/// Explains every kernel of a spec for a chip of the target table. Every number follows from the cost model or from
/// what the passes really emit for these sizes: NAME=NUMBER, separated by commas, one for each dynamic dimension; an
/// integer argument or all of an integer tensor may be given a value as well. Lengths that are not given are those of
/// the tensors. Errors as in compileSpec: one sentence a line, all that is wrong at once.
/// Tensors of integers may be given whole, as .npy files, a path for each argument.
llvm::Expected<std::string> explainSpec(llvm::StringRef text, llvm::StringRef fileName, llvm::StringRef target,
                                        llvm::StringRef sizes, const std::map<std::string, std::string> &inputs = {});

} // namespace attn
