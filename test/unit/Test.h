// SPDX-License-Identifier: Apache-2.0
// Unit tests in one process: each is a function, an expectation that fails throws, main.cpp counts.
#ifndef ATTN_TEST_UNIT_TEST_H
#define ATTN_TEST_UNIT_TEST_H

#include "runtime/Error.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

namespace attn::test {

struct Test {
  std::string name;
  void (*body)();
};

inline std::vector<Test> &tests() {
  static std::vector<Test> all;
  return all;
}

struct Registration {
  Registration(const char *name, void (*body)()) { tests().push_back({name, body}); }
};

/// Thrown by a test that cannot run on this machine.
struct Skip {
  std::string reason;
};

#define TEST(name)                                                                                                     \
  static void name();                                                                                                  \
  static const ::attn::test::Registration registration_##name(#name, name);                                            \
  static void name()

[[noreturn]] inline void failAt(const char *file, int line, const std::string &what) {
  throw std::runtime_error(fmt::format("{}:{}: {}", file, line, what));
}

#define EXPECT(condition)                                                                                              \
  do {                                                                                                                 \
    if (!(condition))                                                                                                  \
      ::attn::test::failAt(__FILE__, __LINE__, "expects " #condition);                                                 \
  } while (false)

/// Copies both: what a temporary refers to is gone after its line.
#define EXPECT_EQ(got, wanted)                                                                                         \
  do {                                                                                                                 \
    const auto got_ = (got);                                                                                           \
    const auto wanted_ = (wanted);                                                                                     \
    if (!(got_ == wanted_))                                                                                            \
      ::attn::test::failAt(__FILE__, __LINE__,                                                                         \
                           fmt::format("expects {}\n  to be {}\n  got   {}", #got, wanted_, got_));                    \
  } while (false)

/// The faults of the Error that `body` throws; none when it throws nothing.
inline std::vector<std::string> faultsIn(const std::function<void()> &body) {
  try {
    body();
  } catch (const Error &error) {
    return error.faults();
  }
  return {};
}

#define EXPECT_FAULTS(expression, ...)                                                                                 \
  EXPECT_EQ(::attn::test::faultsIn([&] { expression; }), (std::vector<std::string>{__VA_ARGS__}))

} // namespace attn::test

#endif // ATTN_TEST_UNIT_TEST_H
