// SPDX-License-Identifier: Apache-2.0
// Runs the interpreter on the same data and compares.
#include "runtime/RunCheck.h"
#include "runtime/Files.h"
#include "runtime/Jit.h"
#include "runtime/Process.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fmt/format.h>
#include <set>

namespace attn {

namespace fs = std::filesystem;

namespace {

using Role = KernelArgument::Role;

bool isResult(const KernelArgument &argument) { return argument.kind == Role::Output || argument.kind == Role::InOut; }
bool isQueryRow(const std::string &dimension) { return dimension == "seq_q" || dimension == "total_q"; }

class Interpretation {
public:
  Interpretation(const KernelFile &file, const KernelSection &kernel, const std::vector<HostArgument> &arguments)
      : file(file), kernel(kernel), arguments(arguments) {
    std::error_code ignored;
    fs::path parent = fs::temp_directory_path(ignored);
    std::string pattern = ((parent.empty() ? fs::path("/tmp") : parent) / "attn-check-XXXXXX").string();
    if (!mkdtemp(pattern.data()))
      throw Error(fmt::format("cannot make a temporary folder '{}'", pattern));
    folder = pattern;
  }
  ~Interpretation() {
    std::error_code ignored;
    fs::remove_all(folder, ignored);
  }

  void run(const CheckOptions &options, const std::vector<int64_t> &rows) {
    std::string compiler = options.compiler.empty() ? findProgram("attnc") : options.compiler;
    if (compiler.empty())
      throw Error("cannot check: attnc is neither beside this program nor on PATH");
    if (file.source.empty())
      throw Error("cannot check: the kernel file holds no spec");
    writeFile(path("spec.mlir"), file.source);
    std::vector<std::string> command{compiler, "--interpret", path("spec.mlir"), "--kernel", kernel.name};
    for (const HostArgument &host : arguments)
      addArgument(command, host);
    if (!rows.empty()) {
      command.push_back("--rows");
      command.push_back(fmt::format("{}", fmt::join(rows, ",")));
    }
    ProcessResult result = runProcess(command);
    if (result.status == 0)
      return;
    std::vector<std::string> faults = splitDiagnostics(result.errors);
    if (faults.empty())
      faults.push_back(fmt::format("'{}' ended with status {} and said nothing", compiler, result.status));
    throw Error(std::move(faults));
  }

  Array reference(const std::string &name) { return read("reference", name); }
  Array kernelPrecision(const std::string &name) { return read("kernel", name); }

private:
  std::string path(const std::string &name) const { return (folder / name).string(); }

  void addArgument(std::vector<std::string> &command, const HostArgument &host) {
    const std::string &name = host.argument->name;
    if (host.argument->kind == Role::Scalar) {
      command.push_back("--scalar");
      command.push_back(std::visit([&](auto number) { return fmt::format("{}={}", name, number); }, host.scalar));
      return;
    }
    if (host.argument->kind != Role::Output) {
      std::string input = path("input-" + name + ".npy");
      writeNpy(input, host.array);
      command.push_back("--input");
      command.push_back(fmt::format("{}={}", name, input));
    }
    if (!isResult(*host.argument))
      return;
    command.push_back("--output");
    command.push_back(fmt::format("{}={}", name, path("reference-" + name + ".npy")));
    command.push_back("--kernel-output");
    command.push_back(fmt::format("{}={}", name, path("kernel-" + name + ".npy")));
  }

  Array read(const std::string &what, const std::string &name) { return readNpy(path(what + "-" + name + ".npy")); }

