// SPDX-License-Identifier: Apache-2.0
// Damaged kernel files are read, and what is accepted is printed, loaded and launched on a device that only watches.
#include "test/fuzz/Fuzz.h"
#include "test/unit/Samples.h"

using namespace attn;

/// Tensors as the file says, whatever it says: the unknown sizes are 3.
static std::vector<Value> valuesFor(const KernelSection &kernel) {
  std::vector<Value> values;
  for (const KernelArgument &argument : kernel.arguments) {
    if (argument.kind == KernelArgument::Role::Scalar) {
      values.push_back(int64_t(1));
      continue;
    }
    Tensor tensor{reinterpret_cast<void *>(0x10000), argument.type, {}, {}};
    for (const Dimension &dimension : argument.shape)
      tensor.shape.push_back(dimension.size.value_or(3));
    values.push_back(tensor);
  }
  return values;
}

int main(int count, char **words) {
  auto device = std::make_shared<test::NoHostWorkDevice>();
  auto consume = [&](const std::string &text) {
    // Most damage would stop at the check line; it is made right again to get behind it.
    std::string repaired = text.size() % 8 == 0 ? text : repairCheck(text);
    KernelFile file = parseKernelFile(repaired);
    std::string again = printKernelFile(file, ".version 7.1\n");
    for (const KernelSection &section : file.kernels) {
      device->started.clear();
      std::shared_ptr<Kernel> kernel = device->loadText(repaired, section.name);
      kernel->launch(valuesFor(section), Workspace{reinterpret_cast<void *>(0x100000), size_t(1) << 40});
    }
  };
  return fuzz::run(count, words, {test::sampleWith()}, consume);
}
