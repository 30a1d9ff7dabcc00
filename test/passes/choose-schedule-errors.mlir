// SPDX-License-Identifier: Apache-2.0
// RUN: attn-opt --choose-schedule --verify-diagnostics --split-input-file %s

!x = tensor<?x?x8x128xbf16>
module attributes {attn.target = {chip = "sm_80"}} {
// expected-error @below {{'attn.kernel' op expects block_q to be a multiple of 16 x num_warps (64), got 48}}
// expected-error @below {{expects block_kv to be a multiple of 16, got 40}}
attn.kernel @multiples(%q: !x, %k: !x, %v: !x) -> (o: !x) schedule<block_q = 48, block_kv = 40, num_warps = 4> {
  %s = attn.scores %q, %k : !x, !x
  %p = attn.softmax %s
  %o = attn.output %p, %v : !x -> !x
  attn.return %o : !x
}
// Faults of the second kernel are reported in the same run.
// expected-error @below {{expects block_q to be a multiple of 16, got 40}}
attn.kernel @second(%q: !x, %k: !x, %v: !x) -> (o: !x) schedule<block_q = 40> {
  %s = attn.scores %q, %k : !x, !x
  %p = attn.softmax %s
  %o = attn.output %p, %v : !x -> !x
  attn.return %o : !x
}
}

// -----

!x = tensor<?x?x8x128xbf16>
module attributes {attn.target = {chip = "sm_80"}} {
// expected-error @below {{expects a schedule that exists (prefill, decode, stream_k), got 'streaming'}}
// expected-error @below {{expects num_splits of at most 256, got 300}}
// expected-error @below {{expects num_warps of 1, 2, 4, 8 or 12, got 3}}
// expected-error @below {{expects num_stages of at most 4, got 5}}
// expected-error @below {{expects block_q to be a multiple of 16 x num_warps (48), got 512}}
// expected-error @below {{expects block_q of at most 256, got 512}}
// expected-error @below {{expects block_kv of at most 256, got 272}}
attn.kernel @all(%q: !x, %k: !x, %v: !x) -> (o: !x)
    schedule<streaming, block_q = 512, block_kv = 272, num_stages = 5, num_warps = 3, num_splits = 300,
             overlap = scores_ahead> {
  %s = attn.scores %q, %k : !x, !x
  %p = attn.softmax %s
  %o = attn.output %p, %v : !x -> !x
  attn.return %o : !x
}
}

// -----

!x = tensor<?x?x8x128xbf16>
module attributes {attn.target = {chip = "sm_90a"}} {
// expected-error @below {{expects no num_splits: 'prefill' does not split sequences, got 4}}
attn.kernel @whole(%q: !x, %k: !x, %v: !x) -> (o: !x) schedule<prefill, num_splits = 4> {
  %s = attn.scores %q, %k : !x, !x
  %p = attn.softmax %s
  %o = attn.output %p, %v : !x -> !x
  attn.return %o : !x
}
// expected-error @below {{expects no num_splits: 'stream_k' shares the keys of all sequences among its programs, got 4}}
attn.kernel @shared(%q: !x, %k: !x, %v: !x) -> (o: !x) schedule<stream_k, num_splits = 4> {
  %s = attn.scores %q, %k : !x, !x
  %p = attn.softmax %s
  %o = attn.output %p, %v : !x -> !x
  attn.return %o : !x
}
// expected-error @below {{expects overlap to be none: 'stream_k' waits for keys, not for products, got scores_ahead}}
attn.kernel @ahead(%q: !x, %k: !x, %v: !x) -> (o: !x) schedule<stream_k, overlap = scores_ahead> {
  %s = attn.scores %q, %k : !x, !x
  %p = attn.softmax %s
  %o = attn.output %p, %v : !x -> !x
  attn.return %o : !x
}
// expected-error @below {{expects overlap to be none: 'decode' waits for keys, not for products, got output_behind}}
attn.kernel @behind(%q: !x, %k: !x, %v: !x) -> (o: !x) schedule<decode, overlap = output_behind> {
  %s = attn.scores %q, %k : !x, !x
  %p = attn.softmax %s
  %o = attn.output %p, %v : !x -> !x
  attn.return %o : !x
}
}

