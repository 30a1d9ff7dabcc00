// SPDX-License-Identifier: Apache-2.0
// The whole public C++ API: open a device, load a kernel, launch it.
//
//   auto device = attn::Device::open("cuda:0");             // or "sim", or "auto"
//   auto kernel = device->load("prefill.ptx", "prefill");   // or a spec: compiled when needed and cached
//   kernel->launch({q, k, v, o}, workspace, stream);        // shapes and strides from the tensors
//
// Every error that a caller can cause is an attn::Error (runtime/Error.h); when it is thrown nothing was launched.
#ifndef ATTN_RUNTIME_RUNTIME_H
#define ATTN_RUNTIME_RUNTIME_H

#include "runtime/Error.h"
#include "runtime/KernelFile.h"
#include "runtime/Types.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace attn {

/// A CUstream on CUDA (null is the default stream); without meaning on the simulator.
using Stream = void *;

/// Memory of a device seen as a tensor. Not owned.
struct Tensor {
  void *data = nullptr; ///< device address of element (0, 0, ...)
  DType type = DType::F32;
  std::vector<int64_t> shape;   ///< elements per dimension
  std::vector<int64_t> strides; ///< in elements, one per dimension, may be 0; empty means contiguous, last one fastest
};

/// A number passed by value. Which form is right is said by the kernel: f32 takes both, i32 and index take integers.
using Scalar = std::variant<double, int64_t>;

/// One argument of a launch.
class Value {
public:
  Value(Tensor given) : held(std::move(given)) {}
  Value(double number) : held(Scalar(number)) {}
  Value(float number) : held(Scalar(static_cast<double>(number))) {}
  Value(int64_t number) : held(Scalar(number)) {}
  Value(int number) : held(Scalar(static_cast<int64_t>(number))) {}
  const Tensor *tensor() const { return std::get_if<Tensor>(&held); }
  const Scalar *scalar() const { return std::get_if<Scalar>(&held); }

private:
  std::variant<Tensor, Scalar> held;
};

/// Device memory for intermediate results, the caller's; never initialised, free for reuse after the launch.
struct Workspace {
  void *data = nullptr; ///< a multiple of workspaceAlignment
  size_t bytes = 0;
};
inline constexpr size_t workspaceAlignment = 256;

/// A tensor as copies by tensor map see it. Dimensions are innermost first.
struct TensorMapRecipe {
  void *data = nullptr; ///< a multiple of 16
  DType type = DType::F32;
  std::vector<uint64_t> sizes;   ///< elements, 1 or more
  std::vector<uint64_t> strides; ///< bytes, of all dimensions but the first: multiples of 16 below 2^40
  std::vector<uint32_t> box;     ///< elements that one copy moves
  int swizzle = 0;               ///< bytes: 0, 32, 64 or 128
};
inline constexpr size_t tensorMapBytes = 128, tensorMapAlignment = 64;
/// The number that the driver gives to elements of the type.
int tensorMapElement(DType type);

struct LaunchOptions {
  attn::Workspace workspace;
  attn::Stream stream = nullptr;
};

/// How a spec is compiled when it is given in place of a kernel file.
struct LoadOptions {
  std::string target;   ///< "sm_80"; empty: the nearest one that runs on the device
  std::string cache;    ///< folder of compiled kernels; empty: $XDG_CACHE_HOME/attn or ~/.cache/attn
  std::string compiler; ///< path of attnc; empty: beside the running program, then on PATH
};

/// One entry to be started: what a backend needs, nothing of it owned by the launch afterwards.
struct EntryLaunch {
  const KernelEntry *entry = nullptr;
  int64_t grid = 0;                     ///< programs along x, in [1, 2^31)
  bool overlapsPrevious = false;        ///< may begin before the launch before has ended: it waits for that itself
  std::vector<std::byte> parameters;    ///< packed as the entry's .param, each at its natural alignment
  std::vector<size_t> parameterOffsets; ///< where each begins
};

/// How often a place in the PTX was reached.
struct LabelCount {
  std::string entry;
  std::string label;       ///< as in the PTX, with ":LINE" after it where a name repeats
  uint64_t executions = 0; ///< times a warp executed the first instruction after it
  uint64_t warps = 1;      ///< warps of a program
};

/// A loaded file on a device: PTX that is ready to be started.
class Module {
public:
  virtual ~Module() = default;
  /// Starts one entry. Must not copy, allocate device memory, or synchronise.
  virtual void launch(const EntryLaunch &launch, Stream stream) = 0;
};

class Device;

/// A kernel that can be launched. Safe to use from several threads when the device is.
class Kernel {
public:
  Kernel(std::shared_ptr<Device> device, std::shared_ptr<Module> module, std::shared_ptr<const KernelFile> kernelFile,
         size_t index, std::string origin)
      : on(std::move(device)), code(std::move(module)), whole(std::move(kernelFile)), index(index),
        from(std::move(origin)) {}

  /// Name, arguments and steps, as the kernel file says.
  const KernelSection &section() const { return whole->kernels[index]; }
  const KernelFile &file() const { return *whole; }
  Device &device() const { return *on; }
  /// The file that its code came from, for people: the kernel file or the cubin beside it, and why not that one.
  const std::string &origin() const { return from; }

