// SPDX-License-Identifier: Apache-2.0
// From the arguments of a launch to packed parameters: binds dimensions, checks everything, then starts the steps.
#include "runtime/KernelFileCheck.h"
#include "runtime/Runtime.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fmt/format.h>

namespace attn {

namespace {

constexpr int64_t largestGrid = (int64_t(1) << 31) - 1;

bool isWritten(const KernelArgument &argument) {
  return argument.kind == KernelArgument::Role::Output || argument.kind == KernelArgument::Role::InOut;
}

std::string namesOf(const std::vector<KernelArgument> &arguments) {
  std::string text;
  for (const KernelArgument &argument : arguments)
    text += (text.empty() ? "" : ", ") + argument.name;
  return text;
}

std::string namesOf(const std::vector<Dimension> &shape) {
  std::string text;
  for (const Dimension &dimension : shape)
    text += (text.empty() ? "" : ", ") + dimension.name;
  return text;
}

/// One launch: collects faults, and is asked for sizes and strides once there are none.
class Binding {
public:
  /// Without a device, addresses are not looked at and nothing can be packed.
  Binding(const KernelSection &kernel, const std::vector<Value> &values, Device *device)
      : kernel(kernel), values(values), device(device), needsAddresses(device != nullptr) {
    if (values.size() != kernel.arguments.size())
      throw Error(fmt::format("kernel '{}' expects {} arguments ({}), got {}", kernel.name, kernel.arguments.size(),
                              namesOf(kernel.arguments), values.size()));
    strides.resize(values.size());
    // Static sizes bind first: what differs from one is a fault of the tensor, whatever the order of the arguments.
    for (const KernelArgument &argument : kernel.arguments)
      for (const Dimension &dimension : argument.shape)
        if (dimension.size && !find(dimension.name))
          bound.push_back({dimension.name, *dimension.size, nullptr});
    for (size_t i = 0; i < values.size(); ++i)
      check(i);
  }

  void checkWorkspace(const Workspace &space) {
    if (!faults.empty())
      return;
    size_t needed = workspaceBytes();
    if (!faults.empty() || needed == 0)
      return;
    if (space.bytes < needed)
      fault("the workspace has {} bytes, expected {}", space.bytes, needed);
    else if (!space.data)
      fault("the workspace has no memory (a null pointer), expected {} bytes", needed);
    else if (reinterpret_cast<uintptr_t>(space.data) % workspaceAlignment != 0)
      fault("the workspace begins at address {:#x}, expected a multiple of {}", reinterpret_cast<uintptr_t>(space.data),
            workspaceAlignment);
  }

  size_t workspaceBytes() {
    int64_t bytes = evaluate(kernel.workspace, "the workspace");
    if (bytes < 0)
      fault("kernel '{}' needs a workspace of {} bytes for these sizes, expected 0 or more", kernel.name, bytes);
    return bytes < 0 ? 0 : static_cast<size_t>(bytes);
  }

  /// The steps with programs, packed. Faults are collected.
  std::vector<EntryLaunch> steps(const Workspace &space) {
    std::vector<EntryLaunch> launches;
    for (size_t i = 0; i < kernel.steps.size() && faults.empty(); ++i) {
      const KernelEntry *entry = choose(kernel.steps[i]);
      if (!entry)
        continue;
      if (int64_t grid = programsOf(*entry); grid > 0)
        launches.push_back(pack(*entry, grid, !launches.empty(), space));
    }
    return launches;
  }

  /// Programs to start; 0 behind a fault. What they share out among them is what a device of any size would start: it
  /// must be countable in 32 bits, also by a program that looks one turn ahead.
  int64_t programsOf(const KernelEntry &entry) {
    constexpr int64_t anySize = int64_t{1} << 40;
    int64_t work = evaluate(entry.grid, "the grid", anySize);
    if (!faults.empty())
      return 0;
    int64_t grid = evaluate(entry.grid, "the grid", device->multiprocessors());
    int64_t most = largestGrid - (work > grid ? grid : 0);
    if (work >= 0 && work <= most)
      return grid;
    fault("kernel '{}' needs {} programs for these sizes, expected at most {}", kernel.name, work, most);
    return 0;
  }

