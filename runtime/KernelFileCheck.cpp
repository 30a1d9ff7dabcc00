// SPDX-License-Identifier: Apache-2.0
// Checks that the lines of a kernel file name what exists and that each entry's parameters are those of the PTX.
#include "runtime/KernelFileCheck.h"
#include "runtime/Runtime.h"

#include <algorithm>
#include <bit>
#include <cctype>
#include <cstdlib>
#include <fmt/format.h>
#include <map>
#include <set>

namespace attn {

const KernelArgument *findArgument(const KernelSection &kernel, std::string_view name) {
  for (const KernelArgument &argument : kernel.arguments)
    if (argument.name == name)
      return &argument;
  return nullptr;
}

size_t sizeOfParameter(const KernelParameter &parameter, const KernelSection &kernel) {
  if (parameter.what == KernelParameter::Kind::Size)
    return 4;
  if (parameter.what == KernelParameter::Kind::Map)
    return tensorMapBytes;
  if (parameter.what != KernelParameter::Kind::Scalar)
    return 8;
  const KernelArgument *argument = findArgument(kernel, parameter.name);
  return argument ? sizeOf(argument->type) : 8;
}

size_t alignmentOfParameter(const KernelParameter &parameter, const KernelSection &kernel) {
  return parameter.what == KernelParameter::Kind::Map ? tensorMapAlignment : sizeOfParameter(parameter, kernel);
}

namespace {

/// Bytes of each .param of an entry; nothing when the PTX has no such entry. Arrays of bytes that are not aligned as a
/// tensor map is count as 0.
class PtxEntries {
public:
  explicit PtxEntries(std::string_view ptx) {
    for (size_t at = ptx.find(".entry"); at != std::string_view::npos; at = ptx.find(".entry", at + 6)) {
      text = ptx.substr(at + 6);
      std::string name(token());
      std::vector<int> &sizes = entries[name];
      sizes.clear();
      std::string_view body = text.substr(0, text.find(".entry"));
      if (body.find("griddepcontrol.wait") != std::string_view::npos)
        waiting.insert(name);
      if (token() == "(")
        readParameters(sizes);
    }
  }

  const std::vector<int> *find(const std::string &name) const {
    auto found = entries.find(name);
    return found == entries.end() ? nullptr : &found->second;
  }

  /// Whether the entry waits for the launch before it.
  bool waits(const std::string &name) const { return waiting.count(name); }

private:
  /// The next word or punctuation mark, comments skipped; empty at the end.
  std::string_view token() {
    for (;;) {
      while (!text.empty() && std::isspace(static_cast<unsigned char>(text.front())))
        text.remove_prefix(1);
      if (text.substr(0, 2) != "//")
        break;
      text.remove_prefix(std::min(text.find('\n'), text.size()));
    }
    size_t length = 0;
    while (length < text.size() && (std::isalnum(static_cast<unsigned char>(text[length])) ||
                                    std::string_view("._$%").find(text[length]) != std::string_view::npos))
      ++length;
    std::string_view result = text.substr(0, std::max<size_t>(length, text.empty() ? 0 : 1));
    text.remove_prefix(result.size());
    return result;
  }

  void readParameters(std::vector<int> &sizes) {
    for (std::string_view next = token(); !next.empty() && next != ")" && next != "{"; next = token()) {
      if (next != ".param")
        continue;
      std::string_view type = token();
      if (type == ".align") {
        sizes.push_back(arrayBytes());
        continue;
      }
      bool wide = type == ".u64" || type == ".s64" || type == ".b64" || type == ".f64";
      bool narrow = type == ".u32" || type == ".s32" || type == ".b32" || type == ".f32";
      sizes.push_back(wide ? 8 : narrow ? 4 : 0);
    }
  }

  /// After `.align`: `64 .b8 name[128]`.
  int arrayBytes() {
    int align = std::atoi(std::string(token()).c_str());
    bool bytes = token() == ".b8";
    token();
    if (token() != "[")
      return 0;
    int size = std::atoi(std::string(token()).c_str());
    return bytes && align == int(tensorMapAlignment) ? size : 0;
  }

