// SPDX-License-Identifier: Apache-2.0
// Specs compiled on demand, with a shell script as the compiler: what is cached, what is rebuilt, who races whom.
#include "runtime/Jit.h"
#include "runtime/CudaDevice.h"
#include "runtime/Files.h"
#include "runtime/Process.h"
#include "test/unit/Samples.h"
#include "test/unit/Test.h"

#include <cstdlib>
#include <filesystem>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace attn;
using namespace attn::test;
namespace fs = std::filesystem;

namespace {

/// A folder with a spec, a compiler that counts its runs, and an empty cache.
struct Workshop {
  Workshop() {
    std::string pattern = (fs::temp_directory_path() / "attn-jit-test-XXXXXX").string();
    folder = mkdtemp(pattern.data());
    writeFile(path("spec.mlir"), "a spec");
    writeFile(path("kernel.ptx"), sampleWith());
    writeCompiler("build 1", "cp " + path("kernel.ptx") + " \"$3\"");
    options = {"sm_80", path("cache"), path("attnc")};
  }
  ~Workshop() { fs::remove_all(folder); }

  std::string path(const std::string &name) const { return (folder / name).string(); }

  /// The arguments are: SPEC -o OUTPUT --target TARGET.
  void writeCompiler(const std::string &build, const std::string &action) {
    writeFile(path("attnc"), fmt::format("#!/bin/sh\n"
                                         "if [ \"$1\" = --version ]; then printf '%s\\n' '{}' '{}'; exit 0; fi\n"
                                         "echo \"$1 $2 $4 $5\" >> {}\n{}\n",
                                         build, targets, path("log"), action));
    fs::permissions(path("attnc"), fs::perms::owner_all);
  }

  std::string compile() { return compileSpec(path("spec.mlir"), options); }

  size_t runs() const {
    if (!fs::exists(path("log")))
      return 0;
    std::string log = readFile(path("log"));
    return static_cast<size_t>(std::count(log.begin(), log.end(), '\n'));
  }

  std::vector<fs::path> entries() const {
    std::vector<fs::path> found;
    if (fs::exists(options.cache))
      for (const fs::directory_entry &entry : fs::directory_iterator(options.cache))
        found.push_back(entry.path());
    return found;
  }

  fs::path folder;
  LoadOptions options;
  std::string targets = "targets sm_80, sm_90"; ///< what the next compiler says it knows
};

/// A device of a capability, with so much shared memory.
struct CapableDevice : NoHostWorkDevice {
  CapableDevice(int capability, int64_t shared) : capability(capability), shared(shared) {}
  std::string target() const override { return fmt::format("sm_{}", capability); }
  int64_t sharedLimit() const override { return shared; }
  std::string refusalOf(std::string_view target) const override { return refusalOn(target, capability); }
  int capability;
  int64_t shared;
};

} // namespace

TEST(jitCompilesOnce) {
  Workshop shop;
  EXPECT_EQ(shop.compile(), sampleWith());
  EXPECT_EQ(shop.compile(), sampleWith());
  EXPECT_EQ(shop.runs(), 1u);
  EXPECT_EQ(readFile(shop.path("log")), shop.path("spec.mlir") + " -o --target sm_80\n");
  EXPECT_EQ(shop.entries().size(), 1u);
}

TEST(jitKeyHasTextTargetAndBuild) {
  Workshop shop;
  shop.compile();
  writeFile(shop.path("spec.mlir"), "another spec");
  shop.compile();
  EXPECT_EQ(shop.runs(), 2u);
  shop.options.target = "sm_90";
  writeFile(shop.path("kernel.ptx"), sampleWith("target sm_80", "target sm_90"));
  shop.compile();
  EXPECT_EQ(shop.runs(), 3u);
  shop.writeCompiler("a newer build", "cp " + shop.path("kernel.ptx") + " \"$3\"");
  shop.compile();
  EXPECT_EQ(shop.runs(), 4u);
  EXPECT_EQ(shop.entries().size(), 4u);
  shop.compile();
  EXPECT_EQ(shop.runs(), 4u);
}

TEST(jitRebuildsDamagedEntries) {
  Workshop shop;
  shop.compile();
  fs::path entry = shop.entries().at(0);
  std::string text = sampleWith(), edited = text;
  edited[text.size() / 2] ^= 1;
  for (const std::string &damaged : {std::string(), text.substr(0, text.size() / 2), edited, std::string("junk")}) {
    size_t before = shop.runs();
    writeFile(entry.string(), damaged);
    EXPECT_EQ(shop.compile(), text);
    EXPECT_EQ(shop.runs(), before + 1);
    EXPECT_EQ(readFile(entry.string()), text);
  }
  // An intact file for another target, as after a copy by hand.
  writeFile(entry.string(), sampleWith("target sm_80", "target sm_70"));
  EXPECT_EQ(shop.compile(), text);
  fs::remove(entry);
  fs::create_directory(entry);
  EXPECT_FAULTS(shop.compile(), fmt::format("cannot write '{}': Is a directory", entry.string()));
}

