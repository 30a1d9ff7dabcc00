// A weight of 0 stays 0 where a function makes no number of it: here key 5 is multiplied by 1 / 0, and hidden.
// RUN: attnc %s --target sm_80 -o %t.80.ptx && attn-run %t.80.ptx --device sim --sizes batch=1,seq=70 --check | FileCheck %s
// RUN: attnc %s --target sm_90a -o %t.90.ptx && attn-run %t.90.ptx --device sim --sizes batch=1,seq=70 --check | FileCheck %s
// CHECK: o: largest error {{.*}}, pass
// CHECK-NEXT: lse: largest error {{.*}}, pass
!x   = tensor<?x?x2x64xf16, #attn.dims<batch, seq, heads, head_dim>>
!lse = tensor<?x?x2xf32, #attn.dims<batch, seq, heads>>
attn.kernel @reweighted(%q: !x, %k: !x, %v: !x) -> (o: !x, lse: !lse) {
  %s = attn.scores %q, %k : !x, !x
  %m = attn.mask %s by @other_than_five
  %p, %lse = attn.softmax %m -> !lse
  %r = attn.reweight %p by @over_distance_to_five
  %t = attn.reweight %r by @twice
  %o = attn.output %t, %v : !x -> !x
  attn.return %o, %lse : !x, !lse
}
func.func @other_than_five(%b: index, %h: index, %q: index, %kv: index) -> i1 {
  %five = arith.constant 5 : index
  %visible = arith.cmpi ne, %kv, %five : index
  return %visible : i1
}
func.func @over_distance_to_five(%w: f32, %b: index, %h: index, %q: index, %kv: index) -> f32 {
  %five = arith.constant 5 : index
  %distance = arith.subi %kv, %five : index
  %i = arith.index_cast %distance : index to i32
  %f = arith.sitofp %i : i32 to f32
  %y = arith.divf %w, %f : f32
  return %y : f32
}
func.func @twice(%w: f32, %b: index, %h: index, %q: index, %kv: index) -> f32 {
  %y = arith.addf %w, %w : f32
  return %y : f32
}
