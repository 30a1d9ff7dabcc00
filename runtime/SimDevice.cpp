// SPDX-License-Identifier: Apache-2.0
// Hands the calls of a device to the simulator. A device address is the simulator's own 64-bit address.
#include "runtime/SimDevice.h"
#include "runtime/sim/TensorMap.h"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>

namespace attn {

namespace {

uint64_t addressOf(const void *data) { return reinterpret_cast<uintptr_t>(data); }

class OptionReader {
public:
  explicit OptionReader(std::string_view text) : text(text) {}

  std::shared_ptr<SimDevice> read() {
    while (!text.empty()) {
      std::string_view option = text.substr(0, text.find(','));
      text.remove_prefix(std::min(option.size() + 1, text.size()));
      size_t sign = option.find('=');
      key = option.substr(0, sign);
      value = sign == std::string_view::npos ? std::string_view() : option.substr(sign + 1);
      set();
    }
    if (!faults.empty())
      throw Error(std::move(faults));
    return std::make_shared<SimDevice>(std::move(result), multiprocessors);
  }

private:
  void set() {
    using sim::CtaOrder;
    if (key == "seed")
      result.seed = number(UINT64_MAX);
    else if (key == "resident")
      result.resident = static_cast<unsigned>(number(1 << 20));
    else if (key == "limit")
      result.instructionLimit = number(UINT64_MAX);
    else if (key == "multiprocessors")
      multiprocessors = std::max<int64_t>(1, static_cast<int64_t>(number(INT32_MAX)));
    else if (key == "trace")
      result.trace = std::string(value);
    else if (key == "order")
      result.order = static_cast<CtaOrder>(1 + choice({"linear", "reversed", "shuffled"}));
    else if (key == "approx")
      result.approximateWorst = choice({"exact", "worst"}) == 1;
    else if (key == "mma")
      result.matrixTruncate = choice({"exact", "truncate"}) == 1;
    else if (key == "warp")
      result.fine = choice({"coarse", "fine"}) == 1;
    else if (key == "diverge")
      result.divergeRandom = choice({"first", "random"}) == 1;
    else
      faults.push_back(
          fmt::format("expects a simulator option seed, resident, order, approx, mma, warp, diverge, trace, "
                      "limit or multiprocessors, got '{}'",
                      key));
  }

  uint64_t number(uint64_t most) {
    uint64_t result = 0;
    auto [end, code] = std::from_chars(value.data(), value.data() + value.size(), result);
    if (code != std::errc() || end != value.data() + value.size() || result > most)
      faults.push_back(fmt::format("simulator option {} expects a number up to {}, got '{}'", key, most, value));
    return result;
  }

  int choice(std::initializer_list<std::string_view> words) {
    auto found = std::find(words.begin(), words.end(), value);
    if (found != words.end())
      return static_cast<int>(found - words.begin());
    faults.push_back(fmt::format("simulator option {} expects {}, got '{}'", key, fmt::join(words, " or "), value));
    return 0;
  }

  std::string_view text, key, value;
  sim::LaunchOptions result;
  int64_t multiprocessors = SimDevice::fewMultiprocessors;
  std::vector<std::string> faults;
};

class SimModule : public Module {
public:
  SimModule(std::shared_ptr<SimDevice> device, sim::Simulator::Module handle)
      : device(std::move(device)), handle(handle) {}
  ~SimModule() override { device->unload(handle); }
  void launch(const EntryLaunch &launch, Stream) override { device->run(handle, launch); }

private:
  std::shared_ptr<SimDevice> device;
  sim::Simulator::Module handle;
};

} // namespace

std::shared_ptr<SimDevice> SimDevice::open(const std::string &options) { return OptionReader(options).read(); }

void *SimDevice::allocate(size_t bytes, std::string_view label) {
  std::lock_guard guard(lock);
  return reinterpret_cast<void *>(machine.allocate(bytes, std::string(label)));
}

void SimDevice::release(void *data) {
  std::lock_guard guard(lock);
  if (data)
    machine.free(addressOf(data));
}

void SimDevice::copyToDevice(void *to, const void *from, size_t bytes) {
  std::lock_guard guard(lock);
  if (bytes)
    machine.copyIn(addressOf(to), from, bytes);
}

void SimDevice::copyToHost(void *to, const void *from, size_t bytes) {
  std::lock_guard guard(lock);
  if (bytes)
    machine.copyOut(to, addressOf(from), bytes);
}

void SimDevice::copyOnDevice(void *to, const void *from, size_t bytes, Stream) {
  std::lock_guard guard(lock);
  if (bytes)
    machine.copy(addressOf(to), addressOf(from), bytes);
}

void SimDevice::encodeTensorMap(const TensorMapRecipe &recipe, std::byte (&to)[tensorMapBytes]) {
  sim::TensorMap map;
  map.element = static_cast<sim::TensorElement>(tensorMapElement(recipe.type));
  map.rank = static_cast<unsigned>(recipe.sizes.size());
  map.swizzle = static_cast<unsigned>(recipe.swizzle);
  map.base = addressOf(recipe.data);
  map.elementStrides.fill(1);
  std::copy(recipe.sizes.begin(), recipe.sizes.end(), map.dims.begin());
  std::copy(recipe.box.begin(), recipe.box.end(), map.box.begin());
  std::copy(recipe.strides.begin(), recipe.strides.end(), map.strides.begin());
  if (std::vector<std::string> faults = sim::tensorMapFaults(map); !faults.empty())
    throw Error(std::move(faults));
  uint8_t bytes[sim::TensorMap::kBytes];
  sim::encodeTensorMap(map, bytes);
  std::copy_n(reinterpret_cast<const std::byte *>(bytes), sizeof bytes, to);
}

std::vector<LabelCount> SimDevice::takeCounts() {
  std::lock_guard guard(lock);
  return std::exchange(counts, {});
}

std::shared_ptr<Module> SimDevice::loadModule(const std::string &text, const KernelFile &,
                                              const std::string &fileName) {
  std::lock_guard guard(lock);
  sim::Simulator::Module handle = machine.load(text, fileName);
  return std::make_shared<SimModule>(std::static_pointer_cast<SimDevice>(shared_from_this()), handle);
}

void SimDevice::unload(sim::Simulator::Module module) {
  std::lock_guard guard(lock);
  machine.unload(module);
}

void SimDevice::run(sim::Simulator::Module module, const EntryLaunch &launch) {
  std::lock_guard guard(lock);
  const KernelEntry &entry = *launch.entry;
  sim::LaunchOptions here = options;
  here.cooperative = entry.cooperative;
  here.overlapsPrevious = launch.overlapsPrevious;
  sim::LaunchStatistics statistics =
      machine.launch(module, entry.name, {static_cast<unsigned>(launch.grid)}, {static_cast<unsigned>(entry.block)},
                     static_cast<uint32_t>(entry.shared), launch.parameters.data(), launch.parameters.size(), here);
  uint64_t warps = static_cast<uint64_t>(entry.block + 31) / 32;
  for (const sim::LabelCount &count : statistics.labels) {
    auto known = std::find_if(counts.begin(), counts.end(), [&](const LabelCount &other) {
      return other.entry == entry.name && other.label == count.label;
    });
    if (known == counts.end())
      counts.push_back({entry.name, count.label, count.entries, warps});
    else
      known->executions += count.entries;
  }
}

} // namespace attn
