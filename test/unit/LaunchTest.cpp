// SPDX-License-Identifier: Apache-2.0
// Launches: what is packed, which alternative is taken, and a sentence for each thing that can be wrong.
#include "test/unit/Samples.h"
#include "test/unit/Test.h"

#include <bit>
#include <cstring>

using namespace attn;
using namespace attn::test;

namespace {

/// The sample kernel on the watching device, and arguments that are right: batch 2, 130 queries, 200 keys.
struct Fixture {
  std::shared_ptr<NoHostWorkDevice> device = std::make_shared<NoHostWorkDevice>();
  std::shared_ptr<Kernel> kernel = device->loadText(sampleWith());
  Tensor q{at(0x10000), DType::BF16, {2, 130, 8, 64}, {}};
  Tensor k{at(0x20000), DType::BF16, {2, 200, 2, 64}, {}};
  Tensor lens{at(0x30000), DType::I32, {2}, {}};
  Tensor o{at(0x40000), DType::BF16, {2, 130, 8, 64}, {}};
  Tensor state{at(0x50000), DType::F32, {8}, {}};
  Value scale = 0.5, shift = int64_t(1) << 40, count = -3;
  Workspace workspace{at(0x60000), 2 * 130 * 4};

  static void *at(uintptr_t address) { return reinterpret_cast<void *>(address); }
  std::vector<Value> values() const { return {q, k, lens, scale, shift, count, o, state}; }
  void launch() {
    device->launching = true;
    kernel->launch(values(), workspace, at(0x77));
    device->launching = false;
  }
  std::vector<std::string> faults() {
    std::vector<std::string> found = faultsIn([&] { launch(); });
    // Whatever was wrong: nothing may have been started.
    if (!found.empty())
      EXPECT_EQ(device->started.size(), 0u);
    device->launching = false;
    return found;
  }
};

template <typename T> T loadAt(const std::vector<std::byte> &bytes, size_t offset) {
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof value);
  return value;
}

std::vector<std::string> one(const std::string &sentence) { return {sentence}; }

} // namespace

TEST(launchPacksParameters) {
  Fixture f;
  f.q.strides = {130 * 8 * 64, 8 * 64, 64, 1};
  f.launch();
  EXPECT_EQ(f.device->started.size(), 2u);
  const NoHostWorkDevice::Started &fast = f.device->started[0];
  EXPECT_EQ(fast.entry, "fast");
  EXPECT_EQ(fast.grid, 2 * 8 * 2);
  EXPECT(fast.stream == Fixture::at(0x77));
  // u64 u32 (pad) u64 f32 (pad) s64 b32 (pad) b64
  EXPECT_EQ(fast.offsets, (std::vector<size_t>{0, 8, 16, 24, 32, 40, 48}));
  EXPECT_EQ(fast.parameters.size(), 56u);
  EXPECT_EQ(loadAt<uint64_t>(fast.parameters, 0), 0x10000u);
  EXPECT_EQ(loadAt<int32_t>(fast.parameters, 8), 130);
  EXPECT_EQ(loadAt<int64_t>(fast.parameters, 16), 8 * 64);
  EXPECT_EQ(loadAt<float>(fast.parameters, 24), 0.5f);
  EXPECT_EQ(loadAt<int64_t>(fast.parameters, 32), int64_t(1) << 40);
  EXPECT_EQ(loadAt<int32_t>(fast.parameters, 40), -3);
  EXPECT_EQ(loadAt<uint64_t>(fast.parameters, 48), 0x60000u + 130 * 4);
  const NoHostWorkDevice::Started &last = f.device->started[1];
  EXPECT_EQ(last.entry, "last");
  EXPECT_EQ(last.grid, 129);
  EXPECT_EQ(loadAt<int32_t>(last.parameters, 0), 2);
}

TEST(launchTakesTheAlternativeThatFits) {
  Fixture f;
  f.q.data = Fixture::at(0x10002);
  f.launch();
  EXPECT_EQ(f.device->started[0].entry, "slow");
  EXPECT_EQ(f.device->started[0].grid, 3 * 8 * 2);
  EXPECT_EQ(loadAt<uint64_t>(f.device->started[0].parameters, 0), 0x20000u);
  Fixture g;
  g.k.strides = {200 * 2 * 64, 2 * 64 + 1, 64, 1};
  g.launch();
  EXPECT_EQ(g.device->started[0].entry, "slow");
  // A stride along a single element is never a step, so it may be anything.
  Fixture h;
  h.q.shape[0] = h.k.shape[0] = h.o.shape[0] = h.lens.shape[0] = 1;
  h.q.strides = {7, 8 * 64, 64, 1};
  h.launch();
  EXPECT_EQ(h.device->started[0].entry, "fast");
}

