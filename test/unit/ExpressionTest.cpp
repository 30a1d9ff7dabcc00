// SPDX-License-Identifier: Apache-2.0
// Size expressions: values, rounding, limits, and what is said about wrong ones.
#include "runtime/Expression.h"
#include "test/unit/Test.h"

using namespace attn;

static int64_t valueOf(const char *text) {
  return Expression::parse(text).evaluate([](std::string_view name) -> std::optional<int64_t> {
    if (name == "seq_q")
      return 130;
    if (name == "batch")
      return 3;
    if (name == "huge")
      return INT64_MAX;
    return std::nullopt;
  });
}

TEST(expressionValues) {
  EXPECT_EQ(valueOf("7"), 7);
  EXPECT_EQ(valueOf("-7"), -7);
  EXPECT_EQ(valueOf("1 + 2 * 3"), 7);
  EXPECT_EQ(valueOf("(1 + 2) * 3"), 9);
  EXPECT_EQ(valueOf("10 - 4 - 3"), 3);
  EXPECT_EQ(valueOf("100 / 10 / 5"), 2);
  EXPECT_EQ(valueOf("ceildiv(seq_q, 128) * 32 * batch"), 192);
  EXPECT_EQ(valueOf("min(seq_q, batch) + max(seq_q,batch)"), 133);
  EXPECT_EQ(valueOf("  seq_q  "), 130);
  EXPECT_EQ(Expression(12).text(), "12");
}

TEST(expressionDivisionRoundsDown) {
  EXPECT_EQ(valueOf("7 / 2"), 3);
  EXPECT_EQ(valueOf("-7 / 2"), -4);
  EXPECT_EQ(valueOf("7 / -2"), -4);
  EXPECT_EQ(valueOf("-7 / -2"), 3);
  EXPECT_EQ(valueOf("ceildiv(7, 2)"), 4);
  EXPECT_EQ(valueOf("ceildiv(-7, 2)"), -3);
  EXPECT_EQ(valueOf("ceildiv(8, 2)"), 4);
  EXPECT_EQ(valueOf("ceildiv(0, 5)"), 0);
}

TEST(expressionNames) {
  EXPECT_EQ(Expression::parse("a * b + max(a, c_1)").names(), (std::vector<std::string>{"a", "b", "c_1"}));
}

TEST(expressionFaultsOfText) {
  EXPECT_FAULTS(Expression::parse("4 *"), "expects a number, a name or '(' at the end of '4 *'");
  EXPECT_FAULTS(Expression::parse(""), "expects a number, a name or '(' at the end of ''");
  EXPECT_FAULTS(Expression::parse("(4"), "expects ')' at the end of '(4'");
  EXPECT_FAULTS(Expression::parse("4)"), "expects an operator, got ')' in '4)'");
  EXPECT_FAULTS(Expression::parse("a b"), "expects an operator, got 'b' in 'a b'");
  EXPECT_FAULTS(Expression::parse("- a"), "expects a number after '-', got ' ' in '- a'");
  EXPECT_FAULTS(Expression::parse("min(1)"), "expects ',', got ')' in 'min(1)'");
  EXPECT_FAULTS(Expression::parse("mod(1, 2)"), "expects ceildiv, min or max before '(', got 'mod' in 'mod(1, 2)'");
  EXPECT_FAULTS(Expression::parse("9223372036854775808"),
                "expects numbers of 64 bits, got '9223372036854775808' in '9223372036854775808'");
  std::string deep(100, '(');
  EXPECT_FAULTS(Expression::parse(deep), "expects at most 64 nested parentheses in '" + deep + "'");
}

TEST(expressionFaultsOfValues) {
  EXPECT_FAULTS(valueOf("seq_kv"), "'seq_kv' names no dimension, in 'seq_kv'");
  EXPECT_FAULTS(valueOf("1 / 0"), "'1 / 0' divides by zero");
  EXPECT_FAULTS(valueOf("ceildiv(1, 0)"), "'ceildiv(1, 0)' divides by zero");
  EXPECT_FAULTS(valueOf("huge + 1"), "'huge + 1' is outside of 64 bits");
  EXPECT_FAULTS(valueOf("0 - huge - 2"), "'0 - huge - 2' is outside of 64 bits");
  EXPECT_FAULTS(valueOf("huge * 2"), "'huge * 2' is outside of 64 bits");
  EXPECT_FAULTS(valueOf("(-9223372036854775808) / -1"), "'(-9223372036854775808) / -1' is outside of 64 bits");
  EXPECT_FAULTS(valueOf("ceildiv(-9223372036854775808, -1)"),
                "'ceildiv(-9223372036854775808, -1)' is outside of 64 bits");
  EXPECT_EQ(valueOf("-9223372036854775808"), INT64_MIN);
}
