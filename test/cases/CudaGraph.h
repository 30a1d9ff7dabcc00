// SPDX-License-Identifier: Apache-2.0
// Launches that the CUDA driver captures in a graph and runs again.
#pragma once

#include "runtime/Runtime.h"

#include <functional>

namespace attn::cases {

class CudaGraph {
public:
  /// Captures what `launches` does in the stream, which must not be the default one; nothing of it runs yet. What no
  /// graph can hold (allocations, waits, copies from the host) makes the driver refuse. Throws attn::Error.
  CudaGraph(Stream stream, const std::function<void()> &launches);
  ~CudaGraph();
  CudaGraph(const CudaGraph &) = delete;
  CudaGraph &operator=(const CudaGraph &) = delete;

  /// Begins a run in the stream; does not wait.
  void run() const;

private:
  struct Driver;
  static const Driver &driver();

  Stream stream;
  void *executable = nullptr; ///< CUgraphExec
};

} // namespace attn::cases
