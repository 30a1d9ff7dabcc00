// SPDX-License-Identifier: Apache-2.0
// The CUDA backend: the primary context of a device, modules compiled by the driver, launches on the caller's stream.
#include "runtime/CudaDevice.h"
#include "runtime/cuda_driver.h"

#include <charconv>
#include <cstring>
#include <dlfcn.h>
#include <fmt/format.h>

namespace attn {

using namespace cuda;

namespace {

struct Library {
  Driver driver;
  std::string fault; ///< why there is no driver; empty when there is one
};

Library openLibrary() {
  Library library;
  void *handle = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
  if (!handle) {
    library.fault = "there is no NVIDIA driver on this machine: libcuda.so.1 cannot be opened";
    return library;
  }
#define ATTN_CUDA_LOOKUP(member, name, arguments)                                                                      \
  library.driver.member = reinterpret_cast<decltype(library.driver.member)>(dlsym(handle, name));                      \
  if (!library.driver.member && library.fault.empty())                                                                 \
    library.fault = "the NVIDIA driver is too old: it has no " name;
  ATTN_CUDA_FUNCTIONS(ATTN_CUDA_LOOKUP)
#undef ATTN_CUDA_LOOKUP
#define ATTN_CUDA_LOOKUP(member, name, arguments)                                                                      \
  library.driver.member = reinterpret_cast<decltype(library.driver.member)>(dlsym(handle, name));
  ATTN_CUDA_LATER_FUNCTIONS(ATTN_CUDA_LOOKUP)
#undef ATTN_CUDA_LOOKUP
  if (!library.fault.empty())
    return library;
  if (Result code = library.driver.init(0)) {
    const char *text = nullptr;
    library.driver.errorText(code, &text);
    library.fault = fmt::format("the NVIDIA driver does not start: {}", text ? text : "unknown error");
    if (code == noDevice)
      library.fault = "there is an NVIDIA driver on this machine, but no device";
  }
  return library;
}

const Library &library() {
  static const Library opened = openLibrary();
  return opened;
}

std::string textOf(Result code) {
  const char *text = nullptr;
  library().driver.errorText(code, &text);
  return fmt::format("{} (CUDA error {})", text ? text : "unknown error", code);
}

void check(Result code, const char *what) {
  if (code)
    throw Error(fmt::format("{}: {}", what, textOf(code)));
}

/// The device's primary context is current while this lives; cheap when it already is.
class Current {
public:
  explicit Current(Context context) {
    Context now = nullptr;
    check(library().driver.contextCurrent(&now), "cannot ask for the current CUDA context");
    if (now == context)
      return;
    check(library().driver.contextPush(context), "cannot make the CUDA context current");
    pushed = true;
  }
  ~Current() {
    Context ignored;
    if (pushed)
      library().driver.contextPop(&ignored);
  }
  Current(const Current &) = delete;
  Current &operator=(const Current &) = delete;

private:
  bool pushed = false;
};

Address addressOf(const void *data) { return reinterpret_cast<uintptr_t>(data); }
StreamHandle handleOf(Stream stream) { return static_cast<StreamHandle>(stream); }

class CudaModule : public Module {
public:
  CudaModule(std::shared_ptr<Device> device, Context context, ModuleHandle handle)
      : device(std::move(device)), context(context), handle(handle) {}

  ~CudaModule() override {
    try {
      Current current(context);
      library().driver.moduleUnload(handle);
    } catch (const Error &) {
      // The context is gone, and the module with it.
    }
  }

  /// Finds an entry and prepares it, so that a launch has nothing left to set.
  void prepare(const KernelEntry &entry, int sharedLimit) {
    const Driver &driver = library().driver;
    Function function = nullptr;
    check(driver.moduleFunction(&function, handle, entry.name.c_str()), "cannot find the entry");
    if (entry.shared > sharedLimit)
      throw Error(fmt::format("entry '{}' needs {} bytes of shared memory, this device has {}", entry.name,
                              entry.shared, sharedLimit));
    check(driver.functionSet(function, functionMaxDynamicShared, static_cast<int>(entry.shared)),
          "cannot set the size of shared memory");
    int threads = 0;
    check(driver.functionGet(&threads, functionMaxThreadsPerBlock, function), "cannot ask for the size of a program");
    if (threads < entry.block)
      throw Error(fmt::format("entry '{}' has {} threads, this device can run {} of it: it uses too many registers",
                              entry.name, entry.block, threads));
    functions[entry.name] = function;
  }