// -----

!x = tensor<?x?x8x256xbf16>
module attributes {attn.target = {chip = "sm_80"}} {
// Q has 128 x 256 elements; K and V have 64 x 256 each, twice: 3 x 65536 bytes.
// expected-error @below {{expects tiles that fit shared memory: needs 196608 bytes, sm_80 has 166912}}
attn.kernel @shared(%q: !x, %k: !x, %v: !x) -> (o: !x)
    schedule<block_q = 128, block_kv = 64, num_stages = 2, num_warps = 8> {
  %s = attn.scores %q, %k : !x, !x
  %p = attn.softmax %s
  %o = attn.output %p, %v : !x -> !x
  attn.return %o : !x
}
// 32 rows a warp: 128 registers of scores, 256 of output, 8 of statistics, 46 others.
// expected-error @below {{expects tiles that fit registers: needs about 448 per thread, sm_80 has 255}}
// expected-error @below {{expects tiles that fit shared memory: needs 196608 bytes, sm_80 has 166912}}
attn.kernel @registers(%q: !x, %k: !x, %v: !x) -> (o: !x)
    schedule<block_q = 128, block_kv = 128, num_stages = 1, num_warps = 4> {
  %s = attn.scores %q, %k : !x, !x
  %p = attn.softmax %s
  %o = attn.output %p, %v : !x -> !x
  attn.return %o : !x
}
// What is left open cannot save it: with 16 keys, Q is 128 KB and four stages of K and V 64 KB. Registers would not
// refuse it: 336 a thread are within the half more than there are that may be spilled where the user asks for it.
// expected-error @below {{expects tiles that fit shared memory: needs 196608 bytes, sm_80 has 166912}}
attn.kernel @part(%q: !x, %k: !x, %v: !x) -> (o: !x) schedule<block_q = 256, num_stages = 4, num_warps = 8> {
  %s = attn.scores %q, %k : !x, !x
  %p = attn.softmax %s
  %o = attn.output %p, %v : !x -> !x
  attn.return %o : !x
}
}

// -----

// A multiprocessor with fewer registers than one program takes.
!x = tensor<?x?x8x128xbf16>
module attributes {attn.target = {chip = "sm_80", registers_per_sm = 16384}} {
// expected-error @below {{expects tiles that fit a multiprocessor: needs about 28672 registers and 49152 bytes of shared memory, sm_80 has 16384 and 167936}}
attn.kernel @multiprocessor(%q: !x, %k: !x, %v: !x) -> (o: !x)
    schedule<block_q = 128, block_kv = 32, num_stages = 1, num_warps = 4> {
  %s = attn.scores %q, %k : !x, !x
  %p = attn.softmax %s
  %o = attn.output %p, %v : !x -> !x
  attn.return %o : !x
}
}

// -----

!q = tensor<?x?x8x68xbf16>
!k = tensor<?x?x8x68xbf16>
!v = tensor<?x?x8x264xbf16>
!o = tensor<?x?x8x264xbf16>
module attributes {attn.target = {chip = "sm_80"}} {
attn.kernel @head_dims(%q: !q, %k: !k, %v: !v) -> (o: !o) {
  // expected-error @below {{'attn.scores' op expects a head_dim of query and keys that is a multiple of 8 up to 256, got 68}}
  %s = attn.scores %q, %k : !q, !k
  %p = attn.softmax %s
  // expected-error @below {{'attn.output' op expects a head_dim of values that is a multiple of 8 up to 256, got 264}}
  %o = attn.output %p, %v : !v -> !o
  attn.return %o : !o
}
}

// -----