  std::string_view text;
  std::map<std::string, std::vector<int>> entries;
  std::set<std::string> waiting;
};

class Checker {
public:
  Checker(const KernelFile &file, std::string_view ptx) : file(file), entries(ptx) {}

  std::vector<std::string> run() {
    if (file.kernels.empty())
      faults.push_back("expects at least one kernel, got none");
    std::set<std::string> names;
    for (const KernelSection &kernel : file.kernels) {
      if (!names.insert(kernel.name).second)
        faults.push_back(fmt::format("expects kernels with different names, got '{}' twice", kernel.name));
      check(kernel);
    }
    return std::move(faults);
  }

private:
  template <typename... Args>
  void fault(const KernelSection &kernel, fmt::format_string<Args...> format, Args &&...args) {
    faults.push_back(fmt::format("kernel '{}': {}", kernel.name, fmt::format(format, std::forward<Args>(args)...)));
  }

  void check(const KernelSection &kernel) {
    checkArguments(kernel);
    checkNames(kernel, kernel.workspace, "workspace");
    for (const DataFact &fact : kernel.facts)
      check(kernel, fact);
    if (kernel.steps.empty())
      fault(kernel, "expects at least one launch, got none");
    for (const KernelStep &step : kernel.steps)
      for (const KernelEntry &entry : step.alternatives) {
        check(kernel, entry);
        if (entry.overlapsPrevious)
          checkOverlap(kernel, entry, &step == &kernel.steps.front());
      }
  }

  void checkOverlap(const KernelSection &kernel, const KernelEntry &entry, bool first) {
    if (first)
      fault(kernel, "expects a step before entry '{}', which overlaps it, got none", entry.name);
    if (entry.cooperative)
      fault(kernel, "expects entry '{}' to be cooperative or to overlap the step before, got both", entry.name);
    if (!entries.waits(entry.name))
      fault(kernel, "expects griddepcontrol.wait in entry '{}', which overlaps the step before, got none", entry.name);
  }

  void checkArguments(const KernelSection &kernel) {
    dimensions.clear();
    std::set<std::string> names;
    for (const KernelArgument &argument : kernel.arguments) {
      if (!names.insert(argument.name).second)
        fault(kernel, "expects arguments with different names, got '{}' twice", argument.name);
      std::set<std::string> own;
      for (const Dimension &dimension : argument.shape) {
        if (!own.insert(dimension.name).second)
          fault(kernel, "expects every dimension of '{}' to have its own name, got '{}' twice", argument.name,
                dimension.name);
        if (dimension.name == multiprocessorsName)
          fault(kernel, "expects dimensions of '{}' without the name '{}', which is the device's", argument.name,
                multiprocessorsName);
        checkAgreement(kernel, argument, dimension);
      }
    }
  }

  void checkAgreement(const KernelSection &kernel, const KernelArgument &argument, const Dimension &dimension) {
    Known &known = dimensions.try_emplace(dimension.name, Known{dimension.size, argument.name}).first->second;
    if (!known.size)
      known = {dimension.size, argument.name};
    else if (dimension.size && *known.size != *dimension.size)
      fault(kernel, "expects one size for dimension '{}', got {} in '{}' and {} in '{}'", dimension.name, *known.size,
            known.where, *dimension.size, argument.name);
  }

  void checkNames(const KernelSection &kernel, const Expression &expression, std::string_view where) {
    for (const std::string &name : expression.names())
      if (!dimensions.count(name))
        fault(kernel, "expects names of dimensions in {}, got '{}'", where, name);
  }