  void launch(const EntryLaunch &launch, Stream stream) override {
    const KernelEntry &entry = *launch.entry;
    Function function = functions.at(entry.name);
    std::vector<void *> parameters;
    for (size_t offset : launch.parameterOffsets)
      parameters.push_back(const_cast<std::byte *>(launch.parameters.data() + offset));
    Current current(context);
    auto grid = static_cast<unsigned>(launch.grid), block = static_cast<unsigned>(entry.block);
    auto shared = static_cast<unsigned>(entry.shared);
    const Driver &driver = library().driver;
    Result code = 0;
    if (entry.cooperative)
      code = driver.launchCooperative(function, grid, 1, 1, block, 1, 1, shared, handleOf(stream), parameters.data());
    else if (launch.overlapsPrevious && driver.launchWith)
      code = launchEarly(function, grid, block, shared, handleOf(stream), parameters.data());
    else // In the usual order, as a driver without early starts has it, the entry's wait returns at once.
      code =
          driver.launchKernel(function, grid, 1, 1, block, 1, 1, shared, handleOf(stream), parameters.data(), nullptr);
    if (code == tooManyBlocksCooperative)
      throw Error(fmt::format("entry '{}' needs {} programs at once, more than this device holds", entry.name, grid));
    if (code)
      throw Error(fmt::format("cannot launch '{}': {}", entry.name, textOf(code)));
  }

private:
  static Result launchEarly(Function function, unsigned grid, unsigned block, unsigned shared, StreamHandle stream,
                            void **parameters) {
    LaunchAttribute attribute = {};
    attribute.id = launchOverlapsPrevious;
    attribute.allowed = 1;
    LaunchConfig config{grid, 1, 1, block, 1, 1, shared, stream, &attribute, 1};
    return library().driver.launchWith(&config, function, parameters, nullptr);
  }

  std::shared_ptr<Device> device;
  Context context;
  ModuleHandle handle;
  std::map<std::string, Function> functions;
};

class CudaDevice : public Device {
public:
  explicit CudaDevice(int ordinal) {
    check(driver().deviceGet(&device, ordinal), "cannot open the CUDA device");
    char text[256] = {};
    check(driver().deviceName(text, sizeof text - 1, device), "cannot ask for the device's name");
    label = text;
    capability = attribute(attributeComputeMajor) * 10 + attribute(attributeComputeMinor);
    sharedMemory = attribute(attributeMaxSharedPerBlockOptin);
    processors = attribute(attributeMultiprocessors);
    check(driver().contextRetain(&context, device), "cannot make a CUDA context");
  }
  ~CudaDevice() override { driver().contextRelease(device); }

  std::string name() const override { return label; }
  std::string target() const override { return fmt::format("sm_{}", capability); }
  int64_t sharedLimit() const override { return sharedMemory; }
  int64_t multiprocessors() const override { return processors; }
  std::string refusalOf(std::string_view target) const override { return refusalOn(target, capability); }

  void *allocate(size_t bytes, std::string_view) override {
    Current current(context);
    Address address = 0;
    // The driver refuses sizes of 0; a tensor without elements still gets an address of its own.
    Result code = driver().memoryAllocate(&address, bytes ? bytes : 1);
    if (code)
      throw Error(fmt::format("cannot allocate {} bytes on {}: {}", bytes, label, textOf(code)));
    return reinterpret_cast<void *>(address);
  }

  void release(void *data) override {
    Current current(context);
    if (data)
      check(driver().memoryFree(addressOf(data)), "cannot free device memory");
  }

  void copyToDevice(void *to, const void *from, size_t bytes) override {
    Current current(context);
    if (bytes)
      check(driver().copyToDevice(addressOf(to), from, bytes), "cannot copy to the device");
  }

  void copyToHost(void *to, const void *from, size_t bytes) override {
    Current current(context);
    if (bytes)
      check(driver().copyToHost(to, addressOf(from), bytes), "cannot copy from the device");
  }

  void copyOnDevice(void *to, const void *from, size_t bytes, Stream stream) override {
    Current current(context);
    if (bytes)
      check(driver().copyOnDevice(addressOf(to), addressOf(from), bytes, handleOf(stream)),
            "cannot copy on the device");
  }

  Stream createStream() override {
    Current current(context);
    StreamHandle stream = nullptr;
    check(driver().streamCreate(&stream, streamNonBlocking), "cannot make a stream");
    return stream;
  }

  void destroyStream(Stream stream) override {
    Current current(context);
    if (stream)
      check(driver().streamDestroy(handleOf(stream)), "cannot destroy a stream");
  }

  void synchronize(Stream stream) override {
    Current current(context);
    check(driver().streamSynchronize(handleOf(stream)), "a kernel failed");
  }

  void encodeTensorMap(const TensorMapRecipe &recipe, std::byte (&to)[tensorMapBytes]) override {
    if (!driver().encodeTensorMap)
      throw Error("the NVIDIA driver is too old: it has no cuTensorMapEncodeTiled");
    Current current(context);
    alignas(tensorMapAlignment) std::byte encoded[tensorMapBytes];
    const unsigned elementStrides[] = {1, 1, 1, 1, 1};
    int swizzle = tensorMapSwizzles[recipe.swizzle == 128 ? 3 : recipe.swizzle / 32];
    check(driver().encodeTensorMap(encoded, tensorMapElement(recipe.type), static_cast<unsigned>(recipe.sizes.size()),
                                   recipe.data, recipe.sizes.data(), recipe.strides.data(), recipe.box.data(),
                                   elementStrides, tensorMapInterleaveNone, swizzle, tensorMapPromotion128,
                                   tensorMapFillZero),
          "cannot encode a tensor map");
    std::memcpy(to, encoded, sizeof encoded);
  }

