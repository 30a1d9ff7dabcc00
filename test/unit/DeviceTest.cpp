// SPDX-License-Identifier: Apache-2.0
// Opening devices, their options, and the C interface.
#include "runtime/CommandLine.h"
#include "runtime/CudaDevice.h"
#include "runtime/Files.h"
#include "runtime/SimDevice.h"
#include "runtime/attn.h"
#include "test/unit/Samples.h"
#include "test/unit/Test.h"

#include <filesystem>
#include <unistd.h>

using namespace attn;
using namespace attn::test;

TEST(deviceNames) {
  EXPECT_FAULTS(Device::open("gpu"), "expects a device auto, sim, sim:OPTIONS or cuda:N, got 'gpu'");
  EXPECT_FAULTS(Device::open("cuda:x"), "expects a number after 'cuda:', got 'x'");
  EXPECT_FAULTS(Device::open("cuda:-1"), "expects a number after 'cuda:', got '-1'");
  EXPECT(Device::open("sim")->isSimulator());
  EXPECT_FAULTS(Device::open("sim")->recordEvent(nullptr), "simulator has no clock: times are measured on CUDA");
  if (openCudaIfPresent()) {
    EXPECT(!Device::open("auto")->isSimulator());
    std::vector<std::string> faults = faultsIn([] { Device::open("cuda:1000"); });
    EXPECT(faults.size() == 1 && faults[0].starts_with("expects one of the "));
  } else {
    EXPECT(Device::open("auto")->isSimulator());
    EXPECT_EQ(faultsIn([] { Device::open("cuda:0"); }).size(), 1u);
  }
}

TEST(deviceWithoutTensorMaps) {
  NoHostWorkDevice device;
  std::byte map[tensorMapBytes] = {};
  EXPECT_FAULTS(device.encodeTensorMap({}, map), "no host work has no tensor maps");
}

TEST(simulatorOptions) {
  EXPECT(
      SimDevice::open("seed=5,resident=2,order=reversed,approx=worst,mma=truncate,warp=fine,diverge=random,limit=9"));
  EXPECT_FAULTS(Device::open("sim:seed=x,order=up,speed=1"),
                "simulator option seed expects a number up to 18446744073709551615, got 'x'",
                "simulator option order expects linear or reversed or shuffled, got 'up'",
                "expects a simulator option seed, resident, order, approx, mma, warp, diverge, trace, limit or "
                "multiprocessors, got 'speed'");
  EXPECT_EQ(SimDevice::open("")->multiprocessors(), 3);
  EXPECT_EQ(SimDevice::open("multiprocessors=1000")->multiprocessors(), 1000);
}

TEST(targetsThatRun) {
  EXPECT_EQ(refusalOn("sm_80", 80), "");
  EXPECT_EQ(refusalOn("sm_80", 90), "");
  EXPECT_EQ(refusalOn("sm_80", 120), "");
  EXPECT_EQ(refusalOn("sm_90a", 90), "");
  EXPECT_EQ(refusalOn("sm_100f", 103), "");
  EXPECT_EQ(refusalOn("sm_90", 80), "is compiled for sm_90, this device is sm_80: compile it for sm_80 or below");
  EXPECT_EQ(refusalOn("sm_90a", 100),
            "is compiled for sm_90a, this device is sm_100: compile it for sm_90, which later chips run");
  EXPECT(!refusalOn("sm_100f", 120).empty());
  EXPECT_EQ(refusalOn("gfx90a", 90), "expects a target such as sm_80, got 'gfx90a'");
  EXPECT_EQ(refusalOn("sm_", 90), "expects a target such as sm_80, got 'sm_'");
}

TEST(cInterfaceFaults) {
  attn_device *device = nullptr;
  attn_kernel *kernel = nullptr;
  EXPECT(attn_device_open("gpu", &device) != 0);
  EXPECT_EQ(std::string(attn_last_error()), "expects a device auto, sim, sim:OPTIONS or cuda:N, got 'gpu'");
  EXPECT(attn_device_open("sim", nullptr) != 0);
  EXPECT_EQ(std::string(attn_last_error()), "expects a place for the device, got a null pointer");
  EXPECT_EQ(attn_device_open("sim", &device), 0);
  EXPECT_EQ(std::string(attn_device_name(device)), "simulator");
  EXPECT(attn_kernel_load(device, "/nowhere/K.ptx", nullptr, &kernel) != 0);
  EXPECT_EQ(std::string(attn_last_error()), "cannot read '/nowhere/K.ptx': No such file or directory");
  EXPECT(attn_kernel_load(nullptr, "/", nullptr, &kernel) != 0);
  EXPECT_EQ(std::string(attn_last_error()), "expects a device, got a null pointer");
  EXPECT_EQ(attn_kernel_arguments(nullptr), 0u);
  EXPECT(attn_kernel_launch(nullptr, nullptr, 0, nullptr, 0, nullptr) != 0);
  attn_device_close(device);
  attn_device_close(nullptr);
  attn_kernel_unload(nullptr);
}

