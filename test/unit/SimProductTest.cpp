// SPDX-License-Identifier: Apache-2.0
// wgmma: descriptors against the formulas they stand for, products against loops, for all shapes and ways to store b.
#include "runtime/sim/ProductMath.h"
#include "runtime/sim/Simulator.h"
#include "test/unit/Test.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <random>

using namespace attn;
using namespace attn::sim;

namespace {

struct Layout {
  unsigned span; ///< bytes of a swizzled row; 0: none
  bool along;    ///< lines, not k, are contiguous
  uint32_t leading, stride, start = 0, base = 0;
  uint64_t bits() const {
    const uint64_t mode = span == 128 ? 1 : span == 64 ? 2 : span == 32 ? 3 : 0;
    return start >> 4 | uint64_t(leading >> 4) << 16 | uint64_t(stride >> 4) << 32 | uint64_t(base) << 49 | mode << 62;
  }
};

/// The four rows of the table of element addresses, and the exchange of chunks, each as it is written there.
uint32_t naiveAddress(const Layout &l, unsigned size, uint32_t line, uint32_t k) {
  uint32_t a;
  const uint32_t lineBytes = line * size, kBytes = k * size;
  if (!l.span && !l.along)
    a = l.start + line % 8 * 16 + line / 8 * l.stride + kBytes / 16 * l.leading + kBytes % 16;
  else if (!l.span)
    a = l.start + lineBytes % 16 + lineBytes / 16 * l.stride + k % 8 * 16 + k / 8 * l.leading;
  else if (!l.along)
    a = l.start + line % 8 * l.span + line / 8 * l.stride + kBytes;
  else
    a = l.start + lineBytes % l.span + lineBytes / l.span * l.leading + k % 8 * l.span + k / 8 * l.stride;
  switch (l.span) {
  case 128:
    return a ^ (((a >> 7) - l.base) & 7) << 4;
  case 64:
    return a ^ (((a >> 7) - l.base) & 3) << 4;
  case 32:
    return a ^ (((a >> 7) - l.base) & 1) << 4;
  default:
    return a;
  }
}

TEST(productDescriptorsAgainstFormulas) {
  std::mt19937 random(7);
  const unsigned spans[] = {0, 32, 64, 128}, sizes[] = {1, 2, 4};
  for (unsigned round = 0; round < 2000; ++round) {
    const unsigned size = sizes[random() % 3];
    Layout l{spans[random() % 4], size == 2 && random() % 2, 0, 0};
    l.leading = (random() & 0x3fff) << 4;
    l.stride = (random() & 0x3fff) << 4;
    l.start = (random() & 0x3fff) << 4;
    l.base = random() % 8;
    uint64_t reserved;
    const MatrixDescriptor descriptor = MatrixDescriptor::decode(l.bits(), reserved);
    EXPECT_EQ(reserved, 0u);
    for (uint32_t line = 0; line < 64; line += 1 + random() % 7)
      for (uint32_t k = 0; k < kProductBytes / size; ++k)
        EXPECT_EQ(descriptor.address(l.along, size, line, k), naiveAddress(l, size, line, k));
  }
  for (uint64_t bit : {14, 15, 30, 31, 46, 47, 48, 52, 61}) {
    uint64_t reserved;
    MatrixDescriptor::decode(uint64_t(1) << bit, reserved);
    EXPECT_EQ(reserved, uint64_t(1) << bit);
  }
}

/// Tensor copies write rows of `span` bytes one below the other, chunks exchanged by the row's number: what lies in
/// such a slab at (row, byte) is what the descriptor finds there.
TEST(productDescriptorsReadSlabs) {
  for (unsigned span : {128u, 64u, 32u}) {
    auto slab = [&](uint32_t row, uint32_t byte) {
      const uint32_t a = row * span + byte;
      return a ^ (a >> 7 & (span / 16 - 1)) << 4;
    };
    for (uint32_t step = 0; step < span / 32; ++step) {
      Layout l{span, false, 16, 8 * span, 32 * step};
      uint64_t reserved;
      const MatrixDescriptor d = MatrixDescriptor::decode(l.bits(), reserved);
      for (uint32_t row = 0; row < 176; ++row)
        for (uint32_t k = 0; k < 16; ++k)
          EXPECT_EQ(d.address(false, 2, row, k), slab(row, 32 * step + 2 * k));
    }
    // Rows of k, `span / 2` lines in a slab of 64 rows; every step of 16 k begins 16 rows further down.
    for (uint32_t step = 0; step < 4; ++step) {
      Layout l{span, true, 64 * span, 8 * span, 16 * span * step};
      uint64_t reserved;
      const MatrixDescriptor d = MatrixDescriptor::decode(l.bits(), reserved);
      for (uint32_t line = 0; line < 256; ++line)
        for (uint32_t k = 0; k < 16; ++k)
          EXPECT_EQ(d.address(true, 2, line, k), line * 2 / span * 64 * span + slab(16 * step + k, line * 2 % span));
    }
  }
}

TEST(productUnitsAgree) {
  std::mt19937 random(11);
  std::uniform_real_distribution<float> any(-4, 4);
  for (unsigned tiles = 1; tiles <= 32; tiles += tiles < 5 ? 1 : 9)
    for (unsigned depth : {8u, 16u, 32u}) {
      std::vector<double> a(16 * kMaxDepth), b(size_t(tiles) * 8 * depth);
      for (double &value : a)
        value = any(random);
      for (double &value : b)
        value = any(random);
      b[5] = INFINITY;
      b[b.size() - 1] = NAN;
      std::vector<uint32_t> first(size_t(tiles) * 4 * 32);
      for (uint32_t &word : first)
        word = std::bit_cast<uint32_t>(any(random));
      auto result = [&](VectorUnit unit, bool accumulate) {
        std::vector<uint32_t> sums = first;
        std::vector<uint32_t *> rows;
        for (unsigned i = 0; i < tiles * 4; ++i)
          rows.push_back(sums.data() + i * 32);
        multiplyTiles(unit, a.data(), b.data(), depth, tiles, rows.data(), accumulate);
        return sums;
      };
      for (bool accumulate : {false, true}) {
        const std::vector<uint32_t> plain = result(VectorUnit::None, accumulate);
        for (unsigned unit = 1; unit <= unsigned(bestVectorUnit()); ++unit)
          EXPECT_EQ(result(VectorUnit(unit), accumulate) == plain, true);
      }
    }
}

std::string list(const char *prefix, unsigned count) {
  std::string text = "{";
  for (unsigned i = 0; i < count; ++i)
    text += fmt::format("{}{}{}", i ? ", " : "", prefix, i);
  return text + "}";
}

/// Copies `image` to shared memory, multiplies once, and stores register v of thread t at d[v * 128 + t].
std::string kernelText(unsigned n, const char *type, bool registers, const char *flags) {
  const unsigned count = n / 2;
  std::string text = fmt::format(R"(.version 8.0
.target sm_90a
.address_size 64
.extern .shared .align 1024 .b8 sm[];
.visible .entry product(.param .u64 image, .param .u64 fragments, .param .u64 sums, .param .u64 da, .param .u64 db,
                        .param .u32 words) {{
  .reg .pred %p<3>;
  .reg .b32 %r<20>;
  .reg .f32 %f<{}>;
  .reg .b64 %a<20>;
  ld.param.u64 %a0, [image];
  ld.param.u64 %a1, [fragments];
  ld.param.u64 %a2, [sums];
  ld.param.u64 %a3, [da];
  ld.param.u64 %a4, [db];
  ld.param.u32 %r1, [words];
  mov.u32 %r0, %tid.x;
  mov.u32 %r4, %r0;
  mov.u32 %r2, sm;
COPY:
  mad.wide.u32 %a6, %r4, 4, %a0;
  ld.global.b32 %r5, [%a6];
  mad.lo.u32 %r6, %r4, 4, %r2;
  st.shared.b32 [%r6], %r5;
  add.u32 %r4, %r4, 128;
  setp.lt.u32 %p0, %r4, %r1;
  @%p0 bra COPY;
  fence.proxy.async;
  bar.sync 0;
  shr.u32 %r2, %r2, 4;
  cvt.u64.u32 %a5, %r2;
  add.s64 %a3, %a3, %a5;
  add.s64 %a4, %a4, %a5;
  mad.wide.u32 %a7, %r0, 16, %a1;
  ld.global.v4.b32 {{%r10, %r11, %r12, %r13}}, [%a7];
  mad.wide.u32 %a8, %r0, 4, %a2;
)",
                                 count);
  for (unsigned v = 0; v < count; ++v)
    text += fmt::format("  ld.global.f32 %f{}, [%a8+{}];\n", v, v * 512);
  text += "  wgmma.fence.sync.aligned;\n";
  text += fmt::format("  wgmma.mma_async.sync.aligned.m64n{}k16.f32.{}.{} {}, {}, %a4, {};\n", n, type, type,
                      list("%f", count), registers ? "{%r10, %r11, %r12, %r13}" : "%a3", flags);
  text += "  wgmma.commit_group.sync.aligned;\n  wgmma.wait_group.sync.aligned 0;\n";
  for (unsigned v = 0; v < count; ++v)
    text += fmt::format("  st.global.f32 [%a8+{}], %f{};\n", v * 512, v);
  return text + "  ret;\n}\n";
}

struct Matrices {
  int a[64][16], b[256][16], c[64][256];
};

uint16_t half(int value, bool brain) {
  if (brain)
    return uint16_t(std::bit_cast<uint32_t>(float(value)) >> 16);
  // Small integers: scale the exponent's bias.
  const uint32_t bits = std::bit_cast<uint32_t>(float(value) * 0x1p-112f);
  return uint16_t(bits >> 16 & 0x8000) | uint16_t(bits >> 13 & 0x7fff);
}

/// A place for an operand of `lines` lines in shared memory, from `start` on.
Layout layoutFor(unsigned span, bool along, uint32_t start) {
  if (!span)
    return {0, along, 128, 256, start};
  return {span, along, 16 * span, 8 * span, start};
}

struct Case {
  unsigned n, span;
  bool along, alongA, registers, brain, negate;
};

void runCase(const Case &c, std::mt19937 &random) {
  Matrices m;
  for (auto &line : m.a)
    for (int &value : line)
      value = int(random() % 17) - 8;
  for (auto &line : m.b)
    for (int &value : line)
      value = int(random() % 17) - 8;
  for (auto &line : m.c)
    for (int &value : line)
      value = int(random() % 201) - 100;
  // b from 0 on, a behind 32 KiB.
  const Layout b = layoutFor(c.span, c.along, 0), a = layoutFor(c.span, c.alongA, 32768);
  std::vector<uint16_t> image(24 * 1024);
  auto put = [&](const Layout &l, unsigned lines, auto matrix) {
    for (uint32_t line = 0; line < lines; ++line)
      for (uint32_t k = 0; k < 16; ++k)
        image[naiveAddress(l, 2, line, k) / 2] = half(matrix[line][k], c.brain);
  };
  put(b, c.n, m.b);
  put(a, 64, m.a);
  // Thread 32 w + 4 g + q: register r has rows 16 w + g + 8 (r % 2), columns 2 q + 8 (r / 2) and the next.
  std::vector<uint16_t> fragments(128 * 8);
  std::vector<float> sums(128 * c.n / 2), wanted(sums.size());
  for (unsigned t = 0; t < 128; ++t) {
    const unsigned row = t / 32 * 16 + t % 32 / 4, column = t % 4 * 2;
    for (unsigned i = 0; i < 8; ++i)
      fragments[t * 8 + i] = half(m.a[row + 8 * (i / 2 % 2)][column + 8 * (i / 4) + i % 2], c.brain);
    for (unsigned v = 0; v < c.n / 2; ++v) {
      const unsigned i = row + 8 * (v / 2 % 2), j = 8 * (v / 4) + column + v % 2;
      int product = 0;
      for (unsigned k = 0; k < 16; ++k)
        product += m.a[i][k] * m.b[j][k];
      sums[v * 128 + t] = float(m.c[i][j]);
      wanted[v * 128 + t] = float(m.c[i][j] + (c.negate ? -product : product));
    }
  }
  const std::string flags = c.registers
                                ? fmt::format("1, 1, {}, {}", c.negate ? -1 : 1, int(c.along))
                                : fmt::format("1, {}, 1, {}, {}", c.negate ? -1 : 1, int(c.alongA), int(c.along));
  Simulator simulator;
  const auto module =
      simulator.load(kernelText(c.n, c.brain ? "bf16" : "f16", c.registers, flags.c_str()), "product.ptx");
  struct {
    uint64_t image, fragments, sums, a, b;
    uint32_t words;
  } p{simulator.allocate(image.size() * 2, "image"),
      simulator.allocate(fragments.size() * 2, "fragments"),
      simulator.allocate(sums.size() * 4, "sums"),
      a.bits(),
      b.bits(),
      uint32_t(image.size() / 2)};
  simulator.copyIn(p.image, image.data(), image.size() * 2);
  simulator.copyIn(p.fragments, fragments.data(), fragments.size() * 2);
  simulator.copyIn(p.sums, sums.data(), sums.size() * 4);
  LaunchOptions options;
  options.seed = random() % 3;
  simulator.launch(module, "product", {}, {128, 1, 1}, uint32_t(image.size() * 2), &p, sizeof p - 4, options);
  std::vector<float> got(sums.size());
  simulator.copyOut(got.data(), p.sums, got.size() * 4);
  for (size_t i = 0; i < got.size(); ++i)
    if (got[i] != wanted[i])
      throw std::runtime_error(
          fmt::format("n {} span {} along {} {} registers {}: register {} of thread {} expects {}, "
                      "got {}",
                      c.n, c.span, c.along, c.alongA, c.registers, i / 128, i % 128, wanted[i], got[i]));
}

TEST(productsOfAllShapes) {
  std::mt19937 random(3);
  for (unsigned n = 8; n <= 256; n += 8)
    for (unsigned span : {0u, 32u, 64u, 128u})
      for (bool along : {false, true})
        runCase({n, span, along, bool(random() % 2), bool(random() % 2), bool(random() % 2), random() % 4 == 0},
                random);
}

} // namespace
