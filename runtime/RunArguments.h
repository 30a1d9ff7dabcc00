// SPDX-License-Identifier: Apache-2.0
// The arguments of a launch as the tools make them: from .npy files, or random with given sizes.
#ifndef ATTN_RUNTIME_RUNARGUMENTS_H
#define ATTN_RUNTIME_RUNARGUMENTS_H

#include "runtime/Npy.h"
#include "runtime/Runtime.h"

#include <map>
#include <string>
#include <vector>

namespace attn {

/// What a user says about the arguments of a launch.
struct ArgumentRequest {
  std::map<std::string, std::string> files;   ///< name to .npy file
  std::map<std::string, std::string> scalars; ///< name to number
  std::map<std::string, int64_t> sizes;       ///< dimension to size, where no file says it
  uint64_t seed = 1;                          ///< of what is random
};

/// An argument in host memory.
struct HostArgument {
  const KernelArgument *argument = nullptr;
  Array array;   ///< tensors, in the kernel's type; results hold zeros
  Scalar scalar; ///< scalars
};

/// All arguments in the order of a launch. Files are rounded to the kernel's types; tensors without a file are N(0, 1),
/// lengths are random within the sizes, pointers and lists as the kernel's facts say. The same seed gives the same
/// values. Throws Error with everything that is missing or does not fit.
std::vector<HostArgument> makeArguments(const KernelSection &kernel, const ArgumentRequest &request);

/// The value of every named dimension, from shapes.
std::map<std::string, int64_t> sizesOf(const std::vector<HostArgument> &arguments);

/// The part of a tensor along dimension `axis` that does not exist: beyond the length of its sequence.
struct Padding {
  size_t tensor = 0; ///< index of the argument
  size_t axis = 0;
  std::vector<int64_t> lengths; ///< per index of dimension 0, clamped to the size along axis
};
std::vector<Padding> paddingOf(const KernelSection &kernel, const std::vector<HostArgument> &arguments);

/// Calls `visit(first, count)` for each run of consecutive elements that is padding.
template <typename Visitor> void forEachRun(const Padding &padding, const Array &array, Visitor &&visit) {
  int64_t inner = 1, outer = 1;
  for (size_t d = padding.axis + 1; d < array.shape.size(); ++d)
    inner *= array.shape[d];
  for (size_t d = 1; d < padding.axis; ++d)
    outer *= array.shape[d];
  int64_t size = array.shape[padding.axis], row = 0;
  for (int64_t length : padding.lengths)
    for (int64_t o = 0; o < outer; ++o, ++row)
      if (length < size)
        visit((row * size + length) * inner, (size - length) * inner);
}

/// What the data break of what the kernel relies on (lists that increase, pointers that never fall): a sentence for the
/// first place of each.
std::vector<std::string> brokenFacts(const KernelSection &kernel, const std::vector<HostArgument> &arguments);

/// Arguments on a device for as long as this lives. Each allocation ends with the tensor's last element; what does not
/// exist is NaN, and undefined on the simulator.
class PlacedArguments {
public:
  PlacedArguments(Kernel &kernel, const std::vector<HostArgument> &arguments);
  ~PlacedArguments();
  PlacedArguments(const PlacedArguments &) = delete;
  PlacedArguments &operator=(const PlacedArguments &) = delete;

  void launch(Stream stream = nullptr) { kernel.launch(values, workspace, stream); }
  /// The tensor as it is on the device now.
  Array read(size_t argument) const;

private:
  void place(const HostArgument &argument, const std::vector<Padding> &paddings, size_t index);
  void fillResult(const HostArgument &argument, void *data);

  Kernel &kernel;
  const std::vector<HostArgument> &arguments;
  std::vector<Value> values;
  std::vector<void *> owned;
  Workspace workspace;
};

} // namespace attn

#endif // ATTN_RUNTIME_RUNARGUMENTS_H
