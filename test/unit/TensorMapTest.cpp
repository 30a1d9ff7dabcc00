// SPDX-License-Identifier: Apache-2.0
// Tensor maps from the line in a kernel file to the copy of a box, and copies of random boxes against a nested loop.
#include "runtime/sim/TensorMap.h"
#include "runtime/SimDevice.h"
#include "test/unit/Samples.h"
#include "test/unit/Test.h"

#include <numeric>
#include <random>

using namespace attn;
using namespace attn::test;

namespace {

/// Copies the first box of k to o by threads of one warp: 2 rows of 64 elements with a swizzle that rows 0 and 1 need.
const char *mappedText = R"(//! attn-kernel-file 1
//! build b
//! target sm_90a
//! spec-hash 0123456789abcdef
//! check 0000000000000000
//! kernel copy
//! input k bf16 [batch, seq, heads, head_dim = 64]
//! output o bf16 [two = 2, head_dim = 64]
//! workspace 0
//! launch mapped
//! requires tensor-map k
//! grid 1
//! block 32
//! shared 0
//! param map k box [1, 2, 1, 64] swizzle 128
//! param address o
//! param map k box [1, 2, 1, 64] swizzle 128
//! or plain
//! grid 1
//! block 32
//! shared 0
//! param address k
//! source
//! end
.version 8.0
.target sm_90a
.address_size 64
.shared .align 8 .b8 full[8];
.shared .align 1024 .b8 tile[256];
.visible .entry mapped(.param .align 64 .b8 p_k[128], .param .u64 p_o, .param .align 64 .b8 p_k2[128]) {
  .reg .pred %p<4>;
  .reg .b32 %r<10>;
  .reg .b64 %rd<10>;
  mov.u32 %r0, %tid.x;
  setp.ne.u32 %p1, %r0, 0;
  @%p1 bra READY;
  mbarrier.init.shared::cta.b64 [full], 1;
  fence.mbarrier_init.release.cluster;
  mbarrier.arrive.expect_tx.shared::cta.b64 _, [full], 256;
  mov.b64 %rd2, p_k2;
  cvta.param.u64 %rd3, %rd2;
  cp.async.bulk.tensor.4d.shared::cluster.global.mbarrier::complete_tx::bytes [tile], [%rd3, {0, 0, 1, 0}], [full];
READY:
  bar.sync 0;
WAIT:
  mbarrier.try_wait.parity.shared::cta.b64 %p2, [full], 0;
  @!%p2 bra WAIT;
  ld.param.u64 %rd0, [p_o];
  mad.wide.u32 %rd1, %r0, 4, %rd0;
  mov.u32 %r1, tile;
  mad.lo.u32 %r1, %r0, 4, %r1;
  ld.shared.b32 %r2, [%r1];
  st.global.b32 [%rd1], %r2;
  xor.b32 %r1, %r1, 16;
  ld.shared.b32 %r2, [%r1+128];
  st.global.b32 [%rd1+128], %r2;
  ret;
}
.visible .entry plain(.param .u64 p_k) { ret; }
)";

std::string mappedWith(const std::string &old = {}, const std::string &replacement = {}) {
  std::string text = mappedText;
  if (!old.empty())
    text.replace(text.find(old), old.size(), replacement);
  return repairCheck(text);
}

std::string faultOf(const std::string &text) {
  return fmt::format("{}", fmt::join(faultsIn([&] { parseKernelFile(text, "K.ptx"); }), " | "));
}

} // namespace

TEST(kernelFileWithTensorMaps) {
  std::string text = mappedWith();
  KernelFile file = parseKernelFile(text);
  const KernelEntry &entry = file.kernels[0].steps[0].alternatives[0];
  EXPECT_EQ(entry.tensorMaps, std::vector<std::string>{"k"});
  EXPECT(entry.parameters[0].what == KernelParameter::Kind::Map && entry.parameters[0].name == "k");
  EXPECT_EQ(entry.parameters[0].box, (std::vector<int64_t>{1, 2, 1, 64}));
  EXPECT_EQ(entry.parameters[0].swizzle, 128);
  EXPECT_EQ(printKernelFile(file, text.substr(text.find(".version"))), text);
}

