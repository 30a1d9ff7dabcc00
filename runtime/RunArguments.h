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
  bool sharePages = false;                    ///< random page tables begin with pages of the sequence before
};

/// An argument in host memory.
struct HostArgument {
  const KernelArgument *argument = nullptr;
  Array array;   ///< tensors, in the kernel's type; results hold zeros
  Scalar scalar; ///< scalars
};

struct Absence;

/// All arguments in the order of a launch. Files are rounded to the kernel's types; tensors without a file are N(0, 1),
/// lengths are random within the sizes, tables, pointers and lists as the kernel's facts say (RandomData.h). The same
/// seed gives the same values. Throws Error with everything that is missing or does not fit.
std::vector<HostArgument> makeArguments(const KernelSection &kernel, const ArgumentRequest &request);

/// The value of every named dimension, from shapes.
std::map<std::string, int64_t> sizesOf(const std::vector<HostArgument> &arguments);

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
  void place(const HostArgument &argument, const Absence &absence);
  void fillResult(const HostArgument &argument, void *data);

  Kernel &kernel;
  const std::vector<HostArgument> &arguments;
  std::vector<Value> values;
  std::vector<void *> owned;
  Workspace workspace;
};

} // namespace attn

#endif // ATTN_RUNTIME_RUNARGUMENTS_H
