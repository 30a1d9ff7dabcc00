// S20: the last query stands at the last key, per sequence; with `align start` the first at the first. S22: positions are
// signed. S23: attn.row and attn.column index what has a value per query row or key entry.
// RUN: %python %S/clauses.py %s %t

!x    = tensor<?x?x2x8xf32>
!l    = tensor<?x?x2xf32>
!lens = tensor<?xi32>
!bias = tensor<?x?x?xf32, #attn.dims<batch, seq_q, seq_kv>>
!odd  = tensor<?x?xi1, #attn.dims<batch, seq_kv>>
func.func @past(%b: index, %h: index, %q: index, %kv: index) -> i1 {
  %visible = arith.cmpi sle, %kv, %q : index
  return %visible : i1
}
// Pairs of tokens: -1 floordiv 2 is -1, not 0.
func.func @bucket(%score: f32, %b: index, %h: index, %q: index, %kv: index) -> f32 {
  %two = arith.constant 2 : index
  %weight = arith.constant 0.125 : f32
  %i = arith.floordivsi %q, %two : index
  %j = arith.floordivsi %kv, %two : index
  %distance = arith.subi %i, %j : index
  %d = arith.index_cast %distance : index to i32
  %f = arith.sitofp %d : i32 to f32
  %bias = arith.mulf %weight, %f : f32
  %y = arith.addf %score, %bias : f32
  return %y : f32
}
func.func @near(%b: index, %h: index, %q: index, %kv: index) -> i1 {
  %two = arith.constant 2 : index
  %i = arith.floordivsi %q, %two : index
  %j = arith.floordivsi %kv, %two : index
  %first = arith.subi %j, %two : index
  %visible = arith.cmpi sge, %i, %first : index
  return %visible : i1
}
func.func @add(%score: f32, %b: index, %h: index, %q: index, %kv: index, %bias: tensor<?x?x?xf32>) -> f32 {
  %row = attn.row
  %column = attn.column
  %x = tensor.extract %bias[%b, %row, %column] : tensor<?x?x?xf32>
  %y = arith.addf %score, %x : f32
  return %y : f32
}
func.func @marked(%b: index, %h: index, %q: index, %kv: index, %odd: tensor<?x?xi1>) -> i1 {
  %column = attn.column
  %mark = tensor.extract %odd[%b, %column] : tensor<?x?xi1>
  %self = arith.cmpi eq, %kv, %q : index
  %visible = arith.ori %mark, %self : i1
  return %visible : i1
}

attn.kernel @align_end(%q: !x, %k: !x, %v: !x) -> (o: !x, lse: !l) {
  %s = attn.scores %q, %k : !x, !x
  %m = attn.mask %s by @past
  %p, %lse = attn.softmax %m -> !l
  %o = attn.output %p, %v : !x -> !x
  attn.return %o, %lse : !x, !l
}
attn.kernel @align_end_by_length(%q: !x, %k: !x, %v: !x, %lens: !lens) -> (o: !x, lse: !l) {
  %seq = attn.dense %k, %v[%lens] : !x, !x [!lens]
  %s = attn.scores %q, %seq : !x, !attn.seq
  %m = attn.mask %s by @past
  %p, %lse = attn.softmax %m -> !l
  %o = attn.output %p, %seq : !attn.seq -> !x
  attn.return %o, %lse : !x, !l
}
attn.kernel @align_start(%q: !x, %k: !x, %v: !x) -> (o: !x, lse: !l) {
  %s = attn.scores %q, %k align start : !x, !x
  %m = attn.mask %s by @past
  %p, %lse = attn.softmax %m -> !l
  %o = attn.output %p, %v : !x -> !x
  attn.return %o, %lse : !x, !l
}
attn.kernel @negative_positions(%q: !x, %k: !x, %v: !x) -> (o: !x, lse: !l) {
  %s = attn.scores %q, %k : !x, !x
  %t = attn.modify %s by @bucket
  %m = attn.mask %t by @near
  %p, %lse = attn.softmax %m -> !l
  %o = attn.output %p, %v : !x -> !x
  attn.return %o, %lse : !x, !l
}
attn.kernel @row_and_column(%q: !x, %k: !x, %v: !x, %bias: !bias, %odd: !odd) -> (o: !x, lse: !l) {
  %s = attn.scores %q, %k : !x, !x
  %t = attn.modify %s by @add(%bias) : !bias
  %m = attn.mask %t by @marked(%odd) : !odd
  %p, %lse = attn.softmax %m -> !l
  %o = attn.output %p, %v : !x -> !x
  attn.return %o, %lse : !x, !l
}
