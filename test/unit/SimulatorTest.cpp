// SPDX-License-Identifier: Apache-2.0
// The simulator's own interface: memory and its states, launches and what they report. Instructions: see test/sim.
#include "runtime/sim/Simulator.h"
#include "test/unit/Test.h"

#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <unistd.h>

using namespace attn;
using namespace attn::sim;
using attn::test::faultsIn;

namespace {

/// y[i] = 2 x[i] for the threads below n; shared memory carries it from one warp to the other.
const char *doubling = R"(.version 8.0
.target sm_80
.address_size 64
.shared .align 4 .b8 cells[256];
.visible .entry doubling(.param .u64 x, .param .u64 y, .param .u32 n) {
  .reg .pred %p<3>;
  .reg .b32 %r<9>;
  .reg .b64 %a<4>;
  ld.param.u64 %a0, [x];
  ld.param.u64 %a1, [y];
  ld.param.u32 %r0, [n];
  mov.u32 %r1, %tid.x;
  setp.lt.u32 %p0, %r1, %r0;
  mul.wide.u32 %a2, %r1, 4;
  add.s64 %a0, %a0, %a2;
  add.s64 %a1, %a1, %a2;
  mov.u32 %r2, cells;
  mad.lo.u32 %r3, %r1, 4, %r2;
  @!%p0 bra STORED;
  ld.global.b32 %r4, [%a0];
  shl.b32 %r4, %r4, 1;
  st.shared.b32 [%r3], %r4;
STORED:
  bar.sync 0;
  mov.b32 %r6, 0;
AGAIN:
  add.u32 %r6, %r6, 1;
  setp.lt.u32 %p1, %r6, 5;
  @%p1 bra AGAIN;
  @!%p0 exit;
  ld.shared.b32 %r5, [%r3];
  st.global.b32 [%a1], %r5;
  ret;
}
)";

struct Parameters {
  uint64_t x, y;
  uint32_t n;
};

struct Setup {
  Simulator simulator;
  Simulator::Module module = simulator.load(doubling, "doubling.ptx");
  uint64_t x = simulator.allocate(256, "x"), y = simulator.allocate(256, "y");
  Setup() {
    uint32_t values[64];
    for (uint32_t i = 0; i < 64; ++i)
      values[i] = 100 + i;
    simulator.copyIn(x, values, sizeof values);
  }
  LaunchStatistics run(uint32_t n, const LaunchOptions &options = {}) {
    Parameters p{x, y, n};
    // The block ends with the last parameter, not with the padding of the struct.
    return simulator.launch(module, "doubling", {1}, {64}, 0, &p, 20, options);
  }
};