TEST(kernelFileTensorMapFaults) {
  EXPECT_EQ(faultOf(mappedWith("tensor-map k", "tensor-map x")),
            "K.ptx: kernel 'copy': expects the name of a tensor in entry 'mapped', got 'x'");
  EXPECT_EQ(faultOf(mappedWith("tensor-map k", "tensor k")),
            "K.ptx:11: expects 'aligned' or 'tensor-map', got 'tensor'");
  EXPECT_EQ(faultOf(mappedWith("box [1, 2, 1, 64]", "box [1, 2, 64]")),
            "K.ptx: kernel 'copy': expects 4 sizes of the box of 'k' in entry 'mapped', got 3");
  EXPECT_EQ(faultOf(mappedWith("box [1, 2, 1, 64]", "box [1, 2, 1, 32]")),
            "K.ptx: kernel 'copy': expects an inner box of 'k' of 128 bytes in entry 'mapped', got 64");
  EXPECT_EQ(faultOf(mappedWith("box [1, 2, 1, 64] swizzle 128", "box [1, 2, 1, 4] swizzle 0")),
            "K.ptx: kernel 'copy': expects an inner box of 'k' of a multiple of 16 bytes in entry 'mapped', got 8");
  EXPECT_EQ(
      faultOf(mappedWith("swizzle 128", "swizzle 48")),
      "K.ptx: kernel 'copy': expects a swizzle of 0, 32, 64 or 128 bytes in entry 'mapped', got 48 | K.ptx: kernel "
      "'copy': expects an inner box of 'k' of 48 bytes in entry 'mapped', got 128");
  EXPECT_EQ(faultOf(mappedWith("box [1, 2, 1, 64] swizzle", "box [1, 257, 1, 64] swizzle")),
            "K.ptx:15: expects a size of the box from 1 to 256, got '257'");
  EXPECT_EQ(faultOf(mappedWith(".align 64 .b8 p_k[128]", ".align 16 .b8 p_k[128]")),
            "K.ptx: kernel 'copy': expects parameter 0 of entry 'mapped' to be 128 bytes in the PTX, got 0");
}

namespace {

/// The kernel above on the simulator. Element i of the memory behind k is i.
struct MappedCopy {
  std::shared_ptr<SimDevice> device = SimDevice::open("");
  std::shared_ptr<Kernel> kernel = device->loadText(mappedWith());
  uint16_t *memory = static_cast<uint16_t *>(device->allocate(1 << 16, "k"));
  void *o = device->allocate(256, "o");
  MappedCopy() {
    std::vector<uint16_t> numbers(1 << 15);
    std::iota(numbers.begin(), numbers.end(), uint16_t(0));
    device->copyToDevice(memory, numbers.data(), numbers.size() * 2);
  }
  std::vector<uint16_t> run(std::vector<int64_t> shape, std::vector<int64_t> strides, int64_t offset = 0) {
    kernel->launch({Tensor{memory + offset, DType::BF16, std::move(shape), std::move(strides)},
                    Tensor{o, DType::BF16, {2, 64}, {}}});
    std::vector<uint16_t> result(128);
    device->copyToHost(result.data(), o, 256);
    return result;
  }
  std::string entryTaken(std::vector<int64_t> shape, std::vector<int64_t> strides, int64_t offset = 0) {
    return kernel
        ->plan({Tensor{memory + offset, DType::BF16, std::move(shape), std::move(strides)},
                Tensor{o, DType::BF16, {2, 64}, {}}},
               {})
        .front()
        .entry->name;
  }
};

std::vector<uint16_t> rows(int64_t first, int64_t second) {
  std::vector<uint16_t> result;
  for (int64_t start : {first, second})
    for (int64_t i = 0; i < 64; ++i)
      result.push_back(start < 0 ? uint16_t(0) : uint16_t(start + i));
  return result;
}

} // namespace

TEST(tensorMapLaunch) {
  MappedCopy copy;
  // The kernel reads rows 1 and 2 of the sequence (of head 0 of batch 0); what is outside is zero.
  EXPECT_EQ(copy.run({2, 5, 3, 64}, {}), rows(192, 384));
  EXPECT_EQ(copy.run({1, 5, 1, 64}, {}), rows(64, 128));
  EXPECT_EQ(copy.run({1, 2, 1, 64}, {}), rows(64, -1));
  EXPECT_EQ(copy.run({1, 5, 1, 64}, {0, 1000, 0, 1}), rows(1000, 2000));
  EXPECT_EQ(copy.run({2, 5, 3, 64}, {8, 1000, 72, 1}, 16), rows(1016, 2016));
  // The second map's rows are its dimension, not padding of the tensor.
  EXPECT_EQ(copy.run({1, 1, 1, 64}, {}), rows(-1, -1));
}

