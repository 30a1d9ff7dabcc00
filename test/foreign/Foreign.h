// SPDX-License-Identifier: Apache-2.0
// What the references of foreign kernels share: a machine to run a kernel on, and comparisons that say what differs.
#ifndef ATTN_TEST_FOREIGN_FOREIGN_H
#define ATTN_TEST_FOREIGN_FOREIGN_H

#include "runtime/sim/Simulator.h"

#include <fmt/format.h>

#include <cmath>
#include <cstring>
#include <random>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace attn::foreign {

/// A simulator with one PTX module, and memory for its kernels.
class Machine {
public:
  Machine(std::string_view text, const std::string &file, uint64_t seed) : module(simulator.load(text, file)) {
    options.seed = seed;
  }

  sim::LaunchOptions options;

  /// A buffer of `count` elements that hold nothing yet.
  template <typename T> uint64_t space(size_t count, const std::string &name) {
    return simulator.allocate(count * sizeof(T), name);
  }
  /// A buffer with these elements.
  template <typename T> uint64_t put(const std::vector<T> &elements, const std::string &name) {
    const uint64_t address = space<T>(elements.size(), name);
    simulator.copyIn(address, elements.data(), elements.size() * sizeof(T));
    return address;
  }
  template <typename T> std::vector<T> get(uint64_t address, size_t count) const {
    std::vector<T> elements(count);
    simulator.copyOut(elements.data(), address, count * sizeof(T));
    return elements;
  }
  /// Like get, and each element must have been written by a kernel.
  template <typename T> std::vector<T> getWritten(uint64_t address, size_t count, const std::string &name) const {
    const auto coverage = simulator.unwritten(address, count * sizeof(T));
    if (coverage.missing)
      throw std::runtime_error(
          fmt::format("{}: {} bytes not written, the first is byte {}", name, coverage.missing, coverage.first));
    return get<T>(address, count);
  }

  /// Runs an entry; the arguments must have the sizes of its parameters.
  template <typename... Arguments>
  sim::LaunchStatistics launch(const std::string &entry, sim::Dim3 grid, sim::Dim3 block, uint32_t dynamicShared,
                               const Arguments &...arguments) {
    std::vector<std::pair<const void *, size_t>> list{{&arguments, sizeof(arguments)}...};
    const sim::EntryInfo info = find(entry);
    if (info.parameters.size() != list.size())
      throw std::runtime_error(
          fmt::format("{} has {} parameters, got {} arguments", entry, info.parameters.size(), list.size()));
    std::vector<uint8_t> block_(info.parameterBytes);
    for (size_t i = 0; i < list.size(); ++i) {
      const auto &parameter = info.parameters[i];
      if (parameter.size != list[i].second)
        throw std::runtime_error(fmt::format("parameter {} of {} has {} bytes, got an argument of {}", i, entry,
                                             parameter.size, list[i].second));
      std::memcpy(block_.data() + parameter.offset, list[i].first, list[i].second);
    }
    return simulator.launch(module, entry, grid, block, dynamicShared, block_.data(), block_.size(), options);
  }

private:
  sim::EntryInfo find(const std::string &entry) const {
    for (const sim::EntryInfo &info : simulator.entries(module))
      if (info.name == entry)
        return info;
    throw std::runtime_error("the module has no entry " + entry);
  }

  sim::Simulator simulator;
  sim::Simulator::Module module;
};

/// Wrong elements of one result, the first few named.
class Difference {
public:
  explicit Difference(std::string name) : name(std::move(name)) {}
  void add(size_t index, const std::string &wanted, const std::string &got) {
    if (++count <= 6)
      text += fmt::format("\n  {}[{}] expects {}, got {}", name, index, wanted, got);
  }
  /// Throws when something differs.
  void check() const {
    if (count)
      throw std::runtime_error(fmt::format("{} elements of {} differ{}", count, name, text));
  }

private:
  std::string name, text;
  size_t count = 0;
};

/// Equal bits.
template <typename T>
void expectEqual(const std::string &name, const std::vector<T> &got, const std::vector<T> &wanted) {
  if (got.size() != wanted.size())
    throw std::runtime_error(fmt::format("{} has {} elements, expects {}", name, got.size(), wanted.size()));
  Difference difference(name);
  for (size_t i = 0; i < got.size(); ++i)
    if (std::memcmp(&got[i], &wanted[i], sizeof(T)) != 0)
      difference.add(i, fmt::format("{}", wanted[i]), fmt::format("{}", got[i]));
  difference.check();
}

template <typename T, typename U> T bitCast(const U &value) {
  static_assert(sizeof(T) == sizeof(U));
  T result;
  std::memcpy(&result, &value, sizeof(T));
  return result;
}

/// A kernel's reference: runs its entries on the machine and throws when a result is wrong.
using Reference = void (*)(Machine &);

void checkReduce(Machine &);
void checkMatmul(Machine &);
void checkMmaPipeline(Machine &);
void checkDivergence(Machine &);
void checkAtomics(Machine &);
void checkTicket(Machine &);
void checkWarp(Machine &);
void checkNumbers(Machine &);
void checkAddresses(Machine &);
void checkTma(Machine &);
void checkWgmma(Machine &);
void checkRoles(Machine &);
void checkNarrow(Machine &);

} // namespace attn::foreign

#endif // ATTN_TEST_FOREIGN_FOREIGN_H
