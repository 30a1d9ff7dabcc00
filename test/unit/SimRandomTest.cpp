// SPDX-License-Identifier: Apache-2.0
// Random straight-line programs on the simulator against an evaluator that shares no code with it.
#include "runtime/sim/Scalar.h"
#include "runtime/sim/Simulator.h"
#include "test/unit/Test.h"

#include <cmath>
#include <cstring>

using namespace attn;
using namespace attn::sim;

namespace {

struct Random {
  uint64_t state;
  uint32_t next() {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return uint32_t(state >> 32);
  }
  uint32_t below(uint32_t bound) { return next() % bound; }
};

float number(uint32_t bits) {
  float f;
  std::memcpy(&f, &bits, 4);
  return f;
}
uint32_t word(float f) {
  uint32_t bits;
  std::memcpy(&bits, &f, 4);
  return f != f ? 0x7fffffffu : bits;
}

using Value = uint32_t (*)(uint32_t, uint32_t, uint32_t);
struct Instruction {
  const char *text; // operands follow
  unsigned sources;
  Value value;
};

#define VALUE(expression)                                                                                              \
  [](uint32_t a, uint32_t b, uint32_t c) -> uint32_t {                                                                 \
    (void)b, (void)c;                                                                                                  \
    return expression;                                                                                                 \
  }
const Instruction kInstructions[] = {
    {"add.s32", 2, VALUE(a + b)},
    {"sub.s32", 2, VALUE(a - b)},
    {"mul.lo.s32", 2, VALUE(a *b)},
    {"mul.hi.u32", 2, VALUE(uint32_t((uint64_t(a) * b) >> 32))},
    {"mul.hi.s32", 2, VALUE(uint32_t((int64_t(int32_t(a)) * int32_t(b)) >> 32))},
    {"mad.lo.s32", 3, VALUE(a *b + c)},
    {"min.s32", 2, VALUE(int32_t(a) < int32_t(b) ? a : b)},
    {"max.u32", 2, VALUE(a > b ? a : b)},
    {"abs.s32", 1, VALUE(int32_t(a) < 0 ? 0u - a : a)},
    {"neg.s32", 1, VALUE(0u - a)},
    {"and.b32", 2, VALUE(a &b)},
    {"or.b32", 2, VALUE(a | b)},
    {"xor.b32", 2, VALUE(a ^ b)},
    {"not.b32", 1, VALUE(~a)},
    {"shl.b32", 2, VALUE(b > 31 ? 0 : a << b)},
    {"shr.u32", 2, VALUE(b > 31 ? 0 : a >> b)},
    {"shr.s32", 2, VALUE(uint32_t(int32_t(a) >> (b > 31 ? 31 : b)))},
    {"shf.l.wrap.b32", 3, VALUE(c % 32 ? b << (c % 32) | a >> (32 - c % 32) : b)},
    {"shf.r.clamp.b32", 3,
     VALUE(c == 0   ? a
           : c > 31 ? b
                    : a >> c | b << (32 - c))},
    {"popc.b32", 1, VALUE(uint32_t(__builtin_popcount(a)))},
    {"clz.b32", 1, VALUE(a ? uint32_t(__builtin_clz(a)) : 32)},
    {"sad.u32", 3, VALUE(c + (a > b ? a - b : b - a))},
    {"lop3.b32", 3, VALUE((a & b) ^ c)}, // table 0x6a
    {"add.rn.f32", 2, VALUE(word(number(a) + number(b)))},
    {"sub.rn.f32", 2, VALUE(word(number(a) - number(b)))},
    {"mul.rn.f32", 2, VALUE(word(number(a) * number(b)))},
    {"fma.rn.f32", 3, VALUE(word(std::fmaf(number(a), number(b), number(c))))},
    {"div.rn.f32", 2, VALUE(word(number(a) / number(b)))},
    {"sqrt.rn.f32", 1, VALUE(word(std::sqrt(number(a))))},
    {"cvt.rn.f32.s32", 1, VALUE(word(float(int32_t(a))))},
    {"cvt.rn.f32.u32", 1, VALUE(word(float(a)))},
};
constexpr uint32_t kEdges[] = {0,          1,          0xffffffff, 0x80000000, 0x7fffffff, 0x3f800000,
                               0xbf800000, 0x7f800000, 0x00000003, 0x7f7fffff, 31,         32,
                               0x33800000, 0x40490fdb, 0x807fffff, 0xff800000};

/// A program of `length` instructions over 8 registers, and what it leaves in them per lane.
struct Program {
  std::string text;
  std::vector<uint32_t> input, output; // 8 registers of 32 lanes

