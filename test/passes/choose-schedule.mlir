// SPDX-License-Identifier: Apache-2.0
// Tiles per head dimension, what the user's entries do, and what the target does. The expected tuned rows are those
// that FlashAttention-2 uses; the others are worked out beside the kernel.
// RUN: attn-opt --choose-schedule %s | FileCheck %s
// RUN: sed 's/chip = "sm_80"/chip = "sm_86"/' %s | attn-opt --choose-schedule | FileCheck %s --check-prefix=SM86
// RUN: sed 's/chip = "sm_80"/chip = "sm_90a"/' %s | attn-opt --choose-schedule | FileCheck %s --check-prefix=SM90A
// A completed schedule is complete: choosing again changes nothing.
// RUN: attn-opt --choose-schedule --choose-schedule %s | FileCheck %s

!d64 = tensor<?x?x8x64xf16>
!d96 = tensor<?x?x8x96xf16>
!d128 = tensor<?x?x8x128xbf16>
!token = tensor<?x1x32x128xbf16>
!tokens = tensor<?x33x8x128xbf16>
!d192 = tensor<?x?x8x192xbf16>
!d256 = tensor<?x?x8x256xbf16>
!d72 = tensor<?x?x8x72xbf16>
!short = tensor<?x16x8x128xbf16>
!group = tensor<?x?x2x128xbf16>
!long = tensor<?x1024x8x128xbf16>
!uneven = tensor<?x130x8x128xbf16>
!sevens = tensor<?x16x14x128xbf16>
!thousand = tensor<?x1000x14x128xbf16>