TEST(jitRacingProcesses) {
  Workshop shop;
  shop.writeCompiler("build 1", "sleep 0.2; head -c 300 " + shop.path("kernel.ptx") + " > \"$3\"; sleep 0.1; cp " +
                                    shop.path("kernel.ptx") + " \"$3\"");
  std::vector<pid_t> children;
  for (int i = 0; i < 6; ++i) {
    pid_t child = fork();
    if (child == 0) {
      // Each looks again and again while the others write.
      for (int j = 0; j < 3; ++j)
        if (faultsIn([&] { shop.compile(); }).size() || shop.compile() != sampleWith())
          _exit(1);
      _exit(0);
    }
    children.push_back(child);
  }
  for (pid_t child : children) {
    int status = -1;
    waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
  }
  EXPECT(shop.runs() >= 1 && shop.runs() <= 6);
  EXPECT_EQ(shop.entries().size(), 1u);
  EXPECT_EQ(readFile(shop.entries()[0].string()), sampleWith());
}

TEST(jitPassesErrorsOn) {
  Workshop shop;
  shop.writeCompiler("build 1", "printf \"spec.mlir:1:1: error: 'attn.mask' op expects A\\nsource\\n^\\n\" >&2\n"
                                "printf \"spec.mlir:2:1: error: second\\nspec.mlir:3:1: note: here\\n\" >&2\nexit 1");
  EXPECT_FAULTS(shop.compile(), "spec.mlir:1:1: error: 'attn.mask' op expects A\nsource\n^",
                "spec.mlir:2:1: error: second\nspec.mlir:3:1: note: here");
  EXPECT_EQ(shop.entries().size(), 0u);
  shop.writeCompiler("build 1", "exit 3");
  EXPECT_FAULTS(shop.compile(), fmt::format("cannot compile '{}': '{}' ended with status 3 and said nothing",
                                            shop.path("spec.mlir"), shop.path("attnc")));
  shop.writeCompiler("build 1", "kill -9 $$");
  EXPECT_FAULTS(shop.compile(), fmt::format("cannot compile '{}': '{}' ended with status 137 and said nothing",
                                            shop.path("spec.mlir"), shop.path("attnc")));
}

TEST(jitRefusesWhatIsNoKernelFile) {
  Workshop shop;
  shop.writeCompiler("build 1", "echo .version > \"$3\"");
  EXPECT_FAULTS(shop.compile(),
                fmt::format("what '{}' made of '{}' is no kernel file: expects '//! attn-kernel-file 1' "
                            "as its first line, got '.version'",
                            shop.path("attnc"), shop.path("spec.mlir")));
}

TEST(jitFaultsOfFoldersAndPrograms) {
  Workshop shop;
  LoadOptions good = shop.options;
  shop.options.compiler = shop.path("none");
  EXPECT_FAULTS(shop.compile(), fmt::format("cannot run '{}': No such file or directory", shop.path("none")));
  shop.options = good;
  shop.options.cache = shop.path("spec.mlir") + "/cache";
  EXPECT_FAULTS(shop.compile(), fmt::format("cannot make the cache folder '{}': Not a directory", shop.options.cache));
  shop.options = good;
  fs::remove(shop.path("spec.mlir"));
  EXPECT_FAULTS(shop.compile(), fmt::format("cannot read '{}': No such file or directory", shop.path("spec.mlir")));
}

TEST(jitThroughDevice) {
  Workshop shop;
  auto device = std::make_shared<NoHostWorkDevice>();
  std::shared_ptr<Kernel> kernel = device->load(shop.path("spec.mlir"), "prefill", shop.options);
  EXPECT_EQ(kernel->section().name, "prefill");
  // The target is the device's own when none is given.
  shop.options.target.clear();
  device->load(shop.path("spec.mlir"), "", shop.options);
  EXPECT_EQ(shop.runs(), 1u);
}

TEST(jitCompilerThatSaysNothing) {
  Workshop shop;
  writeFile(shop.path("attnc"), "#!/bin/sh\necho broken >&2\nexit 3\n");
  fs::permissions(shop.path("attnc"), fs::perms::owner_all);
  EXPECT_FAULTS(shop.compile(), fmt::format("expects '{} --version' to print its build, got exit status 3: broken\n",
                                            shop.path("attnc")));
}

TEST(jitSpecThatChanges) {
  Workshop shop;
  shop.writeCompiler("build 1", "echo more >> \"$1\"; cp " + shop.path("kernel.ptx") + " \"$3\"");
  EXPECT_FAULTS(shop.compile(),
                fmt::format("cannot compile '{}': it changes faster than it compiles", shop.path("spec.mlir")));
  EXPECT_EQ(shop.runs(), 3u);
  EXPECT_EQ(shop.entries().size(), 0u);
}

