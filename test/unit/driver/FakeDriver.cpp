// SPDX-License-Identifier: Apache-2.0
// Stands in for libcuda.so.1 in a test: one device in host memory that runs one kernel, `twice`, and refuses wrong use.
// Another, `mapped`, gives back what its tensor map was encoded from, and `early` is `twice` that must overlap. What a
// launch must not do is counted by attnFakeHostWork.
// ATTN_FAKE_CAPABILITY is its compute capability, 86 when it is not set.
#include "runtime/cuda_driver.h"

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <set>
#include <string>

using namespace attn::cuda;

namespace {

constexpr Result invalidValue = 1, notReady = 201, notFound = 500;
int contextTag, moduleTag, functionTag, mappedTag, earlyTag, streamTag;
int hostWork = 0; ///< allocations, copies and waits so far
Context current = nullptr;
int shared = -1, retained = 0;
std::set<void *> events;

/// What needs a context fails without one, as the driver's functions do.
Result withContext() { return current && retained > 0 ? 0 : notReady; }

int capability() {
  const char *text = std::getenv("ATTN_FAKE_CAPABILITY");
  return text ? std::atoi(text) : 86;
}

Result runTwice(unsigned grid, void **parameters) {
  auto **x = static_cast<float **>(parameters[0]), **y = static_cast<float **>(parameters[2]);
  float factor = *static_cast<float *>(parameters[1]);
  for (unsigned i = 0; i < grid; ++i)
    (*y)[i] = (*x)[i] * factor;
  return 0;
}

/// What an encoded map looks like here.
struct EncodedMap {
  int32_t type, rank, swizzle, promotion;
  uint64_t address;
  uint32_t sizes[5], strides[4], box[5];
};
static_assert(sizeof(EncodedMap) <= 128);

Result runMapped(void **parameters) {
  if (reinterpret_cast<uintptr_t>(parameters[0]) % 8)
    return invalidValue;
  EncodedMap map;
  std::memcpy(&map, parameters[0], sizeof map);
  std::memcpy(*static_cast<float **>(parameters[1]), &map, sizeof map);
  return 0;
}

} // namespace