  void throwFaults() {
    if (!faults.empty())
      throw Error(std::move(faults));
  }

private:
  template <typename... Args> void fault(fmt::format_string<Args...> format, Args &&...args) {
    faults.push_back(fmt::format(format, std::forward<Args>(args)...));
  }

  //--- Arguments ---

  void check(size_t i) {
    const KernelArgument &argument = kernel.arguments[i];
    if (argument.kind == KernelArgument::Role::Scalar) {
      if (const Scalar *scalar = values[i].scalar())
        checkScalar(argument, *scalar);
      else
        fault("argument '{}' is a tensor, expected a number of {}", argument.name, nameOf(argument.type));
      return;
    }
    const Tensor *tensor = values[i].tensor();
    if (!tensor) {
      fault("argument '{}' is a number, expected a tensor of {}", argument.name, nameOf(argument.type));
      return;
    }
    if (tensor->type != argument.type)
      fault("argument '{}' has elements of {}, expected {}", argument.name, nameOf(tensor->type),
            nameOf(argument.type));
    if (tensor->shape.size() != argument.shape.size()) {
      fault("argument '{}' has {} dimensions, expected {} ({})", argument.name, tensor->shape.size(),
            argument.shape.size(), namesOf(argument.shape));
      return;
    }
    if (checkSizes(argument, *tensor) && takeStrides(i, *tensor)) {
      checkStrides(argument, *tensor, strides[i]);
      checkAddress(argument, *tensor, strides[i]);
    }
  }

  void checkScalar(const KernelArgument &argument, const Scalar &scalar) {
    const int64_t *integer = std::get_if<int64_t>(&scalar);
    if (argument.type == DType::F32)
      return;
    if (!integer)
      fault("argument '{}' is {}, expected an integer", argument.name, std::get<double>(scalar));
    else if (argument.type == DType::I32 && (*integer < INT32_MIN || *integer > INT32_MAX))
      fault("argument '{}' is {}, expected a number of 32 bits", argument.name, *integer);
  }

  /// Binds what is not bound yet; true when the tensor's own sizes make sense.
  bool checkSizes(const KernelArgument &argument, const Tensor &tensor) {
    bool sensible = true;
    for (size_t d = 0; d < argument.shape.size(); ++d) {
      const std::string &name = argument.shape[d].name;
      int64_t size = tensor.shape[d];
      if (size < 0 || size > largestDimension) {
        fault("argument '{}' has {} {}, expected from 0 to {}", argument.name, size, name, largestDimension);
        sensible = false;
        continue;
      }
      Bound *known = find(name);
      if (!known)
        bound.push_back({name, size, &argument});
      else if (known->size != size && !known->where)
        fault("argument '{}' has {} {}, expected {}", argument.name, size, name, known->size);
      else if (known->size != size)
        fault("dimension '{}' is {} in '{}' and {} in '{}'", name, known->size, known->where->name, size,
              argument.name);
    }
    return sensible;
  }

  bool takeStrides(size_t i, const Tensor &tensor) {
    strides[i] = tensor.strides;
    size_t rank = tensor.shape.size();
    if (tensor.strides.empty()) {
      strides[i].assign(rank, 1);
      for (size_t d = rank; d-- > 1;)
        if (__builtin_mul_overflow(strides[i][d], std::max<int64_t>(tensor.shape[d], 1), &strides[i][d - 1]))
          strides[i][d - 1] = INT64_MAX;
    }
    if (strides[i].size() == rank)
      return true;
    fault("argument '{}' has {} strides, expected {}, one for each dimension", kernel.arguments[i].name,
          strides[i].size(), rank);
    return false;
  }

  static bool isEmpty(const Tensor &tensor) {
    return std::find(tensor.shape.begin(), tensor.shape.end(), 0) != tensor.shape.end();
  }

