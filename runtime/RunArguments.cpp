// SPDX-License-Identifier: Apache-2.0
// Makes, checks and places the arguments of a launch.
#include "runtime/RunArguments.h"
#include "runtime/CommandLine.h"
#include "runtime/FactData.h"
#include "runtime/KernelFileCheck.h"
#include "runtime/RandomData.h"
#include "runtime/SimDevice.h"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>

namespace attn {

namespace {

using Role = KernelArgument::Role;

bool isTensor(const KernelArgument &argument) { return argument.kind != Role::Scalar; }

class Maker {
public:
  Maker(const KernelSection &kernel, const ArgumentRequest &request) : kernel(kernel), request(request) {}

  std::vector<HostArgument> make() {
    checkNames();
    for (const KernelArgument &argument : kernel.arguments)
      result.push_back({&argument, {}, int64_t(0)});
    for (HostArgument &host : result)
      if (request.files.count(host.argument->name) && isTensor(*host.argument))
        readFile(host);
    for (const auto &[name, size] : request.sizes)
      bind(name, size, "--sizes");
    for (HostArgument &host : result)
      complete(host);
    throwFaults();
    faults = fillRandom(kernel, request, result);
    throwFaults();
    return std::move(result);
  }

private:
  template <typename... Args> void fault(fmt::format_string<Args...> format, Args &&...args) {
    std::string sentence = fmt::format(format, std::forward<Args>(args)...);
    if (std::find(faults.begin(), faults.end(), sentence) == faults.end())
      faults.push_back(std::move(sentence));
  }

  void throwFaults() {
    if (!faults.empty())
      throw Error(std::move(faults));
  }

  void checkNames() {
    auto known = [&](const std::string &name, const char *option, bool scalar) {
      const KernelArgument *argument = findArgument(kernel, name);
      if (!argument)
        fault("{} names '{}', which is no argument of kernel '{}'", option, name, kernel.name);
      else if (scalar != (argument->kind == Role::Scalar))
        fault("{} names '{}', which is a {}", option, name, scalar ? "tensor: see --input" : "number: see --scalar");
      else if (argument->kind == Role::Output)
        fault("{} names '{}', which is a result: see --output", option, name);
    };
    for (const auto &[name, file] : request.files)
      known(name, "--input", false);
    for (const auto &[name, number] : request.scalars)
      known(name, "--scalar", true);
    for (const auto &[name, size] : request.sizes) {
      bool exists = false;
      for (const KernelArgument &argument : kernel.arguments)
        for (const Dimension &dimension : argument.shape)
          exists |= dimension.name == name;
      if (!exists)
        fault("--sizes names '{}', which is no dimension of kernel '{}'", name, kernel.name);
      if (size > largestDimension)
        fault("--sizes gives {} {}, expected at most {}", size, name, largestDimension);
    }
    throwFaults();
    for (const KernelArgument &argument : kernel.arguments)
      for (const Dimension &dimension : argument.shape)
        if (dimension.size)
          bind(dimension.name, *dimension.size, "the kernel");
  }

  void bind(const std::string &name, int64_t size, const std::string &where) {
    auto [known, isNew] = sizes.try_emplace(name, size, where);
    if (!isNew && known->second.first != size)
      fault("dimension '{}' is {} in {} and {} in {}", name, known->second.first, known->second.second, size, where);
  }

  void readFile(HostArgument &host) {
    const KernelArgument &argument = *host.argument;
    const std::string &path = request.files.at(argument.name);
    try {
      Array array = readNpy(path);
      if (array.shape.size() != argument.shape.size()) {
        fault("'{}' has {} dimensions, argument '{}' has {}", path, array.shape.size(), argument.name,
              argument.shape.size());
        return;
      }
      for (size_t d = 0; d < argument.shape.size(); ++d)
        bind(argument.shape[d].name, array.shape[d], fmt::format("'{}'", path));
      convert(array, argument, path);
      host.array = std::move(array);
    } catch (const Error &error) {
      faults.push_back(error.what());
    }
  }

  /// Floats are rounded to the kernel's type; integers may change their width when all values fit.
  void convert(Array &array, const KernelArgument &argument, const std::string &path) {
    if (array.type == argument.type)
      return;
    bool floats = isFloat(array.type) && isFloat(argument.type);
    bool integers = (array.type == DType::I32 || array.type == DType::I64) &&
                    (argument.type == DType::I32 || argument.type == DType::I64);
    if (!floats && !integers) {
      fault("'{}' has elements of {}, argument '{}' of {}", path, nameOf(array.type), argument.name,
            nameOf(argument.type));
      return;
    }
    Array narrow = converted(array, argument.type);
    if (integers && argument.type == DType::I32)
      for (int64_t i = 0; i < array.count(); ++i)
        if (narrow.at(i) != array.at(i)) {
          fault("'{}' has the value {} at {}, argument '{}' has elements of i32", path, array.at(i), i, argument.name);
          return;
        }
    array = std::move(narrow);
  }

