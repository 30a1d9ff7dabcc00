// SPDX-License-Identifier: Apache-2.0
// attn-run: launches one kernel on .npy files or random data, and checks, times or counts it.
#include "runtime/CommandLine.h"
#include "runtime/RunArguments.h"
#include "runtime/RunCheck.h"

#include <algorithm>
#include <chrono>
#include <fmt/format.h>

using namespace attn;

namespace {

const std::vector<OptionSpec> options = {
    {"--kernel", "NAME", "which kernel of the file (not needed when it holds one)"},
    {"--device", "auto|sim|cuda:N", "where to run (default: auto)"},
    {"--sim", "OPTION=VALUE,...",
     "of the simulator: seed, resident, order, approx, mma, warp, diverge, trace, limit, multiprocessors"},
    {"--input", "NAME=FILE.npy", "an argument from a file; the others are random"},
    {"--sizes", "DIMENSION=N,...", "sizes that no file gives"},
    {"--seed", "N", "of the random values (default: 1)"},
    {"--share-pages", "", "random page tables begin with pages of the sequence before"},
    {"--scalar", "NAME=NUMBER", "a number passed by value"},
    {"--output", "NAME=FILE.npy", "where to write a result"},
    {"--check", "", "compare with the interpreter; exits with 1 when a result is wrong"},
    {"--check-rows", "N", "the same on N query rows, first and last of tiles among them"},
    {"--workspace", "", "print the bytes of workspace that a launch of these sizes needs, and launch nothing"},
    {"--time", "", "median time of 20 launches (CUDA)"},
    {"--counts", "", "executions per PTX label (simulator): in all, and per warp of a program"},
    {"--target", "sm_NN", "what a spec is compiled for (default: the device's own)"},
    {"--cache", "FOLDER", "where compiled specs are kept"},
    {"--compiler", "PATH", "attnc (default: beside this program, then on PATH)"},
    {"--help", "", "this text"},
};

std::string deviceName(const CommandLine &line) {
  std::string device = line.value("--device", "auto");
  if (!line.has("--sim"))
    return device;
  if (device != "auto" && device != "sim")
    throw Error(fmt::format("--sim expects --device sim, got '{}'", device));
  return "sim:" + line.value("--sim");
}

ArgumentRequest requestOf(const CommandLine &line) {
  ArgumentRequest request;
  request.files = line.pairs("--input");
  request.scalars = line.pairs("--scalar");
  request.sizes = line.numberPairs("--sizes");
  request.seed = static_cast<uint64_t>(line.number("--seed", 1, 0, INT64_MAX));
  request.sharePages = line.has("--share-pages");
  return request;
}

bool isResult(const KernelArgument &argument) {
  return argument.kind == KernelArgument::Role::Output || argument.kind == KernelArgument::Role::InOut;
}

void checkOutputNames(const KernelSection &kernel, const std::map<std::string, std::string> &outputs) {
  std::vector<std::string> faults;
  for (const auto &[name, path] : outputs)
    if (std::none_of(kernel.arguments.begin(), kernel.arguments.end(),
                     [&](const KernelArgument &argument) { return argument.name == name && isResult(argument); }))
      faults.push_back(fmt::format("--output names '{}', which is no result of kernel '{}'", name, kernel.name));
  if (!faults.empty())
    throw Error(std::move(faults));
}

/// The arguments of a launch as far as the workspace depends on them: shapes, and no memory.
std::vector<Value> shapesOf(const KernelSection &kernel, const std::map<std::string, int64_t> &sizes) {
  std::vector<Value> values;
  std::vector<std::string> faults;
  for (const KernelArgument &argument : kernel.arguments) {
    if (argument.kind == KernelArgument::Role::Scalar) {
      values.emplace_back(0);
      continue;
    }
    Tensor tensor{nullptr, argument.type, {}, {}};
    for (const Dimension &dimension : argument.shape) {
      auto given = sizes.find(dimension.name);
      if (!dimension.size && given == sizes.end())
        faults.push_back(
            fmt::format("expects --sizes to give {}, the size of a dimension of '{}'", dimension.name, argument.name));
      tensor.shape.push_back(given != sizes.end() ? given->second : dimension.size.value_or(0));
    }
    values.emplace_back(std::move(tensor));
  }
  if (!faults.empty())
    throw Error(std::move(faults));
  return values;
}

/// Median of single launches, after some that warm caches and clocks.
double medianMilliseconds(Device &device, PlacedArguments &placed) {
  for (int i = 0; i < 3; ++i)
    placed.launch();
  std::vector<double> times;
  for (int i = 0; i < 20; ++i) {
    void *first = device.recordEvent(nullptr);
    placed.launch();
    void *second = device.recordEvent(nullptr);
    times.push_back(device.millisecondsBetween(first, second));
    device.releaseEvent(first);
    device.releaseEvent(second);
  }
  std::sort(times.begin(), times.end());
  return (times[9] + times[10]) / 2;
}

void printCounts(Device &device) {
  if (!device.isSimulator())
    throw Error("--counts expects the simulator: a GPU does not count labels");
  for (const LabelCount &count : device.takeCounts())
    fmt::print("count {} {} {} {:g}\n", count.entry, count.label, count.executions,
               static_cast<double>(count.executions) / static_cast<double>(count.warps));
}

bool check(const CommandLine &line, const Kernel &kernel, const std::vector<HostArgument> &arguments,
           const std::vector<Array> &results) {
  CheckOptions how{line.value("--compiler"), line.number("--check-rows", -1, 1, INT64_MAX)};
  bool passed = true;
  for (const CheckedResult &result : checkResults(kernel.file(), kernel.section(), arguments, results, how)) {
    fmt::print("{}: largest error {:.3g}, allowed {:.3g}, {} elements, {}{}{}\n", result.name, result.largest,
               result.allowed, result.compared, result.passed() ? "pass" : "fail", result.complaint.empty() ? "" : ": ",
               result.complaint);
    passed &= result.passed();
  }
  return passed;
}

/// Results as they are on the device; those that the user asked for are written to files.
std::vector<Array> takeResults(const PlacedArguments &placed, const std::vector<HostArgument> &arguments,
                               const std::map<std::string, std::string> &outputs) {
  std::vector<Array> results;
  for (size_t i = 0; i < arguments.size(); ++i) {
    if (!isResult(*arguments[i].argument))
      continue;
    results.push_back(placed.read(i));
    if (auto path = outputs.find(arguments[i].argument->name); path != outputs.end())
      writeNpy(path->second, results.back());
  }
  return results;
}

int run(int count, char **words) {
  CommandLine line(count, words, options);
  if (line.has("--help")) {
    fmt::print("usage: attn-run KERNEL.ptx|SPEC.mlir [options]\n\n{}", line.help());
    return 0;
  }
  if (line.operands().size() != 1)
    throw Error(fmt::format("expects one kernel file or spec, got {}: see --help", line.operands().size()));
  std::map<std::string, std::string> outputs = line.pairs("--output");
  ArgumentRequest request = requestOf(line);
  std::shared_ptr<Device> device = Device::open(deviceName(line));
  std::shared_ptr<Kernel> kernel =
      device->load(line.operands()[0], line.value("--kernel"),
                   {line.value("--target"), line.value("--cache"), line.value("--compiler")});
  fmt::print("loaded {}\n", kernel->origin());
  checkOutputNames(kernel->section(), outputs);
  if (line.has("--workspace")) {
    fmt::print("workspace {} bytes\n", kernel->workspaceBytes(shapesOf(kernel->section(), request.sizes)));
    return 0;
  }
  std::vector<HostArgument> arguments = makeArguments(kernel->section(), request);
  PlacedArguments placed(*kernel, arguments);

  auto begin = std::chrono::steady_clock::now();
  placed.launch();
  device->synchronize();
  std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  fmt::print("{} on {}: {:.3f} s\n", kernel->section().name, device->name(), seconds.count());
  if (line.has("--counts"))
    printCounts(*device);

  std::vector<Array> results = takeResults(placed, arguments, outputs);
  bool passed = true;
  if (line.has("--check") || line.has("--check-rows"))
    passed = check(line, *kernel, arguments, results);
  // Last, because a kernel that updates an argument in place does so at each launch.
  if (line.has("--time"))
    fmt::print("median {:.4f} ms\n", medianMilliseconds(*device, placed));
  return passed ? 0 : 1;
}

} // namespace

int main(int count, char **words) { return runTool("attn-run", run, count, words); }