  Program(uint64_t seed, unsigned length) {
    Random random{seed};
    for (unsigned i = 0; i < 8 * 32; ++i)
      input.push_back(random.below(3) ? random.next() : kEdges[random.below(16)]);
    output = input;
    std::string body;
    for (unsigned i = 0; i < length; ++i)
      add(random, body);
    text =
        ".version 7.1\n.target sm_80\n.address_size 64\n.visible .entry k(.param .u64 p) {\n.reg .pred %p1;\n.reg .b32 "
        "%t, %r<8>;\n.reg .b64 %d;\nld.param.u64 %d, [p];\nmov.u32 %t, %tid.x;\nmad.wide.u32 %d, %t, 4, %d;\n";
    for (unsigned r = 0; r < 8; ++r)
      text += fmt::format("ld.global.b32 %r{}, [%d+{}];\n", r, r * 128);
    text += body;
    for (unsigned r = 0; r < 8; ++r)
      text += fmt::format("st.global.b32 [%d+{}], %r{};\n", r * 128, r);
    text += "ret;\n}\n";
  }

  void add(Random &random, std::string &body) {
    const Instruction &instruction = kInstructions[random.below(std::size(kInstructions))];
    const unsigned d = random.below(8), guarded = random.below(4) == 0;
    unsigned source[3];
    std::string operands;
    for (unsigned s = 0; s < instruction.sources; ++s) {
      source[s] = random.below(8);
      operands += fmt::format(", %r{}", source[s]);
    }
    const unsigned g = random.below(8), h = random.below(8);
    if (guarded)
      body += fmt::format("setp.lt.s32 %p1, %r{}, %r{};\n@!%p1 ", g, h);
    body += fmt::format("{} %r{}{}{};\n", instruction.text, d, operands,
                        std::strcmp(instruction.text, "lop3.b32") ? "" : ", 0x6a");
    for (unsigned l = 0; l < 32; ++l) {
      auto at = [&](unsigned r) { return output[r * 32 + l]; };
      if (guarded && int32_t(at(g)) < int32_t(at(h)))
        continue;
      const unsigned n = instruction.sources;
      output[d * 32 + l] = instruction.value(at(source[0]), n > 1 ? at(source[1]) : 0, n > 2 ? at(source[2]) : 0);
    }
  }
};

void check(uint64_t seed) {
  const Program program(seed, 60);
  Simulator simulator;
  const Simulator::Module module = simulator.load(program.text, "random.ptx");
  const uint64_t buffer = simulator.allocate(1024, "buffer");
  simulator.copyIn(buffer, program.input.data(), 1024);
  simulator.launch(module, "k", {1, 1, 1}, {32, 1, 1}, 0, &buffer, 8);
  std::vector<uint32_t> result(256);
  simulator.copyOut(result.data(), buffer, 1024);
  for (unsigned i = 0; i < 256; ++i)
    if (result[i] != program.output[i])
      throw std::runtime_error(fmt::format("seed {}: register {} of lane {} expects {:#x}, got {:#x}\n{}", seed, i / 32,
                                           i % 32, program.output[i], result[i], program.text));
}

} // namespace

TEST(simRandomPrograms) {
  for (bool baseline : {false, true}) {
    scalar::forceBaseline(baseline);
    for (uint64_t seed = 1; seed <= 500; ++seed)
      check(seed);
  }
  scalar::forceBaseline(false);
}
