// SPDX-License-Identifier: Apache-2.0
// What all devices share: opening by name, and from a path to a kernel.
#include "runtime/CudaDevice.h"
#include "runtime/Files.h"
#include "runtime/Jit.h"
#include "runtime/Runtime.h"
#include "runtime/SimDevice.h"

#include <fmt/format.h>

namespace attn {

std::shared_ptr<Device> Device::open(const std::string &name) {
  if (name == "auto") {
    if (std::shared_ptr<Device> cuda = openCudaIfPresent())
      return cuda;
    return SimDevice::open("");
  }
  if (name == "sim" || name.starts_with("sim:"))
    return SimDevice::open(name.size() > 4 ? name.substr(4) : "");
  if (name == "cuda" || name.starts_with("cuda:"))
    return openCuda(name.size() > 5 ? name.substr(5) : "0");
  throw Error(fmt::format("expects a device auto, sim, sim:OPTIONS or cuda:N, got '{}'", name));
}

void *Device::recordEvent(Stream) { throw Error(fmt::format("{} has no clock: times are measured on CUDA", name())); }
double Device::millisecondsBetween(void *, void *) { return 0; }
void Device::releaseEvent(void *) {}

std::shared_ptr<Kernel> Device::loadText(const std::string &text, const std::string &kernelName,
                                         const std::string &fileName) {
  auto file = std::make_shared<const KernelFile>(parseKernelFile(text, fileName));
  std::string names;
  size_t section = file->kernels.size();
  for (size_t i = 0; i < file->kernels.size(); ++i) {
    names += (i ? ", " : "") + file->kernels[i].name;
    if (file->kernels[i].name == kernelName || (kernelName.empty() && file->kernels.size() == 1))
      section = i;
  }
  if (section == file->kernels.size() && kernelName.empty())
    throw Error(
        fmt::format("{} holds {} kernels ({}): expects the name of one", fileName, file->kernels.size(), names));
  if (section == file->kernels.size())
    throw Error(fmt::format("{} has no kernel '{}', it has {}", fileName, kernelName, names));
  if (std::string refusal = refusalOf(file->target); !refusal.empty())
    throw Error(fmt::format("{} {}", fileName, refusal));
  std::shared_ptr<Module> module = loadModule(text, *file, fileName);
  return std::make_shared<Kernel>(shared_from_this(), std::move(module), std::move(file), section);
}

std::shared_ptr<Kernel> Device::load(const std::string &path, const std::string &kernelName,
                                     const LoadOptions &options) {
  std::string text = readFile(path);
  if (looksLikeKernelFile(text) || path.ends_with(".ptx"))
    return loadText(text, kernelName, path);
  LoadOptions forDevice = options;
  if (forDevice.target.empty())
    forDevice.target = target();
  return loadText(compileSpec(path, forDevice), kernelName, path);
}

} // namespace attn
