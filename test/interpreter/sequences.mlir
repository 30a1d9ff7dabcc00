// S10 to S13, S20 to S23: sequences that are packed, lie in pages or in runs of pages, are shared, joined or placed.
// Whatever no entry lies in is NaN, and tables hold garbage behind what is used.
// RUN: %python %S/sequences.py %s %t

!q      = tensor<?x?x4x8xf32>
!kv     = tensor<?x?x2x8xf32>
!v      = tensor<?x?x2x16xf32>
!o      = tensor<?x?x4x16xf32>
!l      = tensor<?x?x4xf32>
!rq     = tensor<?x4x8xf32>
!rkv    = tensor<?x2x8xf32>
!rl     = tensor<?x4xf32>
!ends   = tensor<?xi32>
!long   = tensor<?xi64>
!pool   = tensor<?x4x2x8xf32>
!ones   = tensor<?x1x2x8xf32>
!table  = tensor<?x?xi32>
!runs   = tensor<?x?x2xi32>
!lens   = tensor<?xi32>
!packed = tensor<?xi32>
func.func @past(%b: index, %h: index, %q: index, %kv: index) -> i1 {
  %visible = arith.cmpi sle, %kv, %q : index
  return %visible : i1
}
func.func @near(%b: index, %h: index, %q: index, %kv: index, %left: index) -> i1 {
  %zero = arith.constant 0 : index
  %age = arith.subi %q, %kv : index
  %past = arith.cmpi sge, %age, %zero : index
  %close = arith.cmpi sle, %age, %left : index
  %visible = arith.andi %past, %close : i1
  return %visible : i1
}
func.func @tilt(%score: f32, %b: index, %h: index, %q: index, %kv: index) -> f32 {
  %slope = arith.constant 0.0625 : f32
  %row = attn.row
  %column = attn.column
  %distance = arith.subi %kv, %q : index
  %x = arith.addi %distance, %row : index
  %y = arith.addi %x, %column : index
  %i = arith.index_cast %y : index to i32
  %d = arith.sitofp %i : i32 to f32
  %bias = arith.mulf %slope, %d : f32
  %z = arith.addf %score, %bias : f32
  return %z : f32
}

attn.kernel @ragged(%q: !rq, %k: !rkv, %v: !rkv, %q_ends: !ends, %kv_ends: !long) -> (o: !rq, lse: !rl) {
  %queries = attn.ragged %q[%q_ends] : !rq [!ends]
  %kv = attn.ragged %k, %v[%kv_ends] : !rkv, !rkv [!long]
  %s = attn.scores %queries, %kv : !attn.seq, !attn.seq
  %t = attn.modify %s by @tilt
  %m = attn.mask %t by @past
  %p, %lse = attn.softmax %m -> !rl
  %o = attn.output %p, %kv : !attn.seq -> !rq
  attn.return %o, %lse : !rq, !rl
}
attn.kernel @ragged_wild(%q: !rq, %k: !rkv, %v: !rkv, %q_ends: !ends, %kv_ends: !long) -> (o: !rq, lse: !rl) {
  %queries = attn.ragged %q[%q_ends] : !rq [!ends]
  %kv = attn.ragged %k, %v[%kv_ends] : !rkv, !rkv [!long]
  %s = attn.scores %queries, %kv align start : !attn.seq, !attn.seq
  %m = attn.mask %s by @past
  %p, %lse = attn.softmax %m -> !rl
  %o = attn.output %p, %kv : !attn.seq -> !rq
  attn.return %o, %lse : !rq, !rl
}
attn.kernel @paged(%q: !q, %k_pool: !pool, %v_pool: !pool, %table: !table, %lens: !lens) -> (o: !q, lse: !l) {
  %kv = attn.pages %k_pool, %v_pool[%table, %lens] : !pool, !pool [!table, !lens]
  %s = attn.scores %q, %kv : !q, !attn.seq
  %t = attn.modify %s by @tilt
  %m = attn.mask %t by @past
  %p, %lse = attn.softmax %m -> !l
  %o = attn.output %p, %kv : !attn.seq -> !q
  attn.return %o, %lse : !q, !l
}
attn.kernel @pages_of_one(%q: !rq, %k_pool: !ones, %v_pool: !ones, %table: !table, %lens: !long, %q_ends: !ends)
    -> (o: !rq, lse: !rl) {
  %queries = attn.ragged %q[%q_ends] : !rq [!ends]
  %kv = attn.pages %k_pool, %v_pool[%table, %lens] : !ones, !ones [!table, !long]
  %s = attn.scores %queries, %kv : !attn.seq, !attn.seq
  %m = attn.mask %s by @past
  %p, %lse = attn.softmax %m -> !rl
  %o = attn.output %p, %kv : !attn.seq -> !rq
  attn.return %o, %lse : !rq, !rl
}
attn.kernel @latent_pages(%q: !q, %k_pool: !pool, %table: !table, %lens: !lens) -> (lse: !l) {
  %kv = attn.pages %k_pool[%table, %lens] : !pool [!table, !lens]
  %s = attn.scores %q, %kv : !q, !attn.seq
  %p, %lse = attn.softmax %s -> !l
  attn.return %lse : !l
}
attn.kernel @page_runs(%q: !q, %k_pool: !pool, %v_pool: !pool, %runs: !runs, %lens: !lens) -> (o: !q, lse: !l) {
  %kv = attn.pages %k_pool, %v_pool[%runs, %lens] : !pool, !pool [!runs, !lens]
  %s = attn.scores %q, %kv : !q, !attn.seq
  %m = attn.mask %s by @past
  %p, %lse = attn.softmax %m -> !l
  %o = attn.output %p, %kv : !attn.seq -> !q
  attn.return %o, %lse : !q, !l
}

