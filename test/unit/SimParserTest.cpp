// SPDX-License-Identifier: Apache-2.0
// What the PTX parser accepts, how names resolve, where shared variables lie, and what it says about wrong text.
#include "runtime/sim/Parser.h"
#include "test/unit/Test.h"

using namespace attn;
using namespace attn::sim;

namespace {

std::string kernel(const std::string &body, const std::string &before = "") {
  return ".version 8.0\n.target sm_90a\n.address_size 64\n" + before +
         "\n.visible .entry k(.param .u64 p) {\n.reg .pred %p<4>;\n.reg .b16 %h<4>;\n.reg .b32 %r<8>;\n.reg .b64 "
         "%d<8>;\n" +
         body + "\nret;\n}\n";
}

/// Lines of the body count from 1.
std::vector<std::string> errorsIn(const std::string &body, const std::string &before = "") {
  std::vector<std::string> errors;
  for (const Diagnostic &d : parse(kernel(body, before), "k.ptx").errors)
    errors.push_back(fmt::format("{}:{}: {}", int(d.line) - 9, d.column, d.message));
  return errors;
}

std::shared_ptr<Module> good(const std::string &text) {
  ParseResult result = parse(text, "k.ptx");
  if (!result.errors.empty())
    throw std::runtime_error(result.errors[0].text("k.ptx"));
  return result.module;
}

#define EXPECT_ERRORS(body, ...) EXPECT_EQ(errorsIn(body), (std::vector<std::string>{__VA_ARGS__}))

} // namespace

TEST(simParserLabelsResolvePerScope) {
  // The same block twice, as inline assembly gives it; the inner label hides the outer one.
  const auto module =
      good(kernel("W: mov.u32 %r1, 1;\n{ bra W;\nW: mov.u32 %r1, 2; }\n{ W: mov.u32 %r1, 3;\nbra W; bra DONE; }\n"
                  "bra W;\nDONE: mov.u32 %r1, 4;"));
  std::vector<uint64_t> targets;
  for (const Op &op : module->ops)
    if (op.flags & FlagBranch && !(op.flags & FlagEnds))
      targets.push_back(op.imm);
  EXPECT_EQ(targets, (std::vector<uint64_t>{2, 3, 7, 0}));
  EXPECT_EQ(module->labels.size(), 4u);
}

TEST(simParserRegistersShadow) {
  const auto module = good(kernel("mov.u32 %r1, 1;\n{ .reg .b32 %r1; mov.u32 %r1, 2; }\nmov.u32 %r1, 3;"));
  EXPECT_EQ(module->ops[0].dst, module->ops[2].dst);
  EXPECT(module->ops[0].dst != module->ops[1].dst);
}

TEST(simParserBlanksInsideForms) {
  const auto module = good(kernel("mad .wide\n .u32 %d1, %r1,\n %r2, 5;"));
  EXPECT_EQ(module->ops[0].form->text, "mad.wide.u32");
  EXPECT_EQ(module->constants.data()[module->ops[0].b & INT32_MAX].lane[0] == 5, false);
}

TEST(simParserSharedPlaces) {
  const auto module = good(kernel(".shared .align 8 .b8 bar[12];\nmov.u32 %r1, bar;\nmov.u32 %r2, sm+4;\n"
                                  "ld.shared.b32 %r3, [bar+8];\nmov.u32 %r4, used;\nmov.u32 %r5, other;",
                                  ".shared .align 4 .b8 used[4];\n.shared .b32 unused[1000];\n"
                                  ".extern .shared .align 128 .b8 sm[];\n.extern .shared .align 16 .b8 other[];"));
  const Function *k = module->entry("k");
  auto value = [&](const Op &op) { return module->constants.data()[op.a & INT32_MAX].lane[31]; };
  EXPECT_EQ(value(module->ops[3]), 1024u); // module level first
  EXPECT_EQ(value(module->ops[0]), 1032u);
  EXPECT_EQ(module->ops[2].imm, 1040u);
  EXPECT_EQ(k->sharedStaticEnd, 1044u);
  // An odd multiple of 128, the largest alignment that a dynamic name declares; both names are its start.
  EXPECT_EQ(k->sharedDynamic, 1152u);
  EXPECT_EQ(value(module->ops[1]), 1156u);
  EXPECT_EQ(value(module->ops[4]), 1152u);
}

