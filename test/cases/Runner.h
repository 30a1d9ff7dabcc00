// SPDX-License-Identifier: Apache-2.0
// Compiles a case, runs it on a device, and compares it with the reference.
#pragma once

#include "runtime/Runtime.h"
#include "test/cases/EdgeCases.h"
#include "test/cases/StepCases.h"

#include <map>
#include <memory>
#include <string>

namespace attn::cases {

struct RunnerOptions {
  std::string target = "sm_80";
  std::string device = "sim"; ///< the orders and precisions of the simulator are only varied on the plain one
  std::string schedule;       ///< what stands in schedule<...> of every kernel; empty: chosen by the compiler
  std::string savePtx;        ///< folder that gets every distinct kernel file, named after its first case; empty: none
};

/// How far one output is from the exact result, and how far it may be.
struct OutputError {
  std::string name;
  double largest = 0, allowed = 0;
};

struct Outcome {
  std::string fault; ///< empty: the case passed
  std::vector<OutputError> errors;
  bool passed() const { return fault.empty(); }
};

class Runner {
public:
  explicit Runner(RunnerOptions options);

  Outcome run(const Case &c);
  Outcome run(const StepCase &c);
  Outcome run(const EdgeCase &c);

  /// Runs the kernel of `Compiled` and compares it with the results that the spec `Wanted` should have; the two texts
  /// differ only where a test of the tests wants a wrong kernel.
  Outcome runSpecs(const Case &c, const std::string &Compiled, const std::string &wanted);

  /// What the kernel of a spec writes. `order` names the simulator with options; the device as chosen if it is empty.
  std::vector<PlacedTensor> results(const std::string &spec, const Arguments &given, const std::string &order = {});

  /// What it writes for `then` when its launch was made, and on CUDA captured in a graph, with `first`, which has the
  /// same shapes: lengths and tables are read when it runs.
  std::vector<PlacedTensor> replayed(const std::string &spec, const Arguments &first, const Arguments &then);

  /// A sentence when results are too far from those that a spec should have for some arguments; else empty.
  std::string faultOf(const std::vector<PlacedTensor> &outputs, const std::string &wantedSpec,
                      const Arguments &wantedOf);

  const RunnerOptions &chosen() const { return options; }
  size_t kernelCount() const { return kernels.size(); }

private:
  struct Compiled {
    std::string text;
    std::map<std::string, std::shared_ptr<Kernel>> loaded; ///< by name of the device
  };

  /// Compares outputs with what they should be and with what stood between their elements.
  static void check(const Arguments &given, const std::vector<PlacedTensor> &outputs, const struct Expected &wanted,
                    Outcome &result);
  /// A sentence when a sequence has other results by itself than among the others of its batch.
  std::string faultOfBatch(const Case &c, Compiled &code, const Arguments &given, const std::vector<PlacedTensor> &all);
  Compiled &compile(const std::string &spec, const std::string &caseName);
  Kernel &load(Compiled &code, const std::string &deviceName);
  std::vector<PlacedTensor> launch(Compiled &code, const std::string &deviceName, const Arguments &given);

  RunnerOptions options;
  std::map<std::string, Compiled> kernels; ///< by text of the spec
  std::map<std::string, std::shared_ptr<Device>> devices;
};

} // namespace attn::cases
