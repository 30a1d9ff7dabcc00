// SPDX-License-Identifier: Apache-2.0
// The PTX lexer.
#include "runtime/sim/Lexer.h"

#include <bit>
#include <charconv>

namespace attn::sim {
namespace {

bool isDigit(char c) { return c >= '0' && c <= '9'; }
bool isLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool isWord(char c) { return isLetter(c) || isDigit(c) || c == '_' || c == '$'; }
bool isWordStart(char c) { return isLetter(c) || c == '_' || c == '$' || c == '%'; }

class Lexer {
public:
  explicit Lexer(std::string_view text) : text(text) {}

  std::vector<Token> run() {
    tokens.reserve(text.size() / 4 + 16);
    while (skipBlanks()) {
      Token t;
      t.line = line;
      t.column = uint32_t(at - lineStart + 1);
      const size_t begin = at;
      lexOne(t, begin);
      tokens.push_back(t);
    }
    Token end;
    end.line = line;
    end.column = uint32_t(at - lineStart + 1);
    tokens.push_back(end);
    return std::move(tokens);
  }

private:
  char peek(size_t ahead = 0) const { return at + ahead < text.size() ? text[at + ahead] : '\0'; }
  void newline() {
    ++line;
    lineStart = at + 1;
  }

  /// False at the end of the text. An unterminated comment ends with it.
  bool skipBlanks() {
    while (at < text.size()) {
      const char c = text[at];
      if (c == '\n') {
        newline();
        ++at;
      } else if (c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v') {
        ++at;
      } else if (c == '/' && peek(1) == '/') {
        while (at < text.size() && text[at] != '\n')
          ++at;
      } else if (c == '/' && peek(1) == '*') {
        skipBlockComment();
      } else {
        return true;
      }
    }
    return false;
  }

  void skipBlockComment() {
    at += 2;
    for (; at < text.size(); ++at) {
      if (text[at] == '\n')
        newline();
      if (text[at] == '*' && peek(1) == '/') {
        at += 2;
        return;
      }
    }
  }

  void lexOne(Token &t, size_t begin) {
    const char c = text[at];
    if (isWordStart(c)) {
      ++at;
      while (isWord(peek()))
        ++at;
      t.kind = Token::Word;
    } else if (isDigit(c)) {
      number(t);
    } else if (c == '.' && isWord(peek(1))) {
      modifier();
      t.kind = Token::Modifier;
    } else if (c == '"') {
      string(t, begin);
      return;
    } else {
      ++at;
      static constexpr std::string_view kPunctuation = ";:,{}[]()+-@!|<>=*";
      t.kind = kPunctuation.find(c) == std::string_view::npos ? Token::Bad : Token::Punct;
    }
    t.text = text.substr(begin, at - begin);
  }

  void modifier() {
    ++at;
    while (isWord(peek()) || (peek() == ':' && peek(1) == ':' && isWord(peek(2))))
      at += peek() == ':' ? 2 : 1;
  }

  void string(Token &t, size_t begin) {
    ++at;
    while (at < text.size() && text[at] != '"' && text[at] != '\n')
      at += text[at] == '\\' && peek(1) != '\n' && at + 1 < text.size() ? 2 : 1;
    if (at >= text.size() || text[at] != '"') {
      t.kind = Token::Bad;
      t.text = text.substr(begin, at - begin);
      return;
    }
    t.kind = Token::String;
    t.text = text.substr(begin + 1, at - begin - 1);
    ++at;
  }

  void number(Token &t) {
    const size_t begin = at;
    const char kind = peek(1);
    if (peek() == '0' && (kind == 'f' || kind == 'F' || kind == 'd' || kind == 'D')) {
      const bool single = kind == 'f' || kind == 'F';
      at += 2;
      digits(t, begin + 2, 16, single ? 8 : 16, single ? Token::Float32 : Token::Float64);
    } else if (peek() == '0' && (kind == 'x' || kind == 'X')) {
      at += 2;
      digits(t, begin + 2, 16, 0, Token::Integer);
    } else if (peek() == '0' && (kind == 'b' || kind == 'B')) {
      at += 2;
      digits(t, begin + 2, 2, 0, Token::Integer);
    } else {
      decimal(t, begin);
    }
    if (t.kind == Token::Integer && (peek() == 'U' || peek() == 'u'))
      ++at;
    if (isWord(peek())) {
      while (isWord(peek()))
        ++at;
      t.kind = Token::Bad;
    }
  }

  /// Digits of `radix` from `begin`; exactly `count` of them unless that is 0.
  void digits(Token &t, size_t begin, int radix, size_t count, Token::Kind kind) {
    const char *first = text.data() + begin, *last = text.data() + text.size();
    auto [end, error] = std::from_chars(first, last, t.value, radix);
    at = begin + size_t(end - first);
    const bool good = error == std::errc() && end != first && (count == 0 || size_t(end - first) == count);
    t.kind = good ? kind : Token::Bad;
  }

  void decimal(Token &t, size_t begin) {
    while (isDigit(peek()))
      ++at;
    const bool fraction = peek() == '.' && isDigit(peek(1));
    const bool exponent = (peek() == 'e' || peek() == 'E') && (isDigit(peek(1)) || peek(1) == '-' || peek(1) == '+');
    if (!fraction && !exponent) {
      const bool octal = text[begin] == '0' && at > begin + 1;
      digits(t, begin, octal ? 8 : 10, 0, Token::Integer);
      return;
    }
    double value = 0;
    const char *first = text.data() + begin;
    auto [end, error] = std::from_chars(first, text.data() + text.size(), value);
    at = begin + size_t(end - first);
    t.kind = error == std::errc() ? Token::Float64 : Token::Bad;
    t.value = std::bit_cast<uint64_t>(value);
  }

  std::string_view text;
  size_t at = 0, lineStart = 0;
  uint32_t line = 1;
  std::vector<Token> tokens;
};

} // namespace

std::vector<Token> tokenize(std::string_view text) { return Lexer(text).run(); }

} // namespace attn::sim
