// SPDX-License-Identifier: Apache-2.0
// Makes, checks and places the arguments of a launch.
#include "runtime/RunArguments.h"
#include "runtime/CommandLine.h"
#include "runtime/KernelFileCheck.h"
#include "runtime/SimDevice.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <fmt/format.h>
#include <limits>
#include <numbers>

namespace attn {

namespace {

using Role = KernelArgument::Role;

bool isTensor(const KernelArgument &argument) { return argument.kind != Role::Scalar; }
bool isRead(const KernelArgument &argument) { return argument.kind == Role::Input || argument.kind == Role::InOut; }

/// A generator that is the same everywhere (splitmix64); each argument has its own, so that one more argument does not
/// change the others.
class Random {
public:
  Random(uint64_t seed, std::string_view name) : state(seed * 0x9e3779b97f4a7c15u ^ hashOf(name)) {}

  uint64_t next() {
    uint64_t z = state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }

  /// Uniform in [0, most].
  int64_t upTo(int64_t most) { return static_cast<int64_t>(next() % (static_cast<uint64_t>(most) + 1)); }

  /// N(0, 1), two at a time (Box and Muller).
  double normal() {
    if (hasSpare) {
      hasSpare = false;
      return spare;
    }
    double u = static_cast<double>((next() >> 11) + 1) * 0x1p-53, v = static_cast<double>(next() >> 11) * 0x1p-53;
    double radius = std::sqrt(-2 * std::log(u)), angle = 2 * std::numbers::pi * v;
    spare = radius * std::sin(angle);
    hasSpare = true;
    return radius * std::cos(angle);
  }

private:
  uint64_t state;
  double spare = 0;
  bool hasSpare = false;
};

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

  /// Whatever no file gave: zeros for results, numbers for scalars, random values for the rest.
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
    if (isRead(argument))
      fill(host);
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

  void fill(HostArgument &host) {
    Random random(request.seed, host.argument->name);
    Array &array = host.array;
    int64_t count = array.count();
    if (isFloat(array.type)) {
      for (int64_t i = 0; i < count; ++i)
        array.set(i, random.normal());
      return;
    }
    if (array.type == DType::Bool) {
      for (int64_t i = 0; i < count; ++i)
        array.set(i, static_cast<double>(random.upTo(1)));
      return;
    }
    fillIntegers(host, random);
  }

  void fillIntegers(HostArgument &host, Random &random) {
    Array &array = host.array;
    const DataFact *fact = nullptr;
    for (const DataFact &candidate : kernel.facts)
      if (candidate.tensor == host.argument->name)
        fact = &candidate;
    int64_t most = fact && !fact->dimension.empty() ? sizeOfDimension(fact->dimension) : largestSequence();
    if (!fact || fact->what == DataFact::Kind::Length) {
      for (int64_t i = 0; i < array.count(); ++i)
        array.set(i, static_cast<double>(random.upTo(most)));
    } else if (fact->what == DataFact::Kind::Pointers) {
      std::vector<int64_t> cuts;
      for (int64_t i = 0; i < array.count(); ++i)
        cuts.push_back(random.upTo(most));
      std::sort(cuts.begin(), cuts.end());
      for (int64_t i = 0; i < array.count(); ++i)
        array.set(i, i == 0 ? 0.0 : static_cast<double>(i + 1 == array.count() ? most : cuts[static_cast<size_t>(i)]));
    } else {
      fillList(array, random, most);
    }
  }

  /// Rows of strictly increasing numbers that are, where there is room, below `most`.
  static void fillList(Array &array, Random &random, int64_t most) {
    int64_t row = array.shape.empty() ? 1 : array.shape.back();
    if (array.count() == 0)
      return;
    for (int64_t i = 0; i < array.count(); i += row) {
      int64_t value = -1;
      for (int64_t j = 0; j < row; ++j) {
        int64_t room = most - value - (row - j);
        value += 1 + (room > 0 ? random.upTo(std::min(room, 2 * (most / row))) : 0);
        array.set(i + j, static_cast<double>(value));
      }
    }
  }

  int64_t sizeOfDimension(const std::string &name) const {
    auto known = sizes.find(name);
    return known == sizes.end() ? 0 : known->second.first;
  }

  /// What an integer of unknown meaning may be: up to the number of keys, else of queries.
  int64_t largestSequence() const {
    for (const char *name : {"seq_kv", "total_kv", "seq_q", "total_q"})
      if (sizes.count(name))
        return sizes.at(name).first;
    return 0;
  }