TEST(launchWithoutAlternative) {
  auto device = std::make_shared<NoHostWorkDevice>();
  std::string text = sampleWith("//! or slow\n//! grid ceildiv(seq_q, 64) * 8 * batch\n//! block 64\n//! shared 0\n"
                                "//! param address k\n",
                                "");
  Fixture f;
  f.kernel = f.device->loadText(text);
  f.q.data = Fixture::at(0x10002);
  f.k.strides = {200 * 2 * 64, 2 * 64 + 1, 64, 1};
  EXPECT_EQ(f.faults(),
            (std::vector<std::string>{
                "'q' begins at address 0x10002, expected a multiple of 16",
                "'k' has a stride of 129 elements in dimension 'seq_kv', expected a multiple of 16 bytes"}));
}

TEST(launchOverlapsOwnStepsOnly) {
  std::string text = sampleWith("//! cooperative", "//! overlaps-previous");
  text.replace(text.rfind("{ ret; }"), 8, "{ griddepcontrol.wait; ret; }");
  Fixture f;
  f.kernel = f.device->loadText(repairCheck(text));
  f.launch();
  EXPECT(!f.device->started[0].overlaps);
  EXPECT(f.device->started[1].overlaps);
  // Without programs in the step before, what would be overlapped is somebody else's.
  size_t at = text.find("//! grid ceildiv(seq_q, 128) * 8 * batch");
  Fixture g;
  g.kernel = g.device->loadText(repairCheck(text.replace(at, 40, "//! grid 0")));
  g.launch();
  EXPECT_EQ(g.device->started.size(), 1u);
  EXPECT_EQ(g.device->started[0].entry, "last");
  EXPECT(!g.device->started[0].overlaps);
}

TEST(watchingDeviceRefuses) {
  NoHostWorkDevice device;
  device.launching = true;
  char byte = 0;
  EXPECT_FAULTS(device.allocate(1, ""), "a launch must not allocate");
  EXPECT_FAULTS(device.release(nullptr), "a launch must not release");
  EXPECT_FAULTS(device.copyToDevice(&byte, &byte, 1), "a launch must not copy");
  EXPECT_FAULTS(device.copyToHost(&byte, &byte, 1), "a launch must not copy");
  EXPECT_FAULTS(device.copyOnDevice(&byte, &byte, 1, nullptr), "a launch must not copy");
  EXPECT_FAULTS(device.synchronize(nullptr), "a launch must not synchronize");
}

TEST(launchOfNothingIsSuccess) {
  Fixture f;
  f.q.shape[1] = f.o.shape[1] = 0;
  f.q.data = f.o.data = nullptr;
  f.workspace = {};
  f.launch();
  EXPECT_EQ(f.device->started.size(), 0u);
}

TEST(launchBroadcasts) {
  Fixture f;
  f.k.strides = {0, 2 * 64, 64, 1};
  f.launch();
  EXPECT_EQ(f.device->started[0].entry, "fast");
}

TEST(launchByName) {
  Fixture f;
  std::map<std::string, Value> values{{"q", f.q},         {"k", f.k},         {"kv_lens", f.lens}, {"scale", f.scale},
                                      {"shift", f.shift}, {"count", f.count}, {"o", f.o},          {"state", f.state}};
  f.kernel->launchNamed(values, {f.workspace, nullptr});
  EXPECT_EQ(f.device->started.size(), 2u);
  values.erase("k");
  values.emplace("key", f.k);
  EXPECT_FAULTS(f.kernel->launchNamed(values, {f.workspace, nullptr}), "argument 'k' is missing",
                "kernel 'prefill' has no argument 'key', expected q, k, kv_lens, scale, shift, count, o, state");
}