!q = tensor<?x?x8x128xbf16>
!kv = tensor<?x?x8x128xf16>
!o = tensor<?x?x8x128xf64>
module attributes {attn.target = {chip = "sm_80"}} {
// expected-error @below {{expects arguments that are tensors, f32, i32 or index, got 'i1' for 'flag'}}
attn.kernel @types(%q: !q, %k: !kv, %v: !kv, %flag: i1) -> (o: !o) {
  // expected-error @below {{expects query, keys and values of one type, f16 or bf16, got 'bf16', 'f16' and 'f16'}}
  %s = attn.scores %q, %k : !q, !kv
  %m = attn.mask %s by @flagged (%flag) : i1
  %p = attn.softmax %m
  // expected-error @below {{expects an output of f16, bf16 or f32, got 'f64'}}
  %o = attn.output %p, %v : !kv -> !o
  attn.return %o : !o
}
func.func @flagged(%b: index, %h: index, %q: index, %kv: index, %flag: i1) -> i1 {
  return %flag : i1
}
}

// -----

!x = tensor<?x?x8x128xf32>
module attributes {attn.target = {chip = "sm_80"}} {
attn.kernel @f32(%q: !x, %k: !x, %v: !x) -> (o: !x) {
  // expected-error @below {{expects query, keys and values of one type, f16 or bf16, got 'f32', 'f32' and 'f32'}}
  %s = attn.scores %q, %k : !x, !x
  %p = attn.softmax %s
  %o = attn.output %p, %v : !x -> !x
  attn.return %o : !x
}
}

// -----

// Keys that are their own values, of which the output takes the first columns.
!q = tensor<?x?x8x192xbf16>
!kv = tensor<?x?x1x192xbf16>
!o = tensor<?x?x8x128xbf16>
module attributes {attn.target = {chip = "sm_80"}} {
attn.kernel @latent(%q: !q, %kv: !kv) -> (o: !o) {
  %s = attn.scores %q, %kv : !q, !kv
  %p = attn.softmax %s
  // expected-error @below {{expects an output of the head_dim of the values, 192, got 128}}
  %o = attn.output %p, %kv : !kv -> !o
  attn.return %o : !o
}
}

// -----

// What several lists would have to say together.
!q = tensor<?x?x32x128xbf16>
!pool = tensor<?x16x8x128xbf16>
!pos = tensor<?x?xi32>
module attributes {attn.target = {chip = "sm_80"}} {
attn.kernel @joined_entries(%q: !q, %k: !pool, %v: !pool, %table: tensor<?x?xi32>, %lens: tensor<?xi32>,
                            %row_of: tensor<?x?xi32>) -> (o: !q) {
  %pages = attn.pages %k, %v[%table, %lens] : !pool, !pool [tensor<?x?xi32>, tensor<?xi32>]
  %shared = attn.share %pages
  // expected-error @below {{'attn.share' op expects entries of attn.dense, attn.ragged or attn.pages, or of these at a list of positions, where each has a row of its own: nothing else is lowered yet}}
  %c = attn.share %shared[%row_of] : [tensor<?x?xi32>]
  %s = attn.scores %q, %c : !q, !attn.seq
  %p = attn.softmax %s
  %o = attn.output %p, %c : !attn.seq -> !q
  attn.return %o : !q
}
attn.kernel @joined_list(%q: !q, %k: !pool, %v: !pool, %table: tensor<?x?xi32>, %lens: tensor<?xi32>, %first: tensor<?xi32>,
                         %pos: !pos) -> (o: !q) {
  %pages = attn.pages %k, %v[%table, %lens] : !pool, !pool [tensor<?x?xi32>, tensor<?xi32>]
  %both = attn.concat %pages, %pages
  // expected-error @below {{'attn.at' op expects a list of positions for each part of attn.concat: one for all of them is not lowered yet}}
  %c = attn.at %both[%pos] : !attn.seq [!pos]
  %qs = attn.at %q from %first : !q from tensor<?xi32>
  %s = attn.scores %qs, %c : !attn.seq, !attn.seq
  %p = attn.softmax %s
  %o = attn.output %p, %c : !attn.seq -> !q
  attn.return %o : !q
}
}