TEST(simParserDynamicSharedIsNoMoreAlignedThanAsked) {
  const auto at = [](const char *align) {
    return good(kernel("mov.u32 %r1, sm;", fmt::format(".extern .shared .align {} .b8 sm[];", align)))
        ->entry("k")
        ->sharedDynamic;
  };
  EXPECT_EQ(at("16"), 1040u);
  EXPECT_EQ(at("128"), 1152u);
  EXPECT_EQ(at("1024"), 1024u);
  EXPECT_EQ(at("2048"), 2048u);
}

TEST(simParserParameters) {
  const auto module = good(
      ".version 8.0\n.target sm_80\n.address_size 64\n.visible .entry k(.param .u32 n, .param .u64 .ptr "
      ".global .align 16 p, .param .align 64 .b8 m[128], .param .f32 s)\n.maxntid 128, 2\n.minnctapersm 3\n"
      "{ .reg .b32 %r<3>; .reg .b64 %d<3>; ld.param.b32 %r1, [s]; mov.b64 %d1, m;\nld.param.b64 %d2, [m+64]; ret; }");
  const Function *k = module->entry("k");
  EXPECT_EQ(k->parameters.size(), 4u);
  EXPECT_EQ(k->parameters[1].offset, 8u);
  EXPECT_EQ(k->parameters[2].offset, 64u);
  EXPECT_EQ(k->parameters[3].offset, 192u);
  EXPECT_EQ(k->parameterBytes, 196u);
  EXPECT_EQ(k->maxntid, (std::array<uint32_t, 3>{128, 2, 1}));
  EXPECT_EQ(k->minnctapersm, 3u);
  EXPECT_EQ(module->ops[0].imm, 192u);
  EXPECT_EQ(module->ops[2].imm, 128u);
}

TEST(simParserGlobalsAreBoundLater) {
  auto module = good(kernel("mov.b64 %d1, t+4;\nld.global.b32 %r1, [t+8];",
                            ".global .align 4 .u32 t[4] = {1, 0x2, -1};\n.global .u64 a[2] = {t+8, 5};"));
  EXPECT_EQ(module->variables[0].initial,
            (std::vector<uint8_t>{1, 0, 0, 0, 2, 0, 0, 0, 255, 255, 255, 255, 0, 0, 0, 0}));
  EXPECT_EQ(module->variables[1].symbols[0].addend, 8);
  module->bind(0, 0x10000000000);
  EXPECT_EQ(module->ops[1].imm, 0x10000000008u);
  uint64_t wide[32];
  std::memcpy(wide, &module->constants.data()[module->ops[0].a & INT32_MAX], sizeof(wide));
  EXPECT_EQ(wide[0], 0x10000000004u);
  EXPECT_EQ(wide[31], 0x10000000004u);
}

TEST(simParserEitherOrder) {
  for (const char *text :
       {"ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%r1,%r2,%r3,%r4}, [%r5];",
        "ldmatrix.sync.aligned.x4.m8n8.trans.shared.b16 {%r1,%r2,%r3,%r4}, [%r5];",
        "atom.add.acq_rel.gpu.s32 %r1, [%d1], 1;", "atom.acq_rel.gpu.global.cas.b32 %r1, [%d1], 1, 2;"})
    EXPECT_EQ(good(kernel(text))->ops[0].form->text, std::string(text).substr(0, std::string(text).find(' ')));
}

TEST(simParserFormOfLongInstruction) {
  const auto module =
      good(kernel("wgmma.mma_async.sync.aligned.m64n8k16.f32.bf16.bf16 {%r1,%r2,%r3,%r4}, %d1, %d2, 0, 1, -1, 0, 1;"));
  const Op &op = module->ops[0];
  EXPECT_EQ(op.form->n, 8u);
  EXPECT_EQ(op.c, int32_t(kFalse));
  EXPECT_EQ(op.imm, 2u + 8u);
  EXPECT_EQ(int(op.listSize[0]), 4);
  EXPECT_EQ(module->usesWgmma, true);
}

