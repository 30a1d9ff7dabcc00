// SPDX-License-Identifier: Apache-2.0
// Graphs by the CUDA driver, whose functions are found at run time.
#include "test/cases/CudaGraph.h"

#include "runtime/Error.h"

#include <fmt/format.h>

#include <dlfcn.h>

namespace attn::cases {

/// The functions of libcuda that graphs need. Streams, contexts and graphs are pointers; results are 0 for success.
struct CudaGraph::Driver {
  int (*retain)(void **context, int device);
  int (*setContext)(void *context);
  int (*begin)(void *stream, int mode);
  int (*end)(void *stream, void **graph);
  int (*instantiate)(void **executable, void *graph, unsigned long long flags);
  int (*launch)(void *executable, void *stream);
  int (*destroy)(void *graph);
  int (*destroyExecutable)(void *executable);

  Driver() {
    void *library = dlopen("libcuda.so.1", RTLD_NOW);
    if (!library)
      throw Error("a graph needs the CUDA driver, libcuda.so.1");
    auto find = [&](auto &function, const char *name) {
      function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(dlsym(library, name));
      if (!function)
        throw Error(fmt::format("the CUDA driver has no {}", name));
    };
    find(retain, "cuDevicePrimaryCtxRetain");
    find(setContext, "cuCtxSetCurrent");
    find(begin, "cuStreamBeginCapture_v2");
    find(end, "cuStreamEndCapture");
    find(instantiate, "cuGraphInstantiateWithFlags");
    find(launch, "cuGraphLaunch");
    find(destroy, "cuGraphDestroy");
    find(destroyExecutable, "cuGraphExecDestroy");
    void *context = nullptr;
    check(retain(&context, 0), "retain the context of device 0");
    check(setContext(context), "make the context of device 0 current");
  }

  static void check(int result, const char *what) {
    if (result)
      throw Error(fmt::format("the CUDA driver cannot {} (CUDA error {})", what, result));
  }
};

const CudaGraph::Driver &CudaGraph::driver() {
  static const Driver only;
  return only;
}

CudaGraph::CudaGraph(Stream theStream, const std::function<void()> &launches) : stream(theStream) {
  constexpr int threadLocal = 1; // CU_STREAM_CAPTURE_MODE_THREAD_LOCAL
  const Driver &cuda = driver();
  void *graph = nullptr;
  Driver::check(cuda.begin(stream, threadLocal), "begin to capture");
  try {
    launches();
  } catch (...) {
    cuda.end(stream, &graph);
    throw;
  }
  Driver::check(cuda.end(stream, &graph), "capture the launches");
  int made = cuda.instantiate(&executable, graph, 0);
  cuda.destroy(graph);
  Driver::check(made, "make a graph of the launches");
}

CudaGraph::~CudaGraph() { driver().destroyExecutable(executable); }

void CudaGraph::run() const { Driver::check(driver().launch(executable, stream), "run the graph"); }

} // namespace attn::cases
