// SPDX-License-Identifier: Apache-2.0
// Memory of the launches of a test.
#include "test/cases/Bound.h"

namespace attn::cases {

/// Device memory that is given back at the end, also when a launch failed.
struct Bound::Memory {
  Memory(Device &on, size_t bytes, const std::string &label) : on(on), bytes(bytes) {
    data = on.allocate(bytes, label);
  }
  ~Memory() { on.release(data); }
  Memory(const Memory &) = delete;
  Memory &operator=(const Memory &) = delete;

  void put(const std::vector<std::byte> &from) const {
    if (bytes)
      on.copyToDevice(data, from.data(), bytes);
  }
  Tensor view(const PlacedTensor &host) const {
    auto *first = static_cast<std::byte *>(data) + static_cast<size_t>(host.offset) * sizeOf(host.type);
    return {first, host.type, host.shape, host.strides};
  }

  Device &on;
  size_t bytes;
  void *data = nullptr;
};

Bound::Bound(Kernel &kernel, const Arguments &given) : kernel(kernel), results(given.outputs) {
  std::map<std::string, Value> byName;
  for (const std::vector<PlacedTensor> *tensors : {&given.inputs, &given.outputs})
    for (const PlacedTensor &tensor : *tensors) {
      memory.push_back(std::make_unique<Memory>(device(), tensor.memory.size(), tensor.name));
      byName.emplace(tensor.name, memory.back()->view(tensor));
    }
  if (given.hasScale)
    byName.emplace("scale", Value(given.scaleValue));
  for (const auto &[name, number] : given.scalars)
    byName.emplace(name, std::visit([](auto held) { return Value(held); }, number));
  for (const KernelArgument &argument : kernel.section().arguments)
    values.push_back(byName.at(argument.name));
  scratch = std::make_unique<Memory>(device(), kernel.workspaceBytes(values), "workspace");
  fill(given);
}

Bound::~Bound() = default;

void Bound::fill(const Arguments &given) {
  size_t number = 0;
  for (const std::vector<PlacedTensor> *tensors : {&given.inputs, &given.outputs})
    for (const PlacedTensor &tensor : *tensors)
      put(number++, tensor);
  // Nobody initialises a workspace: here it holds what poisons every sum.
  scratch->put(std::vector<std::byte>(scratch->bytes, std::byte{0xff}));
}

void Bound::put(size_t number, const PlacedTensor &tensor) {
  if (tensor.memory.size() != memory[number]->bytes)
    throw Error("'" + tensor.name + "' has another size than what it should replace");
  memory[number]->put(tensor.memory);
}

void Bound::launch(Stream stream) const { kernel.launch(values, Workspace{scratch->data, scratch->bytes}, stream); }

std::vector<PlacedTensor> Bound::outputs() const {
  device().synchronize();
  std::vector<PlacedTensor> read = results;
  size_t first = memory.size() - read.size();
  for (size_t i = 0; i != read.size(); ++i)
    if (const Memory &from = *memory[first + i]; from.bytes)
      device().copyToHost(read[i].memory.data(), from.data, from.bytes);
  return read;
}

} // namespace attn::cases
