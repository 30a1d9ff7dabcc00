// SPDX-License-Identifier: Apache-2.0
// Parses size expressions into postfix order and evaluates them without ever leaving 64 bits.
#include "runtime/Expression.h"
#include "runtime/Error.h"

#include <algorithm>
#include <cctype>
#include <fmt/format.h>

namespace attn {

namespace {
/// Nesting that no compiler writes; it bounds the stack of the parser on damaged files.
constexpr int deepestNesting = 64;

bool startsName(char c) { return std::isalpha(static_cast<unsigned char>(c)) || c == '_' || c == '$'; }
bool continuesName(char c) { return startsName(c) || std::isdigit(static_cast<unsigned char>(c)) || c == '.'; }
} // namespace

class ExpressionParser {
public:
  using Op = Expression::Op;
  explicit ExpressionParser(std::string_view text) : text(text) {}

  std::vector<Expression::Item> parse() {
    sum();
    skipSpace();
    if (at != text.size())
      fail("an operator");
    return std::move(items);
  }

private:
  void sum() {
    if (++depth > deepestNesting)
      throw Error(fmt::format("expects at most {} nested parentheses in '{}'", deepestNesting, text));
    product();
    while (char c = accept("+-")) {
      product();
      push(c == '+' ? Op::Add : Op::Subtract);
    }
    --depth;
  }

  void product() {
    factor();
    while (char c = accept("*/")) {
      factor();
      push(c == '*' ? Op::Multiply : Op::Divide);
    }
  }

  void factor() {
    skipSpace();
    if (accept("(")) {
      sum();
      expect(')');
    } else if (at < text.size() && (text[at] == '-' || std::isdigit(static_cast<unsigned char>(text[at])))) {
      number();
    } else if (at < text.size() && startsName(text[at])) {
      nameOrCall();
    } else {
      fail("a number, a name or '('");
    }
  }

  void number() {
    bool negative = accept("-");
    size_t begin = at;
    int64_t value = 0;
    bool overflow = false;
    for (; at < text.size() && std::isdigit(static_cast<unsigned char>(text[at])); ++at) {
      int digit = text[at] - '0';
      overflow |= __builtin_mul_overflow(value, 10, &value);
      overflow |= __builtin_add_overflow(value, negative ? -digit : digit, &value);
    }
    if (begin == at)
      fail("a number after '-'");
    if (overflow)
      throw Error(fmt::format("expects numbers of 64 bits, got '{}' in '{}'", text.substr(begin, at - begin), text));
    items.push_back({Op::Number, value, {}});
  }

  void nameOrCall() {
    size_t begin = at;
    while (at < text.size() && continuesName(text[at]))
      ++at;
    std::string_view name = text.substr(begin, at - begin);
    if (!accept("(")) {
      items.push_back({Op::Name, 0, std::string(name)});
      return;
    }
    if (name != "ceildiv" && name != "min" && name != "max")
      throw Error(fmt::format("expects ceildiv, min or max before '(', got '{}' in '{}'", name, text));
    sum();
    expect(',');
    sum();
    expect(')');
    push(name == "ceildiv" ? Op::CeilDiv : name == "min" ? Op::Min : Op::Max);
  }

  void push(Op op) { items.push_back({op, 0, {}}); }

  void skipSpace() {
    while (at < text.size() && (text[at] == ' ' || text[at] == '\t'))
      ++at;
  }

  /// Takes the next character if it is one of these.
  char accept(std::string_view these) {
    skipSpace();
    if (at < text.size() && these.find(text[at]) != std::string_view::npos)
      return text[at++];
    return 0;
  }

  void expect(char c) {
    if (!accept(std::string_view(&c, 1)))
      fail(fmt::format("'{}'", c));
  }

  [[noreturn]] void fail(std::string_view wanted) {
    if (at >= text.size())
      throw Error(fmt::format("expects {} at the end of '{}'", wanted, text));
    throw Error(fmt::format("expects {}, got '{}' in '{}'", wanted, text[at], text));
  }

  std::string_view text;
  size_t at = 0;
  int depth = 0;
  std::vector<Expression::Item> items;
};

Expression::Expression(int64_t value) : source(std::to_string(value)), items{{Op::Number, value, {}}} {}

Expression Expression::parse(std::string_view text) {
  Expression result;
  result.items = ExpressionParser(text).parse();
  result.source = std::string(text);
  return result;
}

/// Division that rounds down (or up); the one quotient that does not fit is caught by the caller.
static int64_t divide(int64_t left, int64_t right, bool up) {
  int64_t quotient = left / right;
  bool exact = quotient * right == left;
  bool negative = (left < 0) != (right < 0);
  if (exact || negative == up)
    return quotient;
  return up ? quotient + 1 : quotient - 1;
}

const char *Expression::apply(Op kind, int64_t left, int64_t right, int64_t &result) {
  const char *tooLarge = "is outside of 64 bits";
  switch (kind) {
  case Op::Add:
    return __builtin_add_overflow(left, right, &result) ? tooLarge : nullptr;
  case Op::Subtract:
    return __builtin_sub_overflow(left, right, &result) ? tooLarge : nullptr;
  case Op::Multiply:
    return __builtin_mul_overflow(left, right, &result) ? tooLarge : nullptr;
  case Op::Divide:
  case Op::CeilDiv:
    if (right == 0)
      return "divides by zero";
    if (left == INT64_MIN && right == -1)
      return tooLarge;
    result = divide(left, right, kind == Op::CeilDiv);
    return nullptr;
  case Op::Min:
    result = std::min(left, right);
    return nullptr;
  case Op::Max:
    result = std::max(left, right);
    return nullptr;
  case Op::Number:
  case Op::Name:
    break;
  }
  return "is malformed";
}

int64_t Expression::evaluate(const Lookup &valueOf) const {
  std::vector<int64_t> stack;
  for (const Item &item : items) {
    if (item.kind == Op::Number) {
      stack.push_back(item.number);
      continue;
    }
    if (item.kind == Op::Name) {
      std::optional<int64_t> value = valueOf(item.name);
      if (!value)
        throw Error(fmt::format("'{}' names no dimension, in '{}'", item.name, source));
      stack.push_back(*value);
      continue;
    }
    int64_t right = stack.back();
    stack.pop_back();
    if (const char *fault = apply(item.kind, stack.back(), right, stack.back()))
      throw Error(fmt::format("'{}' {}", source, fault));
  }
  return stack.back();
}

std::vector<std::string> Expression::names() const {
  std::vector<std::string> found;
  for (const Item &item : items)
    if (item.kind == Op::Name && std::find(found.begin(), found.end(), item.name) == found.end())
      found.push_back(item.name);
  return found;
}

} // namespace attn