  void checkStrides(const KernelArgument &argument, const Tensor &tensor, const std::vector<int64_t> &stride) {
    size_t rank = stride.size();
    if (rank >= 2 && argument.shape.back().name == "head_dim" && tensor.shape.back() > 1 && stride.back() != 1)
      fault("'{}' is not contiguous in head_dim (stride {})", argument.name, stride.back());
    if (isEmpty(tensor))
      return;
    for (size_t d = 0; d < rank; ++d)
      if (isWritten(argument) && stride[d] == 0 && tensor.shape[d] > 1)
        fault(
            "argument '{}' is written and has stride 0 in dimension '{}', expected a place for each of its {} elements",
            argument.name, argument.shape[d].name, tensor.shape[d]);
    int64_t elements = 1, bytes = 0;
    bool overflow = false;
    for (size_t d = 0; d < rank; ++d) {
      int64_t span = 0;
      overflow |= stride[d] == INT64_MIN || __builtin_mul_overflow(tensor.shape[d] - 1, std::abs(stride[d]), &span) ||
                  __builtin_add_overflow(elements, span, &elements);
    }
    overflow |= __builtin_mul_overflow(elements, static_cast<int64_t>(sizeOf(tensor.type)), &bytes);
    if (overflow)
      fault("argument '{}' reaches beyond 64-bit addresses with strides [{}]", argument.name, fmt::join(stride, ", "));
  }

  void checkAddress(const KernelArgument &argument, const Tensor &tensor, const std::vector<int64_t> &stride) {
    if (!needsAddresses || isEmpty(tensor))
      return;
    auto address = reinterpret_cast<uintptr_t>(tensor.data);
    if (!address)
      fault("argument '{}' has no memory (a null pointer)", argument.name);
    else if (address % sizeOf(tensor.type) != 0)
      fault("argument '{}' begins at address {:#x}, expected a multiple of the {} bytes of its elements", argument.name,
            address, sizeOf(tensor.type));
  }

  //--- Steps ---

  struct Bound {
    std::string_view name;
    int64_t size;
    const KernelArgument *where; ///< null for static sizes
  };

  Bound *find(std::string_view name) {
    for (Bound &entry : bound)
      if (entry.name == name)
        return &entry;
    return nullptr;
  }

  int64_t evaluate(const Expression &expression, const char *what, int64_t multiprocessors = 0) {
    try {
      return expression.evaluate([&](std::string_view name) -> std::optional<int64_t> {
        if (multiprocessors && name == multiprocessorsName)
          return multiprocessors;
        Bound *known = find(name);
        return known ? std::optional(known->size) : std::nullopt;
      });
    } catch (const Error &error) {
      fault("kernel '{}' cannot be launched with these sizes: {}: {}", kernel.name, what, error.what());
      return 0;
    }
  }

  size_t indexOf(std::string_view name) const {
    for (size_t i = 0; i < kernel.arguments.size(); ++i)
      if (kernel.arguments[i].name == name)
        return i;
    return kernel.arguments.size();
  }

  /// Why a requirement does not hold; empty when it does. A stride along one element is never used as a step.
  std::string violationOf(const Alignment &alignment) const {
    size_t i = indexOf(alignment.tensor);
    const Tensor &tensor = *values[i].tensor();
    if (isEmpty(tensor))
      return {};
    auto address = reinterpret_cast<uintptr_t>(tensor.data);
    if (needsAddresses && address % static_cast<uintptr_t>(alignment.bytes) != 0)
      return fmt::format("'{}' begins at address {:#x}, expected a multiple of {}", alignment.tensor, address,
                         alignment.bytes);
    for (size_t d = 0; d + 1 < strides[i].size(); ++d) {
      auto bytes = static_cast<uint64_t>(strides[i][d]) * sizeOf(tensor.type);
      if (tensor.shape[d] > 1 && bytes % static_cast<uint64_t>(alignment.bytes) != 0)
        return fmt::format("'{}' has a stride of {} elements in dimension '{}', expected a multiple of {} bytes",
                           alignment.tensor, strides[i][d], kernel.arguments[i].shape[d].name, alignment.bytes);
    }
    return {};
  }