TEST(tensorMapRequirement) {
  MappedCopy copy;
  EXPECT_EQ(copy.entryTaken({2, 5, 3, 64}, {}), "mapped");
  EXPECT_EQ(copy.entryTaken({2, 0, 3, 64}, {}), "mapped");
  EXPECT_EQ(copy.entryTaken({2, 5, 3, 64}, {}, 4), "plain");
  EXPECT_EQ(copy.entryTaken({2, 5, 3, 64}, {4096, 68, 512, 1}), "plain");
  EXPECT_EQ(copy.entryTaken({1, 5, 3, 64}, {7, 512, 64, 1}), "mapped");
  EXPECT_EQ(copy.entryTaken({2, 5, 3, 64}, {0, 512, 64, 1}), "plain");
  EXPECT_EQ(copy.entryTaken({2, 5, 3, 64}, {-4096, 512, 64, 1}), "plain");
  EXPECT_EQ(copy.entryTaken({2, 5, 3, 64}, {int64_t(1) << 39, 512, 64, 1}), "plain");
  EXPECT_EQ(copy.entryTaken({2, 5, 3, 64}, {(int64_t(1) << 39) - 8, 512, 64, 1}), "mapped");
}

TEST(tensorMapEncoding) {
  sim::TensorMap map;
  map.element = sim::TensorElement::BF16;
  map.rank = 2;
  map.swizzle = 128;
  map.base = 0x12345670;
  map.dims = {64, uint64_t(1) << 32};
  map.box = {64, 256};
  map.elementStrides = {1, 1};
  map.strides = {128};
  EXPECT_EQ(sim::tensorMapFaults(map), std::vector<std::string>{});
  uint8_t bytes[128];
  sim::encodeTensorMap(map, bytes);
  EXPECT_EQ(std::string(reinterpret_cast<char *>(bytes), 4), "ATM1");
  sim::TensorMap again;
  EXPECT(sim::decodeTensorMap(bytes, again));
  EXPECT_EQ(again.dims[1], uint64_t(1) << 32);
  EXPECT_EQ(again.box[1], 256u);
  EXPECT_EQ(again.base, map.base);
  for (unsigned i = 0; i < 128; ++i) {
    bytes[i] ^= 4;
    EXPECT(!sim::decodeTensorMap(bytes, again));
    bytes[i] ^= 4;
  }
  auto fault = [&](auto change) {
    sim::TensorMap wrong = map;
    change(wrong);
    return fmt::format("{}", fmt::join(sim::tensorMapFaults(wrong), " | "));
  };
  EXPECT_EQ(fault([](sim::TensorMap &m) { m.rank = 6; }), "a tensor map expects 1 to 5 dimensions, got 6");
  EXPECT_EQ(fault([](sim::TensorMap &m) { m.base = 8; }),
            "a tensor map expects an address that is a multiple of 16, got 0x8");
  EXPECT_EQ(fault([](sim::TensorMap &m) { m.dims[0] = 0; }), "dimension 0 expects 1 to 2^32 elements, got 0");
  EXPECT_EQ(fault([](sim::TensorMap &m) { m.box[1] = 257; }),
            "dimension 1 of the box expects 1 to 256 elements, got 257");
  EXPECT_EQ(fault([](sim::TensorMap &m) { m.elementStrides[1] = 9; }), "element stride 1 expects 1 to 8, got 9");
  EXPECT_EQ(fault([](sim::TensorMap &m) { m.strides[0] = 100; }),
            "the stride of dimension 1 expects a multiple of 16 below 2^40 in bytes, got 100");
  EXPECT_EQ(fault([](sim::TensorMap &m) { m.swizzle = 16; }),
            "a tensor map expects a swizzle of 0, 32, 64 or 128 bytes, got 16");
  EXPECT_EQ(fault([](sim::TensorMap &m) { m.element = sim::TensorElement::U16, m.nanFill = true; }),
            "NaN outside the tensor expects a floating-point element type");
  EXPECT_EQ(fault([](sim::TensorMap &m) { m.box[0] = 12, m.swizzle = 0; }),
            "the inner dimension of the box expects a multiple of 16 bytes, got 24");
  EXPECT_EQ(fault([](sim::TensorMap &m) { m.box[0] = 32; }),
            "inner box of 64 bytes with a 128-byte swizzle is not supported");
}

//===-- Random boxes
//-------------------------------------------------------------------------------------------------===//

