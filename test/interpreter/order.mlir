// S1: modifications in program order, then masks, whatever the order of the lines between them; two masks are an and.
// S2: the scale is 1/sqrt(head_dim) unless given; functions see scaled scores.
// RUN: %python %S/clauses.py %s %t

!x = tensor<?x?x2x8xf32>
!l = tensor<?x?x2xf32>

func.func @shift(%score: f32, %b: index, %h: index, %q: index, %kv: index) -> f32 {
  %amount = arith.constant 1.5 : f32
  %y = arith.addf %score, %amount : f32
  return %y : f32
}
func.func @squash(%score: f32, %b: index, %h: index, %q: index, %kv: index, %cap: f32) -> f32 {
  %x = arith.divf %score, %cap : f32
  %t = math.tanh %x : f32
  %y = arith.mulf %t, %cap : f32
  return %y : f32
}
func.func @tilt(%score: f32, %b: index, %h: index, %q: index, %kv: index) -> f32 {
  %half = arith.constant 0.5 : f32
  %hi = arith.index_cast %h : index to i32
  %hf = arith.sitofp %hi : i32 to f32
  %ki = arith.index_cast %kv : index to i32
  %kf = arith.sitofp %ki : i32 to f32
  %drop = arith.mulf %half, %kf : f32
  %x = arith.addf %score, %hf : f32
  %y = arith.subf %x, %drop : f32
  return %y : f32
}
func.func @past(%b: index, %h: index, %q: index, %kv: index) -> i1 {
  %visible = arith.cmpi sge, %q, %kv : index
  return %visible : i1
}
func.func @even_distance(%b: index, %h: index, %q: index, %kv: index) -> i1 {
  %zero = arith.constant 0 : index
  %two = arith.constant 2 : index
  %distance = arith.subi %q, %kv : index
  %rest = arith.remsi %distance, %two : index
  %visible = arith.cmpi eq, %rest, %zero : index
  return %visible : i1
}

attn.kernel @modifications_in_order(%q: !x, %k: !x, %v: !x) -> (o: !x, lse: !l) {
  %cap = arith.constant 2.0 : f32
  %s = attn.scores %q, %k : !x, !x
  %a = attn.modify %s by @shift
  %c = attn.modify %a by @squash(%cap) : f32
  %p, %lse = attn.softmax %c -> !l
  %o = attn.output %p, %v : !x -> !x
  attn.return %o, %lse : !x, !l
}
attn.kernel @modifications_swapped(%q: !x, %k: !x, %v: !x) -> (o: !x, lse: !l) {
  %cap = arith.constant 2.0 : f32
  %s = attn.scores %q, %k : !x, !x
  %c = attn.modify %s by @squash(%cap) : f32
  %a = attn.modify %c by @shift
  %p, %lse = attn.softmax %a -> !l
  %o = attn.output %p, %v : !x -> !x
  attn.return %o, %lse : !x, !l
}
attn.kernel @mask_before_modify(%q: !x, %k: !x, %v: !x) -> (o: !x, lse: !l) {
  %s = attn.scores %q, %k : !x, !x
  %m = attn.mask %s by @past
  %a = attn.modify %m by @tilt
  %p, %lse = attn.softmax %a -> !l
  %o = attn.output %p, %v : !x -> !x
  attn.return %o, %lse : !x, !l
}
attn.kernel @masks_are_and(%q: !x, %k: !x, %v: !x) -> (o: !x, lse: !l) {
  %s = attn.scores %q, %k : !x, !x
  %m = attn.mask %s by @past
  %n = attn.mask %m by @even_distance
  %p, %lse = attn.softmax %n -> !l
  %o = attn.output %p, %v : !x -> !x
  attn.return %o, %lse : !x, !l
}
attn.kernel @default_scale(%q: !x, %k: !x, %v: !x) -> (o: !x, lse: !l) {
  %s = attn.scores %q, %k : !x, !x
  %p, %lse = attn.softmax %s -> !l
  %o = attn.output %p, %v : !x -> !x
  attn.return %o, %lse : !x, !l
}
attn.kernel @constant_scale(%q: !x, %k: !x, %v: !x) -> (o: !x, lse: !l) {
  %scale = arith.constant 0.25 : f32
  %s = attn.scores %q, %k scale %scale : !x, !x
  %p, %lse = attn.softmax %s -> !l
  %o = attn.output %p, %v : !x -> !x
  attn.return %o, %lse : !x, !l
}
attn.kernel @argument_scale(%q: !x, %k: !x, %v: !x, %scale: f32) -> (o: !x, lse: !l) {
  %s = attn.scores %q, %k scale %scale : !x, !x
  %p, %lse = attn.softmax %s -> !l
  %o = attn.output %p, %v : !x -> !x
  attn.return %o, %lse : !x, !l
}
attn.kernel @zero_scale(%q: !x, %k: !x, %v: !x, %scale: f32) -> (o: !x, lse: !l) {
  %s = attn.scores %q, %k scale %scale : !x, !x
  %m = attn.mask %s by @past
  %p, %lse = attn.softmax %m -> !l
  %o = attn.output %p, %v : !x -> !x
  attn.return %o, %lse : !x, !l
}
attn.kernel @negative_scale(%q: !x, %k: !x, %v: !x, %scale: f32) -> (o: !x, lse: !l) {
  %cap = arith.constant 2.0 : f32
  %s = attn.scores %q, %k scale %scale : !x, !x
  %c = attn.modify %s by @squash(%cap) : f32
  %p, %lse = attn.softmax %c -> !l
  %o = attn.output %p, %v : !x -> !x
  attn.return %o, %lse : !x, !l
}
attn.kernel @computed_scale(%q: !x, %k: !x, %v: !x, %scale: f32, %n: i32) -> (o: !x, lse: !l) {
  %times = arith.sitofp %n : i32 to f32
  %product = arith.mulf %scale, %times : f32
  %s = attn.scores %q, %k scale %product : !x, !x
  %p, %lse = attn.softmax %s -> !l
  %o = attn.output %p, %v : !x -> !x
  attn.return %o, %lse : !x, !l
}
