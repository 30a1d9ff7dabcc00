// SPDX-License-Identifier: Apache-2.0
// Damaged PTX is parsed: it is accepted or refused with line numbers, and never takes the process down.
#include "runtime/Error.h"
#include "runtime/sim/Parser.h"
#include "test/fuzz/Fuzz.h"

using namespace attn;

static const char *const kKernels[] = {
    R"(.version 8.0
.target sm_90a
.address_size 64
.extern .shared .align 128 .b8 sm[];
.global .align 4 .u32 t[4] = {1, 2, 0x3, -4};
.func (.param .b32 r) f(.param .b32 x) { .reg .b32 %a; ld.param.b32 %a, [x]; st.param.b32 [r], %a; ret; }
.visible .entry k(.param .u64 .ptr .global .align 16 p, .param .align 64 .b8 m[128])
.maxntid 128, 1, 1
{
  .reg .pred %p<3>;
  .reg .b16 %h<5>;
  .reg .b32 %r<20>;
  .reg .b64 %d<5>;
  .shared .align 8 .u64 bar;
  mov.u32 %r1, %tid.x;
  ld.param.u64 %d1, [p+0];
  mad.wide.u32 %d2, %r1, 4, %d1;
  setp.lt.and.u32 %p1|%p2, %r1, 32, !%p1;
$L1:
  @!%p1 bra $L1;
  { .reg .b32 %r1; W: mov.b32 %r1, 0f3F800000; bra W; }
  cp.async.cg.shared.global [sm+16], [%d2], 16, %r1;
  cp.async.commit_group;
  ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%r2, %r3, %r4, %r5}, [%r6];
  mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%r2,%r3,%r4,%r5}, {%r6,%r7,%r8,%r9}, {%r10,%r11}, {%r2,%r3,%r4,%r5};
  mov.b32 {%h1, _}, %r2;
  mbarrier.try_wait.parity.shared::cta.b64 %p1, [bar], %r1;
  { .param .b32 a; .param .b32 b; st.param.b32 [a], %r1; call.uni (b), f, (a); ld.param.b32 %r2, [b]; }
  cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes [sm], [%d1, {%r1, %r2}], [bar];
  st.global.v2.b32 [%d2+-8], {%r2, %r3};
  brx.idx %r1, $T;
$T: .branchtargets $L1, $L2;
$L2:
  ret;
}
)",
    ".version 7.1\n.target sm_80, debug\n.address_size 64\n.entry e() { exit; } /* comment */ // more\n"};

int main(int count, char **words) {
  std::vector<std::string> originals(std::begin(kKernels), std::end(kKernels));
  return fuzz::run(count, words, originals, [](const std::string &text) {
    const sim::ParseResult result = sim::parse(text, "x.ptx");
    std::vector<std::string> faults;
    for (const sim::Diagnostic &d : result.errors)
      faults.push_back(d.text("x.ptx"));
    if (!result.module)
      throw Error(std::move(faults));
  });
}
