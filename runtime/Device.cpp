// SPDX-License-Identifier: Apache-2.0
// What all devices share: opening by name, and from a path to a kernel.
#include "runtime/CudaDevice.h"
#include "runtime/Files.h"
#include "runtime/Jit.h"
#include "runtime/Runtime.h"
#include "runtime/SimDevice.h"

#include <algorithm>
#include <filesystem>
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

/// The most shared memory that an entry asks for.
static int64_t sharedOf(const KernelFile &file) {
  int64_t most = 0;
  for (const KernelSection &kernel : file.kernels)
    for (const KernelStep &step : kernel.steps)
      for (const KernelEntry &entry : step.alternatives)
        most = std::max(most, entry.shared);
  return most;
}

int tensorMapElement(DType type) {
  switch (type) {
  case DType::F16:
    return 6;
  case DType::BF16:
    return 9;
  case DType::F32:
    return 7;
  case DType::F64:
    return 8;
  case DType::I32:
    return 3;
  case DType::I64:
  case DType::Index:
    return 5;
  default:
    return 0;
  }
}

void Device::encodeTensorMap(const TensorMapRecipe &, std::byte (&)[tensorMapBytes]) {
  throw Error(fmt::format("{} has no tensor maps", name()));
}

void *Device::recordEvent(Stream) { throw Error(fmt::format("{} has no clock: times are measured on CUDA", name())); }
double Device::millisecondsBetween(void *, void *) { return 0; }
void Device::releaseEvent(void *) {}

/// K.sm_90.CHECK.cubin for K.ptx; nothing for a text without a check line, which is refused anyway.
static std::string cubinPathOf(const std::string &path, const std::string &text, const std::string &chip) {
  constexpr std::string_view check = "\n//! check ";
  size_t at = text.find(check);
  if (at == std::string::npos)
    return {};
  std::string stem = path.ends_with(".ptx") ? path.substr(0, path.size() - 4) : path;
  size_t begin = at + check.size();
  return fmt::format("{}.{}.{}.cubin", stem, chip, text.substr(begin, text.find('\n', begin) - begin));
}

std::shared_ptr<Kernel> Device::loadText(const std::string &text, const std::string &kernelName,
                                         const std::string &fileName) {
  return loadParsed(text, kernelName, fileName, {});
}

std::shared_ptr<Kernel> Device::loadParsed(const std::string &text, const std::string &kernelName,
                                           const std::string &fileName, const std::string &cubin) {
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
  std::shared_ptr<Module> module;
  std::string origin = fileName;
  try {
    if (std::error_code ignored; !cubin.empty() && std::filesystem::exists(cubin, ignored))
      module = loadCubin(readFile(cubin), *file, cubin);
    if (module)
      origin = cubin;
  } catch (const Error &error) {
    // The PTX says the same, and the driver translates it.
    origin = fmt::format("{}: {}", fileName, error.what());
  }
  if (!module)
    module = loadModule(text, *file, fileName);
  return std::make_shared<Kernel>(shared_from_this(), std::move(module), std::move(file), section, std::move(origin));
}

std::shared_ptr<Kernel> Device::load(const std::string &path, const std::string &kernelName,
                                     const LoadOptions &options) {
  std::string text = readFile(path);
  if (looksLikeKernelFile(text) || path.ends_with(".ptx"))
    return loadParsed(text, kernelName, path, cubinPathOf(path, text, target()));
  if (!options.target.empty())
    return loadText(compileSpec(path, options), kernelName, path);
  // A later chip runs what was compiled for one before it, but may have less shared memory than that: sm_120 and sm_90.
  LoadOptions nearest = options;
  std::string first;
  for (const std::string &target : targetsFor(*this, path, options)) {
    nearest.target = target;
    std::string compiled = compileSpec(path, nearest);
    if (sharedOf(parseKernelFile(compiled, path)) <= sharedLimit())
      return loadText(compiled, kernelName, path);
    if (first.empty())
      first = compiled;
  }
  return loadText(first, kernelName, path);
}

} // namespace attn