TEST(launchAsksForWorkspace) {
  Fixture f;
  f.q.data = nullptr;
  EXPECT_EQ(f.kernel->workspaceBytes(f.values()), 2u * 130 * 4);
  // From shapes alone: before there is any memory, and without the device.
  Fixture unplaced;
  for (Tensor *tensor : {&unplaced.q, &unplaced.k, &unplaced.lens, &unplaced.o, &unplaced.state})
    tensor->data = nullptr;
  unplaced.device->launching = true;
  EXPECT_EQ(unplaced.kernel->workspaceBytes(unplaced.values()), 2u * 130 * 4);
  f = Fixture();
  f.workspace.bytes = 1039;
  EXPECT_EQ(f.faults(), one("the workspace has 1039 bytes, expected 1040"));
  f.workspace = {nullptr, 1040};
  EXPECT_EQ(f.faults(), one("the workspace has no memory (a null pointer), expected 1040 bytes"));
  f.workspace = {Fixture::at(0x60010), 1040};
  EXPECT_EQ(f.faults(), one("the workspace begins at address 0x60010, expected a multiple of 256"));
  Fixture g;
  g.kernel = g.device->loadText(sampleWith("workspace batch * seq_q * 4", "workspace batch - seq_q"));
  EXPECT_EQ(g.faults(), one("kernel 'prefill' needs a workspace of -128 bytes for these sizes, expected 0 or more"));
}

TEST(launchFaultsOfKinds) {
  Fixture f;
  std::vector<Value> few{f.q, f.k};
  EXPECT_FAULTS(f.kernel->launch(few),
                "kernel 'prefill' expects 8 arguments (q, k, kv_lens, scale, shift, count, o, state), got 2");
  std::vector<Value> mixed{1.0, f.k, f.lens, f.q, f.shift, f.count, f.o, f.state};
  EXPECT_FAULTS(f.kernel->launch(mixed, f.workspace), "argument 'q' is a number, expected a tensor of bf16",
                "argument 'scale' is a tensor, expected a number of f32");
  f.k.type = DType::F16;
  EXPECT_EQ(f.faults(), one("argument 'k' has elements of f16, expected bf16"));
  f = Fixture();
  f.shift = 1.5;
  f.count = int64_t(1) << 31;
  EXPECT_EQ(f.faults(), (std::vector<std::string>{"argument 'shift' is 1.5, expected an integer",
                                                  "argument 'count' is 2147483648, expected a number of 32 bits"}));
}

TEST(launchFaultsOfShapes) {
  Fixture f;
  f.k.shape = {2, 200, 6, 64};
  EXPECT_EQ(f.faults(), one("argument 'k' has 6 kv_heads, expected 2"));
  f = Fixture();
  f.o.shape[1] = 131;
  EXPECT_EQ(f.faults(), one("dimension 'seq_q' is 130 in 'q' and 131 in 'o'"));
  f = Fixture();
  f.q.shape = {2, 130, 512};
  EXPECT_EQ(f.faults(), one("argument 'q' has 3 dimensions, expected 4 (batch, seq_q, heads, head_dim)"));
  f = Fixture();
  f.k.shape[1] = int64_t(1) << 30;
  EXPECT_EQ(f.faults(), one("argument 'k' has 1073741824 seq_kv, expected from 0 to 1073741823"));
  f = Fixture();
  f.k.shape[1] = -1;
  EXPECT_EQ(f.faults(), one("argument 'k' has -1 seq_kv, expected from 0 to 1073741823"));
}

TEST(launchFaultsOfStridesAndAddresses) {
  Fixture f;
  f.q.strides = {130 * 8 * 128, 8 * 128, 128, 2};
  EXPECT_EQ(f.faults(), one("'q' is not contiguous in head_dim (stride 2)"));
  f = Fixture();
  f.q.strides = {1, 1};
  EXPECT_EQ(f.faults(), one("argument 'q' has 2 strides, expected 4, one for each dimension"));
  f = Fixture();
  f.o.strides = {0, 8 * 64, 64, 1};
  EXPECT_EQ(f.faults(), one("argument 'o' is written and has stride 0 in dimension 'batch', expected a place for each "
                            "of its 2 elements"));
  f = Fixture();
  f.k.strides = {int64_t(1) << 62, 2 * 64, 64, 1};
  EXPECT_EQ(f.faults(),
            one("argument 'k' reaches beyond 64-bit addresses with strides [4611686018427387904, 128, 64, 1]"));
  f = Fixture();
  f.k.data = nullptr;
  EXPECT_EQ(f.faults(), one("argument 'k' has no memory (a null pointer)"));
  f = Fixture();
  f.k.data = Fixture::at(0x20001);
  EXPECT_EQ(f.faults(),
            one("argument 'k' begins at address 0x20001, expected a multiple of the 2 bytes of its elements"));
}

