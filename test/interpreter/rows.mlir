// S7: the same inputs give the same bits, and a sequence does not depend on the others. --rows computes some query rows
// alone and leaves the rest NaN, as are those beyond a query's length.
// RUN: %python %S/rows.py %s %t

!x    = tensor<?x?x2x8xf32>
!l    = tensor<?x?x2xf32>
!lens = tensor<?xi32>
func.func @past(%b: index, %h: index, %q: index, %kv: index) -> i1 {
  %visible = arith.cmpi sle, %kv, %q : index
  return %visible : i1
}
attn.kernel @rows(%q: !x, %k: !x, %v: !x, %q_lens: !lens, %lens: !lens) -> (o: !x, lse: !l) {
  %queries = attn.dense %q[%q_lens] : !x [!lens]
  %seq = attn.dense %k, %v[%lens] : !x, !x [!lens]
  %s = attn.scores %queries, %seq : !attn.seq, !attn.seq
  %m = attn.mask %s by @past
  %p, %lse = attn.softmax %m -> !l
  %o = attn.output %p, %seq : !attn.seq -> !x
  attn.return %o, %lse : !x, !l
}