  const KernelFile &file;
  const KernelSection &kernel;
  const std::vector<HostArgument> &arguments;
  fs::path folder;
};

/// Which elements of a result say nothing: rows that were not interpreted, and rows beyond a query's length.
std::vector<bool> skippedOf(const KernelSection &kernel, const std::vector<HostArgument> &arguments, size_t result,
                            const std::vector<int64_t> &rows) {
  const Array &array = arguments[result].array;
  const std::vector<Dimension> &shape = arguments[result].argument->shape;
  std::vector<bool> skipped(static_cast<size_t>(array.count()), false);
  auto axis = std::find_if(shape.begin(), shape.end(), [](const Dimension &d) { return isQueryRow(d.name); });
  if (axis == shape.end())
    return skipped;
  int64_t inner = 1, size = array.shape[static_cast<size_t>(axis - shape.begin())];
  for (size_t d = static_cast<size_t>(axis - shape.begin()) + 1; d < shape.size(); ++d)
    inner *= array.shape[d];
  std::set<int64_t> asked(rows.begin(), rows.end());
  for (int64_t i = 0; i < array.count() && !rows.empty(); ++i)
    skipped[static_cast<size_t>(i)] = !asked.count(i / inner % size);
  for (Padding padding : paddingOf(kernel, arguments)) {
    // The result may have its rows in another place than the query: lengths count along the same dimension.
    auto own = static_cast<size_t>(axis - shape.begin());
    if (kernel.arguments[padding.tensor].shape[padding.axis].name != axis->name || own == 0)
      continue;
    padding.axis = own;
    forEachRun(padding, array,
               [&](int64_t first, int64_t count) { std::fill_n(skipped.begin() + first, count, true); });
  }
  return skipped;
}

std::string placeOf(int64_t i, const std::vector<int64_t> &shape) {
  std::vector<int64_t> place(shape.size());
  for (size_t d = shape.size(); d-- > 0; i /= shape[d])
    place[d] = i % shape[d];
  return shapeText(place);
}

} // namespace

std::vector<int64_t> rowsToCheck(int64_t count, int64_t most) {
  if (most < 0 || most >= count)
    most = count;
  std::set<int64_t> rows;
  auto add = [&](int64_t row) {
    if (row >= 0 && row < count && static_cast<int64_t>(rows.size()) < most)
      rows.insert(row);
  };
  add(0);
  add(count - 1);
  for (int64_t tile : {128, 64, 256, 32, 16, 192}) {
    int64_t last = (count - 1) / tile * tile;
    for (int64_t edge : {tile, last})
      for (int64_t row : {edge - 1, edge})
        add(row);
  }
  // The rest evenly, at an odd step that is no multiple of a tile.
  int64_t step = std::max<int64_t>(1, count / std::max<int64_t>(most, 1)) | 1;
  for (int64_t row = 0; row < count && static_cast<int64_t>(rows.size()) < most; row += step)
    add(row);
  for (int64_t row = 0; row < count && static_cast<int64_t>(rows.size()) < most; ++row)
    add(row);
  return {rows.begin(), rows.end()};
}

CheckedResult compare(const std::string &name, const Array &ours, const Array &reference, const Array &kernelPrecision,
                      const std::vector<bool> &skipped) {
  if (ours.shape != reference.shape || ours.shape != kernelPrecision.shape)
    throw Error(fmt::format("the interpreter gives '{}' the shape {}, expected {}", name, shapeText(reference.shape),
                            shapeText(ours.shape)));
  CheckedResult result;
  result.name = name;
  double spread = 0;
  auto complain = [&](int64_t i, const char *what) {
    if (result.complaint.empty())
      result.complaint =
          fmt::format("{} at {}: {}, reference {}", what, placeOf(i, ours.shape), ours.at(i), reference.at(i));
  };
  for (int64_t i = 0; i < ours.count(); ++i) {
    if (skipped[static_cast<size_t>(i)])
      continue;
    ++result.compared;
    double got = ours.at(i), want = reference.at(i), own = kernelPrecision.at(i);
    if (std::isnan(got) || std::isnan(want) || std::isnan(own))
      complain(i, std::isnan(got) ? "NaN" : "NaN in the reference");
    else if (std::isinf(got) || std::isinf(want)) {
      if (got != want)
        complain(i, "an infinity on one side only");
    } else {
      result.largest = std::max(result.largest, std::fabs(got - want));
      // An overflow of the kernel's own precisions alone must not allow everything.
      if (std::isfinite(own))
        spread = std::max(spread, std::fabs(own - want));
    }
  }
  result.allowed = 2 * spread + 1e-5;
  return result;
}

std::vector<CheckedResult> checkResults(const KernelFile &file, const KernelSection &kernel,
                                        const std::vector<HostArgument> &arguments, const std::vector<Array> &results,
                                        const CheckOptions &options) {
  if (std::vector<std::string> faults = brokenFacts(kernel, arguments); !faults.empty())
    throw Error(std::move(faults));
  std::vector<int64_t> rows;
  for (const auto &[name, size] : sizesOf(arguments))
    if (isQueryRow(name) && options.mostRows >= 0 && options.mostRows < size)
      rows = rowsToCheck(size, options.mostRows);
  Interpretation interpretation(file, kernel, arguments);
  interpretation.run(options, rows);
  std::vector<CheckedResult> checked;
  size_t next = 0;
  for (size_t i = 0; i < arguments.size(); ++i) {
    if (!isResult(*arguments[i].argument))
      continue;
    const std::string &name = arguments[i].argument->name;
    checked.push_back(compare(name, results[next++], interpretation.reference(name),
                              interpretation.kernelPrecision(name), skippedOf(kernel, arguments, i, rows)));
  }
  return checked;
}

} // namespace attn