TEST(simParserRefusesByNameAndLine) {
  EXPECT_ERRORS("fooma.rn.f32 %r1, %r2;",
                "1:1: 'fooma.rn.f32' is not PTX: no instruction is called 'fooma', the nearest is 'fma'");
  EXPECT_ERRORS("tcgen05.ld.sync %r1;", "1:1: 'tcgen05.ld.sync' is not supported: it needs sm_100");
  EXPECT_ERRORS(
      "add.q32 %r1, %r2, %r3;",
      "1:1: 'add.q32' is not PTX: expects .s32 .u32 .s64 .u64 .s16 .u16, got '.q32'; the nearest row is 'add @int'");
  EXPECT_ERRORS("setp.lo.s32 %p1, %r1, %r2;", "1:1: 'setp.lo.s32' is not PTX: its modifiers do not go together");
  EXPECT_ERRORS(
      "mma.sync.aligned.m8n8k4.row.col.f32.f16.f16.f32 {%r1}, {%r1}, {%r1}, {%r1};",
      "1:1: 'mma.sync.aligned.m8n8k4.row.col.f32.f16.f16.f32' is not supported: expects .m16n8k16 .m16n8k8, got "
      "'.m8n8k4'; the nearest row is 'mma sync aligned m16n8k16|m16n8k8 row col f32 bf16 bf16 f32'");
}

TEST(simParserOperandErrors) {
  EXPECT_ERRORS("add.s32 %r1, %r2;", "1:1: 'add.s32' expects the operands d, a, b, got 2 of them");
  EXPECT_ERRORS("add.s32 %r1, %d2, %r3;", "1:14: 'add.s32' expects a register of type .s32, got '%d2' of type .b64");
  EXPECT_ERRORS("add.s32 %r1, %r9, %r3;", "1:14: '%r9' is not declared");
  EXPECT_ERRORS("add.s32 5, %r2, %r3;", "1:9: expects a register of type .s32, got '5'");
  EXPECT_ERRORS("add.s16 %h1, %h2, 65536;", "1:19: constant '65536' does not fit .s16");
  EXPECT_ERRORS("add.f32 %r1, %r2, 1;", "1:19: expects a constant of type .f32, got '1'");
  EXPECT_ERRORS("@%r1 ret;", "1:2: expects a predicate register as guard, got '%r1'");
  EXPECT_ERRORS("ld.global.b32 %r1, [%r2];", "1:21: 'ld.global.b32' expects a 64-bit address, got '%r2' of 32 bits");
  EXPECT_ERRORS("ld.shared.b32 %r1, [p];", "1:21: 'ld.shared.b32' expects an address of its space, got 'p' of another");
  EXPECT_ERRORS("ld.global.v4.b32 {%r1, %r2}, [%d1];",
                "1:18: 'ld.global.v4.b32' expects a vector of 4 for operand d, got a vector of 2");
  EXPECT_ERRORS("bra NOWHERE;", "1:5: label 'NOWHERE' is not defined in this function");
  EXPECT_ERRORS("cp.async.wait_group %r1;", "1:21: expects a constant, got '%r1'");
}

TEST(simParserCollectsErrors) {
  EXPECT_ERRORS("add.s32 %r1, %x, %r3;\nmov.b32 {%h1, %h2, %r1;\nmov.b32 %r1, %r2;\nsub.s32 %r1 %r2;",
                "1:14: '%x' is not declared", "2:23: expects ',' or '}' in a vector, got ';'",
                "4:13: expects ',' or ';' after an operand, got '%r2'");
  std::string many;
  for (int i = 0; i < 100; ++i)
    many += "add.s32 %q;\n";
  EXPECT_EQ(errorsIn(many).size(), 20u);
}

TEST(simParserUndefinedFunctions) {
  EXPECT_EQ(errorsIn("{ .param .b32 a; call.uni llvm_nvvm_foo, (a); }", ".extern .func llvm_nvvm_foo(.param .b32 x);"),
            (std::vector<std::string>{
                "1:27: function 'llvm_nvvm_foo' is called but not defined: LLVM knows no such intrinsic"}));
}

TEST(simParserModuleErrors) {
  auto first = [](const char *text) {
    const ParseResult r = parse(text, "k.ptx");
    return r.errors.empty() ? std::string() : r.errors[0].text("k.ptx");
  };
  EXPECT_EQ(first(""), "k.ptx:1:1: error: expects a .target directive, got none");
  EXPECT_EQ(first(".version 8.0\n.target sm_80\n.address_size 32\n"),
            "k.ptx:3:15: error: expects an address size of 64, got '32'");
  EXPECT_EQ(first(".target sm_80\n.visible .entry k() { .reg .b32 %r<3>; mov.u32 %r1, 5;"),
            "k.ptx:2:55: error: expects '}' at the end of a function, got the end of the text");
  EXPECT_EQ(first(".target sm_80\n.shared .b32 x = 5;"),
            "k.ptx:2:16: error: a shared variable cannot have an initial value");
}

TEST(simParserDeepNestingIsRefused) {
  const std::string deep(100000, '{');
  EXPECT(!parse(kernel(deep), "k.ptx").errors.empty());
}
