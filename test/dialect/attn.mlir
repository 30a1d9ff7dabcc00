// Every operation of the dialect, printed and parsed again; names of arguments and results stay.
// RUN: attn-opt %s | attn-opt | FileCheck %s

// CHECK-LABEL: attn.kernel @chain(%q: tensor<?x?x32x128xbf16>, %k: tensor<?x?x8x128xbf16>, %v: tensor<?x?x8x128xbf16>, %slopes: tensor<32xf32>, %sink: tensor<32xf32>, %scale: f32, %n: index, %m: i32, %b: i1)
// CHECK-SAME: -> (o: tensor<?x?x32x128xbf16>, lse: tensor<?x?x32xf32>)
// CHECK-SAME: schedule<prefill, block_q = 128, block_kv = 64, num_stages = 2, num_warps = 4, num_splits = 1, packed = 1, overlap = scores_ahead> {
!q   = tensor<?x?x32x128xbf16>
!kv  = tensor<?x?x8x128xbf16>
!row = tensor<32xf32>
!lse = tensor<?x?x32xf32>
attn.kernel @chain(%q: !q, %k: !kv, %v: !kv, %slopes: !row, %sink: !row, %scale: f32, %n: index, %m: i32, %b: i1)
    -> (o: !q, lse: !lse)
    schedule<prefill, block_q = 128, block_kv = 64, num_stages = 2, num_warps = 4, num_splits = 1, packed = 1,
             overlap = scores_ahead> {
  // CHECK-NEXT: %scores = attn.scores %q, %k scale %scale align start : tensor<?x?x32x128xbf16>, tensor<?x?x8x128xbf16>
  %0 = attn.scores %q, %k scale %scale align start : !q, !kv
  // CHECK-NEXT: %modified = attn.modify %scores by @biased(%slopes, %m, %b) : tensor<32xf32>, i32, i1
  %1 = attn.modify %0 by @biased(%slopes, %m, %b) : !row, i32, i1
  // CHECK-NEXT: %masked = attn.mask %modified by @near(%n) : index
  %2 = attn.mask %1 by @near(%n) : index
  // CHECK-NEXT: %masked_0 = attn.mask %masked by @causal
  %3 = attn.mask %2 by @causal
  // CHECK-NEXT: %probs, %lse = attn.softmax %masked_0 sink %sink : tensor<32xf32> -> tensor<?x?x32xf32>
  %4, %5 = attn.softmax %3 sink %sink : !row -> !lse
  // CHECK-NEXT: %output = attn.output %probs, %v : tensor<?x?x8x128xbf16> -> tensor<?x?x32x128xbf16>
  %6 = attn.output %4, %v : !kv -> !q
  // CHECK-NEXT: attn.return %output, %lse : tensor<?x?x32x128xbf16>, tensor<?x?x32xf32>
  attn.return %6, %5 : !q, !lse
}

func.func private @biased(f32, index, index, index, index, tensor<?xf32>, i32, i1) -> f32
func.func private @near(index, index, index, index, index) -> i1

// `align end` is what is meant without it, and is not printed.
// CHECK-LABEL: attn.kernel @plain(
// CHECK-SAME: schedule<overlap = none> {
// CHECK-NEXT: %scores = attn.scores %q, %k : tensor
// CHECK-NEXT: %probs = attn.softmax %scores
attn.kernel @plain(%q: !q, %k: !kv, %v: !kv) -> (o: !q) schedule<overlap = none> {
  %s = attn.scores %q, %k align end : !q, !kv
  %p = attn.softmax %s
  %o = attn.output %p, %v : !kv -> !q
  attn.return %o : !q
}

