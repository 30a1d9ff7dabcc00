// SPDX-License-Identifier: Apache-2.0
// Whole files in and out, with the sentences that say why not.
#ifndef ATTN_RUNTIME_FILES_H
#define ATTN_RUNTIME_FILES_H

#include <string>
#include <string_view>

namespace attn {

/// The content of a file. Throws Error: `cannot read 'q.npy': No such file or directory`.
std::string readFile(const std::string &path);

/// Writes under a temporary name in the same folder and renames, so that readers see the old file or the whole new one.
void writeFile(const std::string &path, std::string_view content);

} // namespace attn

#endif // ATTN_RUNTIME_FILES_H
