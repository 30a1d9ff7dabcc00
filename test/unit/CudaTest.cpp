// SPDX-License-Identifier: Apache-2.0
// The CUDA backend against a stand-in for the driver, in a process of its own that finds it as libcuda.so.1.
#include "runtime/Files.h"
#include "runtime/Process.h"
#include "test/unit/Samples.h"
#include "test/unit/Test.h"

#include <cstdlib>
#include <dlfcn.h>
#include <filesystem>
#include <unistd.h>

using namespace attn;
using namespace attn::test;
namespace fs = std::filesystem;

namespace {

std::string twiceText(const std::string &extra = {}, int64_t shared = 60000, int64_t block = 1,
                      const std::string &target = "sm_80") {
  KernelFile file;
  file.build = "b";
  file.target = target;
  file.specHash = "0123456789abcdef";
  KernelSection &section = file.kernels.emplace_back();
  section.name = "twice";
  section.arguments = {{KernelArgument::Role::Input, "x", DType::F32, {{"n"}}},
                       {KernelArgument::Role::Scalar, "factor", DType::F32, {}},
                       {KernelArgument::Role::Output, "y", DType::F32, {{"n"}}}};
  KernelEntry &entry = section.steps.emplace_back().alternatives.emplace_back();
  entry.name = "twice";
  entry.grid = Expression::parse("n");
  entry.block = block;
  entry.shared = shared;
  entry.cooperative = extra == "cooperative";
  entry.parameters = {{KernelParameter::Kind::Address, "x"},
                      {KernelParameter::Kind::Scalar, "factor"},
                      {KernelParameter::Kind::Address, "y"}};
  return printKernelFile(file,
                         "// " + extra + "\n.entry twice(.param .u64 a, .param .f32 b, .param .u64 c) { ret; }\n");
}

struct Memory {
  Memory(Device &device, size_t bytes) : device(device), data(device.allocate(bytes)) {}
  ~Memory() { device.release(data); }
  Device &device;
  void *data;
};

void launchOn(Device &device, const Kernel &kernel, int64_t n) {
  std::vector<float> numbers(static_cast<size_t>(n), 1.5f), got(numbers.size());
  size_t bytes = numbers.size() * sizeof(float);
  Memory x(device, bytes), y(device, bytes);
  device.copyToDevice(x.data, numbers.data(), bytes);
  kernel.launch({Tensor{x.data, DType::F32, {n}, {}}, 3.0, Tensor{y.data, DType::F32, {n}, {}}});
  device.synchronize();
  device.copyToHost(got.data(), y.data, bytes);
  for (float number : got)
    EXPECT_EQ(number, 4.5f);
}

/// Allocations, copies and waits that the stand-in has seen.
int hostWork() {
  void *driver = dlopen("libcuda.so.1", RTLD_NOW | RTLD_NOLOAD);
  return reinterpret_cast<int (*)()>(dlsym(driver, "attnFakeHostWork"))();
}

/// A kernel with a tensor map: its result is what the stand-in got to encode.
void encodeByTheDriver(Device &device) {
  KernelFile file = parseKernelFile(twiceText());
  KernelSection &section = file.kernels.front();
  section.arguments = {
      {KernelArgument::Role::Input, "k", DType::BF16, {{"batch"}, {"seq"}, {"heads"}, {"head_dim", 64}}},
      {KernelArgument::Role::Output, "y", DType::I32, {{"words", 32}}}};
  KernelEntry &entry = section.steps.front().alternatives.front();
  entry.name = "mapped";
  entry.grid = Expression::parse("1");
  entry.tensorMaps = {"k"};
  entry.parameters = {{KernelParameter::Kind::Map, "k"}, {KernelParameter::Kind::Address, "y"}};
  entry.parameters[0].box = {1, 128, 1, 64};
  entry.parameters[0].swizzle = 128;
  auto kernel = device.loadText(
      printKernelFile(file, "// twice\n.entry mapped(.param .align 64 .b8 a[128], .param .u64 b) { ret; }\n"));
  Memory k(device, 4096), y(device, 128);
  int before = hostWork();
  kernel->launch({Tensor{k.data, DType::BF16, {1, 0, 3, 64}, {}}, Tensor{y.data, DType::I32, {32}, {}}});
  kernel->launch({Tensor{k.data, DType::BF16, {1, 7, 3, 64}, {999, 256, 64, 1}}, Tensor{y.data, DType::I32, {32}, {}}});
  EXPECT_EQ(hostWork(), before);
  uint32_t got[20];
  device.copyToHost(got, y.data, sizeof got);
  auto address = reinterpret_cast<uintptr_t>(k.data);
  // Type BFLOAT16, rank, 128-byte swizzle, promotion to 128 bytes, address; sizes, strides and box innermost first.
  const uint32_t wanted[20] = {
      9, 4, 3, 2, uint32_t(address), uint32_t(address >> 32), 64, 3, 7, 1, 0, 128, 512, 512 * 7, 0, 64, 1, 128, 1, 0};
  for (unsigned i = 0; i < 20; ++i)
    EXPECT_EQ(got[i], wanted[i]);
}

/// A second step that the driver is told to start early; the stand-in refuses it in any other way.
std::string earlyText() {
  KernelFile file = parseKernelFile(twiceText());
  KernelSection &section = file.kernels.front();
  KernelStep second = section.steps.front();
  second.alternatives.front().name = "early";
  second.alternatives.front().overlapsPrevious = true;
  section.steps.push_back(second);
  return printKernelFile(file, ".entry twice(.param .u64 a, .param .f32 b, .param .u64 c) { ret; }\n"
                               ".entry early(.param .u64 a, .param .f32 b, .param .u64 c) { griddepcontrol.wait; "
                               "ret; }\n");
}

/// Whatever a launch is made of, it gives the driver nothing to do but start kernels.
void launchWithoutHostWork(Device &device) {
  Memory x(device, 256), y(device, 256);
  for (const std::string &text : {twiceText(), twiceText("cooperative"), earlyText()}) {
    auto kernel = device.loadText(text);
    int before = hostWork();
    kernel->launch({Tensor{x.data, DType::F32, {2}, {}}, 3.0, Tensor{y.data, DType::F32, {2}, {}}});
    EXPECT_EQ(hostWork(), before);
  }
  int before = hostWork();
  device.synchronize();
  EXPECT_EQ(hostWork(), before + 1);
}

void useTheDriver() {
  std::shared_ptr<Device> device = Device::open("auto");
  EXPECT_EQ(device->name(), "fake device");
  EXPECT_EQ(device->target(), "sm_86");
  EXPECT_EQ(device->multiprocessors(), 84);
  launchOn(*device, *device->loadText(twiceText()), 5);
  launchOn(*device, *device->loadText(twiceText("cooperative")), 2);
  launchOn(*device, *device->loadText(earlyText()), 5);
  encodeByTheDriver(*device);
  launchWithoutHostWork(*device);
  EXPECT_FAULTS(launchOn(*device, *device->loadText(twiceText("cooperative")), 3),
                "entry 'twice' needs 3 programs at once, more than this device holds");
  EXPECT_FAULTS(device->loadText(twiceText("bad"), "", "K.ptx"),
                "the driver refuses K.ptx: a PTX JIT compilation failed (CUDA error 218)\nptxas application ptx input, "
                "line 9; error");
  EXPECT_FAULTS(device->loadText(twiceText("", 101377)),
                "entry 'twice' needs 101377 bytes of shared memory, this device has 101376");
  EXPECT_FAULTS(device->loadText(twiceText("", 0, 512)),
                "entry 'twice' has 512 threads, this device can run 256 of it: it uses too many registers");
  EXPECT_FAULTS(Device::open("cuda:1"), "expects one of the 1 CUDA devices of this machine, got cuda:1");
  EXPECT_FAULTS(launchOn(*device, *device->loadText(twiceText()), 5000),
                "cannot launch 'twice': invalid argument (CUDA error 1)");
  EXPECT_FAULTS(device->allocate(size_t(1) << 50),
                "cannot allocate 1125899906842624 bytes on fake device: invalid argument (CUDA error 1)");
  Stream stream = device->createStream();
  void *first = device->recordEvent(stream), *second = device->recordEvent(stream);
  EXPECT_EQ(device->millisecondsBetween(first, second), 1.5);
  device->releaseEvent(first);
  device->releaseEvent(second);
  device->destroyStream(stream);
}

/// A folder that is gone at the end.
struct Folder {
  Folder() {
    std::string pattern = (fs::temp_directory_path() / "attn-cuda-test-XXXXXX").string();
    path = mkdtemp(pattern.data());
  }
  ~Folder() { fs::remove_all(path); }
  std::string file(const std::string &name) const { return (path / name).string(); }
  fs::path path;
};

/// The driver refuses this PTX, so what runs is the cubin.
void preferTheCubin() {
  Folder folder;
  std::string path = folder.file("K.ptx"), text = twiceText("bad");
  size_t at = text.find("//! check ") + 10;
  std::string check = text.substr(at, 16), cubin = folder.file("K.sm_86." + check + ".cubin");
  writeFile(path, text);
  std::shared_ptr<Device> device = Device::open("cuda:0");
  std::string refusal = fmt::format("the driver refuses {}: a PTX JIT compilation failed (CUDA error 218)\nptxas "
                                    "application ptx input, line 9; error",
                                    path);
  EXPECT_FAULTS(device->load(path), refusal);
  writeFile(cubin, "\177ELF sm_86 twice");
  std::shared_ptr<Kernel> kernel = device->load(path);
  EXPECT_EQ(kernel->origin(), cubin);
  launchOn(*device, *kernel, 4);
  // What the cubin was made of has another name than what the file holds now; so has that of another chip.
  writeFile(path, twiceText("bad", 60001));
  EXPECT_FAULTS(device->load(path), refusal);
  fs::rename(cubin, folder.file("K.sm_80." + check + ".cubin"));
  writeFile(path, text);
  EXPECT_FAULTS(device->load(path), refusal);
  // One that the driver refuses is no error while there is PTX.
  writeFile(path, twiceText());
  check = readFile(path).substr(readFile(path).find("//! check ") + 10, 16);
  cubin = folder.file("K.sm_86." + check + ".cubin");
  writeFile(cubin, "\177ELF sm_90 twice");
  kernel = device->load(path);
  EXPECT_EQ(kernel->origin(),
            fmt::format("{}: the driver refuses {}: no kernel image is available for execution on the "
                        "device (CUDA error 209)",
                        path, cubin));
  launchOn(*device, *kernel, 4);
  fs::remove(cubin);
  EXPECT_EQ(device->load(path)->origin(), path);
}

/// A chip that the compiler does not know, with less shared memory than the nearest that it knows.
void compileForALaterChip() {
  Folder folder;
  writeFile(folder.file("spec.mlir"), "a spec");
  writeFile(folder.file("sm_90.ptx"), twiceText("", 200000, 1, "sm_90"));
  writeFile(folder.file("sm_89.ptx"), twiceText("", 60000, 1, "sm_89"));
  writeFile(folder.file("attnc"),
            "#!/bin/sh\n"
            "if [ \"$1\" = --version ]; then echo 'attnc 1'; echo 'targets sm_89, sm_90, sm_90a'\n"
            "else cp " +
                folder.file("$5.ptx") + " \"$3\"; fi\n");
  fs::permissions(folder.file("attnc"), fs::perms::owner_all);
  std::shared_ptr<Device> device = Device::open("cuda:0");
  EXPECT_EQ(device->target(), "sm_120");
  auto kernel = device->load(folder.file("spec.mlir"), "", {"", folder.file("cache"), folder.file("attnc")});
  EXPECT_EQ(kernel->file().target, "sm_89");
  launchOn(*device, *kernel, 3);
  EXPECT_FAULTS(device->load(folder.file("spec.mlir"), "", {"sm_90", folder.file("cache"), folder.file("attnc")}),
                "entry 'twice' needs 200000 bytes of shared memory, this device has 101376");
  EXPECT_FAULTS(device->loadText(twiceText("", 0, 1, "sm_90a"), "", "K.ptx"),
                "K.ptx is compiled for sm_90a, this device is sm_120: compile it for sm_90, which later chips run");
}

/// Runs the body in a process that finds the stand-in as the driver, of a device with this capability.
void inside(const char *test, const char *capability, void (*body)()) {
  if (std::getenv("ATTN_FAKE_CAPABILITY"))
    return body();
  std::string self = fs::read_symlink("/proc/self/exe").string();
  ProcessResult result = runProcess({"/usr/bin/env", std::string("ATTN_FAKE_CAPABILITY=") + capability,
                                     std::string("LD_LIBRARY_PATH=") + ATTN_FAKE_DRIVER_FOLDER, self, "--filter",
                                     std::string("^") + test + "$"});
  if (result.status != 0)
    failAt(__FILE__, __LINE__, result.output + result.errors);
  EXPECT(result.output.find("1 passed") != std::string::npos);
}

} // namespace

TEST(cudaThroughFakeDriver) { inside("cudaThroughFakeDriver", "86", useTheDriver); }
TEST(cudaPrefersCubin) { inside("cudaPrefersCubin", "86", preferTheCubin); }
TEST(cudaLaterChip) { inside("cudaLaterChip", "120", compileForALaterChip); }
