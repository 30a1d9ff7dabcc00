// SPDX-License-Identifier: Apache-2.0
// Runs the interpreter on the same data and compares.
#include "runtime/RunCheck.h"
#include "runtime/FactData.h"
#include "runtime/Files.h"
#include "runtime/Jit.h"
#include "runtime/Process.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fmt/format.h>
#include <map>
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
    std::map<size_t, Absence> absences;
    for (Absence &absence : absencesOf(kernel, arguments))
      absences[absence.tensor] = std::move(absence);
    for (size_t i = 0; i < arguments.size(); ++i)
      addArgument(command, arguments[i], absences[i]);
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

  void addArgument(std::vector<std::string> &command, const HostArgument &host, const Absence &absence) {
    const std::string &name = host.argument->name;
    if (host.argument->kind == Role::Scalar) {
      command.push_back("--scalar");
      command.push_back(std::visit([&](auto number) { return fmt::format("{}={}", name, number); }, host.scalar));
      return;
    }
    if (host.argument->kind != Role::Output) {
      std::string input = path("input-" + name + ".npy");
      writeNpy(input, withoutAbsent(host.array, absence));
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

/// Which elements of a result say nothing: rows that were not interpreted, rows beyond a query's length or behind the
/// last packed one, and what does not exist of a cache that is written in place.
class Skipped {
public:
  Skipped(const KernelSection &kernel, const std::vector<HostArgument> &arguments, const std::vector<int64_t> &rows)
      : kernel(kernel), arguments(arguments), data(kernel, arguments), rows(rows.begin(), rows.end()),
        absences(absencesOf(kernel, arguments)) {}

  std::vector<bool> of(size_t result) {
    const Array &array = arguments[result].array;
    const std::vector<Dimension> &shape = arguments[result].argument->shape;
    skipped.assign(static_cast<size_t>(array.count()), false);
    for (const Absence &absence : absences)
      if (absence.tensor == result)
        for (auto [first, count] : absence.runs)
          std::fill_n(skipped.begin() + first, count, true);
    auto found = std::find_if(shape.begin(), shape.end(), [](const Dimension &d) { return isQueryRow(d.name); });
    if (found == shape.end())
      return std::move(skipped);
    auto axis = static_cast<size_t>(found - shape.begin());
    if (!rows.empty())
      skipUnless(array, axis, [&](int64_t, int64_t row) { return rows.count(row) != 0; });
    for (const DataFact &fact : kernel.facts) {
      if (fact.dimension != found->name)
        continue;
      if (fact.what == DataFact::Kind::Length && axis != 0 && data.sequencesOf(fact.tensor) == array.shape[0])
        skipUnless(array, axis, [&](int64_t b, int64_t row) { return row < data.lengthOf(fact.tensor, b); });
      else if (fact.what == DataFact::Kind::Pointers && axis == 0)
        skipUnless(array, axis, [&](int64_t, int64_t row) { return row < lastOf(fact.tensor); });
    }
    return std::move(skipped);
  }

private:
  template <typename Keep> void skipUnless(const Array &array, size_t axis, Keep keep) {
    int64_t inner = 1, size = array.shape[axis];
    for (size_t d = axis + 1; d < array.shape.size(); ++d)
      inner *= array.shape[d];
    int64_t batch = axis ? array.shape[0] : 1, sequence = batch ? array.count() / batch : 0;
    for (int64_t i = 0; i < array.count(); i += inner)
      if (!keep(i / sequence, i / inner % size))
        std::fill_n(skipped.begin() + i, inner, true);
  }

  double lastOf(const std::string &pointers) const {
    const Array &array = data.array(pointers);
    return array.count() ? array.at(array.count() - 1) : 0;
  }

  const KernelSection &kernel;
  const std::vector<HostArgument> &arguments;
  FactData data;
  std::set<int64_t> rows;
  std::vector<Absence> absences;
  std::vector<bool> skipped;
};

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
  Skipped skipped(kernel, arguments, rows);
  std::vector<CheckedResult> checked;
  size_t next = 0;
  for (size_t i = 0; i < arguments.size(); ++i) {
    if (!isResult(*arguments[i].argument))
      continue;
    const std::string &name = arguments[i].argument->name;
    checked.push_back(compare(name, results[next++], interpretation.reference(name),
                              interpretation.kernelPrecision(name), skipped.of(i)));
  }
  return checked;
}

} // namespace attn