extern "C" {

Result cuInit(unsigned flags) { return flags ? invalidValue : 0; }
Result cuDriverGetVersion(int *version) { return *version = 12040, 0; }
Result cuDeviceGetCount(int *count) { return *count = 1, 0; }
Result cuDeviceGet(Ordinal *device, int ordinal) { return *device = 5, ordinal ? invalidValue : 0; }
Result cuDeviceGetName(char *name, int length, Ordinal device) {
  std::strncpy(name, "fake device", static_cast<size_t>(length));
  return device == 5 ? 0 : invalidValue;
}
Result cuDeviceGetAttribute(int *value, int attribute, Ordinal device) {
  *value = attribute == attributeComputeMajor      ? capability() / 10
           : attribute == attributeComputeMinor    ? capability() % 10
           : attribute == attributeMultiprocessors ? 84
                                                   : 101376;
  return device == 5 ? 0 : invalidValue;
}
Result cuDevicePrimaryCtxRetain(Context *context, Ordinal) {
  ++retained;
  return *context = reinterpret_cast<Context>(&contextTag), 0;
}
Result cuDevicePrimaryCtxRelease_v2(Ordinal) { return --retained, 0; }
Result cuCtxGetCurrent(Context *context) { return *context = current, 0; }
Result cuCtxPushCurrent_v2(Context context) { return current = context, 0; }
Result cuCtxPopCurrent_v2(Context *context) {
  *context = current;
  return current = nullptr, 0;
}
Result cuMemAlloc_v2(Address *address, size_t bytes) {
  ++hostWork;
  if (bytes == 0 || bytes >> 40 || withContext())
    return invalidValue;
  *address = reinterpret_cast<Address>(std::aligned_alloc(256, (bytes + 255) / 256 * 256));
  return 0;
}
Result cuMemFree_v2(Address address) {
  ++hostWork;
  std::free(reinterpret_cast<void *>(address));
  return withContext();
}
Result cuMemcpyHtoD_v2(Address to, const void *from, size_t bytes) {
  ++hostWork;
  std::memcpy(reinterpret_cast<void *>(to), from, bytes);
  return withContext();
}
Result cuMemcpyDtoH_v2(void *to, Address from, size_t bytes) {
  ++hostWork;
  std::memcpy(to, reinterpret_cast<void *>(from), bytes);
  return withContext();
}
Result cuMemcpyDtoDAsync_v2(Address to, Address from, size_t bytes, StreamHandle) {
  ++hostWork;
  std::memmove(reinterpret_cast<void *>(to), reinterpret_cast<void *>(from), bytes);
  return withContext();
}
Result cuStreamCreate(StreamHandle *stream, unsigned flags) {
  *stream = reinterpret_cast<StreamHandle>(&streamTag);
  return flags == streamNonBlocking ? withContext() : invalidValue;
}
Result cuStreamDestroy_v2(StreamHandle stream) { return stream ? withContext() : invalidValue; }
Result cuStreamSynchronize(StreamHandle) { return ++hostWork, withContext(); }
Result cuEventCreate(Event *event, unsigned) {
  *event = reinterpret_cast<Event>(std::malloc(1));
  events.insert(*event);
  return withContext();
}
Result cuEventRecord(Event event, StreamHandle) { return events.count(event) ? 0 : invalidValue; }
Result cuEventSynchronize(Event event) { return ++hostWork, events.count(event) ? 0 : invalidValue; }
Result cuEventElapsedTime(float *milliseconds, Event first, Event second) {
  *milliseconds = 1.5f;
  return events.count(first) && events.count(second) ? 0 : invalidValue;
}
Result cuEventDestroy_v2(Event event) {
  if (!events.erase(event))
    return invalidValue;
  std::free(event);
  return 0;
}
Result cuModuleLoadDataEx(ModuleHandle *module, const void *image, unsigned count, int *options, void **values) {
  const char *text = static_cast<const char *>(image);
  if (!std::strncmp(text, "\177ELF", 4) && !std::strstr(text, "sm_86"))
    return 209;
  if (std::strstr(text, "twice") && !std::strstr(text, "bad"))
    return *module = reinterpret_cast<ModuleHandle>(&moduleTag), withContext();
  for (unsigned i = 0; i < count; ++i)
    if (options[i] == jitErrorLogBuffer)
      std::strcpy(static_cast<char *>(values[i]), "ptxas application ptx input, line 9; error\n");
  return 218;
}
Result cuModuleUnload(ModuleHandle) { return withContext(); }
Result cuModuleGetFunction(Function *function, ModuleHandle module, const char *name) {
  int *tag = !std::strcmp(name, "twice")    ? &functionTag
             : !std::strcmp(name, "mapped") ? &mappedTag
             : !std::strcmp(name, "early")  ? &earlyTag
                                            : nullptr;
  *function = reinterpret_cast<Function>(tag);
  return module == reinterpret_cast<ModuleHandle>(&moduleTag) && tag ? 0 : notFound;
}
Result cuFuncSetAttribute(Function, int attribute, int value) {
  shared = value;
  return attribute == functionMaxDynamicShared ? 0 : invalidValue;
}
Result cuFuncGetAttribute(int *value, int attribute, Function) {
  *value = 256;
  return attribute == functionMaxThreadsPerBlock ? 0 : invalidValue;
}
Result cuLaunchKernel(Function function, unsigned gridX, unsigned gridY, unsigned gridZ, unsigned blockX,
                      unsigned blockY, unsigned blockZ, unsigned sharedBytes, StreamHandle, void **parameters,
                      void **extra) {
  if (function == reinterpret_cast<Function>(&mappedTag))
    return runMapped(parameters);
  if (function != reinterpret_cast<Function>(&functionTag) || gridY * gridZ * blockY * blockZ != 1 || extra ||
      blockX > 256 || gridX > 4096 || static_cast<int>(sharedBytes) != shared || withContext())
    return invalidValue;
  return runTwice(gridX, parameters);
}
Result cuLaunchCooperativeKernel(Function, unsigned gridX, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned,
                                 StreamHandle, void **parameters) {
  return gridX > 2 ? tooManyBlocksCooperative : runTwice(gridX, parameters);
}
Result cuLaunchKernelEx(const LaunchConfig *config, Function function, void **parameters, void **extra) {
  if (function != reinterpret_cast<Function>(&earlyTag) || extra || config->attributeCount != 1 ||
      config->attributes->id != launchOverlapsPrevious || config->attributes->allowed != 1 ||
      config->gridY * config->gridZ * config->blockX * config->blockY * config->blockZ != 1 ||
      static_cast<int>(config->shared) != shared || config->stream || withContext())
    return invalidValue;
  return runTwice(config->gridX, parameters);
}
int attnFakeHostWork() { return hostWork; }
Result cuTensorMapEncodeTiled(void *map, int type, unsigned rank, void *address, const uint64_t *sizes,
                              const uint64_t *strides, const unsigned *box, const unsigned *elementStrides,
                              int interleave, int swizzle, int promotion, int fill) {
  if (reinterpret_cast<uintptr_t>(map) % 64 || reinterpret_cast<uintptr_t>(address) % 16 || rank < 3 || rank > 5 ||
      interleave || fill || withContext())
    return invalidValue;
  EncodedMap encoded{type, int32_t(rank), swizzle, promotion, reinterpret_cast<uint64_t>(address), {}, {}, {}};
  for (unsigned i = 0; i < rank; ++i) {
    if (sizes[i] == 0 || box[i] > 256 || elementStrides[i] != 1 || (i && strides[i - 1] % 16))
      return invalidValue;
    encoded.sizes[i] = uint32_t(sizes[i]);
    encoded.box[i] = box[i];
    if (i)
      encoded.strides[i - 1] = uint32_t(strides[i - 1]);
  }
  std::memcpy(map, &encoded, sizeof encoded);
  return 0;
}
Result cuGetErrorString(Result code, const char **text) {
  *text = code == 218   ? "a PTX JIT compilation failed"
          : code == 209 ? "no kernel image is available for execution on the device"
                        : "invalid argument";
  return 0;
}

} // extern "C"