TEST(launchFaultsComeTogether) {
  Fixture f;
  f.k.shape[2] = 6;
  f.o.shape[1] = 131;
  f.q.strides = {130 * 8 * 128, 8 * 128, 128, 2};
  EXPECT_EQ(f.faults(), (std::vector<std::string>{"'q' is not contiguous in head_dim (stride 2)",
                                                  "argument 'k' has 6 kv_heads, expected 2",
                                                  "dimension 'seq_q' is 130 in 'q' and 131 in 'o'"}));
}

TEST(launchFaultsOfGrids) {
  Fixture f;
  f.kernel = f.device->loadText(sampleWith("grid ceildiv(seq_q, 128) * 8 * batch", "grid seq_q * 1073741824"));
  EXPECT_EQ(f.faults(),
            one("kernel 'prefill' needs 139586437120 programs for these sizes, expected at most 2147483647"));
  f.kernel = f.device->loadText(sampleWith("grid ceildiv(seq_q, 128) * 8 * batch", "grid batch / (seq_q - 130)"));
  EXPECT_EQ(f.faults(), one("kernel 'prefill' cannot be launched with these sizes: the grid: 'batch / (seq_q - 130)' "
                            "divides by zero"));
}

TEST(launchSharesWorkOut) {
  Fixture f;
  const char *grid = "grid ceildiv(seq_q, 128) * 8 * batch";
  auto programs = [&](const std::string &text, int64_t multiprocessors) {
    f.kernel = f.device->loadText(sampleWith(grid, text));
    f.device->processors = multiprocessors;
    f.device->started.clear();
    f.launch();
    return f.device->started[0].grid;
  };
  // 32 blocks of work.
  EXPECT_EQ(programs("grid min(ceildiv(seq_q, 128) * 8 * batch, multiprocessors)", 7), 7);
  EXPECT_EQ(programs("grid min(ceildiv(seq_q, 128) * 8 * batch, multiprocessors)", 1), 1);
  EXPECT_EQ(programs("grid min(ceildiv(seq_q, 128) * 8 * batch, multiprocessors)", 33), 32);
  EXPECT_EQ(programs("grid min(ceildiv(seq_q, 128) * 8 * batch, 2 * multiprocessors)", 7), 14);
  // The work is counted, however few programs do it; one turn of all programs more must not overflow.
  f.device->processors = 7;
  f.device->started.clear();
  f.kernel = f.device->loadText(sampleWith(grid, "grid min(seq_q * 1073741824, multiprocessors)"));
  EXPECT_EQ(f.faults(),
            one("kernel 'prefill' needs 139586437120 programs for these sizes, expected at most 2147483640"));
  f.kernel = f.device->loadText(sampleWith(grid, "grid min(2147483641, multiprocessors)"));
  EXPECT_EQ(f.faults(), one("kernel 'prefill' needs 2147483641 programs for these sizes, expected at most 2147483640"));
  EXPECT_EQ(programs("grid min(2147483640, multiprocessors)", 7), 7);
}

TEST(loadFaults) {
  auto device = std::make_shared<NoHostWorkDevice>();
  EXPECT_FAULTS(device->loadText(sampleWith(), "decode", "K.ptx"), "K.ptx has no kernel 'decode', it has prefill");
  EXPECT_FAULTS(device->loadText(sampleWith("target sm_80", "target sm_90"), "", "K.ptx"),
                "K.ptx is compiled for sm_90");
  std::string two = sampleWith("//! source", "//! kernel b\n//! launch last\n//! grid 1\n//! block 32\n"
                                             "//! scalar n i32\n//! param scalar n\n//! source");
  EXPECT_FAULTS(device->loadText(two, "", "K.ptx"), "K.ptx holds 2 kernels (prefill, b): expects the name of one");
  std::shared_ptr<Kernel> second = device->loadText(two, "b", "K.ptx");
  EXPECT_EQ(second->section().name, "b");
  EXPECT_FAULTS(device->load("/nowhere/K.ptx"), "cannot read '/nowhere/K.ptx': No such file or directory");
}
