// SPDX-License-Identifier: Apache-2.0
// Command lines of the tools that link no LLVM.
#ifndef ATTN_RUNTIME_COMMANDLINE_H
#define ATTN_RUNTIME_COMMANDLINE_H

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace attn {

struct OptionSpec {
  std::string_view name;  ///< "--input"
  std::string_view value; ///< what follows it, for the help ("NAME=FILE"); empty: a switch
  std::string_view help;
};

class CommandLine {
public:
  /// Takes `--name value` and `--name=value` anywhere. Throws Error with every option that is unknown or lacks its
  /// value.
  CommandLine(int count, char **words, std::vector<OptionSpec> known);

  const std::vector<std::string> &operands() const { return plain; }
  bool has(std::string_view name) const { return given.find(name) != given.end(); }
  /// The last value given.
  std::string value(std::string_view name, std::string_view otherwise = {}) const;

  /// `NAME=TEXT` pairs of an option that may be repeated; with `list`, several of them separated by commas.
  std::map<std::string, std::string> pairs(std::string_view name, bool list = false) const;
  std::map<std::string, int64_t> numberPairs(std::string_view name) const;
  int64_t number(std::string_view name, int64_t otherwise, int64_t least, int64_t most) const;

  /// The options with their explanations, one a line.
  std::string help() const;

private:
  std::vector<OptionSpec> known;
  std::vector<std::string> plain;
  std::map<std::string, std::vector<std::string>, std::less<>> given;
};

/// The number that the whole text says. Throws Error: `WHAT expects a whole number from A to B, got 'x'`.
int64_t wholeNumber(std::string_view text, std::string_view what, int64_t least = INT64_MIN, int64_t most = INT64_MAX);

/// Runs the body of a tool; prints the faults of an Error as `TOOL: error: sentence` and returns 2 for it.
int runTool(const char *tool, int (*body)(int, char **), int count, char **words);

} // namespace attn

#endif // ATTN_RUNTIME_COMMANDLINE_H