  void check(const KernelSection &kernel, const DataFact &fact) {
    using Kind = DataFact::Kind;
    const KernelArgument *numbers = integers(kernel, fact.tensor);
    if (!fact.lengths.empty())
      checkRank(kernel, integers(kernel, fact.lengths), 1, 1, "lengths");
    const KernelArgument *of = fact.of.empty() ? nullptr : tensor(kernel, fact.of, "data");
    if (of && fact.what == Kind::Length && !hasDimension(*of, fact.dimension))
      fault(kernel, "expects a dimension of '{}' in data, got '{}'", fact.of, fact.dimension);
    if (fact.what == Kind::Pointers && !dimensions.count(fact.dimension))
      fault(kernel, "expects the name of a dimension in data, got '{}'", fact.dimension);
    if (fact.what == Kind::Members || fact.what == Kind::Ranges) {
      checkList(kernel, fact, numbers);
    } else if (fact.what == Kind::Pages) {
      checkRank(kernel, numbers, 2, 3, "a page table");
      checkRank(kernel, of, 4, 4, "a pool");
    } else if (fact.what == Kind::Rows) {
      checkRank(kernel, numbers, 1, 2, "rows");
      checkRank(kernel, of, 1, 4, "what has rows");
    }
  }

  /// Rows of numbers, or of pairs, with one count each or packed between pointers.
  void checkList(const KernelSection &kernel, const DataFact &fact, const KernelArgument *list) {
    bool isRanges = fact.what == DataFact::Kind::Ranges;
    size_t inRow = isRanges ? 2 : 1, most = 32;
    checkRank(kernel, list, inRow, most, "a list");
    if (!list || list->shape.size() < inRow)
      return;
    if (isRanges && list->shape.back().size != 2)
      fault(kernel, "expects ranges with a last dimension of 2 in data, got '{}'", list->name);
    const KernelArgument *counts = fact.of.empty() ? nullptr : integers(kernel, fact.of);
    bool isPacked = std::any_of(kernel.facts.begin(), kernel.facts.end(), [&](const DataFact &other) {
      return other.what == DataFact::Kind::Pointers && other.tensor == fact.of;
    });
    size_t rank = list->shape.size() - inRow;
    checkRank(kernel, counts, isPacked ? 1 : rank, isPacked ? 1 : rank, isPacked ? "pointers" : "counts");
    if (isPacked)
      checkRank(kernel, list, inRow, inRow, "a packed list");
  }

  const KernelArgument *integers(const KernelSection &kernel, const std::string &name) {
    const KernelArgument *argument = tensor(kernel, name, "data");
    if (argument && argument->type != DType::I32 && argument->type != DType::I64)
      fault(kernel, "expects data about integers, got '{}' of {}", name, nameOf(argument->type));
    return argument;
  }

  void checkRank(const KernelSection &kernel, const KernelArgument *argument, size_t least, size_t most,
                 const char *what) {
    if (argument && (argument->shape.size() < least || argument->shape.size() > most))
      fault(kernel, "expects {} of rank {}{} in data, got {} in '{}'", what, least,
            least == most ? "" : fmt::format(" to {}", most), argument->shape.size(), argument->name);
  }

  static bool hasDimension(const KernelArgument &argument, const std::string &name) {
    return std::any_of(argument.shape.begin(), argument.shape.end(),
                       [&](const Dimension &dimension) { return dimension.name == name; });
  }

  /// The tensor of that name; a fault and null when there is none.
  const KernelArgument *tensor(const KernelSection &kernel, const std::string &name, std::string_view where) {
    const KernelArgument *argument = findArgument(kernel, name);
    if (argument && argument->kind != KernelArgument::Role::Scalar)
      return argument;
    fault(kernel, "expects the name of a tensor in {}, got '{}'", where, name);
    return nullptr;
  }

  void check(const KernelSection &kernel, const KernelEntry &entry) {
    std::string where = fmt::format("entry '{}'", entry.name);
    if (entry.block == 0)
      fault(kernel, "expects a block in {}, got none", where);
    dimensions.try_emplace(std::string(multiprocessorsName), Known{});
    checkNames(kernel, entry.grid, "the grid of " + where);
    dimensions.erase(std::string(multiprocessorsName));
    for (const Alignment &alignment : entry.required) {
      tensor(kernel, alignment.tensor, where);
      if (!std::has_single_bit(static_cast<uint64_t>(alignment.bytes)))
        fault(kernel, "expects an alignment that is a power of two in {}, got {}", where, alignment.bytes);
    }
    for (const std::string &name : entry.tensorMaps)
      checkMapped(kernel, name, where);
    for (const KernelParameter &parameter : entry.parameters)
      check(kernel, parameter, where);
    checkSizes(kernel, entry, where);
  }