TEST(cInterfaceRuns) {
  // Writes 2 * x[i] to y[i]; one thread for each element.
  KernelFile file;
  file.build = "b";
  file.target = "sm_80";
  file.specHash = "0123456789abcdef";
  KernelSection &section = file.kernels.emplace_back();
  section.name = "twice";
  section.arguments = {{KernelArgument::Role::Input, "x", DType::F32, {{"n"}}},
                       {KernelArgument::Role::Scalar, "factor", DType::F32, {}},
                       {KernelArgument::Role::Output, "y", DType::F32, {{"n"}}}};
  section.workspace = Expression::parse("n * 4");
  KernelEntry &entry = section.steps.emplace_back().alternatives.emplace_back();
  entry.name = "twice";
  entry.grid = Expression::parse("n");
  entry.block = 1;
  entry.parameters = {{KernelParameter::Kind::Address, "x"},
                      {KernelParameter::Kind::Scalar, "factor"},
                      {KernelParameter::Kind::Address, "y"}};
  std::string text = printKernelFile(file, R"(.version 7.1
.target sm_80
.address_size 64
.visible .entry twice(.param .u64 px, .param .f32 pf, .param .u64 py)
{
	.reg .b32 %r<2>;
	.reg .b64 %rd<6>;
	.reg .f32 %f<4>;
	ld.param.u64 %rd1, [px];
	ld.param.f32 %f1, [pf];
	ld.param.u64 %rd2, [py];
	mov.u32 %r1, %ctaid.x;
	mul.wide.u32 %rd3, %r1, 4;
	add.s64 %rd4, %rd1, %rd3;
	add.s64 %rd5, %rd2, %rd3;
	ld.global.f32 %f2, [%rd4];
	mul.f32 %f3, %f2, %f1;
	st.global.f32 [%rd5], %f3;
	ret;
}
)");
  std::string path = (std::filesystem::temp_directory_path() / fmt::format("attn-c-test-{}.ptx", getpid())).string();
  writeFile(path, text);
  attn_device *device = nullptr;
  attn_kernel *kernel = nullptr;
  EXPECT_EQ(attn_device_open("sim", &device), 0);
  if (attn_kernel_load(device, path.c_str(), "twice", &kernel))
    failAt(__FILE__, __LINE__, attn_last_error());
  std::filesystem::remove(path);
  EXPECT_EQ(attn_kernel_arguments(kernel), 3u);
  EXPECT_EQ(std::string(attn_kernel_argument_name(kernel, 1)), "factor");
  EXPECT_EQ(attn_kernel_argument_role(kernel, 1), ATTN_SCALAR);
  EXPECT_EQ(attn_kernel_argument_role(kernel, 2), ATTN_OUTPUT);
  EXPECT_EQ(attn_kernel_argument_type(kernel, 0), ATTN_F32);
  EXPECT_EQ(attn_kernel_argument_rank(kernel, 0), 1u);
  EXPECT_EQ(std::string(attn_kernel_dimension_name(kernel, 0, 0)), "n");
  EXPECT_EQ(attn_kernel_dimension_size(kernel, 0, 0), -1);
  EXPECT(attn_kernel_argument_name(kernel, 3) == nullptr && attn_kernel_argument_role(kernel, 3) == -1);
  float numbers[3] = {1, -2, 3.5f}, got[3] = {};
  void *x = nullptr, *y = nullptr, *space = nullptr;
  EXPECT_EQ(attn_device_allocate(device, sizeof numbers, &x), 0);
  EXPECT_EQ(attn_device_allocate(device, sizeof numbers, &y), 0);
  EXPECT_EQ(attn_device_copy_in(device, x, numbers, sizeof numbers), 0);
  int64_t n = 3;
  attn_value values[3] = {};
  values[0] = {ATTN_TENSOR, ATTN_F32, x, 1, &n, nullptr, 0, 0};
  values[1].kind = ATTN_REAL;
  values[1].real = 2;
  values[2] = {ATTN_TENSOR, ATTN_F32, y, 1, &n, nullptr, 0, 0};
  size_t bytes = 0;
  EXPECT_EQ(attn_kernel_workspace(kernel, values, 3, &bytes), 0);
  EXPECT_EQ(bytes, 12u);
  EXPECT(attn_kernel_launch(kernel, values, 3, nullptr, 0, nullptr) != 0);
  EXPECT_EQ(std::string(attn_last_error()), "the workspace has 0 bytes, expected 12");
  EXPECT_EQ(attn_device_allocate(device, bytes, &space), 0);
  if (attn_kernel_launch(kernel, values, 3, space, bytes, nullptr))
    failAt(__FILE__, __LINE__, attn_last_error());
  EXPECT_EQ(attn_device_synchronize(device, nullptr), 0);
  EXPECT_EQ(attn_device_copy_out(device, got, y, sizeof got), 0);
  EXPECT(got[0] == 2 && got[1] == -4 && got[2] == 7);
  values[2].type = 99;
  EXPECT(attn_kernel_launch(kernel, values, 3, space, bytes, nullptr) != 0);
  EXPECT_EQ(std::string(attn_last_error()), "value 2 has type 99, expected one of enum attn_type");
  values[2].kind = 99;
  EXPECT(attn_kernel_launch(kernel, values, 3, space, bytes, nullptr) != 0);
  EXPECT_EQ(std::string(attn_last_error()), "value 2 has kind 99, expected ATTN_TENSOR, ATTN_INTEGER or ATTN_REAL");
  values[2].kind = ATTN_TENSOR;
  values[2].type = ATTN_F32;
  values[2].rank = 65;
  EXPECT(attn_kernel_launch(kernel, values, 3, space, bytes, nullptr) != 0);
  EXPECT_EQ(std::string(attn_last_error()), "value 2 has 65 dimensions, expected at most 64");
  for (void *data : {x, y, space})
    EXPECT_EQ(attn_device_release(device, data), 0);
  attn_device_close(device); // before its kernel
  attn_kernel_unload(kernel);
}

