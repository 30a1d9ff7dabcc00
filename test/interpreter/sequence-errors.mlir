// Tables that name what does not exist, and numbers of sequences that no name compares, are refused: nothing is read
// outside a tensor.
// RUN: %python %S/sequence_errors.py %s %t

!q     = tensor<?x?x2x8xf32>
!r     = tensor<?x2x8xf32>
!l     = tensor<?x?x2xf32>
!rl    = tensor<?x2xf32>
!n     = tensor<?xi32>
!pool  = tensor<?x4x2x8xf32>
!table = tensor<?x?xi32>
!runs  = tensor<?x?x2xi32>
attn.kernel @pages(%q: !q, %pool: !pool, %table: !table, %lens: !n) -> (lse: !l) {
  %kv = attn.pages %pool[%table, %lens] : !pool [!table, !n]
  %s = attn.scores %q, %kv : !q, !attn.seq
  %p, %lse = attn.softmax %s -> !l
  attn.return %lse : !l
}
attn.kernel @runs(%q: !q, %pool: !pool, %runs: !runs, %lens: !n) -> (lse: !l) {
  %kv = attn.pages %pool[%runs, %lens] : !pool [!runs, !n]
  %s = attn.scores %q, %kv : !q, !attn.seq
  %p, %lse = attn.softmax %s -> !l
  attn.return %lse : !l
}
attn.kernel @ragged(%q: !r, %q_ends: !n, %k: !q) -> (lse: !rl) {
  %queries = attn.ragged %q[%q_ends] : !r [!n]
  %s = attn.scores %queries, %k : !attn.seq, !q
  %p, %lse = attn.softmax %s -> !rl
  attn.return %lse : !rl
}
!few   = tensor<?x?x2x8xf32, #attn.dims<few, seq_kv, kv_heads, head_dim>>
!row2  = tensor<?x?xi32>
!flens = tensor<?xi32, #attn.dims<few>>
attn.kernel @evenly(%q: !q, %k: !few) -> (lse: !l) {
  %all = attn.dense %k : !few
  %kv = attn.share %all
  %s = attn.scores %q, %kv : !q, !attn.seq
  %p, %lse = attn.softmax %s -> !l
  attn.return %lse : !l
}
attn.kernel @rows(%q: !q, %k: !few, %rows: !n) -> (lse: !l) {
  %all = attn.dense %k : !few
  %kv = attn.share %all[%rows] : [!n]
  %s = attn.scores %q, %kv : !q, !attn.seq
  %p, %lse = attn.softmax %s -> !l
  attn.return %lse : !l
}
attn.kernel @entries(%q: !q, %k: !few, %lens: !flens, %row_of: !row2) -> (lse: !l) {
  %all = attn.dense %k[%lens] : !few [!flens]
  %kv = attn.share %all[%row_of] : [!row2]
  %s = attn.scores %q, %kv : !q, !attn.seq
  %p, %lse = attn.softmax %s -> !l
  attn.return %lse : !l
}
attn.kernel @parts(%q: !q, %k: !r, %ends: !n, %table: !table, %pool: !pool, %lens: !n) -> (lse: !l) {
  %a = attn.ragged %k[%ends] : !r [!n]
  %b = attn.pages %pool[%table, %lens] : !pool [!table, !n]
  %kv = attn.concat %a, %b
  %s = attn.scores %q, %kv : !q, !attn.seq
  %p, %lse = attn.softmax %s -> !l
  attn.return %lse : !l
}
!rk = tensor<?x2x8xf32, #attn.dims<total_kv, kv_heads, head_dim>>
attn.kernel @first(%q: !r, %ends: !n, %k: !rk, %first: !n) -> (lse: !rl) {
  %all = attn.ragged %q[%ends] : !r [!n]
  %queries = attn.at %all from %first : !attn.seq from !n
  %keys = attn.ragged %k[%ends] : !rk [!n]
  %s = attn.scores %queries, %keys : !attn.seq, !attn.seq
  %p, %lse = attn.softmax %s -> !rl
  attn.return %lse : !rl
}
attn.kernel @rows_of_packed(%q: !r, %ends: !n, %k: !few, %rows: !n) -> (lse: !rl) {
  %queries = attn.ragged %q[%ends] : !r [!n]
  %all = attn.dense %k : !few
  %kv = attn.share %all[%rows] : [!n]
  %s = attn.scores %queries, %kv : !attn.seq, !attn.seq
  %p, %lse = attn.softmax %s -> !rl
  attn.return %lse : !rl
}
!new = tensor<?x2x8xf32, #attn.dims<total_new, kv_heads, head_dim>>
attn.kernel @append(%new: !new, %ends: !n, %k: !q) {
  %entries = attn.ragged %new[%ends] : !new [!n]
  %cache = attn.dense %k : !q
  attn.append %entries to %cache : !attn.seq
  attn.return
}