// -----

// What a merge joins, in types that no load has, with sizes that no program knows, and with a schedule that nobody asks.
!o = tensor<?x?x32x128xf64>
!r = tensor<?x?x32x128xf32>
!lse = tensor<?x?x32xf32>
module attributes {attn.target = {chip = "sm_80"}} {
attn.kernel @merge_f64(%o1: !o, %o2: !o, %l1: !lse, %l2: !lse) -> (o: !r) {
  // expected-error @below {{'attn.merge' op expects parts of f16, bf16 or f32, got 'f64'}}
  %o = attn.merge %o1, %o2 lse %l1, %l2 : (!o, !o, !lse, !lse) -> !r
  attn.return %o : !r
}
}

// -----

!any = tensor<?x?x?x128xf32>
!wide = tensor<?x?x32x264xf32>
!lse = tensor<?x?x?xf32>
!lse32 = tensor<?x?x32xf32>
module attributes {attn.target = {chip = "sm_80"}} {
attn.kernel @merge_heads(%o1: !any, %l1: !lse) -> (o: !any) {
  // expected-error @below {{'attn.merge' op expects a result with a number for heads and for head_dim, got 'tensor<?x?x?x128xf32>'}}
  // expected-error @below {{'attn.merge' op expects parts with a number for heads and for head_dim, got 'tensor<?x?x?x128xf32>'}}
  %o = attn.merge %o1 lse %l1 : (!any, !lse) -> !any
  attn.return %o : !any
}
attn.kernel @merge_wide(%o1: !wide, %l1: !lse32) -> (o: !wide) {
  // expected-error @below {{'attn.merge' op expects a head_dim of a result that is a multiple of 8 up to 256, got 264}}
  // expected-error @below {{'attn.merge' op expects a head_dim of parts that is a multiple of 8 up to 256, got 264}}
  %o = attn.merge %o1 lse %l1 : (!wide, !lse32) -> !wide
  attn.return %o : !wide
}
}

// -----

!o = tensor<?x?x32x128xf32>
!lse = tensor<?x?x32xf32>
module attributes {attn.target = {chip = "sm_80"}} {
// expected-error @below {{'attn.kernel' op expects no schedule without attention: merges and appends have one each, got #attn.schedule<num_splits = 2>}}
attn.kernel @merge_schedule(%o1: !o, %o2: !o, %l1: !lse, %l2: !lse) -> (o: !o) schedule<num_splits = 2> {
  %o = attn.merge %o1, %o2 lse %l1, %l2 : (!o, !o, !lse, !lse) -> !o
  attn.return %o : !o
}
}

// -----

// New entries: where they lie, and when.
!kv = tensor<?x?x8x64xf16>
!pool = tensor<?x16x8x64xf16>
!table = tensor<?x?xi32>
!n = tensor<?xi32>
!q = tensor<?x1x8x64xf16>
module attributes {attn.target = {chip = "sm_80"}} {
attn.kernel @append_pages(%pool: !pool, %table: !table, %lens: !n, %cache: !kv, %kv_lens: !n) {
  %new = attn.pages %pool[%table, %lens] : !pool [!table, !n]
  %keys = attn.dense %cache[%kv_lens] : !kv [!n]
  // expected-error @below {{'attn.append' op expects new entries of one attn.dense or attn.ragged, in arguments of the kernel: no others are copied}}
  attn.append %new to %keys : !attn.seq
  attn.return
}
attn.kernel @append_itself(%cache: !kv, %lens: !n, %kv_lens: !n) {
  %new = attn.dense %cache[%lens] : !kv [!n]
  %keys = attn.dense %cache[%kv_lens] : !kv [!n]
  // expected-error @below {{'attn.append' op expects new entries that lie elsewhere than in the cache, got both in 'cache'}}
  attn.append %new to %keys : !attn.seq
  attn.return
}
attn.kernel @append_between(%q: !q, %new: tensor<?x?x8x64xf16, #attn.dims<batch, seq_new, kv_heads, head_dim>>, %k: !kv, %lens: !n) -> (o: !q) {
  %keys = attn.dense %k[%lens] : !kv [!n]
  %s = attn.scores %q, %keys : !q, !attn.seq
  // expected-error @below {{'attn.append' op expects to stand before attn.scores or behind what is made of its weights: attention is one step}}
  attn.append %new to %keys : tensor<?x?x8x64xf16, #attn.dims<batch, seq_new, kv_heads, head_dim>>
  %p = attn.softmax %s
  %o = attn.output %p, %keys : !attn.seq -> !q
  attn.return %o : !q
}
}

