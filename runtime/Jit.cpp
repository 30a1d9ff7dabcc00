// SPDX-License-Identifier: Apache-2.0
// The cache of compiled kernels: a file per content hash, written by rename, checked whenever it is read.
#include "runtime/Jit.h"
#include "runtime/Files.h"
#include "runtime/Process.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <map>
#include <mutex>
#include <sstream>
#include <unistd.h>

namespace attn {

namespace fs = std::filesystem;

namespace {

std::string findCompiler(const std::string &path, const LoadOptions &options) {
  std::string compiler = options.compiler.empty() ? findProgram("attnc") : options.compiler;
  if (compiler.empty())
    throw Error(fmt::format("cannot compile '{}': attnc is neither beside this program nor on PATH", path));
  return compiler;
}

/// What `attnc --version` says, asked once per process for each state of the program.
std::string buildOf(const std::string &compiler) {
  static std::mutex lock;
  static std::map<std::string, std::string> known;
  std::error_code ignored;
  std::string state = fmt::format("{}|{}|{}", compiler, fs::file_size(compiler, ignored),
                                  fs::last_write_time(compiler, ignored).time_since_epoch().count());
  std::lock_guard guard(lock);
  if (auto found = known.find(state); found != known.end())
    return found->second;
  ProcessResult result = runProcess({compiler, "--version"});
  if (result.status != 0 || result.output.empty())
    throw Error(fmt::format("expects '{} --version' to print its build, got exit status {}{}{}", compiler,
                            result.status, result.errors.empty() ? "" : ": ", result.errors));
  return known[state] = result.output;
}

/// The targets that the output of `attnc --version` lists: "targets sm_80, sm_90".
std::vector<std::string> targetsIn(const std::string &version) {
  std::vector<std::string> targets;
  size_t at = version.find("\ntargets ");
  if (at == std::string::npos)
    return targets;
  std::istringstream words(version.substr(at + 9, version.find('\n', at + 1) - (at + 9)));
  for (std::string word; words >> word;)
    targets.push_back(word.substr(0, word.find(',')));
  return targets;
}

/// The number in "sm_90a"; 0 when there is none.
int numberOf(const std::string &target) {
  int number = 0;
  size_t digits = std::min(target.find_first_of("0123456789"), target.size());
  std::from_chars(target.data() + digits, target.data() + target.size(), number);
  return number;
}

/// 128 bits over all that the result depends on; lengths keep the parts apart.
std::string keyOf(const std::string &spec, const std::string &target, const std::string &build) {
  std::string all = fmt::format("{} {} {}\n{}{}{}", spec.size(), target.size(), build.size(), spec, target, build);
  return hexadecimal(hashOf(all)) + hexadecimal(hashOf("attn" + all));
}

/// The entry when it is there and intact; empty otherwise. A damaged one is no error: it is written again.
std::string readEntry(const fs::path &entry, const std::string &target) {
  std::error_code ignored;
  if (!fs::is_regular_file(entry, ignored))
    return {};
  try {
    std::string text = readFile(entry.string());
    return parseKernelFile(text, entry.string()).target == target ? text : std::string();
  } catch (const Error &) {
    return {};
  }
}

/// A folder of our own for the compiler's output, gone at the end.
class TemporaryFolder {
public:
  TemporaryFolder() {
    std::error_code ignored;
    fs::path parent = fs::temp_directory_path(ignored);
    std::string pattern = ((parent.empty() ? fs::path("/tmp") : parent) / "attn-XXXXXX").string();
    if (!mkdtemp(pattern.data()))
      throw Error(fmt::format("cannot make a temporary folder '{}'", pattern));
    folder = pattern;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    fs::remove_all(folder, ignored);
  }
  fs::path folder;
};

std::string compile(const std::string &path, const std::string &compiler, const std::string &target) {
  TemporaryFolder temporary;
  std::string output = (temporary.folder / "kernel.ptx").string();
  ProcessResult result = runProcess({compiler, path, "-o", output, "--target", target});
  if (result.status != 0) {
    std::vector<std::string> faults = splitDiagnostics(result.errors);
    if (faults.empty())
      faults.push_back(fmt::format("cannot compile '{}': '{}' ended with status {} and said nothing", path, compiler,
                                   result.status));
    throw Error(std::move(faults));
  }
  std::string text = readFile(output);
  parseKernelFile(text, fmt::format("what '{}' made of '{}'", compiler, path));
  return text;
}

/// A cache that the user named must work; the default one is a convenience.
void store(const fs::path &folder, const fs::path &entry, const std::string &text, bool mustWork) {
  try {
    std::error_code code;
    fs::create_directories(folder, code);
    if (code)
      throw Error(fmt::format("cannot make the cache folder '{}': {}", folder.string(), code.message()));
    writeFile(entry.string(), text);
  } catch (const Error &) {
    if (mustWork)
      throw;
  }
}

} // namespace

std::string defaultCache() {
  if (const char *cache = std::getenv("XDG_CACHE_HOME"); cache && *cache)
    return std::string(cache) + "/attn";
  if (const char *home = std::getenv("HOME"); home && *home)
    return std::string(home) + "/.cache/attn";
  return {};
}

std::vector<std::string> splitDiagnostics(const std::string &text) {
  std::vector<std::string> faults;
  for (size_t begin = 0; begin < text.size();) {
    size_t end = std::min(text.find('\n', begin), text.size());
    std::string line = text.substr(begin, end - begin);
    begin = end + 1;
    if (faults.empty() || line.find("error: ") != std::string::npos)
      faults.push_back(line);
    else
      faults.back() += "\n" + line;
  }
  for (std::string &fault : faults)
    while (!fault.empty() && fault.back() == '\n')
      fault.pop_back();
  std::erase(faults, "");
  return faults;
}

std::vector<std::string> targetsFor(const Device &device, const std::string &path, const LoadOptions &options) {
  std::string compiler = findCompiler(path, options);
  std::vector<std::string> known = targetsIn(buildOf(compiler)), runnable;
  if (known.empty())
    throw Error(fmt::format("expects '{} --version' to name its targets", compiler));
  std::copy_if(known.begin(), known.end(), std::back_inserter(runnable),
               [&](const std::string &target) { return device.refusalOf(target).empty(); });
  if (runnable.empty())
    throw Error(fmt::format("cannot compile '{}': attnc compiles for {}, and this device is {}", path,
                            fmt::join(known, ", "), device.target()));
  std::stable_sort(runnable.begin(), runnable.end(), [&](const std::string &a, const std::string &b) {
    return std::pair(a == device.target(), numberOf(a)) > std::pair(b == device.target(), numberOf(b));
  });
  return runnable;
}

std::string compileSpec(const std::string &path, const LoadOptions &options) {
  std::string compiler = findCompiler(path, options), build = buildOf(compiler);
  fs::path folder = options.cache.empty() ? defaultCache() : options.cache;
  // attnc reads the file itself, so that its messages name it: when it changed meanwhile the key is not the result's.
  for (int attempt = 0; attempt < 3; ++attempt) {
    std::string spec = readFile(path);
    fs::path entry = folder / (keyOf(spec, options.target, build) + ".ptx");
    if (std::string text = readEntry(entry, options.target); !text.empty())
      return text;
    std::string text = compile(path, compiler, options.target);
    if (readFile(path) != spec)
      continue;
    if (!folder.empty())
      store(folder, entry, text, !options.cache.empty());
    return text;
  }
  throw Error(fmt::format("cannot compile '{}': it changes faster than it compiles", path));
}

} // namespace attn
