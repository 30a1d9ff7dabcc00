// Dimensions are named by the roles of tensors, by #attn.dims where it stands, or not at all.
// RUN: attn-names %s | FileCheck %s --match-full-lines --strict-whitespace

//      CHECK:prefill
// CHECK-NEXT:  input q bf16 [batch, seq_q, heads = 32, head_dim = 128]
// CHECK-NEXT:  input k bf16 [batch, seq_kv, kv_heads = 8, head_dim = 128]
// CHECK-NEXT:  input v bf16 [batch, seq_kv, kv_heads = 8, head_dim = 128]
// CHECK-NEXT:  input kv_lens i32 [batch]
// CHECK-NEXT:  input slopes f32 [32]
// CHECK-NEXT:  input sink f32 [heads = 32]
// CHECK-NEXT:  input n index
// CHECK-NEXT:  output o bf16 [batch, seq_q, heads = 32, head_dim = 128]
// CHECK-NEXT:  output lse f32 [batch, seq_q, heads = 32]
// CHECK-NEXT:  chain softcap alibi | sliding_window causal
!q   = tensor<?x?x32x128xbf16>
!kv  = tensor<?x?x8x128xbf16>
!row = tensor<32xf32>
!lse = tensor<?x?x32xf32>
attn.kernel @prefill(%q: !q, %k: !kv, %v: !kv, %kv_lens: tensor<?xi32>, %slopes: !row, %sink: !row, %n: index)
    -> (o: !q, lse: !lse) {
  %cap = arith.constant 50.0 : f32
  %kv = attn.dense %k, %v[%kv_lens] : !kv, !kv [tensor<?xi32>]
  %s = attn.scores %q, %kv : !q, !attn.seq
  %a = attn.modify %s by @softcap(%cap) : f32
  %b = attn.mask %a by @sliding_window(%n) : index
  %c = attn.modify %b by @alibi(%slopes) : !row
  %d = attn.mask %c by @causal
  %p, %lse = attn.softmax %d sink %sink : !row -> !lse
  %o = attn.output %p, %kv : !attn.seq -> !q
  attn.return %o, %lse : !q, !lse
}

// Values of another width than keys; the output has theirs.
//      CHECK:narrow_values
// CHECK-NEXT:  input q f16 [batch, seq_q, heads = 8, head_dim = 192]
// CHECK-NEXT:  input k f16 [batch, seq_kv, kv_heads = 8, head_dim = 192]
// CHECK-NEXT:  input v f16 [batch, seq_kv, kv_heads = 8, head_dim_v = 128]
// CHECK-NEXT:  output o f16 [batch, seq_q, heads = 8, head_dim_v = 128]
// CHECK-NEXT:  chain |
!wide   = tensor<?x?x8x192xf16>
!narrow = tensor<?x?x8x128xf16>
attn.kernel @narrow_values(%q: !wide, %k: !wide, %v: !narrow) -> (o: !narrow) {
  %s = attn.scores %q, %k : !wide, !wide
  %p = attn.softmax %s
  %o = attn.output %p, %v : !narrow -> !narrow
  attn.return %o : !narrow
}

// Names that are stated go on to what is named after the tensor: its lse, its lengths, the sink.
//      CHECK:stated
// CHECK-NEXT:  input q f16 [rows, seq, query_heads = 8, head_dim = 64]
// CHECK-NEXT:  input k f16 [rows, seq, kv_heads = 8, head_dim = 64]
// CHECK-NEXT:  input lens i32 [rows]
// CHECK-NEXT:  input sink f32 [query_heads = 8]
// CHECK-NEXT:  output o f16 [rows, seq, query_heads = 8, head_dim = 64]
// CHECK-NEXT:  output lse f32 [rows, seq, query_heads = 8]
// CHECK-NEXT:  chain |
!sq = tensor<?x?x8x64xf16, #attn.dims<rows, seq, query_heads, head_dim>>
!sk = tensor<?x?x8x64xf16, #attn.dims<rows, seq, kv_heads, head_dim>>
!so = tensor<?x?x8x64xf16>
attn.kernel @stated(%q: !sq, %k: !sk, %lens: tensor<?xi32>, %sink: tensor<8xf32>) -> (o: !so, lse: tensor<?x?x8xf32>) {
  %kv = attn.dense %k[%lens] : !sk [tensor<?xi32>]
  %s = attn.scores %q, %kv : !sq, !attn.seq
  %p, %lse = attn.softmax %s sink %sink : tensor<8xf32> -> tensor<?x?x8xf32>
  %o = attn.output %p, %kv : !attn.seq -> !so
  attn.return %o, %lse : !so, tensor<?x?x8xf32>
}

