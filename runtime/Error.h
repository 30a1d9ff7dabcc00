// SPDX-License-Identifier: Apache-2.0
// The one exception type of the runtime: everything that is wrong, listed at once, a sentence each.
#ifndef ATTN_RUNTIME_ERROR_H
#define ATTN_RUNTIME_ERROR_H

#include <exception>
#include <string>
#include <utility>
#include <vector>

namespace attn {

class Error : public std::exception {
public:
  explicit Error(std::vector<std::string> faults) : list(std::move(faults)) {
    for (const std::string &fault : list) {
      if (!joined.empty())
        joined += '\n';
      joined += fault;
    }
  }
  explicit Error(std::string fault) : Error(std::vector<std::string>{std::move(fault)}) {}

  /// One sentence each, lower case, no period at the end.
  const std::vector<std::string> &faults() const { return list; }
  /// All sentences, a line each.
  const char *what() const noexcept override { return joined.c_str(); }

private:
  std::vector<std::string> list;
  std::string joined;
};

} // namespace attn

#endif // ATTN_RUNTIME_ERROR_H