!few  = tensor<?x?x2x8xf32, #attn.dims<requests, seq_kv, kv_heads, head_dim>>
!fewv = tensor<?x?x2x16xf32, #attn.dims<requests, seq_kv, kv_heads, head_dim_v>>
!fewn = tensor<?xi32, #attn.dims<requests>>
attn.kernel @shared_evenly(%q: !q, %k: !few, %v: !fewv, %lens: !fewn) -> (o: !o, lse: !l) {
  %all = attn.dense %k, %v[%lens] : !few, !fewv [!fewn]
  %kv = attn.share %all
  %s = attn.scores %q, %kv : !q, !attn.seq
  %m = attn.mask %s by @past
  %p, %lse = attn.softmax %m -> !l
  %o = attn.output %p, %kv : !attn.seq -> !o
  attn.return %o, %lse : !o, !l
}
attn.kernel @shared_rows(%q: !q, %k: !few, %v: !fewv, %lens: !fewn, %rows: !lens) -> (o: !o, lse: !l) {
  %all = attn.dense %k, %v[%lens] : !few, !fewv [!fewn]
  %kv = attn.share %all[%rows] : [!lens]
  %s = attn.scores %q, %kv : !q, !attn.seq
  %m = attn.mask %s by @past
  %p, %lse = attn.softmax %m -> !l
  %o = attn.output %p, %kv : !attn.seq -> !o
  attn.return %o, %lse : !o, !l
}
!pages_few = tensor<?x?xi32, #attn.dims<requests, max_pages>>
attn.kernel @shared_pages(%q: !q, %k_pool: !pool, %v_pool: !pool, %table: !pages_few, %lens: !fewn, %rows: !lens)
    -> (o: !q, lse: !l) {
  %all = attn.pages %k_pool, %v_pool[%table, %lens] : !pool, !pool [!pages_few, !fewn]
  %kv = attn.share %all[%rows] : [!lens]
  %s = attn.scores %q, %kv : !q, !attn.seq
  %p, %lse = attn.softmax %s -> !l
  %o = attn.output %p, %kv : !attn.seq -> !q
  attn.return %o, %lse : !q, !l
}

!beam   = tensor<?x1x4x8xf32, #attn.dims<beams, one, heads, head_dim>>
!prompt = tensor<?x?x2x8xf32, #attn.dims<requests, seq_prompt, kv_heads, head_dim>>
!answer = tensor<?x?x2x8xf32, #attn.dims<beams, seq_answer, kv_heads, head_dim>>
!from   = tensor<?x?xi32, #attn.dims<beams, seq_answer>>
!plens  = tensor<?xi32, #attn.dims<requests>>
!alens  = tensor<?xi32, #attn.dims<beams>>
!bl     = tensor<?x1x4xf32, #attn.dims<beams, one, heads>>
attn.kernel @beams(%q: !beam, %k0: !prompt, %v0: !prompt, %prompt_lens: !plens, %k1: !answer, %v1: !answer,
                   %answer_lens: !alens, %row_of: !from) -> (o: !beam, lse: !bl) {
  %prompts = attn.dense %k0, %v0[%prompt_lens] : !prompt, !prompt [!plens]
  %prompt = attn.share %prompts
  %answers = attn.dense %k1, %v1[%answer_lens] : !answer, !answer [!alens]
  %answer = attn.share %answers[%row_of] : [!from]
  %kv = attn.concat %prompt, %answer
  %s = attn.scores %q, %kv : !beam, !attn.seq
  %p, %lse = attn.softmax %s -> !bl
  %o = attn.output %p, %kv : !attn.seq -> !beam
  attn.return %o, %lse : !beam, !bl
}

