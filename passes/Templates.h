// SPDX-License-Identifier: Apache-2.0
// The compiler's standard library of schedules and functions, embedded as text.
#pragma once

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"

namespace attn {

struct Template {
  llvm::StringRef name; ///< folder and file without its ending: "variants/causal"
  llvm::StringRef text;
};

/// All templates, sorted by name.
llvm::ArrayRef<Template> templates();

/// The text of the template of that name; empty if there is none.
llvm::StringRef templateText(llvm::StringRef name);

} // namespace attn