// CHECK-LABEL: attn.kernel @sequences(
!one    = tensor<?x1x32x128xbf16>
!prompt = tensor<1x?x8x128xbf16, #attn.dims<one, seq_prompt, kv_heads, head_dim>>
!pool   = tensor<?x16x8x128xbf16>
!new    = tensor<?x1x8x128xbf16>
!table  = tensor<?x?xi32>
!lens   = tensor<?xi64>
attn.kernel @sequences(%q: !one, %k0: !prompt, %v0: !prompt, %k1: !pool, %v1: !pool, %table: !table, %lens: !lens,
                       %k2: !new, %v2: !new, %now: !lens) -> (o: !one) {
  // CHECK-NEXT: %seq = attn.dense %k0, %v0 : ![[PROMPT:.*]], ![[PROMPT]]
  %prompts = attn.dense %k0, %v0 : !prompt, !prompt
  // CHECK-NEXT: %seq_0 = attn.share %seq
  %a = attn.share %prompts
  // CHECK-NEXT: %seq_1 = attn.at %seq_0 from %lens : !attn.seq from tensor<?xi64>
  %a1 = attn.at %a from %lens : !attn.seq from !lens
  // CHECK-NEXT: %seq_2 = attn.pages %k1, %v1[%table, %lens] : tensor<?x16x8x128xbf16>, tensor<?x16x8x128xbf16> [tensor<?x?xi32>, tensor<?xi64>]
  %b = attn.pages %k1, %v1[%table, %lens] : !pool, !pool [!table, !lens]
  %b1 = attn.at %b from %lens : !attn.seq from !lens
  // CHECK: attn.dense %k2, %v2[%lens] : tensor<?x1x8x128xbf16>, tensor<?x1x8x128xbf16> [tensor<?xi64>]
  %c = attn.dense %k2, %v2[%lens] : !new, !new [!lens]
  %c1 = attn.at %c from %lens : !attn.seq from !lens
  // CHECK: attn.concat %seq_1, %seq_3, %seq_5
  %kv = attn.concat %a1, %b1, %c1
  // CHECK: attn.at %q from %now : tensor<?x1x32x128xbf16> from tensor<?xi64>
  %queries = attn.at %q from %now : !one from !lens
  // CHECK: attn.scores %{{.*}}, %{{.*}} : !attn.seq, !attn.seq
  %s = attn.scores %queries, %kv : !attn.seq, !attn.seq
  %p = attn.softmax %s
  // CHECK: attn.output %probs, %{{.*}} : !attn.seq -> tensor<?x1x32x128xbf16>
  %o = attn.output %p, %kv : !attn.seq -> !one
  attn.return %o : !one
}

// CHECK-LABEL: attn.kernel @ragged(
!r      = tensor<?x8x64xf16>
!indptr = tensor<?xi32>
!at     = tensor<?xi32>
attn.kernel @ragged(%q: !r, %kv: !r, %ends: !indptr, %at: !at) -> (o: !r) {
  // CHECK-NEXT: attn.ragged %q[%ends] : tensor<?x8x64xf16> [tensor<?xi32>]
  %queries = attn.ragged %q[%ends] : !r [!indptr]
  // CHECK-NEXT: attn.at %{{.*}}[%at] : !attn.seq [tensor<?xi32>]
  %placed = attn.at %queries[%at] : !attn.seq [!at]
  %keys = attn.ragged %kv[%ends] : !r [!indptr]
  %s = attn.scores %placed, %keys : !attn.seq, !attn.seq
  %p = attn.softmax %s
  %o = attn.output %p, %keys : !attn.seq -> !r
  attn.return %o : !r
}

// CHECK-LABEL: attn.kernel @rows_of_others(
!rows = tensor<?x?xi32, #attn.dims<beams, seq_response>>
!resp = tensor<?x?x8x128xbf16, #attn.dims<beams, seq_response, kv_heads, head_dim>>
!beam = tensor<?x1x32x128xbf16, #attn.dims<beams, one, heads, head_dim>>
attn.kernel @rows_of_others(%q: !beam, %k: !resp, %v: !resp, %rows: !rows) -> (o: !beam) {
  %all = attn.dense %k, %v : !resp, !resp
  // CHECK: attn.share %seq[%rows] : [!beams_seq_response_i32]
  %kv = attn.share %all[%rows] : [!rows]
  %s = attn.scores %q, %kv : !beam, !attn.seq
  %p = attn.softmax %s
  %o = attn.output %p, %kv : !attn.seq -> !beam
  attn.return %o : !beam
}

// CHECK-LABEL: attn.kernel @merge(
!parts = tensor<8x?x1x32x128xf32>
!stats = tensor<8x?x1x32xf32>
!part  = tensor<?x1x32x128xf32>
!stat  = tensor<?x1x32xf32>
attn.kernel @merge(%os: !parts, %o1: !part, %lses: !stats, %lse1: !stat, %sink: !row) -> (o: !one, lse: !stat) {
  // CHECK-NEXT: %output, %lse = attn.merge %os, %o1 lse %lses, %lse1 sink %sink :
  %o, %lse = attn.merge %os, %o1 lse %lses, %lse1 sink %sink : (!parts, !part, !stats, !stat, !row) -> (!one, !stat)
  attn.return %o, %lse : !one, !stat
}

// A kernel without results prints none.
// CHECK-LABEL: attn.kernel @append(
// CHECK-SAME: %lens: tensor<?xi64>) {
// CHECK: attn.append %{{.*}} to %{{.*}} : !attn.seq
// CHECK-NEXT: attn.return
// CHECK-NEXT: }
attn.kernel @append(%k_new: !new, %v_new: !new, %k: !pool, %v: !pool, %table: !table, %lens: !lens) {
  %new = attn.dense %k_new, %v_new : !new, !new
  %cache = attn.pages %k, %v[%table, %lens] : !pool, !pool [!table, !lens]
  attn.append %new to %cache : !attn.seq
  attn.return
}

