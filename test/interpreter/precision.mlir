// S3: products accumulate in f32 in their order, softmax and score functions are in f32, a weight is rounded to the type
// of the values before it multiplies them, the sum divides unrounded, the output is rounded once, lse is f32.
// RUN: %python %S/precision.py %s %t

!x = tensor<?x?x2x16xf32>
!b = tensor<?x?x2x16xbf16>
!h = tensor<?x?x2x16xf16>
!l = tensor<?x?x2xf32>
!one = tensor<?x?x1x8xf32>
!sum = tensor<?x?x1xf32>

func.func @coarse(%score: f32, %b: index, %h: index, %q: index, %kv: index) -> f32 {
  %large = arith.constant 1.0e8 : f32
  %x = arith.addf %score, %large : f32
  %y = arith.subf %x, %large : f32
  return %y : f32
}

attn.kernel @sum(%q: !one, %k: !one) -> (lse: !sum) {
  %unit = arith.constant 1.0 : f32
  %s = attn.scores %q, %k scale %unit : !one, !one
  %p, %lse = attn.softmax %s -> !sum
  attn.return %lse : !sum
}
attn.kernel @all_f32(%q: !x, %k: !x, %v: !x) -> (o: !x, lse: !l) {
  %s = attn.scores %q, %k : !x, !x
  %p, %lse = attn.softmax %s -> !l
  %o = attn.output %p, %v : !x -> !x
  attn.return %o, %lse : !x, !l
}
attn.kernel @bf16_values_f32_output(%q: !b, %k: !b, %v: !b) -> (o: !x, lse: !l) {
  %s = attn.scores %q, %k : !b, !b
  %p, %lse = attn.softmax %s -> !l
  %o = attn.output %p, %v : !b -> !x
  attn.return %o, %lse : !x, !l
}
attn.kernel @f16_values_f32_output(%q: !h, %k: !h, %v: !h) -> (o: !x, lse: !l) {
  %s = attn.scores %q, %k : !h, !h
  %p, %lse = attn.softmax %s -> !l
  %o = attn.output %p, %v : !h -> !x
  attn.return %o, %lse : !x, !l
}
attn.kernel @bf16_output(%q: !b, %k: !b, %v: !b) -> (o: !b, lse: !l) {
  %s = attn.scores %q, %k : !b, !b
  %p, %lse = attn.softmax %s -> !l
  %o = attn.output %p, %v : !b -> !b
  attn.return %o, %lse : !b, !l
}
attn.kernel @functions_in_f32(%q: !x, %k: !x, %v: !x) -> (o: !x, lse: !l) {
  %s = attn.scores %q, %k : !x, !x
  %m = attn.modify %s by @coarse
  %p, %lse = attn.softmax %m -> !l
  %o = attn.output %p, %v : !x -> !x
  attn.return %o, %lse : !x, !l
}
