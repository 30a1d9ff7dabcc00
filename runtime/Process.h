// SPDX-License-Identifier: Apache-2.0
// Runs another program to its end.
#ifndef ATTN_RUNTIME_PROCESS_H
#define ATTN_RUNTIME_PROCESS_H

#include <string>
#include <vector>

namespace attn {

struct ProcessResult {
  int status = 0; ///< exit status; 128 + the signal when one ended it
  std::string output;
  std::string errors;
};

/// Runs `command[0]` (a path, no search) with the rest as its arguments; standard input is empty. Throws Error when it
/// cannot be started.
ProcessResult runProcess(const std::vector<std::string> &command);

/// A program of ours: beside the running program, beside or in ../bin of this library, then on PATH; empty when
/// nowhere.
std::string findProgram(const std::string &name);

} // namespace attn

#endif // ATTN_RUNTIME_PROCESS_H
