// S30: parameters are numbers and tensors, and a tensor of unknown size takes one of any. Calls, and the library.
// RUN: %python %S/clauses.py %s %t

!x      = tensor<?x?x2x8xf32>
!l      = tensor<?x?x2xf32>
!b      = tensor<?x?x2x8xbf16>
!h      = tensor<?x?x2x8xf16>
!slopes = tensor<2xf32>

func.func @squash(%score: f32, %b: index, %h: index, %q: index, %kv: index, %cap: f32) -> f32 {
  %x = arith.divf %score, %cap : f32
  %t = math.tanh %x : f32
  %y = arith.mulf %t, %cap : f32
  return %y : f32
}
func.func @lean(%score: f32, %b: index, %h: index, %q: index, %kv: index, %slopes: tensor<?xf32>, %more: f32) -> f32 {
  %slope = tensor.extract %slopes[%h] : tensor<?xf32>
  %distance = arith.subi %kv, %q : index
  %i = arith.index_cast %distance : index to i32
  %d = arith.sitofp %i : i32 to f32
  %bias = arith.mulf %slope, %d : f32
  %x = arith.addf %score, %bias : f32
  %y = arith.addf %x, %more : f32
  return %y : f32
}
func.func @window(%b: index, %h: index, %q: index, %kv: index, %left: index, %shift: i32) -> i1 {
  %zero = arith.constant 0 : index
  %s = arith.index_cast %shift : i32 to index
  %d = arith.subi %q, %kv : index
  %age = arith.addi %d, %s : index
  %past = arith.cmpi sge, %age, %zero : index
  %near = arith.cmpi sle, %age, %left : index
  %visible = arith.andi %past, %near : i1
  return %visible : i1
}
func.func @before(%q: index, %kv: index) -> i1 {
  %visible = arith.cmpi sle, %kv, %q : index
  return %visible : i1
}
func.func @close(%q: index, %kv: index, %left: index) -> i1 {
  %past = func.call @before(%q, %kv) : (index, index) -> i1
  %first = arith.subi %q, %left : index
  %near = func.call @before(%kv, %first) : (index, index) -> i1
  %visible = arith.andi %past, %near : i1
  return %visible : i1
}
// The first key and the last two, by functions that call the same function with other operands.
func.func @stream(%b: index, %h: index, %q: index, %kv: index) -> i1 {
  %one = arith.constant 1 : index
  %first = arith.cmpi slt, %kv, %one : index
  %past = func.call @before(%q, %kv) : (index, index) -> i1
  %sink = arith.andi %first, %past : i1
  %near = func.call @close(%q, %kv, %one) : (index, index, index) -> i1
  %visible = arith.ori %sink, %near : i1
  return %visible : i1
}

attn.kernel @parameters(%q: !x, %k: !x, %v: !x, %slopes: !slopes, %slope: f32, %cap: f32, %window: index, %shift: i32) -> (o: !x, lse: !l) {
  %s = attn.scores %q, %k : !x, !x
  %a = attn.modify %s by @lean(%slopes, %slope) : !slopes, f32
  %c = attn.modify %a by @squash(%cap) : f32
  %m = attn.mask %c by @window(%window, %shift) : index, i32
  %p, %lse = attn.softmax %m -> !l
  %o = attn.output %p, %v : !x -> !x
  attn.return %o, %lse : !x, !l
}
attn.kernel @calls(%q: !x, %k: !x, %v: !x) -> (o: !x, lse: !l) {
  %s = attn.scores %q, %k : !x, !x
  %m = attn.mask %s by @stream
  %p, %lse = attn.softmax %m -> !l
  %o = attn.output %p, %v : !x -> !x
  attn.return %o, %lse : !x, !l
}
attn.kernel @library(%q: !x, %k: !x, %v: !x) -> (o: !x, lse: !l) {
  %cap = arith.constant 50.0 : f32
  %s = attn.scores %q, %k : !x, !x
  %c = attn.modify %s by @softcap(%cap) : f32
  %m = attn.mask %c by @causal
  %p, %lse = attn.softmax %m -> !l
  %o = attn.output %p, %v : !x -> !x
  attn.return %o, %lse : !x, !l
}
attn.kernel @inputs_are_rounded(%q: !b, %k: !b, %v: !b) -> (o: !b, lse: !l) {
  %s = attn.scores %q, %k : !b, !b
  %p, %lse = attn.softmax %s -> !l
  %o = attn.output %p, %v : !b -> !b
  attn.return %o, %lse : !b, !l
}
attn.kernel @halves(%q: !h, %k: !h, %v: !h) -> (o: !h, lse: !l) {
  %s = attn.scores %q, %k : !h, !h
  %p, %lse = attn.softmax %s -> !l
  %o = attn.output %p, %v : !h -> !h
  attn.return %o, %lse : !h, !l
}
