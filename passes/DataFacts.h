// SPDX-License-Identifier: Apache-2.0
// What a kernel relies on in its tables, lengths, positions and lists, read from the lines that say where entries lie
// and from the functions that ask lists.
#pragma once

#include "dialect/Attn.h"

namespace attn {

/// One fact as the words of its line in a kernel file: ["pages", "page_table", "k_pool", "kv_lens"]. Tensors and
/// dimensions have the names of the kernel's arguments; the order is that of the lines, then that of the lists asked in
/// functions. A tensor that something reads regardless of lengths has no fact that says how much of it exists.
mlir::ArrayAttr dataFactsOf(KernelOp kernel);

/// Whether some sequence is as long as data say, and not as its tensor.
bool lengthsAreData(KernelOp kernel);

/// The names of arguments that the kernel writes although they are no results: caches that are appended to.
llvm::SmallVector<llvm::StringRef> appendedArguments(KernelOp kernel);

} // namespace attn
