// SPDX-License-Identifier: Apache-2.0
// The rows of the instruction table, and the list of instructions that are refused by name.
//
// Modifiers: groups in order, `a|b` alternatives, `@set` a set of Table.cpp, leading `?` optional, `( ... )` any order.
// Operands: `d q` destinations, `a b c e` sources, `x:T` with type T (t0..t3 the form's types, t0 when not said; `r0`..
// registers that hold them packed; `h2` `h4` a half or quarter of t0; `wide` twice t0; or a PTX type), `x!` must be a
// constant, `x?` may be absent, `d|q` the second may be absent when `q?`, `[a]` an address, `[a,{}]` an address and a
// vector of coordinates, `{d}*N` a vector of N elements (a number; v the form's vector; n its dimensions; A B D the
// fragments of a matrix shape; R accumulators of wgmma), `S` a special register, `F` a variable of the frame, `L` a
// label, `T` a label of .branchtargets, `C` the operands of a call.
#include "runtime/sim/Handlers.h"
#include "runtime/sim/Scalar.h"
#include "runtime/sim/Table.h"

namespace attn::sim {
namespace {

constexpr unsigned kWarpSync = FlagSync;
constexpr unsigned kMatrix = FlagSync | FlagAligned;

TableRow scalarRow(const char *name, const char *modifiers, const char *operands, ScalarHandler (*choose)(const Form &),
                   const char *test, unsigned flags = 0) {
  return {name, modifiers, operands, nullptr, choose, flags, test, 0};
}

TableRow row(const char *name, const char *modifiers, const char *operands, Handler handler, const char *test,
             unsigned flags = 0) {
  return {name, modifiers, operands, handler, nullptr, flags, test, 0};
}

void addInteger(std::vector<TableRow> &t) {
  using namespace scalar;
  t.push_back(scalarRow("add", "@int", "d,a,b", add, "add-integer"));
  t.push_back(scalarRow("sub", "@int", "d,a,b", sub, "sub-integer"));
  t.push_back(scalarRow("add", "cc @int3264", "d,a,b", addCarry, "carry"));
  t.push_back(scalarRow("addc", "?cc @int3264", "d,a,b", addWithCarry, "carry"));
  t.push_back(scalarRow("sub", "cc @int3264", "d,a,b", subCarry, "carry"));
  t.push_back(scalarRow("subc", "?cc @int3264", "d,a,b", subWithCarry, "carry"));
  t.push_back(scalarRow("mul", "lo|hi @int", "d,a,b", mul, "mul-integer"));
  t.push_back(scalarRow("mul", "wide u16|u32|s16|s32", "d:wide,a,b", mul, "mul-wide"));
  t.push_back(scalarRow("mul24", "lo|hi u32|s32", "d,a,b", mul24, "mul24"));
  t.push_back(scalarRow("mad", "lo|hi @int", "d,a,b,c", mad, "mad-integer"));
  t.push_back(scalarRow("mad", "wide u16|u32|s16|s32", "d:wide,a,b,c:wide", mad, "mad-wide"));
  t.push_back(scalarRow("mad", "lo|hi cc @int3264", "d,a,b,c", madCarry, "mad-carry"));
  t.push_back(scalarRow("madc", "lo|hi ?cc @int3264", "d,a,b,c", madWithCarry, "mad-carry"));
  t.push_back(scalarRow("sad", "@int", "d,a,b,c", sad, "sad"));
  t.push_back(scalarRow("div", "@int", "d,a,b", divide, "div-integer"));
  t.push_back(scalarRow("rem", "@int", "d,a,b", remainder, "rem"));
  t.push_back(scalarRow("abs", "@signed", "d,a", absolute, "abs-integer"));
  t.push_back(scalarRow("neg", "@signed", "d,a", negate, "neg-integer"));
  t.push_back(scalarRow("min", "@int", "d,a,b", minimum, "minmax-integer"));
  t.push_back(scalarRow("max", "@int", "d,a,b", maximum, "minmax-integer"));
  t.push_back(scalarRow("min", "relu s32", "d,a,b", minimumNotNegative, "minmax-relu"));
  t.push_back(scalarRow("max", "relu s32", "d,a,b", maximumNotNegative, "minmax-relu"));
  t.push_back(scalarRow("popc", "b32|b64", "d:u32,a", popc, "popc"));
  t.push_back(scalarRow("clz", "b32|b64", "d:u32,a", clz, "clz"));
  t.push_back(scalarRow("bfind", "?shiftamt @int3264", "d:u32,a", bfind, "bfind"));
  t.push_back(scalarRow("brev", "b32|b64", "d,a", brev, "brev"));
  t.push_back(scalarRow("bfe", "@int3264", "d,a,b:u32,c:u32", bfe, "bfe"));
  t.push_back(scalarRow("bfi", "b32|b64", "d,a,b,c:u32,e:u32", bfi, "bfi"));
  t.push_back(scalarRow("prmt", "b32 ?@prmt", "d,a,b,c", prmt, "prmt"));
  t.push_back(scalarRow("fns", "b32", "d,a,b,c:s32", fns, "fns"));
  t.push_back(scalarRow("dp4a", "u32|s32 u32|s32", "d:b32,a:b32,b:b32,c:b32", dp4a, "dp4a"));
  t.push_back(scalarRow("dp2a", "lo|hi u32|s32 u32|s32", "d:b32,a:b32,b:b32,c:b32", dp2a, "dp2a"));
  t.push_back(scalarRow("shf", "l|r @shf b32", "d,a,b,c:u32", shf, "shf"));
  t.push_back(scalarRow("shl", "b16|b32|b64", "d,a,b:u32", shl, "shl"));
  t.push_back(scalarRow("shr", "@int|b16|b32|b64", "d,a,b:u32", shr, "shr"));
  t.push_back(scalarRow("lop3", "b32", "d,a,b,c,e!:u32", lop3, "lop3"));
  t.push_back(scalarRow("and", "b16|b32|b64", "d,a,b", bitAnd, "logic"));
  t.push_back(scalarRow("or", "b16|b32|b64", "d,a,b", bitOr, "logic"));
  t.push_back(scalarRow("xor", "b16|b32|b64", "d,a,b", bitXor, "logic"));
  t.push_back(scalarRow("not", "b16|b32|b64", "d,a", bitNot, "logic"));
  t.push_back(scalarRow("cnot", "b16|b32|b64", "d,a", cnot, "cnot"));
  t.push_back(scalarRow("and", "pred", "d,a,b", predicateAnd, "logic-predicate"));
  t.push_back(scalarRow("or", "pred", "d,a,b", predicateOr, "logic-predicate"));
  t.push_back(scalarRow("xor", "pred", "d,a,b", predicateXor, "logic-predicate"));
  t.push_back(scalarRow("not", "pred", "d,a", predicateNot, "logic-predicate"));
}

void addFloat(std::vector<TableRow> &t) {
  using namespace scalar;
  t.push_back(scalarRow("add", "?@rnd ?ftz ?sat f32", "d,a,b", add, "add-f32"));
  t.push_back(scalarRow("sub", "?@rnd ?ftz ?sat f32", "d,a,b", sub, "add-f32"));
  t.push_back(scalarRow("mul", "?@rnd ?ftz ?sat f32", "d,a,b", mul, "mul-f32"));
  t.push_back(scalarRow("fma", "@rnd ?ftz ?sat f32", "d,a,b,c", fma, "fma-f32"));
  t.push_back(scalarRow("mad", "@rnd ?ftz ?sat f32", "d,a,b,c", fma, "fma-f32"));
  t.push_back(scalarRow("add", "?@rnd f64", "d,a,b", add, "arithmetic-f64"));
  t.push_back(scalarRow("sub", "?@rnd f64", "d,a,b", sub, "arithmetic-f64"));
  t.push_back(scalarRow("mul", "?@rnd f64", "d,a,b", mul, "arithmetic-f64"));
  t.push_back(scalarRow("fma", "@rnd f64", "d,a,b,c", fma, "arithmetic-f64"));
  t.push_back(scalarRow("mad", "@rnd f64", "d,a,b,c", fma, "arithmetic-f64"));
  t.push_back(scalarRow("add", "?rn ?ftz ?sat f16|f16x2", "d,a,b", add, "arithmetic-f16"));
  t.push_back(scalarRow("sub", "?rn ?ftz ?sat f16|f16x2", "d,a,b", sub, "arithmetic-f16"));
  t.push_back(scalarRow("mul", "?rn ?ftz ?sat f16|f16x2", "d,a,b", mul, "arithmetic-f16"));
  t.push_back(scalarRow("fma", "rn ?ftz ?sat f16|f16x2", "d,a,b,c", fma, "arithmetic-f16"));
  t.push_back(scalarRow("fma", "rn ?ftz relu f16|f16x2", "d,a,b,c", fma, "arithmetic-f16"));
  t.push_back(scalarRow("add", "?rn bf16|bf16x2", "d,a,b", add, "arithmetic-bf16"));
  t.push_back(scalarRow("sub", "?rn bf16|bf16x2", "d,a,b", sub, "arithmetic-bf16"));
  t.push_back(scalarRow("mul", "?rn bf16|bf16x2", "d,a,b", mul, "arithmetic-bf16"));
  t.push_back(scalarRow("fma", "rn ?relu bf16|bf16x2", "d,a,b,c", fma, "arithmetic-bf16"));
  t.push_back(scalarRow("div", "@rnd|approx|full ?ftz f32", "d,a,b", divide, "div-f32"));
  t.push_back(scalarRow("div", "@rnd f64", "d,a,b", divide, "arithmetic-f64"));
  for (const char *name : {"min", "max"}) {
    auto choose = name[1] == 'i' ? minimum : maximum;
    t.push_back(scalarRow(name, "?ftz ?NaN f32", "d,a,b", choose, "minmax-f32"));
    t.push_back(scalarRow(name, "f64", "d,a,b", choose, "minmax-f32"));
    t.push_back(scalarRow(name, "?ftz ?NaN f16|f16x2", "d,a,b", choose, "minmax-f16"));
    t.push_back(scalarRow(name, "?NaN bf16|bf16x2", "d,a,b", choose, "minmax-f16"));
  }
  t.push_back(scalarRow("abs", "?ftz f32|f16|f16x2", "d,a", absolute, "sign-float"));
  t.push_back(scalarRow("neg", "?ftz f32|f16|f16x2", "d,a", negate, "sign-float"));
  t.push_back(scalarRow("abs", "f64|bf16|bf16x2", "d,a", absolute, "sign-float"));
  t.push_back(scalarRow("neg", "f64|bf16|bf16x2", "d,a", negate, "sign-float"));
  t.push_back(scalarRow("copysign", "f32|f64", "d,a,b", copysign, "copysign"));
  t.push_back(scalarRow("testp", "@testp f32|f64", "d:pred,a", testp, "testp"));
  t.push_back(scalarRow("rcp", "@rnd|approx ?ftz f32", "d,a", reciprocal, "rcp"));
  t.push_back(scalarRow("rcp", "@rnd f64", "d,a", reciprocal, "root-f64"));
  t.push_back(scalarRow("rcp", "approx ftz f64", "d,a", reciprocal, "coarse-f64"));
  t.push_back(scalarRow("rsqrt", "approx ftz f64", "d,a", rsqrt, "coarse-f64"));
  t.push_back(scalarRow("sqrt", "@rnd|approx ?ftz f32", "d,a", squareRoot, "sqrt"));
  t.push_back(scalarRow("sqrt", "@rnd f64", "d,a", squareRoot, "root-f64"));
  t.push_back(scalarRow("rsqrt", "approx ?ftz f32", "d,a", rsqrt, "rsqrt"));
  t.push_back(scalarRow("ex2", "approx ?ftz f32", "d,a", ex2, "ex2"));
  t.push_back(scalarRow("ex2", "approx f16|f16x2", "d,a", ex2, "special-half"));
  t.push_back(scalarRow("ex2", "approx ftz bf16|bf16x2", "d,a", ex2, "special-half"));
  t.push_back(scalarRow("lg2", "approx ?ftz f32", "d,a", lg2, "lg2"));
  t.push_back(scalarRow("sin", "approx ?ftz f32", "d,a", sine, "sin-cos"));
  t.push_back(scalarRow("cos", "approx ?ftz f32", "d,a", cosine, "sin-cos"));
  t.push_back(scalarRow("tanh", "approx f32", "d,a", tanh, "tanh"));
  t.push_back(scalarRow("tanh", "approx f16|f16x2|bf16|bf16x2", "d,a", tanh, "special-half"));
}

void addCompare(std::vector<TableRow> &t) {
  using namespace scalar;
  t.push_back(scalarRow("setp", "@cmp ?ftz @cmptype", "d:pred|q?:pred,a,b", setp, "setp"));
  t.push_back(scalarRow("setp", "@cmp @bool ?ftz @cmptype", "d:pred|q?:pred,a,b,c:pred", setp, "setp-bool"));
  const char *setDestination = "@cmp ?ftz u32|s32|f32|u16|s16|f16|bf16 @cmptype";
  const char *setCombined = "@cmp @bool ?ftz u32|s32|f32|u16|s16|f16|bf16 @cmptype";
  t.push_back(scalarRow("set", setDestination, "d,a:t1,b:t1", set, "set"));
  t.push_back(scalarRow("set", setCombined, "d,a:t1,b:t1,c:pred", set, "set"));
  t.push_back(scalarRow("set", "@cmp f16x2 f16x2", "d,a:t1,b:t1", set, "set-half"));
  t.push_back(scalarRow("set", "@cmp @bool f16x2 f16x2", "d,a:t1,b:t1,c:pred", set, "set-half"));
  t.push_back(scalarRow("set", "@cmp bf16x2 bf16x2", "d,a:t1,b:t1", set, "set-half"));
  t.push_back(scalarRow("set", "@cmp @bool bf16x2 bf16x2", "d,a:t1,b:t1,c:pred", set, "set-half"));
  t.push_back(scalarRow("selp", "@move", "d,a,b,c:pred", selp, "selp"));
  t.push_back(scalarRow("mov", "@move", "d,a", mov, "mov"));
  t.push_back(scalarRow("mov", "pred", "d,a", predicateMov, "mov"));
  t.push_back(scalarRow("mov", "b32|b64", "d,{a:h2}*2", pack, "mov-vector"));
  t.push_back(scalarRow("mov", "b32|b64", "{d:h2}*2,a", unpack, "mov-vector"));
  t.push_back(scalarRow("mov", "b64", "d,{a:h4}*4", pack, "mov-vector"));
  t.push_back(scalarRow("mov", "b64", "{d:h4}*4,a", unpack, "mov-vector"));
  t.push_back(row("mov", "@move", "d,S", warp::special, "special-registers"));
  t.push_back(row("mov", "b32|b64|u32|u64|s32|s64", "d,F", memory::addressOf, "local"));
}

void addConvert(std::vector<TableRow> &t) {
  using namespace scalar;
  t.push_back(scalarRow("cvt", "?sat @cvtint @cvtint", "d,a:t1", cvt, "cvt-integer", FlagRelaxed));
  t.push_back(scalarRow("cvt", "@irnd ?ftz ?sat @cvtint @cvtfloat", "d,a:t1", cvt, "cvt-float-integer", FlagRelaxed));
  t.push_back(scalarRow("cvt", "@rnd ?ftz ?sat @cvtfloat @cvtint", "d,a:t1", cvt, "cvt-integer-float", FlagRelaxed));
  t.push_back(scalarRow("cvt", "?@cvtrnd ?ftz ?sat @cvtfloat @cvtfloat", "d,a:t1", cvt, "cvt-float", FlagRelaxed));
  t.push_back(scalarRow("cvt", "rn|rz ?relu ?satfinite f16|bf16 f32", "d,a:t1", cvt, "cvt-half", FlagRelaxed));
  t.push_back(scalarRow("cvt", "rn|rz ?relu ?satfinite f16x2|bf16x2 f32", "d,a:t1,b:t1", cvtPair, "cvt-half"));
  t.push_back(scalarRow("cvt", "rn satfinite ?relu e4m3x2|e5m2x2 f32", "d:b16,a:t1,b:t1", cvtPair, "cvt-e4m3"));
  t.push_back(scalarRow("cvt", "rn satfinite ?relu e4m3x2|e5m2x2 f16x2", "d:b16,a:t1", cvtPacked, "cvt-e4m3"));
  t.push_back(scalarRow("cvt", "rn ?relu f16x2 e4m3x2|e5m2x2", "d,a:b16", cvtPacked, "cvt-e4m3"));
  t.push_back(scalarRow("cvt", "rna ?satfinite tf32 f32", "d:b32,a:t1", cvt, "cvt-tf32"));
  t.push_back(scalarRow("cvt", "rn|rz ?relu tf32 f32", "d:b32,a:t1", cvt, "cvt-tf32"));
}

void addMemory(std::vector<TableRow> &t) {
  const char *ld =
      "(?@ldsem ?@scope ?@space ?@cache ?nc ?@evict ?@evict2 ?@prefetchsize ?L2::cache_hint) ?@vec @ldtype";
  const char *st = "(?@stsem ?@scope ?@space ?@cache ?@evict ?@evict2 ?L2::cache_hint) ?@vec @ldtype";
  const char *atom = "(?@sem ?@scope ?@space @atomop) ?noftz ?L2::cache_hint ?@vec @atomtype";
  t.push_back(row("ld", ld, "{d}*v,[a],b?:b64", memory::load, "ld", FlagMemory | FlagRelaxed));
  t.push_back(row("st", st, "[a],{b}*v,c?:b64", memory::store, "st", FlagMemory | FlagRelaxed));
  t.push_back(row("atom", atom, "{d}*v,[a],{b}*v", memory::atomic, "atom", FlagMemory));
  t.push_back(row("atom", "(?@sem ?@scope ?@space cas) b16|b32|b64", "{d}*v,[a],{b}*v,{c}*v", memory::atomic,
                  "atom-cas", FlagMemory));
  t.push_back(row("red", "(?@sem ?@scope ?@space @redop) ?noftz ?L2::cache_hint ?@vec @atomtype", "[a],{b}*v",
                  memory::reduce, "red", FlagMemory));
  t.push_back(row("prefetch", "?global|local L1|L2|L2::evict_last|L2::evict_normal", "[a]", memory::prefetch,
                  "prefetch", FlagMemory | FlagNop));
  t.push_back(row("prefetchu", "L1", "[a]", memory::prefetch, "prefetch", FlagMemory | FlagNop));
  t.push_back(row("applypriority", "?global L2::evict_normal", "[a],b!:u32", memory::prefetch, "prefetch",
                  FlagMemory | FlagNop));
  t.push_back(row("discard", "?global L2", "[a],b!:u32", memory::discard, "discard", FlagMemory));
  t.push_back(row("createpolicy.fractional", "@evict2 ?@evict2 b64", "d,a?:f32", memory::createPolicy, "createpolicy"));
  t.push_back(row("createpolicy.cvt", "L2 b64", "d,a:b64", memory::createPolicy, "createpolicy"));
  t.push_back(row("cvta", "?to @space u32|u64", "d,a", memory::convertAddress, "cvta"));
  t.push_back(row("cvta", "?to @space u32|u64", "d,F", memory::addressOf, "cvta"));
  t.push_back(row("isspacep", "@space", "d:pred,a:u64", memory::isSpace, "isspacep"));
  t.push_back(row("mapa", "?shared::cluster u32|u64", "d,a,b:u32", memory::mapToRank, "mapa"));
  t.push_back(row("getctarank", "?shared::cluster u32|u64", "d:u32,a", memory::rankOf, "getctarank"));
  t.push_back(row("fence", "acq_rel|sc @scope", "", memory::fence, "fence"));
  t.push_back(row("fence", "acquire|release @scope", "", memory::fence, "fence"));
  t.push_back(row("membar", "@membar", "", memory::fence, "fence"));
  t.push_back(row("fence.proxy.async", "?global|shared::cta|shared::cluster", "", memory::proxyFence, "fence-proxy"));
  t.push_back(row("fence.mbarrier_init", "release cluster", "", memory::mbarrierInitFence, "fence-mbarrier"));
}

void addAsync(std::vector<TableRow> &t) {
  using namespace async;
  const char *copySize = "ca|cg shared|shared::cta global ?L2::cache_hint ?@prefetchsize";
  t.push_back(row("cp.async", copySize, "[a],[b],e!:u32", copy, "cp-async", FlagMemory | FlagAsync));
  t.push_back(row("cp.async", copySize, "[a],[b],e!:u32,c:u32", copy, "cp-async-size", FlagMemory | FlagAsync));
  t.push_back(row("cp.async", copySize, "[a],[b],e!:u32,q:pred", copy, "cp-async-ignore", FlagMemory | FlagAsync));
  t.push_back(row("cp.async.commit_group", "", "", commitGroup, "cp-async", FlagAsync));
  t.push_back(row("cp.async.wait_group", "", "a!:u32", waitGroup, "cp-async", FlagAsync));
  t.push_back(row("cp.async.wait_all", "", "", waitGroup, "cp-async", FlagAsync));
  t.push_back(row("cp.async.mbarrier.arrive", "?noinc ?shared|shared::cta b64", "[a]", mbarrierArriveOn,
                  "cp-async-mbarrier", FlagAsync));
  t.push_back(row("mbarrier.init", "?shared|shared::cta b64", "[a],b:u32", mbarrierInit, "mbarrier", FlagMemory));
  t.push_back(row("mbarrier.inval", "?shared|shared::cta b64", "[a]", mbarrierInvalidate, "mbarrier", FlagMemory));
  const char *arrive = "?@arrivesem ?@arrivescope ?shared|shared::cta|shared::cluster b64";
  t.push_back(row("mbarrier.arrive", arrive, "d:b64,[a],b?:u32", mbarrierArrive, "mbarrier-arrive", FlagAsync));
  t.push_back(
      row("mbarrier.arrive.expect_tx", arrive, "d:b64,[a],b:u32", mbarrierArrive, "mbarrier-expect", FlagAsync));
  t.push_back(
      row("mbarrier.arrive.noComplete", arrive, "d:b64,[a],b:u32", mbarrierArrive, "mbarrier-nocomplete", FlagAsync));
  t.push_back(row("mbarrier.arrive_drop", arrive, "d:b64,[a],b?:u32", mbarrierArrive, "mbarrier-drop", FlagAsync));
  t.push_back(
      row("mbarrier.arrive_drop.expect_tx", arrive, "d:b64,[a],b:u32", mbarrierArrive, "mbarrier-drop", FlagAsync));
  const char *tx = "?relaxed ?@arrivescope ?shared|shared::cta|shared::cluster b64";
  t.push_back(row("mbarrier.expect_tx", tx, "[a],b:u32", mbarrierExpectTx, "mbarrier-expect", FlagAsync));
  t.push_back(row("mbarrier.complete_tx", tx, "[a],b:u32", mbarrierCompleteTx, "mbarrier-expect", FlagAsync));
  const char *wait = "?parity ?@waitsem ?@arrivescope ?shared|shared::cta b64";
  t.push_back(row("mbarrier.test_wait", wait, "d:pred,[a],b:wait", mbarrierTestWait, "mbarrier", FlagAsync));
  t.push_back(row("mbarrier.try_wait", wait, "d:pred,[a],b:wait,c?:u32", mbarrierTryWait, "mbarrier-try-wait",
                  FlagAsync | FlagBlocks));
  t.push_back(row("mbarrier.pending_count", "b64", "d:u32,a:b64", mbarrierPendingCount, "mbarrier-nocomplete"));
}

void addBulk(std::vector<TableRow> &t) {
  using namespace async;
  const unsigned flags = FlagMemory | FlagAsync;
  t.push_back(row("cp.async.bulk", "shared::cluster|shared::cta global mbarrier::complete_tx::bytes",
                  "[a],[b],e:u32,[c]", bulkCopy, "bulk", flags));
  t.push_back(row("cp.async.bulk", "shared::cluster|shared::cta global mbarrier::complete_tx::bytes L2::cache_hint",
                  "[a],[b],e:u32,[c],q:b64", bulkCopy, "bulk-hint", flags));
  t.push_back(row("cp.async.bulk", "shared::cluster global mbarrier::complete_tx::bytes multicast::cluster",
                  "[a],[b],e:u32,[c],q:b16", bulkCopy, "bulk-multicast", flags));
  t.push_back(row("cp.async.bulk", "shared::cluster shared::cta mbarrier::complete_tx::bytes", "[a],[b],e:u32,[c]",
                  bulkCopy, "bulk-cluster", flags));
  t.push_back(row("cp.async.bulk", "global shared::cta bulk_group", "[a],[b],e:u32", bulkCopy, "bulk-store", flags));
  t.push_back(row("cp.async.bulk", "global shared::cta bulk_group L2::cache_hint", "[a],[b],e:u32,q:b64", bulkCopy,
                  "bulk-hint", flags));
  t.push_back(row("cp.reduce.async.bulk", "global shared::cta bulk_group @bulkop ?noftz @bulktype", "[a],[b],e:u32",
                  bulkReduce, "bulk-reduce", flags));
  t.push_back(row("cp.async.bulk.prefetch", "L2 global ?L2::cache_hint", "[a],e:u32,q?:b64", bulkPrefetch,
                  "bulk-prefetch", flags));
  const char *load = "@dims shared::cluster|shared::cta global ?tile mbarrier::complete_tx::bytes";
  t.push_back(row("cp.async.bulk.tensor", load, "[a],[b,{}],[c]", tensorLoad, "tensor-load", flags));
  t.push_back(row("cp.async.bulk.tensor",
                  "@dims shared::cluster|shared::cta global ?tile mbarrier::complete_tx::bytes L2::cache_hint",
                  "[a],[b,{}],[c],e:b64", tensorLoad, "tensor-load", flags));
  t.push_back(row("cp.async.bulk.tensor",
                  "@dims shared::cluster global ?tile mbarrier::complete_tx::bytes multicast::cluster ?L2::cache_hint",
                  "[a],[b,{}],[c],q:b16,e?:b64", tensorLoad, "tensor-multicast", flags));
  t.push_back(row("cp.async.bulk.tensor", "@dims global shared::cta ?tile bulk_group ?L2::cache_hint",
                  "[a,{}],[b],e?:b64", tensorStore, "tensor-store", flags));
  t.push_back(row("cp.reduce.async.bulk.tensor", "@dims global shared::cta @bulkop ?tile bulk_group ?L2::cache_hint",
                  "[a,{}],[b],e?:b64", tensorReduce, "tensor-reduce", flags));
  t.push_back(row("cp.async.bulk.prefetch.tensor", "@dims L2 global ?tile ?L2::cache_hint", "[a,{}],e?:b64",
                  tensorPrefetch, "tensor-prefetch", flags));
  t.push_back(row("prefetch", "?param|const tensormap", "[a]", prefetchMap, "tensor-prefetch", FlagMemory));
  t.push_back(row("cp.async.bulk.commit_group", "", "", bulkCommit, "bulk-store", FlagAsync));
  t.push_back(row("cp.async.bulk.wait_group", "?read", "a!:u32", bulkWait, "bulk-store", FlagAsync | FlagBlocks));
}

void addBarriers(std::vector<TableRow> &t) {
  using namespace grid;
  for (const char *name : {"bar", "bar.cta", "barrier", "barrier.cta"}) {
    // `bar` means `.aligned`; `barrier` only when it says so.
    const bool always = name[3] != 'r';
    const unsigned flags = FlagBlocks | FlagSync | (always ? FlagAligned : 0u);
    const char *plain = always ? "sync" : "sync ?aligned";
    t.push_back(row(name, plain, "a:u32,b?:u32", barrierSync, "barrier", flags));
    t.push_back(row(name, always ? "arrive" : "arrive ?aligned", "a:u32,b:u32", barrierArrive, "barrier-arrive",
                    FlagSync | (always ? FlagAligned : 0u)));
    const char *popc = always ? "red popc u32" : "red popc ?aligned u32";
    const char *pred = always ? "red and|or pred" : "red and|or ?aligned pred";
    t.push_back(row(name, popc, "d:u32,a:u32,c:pred", barrierReduce, "barrier-red", flags));
    t.push_back(row(name, popc, "d:u32,a:u32,b:u32,c:pred", barrierReduce, "barrier-red", flags));
    t.push_back(row(name, pred, "d:pred,a:u32,c:pred", barrierReduce, "barrier-red", flags));
    t.push_back(row(name, pred, "d:pred,a:u32,b:u32,c:pred", barrierReduce, "barrier-red", flags));
  }
  t.push_back(
      row("barrier.cluster.arrive", "?release|relaxed ?aligned", "", clusterArrive, "barrier-cluster", FlagSync));
  t.push_back(
      row("barrier.cluster.wait", "?acquire ?aligned", "", clusterWait, "barrier-cluster", FlagSync | FlagBlocks));
  t.push_back(row("bar.warp.sync", "", "a:b32", warp::synchronize, "bar-warp", kWarpSync));
  t.push_back(
      row("setmaxnreg", "@incdec sync aligned u32", "a!:u32", setMaxRegisters, "setmaxnreg", kMatrix | FlagBlocks));
  t.push_back(row("griddepcontrol.launch_dependents", "", "", dependentsLaunch, "griddepcontrol"));
  t.push_back(row("griddepcontrol.wait", "", "", dependentsWait, "griddepcontrol", FlagBlocks));
  t.push_back(row("nanosleep", "u32", "a", grid::sleep, "nanosleep"));
}

void addWarp(std::vector<TableRow> &t) {
  t.push_back(row("shfl", "sync @shfl b32", "d|q?:pred,a,b:u32,c:u32,e:b32", warp::shuffle, "shfl", kWarpSync));
  t.push_back(row("vote", "sync @vote pred", "d,a,b:b32", warp::vote, "vote", kWarpSync));
  t.push_back(row("vote", "sync @ballot b32", "d,a:pred,b:b32", warp::vote, "vote", kWarpSync));
  t.push_back(row("match", "@vote sync b32|b64", "d:b32|q?:pred,a,b:b32", warp::match, "match", kWarpSync));
  t.push_back(row("redux", "sync @redux s32|u32", "d,a,b:b32", warp::reduce, "redux", kWarpSync));
  t.push_back(row("redux", "sync @reduxbits b32", "d,a,b:b32", warp::reduce, "redux", kWarpSync));
  t.push_back(row("elect", "sync", "d:b32|q:pred,a:b32", warp::elect, "elect", kWarpSync));
  t.push_back(row("activemask", "b32", "d", warp::activeMask, "activemask"));
}

void addControl(std::vector<TableRow> &t) {
  using namespace control;
  t.push_back(row("bra", "?uni", "L", branch, "bra", FlagBranch));
  t.push_back(row("brx.idx", "?uni", "a:u32,T", branchIndexed, "brx", FlagBranch));
  t.push_back(row("call", "?uni", "C", call, "call", FlagBranch));
  t.push_back(row("ret", "?uni", "", ret, "call", FlagBranch | FlagEnds));
  t.push_back(row("exit", "", "", control::exit, "exit", FlagBranch | FlagEnds));
  t.push_back(row("trap", "", "", trap, "trap"));
  t.push_back(row("brkpt", "", "", nop, "nop", FlagNop));
  t.push_back(row("pmevent", "?mask", "a!:u32", nop, "nop", FlagNop));
}

void addMatrix(std::vector<TableRow> &t) {
  using namespace matrix;
  const char *operands = "{d:r0}*D,{a:r1}*A,{b:r2}*B,{c:r3}*D";
  t.push_back(
      row("mma", "sync aligned m16n8k16|m16n8k8 row col f32 bf16 bf16 f32", operands, multiply, "mma", kMatrix));
  t.push_back(row("mma", "sync aligned m16n8k16|m16n8k8 row col f32 f16 f16 f32", operands, multiply, "mma", kMatrix));
  t.push_back(
      row("mma", "sync aligned m16n8k16|m16n8k8 row col f16 f16 f16 f16", operands, multiply, "mma-f16", kMatrix));
  t.push_back(
      row("mma", "sync aligned m16n8k8|m16n8k4 row col f32 tf32 tf32 f32", operands, multiply, "mma-tf32", kMatrix));
  t.push_back(
      row("mma", "sync aligned m16n8k32 row col f32 e4m3|e5m2 e4m3|e5m2 f32", operands, multiply, "mma-e4m3", kMatrix));
  t.push_back(row("mma", "sync aligned m16n8k32 row col ?satfinite s32 s8|u8 s8|u8 s32", operands, multiply, "mma-s8",
                  kMatrix));
  t.push_back(row("ldmatrix", "sync aligned (m8n8 @matrices) ?trans ?shared|shared::cta b16", "{d:b32}*v,[a]", load,
                  "ldmatrix", kMatrix | FlagMemory));
  t.push_back(row("stmatrix", "sync aligned (m8n8 @matrices) ?trans ?shared|shared::cta b16", "[a],{b:b32}*v", store,
                  "stmatrix", kMatrix | FlagMemory));
  t.push_back(row("movmatrix", "sync aligned m8n8 trans b16", "d:b32,a:b32", matrix::move, "movmatrix", kMatrix));
  const unsigned flags = kMatrix | FlagAsync | FlagWgmma;
  t.push_back(row("wgmma.fence", "sync aligned", "", wgmmaFence, "wgmma", flags));
  t.push_back(row("wgmma.commit_group", "sync aligned", "", wgmmaCommit, "wgmma", flags));
  t.push_back(row("wgmma.wait_group", "sync aligned", "a!:u32", wgmmaWait, "wgmma", flags));
  const char *half = "sync aligned @wgmma16 f32|f16 f16 f16", *brain = "sync aligned @wgmma16 f32 bf16 bf16";
  const char *tf32 = "sync aligned @wgmma8 f32 tf32 tf32", *fp8 = "sync aligned @wgmma32 f32|f16 e4m3|e5m2 e4m3|e5m2";
  for (const char *modifiers : {half, brain}) {
    t.push_back(row("wgmma.mma_async", modifiers, "{d:r0}*R,a:b64,b:b64,c:pred,I1,I2,I4,I8", wgmma, "wgmma", flags));
    t.push_back(
        row("wgmma.mma_async", modifiers, "{d:r0}*R,{a:b32}*4,b:b64,c:pred,I1,I2,I8", wgmma, "wgmma-rs", flags));
  }
  for (const char *modifiers : {tf32, fp8}) {
    t.push_back(row("wgmma.mma_async", modifiers, "{d:r0}*R,a:b64,b:b64,c:pred,I1,I2", wgmma, "wgmma-tf32", flags));
    t.push_back(row("wgmma.mma_async", modifiers, "{d:r0}*R,{a:b32}*4,b:b64,c:pred,I1,I2", wgmma, "wgmma-tf32", flags));
  }
}

struct Refused {
  const char *name, *why;
};
constexpr Refused kRefused[] = {
    {"tcgen05", "it needs sm_100"},
    {"tex", "textures are not part of this simulator"},
    {"tld4", "textures are not part of this simulator"},
    {"txq", "textures are not part of this simulator"},
    {"suld", "surfaces are not part of this simulator"},
    {"sust", "surfaces are not part of this simulator"},
    {"sured", "surfaces are not part of this simulator"},
    {"suq", "surfaces are not part of this simulator"},
    {"istypep", "textures are not part of this simulator"},
    {"wmma", "use mma.sync"},
    {"multimem", "several devices are not part of this simulator"},
    {"tensormap.replace", "tensor maps are written by the host only"},
    {"tensormap.cp_fenceproxy", "tensor maps are written by the host only"},
    {"fence.proxy.tensormap", "tensor maps are written by the host only"},
    {"st.async", "use cp.async.bulk"},
    {"red.async", "use cp.reduce.async.bulk"},
    {"st.bulk", "it needs sm_100"},
    {"clusterlaunchcontrol", "it needs sm_100"},
    {"alloca", "stacks of a size known at run time are not part of this simulator"},
    {"stacksave", "stacks of a size known at run time are not part of this simulator"},
    {"stackrestore", "stacks of a size known at run time are not part of this simulator"},
    {"vabsdiff4", "video instructions are not part of this simulator"},
    {"vadd", "video instructions are not part of this simulator"},
    {"vsub", "video instructions are not part of this simulator"},
    {"vmin", "video instructions are not part of this simulator"},
    {"vmax", "video instructions are not part of this simulator"},
    {"vset", "video instructions are not part of this simulator"},
    {"vshl", "video instructions are not part of this simulator"},
    {"vshr", "video instructions are not part of this simulator"},
    {"vmad", "video instructions are not part of this simulator"},
    {"vabsdiff", "video instructions are not part of this simulator"},
    {"vadd2", "video instructions are not part of this simulator"},
    {"vadd4", "video instructions are not part of this simulator"},
    {"bmsk", "no kernel needs it so far"},
    {"szext", "no kernel needs it so far"},
    {"slct", "no kernel needs it so far"},
    {"mad24", "no kernel needs it so far"},
};

} // namespace

std::vector<TableRow> buildRows() {
  std::vector<TableRow> rows;
  addInteger(rows);
  addFloat(rows);
  addCompare(rows);
  addConvert(rows);
  addMemory(rows);
  addAsync(rows);
  addBulk(rows);
  addBarriers(rows);
  addWarp(rows);
  addControl(rows);
  addMatrix(rows);
  for (unsigned i = 0; i < rows.size(); ++i)
    rows[i].index = i;
  return rows;
}

std::string_view refusal(std::string_view instruction) {
  std::string_view best, why;
  for (const Refused &r : kRefused) {
    std::string_view name = r.name;
    bool matches = instruction.substr(0, name.size()) == name &&
                   (instruction.size() == name.size() || instruction[name.size()] == '.');
    if (matches && name.size() > best.size())
      best = name, why = r.why;
  }
  return why;
}

} // namespace attn::sim
