// SPDX-License-Identifier: Apache-2.0
// The public face of the PTX simulator: memory, modules, launches. Everything else in this folder is behind it.
#ifndef ATTN_RUNTIME_SIM_SIMULATOR_H
#define ATTN_RUNTIME_SIM_SIMULATOR_H

#include "runtime/Error.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace attn::sim {

struct Dim3 {
  unsigned x = 1, y = 1, z = 1;
  uint64_t count() const { return uint64_t(x) * y * z; }
};

/// A switch per check, so that a test can prove that each of them is needed. All are on by default; with one off, the
/// simulator goes on as the least surprising hardware would.
struct Checks {
  bool raceShared = true;      ///< reads and writes of shared memory after an unordered write
  bool warShared = true;       ///< writes of shared memory after an unordered read
  bool lanes = true;           ///< two lanes of one instruction storing different values to one byte
  bool inFlight = true;        ///< shared bytes that a copy is still writing
  bool poison = true;          ///< uninitialised values where they would matter
  bool bounds = true;          ///< accesses outside every allocation (off: read zero, drop the write)
  bool alignment = true;       ///< addresses that are no multiple of the access size
  bool readOnly = true;        ///< writes to read-only ranges
  bool raceGlobal = true;      ///< unordered accesses of global memory by different CTAs
  bool nonCoherent = true;     ///< writes to words that the launch reads through ld.global.nc
  bool barriers = true;        ///< counts and kinds of arrivals at named barriers
  bool aligned = true;         ///< divergent execution of .aligned instructions
  bool collectives = true;     ///< membership masks of .sync instructions
  bool coresident = true;      ///< waiting for CTAs that have not started
  bool proxy = true;           ///< generic writes without a proxy fence before asynchronous accesses
  bool asyncReads = true;      ///< writes of shared memory that an asynchronous read may still use
  bool mbarriers = true;       ///< mbarriers that are not initialised, and more arrivals or bytes than they can count
  bool phases = true;          ///< waits for phases long past, and copies for phases that are over
  bool cluster = true;         ///< shared memory of CTAs that are not known to run or have ended
  bool unfinished = true;      ///< CTAs that end while copies still use their shared memory
  bool matrixRegisters = true; ///< registers that a running wgmma reads or writes
  bool matrixFence = true;     ///< registers written since the last wgmma.fence
  bool matrixGroup = true;     ///< warps of a warpgroup that issue different products
  bool launchBefore = true;    ///< accesses of what the launch before writes, before griddepcontrol.wait
};

/// The names of the switches, as above.
std::vector<std::string> checkNames();
/// The switch of that name; null if there is none.
bool *findCheck(Checks &checks, std::string_view name);

enum class CtaOrder { FromSeed, Linear, Reversed, Shuffled };

struct LaunchOptions {
  uint64_t seed = 0;                   ///< 0 is the reference schedule; others draw order, quanta, leaders, landings
  unsigned resident = 0;               ///< CTAs alive at once; 0: chosen from the seed (seed 0: 1)
  CtaOrder order = CtaOrder::FromSeed; ///< in which CTAs start (seed 0: linear)
  bool approximateWorst = false;       ///< perturb approximate functions by half their documented error
  bool matrixTruncate = false;         ///< mma: products aligned and truncated as tensor cores do, not double sums
  bool fine = false;                   ///< switch warps at every shared access and synchronisation
  bool divergeRandom = false;          ///< draw which group of diverged lanes goes first
  bool laneOrder = false;              ///< lanes that exchange values through shared memory need bar.warp.sync, too
  bool cooperative = false;            ///< the whole grid is resident
  bool overlapsPrevious = false;       ///< may begin before the launch before has ended
  unsigned cluster = 0;                ///< CTAs of a cluster, along x; 0: what the entry says, else 1
  std::string trace;                   ///< file to write every executed warp instruction to; empty: none
  uint64_t instructionLimit = uint64_t(1) << 34; ///< warp instructions of the launch
  Checks checks;
};

struct LabelCount {
  std::string label;     ///< as written in the PTX, followed by ":LINE" where a name repeats
  unsigned line = 0;     ///< of the label
  uint64_t entries = 0;  ///< times a warp executed the first instruction after the label
  uint64_t executed = 0; ///< warp instructions between this label and the next one
};

struct OpcodeCount {
  std::string opcode; ///< the full form, such as "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32"
  uint64_t executed = 0;
};

struct LaunchStatistics {
  uint64_t warpInstructions = 0;
  uint64_t ctas = 0;
  std::vector<LabelCount> labels;   ///< in text order; the part before the first label is called "<entry>"
  std::vector<OpcodeCount> opcodes; ///< most frequent first
  std::string output;               ///< what the kernel printed
};

/// What a kernel asks for, for callers that check a launch or bind parameters by name.
struct EntryInfo {
  struct Parameter {
    std::string name;
    uint32_t offset = 0, size = 0; ///< bytes, in the raw parameter block
  };
  std::string name;
  std::vector<Parameter> parameters;
  uint32_t parameterBytes = 0;
  uint32_t staticShared = 0;
};

class Simulator {
public:
  /// A loaded module; valid as long as the simulator is.
  using Module = uint32_t;

  Simulator();
  ~Simulator();
  Simulator(const Simulator &) = delete;
  Simulator &operator=(const Simulator &) = delete;

  /// Parses `text`; `fileName` is what diagnostics call it. Throws attn::Error with every fault found.
  Module load(std::string_view text, std::string fileName);
  std::vector<EntryInfo> entries(Module module) const;
  void unload(Module module);

  /// Device memory, 256-byte aligned, uninitialised: it reads as NaN and as poison. `name` is used by diagnostics.
  uint64_t allocate(uint64_t bytes, std::string name);
  void free(uint64_t address);
  /// Renames the allocation that holds `address`, such as to the argument it is bound to.
  void setName(uint64_t address, std::string name);
  /// Ranges of the four below lie inside one allocation, else attn::Error. Copies in and fills initialise what they
  /// write; copies out give whatever bytes are there.
  void copyIn(uint64_t to, const void *from, uint64_t bytes);
  void copyOut(void *to, uint64_t from, uint64_t bytes) const;
  void copy(uint64_t to, uint64_t from, uint64_t bytes);
  void fill(uint64_t to, uint8_t value, uint64_t bytes);

  /// Makes the bytes undefined again: they read as NaN and as poison until they are written.
  void setUndefined(uint64_t address, uint64_t bytes);
  /// While set, a kernel that writes these bytes is stopped.
  void setReadOnly(uint64_t address, uint64_t bytes, bool readOnly);

  struct Coverage {
    uint64_t missing = 0; ///< bytes of the range that no launch wrote
    uint64_t first = 0;   ///< offset of the first of them
  };
  /// Forgets which bytes kernels have written.
  void clearWritten(uint64_t address, uint64_t bytes);
  /// Which bytes no kernel has written since clearWritten (or allocation).
  Coverage unwritten(uint64_t address, uint64_t bytes) const;

  /// Runs a grid to its end. `parameters` is the raw parameter block, laid out as the entry declares it.
  /// `dynamicShared` in bytes. Throws attn::Error with one fault (its notes on further lines) when the kernel breaks a
  /// rule; memory then holds what was written until that point.
  LaunchStatistics launch(Module module, std::string_view entry, Dim3 grid, Dim3 block, uint32_t dynamicShared,
                          const void *parameters, size_t parameterBytes, const LaunchOptions &options = {});

private:
  struct Implementation;
  std::unique_ptr<Implementation> impl;
};

} // namespace attn::sim

#endif // ATTN_RUNTIME_SIM_SIMULATOR_H
