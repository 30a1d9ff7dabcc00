// SPDX-License-Identifier: Apache-2.0
// Size expressions of a kernel file: `ceildiv(seq_q, 128) * 32 * batch`.
#ifndef ATTN_RUNTIME_EXPRESSION_H
#define ATTN_RUNTIME_EXPRESSION_H

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace attn {

/// An integer expression over the names of dimensions: numbers, names, + - * / (rounding down), parentheses,
/// ceildiv(a, b), min(a, b), max(a, b). Its text is what was parsed; the default is `0`.
class Expression {
public:
  Expression() : Expression(0) {}
  Expression(int64_t value);

  /// Throws Error with one sentence when the text is no expression, such as `expects a number, a name or '(' at the end
  /// of '4 *'`.
  static Expression parse(std::string_view text);

  /// Value of a dimension; nothing when there is no such name.
  using Lookup = std::function<std::optional<int64_t>(std::string_view)>;

  /// The value. Throws Error on an unknown name, a division by zero, or a value outside of 64 bits.
  int64_t evaluate(const Lookup &valueOf) const;

  const std::string &text() const { return source; }

  /// The names that occur, each once, in order of occurrence.
  std::vector<std::string> names() const;

private:
  enum class Op : uint8_t { Number, Name, Add, Subtract, Multiply, Divide, CeilDiv, Min, Max };
  /// One step of the expression in postfix order.
  struct Item {
    Op kind;
    int64_t number = 0;
    std::string name;
  };
  friend class ExpressionParser;
  static const char *apply(Op kind, int64_t left, int64_t right, int64_t &result);

  std::string source;
  std::vector<Item> items;
};

} // namespace attn

#endif // ATTN_RUNTIME_EXPRESSION_H
