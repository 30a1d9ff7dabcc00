// SPDX-License-Identifier: Apache-2.0
// The embedded texts, written into EmbeddedTemplates.inc by the build.
#include "passes/Templates.h"

namespace attn {

llvm::ArrayRef<Template> templates() {
  static const Template all[] = {
#include "passes/EmbeddedTemplates.inc"
  };
  return all;
}

llvm::StringRef templateText(llvm::StringRef name) {
  for (const Template &entry : templates())
    if (entry.name == name)
      return entry.text;
  return {};
}

} // namespace attn