namespace {

constexpr uint32_t tileBytes = 16384;

/// Loads a box to shared memory and dumps that; loads, then stores the tile through the second map.
std::string copierText(unsigned rank) {
  std::string coordinates, loads;
  for (unsigned i = 0; i < rank; ++i) {
    coordinates += fmt::format("{}%c{}", i ? ", " : "", i);
    loads += fmt::format("  ld.param.u32 %c{}, [p_c+{}];\n", i, 4 * i);
  }
  return fmt::format(R"(.version 8.0
.target sm_90a
.address_size 64
.shared .align 8 .b8 full[8];
.shared .align 1024 .b8 tile[{2}];
.visible .entry copier(.param .align 64 .b8 p_a[128], .param .align 64 .b8 p_b[128], .param .align 4 .b8 p_c[20],
                       .param .u64 p_o, .param .u32 p_bytes) {{
  .reg .pred %p<4>;
  .reg .b32 %r<10>;
  .reg .b32 %c<5>;
  .reg .b64 %rd<10>;
{1}  mov.b64 %rd2, p_a;
  cvta.param.u64 %rd3, %rd2;
  mov.b64 %rd2, p_b;
  cvta.param.u64 %rd4, %rd2;
  mov.u32 %r0, %tid.x;
  ld.param.u32 %r3, [p_bytes];
  setp.ne.u32 %p1, %r0, 0;
  @%p1 bra READY;
  mbarrier.init.shared::cta.b64 [full], 1;
  fence.mbarrier_init.release.cluster;
  mbarrier.arrive.expect_tx.shared::cta.b64 _, [full], %r3;
  cp.async.bulk.tensor.{3}d.shared::cluster.global.mbarrier::complete_tx::bytes [tile], [%rd3, {{{0}}}], [full];
READY:
  bar.sync 0;
WAIT:
  mbarrier.try_wait.parity.shared::cta.b64 %p2, [full], 0;
  @!%p2 bra WAIT;
  ld.param.u64 %rd0, [p_o];
  mov.u32 %r1, tile;
  mad.lo.u32 %r1, %r0, 4, %r1;
  mad.wide.u32 %rd1, %r0, 4, %rd0;
  mul.lo.u32 %r4, %r0, 4;
DUMP:
  setp.ge.u32 %p3, %r4, %r3;
  @%p3 bra STORE;
  ld.shared.b32 %r2, [%r1];
  st.global.b32 [%rd1], %r2;
  add.u32 %r1, %r1, 128;
  add.u64 %rd1, %rd1, 128;
  add.u32 %r4, %r4, 128;
  bra DUMP;
STORE:
  bar.sync 0;
  @%p1 exit;
  cp.async.bulk.tensor.{3}d.global.shared::cta.bulk_group [%rd4, {{{0}}}], [tile];
  cp.async.bulk.commit_group;
  cp.async.bulk.wait_group 0;
  ret;
}}
)",
                     coordinates, loads, tileBytes, rank);
}

/// A tensor, a box and where it lies, at random.
struct RandomBox {
  sim::TensorMap map;
  std::array<int32_t, 5> coordinates{};
  uint64_t bytes = 0; ///< of the tensor

  RandomBox(std::mt19937 &random, unsigned rank) {
    auto draw = [&](unsigned low, unsigned high) { return low + unsigned(random() % (high - low + 1)); };
    static constexpr sim::TensorElement elements[] = {sim::TensorElement::U8, sim::TensorElement::BF16,
                                                      sim::TensorElement::U32, sim::TensorElement::F64};
    map.element = elements[draw(0, 3)];
    map.rank = rank;
    map.swizzle = std::array<unsigned, 4>{0, 32, 64, 128}[draw(0, 3)];
    const unsigned size = sim::elementBytes(map.element);
    unsigned inner = map.swizzle ? map.swizzle : 16 * draw(1, 6);
    map.elementStrides.fill(1);
    map.box[0] = inner / size;
    map.dims[0] = draw(1, 2 * map.box[0]);
    uint64_t stride = (map.dims[0] * size + 15) / 16 * 16;
    unsigned left = tileBytes / inner;
    for (unsigned i = 1; i < rank; ++i) {
      map.dims[i] = draw(1, 9);
      unsigned count = draw(1, std::min(5u, left));
      left /= count;
      map.elementStrides[i] = draw(1, 8) > 6 ? draw(2, 3) : 1;
      map.box[i] = count * map.elementStrides[i] - draw(0, map.elementStrides[i] - 1);
      stride += 16 * draw(0, 2);
      map.strides[i - 1] = stride;
      stride *= map.dims[i];
    }
    bytes = stride;
    for (unsigned i = 0; i < rank; ++i)
      coordinates[i] = int(draw(0, unsigned(map.dims[i]) + map.box[i])) - int(map.box[i]);
  }
};