// CHECK-LABEL: attn.kernel @weights(
// CHECK: %reweighted = attn.reweight %probs by @late(%{{.*}}) : index
// CHECK: %sums = attn.sums %reweighted per key by @rows (%{{.*}} : index) -> tensor<?x32x?xf32>
// CHECK: %sums_0 = attn.sums %probs per distance by @all -> tensor<?x32x?xf32>
// CHECK: %sums_1 = attn.sums %probs per key -> tensor<?x32x?xf32>
!weight_sums = tensor<?x32x?xf32>
attn.kernel @weights(%q: !q, %k: !kv, %first: index) -> (a: !weight_sums, b: !weight_sums, c: !weight_sums) {
  %s = attn.scores %q, %k : !q, !kv
  %p = attn.softmax %s
  %r = attn.reweight %p by @late(%first) : index
  %a = attn.sums %r per key by @rows (%first : index) -> !weight_sums
  %b = attn.sums %p per distance by @all -> !weight_sums
  %c = attn.sums %p per key -> !weight_sums
  attn.return %a, %b, %c : !weight_sums, !weight_sums, !weight_sums
}

// CHECK-LABEL: attn.kernel @selects(
// CHECK: %list, %count = attn.select %{{.*}} top %{{.*}} below %{{.*}} : (tensor<?x32x?xf32>, index, tensor<?xi32>) -> (tensor<?x32x?xi32>, tensor<?x32xi32>)
// CHECK: %list_0, %count_1 = attn.select %{{.*}} cover %{{.*}} : (tensor<?x32x?xf32>, f32) -> (tensor<?x32x?xi32>, tensor<?x32xi32>)
!heavy  = tensor<?x32x?xi32>
!counts = tensor<?x32xi32>
attn.kernel @selects(%sums: !weight_sums, %k: index, %n: tensor<?xi32>, %share: f32)
    -> (list: !heavy, count: !counts, covering: !heavy, number: !counts) {
  %a, %an = attn.select %sums top %k below %n : (!weight_sums, index, tensor<?xi32>) -> (!heavy, !counts)
  %b, %bn = attn.select %sums cover %share : (!weight_sums, f32) -> (!heavy, !counts)
  attn.return %a, %an, %b, %bn : !heavy, !counts, !heavy, !counts
}

// CHECK-LABEL: func.func @lists(
// CHECK: %row = attn.row
// CHECK: %column = attn.column
// CHECK: %found = attn.member %{{.*}} of %{{.*}}[%{{.*}}, %row] count %{{.*}} : tensor<?x?x?xi32> count tensor<?x?xi32>
// CHECK: %found_0 = attn.member %{{.*}} of %{{.*}}[%row] rows %{{.*}} : tensor<?xi32> rows tensor<?xi32>
// CHECK: %found_1 = attn.member %column of %{{.*}}[%{{.*}}] : tensor<?x?x2xi64>
// CHECK: %found_2 = attn.member %{{.*}} of %{{.*}} : tensor<?xi32>
func.func @lists(%b: index, %h: index, %q: index, %kv: index, %list: tensor<?x?x?xi32>, %count: tensor<?x?xi32>,
                 %packed: tensor<?xi32>, %ends: tensor<?xi32>, %ranges: tensor<?x?x2xi64>) -> i1 {
  %row = attn.row
  %column = attn.column
  %a = attn.member %kv of %list[%b, %row] count %count : tensor<?x?x?xi32> count tensor<?x?xi32>
  %c = attn.member %kv of %packed[%row] rows %ends : tensor<?xi32> rows tensor<?xi32>
  %d = attn.member %column of %ranges[%b] : tensor<?x?x2xi64>
  %e = attn.member %kv of %packed : tensor<?xi32>
  %x = arith.ori %a, %c : i1
  %y = arith.ori %x, %d : i1
  %z = arith.ori %y, %e : i1
  return %z : i1
}

// What others attach to a kernel stays with it.
// CHECK-LABEL: attn.kernel @attributed(
// CHECK-SAME: attributes {author = "us"} {
attn.kernel @attributed(%q: !q, %k: !kv, %v: !kv) -> (o: !q) attributes {author = "us"} {
  %s = attn.scores %q, %k : !q, !kv
  %p = attn.softmax %s
  %o = attn.output %p, %v : !kv -> !q
  attn.return %o : !q
}
