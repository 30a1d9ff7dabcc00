// SPDX-License-Identifier: Apache-2.0
// The simulator as a device: the same calls, on a machine without a GPU.
#ifndef ATTN_RUNTIME_SIMDEVICE_H
#define ATTN_RUNTIME_SIMDEVICE_H

#include "runtime/Runtime.h"
#include "runtime/sim/Simulator.h"

#include <memory>
#include <mutex>
#include <string>

namespace attn {

class SimDevice : public Device {
public:
  /// What it says it has unless told otherwise: so few that programs have several blocks of work also in small tests.
  static constexpr int64_t fewMultiprocessors = 3;

  /// Options: `seed=1,resident=1,order=reversed,approx=worst,mma=truncate,warp=fine,diverge=random,trace=FILE,limit=N,
  /// multiprocessors=N`.
  /// Throws Error with every option that is wrong.
  static std::shared_ptr<SimDevice> open(const std::string &options);
  explicit SimDevice(sim::LaunchOptions options, int64_t multiprocessors = fewMultiprocessors)
      : options(std::move(options)), processors(multiprocessors) {}

  std::string name() const override { return "simulator"; }
  bool isSimulator() const override { return true; }
  std::string target() const override { return "sm_80"; }
  int64_t multiprocessors() const override { return processors; }

  void *allocate(size_t bytes, std::string_view label) override;
  void release(void *data) override;
  void copyToDevice(void *to, const void *from, size_t bytes) override;
  void copyToHost(void *to, const void *from, size_t bytes) override;
  void copyOnDevice(void *to, const void *from, size_t bytes, Stream) override;
  void synchronize(Stream) override {}
  void encodeTensorMap(const TensorMapRecipe &recipe, std::byte (&to)[tensorMapBytes]) override;
  std::vector<LabelCount> takeCounts() override;
  std::shared_ptr<Module> loadModule(const std::string &text, const KernelFile &file,
                                     const std::string &fileName) override;

  /// For tools that mark memory as undefined or read-only. Not to be used while a launch runs in another thread.
  sim::Simulator &simulator() { return machine; }

  /// Runs one entry; used by the modules of this device.
  void run(sim::Simulator::Module module, const EntryLaunch &launch);
  void unload(sim::Simulator::Module module);

private:
  std::mutex lock; ///< the simulator runs one thing at a time
  sim::Simulator machine;
  sim::LaunchOptions options;
  int64_t processors;
  std::vector<LabelCount> counts;
};

} // namespace attn

#endif // ATTN_RUNTIME_SIMDEVICE_H