// One tensor in two roles has the names of the query.
//      CHECK:self
// CHECK-NEXT:  input x f16 [batch, seq_q, heads = 8, head_dim = 64]
// CHECK-NEXT:  output o f16 [batch, seq_q, heads = 8, head_dim = 64]
// CHECK-NEXT:  chain |
attn.kernel @self(%x: !so) -> (o: !so) {
  %s = attn.scores %x, %x : !so, !so
  %p = attn.softmax %s
  %o = attn.output %p, %x : !so -> !so
  attn.return %o : !so
}

//      CHECK:ragged
// CHECK-NEXT:  input q f16 [total_q, heads = 8, head_dim = 64]
// CHECK-NEXT:  input k f16 [total_kv, kv_heads = 8, head_dim = 64]
// CHECK-NEXT:  input v f16 [total_kv, kv_heads = 8, head_dim = 64]
// CHECK-NEXT:  input qo_indptr i32 [batch_ends]
// CHECK-NEXT:  input kv_indptr i32 [batch_ends]
// CHECK-NEXT:  input at i32 [total_kv]
// CHECK-NEXT:  input from i32 [batch]
// CHECK-NEXT:  output o f16 [total_q, heads = 8, head_dim = 64]
// CHECK-NEXT:  output lse f32 [total_q, heads = 8]
// CHECK-NEXT:  chain |
!r = tensor<?x8x64xf16>
!n = tensor<?xi32>
attn.kernel @ragged(%q: !r, %k: !r, %v: !r, %qo_indptr: !n, %kv_indptr: !n, %at: !n, %from: !n)
    -> (o: !r, lse: tensor<?x8xf32>) {
  %queries = attn.ragged %q[%qo_indptr] : !r [!n]
  %placed = attn.at %queries from %from : !attn.seq from !n
  %entries = attn.ragged %k, %v[%kv_indptr] : !r, !r [!n]
  %kv = attn.at %entries[%at] : !attn.seq [!n]
  %s = attn.scores %placed, %kv : !attn.seq, !attn.seq
  %p, %lse = attn.softmax %s -> tensor<?x8xf32>
  %o = attn.output %p, %kv : !attn.seq -> !r
  attn.return %o, %lse : !r, tensor<?x8xf32>
}

//      CHECK:places
// CHECK-NEXT:  input q f16 [batch, seq_q = 1, heads = 8, head_dim = 64]
// CHECK-NEXT:  input k0 f16 [shared_batch = 1, seq_kv, kv_heads = 8, head_dim = 64]
// CHECK-NEXT:  input k1 f16 [pages, page_size = 16, kv_heads = 8, head_dim = 64]
// CHECK-NEXT:  input table i32 [batch, max_pages]
// CHECK-NEXT:  input lens i32 [batch]
// CHECK-NEXT:  output o f16 [batch, seq_q = 1, heads = 8, head_dim = 64]
// CHECK-NEXT:  chain |
!one    = tensor<?x1x8x64xf16>
!prompt = tensor<1x?x8x64xf16>
!pool   = tensor<?x16x8x64xf16>
attn.kernel @places(%q: !one, %k0: !prompt, %k1: !pool, %table: tensor<?x?xi32>, %lens: !n) -> (o: !one) {
  %a = attn.dense %k0 : !prompt
  %b = attn.share %a
  %c = attn.pages %k1[%table, %lens] : !pool [tensor<?x?xi32>, !n]
  %kv = attn.concat %b, %c
  %s = attn.scores %q, %kv : !one, !attn.seq
  %p = attn.softmax %s
  %o = attn.output %p, %kv : !attn.seq -> !one
  attn.return %o : !one
}

//      CHECK:runs
// CHECK-NEXT:  input new f16 [batch, seq_new = 1, kv_heads = 8, head_dim = 64]
// CHECK-NEXT:  input pool f16 [pages, page_size = 16, kv_heads = 8, head_dim = 64]
// CHECK-NEXT:  input runs i32 [batch, max_runs, 2]
// CHECK-NEXT:  input lens i32 [batch]
attn.kernel @runs(%new: !one, %pool: !pool, %runs: tensor<?x?x2xi32>, %lens: !n) {
  %cache = attn.pages %pool[%runs, %lens] : !pool [tensor<?x?x2xi32>, !n]
  attn.append %new to %cache : !one
  attn.return
}