// -----

// What other programs still read cannot be written.
!x = tensor<?x?x8x64xf16>
module attributes {attn.target = {chip = "sm_80"}} {
// expected-error @below {{'attn.kernel' op expects in place of an argument the output of attention over a dense query, or of a merge, which has its rows, got 'v'}}
attn.kernel @over_values(%q: !x, %k: !x, %v: !x) -> (v: !x) {
  %s = attn.scores %q, %k : !x, !x
  %p = attn.softmax %s
  %o = attn.output %p, %v : !x -> !x
  attn.return %o : !x
}
}

// -----

!x    = tensor<?x?x8x128xbf16, #attn.dims<batch, seq, heads, head_dim>>
!sums = tensor<?x8x?xf32, #attn.dims<batch, heads, seq>>
module attributes {attn.target = {chip = "sm_80"}} {
attn.kernel @summed(%q: !x, %k: !x, %v: !x) -> (o: !x, sums: !sums) {
  %s = attn.scores %q, %k : !x, !x
  %p = attn.softmax %s
  %r = attn.reweight %p by @halve
  // expected-error @below {{'attn.sums' op expects weights as attn.softmax gives them, which are at most 1: sums of others are not lowered}}
  %sums = attn.sums %r per key -> !sums
  %o = attn.output %r, %v : !x -> !x
  attn.return %o, %sums : !x, !sums
}
func.func @halve(%w: f32, %b: index, %h: index, %q: index, %kv: index) -> f32 {
  %half = arith.constant 0.5 : f32
  %y = arith.mulf %w, %half : f32
  return %y : f32
}
}

// -----

!x     = tensor<?x?x8x128xbf16, #attn.dims<batch, seq, heads, head_dim>>
!sums  = tensor<?x8x?xf32, #attn.dims<batch, heads, seq>>
!list  = tensor<?x8x?xi32, #attn.dims<batch, heads, most>>
!count = tensor<?x8xi32, #attn.dims<batch, heads>>
module attributes {attn.target = {chip = "sm_80"}} {
attn.kernel @summed_for_a_line(%q: !x, %k: !x, %n: index) -> (list: !list, count: !count) {
  %s = attn.scores %q, %k : !x, !x
  %p = attn.softmax %s
  // expected-error @below {{'attn.sums' op expects to be returned: sums that only another line reads are not lowered}}
  %sums = attn.sums %p per key -> !sums
  // expected-error @below {{'attn.select' op expects sums in an argument of the kernel: sums of the kernel itself are not lowered yet}}
  %list, %count = attn.select %sums top %n : (!sums, index) -> (!list, !count)
  attn.return %list, %count : !list, !count
}
}

// -----

!sums  = tensor<?x8x?xf32>
!list  = tensor<?x8x?xi32>
!count = tensor<?x8xi32>
module attributes {attn.target = {chip = "sm_80"}} {
attn.kernel @without_count(%sums: !sums, %k: index) -> (list: !list) {
  // expected-error @below {{expects its list and its count to be results of the kernel, and nothing else: no step reads them yet}}
  %list, %count = attn.select %sums top %k : (!sums, index) -> (!list, !count)
  attn.return %list : !list
}
}

// -----

