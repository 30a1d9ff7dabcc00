// SPDX-License-Identifier: Apache-2.0
// The identity of this build: what it was made of, so that caches do not mix the output of two builds.
#include "compiler/Compiler.h"
#include "compiler/SourceHash.h"

#include "passes/Templates.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Config/llvm-config.h"
#include "llvm/Support/xxhash.h"

namespace attn {

std::string compilerBuild() {
  std::string made = ATTN_SOURCE_HASH " " LLVM_VERSION_STRING;
  return llvm::utohexstr(llvm::xxh3_64bits(llvm::StringRef(made)), /*LowerCase=*/true);
}

} // namespace attn
