// SPDX-License-Identifier: Apache-2.0
// Modules, memory and launches as callers see them.
#include "runtime/sim/Simulator.h"
#include "runtime/sim/Grid.h"
#include "runtime/sim/Handlers.h"
#include "runtime/sim/Memory.h"
#include "runtime/sim/Parser.h"
#include "runtime/sim/Wgmma.h"

#include <algorithm>
#include <cstring>
#include <fmt/format.h>
#include <map>

namespace attn::sim {

static constexpr uint64_t kMaxThreads = 1024;
/// Shared memory that any CTA can have.
static constexpr uint32_t kMaxShared = 227 * 1024;

namespace {
struct LoadedModule {
  std::shared_ptr<attn::sim::Module> module;
  std::vector<uint64_t> variables; ///< addresses
  std::vector<uint8_t> falls, timed;
  std::vector<uint32_t> wide;
};
} // namespace

namespace {
struct NamedCheck {
  const char *name;
  bool Checks::*flag;
};
} // namespace

static constexpr NamedCheck kChecks[] = {
    {"raceShared", &Checks::raceShared},
    {"warShared", &Checks::warShared},
    {"lanes", &Checks::lanes},
    {"inFlight", &Checks::inFlight},
    {"poison", &Checks::poison},
    {"bounds", &Checks::bounds},
    {"alignment", &Checks::alignment},
    {"readOnly", &Checks::readOnly},
    {"raceGlobal", &Checks::raceGlobal},
    {"nonCoherent", &Checks::nonCoherent},
    {"barriers", &Checks::barriers},
    {"aligned", &Checks::aligned},
    {"collectives", &Checks::collectives},
    {"coresident", &Checks::coresident},
    {"proxy", &Checks::proxy},
    {"asyncReads", &Checks::asyncReads},
    {"mbarriers", &Checks::mbarriers},
    {"phases", &Checks::phases},
    {"unfinished", &Checks::unfinished},
    {"cluster", &Checks::cluster},
    {"matrixRegisters", &Checks::matrixRegisters},
    {"matrixFence", &Checks::matrixFence},
    {"matrixGroup", &Checks::matrixGroup},
    {"launchBefore", &Checks::launchBefore},
};

std::vector<std::string> checkNames() {
  std::vector<std::string> names;
  for (const NamedCheck &check : kChecks)
    names.push_back(check.name);
  return names;
}

bool *findCheck(Checks &checks, std::string_view name) {
  for (const NamedCheck &check : kChecks)
    if (check.name == name)
      return &(checks.*check.flag);
  return nullptr;
}

struct Simulator::Implementation {
  GlobalMemory memory;
  std::vector<LoadedModule> modules;
  LoadedModule &at(Simulator::Module module) {
    if (module >= modules.size() || !modules[module].module)
      throw Error(fmt::format("expects a loaded module, got number {}", module));
    return modules[module];
  }
};

Simulator::Simulator() : impl(std::make_unique<Implementation>()) {}
Simulator::~Simulator() = default;

//===-- Modules
//------------------------------------------------------------------------------------------------------===//

/// Which elements of each instruction's first vector operand are 64-bit registers.
static std::vector<uint32_t> wideElements(const sim::Module &module) {
  std::vector<uint32_t> wide(module.ops.size());
  for (size_t i = 0; i < module.ops.size(); ++i) {
    const Op &op = module.ops[i];
    const OperandUses &uses = module.opUses[i];
    for (unsigned element = 0; element < op.listSize[0] && element < 32; ++element)
      for (unsigned j = 0; j < unsigned(uses.writes) + uses.reads; ++j) {
        const OperandUse &use = module.uses[uses.first + j];
        if (!use.predicate && use.row == module.lists[op.list + element] && use.wide)
          wide[i] |= 1u << element;
      }
  }
  return wide;
}

/// Rows that may hold what derives from a clock, wherever in the program. Empty if there are no clocks.
static std::vector<uint8_t> timedRows(const sim::Module &module) {
  std::vector<uint8_t> timed;
  auto isClock = [](const Op &op) {
    return op.handler == warp::special && Special(op.imm) >= Special::Clock &&
           Special(op.imm) <= Special::GlobalTimerHi;
  };
  if (std::none_of(module.ops.begin(), module.ops.end(), isClock))
    return timed;
  timed.resize(module.rowCount);
  for (bool changed = true; changed;) {
    changed = false;
    for (size_t i = 0; i < module.ops.size(); ++i) {
      const OperandUses &uses = module.opUses[i];
      const OperandUse *all = module.uses.data() + uses.first;
      bool derived = isClock(module.ops[i]);
      for (unsigned j = uses.writes; j < unsigned(uses.writes) + uses.reads; ++j)
        derived |= !all[j].predicate && all[j].row >= 0 && timed[size_t(all[j].row)];
      for (unsigned j = 0; j < uses.writes && derived; ++j)
        for (int half = 0; half < 1 + all[j].wide; ++half)
          if (!all[j].predicate && all[j].row >= 0 && !timed[size_t(all[j].row + half)])
            timed[size_t(all[j].row + half)] = changed = true;
    }
  }
  return timed;
}

/// Gives the module's variables memory.
static void placeVariables(GlobalMemory &memory, LoadedModule &loaded) {
  sim::Module &module = *loaded.module;
  for (uint32_t i = 0; i < module.variables.size(); ++i) {
    Variable &variable = module.variables[i];
    variable.address = memory.allocate(variable.size, variable.name);
    loaded.variables.push_back(variable.address);
    Allocation &allocation = memory.hostRange(variable.address, variable.size);
    std::memset(allocation.data.get(), 0, variable.size);
    std::memcpy(allocation.data.get(), variable.initial.data(),
                std::min<uint64_t>(variable.initial.size(), variable.size));
    uint8_t flags = Allocation::Valid | (variable.space == Space::Constant ? Allocation::ReadOnly : 0);
    std::memset(allocation.flags.get(), flags, variable.size);
    module.bind(i, variable.address);
  }
  for (const Variable &variable : module.variables)
    for (const SymbolInitializer &symbol : variable.symbols) {
      uint64_t value = (module.variables[symbol.variable].address + uint64_t(symbol.addend)) >> (8 * symbol.shift);
      Allocation &allocation = memory.hostRange(variable.address, variable.size);
      std::memcpy(allocation.data.get() + symbol.offset, &value, symbol.size);
    }
}

Simulator::Module Simulator::load(std::string_view text, std::string fileName) {
  ParseResult result = parse(text, fileName);
  if (!result.module) {
    std::vector<std::string> faults;
    for (const Diagnostic &diagnostic : result.errors)
      faults.push_back(diagnostic.text(fileName));
    throw Error(std::move(faults));
  }
  if (result.module->ops.size() >= kMaxInstructions)
    throw Error(fmt::format("{}: expects fewer than {} instructions, got {}", fileName, kMaxInstructions,
                            result.module->ops.size()));
  LoadedModule loaded;
  loaded.module = std::move(result.module);
  placeVariables(impl->memory, loaded);
  loaded.falls.assign(loaded.module->ops.size() + 1, 0);
  for (const Function &function : loaded.module->functions)
    if (function.end > function.begin)
      loaded.falls[function.end] = 1;
  markProductRegisters(*loaded.module);
  loaded.wide = wideElements(*loaded.module);
  loaded.timed = timedRows(*loaded.module);
  impl->modules.push_back(std::move(loaded));
  return Module(impl->modules.size() - 1);
}

void Simulator::unload(Module module) {
  LoadedModule &loaded = impl->at(module);
  for (uint64_t address : loaded.variables)
    impl->memory.free(address);
  loaded = LoadedModule();
}

std::vector<EntryInfo> Simulator::entries(Module module) const {
  std::vector<EntryInfo> result;
  for (const Function &function : impl->at(module).module->functions) {
    if (!function.entry)
      continue;
    EntryInfo info;
    info.name = function.name;
    info.parameterBytes = function.parameterBytes;
    info.staticShared = function.sharedStaticEnd - kSharedWindowStart;
    for (const Parameter &parameter : function.parameters)
      info.parameters.push_back({parameter.name, parameter.offset, parameter.size});
    result.push_back(std::move(info));
  }
  return result;
}

//===-- Memory
//-------------------------------------------------------------------------------------------------------===//

uint64_t Simulator::allocate(uint64_t bytes, std::string name) { return impl->memory.allocate(bytes, std::move(name)); }
void Simulator::free(uint64_t address) { impl->memory.free(address); }
void Simulator::setName(uint64_t address, std::string name) {
  impl->memory.hostRange(address, 0).name = std::move(name);
}

void Simulator::copyIn(uint64_t to, const void *from, uint64_t bytes) {
  Allocation &a = impl->memory.hostRange(to, bytes);
  uint64_t offset = to - a.base;
  std::memcpy(a.data.get() + offset, from, bytes);
  for (uint64_t i = 0; i < bytes; ++i)
    a.flags[offset + i] |= Allocation::Valid;
}

void Simulator::copyOut(void *to, uint64_t from, uint64_t bytes) const {
  const Allocation &a = impl->memory.hostRange(from, bytes);
  std::memcpy(to, a.data.get() + (from - a.base), bytes);
}

void Simulator::copy(uint64_t to, uint64_t from, uint64_t bytes) {
  Allocation &source = impl->memory.hostRange(from, bytes), &target = impl->memory.hostRange(to, bytes);
  uint64_t fromOffset = from - source.base, toOffset = to - target.base;
  std::memmove(target.data.get() + toOffset, source.data.get() + fromOffset, bytes);
  std::vector<uint8_t> valid(source.flags.get() + fromOffset, source.flags.get() + fromOffset + bytes);
  for (uint64_t i = 0; i < bytes; ++i) {
    uint8_t &flags = target.flags[toOffset + i];
    flags = uint8_t((flags & ~Allocation::Valid) | (valid[i] & Allocation::Valid));
  }
}

void Simulator::fill(uint64_t to, uint8_t value, uint64_t bytes) {
  Allocation &a = impl->memory.hostRange(to, bytes);
  uint64_t offset = to - a.base;
  std::memset(a.data.get() + offset, value, bytes);
  for (uint64_t i = 0; i < bytes; ++i)
    a.flags[offset + i] |= Allocation::Valid;
}

void Simulator::setUndefined(uint64_t address, uint64_t bytes) {
  Allocation &a = impl->memory.hostRange(address, bytes);
  uint64_t offset = address - a.base;
  std::memset(a.data.get() + offset, 0xff, bytes);
  for (uint64_t i = 0; i < bytes; ++i)
    a.flags[offset + i] &= uint8_t(~Allocation::Valid);
}

void Simulator::setReadOnly(uint64_t address, uint64_t bytes, bool readOnly) {
  Allocation &a = impl->memory.hostRange(address, bytes);
  for (uint64_t i = address - a.base; i < address - a.base + bytes; ++i)
    a.flags[i] = uint8_t((a.flags[i] & ~Allocation::ReadOnly) | (readOnly ? Allocation::ReadOnly : 0));
}

void Simulator::clearWritten(uint64_t address, uint64_t bytes) {
  Allocation &a = impl->memory.hostRange(address, bytes);
  for (uint64_t i = address - a.base; i < address - a.base + bytes; ++i)
    a.flags[i] &= uint8_t(~Allocation::Covered);
}

Simulator::Coverage Simulator::unwritten(uint64_t address, uint64_t bytes) const {
  const Allocation &a = impl->memory.hostRange(address, bytes);
  Coverage result;
  for (uint64_t i = 0; i < bytes; ++i)
    if (!(a.flags[address - a.base + i] & Allocation::Covered) && result.missing++ == 0)
      result.first = i;
  return result;
}

//===-- Launches
//-----------------------------------------------------------------------------------------------------===//

static std::vector<std::string> launchFaults(const Function &entry, Dim3 grid, Dim3 block, uint32_t dynamicShared,
                                             size_t parameterBytes) {
  std::vector<std::string> faults;
  if (grid.count() == 0 || grid.count() > (uint64_t(1) << 31))
    faults.push_back(fmt::format("'{}' expects between 1 and 2^31 CTAs, got {}", entry.name, grid.count()));
  if (block.count() == 0 || block.count() > kMaxThreads)
    faults.push_back(
        fmt::format("'{}' expects between 1 and {} threads, got {}", entry.name, kMaxThreads, block.count()));
  const unsigned size[3] = {block.x, block.y, block.z};
  uint64_t most = 1;
  for (unsigned i = 0; i < 3; ++i) {
    most *= std::max(entry.maxntid[i], 1u);
    if (entry.reqntid[0] && size[i] != std::max(entry.reqntid[i], 1u))
      faults.push_back(fmt::format("'{}' requires {} threads in dimension {}, got {}", entry.name,
                                   std::max(entry.reqntid[i], 1u), i, size[i]));
  }
  if (entry.maxntid[0] && block.count() > most)
    faults.push_back(fmt::format("'{}' expects at most {} threads, got {}", entry.name, most, block.count()));
  if (parameterBytes != entry.parameterBytes)
    faults.push_back(
        fmt::format("'{}' expects {} bytes of parameters, got {}", entry.name, entry.parameterBytes, parameterBytes));
  uint32_t shared = (dynamicShared ? entry.sharedDynamic : entry.sharedStaticEnd) - kSharedWindowStart + dynamicShared;
  if (shared > kMaxShared)
    faults.push_back(
        fmt::format("'{}' expects at most {} bytes of shared memory, got {}", entry.name, kMaxShared, shared));
  return faults;
}

/// CTAs of a cluster; throws attn::Error if the grid does not consist of such clusters.
static uint32_t clusterOf(const Function &entry, Dim3 grid, Dim3 block, uint32_t option) {
  const auto &dims = entry.clusterDim;
  uint32_t size = option ? option : std::max(dims[0], 1u);
  if (dims[1] > 1 || dims[2] > 1)
    throw Error(fmt::format("'{}' has clusters along y or z, which this simulator does not support", entry.name));
  if (option && dims[0] && option != dims[0])
    throw Error(fmt::format("'{}' requires clusters of {}, got {}", entry.name, dims[0], option));
  if (size > 16 || grid.x % size)
    throw Error(fmt::format("'{}' expects a grid of whole clusters of at most 16 CTAs, got {} of {}", entry.name,
                            grid.x, size));
  if (size > 1 && (block.count() + kLanes - 1) / kLanes * size > kWarpActors)
    throw Error(fmt::format("'{}' has more than {} warps in a cluster, which this simulator does not support",
                            entry.name, kWarpActors));
  return size;
}

static SharedLayout layoutOf(const Function &entry, uint32_t dynamicShared) {
  SharedLayout layout;
  for (const SharedVariable &variable : entry.shared)
    layout.variables.push_back({variable.name, variable.offset, variable.dynamic ? dynamicShared : variable.size});
  layout.size = dynamicShared ? entry.sharedDynamic + dynamicShared : entry.sharedStaticEnd;
  return layout;
}

/// Counts by label and by form, from counts by instruction.
static LaunchStatistics statisticsOf(const Launch &launch) {
  const sim::Module &module = launch.module;
  LaunchStatistics result;
  result.ctas = launch.grid.count();
  result.output = launch.output;
  std::map<std::string, unsigned> uses;
  for (const Label &label : module.labels)
    ++uses[label.name];
  result.labels.push_back({"<entry>", launch.entry.line, launch.counts[launch.entry.begin], 0});
  size_t next = 0;
  while (next < module.labels.size() && module.labels[next].target < launch.entry.begin)
    ++next;
  std::map<const Form *, uint64_t> forms;
  for (uint32_t i = launch.entry.begin; i < module.ops.size(); ++i) {
    for (; next < module.labels.size() && module.labels[next].target <= i; ++next) {
      const Label &label = module.labels[next];
      std::string name = uses[label.name] > 1 ? fmt::format("{}:{}", label.name, label.line) : label.name;
      if (i < launch.entry.end)
        result.labels.push_back({std::move(name), label.line, launch.counts[i], 0});
    }
    if (i < launch.entry.end)
      result.labels.back().executed += launch.counts[i];
  }
  for (size_t i = 0; i < module.ops.size(); ++i)
    if (launch.counts[i]) {
      forms[module.ops[i].form] += launch.counts[i];
      result.warpInstructions += launch.counts[i];
    }
  for (const auto &[form, count] : forms)
    result.opcodes.push_back({form->text, count});
  std::sort(result.opcodes.begin(), result.opcodes.end(), [](const OpcodeCount &a, const OpcodeCount &b) {
    return a.executed != b.executed ? a.executed > b.executed : a.opcode < b.opcode;
  });
  return result;
}

LaunchStatistics Simulator::launch(Module module, std::string_view entryName, Dim3 grid, Dim3 block,
                                   uint32_t dynamicShared, const void *parameters, size_t parameterBytes,
                                   const LaunchOptions &options) {
  LoadedModule &loaded = impl->at(module);
  const Function *entry = loaded.module->entry(entryName);
  if (!entry)
    throw Error(fmt::format("{} has no entry '{}'", loaded.module->file, entryName));
  if (auto faults = launchFaults(*entry, grid, block, dynamicShared, parameterBytes); !faults.empty())
    throw Error(std::move(faults));
  Launch launch(impl->memory, *loaded.module, *entry, options);
  launch.cluster = clusterOf(*entry, grid, block, options.cluster);
  launch.grid = grid;
  launch.block = block;
  launch.dynamicShared = dynamicShared;
  launch.parameters.resize(parameterBytes);
  if (parameterBytes)
    std::memcpy(launch.parameters.data(), parameters, parameterBytes);
  launch.layout = layoutOf(*entry, dynamicShared);
  launch.counts.assign(loaded.module->ops.size() + 1, 0);
  launch.falls = loaded.falls;
  launch.wide = loaded.wide;
  launch.timed = loaded.timed;
  std::unique_ptr<std::FILE, int (*)(std::FILE *)> trace(nullptr, std::fclose);
  if (!options.trace.empty()) {
    trace.reset(std::fopen(options.trace.c_str(), "w"));
    if (!trace)
      throw Error(fmt::format("cannot write the trace to '{}'", options.trace));
    launch.trace = trace.get();
  }
  loaded.module->setWorstApproximation(options.approximateWorst);
  impl->memory.start(options.checks, grid, options.overlapsPrevious);
  Grid(launch).run();
  return statisticsOf(launch);
}

} // namespace attn::sim
