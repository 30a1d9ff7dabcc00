// SPDX-License-Identifier: Apache-2.0
// Whole files in and out.
#include "runtime/Files.h"
#include "runtime/Error.h"

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fmt/format.h>
#include <memory>
#include <sys/stat.h>
#include <unistd.h>

namespace attn {

namespace {
struct Close {
  void operator()(std::FILE *file) const { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, Close>;

[[noreturn]] void fail(const char *verb, const std::string &path, int code) {
  throw Error(fmt::format("cannot {} '{}': {}", verb, path, std::strerror(code)));
}
} // namespace

std::string readFile(const std::string &path) {
  File file(std::fopen(path.c_str(), "rb"));
  if (!file)
    fail("read", path, errno);
  struct stat facts;
  if (fstat(fileno(file.get()), &facts) == 0 && S_ISDIR(facts.st_mode))
    fail("read", path, EISDIR);
  std::string content;
  char buffer[1 << 16];
  while (size_t count = std::fread(buffer, 1, sizeof buffer, file.get()))
    content.append(buffer, count);
  if (std::ferror(file.get()))
    fail("read", path, errno);
  return content;
}

void writeFile(const std::string &path, std::string_view content) {
  static std::atomic<unsigned> serial{0};
  std::string temporary = fmt::format("{}.{}.{}.tmp", path, getpid(), serial++);
  File file(std::fopen(temporary.c_str(), "wb"));
  if (!file)
    fail("write", path, errno);
  bool whole = std::fwrite(content.data(), 1, content.size(), file.get()) == content.size();
  int code = errno;
  whole &= std::fclose(file.release()) == 0;
  if (whole && std::rename(temporary.c_str(), path.c_str()) == 0)
    return;
  code = whole ? errno : code;
  std::remove(temporary.c_str());
  fail("write", path, code);
}

} // namespace attn
