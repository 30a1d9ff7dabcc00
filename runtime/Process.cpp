// SPDX-License-Identifier: Apache-2.0
// Runs another program and collects what it prints.
#include "runtime/Process.h"
#include "runtime/Error.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <fcntl.h>
#include <filesystem>
#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

namespace attn {

namespace {

/// Both ends of a pipe, closed when no longer needed. Close-on-exec: other children must not hold it open.
struct Pipe {
  int ends[2] = {-1, -1};
  Pipe() {
    if (pipe2(ends, O_CLOEXEC) != 0)
      throw Error(fmt::format("cannot make a pipe: {}", std::strerror(errno)));
  }
  ~Pipe() {
    close(0);
    close(1);
  }
  void close(int end) {
    if (ends[end] >= 0)
      ::close(ends[end]);
    ends[end] = -1;
  }
};

pid_t start(const std::vector<std::string> &command, const Pipe &output, const Pipe &errors) {
  std::vector<char *> arguments;
  for (const std::string &word : command)
    arguments.push_back(const_cast<char *>(word.c_str()));
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, output.ends[1], 1);
  posix_spawn_file_actions_adddup2(&actions, errors.ends[1], 2);
  pid_t child = 0;
  int code = posix_spawn(&child, arguments[0], &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (code != 0)
    throw Error(fmt::format("cannot run '{}': {}", command[0], std::strerror(code)));
  return child;
}

/// Reads both until both end, so that neither can block the child.
void collect(Pipe &output, Pipe &errors, ProcessResult &result) {
  Pipe *pipes[2] = {&output, &errors};
  std::string *texts[2] = {&result.output, &result.errors};
  char buffer[1 << 14];
  while (pipes[0]->ends[0] >= 0 || pipes[1]->ends[0] >= 0) {
    pollfd waits[2] = {{pipes[0]->ends[0], POLLIN, 0}, {pipes[1]->ends[0], POLLIN, 0}};
    if (poll(waits, 2, -1) < 0 && errno != EINTR)
      break;
    for (int i = 0; i < 2; ++i) {
      if (waits[i].fd < 0 || waits[i].revents == 0)
        continue;
      ssize_t count = read(waits[i].fd, buffer, sizeof buffer);
      if (count > 0)
        texts[i]->append(buffer, static_cast<size_t>(count));
      else if (count == 0 || errno != EINTR)
        pipes[i]->close(0);
    }
  }
}

bool isProgram(const std::filesystem::path &path) {
  std::error_code ignored;
  return std::filesystem::is_regular_file(path, ignored) && access(path.c_str(), X_OK) == 0;
}

} // namespace

ProcessResult runProcess(const std::vector<std::string> &command) {
  Pipe output, errors;
  pid_t child = start(command, output, errors);
  output.close(1);
  errors.close(1);
  ProcessResult result;
  collect(output, errors, result);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR)
    ;
  result.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return result;
}

std::string findProgram(const std::string &name) {
  namespace fs = std::filesystem;
  std::error_code ignored;
  std::vector<fs::path> folders{fs::read_symlink("/proc/self/exe", ignored).parent_path()};
  Dl_info library{};
  if (dladdr(reinterpret_cast<void *>(&runProcess), &library) && library.dli_fname) {
    fs::path folder = fs::absolute(library.dli_fname, ignored).parent_path();
    folders.push_back(folder);
    folders.push_back(folder.parent_path() / "bin");
  }
  std::string path = std::getenv("PATH") ? std::getenv("PATH") : "";
  for (size_t begin = 0; begin <= path.size();) {
    size_t end = std::min(path.find(':', begin), path.size());
    folders.emplace_back(path.substr(begin, end - begin));
    begin = end + 1;
  }
  for (const fs::path &folder : folders)
    if (!folder.empty() && isProgram(folder / name))
      return (folder / name).string();
  return {};
}

} // namespace attn