/// Where byte `at` of the tile is swizzled to, by chunks and rows.
uint32_t placed(uint32_t at, unsigned swizzle) {
  if (!swizzle)
    return at;
  uint32_t chunk = at / 16 % 8, row = at / 128;
  return at / 128 * 128 + (chunk ^ (row % (swizzle / 16))) * 16 + at % 16;
}

/// What the tile must hold, one element after the other.
std::vector<uint8_t> expectedTile(const RandomBox &box, const std::vector<uint8_t> &tensor,
                                  std::vector<uint8_t> &stored) {
  const sim::TensorMap &map = box.map;
  const unsigned size = sim::elementBytes(map.element);
  std::vector<uint8_t> tile(map.boxBytes());
  std::array<unsigned, 5> counts{1, 1, 1, 1, 1}, i{};
  for (unsigned d = 0; d < map.rank; ++d)
    counts[d] = (map.box[d] + map.elementStrides[d] - 1) / map.elementStrides[d];
  uint32_t linear = 0;
  for (i[4] = 0; i[4] < counts[4]; ++i[4])
    for (i[3] = 0; i[3] < counts[3]; ++i[3])
      for (i[2] = 0; i[2] < counts[2]; ++i[2])
        for (i[1] = 0; i[1] < counts[1]; ++i[1])
          for (i[0] = 0; i[0] < counts[0]; ++i[0], ++linear) {
            int64_t offset = 0;
            bool inside = true;
            for (unsigned d = 0; d < map.rank; ++d) {
              int64_t x = box.coordinates[d] + int64_t(i[d]) * map.elementStrides[d];
              inside = inside && x >= 0 && x < int64_t(map.dims[d]);
              offset += x * int64_t(d ? map.strides[d - 1] : size);
            }
            for (unsigned b = 0; b < size && inside; ++b) {
              tile[placed(linear * size + b, map.swizzle)] = tensor[size_t(offset) + b];
              stored[size_t(offset) + b] = tensor[size_t(offset) + b];
            }
          }
  return tile;
}

} // namespace

TEST(tensorMapRandomBoxes) {
  std::mt19937 random(7);
  for (unsigned rank = 1; rank <= 5; ++rank) {
    sim::Simulator simulator;
    sim::Simulator::Module module = simulator.load(copierText(rank), "copier.ptx");
    for (unsigned trial = 0; trial < 60; ++trial) {
      RandomBox box(random, rank);
      uint64_t from = simulator.allocate(box.bytes + 256, "from"), to = simulator.allocate(box.bytes + 256, "to"),
               dump = simulator.allocate(tileBytes, "dump");
      std::vector<uint8_t> tensor(box.bytes), stored(box.bytes, 0xee), got(box.bytes);
      for (uint8_t &byte : tensor)
        byte = uint8_t(1 + random() % 255);
      simulator.copyIn(from, tensor.data(), tensor.size());
      simulator.copyIn(to, stored.data(), stored.size());
      uint8_t parameters[128 + 128 + 24 + 8 + 4] = {}, maps[2][128];
      box.map.base = from;
      EXPECT_EQ(sim::tensorMapFaults(box.map), std::vector<std::string>{});
      sim::encodeTensorMap(box.map, maps[0]);
      box.map.base = to;
      sim::encodeTensorMap(box.map, maps[1]);
      uint32_t bytes = box.map.boxBytes();
      std::memcpy(parameters, maps, 256);
      std::memcpy(parameters + 256, box.coordinates.data(), 20);
      std::memcpy(parameters + 280, &dump, 8);
      std::memcpy(parameters + 288, &bytes, 4);
      sim::LaunchOptions options;
      options.seed = trial % 3;
      simulator.launch(module, "copier", {}, {32}, 0, parameters, sizeof parameters, options);
      std::vector<uint8_t> wanted = expectedTile(box, tensor, stored), tile(bytes);
      simulator.copyOut(tile.data(), dump, bytes);
      simulator.copyOut(got.data(), to, got.size());
      EXPECT(tile == wanted);
      EXPECT(got == stored);
      for (uint64_t address : {from, to, dump})
        simulator.free(address);
    }
  }
}
