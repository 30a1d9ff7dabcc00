// SPDX-License-Identifier: Apache-2.0
// attn-bench: how fast kernels are on a GPU, beside what its memory can do.
#include "runtime/CommandLine.h"
#include "runtime/Files.h"
#include "runtime/RunArguments.h"

#include <algorithm>
#include <fmt/format.h>

using namespace attn;

namespace {

const std::vector<OptionSpec> options = {
    {"--kernel", "NAME", "which kernel of each file (not needed where a file holds one)"},
    {"--device", "cuda:N", "where to run (default: cuda:0)"},
    {"--sizes", "DIMENSION=N,...", "sizes of the dimensions that the kernels leave open"},
    {"--scalar", "NAME=NUMBER", "a number passed by value"},
    {"--seed", "N", "of the random values (default: 1)"},
    {"--repeat", "N", "launches of which the median is taken (default: 30)"},
    {"--causal", "", "count half of the products"},
    {"--json", "FILE", "write the table as JSON, too"},
    {"--help", "", "this text"},
};

struct Row {
  std::string file, kernel;
  double milliseconds = 0, teraflops = 0, gigabytes = 0, share = 0;
};

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  size_t half = values.size() / 2;
  return values.size() % 2 ? values[half] : (values[half - 1] + values[half]) / 2;
}

/// Median milliseconds of `body`, which puts work into the default stream.
template <typename Body> double timeOf(Device &device, int64_t repeat, Body body) {
  for (int i = 0; i < 3; ++i)
    body();
  std::vector<double> times;
  for (int64_t i = 0; i < repeat; ++i) {
    void *first = device.recordEvent(nullptr);
    body();
    void *second = device.recordEvent(nullptr);
    times.push_back(device.millisecondsBetween(first, second));
    device.releaseEvent(first);
    device.releaseEvent(second);
  }
  return median(std::move(times));
}

/// GB/s of a copy from the device to itself, each byte counted as read and as written.
double copyRate(Device &device, int64_t repeat) {
  constexpr size_t bytes = size_t(1) << 30;
  void *from = device.allocate(bytes), *to = device.allocate(bytes);
  double milliseconds = timeOf(device, repeat, [&] { device.copyOnDevice(to, from, bytes); });
  device.release(from);
  device.release(to);
  return 2.0 * bytes / milliseconds / 1e6;
}

int64_t sizeOr(const std::map<std::string, int64_t> &sizes, std::string_view name, int64_t otherwise) {
  auto found = sizes.find(std::string(name));
  return found == sizes.end() ? otherwise : found->second;
}

/// Floating-point operations of both products: 2 per multiply-add, B x H x Sq x Sk x (D of keys + D of values).
double operationsOf(const KernelSection &kernel, const std::vector<HostArgument> &arguments, bool causal) {
  std::map<std::string, int64_t> sizes = sizesOf(arguments);
  std::vector<int64_t> heads;
  for (const KernelArgument &argument : kernel.arguments)
    if (argument.shape.size() == 4)
      heads.push_back(arguments[static_cast<size_t>(&argument - kernel.arguments.data())].array.shape[3]);
  double wide = heads.empty() ? 0 : static_cast<double>(heads.front() + heads.back());
  double all = 2.0 * static_cast<double>(sizeOr(sizes, "batch", 1)) * static_cast<double>(sizeOr(sizes, "heads", 1)) *
               static_cast<double>(sizeOr(sizes, "seq_q", 1)) * static_cast<double>(sizeOr(sizes, "seq_kv", 1)) * wide;
  return causal ? all / 2 : all;
}

Row measure(Device &device, const std::string &path, const CommandLine &line, double copyGigabytes) {
  std::shared_ptr<Kernel> kernel = device.load(path, line.value("--kernel"));
  ArgumentRequest request;
  request.sizes = line.numberPairs("--sizes");
  request.scalars = line.pairs("--scalar");
  request.seed = static_cast<uint64_t>(line.number("--seed", 1, 0, INT64_MAX));
  std::vector<HostArgument> arguments = makeArguments(kernel->section(), request);
  PlacedArguments placed(*kernel, arguments);
  Row row{path, kernel->section().name};
  row.milliseconds = timeOf(device, line.number("--repeat", 30, 1, 100000), [&] { placed.launch(); });
  double bytes = 0;
  for (const HostArgument &host : arguments)
    bytes += static_cast<double>(host.array.bytes.size());
  row.teraflops = operationsOf(kernel->section(), arguments, line.has("--causal")) / row.milliseconds / 1e9;
  row.gigabytes = bytes / row.milliseconds / 1e6;
  row.share = row.gigabytes / copyGigabytes;
  return row;
}

std::string quoted(const std::string &text) {
  std::string result = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\')
      result += '\\';
    result += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  }
  return result + "\"";
}

std::string jsonOf(const Device &device, const CommandLine &line, double copyGigabytes, const std::vector<Row> &rows) {
  std::string sizes, body;
  for (const auto &[name, size] : line.numberPairs("--sizes"))
    sizes += fmt::format("{}{}: {}", sizes.empty() ? "" : ", ", quoted(name), size);
  for (const Row &row : rows)
    body += fmt::format("{}\n    {{\"file\": {}, \"kernel\": {}, \"median_ms\": {}, \"tflops\": {}, \"gb_per_s\": {}, "
                        "\"share_of_copy_rate\": {}}}",
                        body.empty() ? "" : ",", quoted(row.file), quoted(row.kernel), row.milliseconds, row.teraflops,
                        row.gigabytes, row.share);
  return fmt::format("{{\n  \"device\": {},\n  \"copy_gb_per_s\": {},\n  \"causal\": {},\n  \"sizes\": {{{}}},\n"
                     "  \"rows\": [{}\n  ]\n}}\n",
                     quoted(device.name()), copyGigabytes, line.has("--causal"), sizes, body);
}

int run(int count, char **words) {
  CommandLine line(count, words, options);
  if (line.has("--help")) {
    fmt::print("usage: attn-bench KERNEL.ptx... --sizes DIMENSION=N,... [options]\n\n{}", line.help());
    return 0;
  }
  if (line.operands().empty())
    throw Error("expects one kernel file or more, got none: see --help");
  std::shared_ptr<Device> device = Device::open(line.value("--device", "cuda:0"));
  if (device->isSimulator())
    throw Error("expects a CUDA device, got the simulator: its times say nothing about a GPU");
  double copyGigabytes = copyRate(*device, 10);
  fmt::print("{}, copies {:.0f} GB/s\n{:<32} {:>12} {:>10} {:>10} {:>14}\n", device->name(), copyGigabytes, "kernel",
             "median ms", "TFLOP/s", "GB/s", "of copy rate");
  std::vector<Row> rows;
  for (const std::string &path : line.operands()) {
    rows.push_back(measure(*device, path, line, copyGigabytes));
    const Row &row = rows.back();
    fmt::print("{:<32} {:>12.4f} {:>10.1f} {:>10.0f} {:>13.1f}%\n", row.kernel, row.milliseconds, row.teraflops,
               row.gigabytes, 100 * row.share);
  }
  if (line.has("--json"))
    writeFile(line.value("--json"), jsonOf(*device, line, copyGigabytes, rows));
  return 0;
}

} // namespace

int main(int count, char **words) { return runTool("attn-bench", run, count, words); }