  /// Values in the order of section().arguments. Checks everything first and throws all faults at once; then starts the
  /// steps in order and returns at once (CUDA) or when they are done (simulator). A grid of 0 is success.
  void launch(const std::vector<Value> &values, const LaunchOptions &options = {}) const;
  void launch(const std::vector<Value> &values, Workspace workspace, Stream stream = nullptr) const {
    launch(values, LaunchOptions{workspace, stream});
  }

  /// The same with values by name, in any order.
  void launchNamed(const std::map<std::string, Value> &values, const LaunchOptions &options = {}) const;

  /// Bytes of workspace that a launch with these values needs; from shapes alone, addresses may be null.
  size_t workspaceBytes(const std::vector<Value> &values) const;

  /// What launch would start, after all checks, without starting it: one element per step that has programs.
  std::vector<EntryLaunch> plan(const std::vector<Value> &values, Workspace workspace) const;

private:
  std::shared_ptr<Device> on;
  std::shared_ptr<Module> code;
  std::shared_ptr<const KernelFile> whole;
  size_t index;
  std::string from;
};

/// A place where kernels run. Backends: CUDA (driver library opened at run time) and the simulator.
class Device : public std::enable_shared_from_this<Device> {
public:
  virtual ~Device() = default;

  /// "cuda:N", "sim", or "auto" (cuda:0 when there is one, else the simulator). The simulator takes options after a
  /// colon: "sim:seed=1,resident=1,order=reversed,approx=worst,mma=truncate,multiprocessors=8".
  static std::shared_ptr<Device> open(const std::string &name = "auto");

  /// Name for people ("NVIDIA H200", "simulator").
  virtual std::string name() const = 0;
  virtual bool isSimulator() const { return false; }

  /// What PTX calls this hardware: "sm_90".
  virtual std::string target() const = 0;

  /// Bytes of dynamic shared memory that a program can ask for.
  virtual int64_t sharedLimit() const { return INT64_MAX; }

  /// How many programs can run at the same time when each has a multiprocessor to itself; 1 or more.
  virtual int64_t multiprocessors() const { return 1; }

  /// A sentence when code for this target cannot run here; empty when it can.
  virtual std::string refusalOf(std::string_view target) const { return {}; }

  /// Device memory, not initialised. The label names it in the simulator's messages. Bytes may be 0.
  virtual void *allocate(size_t bytes, std::string_view label = {}) = 0;
  virtual void release(void *data) = 0;
  virtual void copyToDevice(void *to, const void *from, size_t bytes) = 0;
  virtual void copyToHost(void *to, const void *from, size_t bytes) = 0;
  /// Between two places on the device, in the order of the stream; does not wait.
  virtual void copyOnDevice(void *to, const void *from, size_t bytes, Stream stream = nullptr) = 0;

  virtual Stream createStream() { return nullptr; }
  virtual void destroyStream(Stream) {}
  /// Waits until everything in the stream is done. Throws what went wrong in it.
  virtual void synchronize(Stream stream = nullptr) = 0;

  /// Milliseconds between the marks that these calls put into a stream. Throws on devices without a clock.
  virtual void *recordEvent(Stream stream);
  virtual double millisecondsBetween(void *first, void *second);
  virtual void releaseEvent(void *event);

  /// Encodes a tensor map for kernels of this device; needs no memory of it and does not wait.
  virtual void encodeTensorMap(const TensorMapRecipe &recipe, std::byte (&to)[tensorMapBytes]);

  /// What kernels executed since the device was opened or this was last called; empty on CUDA.
  virtual std::vector<LabelCount> takeCounts() { return {}; }

  /// Loads a kernel file, or a spec, which is compiled when it is not in the cache. `kernelName` may be empty when the
  /// file holds one kernel. For K.ptx and a device sm_90 its code is taken from K.sm_90.CHECK.cubin beside it, where
  /// CHECK are the digits of the file's check line, when that exists and the driver accepts it: a name that says what
  /// the cubin was made of cannot be stale. tools/assemble makes it.
  std::shared_ptr<Kernel> load(const std::string &path, const std::string &kernelName = {},
                               const LoadOptions &options = {});

  /// Loads the text of a kernel file; `fileName` is for messages.
  std::shared_ptr<Kernel> loadText(const std::string &text, const std::string &kernelName = {},
                                   const std::string &fileName = "kernel file");

  /// Backends: makes the PTX ready, with all that must not happen in a launch.
  virtual std::shared_ptr<Module> loadModule(const std::string &text, const KernelFile &file,
                                             const std::string &fileName) = 0;

  /// Backends: the same from the bytes of a cubin, with the same file for its entries. Null where there are none.
  virtual std::shared_ptr<Module> loadCubin(const std::string &bytes, const KernelFile &file,
                                            const std::string &fileName) {
    return nullptr;
  }

private:
  std::shared_ptr<Kernel> loadParsed(const std::string &text, const std::string &kernelName,
                                     const std::string &fileName, const std::string &cubin);
};

} // namespace attn

#endif // ATTN_RUNTIME_RUNTIME_H