TEST(jitTemporaryFolder) {
  Workshop shop;
  std::string kept = std::getenv("TMPDIR") ? std::getenv("TMPDIR") : "";
  setenv("TMPDIR", "/proc", 1);
  std::vector<std::string> faults = faultsIn([&] { shop.compile(); });
  if (kept.empty())
    unsetenv("TMPDIR");
  else
    setenv("TMPDIR", kept.c_str(), 1);
  EXPECT_EQ(faults.size(), 1u);
  EXPECT(faults[0].starts_with("cannot make a temporary folder '/proc/attn-"));
}

TEST(processWithoutFiles) {
  rlimit kept{}, none{};
  getrlimit(RLIMIT_NOFILE, &kept);
  none = {3, kept.rlim_max};
  setrlimit(RLIMIT_NOFILE, &none);
  std::vector<std::string> faults = faultsIn([] { runProcess({"/bin/true"}); });
  setrlimit(RLIMIT_NOFILE, &kept);
  EXPECT_EQ(faults.size(), 1u);
  EXPECT(faults[0].starts_with("cannot make a pipe"));
}

TEST(jitTargetsOfDevices) {
  Workshop shop;
  auto targetsOf = [&](int capability) {
    return targetsFor(CapableDevice(capability, 1 << 20), shop.path("spec.mlir"), shop.options);
  };
  using Targets = std::vector<std::string>;
  shop.targets = "targets sm_80, sm_86, sm_89, sm_90, sm_90a";
  shop.writeCompiler("build 2", "exit 1");
  EXPECT_EQ(targetsOf(80), Targets{"sm_80"});
  EXPECT_EQ(targetsOf(86), (Targets{"sm_86", "sm_80"}));
  EXPECT_EQ(targetsOf(87), (Targets{"sm_86", "sm_80"}));
  EXPECT_EQ(targetsOf(90), (Targets{"sm_90", "sm_90a", "sm_89", "sm_86", "sm_80"}));
  // What uses all of one chip runs on no other.
  EXPECT_EQ(targetsOf(100), (Targets{"sm_90", "sm_89", "sm_86", "sm_80"}));
  EXPECT_EQ(targetsOf(120), (Targets{"sm_90", "sm_89", "sm_86", "sm_80"}));
  EXPECT_FAULTS(targetsOf(75),
                fmt::format("cannot compile '{}': attnc compiles for sm_80, sm_86, sm_89, sm_90, sm_90a, "
                            "and this device is sm_75",
                            shop.path("spec.mlir")));
  shop.targets = "targets sm_90a";
  shop.writeCompiler("build 3", "exit 1");
  EXPECT_FAULTS(targetsOf(100), fmt::format("cannot compile '{}': attnc compiles for sm_90a, and this device is sm_100",
                                            shop.path("spec.mlir")));
  shop.targets = "";
  shop.writeCompiler("build 4", "exit 1");
  EXPECT_FAULTS(targetsOf(80), fmt::format("expects '{} --version' to name its targets", shop.path("attnc")));
}

TEST(jitTargetThatFits) {
  Workshop shop;
  shop.options.target.clear();
  writeFile(shop.path("sm_80.ptx"), sampleWith("shared 65536", "shared 512"));
  writeFile(shop.path("sm_90.ptx"), sampleWith("target sm_80", "target sm_90"));
  shop.writeCompiler("build 5", "cp " + shop.path("") + "$5.ptx \"$3\"");
  auto targetOn = [&](int capability, int64_t shared) {
    return std::make_shared<CapableDevice>(capability, shared)
        ->load(shop.path("spec.mlir"), "", shop.options)
        ->file()
        .target;
  };
  EXPECT_EQ(targetOn(100, 65536), "sm_90");
  EXPECT_EQ(targetOn(120, 65535), "sm_80");
  // Where nothing fits the backend says so of the nearest.
  EXPECT_EQ(targetOn(120, 100), "sm_90");
}

TEST(jitDefaultCache) {
  std::string kept = std::getenv("XDG_CACHE_HOME") ? std::getenv("XDG_CACHE_HOME") : "";
  std::string home = std::getenv("HOME") ? std::getenv("HOME") : "";
  setenv("XDG_CACHE_HOME", "/xdg", 1);
  EXPECT_EQ(defaultCache(), "/xdg/attn");
  unsetenv("XDG_CACHE_HOME");
  setenv("HOME", "/home/u", 1);
  EXPECT_EQ(defaultCache(), "/home/u/.cache/attn");
  setenv("HOME", home.c_str(), 1);
  if (!kept.empty())
    setenv("XDG_CACHE_HOME", kept.c_str(), 1);
}

TEST(processCollectsBothStreams) {
  // More than a pipe holds on both, so that reading one after the other would hang.
  ProcessResult result =
      runProcess({"/bin/sh", "-c", "head -c 200000 /dev/zero; head -c 200000 /dev/zero >&2; cat; exit 7"});
  EXPECT_EQ(result.status, 7);
  EXPECT_EQ(result.output.size(), 200000u);
  EXPECT_EQ(result.errors.size(), 200000u);
}
