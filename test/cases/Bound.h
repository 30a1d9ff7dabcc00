// SPDX-License-Identifier: Apache-2.0
// A kernel with all that its launches need on a device: arguments in memory of their own, and a workspace.
#pragma once

#include "runtime/Runtime.h"
#include "test/cases/Arguments.h"

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace attn::cases {

class Bound {
public:
  /// Puts the arguments into memory of the kernel's device. Throws attn::Error where they do not fit the kernel.
  Bound(Kernel &kernel, const Arguments &given);
  ~Bound();

  Device &device() const { return kernel.device(); }
  /// Other contents of the same arguments, results too, at the same addresses; the workspace is poisoned again. All
  /// must have the shapes of those given first.
  void fill(const Arguments &given);
  void launch(Stream stream = nullptr) const;
  /// Waits, and reads the results, in the order of Arguments::outputs.
  std::vector<PlacedTensor> outputs() const;

private:
  struct Memory;
  void put(size_t number, const PlacedTensor &tensor);

  Kernel &kernel;
  std::vector<PlacedTensor> results;
  std::vector<std::unique_ptr<Memory>> memory; ///< of inputs, then of outputs
  std::unique_ptr<Memory> scratch;
  std::vector<Value> values; ///< in the order of the kernel's arguments
};

} // namespace attn::cases