!x = tensor<?x?x8x128xbf16>
module attributes {attn.target = {chip = "sm_80"}} {
// expected-error @below {{expects overlap to be none: products overlap on a target with wgmma and with block_q = 16 x num_warps, num_warps 4, 8 or 12, got output_behind with block_q = 128, num_warps = 8 on sm_80}}
attn.kernel @older(%q: !x, %k: !x, %v: !x) -> (o: !x)
    schedule<block_q = 128, num_warps = 8, block_kv = 64, num_stages = 1, overlap = output_behind> {
  %s = attn.scores %q, %k : !x, !x
  %p = attn.softmax %s
  %o = attn.output %p, %v : !x -> !x
  attn.return %o : !x
}
}

// -----

!x = tensor<?x?x8x64xbf16>
module attributes {attn.target = {chip = "sm_90a"}} {
// expected-error @below {{expects overlap to be none: products overlap on a target with wgmma and with block_q = 16 x num_warps, num_warps 4, 8 or 12, got output_behind with block_q = 128, num_warps = 4 on sm_90a}}
attn.kernel @rows(%q: !x, %k: !x, %v: !x) -> (o: !x)
    schedule<block_q = 128, num_warps = 4, block_kv = 64, num_stages = 1, overlap = output_behind> {
  %s = attn.scores %q, %k : !x, !x
  %p = attn.softmax %s
  %o = attn.output %p, %v : !x -> !x
  attn.return %o : !x
}
}

// -----

// Scores and their lse, and no output.
!x = tensor<?x?x8x128xbf16>
module attributes {attn.target = {chip = "sm_80"}} {
// expected-error @below {{'attn.kernel' op expects attn.scores, attn.softmax and attn.output or attn.sums together: none of them is lowered alone}}
attn.kernel @lse_alone(%q: !x, %k: !x) -> (lse: tensor<?x?x8xf32>) {
  %s = attn.scores %q, %k : !x, !x
  %p, %lse = attn.softmax %s -> tensor<?x?x8xf32>
  attn.return %lse : tensor<?x?x8xf32>
}
}

// -----

!q = tensor<?x?x8x64xbf16>
!kv = tensor<?x?x2x64xbf16>
module attributes {attn.target = {chip = "sm_80"}} {
// expected-error @below {{expects packed to divide the query heads of a key head, 4, got 3}}
attn.kernel @packed(%q: !q, %k: !kv, %v: !kv) -> (o: !q) schedule<packed = 3> {
  %s = attn.scores %q, %k : !q, !kv
  %p = attn.softmax %s
  %o = attn.output %p, %v : !kv -> !q
  attn.return %o : !q
}
}

// -----

!q = tensor<?x?x14x64xbf16>
!kv = tensor<?x?x2x64xbf16>
module attributes {attn.target = {chip = "sm_90a"}} {
// expected-error @below {{products overlap on a target with wgmma and with block_q = 16 x num_warps, num_warps 4, 8 or 12, got output_behind with block_q = 64, num_warps = 4 and packed = 7, which does not divide it, on sm_90a}}
attn.kernel @part_of_a_token(%q: !q, %k: !kv, %v: !kv) -> (o: !q)
    schedule<block_q = 64, num_warps = 4, packed = 7, overlap = output_behind> {
  %s = attn.scores %q, %k : !q, !kv
  %p = attn.softmax %s
  %o = attn.output %p, %v : !kv -> !q
  attn.return %o : !q
}
}

// -----

!x = tensor<?x?x8x128xbf16>
module attributes {attn.target = {chip = "sm_80"}} {
// expected-error @below {{expects a schedule that walks keys twice (prefill, decode), for weights that must be known before they are changed, got 'stream_k'}}
attn.kernel @squares(%q: !x, %k: !x, %v: !x) -> (o: !x) schedule<stream_k> {
  %s = attn.scores %q, %k : !x, !x
  %p = attn.softmax %s
  %r = attn.reweight %p by @squared
  %o = attn.output %r, %v : !x -> !x
  attn.return %o : !x
}
func.func @squared(%p: f32, %b: index, %h: index, %q: index, %kv: index) -> f32 {
  %r = arith.mulf %p, %p : f32
  return %r : f32
}
}
