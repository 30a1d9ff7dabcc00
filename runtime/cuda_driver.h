// SPDX-License-Identifier: Apache-2.0
// The part of the CUDA driver's interface that is used, declared here so that no toolkit is needed to build.
#ifndef ATTN_RUNTIME_CUDA_DRIVER_H
#define ATTN_RUNTIME_CUDA_DRIVER_H

#include <cstddef>
#include <cstdint>

namespace attn::cuda {

using Result = int; ///< CUresult; 0 is success
using Address = unsigned long long;
using Ordinal = int;
using Context = struct ContextTag *;
using ModuleHandle = struct ModuleTag *;
using Function = struct FunctionTag *;
using StreamHandle = struct StreamTag *;
using Event = struct EventTag *;

/// CUlaunchAttribute: one thing that is said about a launch. The value is a union of 64 bytes.
struct alignas(8) LaunchAttribute {
  int id;
  int unused;
  union {
    int allowed; ///< launchOverlapsPrevious: 1
    unsigned char bytes[64];
  };
};
static_assert(sizeof(LaunchAttribute) == 72);

/// CUlaunchConfig.
struct LaunchConfig {
  unsigned gridX, gridY, gridZ, blockX, blockY, blockZ, shared;
  StreamHandle stream;
  LaunchAttribute *attributes;
  unsigned attributeCount;
};
static_assert(sizeof(LaunchConfig) == 56);

// Values of the driver's enumerations.
inline constexpr Result noDevice = 100;
inline constexpr Result unsupportedPtxVersion = 222;
inline constexpr Result tooManyBlocksCooperative = 720;
inline constexpr int attributeMaxSharedPerBlockOptin = 97;
inline constexpr int attributeMultiprocessors = 16;
inline constexpr int attributeComputeMajor = 75;
inline constexpr int attributeComputeMinor = 76;
inline constexpr int functionMaxThreadsPerBlock = 0;
inline constexpr int functionMaxDynamicShared = 8;
inline constexpr int launchOverlapsPrevious = 6; ///< CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION
inline constexpr int jitErrorLogBuffer = 5;
inline constexpr int jitErrorLogBufferBytes = 6;
inline constexpr unsigned streamNonBlocking = 1;
inline constexpr unsigned eventDefault = 0;
inline constexpr int tensorMapInterleaveNone = 0;
inline constexpr int tensorMapSwizzles[] = {0, 1, 2, 3}; ///< none, 32, 64 and 128 bytes
inline constexpr int tensorMapPromotion128 = 2;
inline constexpr int tensorMapFillZero = 0;

/// Every function that is used: member, name in the library, arguments. Suffixes are the driver's versions.
#define ATTN_CUDA_FUNCTIONS(F)                                                                                         \
  F(init, "cuInit", (unsigned flags))                                                                                  \
  F(driverVersion, "cuDriverGetVersion", (int *version))                                                               \
  F(deviceCount, "cuDeviceGetCount", (int *count))                                                                     \
  F(deviceGet, "cuDeviceGet", (Ordinal * device, int ordinal))                                                         \
  F(deviceName, "cuDeviceGetName", (char *name, int length, Ordinal device))                                           \
  F(deviceAttribute, "cuDeviceGetAttribute", (int *value, int attribute, Ordinal device))                              \
  F(contextRetain, "cuDevicePrimaryCtxRetain", (Context * context, Ordinal device))                                    \
  F(contextRelease, "cuDevicePrimaryCtxRelease_v2", (Ordinal device))                                                  \
  F(contextCurrent, "cuCtxGetCurrent", (Context * context))                                                            \
  F(contextPush, "cuCtxPushCurrent_v2", (Context context))                                                             \
  F(contextPop, "cuCtxPopCurrent_v2", (Context * context))                                                             \
  F(memoryAllocate, "cuMemAlloc_v2", (Address * address, size_t bytes))                                                \
  F(memoryFree, "cuMemFree_v2", (Address address))                                                                     \
  F(copyToDevice, "cuMemcpyHtoD_v2", (Address to, const void *from, size_t bytes))                                     \
  F(copyToHost, "cuMemcpyDtoH_v2", (void *to, Address from, size_t bytes))                                             \
  F(copyOnDevice, "cuMemcpyDtoDAsync_v2", (Address to, Address from, size_t bytes, StreamHandle stream))               \
  F(streamCreate, "cuStreamCreate", (StreamHandle * stream, unsigned flags))                                           \
  F(streamDestroy, "cuStreamDestroy_v2", (StreamHandle stream))                                                        \
  F(streamSynchronize, "cuStreamSynchronize", (StreamHandle stream))                                                   \
  F(eventCreate, "cuEventCreate", (Event * event, unsigned flags))                                                     \
  F(eventRecord, "cuEventRecord", (Event event, StreamHandle stream))                                                  \
  F(eventSynchronize, "cuEventSynchronize", (Event event))                                                             \
  F(eventElapsed, "cuEventElapsedTime", (float *milliseconds, Event first, Event second))                              \
  F(eventDestroy, "cuEventDestroy_v2", (Event event))                                                                  \
  F(moduleLoad, "cuModuleLoadDataEx",                                                                                  \
    (ModuleHandle * module, const void *image, unsigned count, int *options, void **values))                           \
  F(moduleUnload, "cuModuleUnload", (ModuleHandle module))                                                             \
  F(moduleFunction, "cuModuleGetFunction", (Function * function, ModuleHandle module, const char *name))               \
  F(functionSet, "cuFuncSetAttribute", (Function function, int attribute, int value))                                  \
  F(functionGet, "cuFuncGetAttribute", (int *value, int attribute, Function function))                                 \
  F(launchKernel, "cuLaunchKernel",                                                                                    \
    (Function function, unsigned gridX, unsigned gridY, unsigned gridZ, unsigned blockX, unsigned blockY,              \
     unsigned blockZ, unsigned shared, StreamHandle stream, void **parameters, void **extra))                          \
  F(launchCooperative, "cuLaunchCooperativeKernel",                                                                    \
    (Function function, unsigned gridX, unsigned gridY, unsigned gridZ, unsigned blockX, unsigned blockY,              \
     unsigned blockZ, unsigned shared, StreamHandle stream, void **parameters))                                        \
  F(errorText, "cuGetErrorString", (Result code, const char **text))

/// Functions that drivers have which know the hardware they are for; null in others.
#define ATTN_CUDA_LATER_FUNCTIONS(F)                                                                                   \
  F(encodeTensorMap, "cuTensorMapEncodeTiled",                                                                         \
    (void *map, int type, unsigned rank, void *address, const uint64_t *sizes, const uint64_t *strides,                \
     const unsigned *box, const unsigned *elementStrides, int interleave, int swizzle, int promotion, int fill))       \
  F(launchWith, "cuLaunchKernelEx", (const LaunchConfig *config, Function function, void **parameters, void **extra))

/// The driver's functions, looked up once.
struct Driver {
#define ATTN_CUDA_MEMBER(member, name, arguments) Result(*member) arguments = nullptr;
  ATTN_CUDA_FUNCTIONS(ATTN_CUDA_MEMBER)
  ATTN_CUDA_LATER_FUNCTIONS(ATTN_CUDA_MEMBER)
#undef ATTN_CUDA_MEMBER
};

} // namespace attn::cuda

#endif // ATTN_RUNTIME_CUDA_DRIVER_H
