// SPDX-License-Identifier: Apache-2.0
// The CUDA backend against a stand-in for the driver, in a process of its own that finds it as libcuda.so.1.
#include "runtime/Process.h"
#include "test/unit/Samples.h"
#include "test/unit/Test.h"

#include <cstdlib>
#include <filesystem>

using namespace attn;
using namespace attn::test;

namespace {

std::string twiceText(const std::string &extra = {}, int64_t shared = 60000, int64_t block = 1) {
  KernelFile file;
  file.build = "b";
  file.target = "sm_80";
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

void useTheDriver() {
  std::shared_ptr<Device> device = Device::open("auto");
  EXPECT_EQ(device->name(), "fake device");
  EXPECT_EQ(device->target(), "sm_86");
  launchOn(*device, *device->loadText(twiceText()), 5);
  launchOn(*device, *device->loadText(twiceText("cooperative")), 2);
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
  Stream stream = device->createStream();
  void *first = device->recordEvent(stream), *second = device->recordEvent(stream);
  EXPECT_EQ(device->millisecondsBetween(first, second), 1.5);
  device->releaseEvent(first);
  device->releaseEvent(second);
  device->destroyStream(stream);
}

} // namespace

TEST(cudaThroughFakeDriver) {
  if (std::getenv("ATTN_INSIDE_FAKE_DRIVER"))
    return useTheDriver();
  std::string self = std::filesystem::read_symlink("/proc/self/exe").string();
  ProcessResult result = runProcess({"/usr/bin/env", "ATTN_INSIDE_FAKE_DRIVER=1",
                                     std::string("LD_LIBRARY_PATH=") + ATTN_FAKE_DRIVER_FOLDER, self, "--filter",
                                     "^cudaThroughFakeDriver$"});
  if (result.status != 0)
    failAt(__FILE__, __LINE__, result.output + result.errors);
  EXPECT(result.output.find("1 passed") != std::string::npos);
}