std::string contents(const std::string &path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

TEST(simulatorRunsAndCounts) {
  Setup s;
  LaunchStatistics statistics = s.run(64);
  uint32_t got[64];
  s.simulator.copyOut(got, s.y, sizeof got);
  for (uint32_t i = 0; i < 64; ++i)
    EXPECT_EQ(got[i], 200 + 2 * i);
  // Two warps: 14 instructions before the loop and the label STORED in between, 3 in each of 5 turns, 4 at the end.
  EXPECT_EQ(statistics.labels.size(), 3u);
  EXPECT_EQ(statistics.labels[0].label, "<entry>");
  EXPECT_EQ(statistics.labels[1].label, "STORED");
  EXPECT_EQ(statistics.labels[1].entries, 2u);
  EXPECT_EQ(statistics.labels[2].label, "AGAIN");
  EXPECT_EQ(statistics.labels[2].entries, 10u);
  EXPECT_EQ(statistics.labels[2].executed, 2u * (5 * 3 + 4));
  uint64_t total = 0;
  for (const OpcodeCount &opcode : statistics.opcodes)
    total += opcode.executed;
  EXPECT_EQ(total, statistics.warpInstructions);
  EXPECT_EQ(statistics.ctas, 1u);
}

TEST(simulatorTellsWhatWasNotWritten) {
  Setup s;
  s.run(60);
  Simulator::Coverage coverage = s.simulator.unwritten(s.y, 256);
  EXPECT_EQ(coverage.missing, 16u);
  EXPECT_EQ(coverage.first, 240u);
  EXPECT_EQ(s.simulator.unwritten(s.y, 240).missing, 0u);
  s.simulator.clearWritten(s.y + 8, 4);
  EXPECT_EQ(s.simulator.unwritten(s.y, 240).first, 8u);
  // A copy from the host is not a kernel's write.
  uint32_t zero = 0;
  s.simulator.copyIn(s.y + 8, &zero, 4);
  EXPECT_EQ(s.simulator.unwritten(s.y, 240).missing, 4u);
}

TEST(simulatorNewMemoryIsNotANumber) {
  Simulator simulator;
  uint64_t address = simulator.allocate(16, "a");
  float values[4];
  simulator.copyOut(values, address, 16);
  for (float value : values)
    EXPECT(value != value);
  EXPECT(address >= uint64_t(1) << 40);
  EXPECT_EQ(address % 256, 0u);
}

TEST(simulatorUndefinedRangesArePoison) {
  Setup s;
  s.simulator.setUndefined(s.x + 4, 4);
  std::vector<std::string> faults = faultsIn([&] { s.run(64); });
  EXPECT_EQ(faults.size(), 1u);
  EXPECT(faults[0].find("doubling.ptx:32:3: error: the value stored to y+4 depends on") == 0);
  EXPECT(faults[0].find("doubling.ptx:31: note: lane 1 loads uninitialised bytes here, at cells+4") !=
         std::string::npos);
  EXPECT(faults[0].find("in CTA (0,0,0) of 'doubling', warp 0, lane 1 (thread (1,0,0)), seed 0") != std::string::npos);
  // What nobody reads may be undefined.
  s.simulator.fill(s.x + 4, 0, 4);
  s.simulator.setUndefined(s.x + 240, 16);
  EXPECT_FAULTS(s.run(60));
}

TEST(simulatorReadOnlyRanges) {
  Setup s;
  s.simulator.setReadOnly(s.y + 128, 4, true);
  s.simulator.setName(s.y, "result");
  std::vector<std::string> faults = faultsIn([&] { s.run(64); });
  EXPECT_EQ(faults.size(), 1u);
  EXPECT(faults[0].find("error: writes result+128: 'result' is read-only [readonly]") != std::string::npos);
  s.simulator.setReadOnly(s.y + 128, 4, false);
  EXPECT_FAULTS(s.run(64));
}

TEST(simulatorCopiesCarryStates) {
  Setup s;
  s.simulator.setUndefined(s.x, 4);
  s.simulator.copy(s.y, s.x, 256);
  std::swap(s.x, s.y);
  EXPECT_EQ(faultsIn([&] { s.run(64); }).size(), 1u);
  s.simulator.fill(s.x, 1, 4);
  EXPECT_FAULTS(s.run(64));
}

TEST(simulatorLaunchFaults) {
  Setup s;
  Parameters p{s.x, s.y, 64};
  EXPECT_FAULTS(s.simulator.launch(s.module, "none", {1}, {64}, 0, &p, 20), "doubling.ptx has no entry 'none'");
  EXPECT_FAULTS(s.simulator.launch(s.module, "doubling", {0}, {2048}, 300000, &p, 24),
                "'doubling' expects between 1 and 2^31 CTAs, got 0",
                "'doubling' expects between 1 and 1024 threads, got 2048",
                "'doubling' expects 20 bytes of parameters, got 24",
                "'doubling' expects at most 232448 bytes of shared memory, got 300272");
}

TEST(simulatorHostFaults) {
  Simulator simulator;
  uint64_t address = simulator.allocate(16, "a");
  char byte = 0;
  EXPECT_FAULTS(simulator.copyOut(&byte, address + 16, 1), "expects 1 bytes at a+16 to lie in one allocation");
  simulator.free(address);
  EXPECT_EQ(faultsIn([&] { simulator.copyOut(&byte, address, 1); }).size(), 1u);
  EXPECT_EQ(faultsIn([&] { simulator.free(address); }).size(), 1u);
}

TEST(simulatorTracesAreReproducible) {
  Setup s;
  LaunchOptions options;
  const auto folder = std::filesystem::temp_directory_path();
  const std::string first = folder / fmt::format("attn-trace-{}-1", getpid()),
                    second = folder / fmt::format("attn-trace-{}-2", getpid());
  options.seed = 7;
  options.trace = first;
  s.run(64, options);
  options.trace = second;
  s.run(64, options);
  std::string text = contents(first);
  EXPECT(text.find("bar.sync") != std::string::npos);
  EXPECT_EQ(text, contents(second));
  std::remove(first.c_str());
  std::remove(second.c_str());
}

TEST(simulatorInstructionLimit) {
  Setup s;
  LaunchOptions options;
  options.instructionLimit = 50;
  std::vector<std::string> faults = faultsIn([&] { s.run(64, options); });
  EXPECT_EQ(faults.size(), 1u);
  EXPECT(faults[0].find("its limit [limit]") != std::string::npos);
}

TEST(simulatorChecksHaveNames) {
  Checks checks;
  for (const std::string &name : checkNames()) {
    bool *flag = findCheck(checks, name);
    EXPECT(flag && *flag);
    *flag = false;
  }
  EXPECT(!checks.raceShared && !checks.coresident);
  EXPECT(findCheck(checks, "nonsense") == nullptr);
}

TEST(simulatorUnloadedModules) {
  Setup s;
  s.simulator.unload(s.module);
  EXPECT_FAULTS(s.run(64), "expects a loaded module, got number 0");
  std::vector<std::string> faults = faultsIn([&] { s.simulator.load(".version 8.0\nnonsense\n", "bad.ptx"); });
  EXPECT(!faults.empty());
  EXPECT(faults[0].find("bad.ptx:2:") == 0);
}

/// Prints one line a thread.
const char *printing = R"(.version 8.0
.target sm_80
.address_size 64
.extern .func (.param .b32 result) vprintf(.param .b64 format, .param .b64 arguments);
.global .align 1 .b8 format[16] = {37, 100, 32, 37, 115, 32, 37, 46, 50, 102, 32, 37, 37, 10, 0, 0};
.global .align 1 .b8 word[4] = {97, 98, 99, 0};
.visible .entry printing() {
  .reg .b32 %r<4>;
  .reg .b64 %a<4>;
  .reg .f64 %d;
  .local .align 8 .b8 block[24];
  mov.u32 %r0, %tid.x;
  sub.s32 %r0, %r0, 1;
  st.local.b32 [block], %r0;
  mov.u64 %a0, word;
  cvta.global.u64 %a0, %a0;
  st.local.b64 [block+8], %a0;
  mov.f64 %d, 0d3FF8000000000000;
  st.local.f64 [block+16], %d;
  mov.u64 %a1, format;
  cvta.global.u64 %a1, %a1;
  mov.u64 %a2, block;
  cvta.local.u64 %a2, %a2;
  {
    .param .b64 p0;
    .param .b64 p1;
    .param .b32 p2;
    st.param.b64 [p0], %a1;
    st.param.b64 [p1], %a2;
    call.uni (p2), vprintf, (p0, p1);
    ld.param.b32 %r1, [p2];
  }
  ret;
}
)";

TEST(simulatorPrints) {
  Simulator simulator;
  Simulator::Module module = simulator.load(printing, "printing.ptx");
  EXPECT_EQ(simulator.launch(module, "printing", {1}, {2}, 0, nullptr, 0).output, "-1 abc 1.50 %\n0 abc 1.50 %\n");
}

} // namespace