  void *recordEvent(Stream stream) override {
    Current current(context);
    Event event = nullptr;
    check(driver().eventCreate(&event, eventDefault), "cannot make an event");
    check(driver().eventRecord(event, handleOf(stream)), "cannot record an event");
    return event;
  }

  double millisecondsBetween(void *first, void *second) override {
    Current current(context);
    float milliseconds = 0;
    check(driver().eventSynchronize(static_cast<Event>(second)), "a kernel failed");
    check(driver().eventElapsed(&milliseconds, static_cast<Event>(first), static_cast<Event>(second)),
          "cannot ask for the time between events");
    return milliseconds;
  }

  void releaseEvent(void *event) override {
    Current current(context);
    check(driver().eventDestroy(static_cast<Event>(event)), "cannot destroy an event");
  }

  std::shared_ptr<Module> loadCubin(const std::string &bytes, const KernelFile &file,
                                    const std::string &fileName) override {
    return loadModule(bytes, file, fileName); // the driver tells one from the other
  }

  std::shared_ptr<Module> loadModule(const std::string &text, const KernelFile &file,
                                     const std::string &fileName) override {
    Current current(context);
    std::string log(8192, '\0');
    int options[] = {jitErrorLogBuffer, jitErrorLogBufferBytes};
    void *values[] = {log.data(), reinterpret_cast<void *>(log.size() - 1)};
    ModuleHandle handle = nullptr;
    if (Result code = driver().moduleLoad(&handle, text.c_str(), 2, options, values))
      throw Error(refusalText(code, log.c_str(), fileName));
    auto module = std::make_shared<CudaModule>(shared_from_this(), context, handle);
    for (const KernelSection &kernel : file.kernels)
      for (const KernelStep &step : kernel.steps)
        for (const KernelEntry &entry : step.alternatives)
          module->prepare(entry, sharedMemory);
    return module;
  }

private:
  static const Driver &driver() { return library().driver; }

  int attribute(int which) const {
    int value = 0;
    check(driver().deviceAttribute(&value, which, device), "cannot ask for an attribute of the device");
    return value;
  }

  static std::string refusalText(Result code, std::string_view log, const std::string &fileName) {
    if (code == unsupportedPtxVersion)
      return fmt::format("{} has a newer PTX version than this driver knows: update the driver", fileName);
    while (!log.empty() && (log.back() == '\n' || log.back() == ' '))
      log.remove_suffix(1);
    return fmt::format("the driver refuses {}: {}{}{}", fileName, textOf(code), log.empty() ? "" : "\n", log);
  }

  Ordinal device = 0;
  Context context = nullptr;
  std::string label;
  int capability = 0, sharedMemory = 0, processors = 1;
};

} // namespace

std::string refusalOn(std::string_view target, int capability) {
  std::string_view digits = target.starts_with("sm_") ? target.substr(3) : std::string_view();
  char suffix = 0;
  if (!digits.empty() && (digits.back() == 'a' || digits.back() == 'f')) {
    suffix = digits.back();
    digits.remove_suffix(1);
  }
  int wanted = 0;
  auto [end, code] = std::from_chars(digits.data(), digits.data() + digits.size(), wanted);
  if (digits.empty() || code != std::errc() || end != digits.data() + digits.size())
    return fmt::format("expects a target such as sm_80, got '{}'", target);
  bool runs = suffix == 'a'   ? capability == wanted
              : suffix == 'f' ? capability / 10 == wanted / 10 && capability >= wanted
                              : capability >= wanted;
  if (runs)
    return {};
  std::string other = capability < wanted ? fmt::format("sm_{} or below", capability)
                                          : fmt::format("sm_{}, which later chips run", wanted);
  return fmt::format("is compiled for {}, this device is sm_{}: compile it for {}", target, capability, other);
}

std::shared_ptr<Device> openCuda(const std::string &ordinal) {
  int number = -1;
  auto [end, code] = std::from_chars(ordinal.data(), ordinal.data() + ordinal.size(), number);
  if (code != std::errc() || end != ordinal.data() + ordinal.size() || number < 0)
    throw Error(fmt::format("expects a number after 'cuda:', got '{}'", ordinal));
  if (!library().fault.empty())
    throw Error(library().fault);
  int count = 0;
  check(library().driver.deviceCount(&count), "cannot count CUDA devices");
  if (number >= count)
    throw Error(fmt::format("expects one of the {} CUDA devices of this machine, got cuda:{}", count, number));
  return std::make_shared<CudaDevice>(number);
}

std::shared_ptr<Device> openCudaIfPresent() {
  int count = 0;
  if (!library().fault.empty() || library().driver.deviceCount(&count) || count == 0)
    return nullptr;
  return openCuda("0");
}

} // namespace attn