module attributes {attn.target = {chip = "sm_80"}} {

// CHECK: @d64
// CHECK-SAME: schedule<prefill, block_q = 128, block_kv = 64, num_stages = 1, num_warps = 4>
attn.kernel @d64(%q: !d64, %k: !d64, %v: !d64) -> (o: !d64) {
  %s = attn.scores %q, %k : !d64, !d64
  %p = attn.softmax %s
  %o = attn.output %p, %v : !d64 -> !d64
  attn.return %o : !d64
}

// A mask and a score function take registers, and these tiles have room for them.
// CHECK: @d64_functions
// CHECK-SAME: schedule<prefill, block_q = 128, block_kv = 64, num_stages = 1, num_warps = 4>
attn.kernel @d64_functions(%q: !d64, %k: !d64, %v: !d64, %cap: f32) -> (o: !d64) {
  %s = attn.scores %q, %k : !d64, !d64
  %c = attn.modify %s by @times (%cap) : f32
  %m = attn.mask %c by @causal
  %p = attn.softmax %m
  %o = attn.output %p, %v : !d64 -> !d64
  attn.return %o : !d64
}

// CHECK: @d96
// CHECK-SAME: schedule<prefill, block_q = 128, block_kv = 32, num_stages = 1, num_warps = 4>
attn.kernel @d96(%q: !d96, %k: !d96, %v: !d96) -> (o: !d96) {
  %s = attn.scores %q, %k : !d96, !d96
  %p = attn.softmax %s
  %o = attn.output %p, %v : !d96 -> !d96
  attn.return %o : !d96
}

// CHECK: @d128
// CHECK-SAME: schedule<prefill, block_q = 128, block_kv = 32, num_stages = 1, num_warps = 4>
// SM86: @d128
// SM86-SAME: schedule<prefill, block_q = 128, block_kv = 32, num_stages = 1, num_warps = 4>
// SM90A: @d128
// SM90A-SAME: schedule<prefill, block_q = 128, block_kv = 128, num_stages = 2, num_warps = 8, overlap = output_behind>
attn.kernel @d128(%q: !d128, %k: !d128, %v: !d128) -> (o: !d128) {
  %s = attn.scores %q, %k : !d128, !d128
  %m = attn.mask %s by @causal
  %p = attn.softmax %m
  %o = attn.output %p, %v : !d128 -> !d128
  attn.return %o : !d128
}

// CHECK: @d192
// CHECK-SAME: schedule<prefill, block_q = 128, block_kv = 64, num_stages = 1, num_warps = 8>
attn.kernel @d192(%q: !d192, %k: !d192, %v: !d192) -> (o: !d192) {
  %s = attn.scores %q, %k : !d192, !d192
  %p = attn.softmax %s
  %o = attn.output %p, %v : !d192 -> !d192
  attn.return %o : !d192
}

// CHECK: @d192_128
// CHECK-SAME: schedule<prefill, block_q = 128, block_kv = 64, num_stages = 1, num_warps = 8>
attn.kernel @d192_128(%q: !d192, %k: !d192, %v: !d128) -> (o: !d128) {
  %s = attn.scores %q, %k : !d192, !d192
  %p = attn.softmax %s
  %o = attn.output %p, %v : !d128 -> !d128
  attn.return %o : !d128
}

// 128 KB fit one program of sm_80 alone, not of sm_86; on sm_90a two warpgroups compute, each 64 rows.
// CHECK: @d256
// CHECK-SAME: schedule<prefill, block_q = 128, block_kv = 64, num_stages = 1, num_warps = 8>
// SM86: @d256
// SM86-SAME: schedule<prefill, block_q = 64, block_kv = 64, num_stages = 1, num_warps = 4>
// SM90A: @d256
// SM90A-SAME: schedule<prefill, block_q = 128, block_kv = 80, num_stages = 2, num_warps = 8, overlap = output_behind>
attn.kernel @d256(%q: !d256, %k: !d256, %v: !d256) -> (o: !d256) {
  %s = attn.scores %q, %k : !d256, !d256
  %p = attn.softmax %s
  %o = attn.output %p, %v : !d256 -> !d256
  attn.return %o : !d256
}

// A head_dim between those that were measured takes the row of the next larger one.
// CHECK: @d72
// CHECK-SAME: schedule<prefill, block_q = 128, block_kv = 32, num_stages = 1, num_warps = 4>
attn.kernel @d72(%q: !d72, %k: !d72, %v: !d72) -> (o: !d72) {
  %s = attn.scores %q, %k : !d72, !d72
  %p = attn.softmax %s
  %o = attn.output %p, %v : !d72 -> !d72
  attn.return %o : !d72
}

// 16 query rows fill no tile of 128: in a prefill the smallest tile of four warps wastes least.
// CHECK: @short
// CHECK-SAME: schedule<prefill, block_q = 64,
attn.kernel @short(%q: !short, %k: !d128, %v: !d128) -> (o: !short) schedule<prefill> {
  %s = attn.scores %q, %k : !short, !d128
  %p = attn.softmax %s
  %o = attn.output %p, %v : !d128 -> !short
  attn.return %o : !short
}

// Four heads to a key head: 16 tokens are 64 rows, which fill a tile that 16 would fill to a quarter.
// CHECK: @short_group
// CHECK-SAME: schedule<prefill, block_q = 64, {{.*}}, packed = 4>
// SM90A: @short_group
// SM90A-SAME: packed = 4, overlap = output_behind>
attn.kernel @short_group(%q: !short, %k: !group, %v: !group) -> (o: !short) schedule<prefill> {
  %s = attn.scores %q, %k : !short, !group
  %p = attn.softmax %s
  %o = attn.output %p, %v : !group -> !short
  attn.return %o : !short
}

// 130 tokens are two tiles of 128 rows, half of them empty; 520 rows are five, four fifths full.
// CHECK: @uneven_group
// CHECK-SAME: packed = 4>
attn.kernel @uneven_group(%q: !uneven, %k: !group, %v: !group) -> (o: !uneven) {
  %s = attn.scores %q, %k : !uneven, !group
  %p = attn.softmax %s
  %o = attn.output %p, %v : !group -> !uneven
  attn.return %o : !uneven
}

// 1024 tokens fill tiles by themselves; of how many there are at launch nothing is known.
// CHECK: @long_group
// CHECK-SAME: num_warps = 4, packed = 1>
attn.kernel @long_group(%q: !long, %k: !group, %v: !group) -> (o: !long) {
  %s = attn.scores %q, %k : !long, !group
  %p = attn.softmax %s
  %o = attn.output %p, %v : !group -> !long
  attn.return %o : !long
}
// CHECK: @unknown_group
// CHECK-SAME: num_warps = 4, packed = 1>
attn.kernel @unknown_group(%q: !d128, %k: !group, %v: !group) -> (o: !d128) {
  %s = attn.scores %q, %k : !d128, !group
  %p = attn.softmax %s
  %o = attn.output %p, %v : !group -> !d128
  attn.return %o : !d128
}

// Groups of seven: no tile of warpgroups holds whole tokens. 112 rows in a tile of 128 are still better than seven times
// 16 in one.
// CHECK: @sevens
// CHECK-SAME: packed = 7>
// SM90A: @sevens
// SM90A-SAME: packed = 7>
attn.kernel @sevens(%q: !sevens, %k: !group, %v: !group) -> (o: !sevens) {
  %s = attn.scores %q, %k : !sevens, !group
  %p = attn.softmax %s
  %o = attn.output %p, %v : !group -> !sevens
  attn.return %o : !sevens
}
// Of 1000 tokens warpgroups waste little; who asks for seven heads in a tile gets them without.
// SM90A: @many_sevens
// SM90A-SAME: packed = 1, overlap = output_behind>
attn.kernel @many_sevens(%q: !thousand, %k: !group, %v: !group) -> (o: !thousand) {
  %s = attn.scores %q, %k : !thousand, !group
  %p = attn.softmax %s
  %o = attn.output %p, %v : !group -> !thousand
  attn.return %o : !thousand
}
// SM90A: @wanted_sevens
// SM90A-SAME: packed = 7>
attn.kernel @wanted_sevens(%q: !thousand, %k: !group, %v: !group) -> (o: !thousand) schedule<packed = 7> {
  %s = attn.scores %q, %k : !thousand, !group
  %p = attn.softmax %s
  %o = attn.output %p, %v : !group -> !thousand
  attn.return %o : !thousand
}

// What is given stands, whole or in part.
// CHECK: @given
// CHECK-SAME: schedule<prefill, block_q = 32, block_kv = 48, num_stages = 3, num_warps = 2>
attn.kernel @given(%q: !d128, %k: !d128, %v: !d128) -> (o: !d128)
    schedule<prefill, block_q = 32, block_kv = 48, num_stages = 3, num_warps = 2, overlap = none> {
  %s = attn.scores %q, %k : !d128, !d128
  %p = attn.softmax %s
  %o = attn.output %p, %v : !d128 -> !d128
  attn.return %o : !d128
}

// Also where some registers are spilled: 128 of scores, 128 of output, 8 of statistics, 56 others.
// CHECK: @given_spills
// CHECK-SAME: schedule<prefill, block_q = 128, block_kv = 128, num_stages = 1, num_warps = 4>
attn.kernel @given_spills(%q: !d128, %k: !d128, %v: !d128) -> (o: !d128)
    schedule<block_q = 128, block_kv = 128, num_stages = 1, num_warps = 4> {
  %s = attn.scores %q, %k : !d128, !d128
  %p = attn.softmax %s
  %o = attn.output %p, %v : !d128 -> !d128
  attn.return %o : !d128
}

// A function that reads memory for each key takes registers, also where another calls it; one that reads for each head
// takes few.
// CHECK: @reads_keys
// CHECK-SAME: schedule<prefill, block_q = {{[0-9]+}}, block_kv = {{16|32|48}}, num_stages = {{[12]}}, num_warps = {{[48]}}>
attn.kernel @reads_keys(%q: !d64, %k: !d64, %v: !d64, %t: tensor<4096xf32>) -> (o: !d64) {
  %s = attn.scores %q, %k : !d64, !d64
  %c = attn.modify %s by @near (%t) : tensor<4096xf32>
  %p = attn.softmax %c
  %o = attn.output %p, %v : !d64 -> !d64
  attn.return %o : !d64
}
// CHECK: @reads_heads
// CHECK-SAME: schedule<prefill, block_q = 128, block_kv = 64, num_stages = 1, num_warps = 4>
attn.kernel @reads_heads(%q: !d64, %k: !d64, %v: !d64, %t: tensor<8xf32>) -> (o: !d64) {
  %s = attn.scores %q, %k : !d64, !d64
  %c = attn.modify %s by @sloped (%t) : tensor<8xf32>
  %p = attn.softmax %c
  %o = attn.output %p, %v : !d64 -> !d64
  attn.return %o : !d64
}

// A tuned row that has it is taken.
// CHECK: @given_row
// CHECK-SAME: schedule<prefill, block_q = 128, block_kv = 32, num_stages = 1, num_warps = 4>
attn.kernel @given_row(%q: !d128, %k: !d128, %v: !d128) -> (o: !d128) schedule<block_kv = 32> {
  %s = attn.scores %q, %k : !d128, !d128
  %p = attn.softmax %s
  %o = attn.output %p, %v : !d128 -> !d128
  attn.return %o : !d128
}

// 16 rows are what one warp computes.
// CHECK: @given_rows
// CHECK-SAME: schedule<prefill, block_q = 16, block_kv = {{[0-9]+}}, num_stages = {{[12]}}, num_warps = 1>
attn.kernel @given_rows(%q: !d128, %k: !d128, %v: !d128) -> (o: !d128) schedule<block_q = 16> {
  %s = attn.scores %q, %k : !d128, !d128
  %p = attn.softmax %s
  %o = attn.output %p, %v : !d128 -> !d128
  attn.return %o : !d128
}

// Four heads of one token to each key head: 16 rows, a warp. A key and its value are 512 bytes; of three stages of 32 keys
// two and a half fly, 40 KB, in two programs 80 KB, and no smaller ring has 64. 8 key heads for 2 programs on each of 108
// multiprocessors are 27 shares each (sm_90a: 132, so 33), of 256 keys or more.
// CHECK: @one_token
// CHECK-SAME: schedule<decode, block_q = 16, block_kv = 32, num_stages = 3, num_warps = 1, num_splits = 27, packed = 4>
// CHECK-SAME: attributes {attn.share = array<i64: 256, 32>}
// SM90A: @one_token
// SM90A-SAME: schedule<decode, block_q = 16, block_kv = 32, num_stages = 3, num_warps = 1, num_splits = 33, packed = 4>
attn.kernel @one_token(%q: !token, %k: !d128, %v: !d128) -> (o: !token) {
  %s = attn.scores %q, %k : !token, !d128
  %p = attn.softmax %s
  %o = attn.output %p, %v : !d128 -> !token
  attn.return %o : !token
}

// Who asks for shares gets them from two tiles on. Of 33 tokens with one head each three warps would have rows: four.
// CHECK: @some_tokens
// CHECK-SAME: schedule<decode, block_q = 64, block_kv = 16, num_stages = {{[1-4]}}, num_warps = 4, num_splits = 5>
// CHECK-SAME: attributes {attn.share = array<i64: 16, 16>}
attn.kernel @some_tokens(%q: !tokens, %k: !d128, %v: !d128) -> (o: !tokens) schedule<num_splits = 5, block_kv = 16> {
  %s = attn.scores %q, %k : !tokens, !d128
  %p = attn.softmax %s
  %o = attn.output %p, %v : !d128 -> !tokens
  attn.return %o : !tokens
}

func.func @at(%i: index, %t: tensor<?xf32>) -> f32 {
  %x = tensor.extract %t[%i] : tensor<?xf32>
  return %x : f32
}
func.func @near(%s: f32, %b: index, %h: index, %q: index, %kv: index, %t: tensor<?xf32>) -> f32 {
  %bias = func.call @at(%kv, %t) : (index, tensor<?xf32>) -> f32
  %sum = arith.addf %s, %bias : f32
  return %sum : f32
}
func.func @sloped(%s: f32, %b: index, %h: index, %q: index, %kv: index, %t: tensor<?xf32>) -> f32 {
  %slope = func.call @at(%h, %t) : (index, tensor<?xf32>) -> f32
  %sum = arith.mulf %s, %slope : f32
  return %sum : f32
}
func.func @causal(%b: index, %h: index, %q: index, %kv: index) -> i1 {
  %visible = arith.cmpi sle, %kv, %q : index
  return %visible : i1
}
func.func @times(%s: f32, %b: index, %h: index, %q: index, %kv: index, %f: f32) -> f32 {
  %t = arith.mulf %s, %f : f32
  return %t : f32
}
}