//      CHECK:merge
// CHECK-NEXT:  input os f32 [parts = 8, batch, seq_q = 1, heads = 8, head_dim = 64]
// CHECK-NEXT:  input o1 f32 [batch, seq_q = 1, heads = 8, head_dim = 64]
// CHECK-NEXT:  input lses f32 [parts = 8, batch, seq_q = 1, heads = 8]
// CHECK-NEXT:  input lse1 f32 [batch, seq_q = 1, heads = 8]
// CHECK-NEXT:  input sink f32 [heads = 8]
// CHECK-NEXT:  output o f16 [batch, seq_q = 1, heads = 8, head_dim = 64]
// CHECK-NEXT:  output lse f32 [batch, seq_q = 1, heads = 8]
!parts = tensor<8x?x1x8x64xf32>
!stats = tensor<8x?x1x8xf32>
!part  = tensor<?x1x8x64xf32>
!stat  = tensor<?x1x8xf32>
attn.kernel @merge(%os: !parts, %o1: !part, %lses: !stats, %lse1: !stat, %sink: tensor<8xf32>)
    -> (o: !one, lse: !stat) {
  %o, %lse = attn.merge %os, %o1 lse %lses, %lse1 sink %sink
             : (!parts, !part, !stats, !stat, tensor<8xf32>) -> (!one, !stat)
  attn.return %o, %lse : !one, !stat
}

//      CHECK:sums
// CHECK-NEXT:  input q f16 [batch, seq_q, heads = 8, head_dim = 64]
// CHECK-NEXT:  input k f16 [batch, seq_kv, kv_heads = 8, head_dim = 64]
// CHECK-NEXT:  output sums f32 [batch, heads = 8, seq_kv]
// CHECK-NEXT:  output distances f32 [batch, heads = 8, seq_kv]
// CHECK-NEXT:  output o f16 [batch, seq_q, heads = 8, head_dim = 64]
// CHECK-NEXT:  chain | causal | twice thrice
!any      = tensor<?x?x8x64xf16>
!weighted = tensor<?x8x?xf32>
func.func private @causal(index, index, index, index) -> i1
func.func private @twice(f32, index, index, index, index) -> f32
func.func private @thrice(f32, index, index, index, index) -> f32
attn.kernel @sums(%q: !any, %k: !any)
    -> (sums: !weighted, distances: !weighted, o: !any) {
  %s = attn.scores %q, %k : !any, !any
  %m = attn.mask %s by @causal
  %p = attn.softmax %m
  %sums = attn.sums %p per key -> !weighted
  %distances = attn.sums %p per distance -> !weighted
  %t = attn.reweight %p by @twice
  %u = attn.reweight %t by @thrice
  %o = attn.output %u, %k : !any -> !any
  attn.return %sums, %distances, %o : !weighted, !weighted, !any
}

//      CHECK:paged_sums
// CHECK-NEXT:  input q f16 [batch, seq_q, heads = 8, head_dim = 64]
// CHECK-NEXT:  input pool f16 [pages, page_size = 16, kv_heads = 8, head_dim = 64]
// CHECK-NEXT:  input table i32 [batch, max_pages]
// CHECK-NEXT:  input lens i32 [batch]
// CHECK-NEXT:  output sums f32 [batch, heads = 8, max_keys]
attn.kernel @paged_sums(%q: !any, %pool: !pool, %table: tensor<?x?xi32>, %lens: !n) -> (sums: !weighted) {
  %k = attn.pages %pool[%table, %lens] : !pool [tensor<?x?xi32>, !n]
  %s = attn.scores %q, %k : !any, !attn.seq
  %p = attn.softmax %s
  %sums = attn.sums %p per key -> !weighted
  attn.return %sums : !weighted
}

//      CHECK:selected
// CHECK-NEXT:  input sums f32 [batch, heads = 8, seq_kv]
// CHECK-NEXT:  input below i32 [batch]
// CHECK-NEXT:  input k index
// CHECK-NEXT:  output list i32 [batch, heads = 8, max_listed]
// CHECK-NEXT:  output count i32 [batch, heads = 8]
!chosen  = tensor<?x8x?xi32>
!chosens = tensor<?x8xi32>
attn.kernel @selected(%sums: !weighted, %below: !n, %k: index) -> (list: !chosen, count: !chosens) {
  %list, %count = attn.select %sums top %k below %below : (!weighted, index, !n) -> (!chosen, !chosens)
  attn.return %list, %count : !chosen, !chosens
}