  const KernelSection &kernel;
  const ArgumentRequest &request;
  std::vector<HostArgument> result;
  std::map<std::string, std::pair<int64_t, std::string>> sizes;
  std::vector<std::string> faults;
};

size_t indexOf(const KernelSection &kernel, const std::string &name) {
  size_t i = 0;
  while (i < kernel.arguments.size() && kernel.arguments[i].name != name)
    ++i;
  return i;
}

/// The first place where a row of a list does not increase; empty when there is none.
std::string brokenList(const std::string &name, const Array &list, const Array *counts) {
  int64_t row = list.shape.empty() ? 1 : list.shape.back(), rows = row ? list.count() / row : 0;
  for (int64_t r = 0; r < rows; ++r) {
    int64_t used =
        counts && r < counts->count() ? std::clamp<int64_t>(static_cast<int64_t>(counts->at(r)), 0, row) : row;
    for (int64_t j = 1; j < used; ++j)
      if (list.at(r * row + j) <= list.at(r * row + j - 1))
        return fmt::format("'{}' does not increase: row {} has {} after {} at place {}", name, r, list.at(r * row + j),
                           list.at(r * row + j - 1), j);
  }
  return {};
}

std::string brokenPointers(const std::string &name, const Array &pointers, int64_t most) {
  int64_t count = pointers.count();
  if (count == 0)
    return fmt::format("'{}' is empty, expected one pointer more than sequences", name);
  if (pointers.at(0) != 0)
    return fmt::format("'{}' begins with {}, expected 0", name, pointers.at(0));
  for (int64_t i = 1; i < count; ++i)
    if (pointers.at(i) < pointers.at(i - 1))
      return fmt::format("'{}' falls from {} to {} at place {}", name, pointers.at(i - 1), pointers.at(i), i);
  if (pointers.at(count - 1) > static_cast<double>(most))
    return fmt::format("'{}' ends with {}, expected at most {}", name, pointers.at(count - 1), most);
  return {};
}

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

std::vector<Padding> paddingOf(const KernelSection &kernel, const std::vector<HostArgument> &arguments) {
  std::vector<Padding> result;
  for (const DataFact &fact : kernel.facts) {
    if (fact.what != DataFact::Kind::Length)
      continue;
    Padding padding{indexOf(kernel, fact.of), 0, {}};
    const KernelArgument &tensor = kernel.arguments[padding.tensor];
    while (tensor.shape[padding.axis].name != fact.dimension)
      ++padding.axis;
    const Array &lengths = arguments[indexOf(kernel, fact.tensor)].array, &array = arguments[padding.tensor].array;
    if (padding.axis == 0 || lengths.count() != array.shape[0])
      continue;
    for (int64_t b = 0; b < lengths.count(); ++b)
      padding.lengths.push_back(std::clamp<int64_t>(static_cast<int64_t>(lengths.at(b)), 0, array.shape[padding.axis]));
    result.push_back(std::move(padding));
  }
  return result;
}

std::vector<std::string> brokenFacts(const KernelSection &kernel, const std::vector<HostArgument> &arguments) {
  std::vector<std::string> faults;
  std::map<std::string, int64_t> sizes = sizesOf(arguments);
  for (const DataFact &fact : kernel.facts) {
    const Array &numbers = arguments[indexOf(kernel, fact.tensor)].array;
    std::string fault;
    if (fact.what == DataFact::Kind::Increasing)
      fault = brokenList(fact.tensor, numbers, fact.of.empty() ? nullptr : &arguments[indexOf(kernel, fact.of)].array);
    else if (fact.what == DataFact::Kind::Pointers)
      fault = brokenPointers(fact.tensor, numbers, sizes[fact.dimension]);
    if (!fault.empty())
      faults.push_back(std::move(fault));
  }
  return faults;
}

PlacedArguments::PlacedArguments(Kernel &kernel, const std::vector<HostArgument> &arguments)
    : kernel(kernel), arguments(arguments) {
  std::vector<Padding> paddings = paddingOf(kernel.section(), arguments);
  for (size_t i = 0; i < arguments.size(); ++i)
    place(arguments[i], paddings, i);
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

void PlacedArguments::place(const HostArgument &host, const std::vector<Padding> &paddings, size_t index) {
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
  Array content = host.array;
  for (const Padding &padding : paddings)
    if (padding.tensor == index && isFloat(content.type))
      forEachRun(padding, content, [&](int64_t first, int64_t count) {
        for (int64_t i = first; i < first + count; ++i)
          content.set(i, std::numeric_limits<double>::quiet_NaN());
      });
  device.copyToDevice(data, content.bytes.data(), content.bytes.size());
  auto *simulated = dynamic_cast<SimDevice *>(&device);
  if (!simulated)
    return;
  sim::Simulator &machine = simulated->simulator();
  auto address = reinterpret_cast<uintptr_t>(data);
  auto size = static_cast<int64_t>(sizeOf(content.type));
  for (const Padding &padding : paddings)
    if (padding.tensor == index)
      forEachRun(padding, content, [&](int64_t first, int64_t count) {
        machine.setUndefined(address + static_cast<uint64_t>(first * size), static_cast<uint64_t>(count * size));
      });
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
