// SPDX-License-Identifier: Apache-2.0
// PTX text to a decoded module. Never throws on bad text and never recurses without bound.
#pragma once

#include "runtime/sim/Module.h"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace attn::sim {

/// An error in the text; line and column count from 1.
struct Diagnostic {
  uint32_t line = 0, column = 0;
  std::string message;
  /// "file:line:col: error: message".
  std::string text(std::string_view file) const;
};

struct ParseResult {
  std::shared_ptr<Module> module; // null if there are errors
  std::vector<Diagnostic> errors; // at most 20
};

/// Parses and decodes `text`. `file` appears in messages only. Lines that start with `//!` are comments here.
ParseResult parse(std::string_view text, std::string_view file);

} // namespace attn::sim
