// Kernels that come close to a rule and keep it.
// RUN: attn-opt %s -split-input-file -o %t

// Keys that are the query, and that are their own values: the first columns.
!x = tensor<?x?x8x64xf16>
!o = tensor<?x?x8x32xf16>
attn.kernel @self(%x: !x) -> (o: !o) {
  %s = attn.scores %x, %x : !x, !x
  %p = attn.softmax %s
  %o = attn.output %p, %x : !x -> !o
  attn.return %o : !o
}

// -----

// An lse alone is a result; so is an output in place of the query.
!x = tensor<?x?x8x64xf16>
attn.kernel @lse_only(%q: !x, %k: !x) -> (lse: tensor<?x?x8xf32>) {
  %s = attn.scores %q, %k : !x, !x
  %p, %lse = attn.softmax %s -> tensor<?x?x8xf32>
  attn.return %lse : tensor<?x?x8xf32>
}
attn.kernel @in_place(%q: !x, %k: !x, %v: !x) -> (q: !x) {
  %s = attn.scores %q, %k : !x, !x
  %p = attn.softmax %s
  %o = attn.output %p, %v : !x -> !x
  attn.return %o : !x
}

// -----

// A size of one kind of tensor that the other takes as it comes.
!q = tensor<2x?x8x64xf16>
!k = tensor<?x77x8x64xbf16>
!v = tensor<2x77x8x32xf8E4M3FN>
!o = tensor<?x?x8x32xf32>
attn.kernel @mixed(%q: !q, %k: !k, %v: !v) -> (o: !o) {
  %s = attn.scores %q, %k : !q, !k
  %p = attn.softmax %s
  %o = attn.output %p, %v : !v -> !o
  attn.return %o : !o
}

// -----

// A function that two lines use, one that another calls twice, and arithmetic on scalars in a kernel.
!x = tensor<?x?x8x64xf16>
func.func @below(%q: index, %kv: index) -> i1 {
  %y = arith.cmpi slt, %kv, %q : index
  return %y : i1
}
func.func @between(%b: index, %h: index, %q: index, %kv: index, %n: index) -> i1 {
  %x = func.call @below(%q, %kv) : (index, index) -> i1
  %y = func.call @below(%n, %kv) : (index, index) -> i1
  %z = arith.xori %x, %y : i1
  return %z : i1
}
attn.kernel @twice(%q: !x, %k: !x, %v: !x, %n: index) -> (o: !x) {
  %two = arith.constant 2 : index
  %m = arith.muli %n, %two : index
  %s = attn.scores %q, %k : !x, !x
  %a = attn.mask %s by @between(%n) : index
  %b = attn.mask %a by @between(%m) : index
  %p = attn.softmax %b
  %o = attn.output %p, %v : !x -> !x
  attn.return %o : !x
}

// -----

// Append and attend in one launch; a part that is read twice needs no second name.
!q    = tensor<?x1x8x64xf16>
!new  = tensor<?x1x8x64xf16>
!pool = tensor<?x16x8x64xf16>
attn.kernel @append_and_attend(%q: !q, %k_new: !new, %v_new: !new, %k: !pool, %v: !pool, %table: tensor<?x?x2xi32>,
                               %lens: tensor<?xi32>) -> (o: !q) {
  %new = attn.dense %k_new, %v_new : !new, !new
  %cache = attn.pages %k, %v[%table, %lens] : !pool, !pool [tensor<?x?x2xi32>, tensor<?xi32>]
  attn.append %new to %cache : !attn.seq
  %s = attn.scores %q, %cache : !q, !attn.seq
  %p = attn.softmax %s
  %o = attn.output %p, %cache : !attn.seq -> !q
  attn.return %o : !q
}