  /// The same for what a tensor map demands.
  std::string mapViolationOf(const std::string &name) const {
    constexpr uint64_t unit = 16, largest = uint64_t(1) << 40;
    if (std::string violation = violationOf({name, unit}); !violation.empty())
      return violation;
    size_t i = indexOf(name);
    const Tensor &tensor = *values[i].tensor();
    if (isEmpty(tensor))
      return {};
    for (size_t d = 0; d < strides[i].size(); ++d) {
      if (tensor.shape[d] <= 1)
        continue;
      bool inner = d + 1 == strides[i].size();
      uint64_t bytes = static_cast<uint64_t>(strides[i][d]) * sizeOf(tensor.type);
      bool fits = inner ? strides[i][d] == 1 : strides[i][d] > 0 && bytes < largest;
      if (!fits)
        return fmt::format("'{}' has a stride of {} elements in dimension '{}', expected {}", name, strides[i][d],
                           kernel.arguments[i].shape[d].name,
                           inner ? "1" : "a positive number of less than 2^40 bytes");
    }
    return {};
  }

  /// The first alternative whose requirements hold; a fault and null when there is none.
  const KernelEntry *choose(const KernelStep &step) {
    std::vector<std::string> violations;
    for (const KernelEntry &entry : step.alternatives) {
      size_t before = violations.size();
      for (const Alignment &alignment : entry.required)
        if (std::string violation = violationOf(alignment); !violation.empty())
          violations.push_back(std::move(violation));
      for (const std::string &name : entry.tensorMaps)
        if (std::string violation = mapViolationOf(name); !violation.empty())
          violations.push_back(std::move(violation));
      if (violations.size() == before)
        return &entry;
    }
    for (std::string &violation : violations)
      if (std::find(faults.begin(), faults.end(), violation) == faults.end())
        faults.push_back(std::move(violation));
    return nullptr;
  }

  /// What runs before the first launch is not ours and has not said what it writes: nothing overlaps that.
  EntryLaunch pack(const KernelEntry &entry, int64_t grid, bool follows, const Workspace &space) {
    EntryLaunch launch{&entry, grid, entry.overlapsPrevious && follows, {}, {}};
    launch.parameters.reserve(entry.parameters.size() * 8);
    for (const KernelParameter &parameter : entry.parameters) {
      size_t size = sizeOfParameter(parameter, kernel), alignment = alignmentOfParameter(parameter, kernel);
      size_t offset = (launch.parameters.size() + alignment - 1) / alignment * alignment;
      launch.parameters.resize(offset + size);
      if (parameter.what == KernelParameter::Kind::Map) {
        std::byte map[tensorMapBytes];
        device->encodeTensorMap(recipeOf(parameter), map);
        std::memcpy(launch.parameters.data() + offset, map, size);
      } else {
        uint64_t bits = bitsOf(parameter, space);
        std::memcpy(launch.parameters.data() + offset, &bits, size); // both are little endian
      }
      launch.parameterOffsets.push_back(offset);
    }
    return launch;
  }