  /// Whatever no file gave: numbers for scalars, zeros for the rest.
  void complete(HostArgument &host) {
    const KernelArgument &argument = *host.argument;
    if (argument.kind == Role::Scalar) {
      readScalar(host);
      return;
    }
    if (request.files.count(argument.name))
      return;
    std::vector<int64_t> shape;
    for (const Dimension &dimension : argument.shape) {
      auto known = sizes.find(dimension.name);
      if (known == sizes.end())
        fault("expects --sizes to give {}, the size of a dimension of '{}'", dimension.name, argument.name);
      else
        shape.push_back(known->second.first);
    }
    if (shape.size() != argument.shape.size())
      return;
    try {
      host.array = makeArray(argument.type, shape);
    } catch (const Error &error) {
      fault("argument '{}': {}", argument.name, error.what());
      return;
    }
  }

  void readScalar(HostArgument &host) {
    const KernelArgument &argument = *host.argument;
    auto given = request.scalars.find(argument.name);
    if (given == request.scalars.end()) {
      fault("expects --scalar {}=NUMBER", argument.name);
      return;
    }
    const std::string &text = given->second;
    try {
      if (argument.type != DType::F32)
        host.scalar = wholeNumber(text, fmt::format("--scalar {}", argument.name));
      else {
        double number = 0;
        auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), number);
        if (code != std::errc() || end != text.data() + text.size())
          fault("--scalar {} expects a number, got '{}'", argument.name, text);
        host.scalar = number;
      }
    } catch (const Error &error) {
      faults.push_back(error.what());
    }
  }

  const KernelSection &kernel;
  const ArgumentRequest &request;
  std::vector<HostArgument> result;
  std::map<std::string, std::pair<int64_t, std::string>> sizes;
  std::vector<std::string> faults;
};

} // namespace

std::vector<HostArgument> makeArguments(const KernelSection &kernel, const ArgumentRequest &request) {
  return Maker(kernel, request).make();
}

std::map<std::string, int64_t> sizesOf(const std::vector<HostArgument> &arguments) {
  std::map<std::string, int64_t> sizes;
  for (const HostArgument &host : arguments)
    for (size_t d = 0; d < host.argument->shape.size(); ++d)
      sizes[host.argument->shape[d].name] = host.array.shape[d];
  return sizes;
}

PlacedArguments::PlacedArguments(Kernel &kernel, const std::vector<HostArgument> &arguments)
    : kernel(kernel), arguments(arguments) {
  std::map<size_t, Absence> absences;
  for (Absence &absence : absencesOf(kernel.section(), arguments))
    absences[absence.tensor] = std::move(absence);
  for (size_t i = 0; i < arguments.size(); ++i)
    place(arguments[i], absences[i]);
  workspace.bytes = kernel.workspaceBytes(values);
  if (workspace.bytes) {
    workspace.data = kernel.device().allocate(workspace.bytes, "workspace");
    owned.push_back(workspace.data);
  }
}

PlacedArguments::~PlacedArguments() {
  for (void *data : owned) {
    try {
      kernel.device().release(data);
    } catch (const Error &) {
      // After a kernel failed the device may refuse; the first error is the one to see.
    }
  }
}

void PlacedArguments::place(const HostArgument &host, const Absence &absence) {
  if (host.argument->kind == Role::Scalar) {
    values.push_back(std::visit([](auto number) { return Value(number); }, host.scalar));
    return;
  }
  Device &device = kernel.device();
  void *data = device.allocate(host.array.bytes.size(), host.argument->name);
  owned.push_back(data);
  values.push_back(Tensor{data, host.array.type, host.array.shape, {}});
  if (host.argument->kind == Role::Output) {
    fillResult(host, data);
    return;
  }
  Array content = withoutAbsent(host.array, absence);
  device.copyToDevice(data, content.bytes.data(), content.bytes.size());
  auto *simulated = dynamic_cast<SimDevice *>(&device);
  if (!simulated)
    return;
  sim::Simulator &machine = simulated->simulator();
  auto address = reinterpret_cast<uintptr_t>(data);
  auto size = static_cast<int64_t>(sizeOf(content.type));
  for (auto [first, count] : absence.runs)
    machine.setUndefined(address + static_cast<uint64_t>(first * size), static_cast<uint64_t>(count * size));
  if (host.argument->kind == Role::Input && !content.bytes.empty())
    machine.setReadOnly(address, content.bytes.size(), true);
}

/// Results begin as NaN on a GPU, so that what was not written shows; on the simulator new memory is so by itself.
void PlacedArguments::fillResult(const HostArgument &host, void *data) {
  if (kernel.device().isSimulator())
    return;
  std::vector<std::byte> pattern(host.array.bytes.size(), std::byte(0xff));
  kernel.device().copyToDevice(data, pattern.data(), pattern.size());
}

Array PlacedArguments::read(size_t argument) const {
  Array array = arguments[argument].array;
  kernel.device().copyToHost(array.bytes.data(), values[argument].tensor()->data, array.bytes.size());
  return array;
}

} // namespace attn
