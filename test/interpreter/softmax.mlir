// S4: p = exp(s - lse), lse = ln(sum of exp s + exp sink) over the visible keys. A row that sees no key has the output 0
// exactly and an lse of minus infinity, or the sink alone. Nothing is ever NaN, and large logits stay finite.
// RUN: %python %S/clauses.py %s %t

!x    = tensor<?x?x2x8xf32>
!l    = tensor<?x?x2xf32>
!sink = tensor<2xf32>
!lens = tensor<?xi32>
func.func @past(%b: index, %h: index, %q: index, %kv: index) -> i1 {
  %visible = arith.cmpi sle, %kv, %q : index
  return %visible : i1
}
func.func @nothing(%b: index, %h: index, %q: index, %kv: index) -> i1 {
  %never = arith.constant false
  return %never : i1
}
// The whole of row 1 and key 0 have a score of minus infinity without being hidden.
func.func @drop(%score: f32, %b: index, %h: index, %q: index, %kv: index) -> f32 {
  %lost = arith.constant 0xFF800000 : f32
  %zero = arith.constant 0 : index
  %one = arith.constant 1 : index
  %row = attn.row
  %is_row = arith.cmpi eq, %row, %one : index
  %is_key = arith.cmpi eq, %kv, %zero : index
  %gone = arith.ori %is_row, %is_key : i1
  %y = arith.select %gone, %lost, %score : f32
  return %y : f32
}
func.func @enlarge(%score: f32, %b: index, %h: index, %q: index, %kv: index) -> f32 {
  %factor = arith.constant 1.0e4 : f32
  %offset = arith.constant -2.45e5 : f32
  %x = arith.mulf %score, %factor : f32
  %y = arith.addf %x, %offset : f32
  return %y : f32
}

attn.kernel @empty_rows(%q: !x, %k: !x, %v: !x) -> (o: !x, lse: !l) {
  %s = attn.scores %q, %k : !x, !x
  %m = attn.mask %s by @past
  %p, %lse = attn.softmax %m -> !l
  %o = attn.output %p, %v : !x -> !x
  attn.return %o, %lse : !x, !l
}
attn.kernel @no_key_at_all(%q: !x, %k: !x, %v: !x) -> (o: !x, lse: !l) {
  %s = attn.scores %q, %k : !x, !x
  %m = attn.mask %s by @nothing
  %p, %lse = attn.softmax %m -> !l
  %o = attn.output %p, %v : !x -> !x
  attn.return %o, %lse : !x, !l
}
attn.kernel @sink(%q: !x, %k: !x, %v: !x, %sink: !sink) -> (o: !x, lse: !l) {
  %s = attn.scores %q, %k : !x, !x
  %p, %lse = attn.softmax %s sink %sink : !sink -> !l
  %o = attn.output %p, %v : !x -> !x
  attn.return %o, %lse : !x, !l
}
attn.kernel @sink_of_empty_rows(%q: !x, %k: !x, %v: !x, %sink: !sink) -> (o: !x, lse: !l) {
  %s = attn.scores %q, %k : !x, !x
  %m = attn.mask %s by @past
  %p, %lse = attn.softmax %m sink %sink : !sink -> !l
  %o = attn.output %p, %v : !x -> !x
  attn.return %o, %lse : !x, !l
}
attn.kernel @sink_far_above(%q: !x, %k: !x, %v: !x, %sink: !sink) -> (o: !x, lse: !l) {
  %s = attn.scores %q, %k : !x, !x
  %p, %lse = attn.softmax %s sink %sink : !sink -> !l
  %o = attn.output %p, %v : !x -> !x
  attn.return %o, %lse : !x, !l
}
attn.kernel @scores_of_minus_infinity(%q: !x, %k: !x, %v: !x) -> (o: !x, lse: !l) {
  %s = attn.scores %q, %k : !x, !x
  %m = attn.modify %s by @drop
  %p, %lse = attn.softmax %m -> !l
  %o = attn.output %p, %v : !x -> !x
  attn.return %o, %lse : !x, !l
}
attn.kernel @large_logits(%q: !x, %k: !x, %v: !x) -> (o: !x, lse: !l) {
  %one = arith.constant 1.0 : f32
  %s = attn.scores %q, %k scale %one : !x, !x
  %m = attn.modify %s by @enlarge
  %p, %lse = attn.softmax %m -> !l
  %o = attn.output %p, %v : !x -> !x
  attn.return %o, %lse : !x, !l
}
attn.kernel @lse_alone(%q: !x, %k: !x) -> (lse: !l) {
  %s = attn.scores %q, %k : !x, !x
  %p, %lse = attn.softmax %s -> !l
  attn.return %lse : !l
}
