// S5: a hidden key contributes nothing, whatever its score; what lies beyond a length is never read (it is NaN here).
// S6: query head h uses key head h div (heads / kv_heads). S10, S11: lengths, clamped to what the tensor holds; one tensor
// is keys that are their own values. Sizes of 0 are sizes.
// RUN: %python %S/clauses.py %s %t

!x      = tensor<?x?x2x8xf32>
!l      = tensor<?x?x2xf32>
!lens   = tensor<?xi32>
!long   = tensor<?xi64>
!q6     = tensor<?x?x6x8xf32>
!l6     = tensor<?x?x6xf32>
!q3     = tensor<?x?x3x8xf32>
!k1     = tensor<?x?x1x8xf32>
!v1     = tensor<?x?x1x16xf32>
!o3     = tensor<?x?x3x16xf32>
!l3     = tensor<?x?x3xf32>
!latent = tensor<?x?x1x16xf32>
!q4     = tensor<?x1x4x16xf32>
!o4     = tensor<?x1x4x8xf32>
!l4     = tensor<?x1x4xf32>
func.func @past(%b: index, %h: index, %q: index, %kv: index) -> i1 {
  %visible = arith.cmpi sle, %kv, %q : index
  return %visible : i1
}
func.func @not_two(%b: index, %h: index, %q: index, %kv: index) -> i1 {
  %two = arith.constant 2 : index
  %visible = arith.cmpi ne, %kv, %two : index
  return %visible : i1
}

attn.kernel @hidden_keys_are_nothing(%q: !x, %k: !x, %v: !x) -> (o: !x, lse: !l) {
  %s = attn.scores %q, %k : !x, !x
  %m = attn.mask %s by @not_two
  %p, %lse = attn.softmax %m -> !l
  %o = attn.output %p, %v : !x -> !x
  attn.return %o, %lse : !x, !l
}
attn.kernel @beyond_lens_is_never_read(%q: !x, %k: !x, %v: !x, %lens: !lens) -> (o: !x, lse: !l) {
  %seq = attn.dense %k, %v[%lens] : !x, !x [!lens]
  %s = attn.scores %q, %seq : !x, !attn.seq
  %p, %lse = attn.softmax %s -> !l
  %o = attn.output %p, %seq : !attn.seq -> !x
  attn.return %o, %lse : !x, !l
}
attn.kernel @lens_are_clamped(%q: !x, %k: !x, %v: !x, %lens: !long) -> (o: !x, lse: !l) {
  %seq = attn.dense %k, %v[%lens] : !x, !x [!long]
  %s = attn.scores %q, %seq : !x, !attn.seq
  %m = attn.mask %s by @past
  %p, %lse = attn.softmax %m -> !l
  %o = attn.output %p, %seq : !attn.seq -> !x
  attn.return %o, %lse : !x, !l
}
attn.kernel @query_lens(%q: !x, %k: !x, %v: !x, %q_lens: !lens, %lens: !lens) -> (o: !x, lse: !l) {
  %queries = attn.dense %q[%q_lens] : !x [!lens]
  %seq = attn.dense %k, %v[%lens] : !x, !x [!lens]
  %s = attn.scores %queries, %seq : !attn.seq, !attn.seq
  %m = attn.mask %s by @past
  %p, %lse = attn.softmax %m -> !l
  %o = attn.output %p, %seq : !attn.seq -> !x
  attn.return %o, %lse : !x, !l
}
attn.kernel @groups_of_three(%q: !q6, %k: !x, %v: !x) -> (o: !q6, lse: !l6) {
  %s = attn.scores %q, %k : !q6, !x
  %p, %lse = attn.softmax %s -> !l6
  %o = attn.output %p, %v : !x -> !q6
  attn.return %o, %lse : !q6, !l6
}
attn.kernel @one_key_head(%q: !q3, %k: !k1, %v: !v1) -> (o: !o3, lse: !l3) {
  %s = attn.scores %q, %k : !q3, !k1
  %p, %lse = attn.softmax %s -> !l3
  %o = attn.output %p, %v : !v1 -> !o3
  attn.return %o, %lse : !o3, !l3
}
attn.kernel @keys_are_values(%q: !q4, %k: !latent) -> (o: !o4, lse: !l4) {
  %kv = attn.dense %k : !latent
  %s = attn.scores %q, %kv : !q4, !attn.seq
  %p, %lse = attn.softmax %s -> !l4
  %o = attn.output %p, %kv : !attn.seq -> !o4
  attn.return %o, %lse : !o4, !l4
}
attn.kernel @no_keys(%q: !x, %k: !x, %v: !x) -> (o: !x, lse: !l) {
  %s = attn.scores %q, %k : !x, !x
  %m = attn.mask %s by @past
  %p, %lse = attn.softmax %m -> !l
  %o = attn.output %p, %v : !x -> !x
  attn.return %o, %lse : !x, !l
}
attn.kernel @no_queries(%q: !x, %k: !x, %v: !x) -> (o: !x, lse: !l) {
  %s = attn.scores %q, %k : !x, !x
  %p, %lse = attn.softmax %s -> !l
  %o = attn.output %p, %v : !x -> !x
  attn.return %o, %lse : !x, !l
}
attn.kernel @no_batch(%q: !x, %k: !x, %v: !x) -> (o: !x, lse: !l) {
  %s = attn.scores %q, %k : !x, !x
  %p, %lse = attn.softmax %s -> !l
  %o = attn.output %p, %v : !x -> !x
  attn.return %o, %lse : !x, !l
}
