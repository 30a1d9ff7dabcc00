// SPDX-License-Identifier: Apache-2.0
// Text of a PTX module to tokens. Nothing throws; what is no token becomes one of kind Bad.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace attn::sim {

struct Token {
  enum Kind : uint8_t {
    End,
    Word,     // add, %r1, %tid, $L_1, _
    Modifier, // .b32, .4d, .shared::cta; `text` includes the dot
    Integer,  // value; `text` as written
    Float32,  // 0fXXXXXXXX: value holds the bits
    Float64,  // 0dX16 or a decimal number: value holds the bits of a double
    String,   // text without the quotes
    Punct,    // one character
    Bad       // anything else; text is the offending part
  };
  Kind kind = End;
  uint32_t line = 1, column = 1; // of the first character, from 1
  std::string_view text;
  uint64_t value = 0;

  bool is(char c) const { return kind == Punct && text[0] == c; }
  bool is(Kind k, std::string_view s) const { return kind == k && text == s; }
};

/// The tokens of `text`, which must outlive them; the last is End.
std::vector<Token> tokenize(std::string_view text);

} // namespace attn::sim