!prefix = tensor<1x?x2x8xbf16, #attn.dims<one, seq_prefix, kv_heads, head_dim>>
!new    = tensor<?x?x2x8xf32, #attn.dims<batch, seq_q, kv_heads, head_dim>>
attn.kernel @three_places(%q: !q, %k0: !prefix, %v0: !prefix, %k_pool: !pool, %v_pool: !pool, %table: !table,
                          %lens: !lens, %k_new: !new, %v_new: !new) -> (o: !q, lse: !l) {
  %system = attn.dense %k0, %v0 : !prefix, !prefix
  %first = attn.share %system
  %cache = attn.pages %k_pool, %v_pool[%table, %lens] : !pool, !pool [!table, !lens]
  %new = attn.dense %k_new, %v_new : !new, !new
  %kv = attn.concat %first, %cache, %new
  %s = attn.scores %q, %kv : !q, !attn.seq
  %t = attn.modify %s by @tilt
  %m = attn.mask %t by @past
  %p, %lse = attn.softmax %m -> !l
  %o = attn.output %p, %kv : !attn.seq -> !q
  attn.return %o, %lse : !q, !l
}

!packed_new = tensor<?x2x8xf32, #attn.dims<total_new, kv_heads, head_dim>>
attn.kernel @ragged_parts(%q: !rq, %q_ends: !ends, %k: !rkv, %v: !rkv, %kv_ends: !ends, %k_new: !packed_new,
                          %v_new: !packed_new, %new_ends: !ends) -> (o: !rq, lse: !rl) {
  %queries = attn.ragged %q[%q_ends] : !rq [!ends]
  %past = attn.ragged %k, %v[%kv_ends] : !rkv, !rkv [!ends]
  %new = attn.ragged %k_new, %v_new[%new_ends] : !packed_new, !packed_new [!ends]
  %kv = attn.concat %past, %new
  %s = attn.scores %queries, %kv : !attn.seq, !attn.seq
  %m = attn.mask %s by @past
  %p, %lse = attn.softmax %m -> !rl
  %o = attn.output %p, %kv : !attn.seq -> !rq
  attn.return %o, %lse : !rq, !rl
}

!pos  = tensor<?x?xi32>
!qpos = tensor<?x?xi64>
attn.kernel @evicted(%q: !q, %k: !kv, %v: !kv, %lens: !lens, %positions: !pos, %now: !lens, %left: index)
    -> (o: !q, lse: !l) {
  %kept = attn.dense %k, %v[%lens] : !kv, !kv [!lens]
  %kv = attn.at %kept[%positions] : !attn.seq [!pos]
  %queries = attn.at %q from %now : !q from !lens
  %s = attn.scores %queries, %kv : !attn.seq, !attn.seq
  %t = attn.modify %s by @tilt
  %m = attn.mask %t by @near(%left) : index
  %p, %lse = attn.softmax %m -> !l
  %o = attn.output %p, %kv : !attn.seq -> !q
  attn.return %o, %lse : !q, !l
}
attn.kernel @queries_placed(%q: !q, %k: !kv, %v: !kv, %positions: !qpos, %left: index) -> (o: !q, lse: !l) {
  %queries = attn.at %q[%positions] : !q [!qpos]
  %s = attn.scores %queries, %k : !attn.seq, !kv
  %m = attn.mask %s by @near(%left) : index
  %p, %lse = attn.softmax %m -> !l
  %o = attn.output %p, %v : !kv -> !q
  attn.return %o, %lse : !q, !l
}
attn.kernel @packed_positions(%q: !rq, %q_ends: !ends, %q_positions: !packed, %k: !rkv, %v: !rkv, %kv_ends: !ends,
                              %kv_positions: !packed, %left: index) -> (o: !rq, lse: !rl) {
  %packed_queries = attn.ragged %q[%q_ends] : !rq [!ends]
  %queries = attn.at %packed_queries[%q_positions] : !attn.seq [!packed]
  %all = attn.ragged %k, %v[%kv_ends] : !rkv, !rkv [!ends]
  %kv = attn.at %all[%kv_positions] : !attn.seq [!packed]
  %s = attn.scores %queries, %kv : !attn.seq, !attn.seq
  %m = attn.mask %s by @near(%left) : index
  %p, %lse = attn.softmax %m -> !rl
  %o = attn.output %p, %kv : !attn.seq -> !rq
  attn.return %o, %lse : !rq, !rl
}
// A ring device: both sides say where they begin, and keys come in two places with positions of their own.
!second = tensor<?x?x2x8xf32, #attn.dims<batch, seq_second, kv_heads, head_dim>>
attn.kernel @ring(%q: !q, %k: !kv, %v: !kv, %k2: !second, %v2: !second, %q_first: !lens, %kv_first: !lens,
                  %second_first: !lens) -> (o: !q, lse: !l) {
  %queries = attn.at %q from %q_first : !q from !lens
  %a = attn.dense %k, %v : !kv, !kv
  %b = attn.dense %k2, %v2 : !second, !second
  %a1 = attn.at %a from %kv_first : !attn.seq from !lens
  %b1 = attn.at %b from %second_first : !attn.seq from !lens
  %kv = attn.concat %a1, %b1
  %s = attn.scores %queries, %kv : !attn.seq, !attn.seq
  %m = attn.mask %s by @past
  %p, %lse = attn.softmax %m -> !l
  %o = attn.output %p, %kv : !attn.seq -> !q
  attn.return %o, %lse : !q, !l
}
