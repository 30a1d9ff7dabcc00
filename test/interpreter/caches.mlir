// S42: partial results are joined by their lse, in any order and grouping; (0, -inf) changes nothing; the sink counts once.
// S43: new entries are written behind those of a cache, in place, and the lines that follow see them.
// RUN: %python %S/caches.py %s %t

!part  = tensor<?x?x2x8xf32>
!stat  = tensor<?x?x2xf32>
!parts = tensor<3x?x?x2x8xf32>
!stats = tensor<3x?x?x2xf32>
!some  = tensor<?x?x?x2x8xf32>
!sums  = tensor<?x?x?x2xf32>
!sink  = tensor<2xf32>
attn.kernel @two(%o1: !part, %o2: !part, %lse1: !stat, %lse2: !stat) -> (o: !part, lse: !stat) {
  %o, %lse = attn.merge %o1, %o2 lse %lse1, %lse2 : (!part, !part, !stat, !stat) -> (!part, !stat)
  attn.return %o, %lse : !part, !stat
}
attn.kernel @stack(%os: !parts, %lses: !stats) -> (o: !part, lse: !stat) {
  %o, %lse = attn.merge %os lse %lses : (!parts, !stats) -> (!part, !stat)
  attn.return %o, %lse : !part, !stat
}
attn.kernel @stack_and_one(%os: !some, %o1: !part, %lses: !sums, %lse1: !stat, %sink: !sink) -> (o: !part, lse: !stat) {
  %o, %lse = attn.merge %os, %o1 lse %lses, %lse1 sink %sink : (!some, !part, !sums, !stat, !sink) -> (!part, !stat)
  attn.return %o, %lse : !part, !stat
}
!packed  = tensor<3x?x2x8xbf16>
!pstats  = tensor<3x?x2xf32>
!presult = tensor<?x2x8xbf16>
attn.kernel @packed(%os: !packed, %lses: !pstats) -> (o: !presult) {
  %o = attn.merge %os lse %lses : (!packed, !pstats) -> !presult
  attn.return %o : !presult
}

!q      = tensor<?x?x4x8xf32>
!new    = tensor<?x?x2x8xf32, #attn.dims<batch, seq_new, kv_heads, head_dim>>
!cache  = tensor<?x?x2x8xf32>
!pool   = tensor<?x4x2x8xf32>
!table  = tensor<?x?xi32>
!lens   = tensor<?xi32>
!ends   = tensor<?xi32>
!rnew   = tensor<?x2x8xf32>
!l      = tensor<?x?x4xf32>
!lasts  = tensor<?x?x4x8xf32, #attn.dims<batch, seq_kept, heads, head_dim>>
func.func @past(%b: index, %h: index, %q: index, %kv: index) -> i1 {
  %visible = arith.cmpi sle, %kv, %q : index
  return %visible : i1
}
attn.kernel @append_pages(%k_new: !new, %v_new: !new, %k_pool: !pool, %v_pool: !pool, %table: !table, %lens: !lens) {
  %new = attn.dense %k_new, %v_new : !new, !new
  %cache = attn.pages %k_pool, %v_pool[%table, %lens] : !pool, !pool [!table, !lens]
  attn.append %new to %cache : !attn.seq
  attn.return
}
attn.kernel @append_dense(%new: !new, %cache: !cache, %lens: !lens) {
  %keys = attn.dense %cache[%lens] : !cache [!lens]
  attn.append %new to %keys : !new
  attn.return
}
attn.kernel @append_ragged(%k_new: !rnew, %v_new: !rnew, %new_ends: !ends, %k_pool: !pool, %v_pool: !pool,
                           %table: !table, %lens: !lens) {
  %new = attn.ragged %k_new, %v_new[%new_ends] : !rnew, !rnew [!ends]
  %cache = attn.pages %k_pool, %v_pool[%table, %lens] : !pool, !pool [!table, !lens]
  attn.append %new to %cache : !attn.seq
  attn.return
}
attn.kernel @append_then_attend(%q: !q, %k_new: !new, %v_new: !new, %k_pool: !pool, %v_pool: !pool, %table: !table,
                                %lens: !lens) -> (o: !q, lse: !l) {
  %new = attn.dense %k_new, %v_new : !new, !new
  %cache = attn.pages %k_pool, %v_pool[%table, %lens] : !pool, !pool [!table, !lens]
  attn.append %new to %cache : !attn.seq
  %s = attn.scores %q, %cache : !q, !attn.seq
  %m = attn.mask %s by @past
  %p, %lse = attn.softmax %m -> !l
  %o = attn.output %p, %cache : !attn.seq -> !q
  attn.return %o, %lse : !q, !l
}
attn.kernel @attend(%q: !q, %k_pool: !pool, %v_pool: !pool, %table: !table, %lens: !lens) -> (o: !q, lse: !l) {
  %cache = attn.pages %k_pool, %v_pool[%table, %lens] : !pool, !pool [!table, !lens]
  %s = attn.scores %q, %cache : !q, !attn.seq
  %m = attn.mask %s by @past
  %p, %lse = attn.softmax %m -> !l
  %o = attn.output %p, %cache : !attn.seq -> !q
  attn.return %o, %lse : !q, !l
}
// The result itself goes into a cache, and the lse alone is that of the lines before.
attn.kernel @append_the_result(%q: !q, %k: !cache, %v: !cache, %into: !lasts, %lens: !lens) -> (o: !q) {
  %s = attn.scores %q, %k : !q, !cache
  %p = attn.softmax %s
  %o = attn.output %p, %v : !cache -> !q
  %cache = attn.dense %into[%lens] : !lasts [!lens]
  attn.append %o to %cache : !q
  attn.return %o : !q
}
attn.kernel @lse_before(%q: !q, %k_new: !new, %cache: !cache, %lens: !lens) -> (lse: !l) {
  %keys = attn.dense %cache[%lens] : !cache [!lens]
  %s = attn.scores %q, %keys : !q, !attn.seq
  %p, %lse = attn.softmax %s -> !l
  attn.append %k_new to %keys : !new
  attn.return %lse : !l
}