  void check(const KernelSection &kernel, const KernelParameter &parameter, const std::string &where) {
    using Kind = KernelParameter::Kind;
    if (parameter.what == Kind::Address || parameter.what == Kind::Stride) {
      const KernelArgument *argument = tensor(kernel, parameter.name, where);
      if (argument && parameter.what == Kind::Stride &&
          parameter.dimension >= static_cast<int64_t>(argument->shape.size()))
        fault(kernel, "expects a dimension of '{}' below {} in {}, got {}", parameter.name, argument->shape.size(),
              where, parameter.dimension);
    } else if (parameter.what == Kind::Size && !dimensions.count(parameter.name)) {
      fault(kernel, "expects the name of a dimension in {}, got '{}'", where, parameter.name);
    } else if (parameter.what == Kind::Scalar) {
      const KernelArgument *argument = findArgument(kernel, parameter.name);
      if (!argument || argument->kind != KernelArgument::Role::Scalar)
        fault(kernel, "expects the name of a scalar in {}, got '{}'", where, parameter.name);
    } else if (parameter.what == Kind::Map) {
      checkMap(kernel, parameter, where);
    } else if (parameter.what == Kind::Workspace) {
      checkNames(kernel, parameter.offset, "a workspace offset of " + where);
    }
  }

  /// A tensor of which there can be a tensor map; a fault and null when there can not.
  const KernelArgument *checkMapped(const KernelSection &kernel, const std::string &name, const std::string &where) {
    const KernelArgument *argument = tensor(kernel, name, where);
    if (!argument || (argument->shape.size() >= 2 && argument->shape.size() <= 5))
      return argument;
    fault(kernel, "expects a tensor of 2 to 5 dimensions for a tensor map in {}, got {} in '{}'", where,
          argument->shape.size(), name);
    return nullptr;
  }

  void checkMap(const KernelSection &kernel, const KernelParameter &map, const std::string &where) {
    const KernelArgument *argument = checkMapped(kernel, map.name, where);
    if (!argument)
      return;
    if (map.box.size() != argument->shape.size()) {
      fault(kernel, "expects {} sizes of the box of '{}' in {}, got {}", argument->shape.size(), map.name, where,
            map.box.size());
      return;
    }
    if (map.swizzle != 0 && map.swizzle != 32 && map.swizzle != 64 && map.swizzle != 128)
      fault(kernel, "expects a swizzle of 0, 32, 64 or 128 bytes in {}, got {}", where, map.swizzle);
    int64_t inner = map.box.back() * static_cast<int64_t>(sizeOf(argument->type));
    if (inner % 16 != 0 || (map.swizzle && inner != map.swizzle))
      fault(kernel, "expects an inner box of '{}' of {} bytes in {}, got {}", map.name,
            map.swizzle ? std::to_string(map.swizzle) : "a multiple of 16", where, inner);
  }

  /// What a launch packs must be what the PTX declares: the driver does not check it.
  void checkSizes(const KernelSection &kernel, const KernelEntry &entry, const std::string &where) {
    const std::vector<int> *declared = entries.find(entry.name);
    if (!declared) {
      fault(kernel, "expects an .entry '{}' in the PTX, got none", entry.name);
      return;
    }
    if (declared->size() != entry.parameters.size()) {
      fault(kernel, "expects as many parameters in {} as the PTX declares, {}, got {}", where, declared->size(),
            entry.parameters.size());
      return;
    }
    for (size_t i = 0; i < declared->size(); ++i) {
      size_t size = sizeOfParameter(entry.parameters[i], kernel);
      if (size != static_cast<size_t>((*declared)[i]))
        fault(kernel, "expects parameter {} of {} to be {} bytes in the PTX, got {}", i, where, size, (*declared)[i]);
    }
  }

  struct Known {
    std::optional<int64_t> size;
    std::string where;
  };
  const KernelFile &file;
  PtxEntries entries;
  std::map<std::string, Known> dimensions;
  std::vector<std::string> faults;
};

} // namespace

std::vector<std::string> faultsOf(const KernelFile &file, std::string_view ptx) { return Checker(file, ptx).run(); }

} // namespace attn