  /// Innermost dimension first. A dimension of one element has whatever stride, so it gets one that fits, and one
  /// without elements counts as one: nothing of it is copied.
  TensorMapRecipe recipeOf(const KernelParameter &parameter) const {
    constexpr uint64_t unit = 16, largest = uint64_t(1) << 40;
    size_t i = indexOf(parameter.name);
    const Tensor &tensor = *values[i].tensor();
    TensorMapRecipe recipe{tensor.data, tensor.type, {}, {}, {}, static_cast<int>(parameter.swizzle)};
    bool empty = isEmpty(tensor);
    // Nothing is read there, but what encodes the map may look at the address.
    if (empty)
      recipe.data = reinterpret_cast<void *>(std::max(reinterpret_cast<uintptr_t>(tensor.data) / unit * unit, unit));
    uint64_t natural = sizeOf(tensor.type);
    for (size_t d = tensor.shape.size(); d-- > 0;) {
      uint64_t size = static_cast<uint64_t>(std::max<int64_t>(tensor.shape[d], 1));
      uint64_t stride = natural = std::max((natural + unit - 1) / unit * unit, unit);
      if (size > 1 && !empty)
        stride = static_cast<uint64_t>(strides[i][d]) * sizeOf(tensor.type);
      if (!recipe.sizes.empty())
        recipe.strides.push_back(stride < largest ? stride : unit);
      natural = (recipe.sizes.empty() ? sizeOf(tensor.type) : stride) * size;
      recipe.sizes.push_back(size);
      recipe.box.push_back(static_cast<uint32_t>(parameter.box[d]));
    }
    return recipe;
  }

  uint64_t bitsOf(const KernelParameter &parameter, const Workspace &space) {
    using Kind = KernelParameter::Kind;
    switch (parameter.what) {
    case Kind::Address:
      return reinterpret_cast<uintptr_t>(values[indexOf(parameter.name)].tensor()->data);
    case Kind::Size:
      return static_cast<uint64_t>(find(parameter.name)->size);
    case Kind::Stride:
      return static_cast<uint64_t>(strides[indexOf(parameter.name)][static_cast<size_t>(parameter.dimension)]);
    case Kind::Scalar:
      return scalarBits(indexOf(parameter.name));
    case Kind::Workspace:
      return reinterpret_cast<uintptr_t>(space.data) +
             static_cast<uint64_t>(evaluate(parameter.offset, "an offset in the workspace"));
    case Kind::Map:
      break;
    }
    return 0;
  }

  uint64_t scalarBits(size_t i) const {
    const Scalar &scalar = *values[i].scalar();
    if (kernel.arguments[i].type != DType::F32)
      return static_cast<uint64_t>(std::get<int64_t>(scalar));
    float number = std::visit([](auto held) { return static_cast<float>(held); }, scalar);
    return std::bit_cast<uint32_t>(number);
  }

  const KernelSection &kernel;
  const std::vector<Value> &values;
  Device *device;
  bool needsAddresses;
  std::vector<std::vector<int64_t>> strides; ///< per argument, in elements
  std::vector<Bound> bound;
  std::vector<std::string> faults;
};

} // namespace

std::vector<EntryLaunch> Kernel::plan(const std::vector<Value> &values, Workspace workspace) const {
  Binding binding(section(), values, on.get());
  binding.checkWorkspace(workspace);
  std::vector<EntryLaunch> launches = binding.steps(workspace);
  binding.throwFaults();
  return launches;
}

void Kernel::launch(const std::vector<Value> &values, const LaunchOptions &options) const {
  for (const EntryLaunch &step : plan(values, options.workspace))
    code->launch(step, options.stream);
}

void Kernel::launchNamed(const std::map<std::string, Value> &values, const LaunchOptions &options) const {
  std::vector<std::string> faults;
  std::vector<Value> ordered;
  for (const KernelArgument &argument : section().arguments) {
    if (auto found = values.find(argument.name); found != values.end())
      ordered.push_back(found->second);
    else
      faults.push_back(fmt::format("argument '{}' is missing", argument.name));
  }
  for (const auto &[name, value] : values)
    if (!findArgument(section(), name))
      faults.push_back(fmt::format("kernel '{}' has no argument '{}', expected {}", section().name, name,
                                   namesOf(section().arguments)));
  if (!faults.empty())
    throw Error(std::move(faults));
  launch(ordered, options);
}

size_t Kernel::workspaceBytes(const std::vector<Value> &values) const {
  Binding binding(section(), values, nullptr);
  binding.throwFaults();
  size_t bytes = binding.workspaceBytes();
  binding.throwFaults();
  return bytes;
}

} // namespace attn