static CommandLine lineOf(std::vector<std::string> words) {
  words.insert(words.begin(), "tool");
  std::vector<char *> pointers;
  for (std::string &word : words)
    pointers.push_back(word.data());
  return CommandLine(static_cast<int>(pointers.size()), pointers.data(),
                     {{"--input", "NAME=FILE", "files"}, {"--sizes", "D=N", "sizes"}, {"--check", "", "a switch"}});
}

TEST(commandLines) {
  CommandLine line = lineOf({"a.ptx", "--input", "q=x=1.npy", "--check", "--input=k=k.npy", "--sizes", "b=1,s=2", "-"});
  EXPECT_EQ(line.operands(), (std::vector<std::string>{"a.ptx", "-"}));
  EXPECT_EQ(line.pairs("--input"), (std::map<std::string, std::string>{{"k", "k.npy"}, {"q", "x=1.npy"}}));
  EXPECT_EQ(line.numberPairs("--sizes"), (std::map<std::string, int64_t>{{"b", 1}, {"s", 2}}));
  EXPECT(line.has("--check") && !line.has("--output"));
}

TEST(commandLineFaults) {
  EXPECT_FAULTS(lineOf({"--inptu", "--check=1", "--input"}), "'--inptu' is no option: see --help",
                "--check expects no value, got '1'", "--input expects NAME=FILE, got the end of the line");
  EXPECT_FAULTS(lineOf({"--input", "q", "--input", "k=1", "--input", "k=2"}).pairs("--input"),
                "--input expects NAME=VALUE, got 'q'", "--input gives 'k' twice");
  EXPECT_FAULTS(lineOf({"--sizes", "a=x,b=-1"}).numberPairs("--sizes"),
                "--sizes a expects a whole number from 0, got 'x'",
                "--sizes b expects a whole number from 0, got '-1'");
  EXPECT_FAULTS(lineOf({"--sizes", "9"}).number("--sizes", 1, 2, 8),
                "--sizes expects a whole number from 2 to 8, got '9'");
}
